"""A nats-server that is stopped, killed, frozen, cut off or slow: no false 200, nothing lost, nothing twice, in order."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from types import SimpleNamespace

import pytest
from conftest import HOLDFAST, NATS_SERVER, wait_until
from load import metric
from natsio import Nats
from netcut import BACK, NETWORK_OUTAGES, black_hole, cut
from onbus import SLACK_S, assert_answers, assert_as_stored, assert_carried_once, assert_in_stream, assert_once, messages_of, network, on_bus  # noqa: F401
from senders import senders  # noqa: F401


# ---- what can happen to a server: each begins it and returns how it ends ------------------------------------------------

def stopped(server, _):
    server.stop()
    return server.restart


def killed(server, _):
    server.kill()
    return server.restart


def frozen(server, _):
    server.send(signal.SIGSTOP)
    return lambda: server.send(signal.SIGCONT)


OUTAGES = [stopped, killed, frozen, *NETWORK_OUTAGES]
by_name = {"ids": lambda outage: outage.__name__}


# ---- ack: bus -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("outage", OUTAGES, **by_name)
def test_bus_mode_answers_200_only_for_what_is_in_the_stream_and_all_in_time(outage, nats, network, on_bus, senders):
    server = nats()
    link = network(server)
    g = on_bus(link.url, ack="bus").start()
    load = senders(g.port, pad=500)
    load.wait_for(200)
    end = outage(server, link)
    load.wait_for(500, more=30)
    end()
    load.wait_for(200)
    load.stop()
    assert g.process.stop() == 0
    assert_answers(load)
    assert_in_stream(load, messages_of(server))


def test_bus_mode_without_a_server_is_not_ready_and_refuses_at_once(nats, on_bus, spawn):
    server = nats()
    server.stop()
    g = on_bus(server.url, ack="bus", deadline_s=60)
    g.process = spawn("gateway", [HOLDFAST, "gateway", "-f", g.file])
    wait_until(lambda: g.post_to("example", "{}").status_code == 500, "it listens")
    assert g.post_to("example", "{}", timeout=50).text == "failed to record event", "it does not wait for its deadline"
    assert not g.ready()
    wait_until(lambda: g.says("not connected; trying again until it is"), "the log says so")
    server.restart()
    wait_until(g.ready, "ready when the server is there")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    assert g.says("not connected; trying again until it is") == 1
    assert [m.body for m in messages_of(server)] == [{"id": "1"}]


def test_a_store_that_came_with_a_reload_acknowledges_nothing_before_it_is_there(nats, gateway, free_port):
    server = nats()
    bus = f"""---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec:
  jetstreamExotic: {{url: {server.url}}}
"""
    g = gateway(bus=bus)
    whole = g.file.read_text()
    g.file.write_text(whole.replace(f"    dataDir: {g.data}\n", ""))
    g.start()
    assert g.post('{"id":"1"}').status_code == 200
    g.file.write_text(whole)
    g.process.send(signal.SIGHUP)
    wait_until(lambda: "ack: spool needs a store, and this process started without one: restart it" in g.process.output(),
               "the reload is refused")
    assert g.post('{"id":"2"}').status_code == 200
    assert [m.body["id"] for m in messages_of(server)] == ["1", "2"]


def test_a_gateway_ends_in_time_while_its_bus_is_a_black_hole(nats, network, on_bus, senders):
    server = nats()
    link = network(server)
    g = on_bus(link.url, events={"a": "spool", "b": "bus"}).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)
    load.wait_for(200)
    link.blackhole()
    load.wait_for(500, more=5)
    assert g.process.stop() == 0
    load.stop()
    link.open()
    g.start().drain()
    messages = messages_of(server)
    assert_in_stream(load, messages)
    assert_as_stored(g, messages, ["a"])


def test_a_black_hole_fills_no_memory_and_what_finds_no_room_is_answered_at_once(nats, network, on_bus, senders):
    """8 requests may wait for the bus; 40 senders of 500 kB each would be 20 MB, and more in base64."""
    server = nats()
    link = network(server)
    limits = "    limits: {busInFlight: 8, bodyMemory: 4MiB}\n"
    g = on_bus(link.url, ack="bus", more=limits, deadline_s=1).start()
    before = g.process.memory_kib()
    link.blackhole()
    load = senders(g.port, each=40, pad=500_000, pause_s=0.1)
    load.wait_for(500, more=20)
    load.wait_for(503, more=20)
    load.stop()
    assert g.process.memory_kib("VmHWM") < before + 25 * 1024
    assert {a.status for a in load.answers} == {500, 503}
    assert max(a.took_s for a in load.answers) < 1 + SLACK_S
    assert min(a.took_s for a in load.answers if a.status == 503) < 1, "refused without waiting"
    link.open()
    tries = itertools.count()  # one that was answered 500 for its lateness may be there all the same
    wait_until(lambda: g.post_to("example", '{"id":"last%d"}' % next(tries)).status_code == 200, "the bus takes events again")
    messages = messages_of(server)
    assert messages[-1].body == {"id": f"last{next(tries) - 1}"}
    assert_once(messages)


# ---- ack: spool ---------------------------------------------------------------------------------------------------------

ROUTES = ("a", "b")
OLDEST = "holdfast_forwarder_oldest_timestamp_seconds"


@pytest.mark.parametrize("outage", OUTAGES, **by_name)
def test_spool_mode_answers_200_all_the_time_and_all_arrives_once_and_in_order(outage, nats, network, on_bus, senders):
    begun = time.time()
    server = nats()
    link = network(server)
    g = on_bus(link.url, events=ROUTES).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)
    load.wait_for(200)
    end = outage(server, link)
    refused = link.refused
    wait_until(lambda: g.waiting() > 0, "events wait")
    if outage is black_hole:
        wait_until(lambda: metric(g, "holdfast_forwarder_failed_total") > 0, "publishes have timed out")
    elif outage in (stopped, killed, cut):
        wait_until(lambda: link.refused >= refused + 5, "several tries to connect, with backoff")
    load.wait_for(200, more=200)
    wait_until(lambda: g.status()["forwarding"]["oldest_ms"] > 0, "status knows since when")
    wait_until(lambda: begun - 1 < metric(g, OLDEST) < time.time(), "and so do the metrics")
    end()
    load.wait_for(200)
    load.stop()
    g.drain()
    wait_until(lambda: metric(g, OLDEST) == 0 == metric(g, "holdfast_forwarder_waiting"), "the metrics say that nothing waits")
    assert {a.status for a in load.answers} == {200}
    assert_answers(load)
    messages = messages_of(server)
    assert_in_stream(load, messages)
    assert_as_stored(g, messages, ROUTES)
    assert g.process.stop() == 0


def test_an_outage_is_one_line_in_the_log_and_its_end_another(nats, network, on_bus):
    server = nats()
    link = network(server)
    g = on_bus(link.url).start().wait_for_bus()
    link.cut()
    wait_until(lambda: link.refused >= 5, "several tries")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    link.open()
    g.drain()
    for text, times in (("connection lost; connecting again", 1), ("not connected; trying again", 1), ('"connected"', 2)):
        assert g.says(text) == times, (text, g.process.output())


def test_kills_of_gateway_and_server_in_the_outage_and_in_the_drain(nats, network, on_bus, senders):
    """The gateway dies while the bus is away, while it drains, and at the same moment as the server."""
    server = nats()
    link = network(server)
    g = on_bus(link.url, events=ROUTES).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)

    def restart_gateway():
        g.process.kill()
        g.start()
        load.wait_for(200)

    load.wait_for(200)
    server.kill()
    load.wait_for(200, more=300)
    restart_gateway()
    load.wait_for(200, more=300)
    link.slow(60_000)
    server = server.restart()
    with Nats(server.port) as client:
        for _ in range(3):
            arrived = client.count()
            wait_until(lambda n=arrived: client.count() >= n + 20, "it drains")
            assert g.waiting() > 0
            restart_gateway()
        arrived = client.count()
        wait_until(lambda: client.count() >= arrived + 20, "it drains")
    assert g.waiting() > 0
    server.kill()
    restart_gateway()
    server = server.restart()
    load.stop()
    link.open()
    g.drain()
    assert {a.status for a in load.answers} == {200, None}
    messages = messages_of(server)
    assert_in_stream(load, messages)
    assert_as_stored(g, messages, ROUTES)


def test_a_kill_between_the_ack_and_the_position_stores_nothing_twice(nats, network, on_bus, senders):
    server = nats()
    link = network(server)
    g = on_bus(link.url).start().wait_for_bus()
    link.blackhole(BACK)
    load = senders(g.port)
    load.wait_for(200)
    load.stop()
    sent = len(load.answers)
    with Nats(server.port) as client:
        wait_until(lambda: client.count() == sent, "the stream has all of them, the gateway no ack")
    assert g.waiting() == sent
    g.process.kill()
    link.open()
    g.start()
    g.drain()
    assert metric(g, 'holdfast_bus_publishes_total{outcome="duplicate"}') >= sent
    messages = messages_of(server)
    assert len(messages) == sent
    assert_in_stream(load, messages)
    assert_as_stored(g, messages, ["example"])


# ---- both in one gateway ------------------------------------------------------------------------------------------------

def test_a_drain_leaves_room_for_requests_that_wait_for_the_bus(nats, network, on_bus, senders):
    """What was spooled during an outage must not make `ack: bus` fail when the bus is back."""
    server = nats()
    link = network(server)
    g = on_bus(link.url, events={"a": "spool", "b": "bus"}, more="    limits: {busInFlight: 64}\n", deadline_s=60).start().wait_for_bus()
    link.cut()
    load = senders(g.port, ["a"])
    load.wait_for(200, more=1500)
    load.stop()
    link.slow(200_000)
    g.wait_for_bus()
    answers = []
    while g.waiting() > 200:
        answers.append(g.post_to("b", '{"id":"b%d"}' % len(answers)).status_code)
    assert len(answers) >= 3 and set(answers) == {200}, f"{answers}: who waits for the end of the drain is answered once"


def test_a_link_that_is_slow_and_alive_carries_each_event_once(nats, network, on_bus):
    server = nats()
    link = network(server)
    g = on_bus(link.url, events={"a": "spool", "b": "bus"}, deadline_s=60).start().wait_for_bus()
    link.slow(400_000)
    assert_carried_once(g, link)
    assert_as_stored(g, messages_of(server), ["a"])


# ---- a network that goes away without a word: a link that is taken down -------------------------------------------------

@pytest.fixture
def far_server(spawn, free_port, tmp_path):
    """A nats-server in a network namespace of its own, at the end of a veth; .link("down"), .link("up")."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and ip(8)")
    ns, near, far = f"hf{os.getpid()}", f"hfn{os.getpid()}", f"hff{os.getpid()}"
    subnet = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"

    def ip(*words, check=True):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=90)
        if check and done.returncode:
            pytest.skip(f"network namespaces are not possible here: ip {' '.join(words)}: {done.stderr.strip()}")

    try:
        ip("netns", "add", ns)
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", ns)
        ip("addr", "add", subnet + ".1/24", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", ns, "addr", "add", subnet + ".2/24", "dev", far)
        ip("-n", ns, "link", "set", far, "up")
        port = free_port()
        config = tmp_path / "far.conf"
        config.write_text(f'listen: {subnet}.2:{port}\njetstream {{ store_dir: "{tmp_path / "far"}" }}\n')
        spawn("far", ["ip", "netns", "exec", ns, NATS_SERVER, "-c", config])
        wait_until(lambda: socket.create_connection((subnet + ".2", port), 1), "the server listens")
        yield SimpleNamespace(host=subnet + ".2", port=port, link=lambda state: ip("link", "set", near, state, check=False))
    finally:
        ip("link", "del", near, check=False)
        ip("netns", "del", ns, check=False)


def test_a_link_that_goes_down(far_server, on_bus, senders):
    g = on_bus(f"nats://{far_server.host}:{far_server.port}", events={"a": "spool", "b": "bus"}).start().wait_for_bus()
    load = senders(g.port, ROUTES, each=4)
    load.wait_for(200, more=200)
    far_server.link("down")
    load.wait_for(500, more=20)
    load.wait_for(200, more=200)
    far_server.link("up")
    wait_until(lambda: any(a.route == "b" and a.status == 200 for a in load.answers[-50:]), "the bus takes events again")
    load.stop()
    g.drain()
    assert_answers(load)
    assert {a.status for a in load.answers if a.route == "a"} == {200}
    messages = messages_of(far_server, far_server.host)
    assert_in_stream(load, messages)
    assert_as_stored(g, messages, ["a"])
