"""Three servers with a stream of three replicas: its leader steps down or dies, its majority is away."""

import signal
from types import SimpleNamespace

import pytest
from conftest import NATS_SERVER, wait_until
from natsio import Nats
from onbus import assert_answers, assert_as_stored, assert_in_stream, on_bus  # noqa: F401
from senders import senders  # noqa: F401

CONFIG = """\
server_name: {name}
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{directory}" }}
cluster {{ name: three, listen: 127.0.0.1:{route}, routes: [{routes}] }}
"""


@pytest.fixture
def cluster(tmp_path, spawn, free_port):
    """.servers, by name; .url of all three; .client() of one that runs."""
    ports = {name: (free_port(), free_port()) for name in ("one", "two", "three")}
    routes = ", ".join(f"nats-route://127.0.0.1:{route}" for _, route in ports.values())
    servers = {}

    def start(name):
        port, route = ports[name]
        config = tmp_path / (name + ".conf")
        config.write_text(CONFIG.format(name=name, port=port, directory=tmp_path / name, route=route, routes=routes))
        servers[name] = spawn(name, [NATS_SERVER, "-c", config])

    def client():
        return Nats(next(port for name, (port, _) in ports.items() if servers[name].running()))

    for name in ports:
        start(name)
    return SimpleNamespace(servers=servers, start=start, client=client, url=",".join(f"nats://127.0.0.1:{p}" for p, _ in ports.values()))


def leader(cluster):
    with cluster.client() as client:
        return client.stream()["cluster"]["leader"]


# ---- what can happen to it ----------------------------------------------------------------------------------------------

def its_leader_steps_down(cluster, _):
    with cluster.client() as client:
        assert client.api("STREAM.LEADER.STEPDOWN.default")["success"]


def its_leader_dies(cluster, load):
    name = leader(cluster)
    cluster.servers[name].kill()
    load.wait_for(500, more=1)
    cluster.start(name)


def its_leader_is_alone(cluster, load):
    first = leader(cluster)
    others = [server for name, server in cluster.servers.items() if name != first]
    for server in others:
        server.send(signal.SIGSTOP)
    load.wait_for(500, more=10)
    for server in others:
        server.send(signal.SIGCONT)


TROUBLES = [[its_leader_steps_down, its_leader_is_alone], [its_leader_dies]]


@pytest.mark.parametrize("troubles", TROUBLES, ids=lambda troubles: "_and_".join(t.__name__ for t in troubles))
def test_a_stream_of_three_replicas(troubles, cluster, on_bus, senders):
    stream = "    streamConfig: 'replicas: 3'\n"
    g = on_bus(f'"{cluster.url}"', exotic=stream, events={"a": "spool", "b": "bus"}).start().wait_for_bus()
    load = senders(g.port, ("a", "b"), each=4, pause_s=0.02)

    def taken_by_the_bus(more=30):
        at = len(load.answers)
        wait_until(lambda: sum(a.route == "b" and a.status == 200 for a in load.answers[at:]) >= more, "the bus takes events")

    taken_by_the_bus()
    for trouble in troubles:
        trouble(cluster, load)
        taken_by_the_bus()
    load.stop()
    g.drain()
    assert_answers(load)
    assert {a.status for a in load.answers if a.route == "a"} == {200}
    with cluster.client() as client:
        assert client.stream()["config"]["num_replicas"] == 3
        messages = client.messages()
    assert_in_stream(load, messages)
    assert_as_stored(g, messages, ["a"])
