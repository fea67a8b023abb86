"""A gateway in front of JetStream, the network between them, and what must hold of the stream afterwards."""

import collections
import json
import subprocess

import pytest
import requests
from conftest import HOLDFAST, Gateway, wait_until
from load import metric
from natsio import Nats
from netcut import OUT, Proxy

DEADLINE_S = 0.5
SLACK_S = 25.0  # a busy machine; who forgets the deadline is never answered while the outage lasts

EVENT_SOURCE = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: hooks}}
spec:
  webhook:
{events}
  holdfast:
    secretsDir: {secrets}
    deadline: {deadline_ms}ms
    admin: {{address: "127.0.0.1:{admin_port}"}}
"""

EVENT_BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec:
  jetstreamExotic:
    url: {url}
{exotic}
"""


class BusGateway(Gateway):
    """Events `events` of the EventSource `hooks`, each on its own endpoint; {name: "bus"} acknowledges by the bus."""

    def post_to(self, event, body, **options):
        return requests.post(f"http://127.0.0.1:{self.port}/{event}", data=body, **{"timeout": 90, **options})

    def bus_up(self):
        return metric(self, "holdfast_bus_connected") == 1

    def wait_for_bus(self, limit_s=60.0):
        wait_until(self.bus_up, f"the bus is up:\n{self.process.output()[-3000:]}", limit_s)
        return self

    def status(self):
        token = json.loads((self.data / "admin.json").read_text())["token"]
        answer = requests.get(self.admin + "/status", timeout=90, headers={"Authorization": "Bearer " + token})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def waiting(self):
        return self.status()["forwarding"]["waiting"]

    def drain(self, limit_s=90.0):
        """Until nothing waits for the bus."""
        wait_until(lambda: self.waiting() == 0, f"nothing waits:\n{self.process.output()[-3000:]}", limit_s)

    def stored(self, event):
        """[(CloudEvent id, id in the body), ...] of the store, in its order."""
        out = subprocess.run([HOLDFAST, "tail", "--data-dir", self.data, "--name", event, "--json"], check=True,
                             capture_output=True, timeout=60).stdout
        events = [json.loads(line)["event"] for line in out.splitlines()]
        return [(e["id"], e["data"]["body"]["id"]) for e in events]


def event_lines(port, acks):
    """The events of a manifest. What waits for the disk alone has more time: it may be a busy one."""
    own = {"bus": "ack: bus", "spool": "ack: spool, deadline: 60s"}
    return [f'    {e}: {{port: "{port}", endpoint: /{e}, method: POST, holdfast: {{{own[ack]}}}}}' for e, ack in acks.items()]


def bus_gateways(tmp_path, spawn, free_port):
    """make(bus, ack="spool", events=("example",), more="", name="gateway"): a BusGateway with this EventBus, not started.

    `ack="bus"` has no data directory: then ready means that the bus is up. `more`: lines under spec.holdfast, four spaces deep.
    """

    def make(bus, ack="spool", events=("example",), more="", name="gateway", deadline_s=DEADLINE_S):
        g = BusGateway(tmp_path, spawn, (free_port(), free_port()), name, "", "", "-")
        acks = events if isinstance(events, dict) else dict.fromkeys(events, ack)
        if "spool" in acks.values():
            more += f"    dataDir: {g.data}\n"
        text = EVENT_SOURCE.format(events="\n".join(event_lines(g.port, acks)), secrets=tmp_path / "secrets",
                                   admin_port=g.admin_port, deadline_ms=int(deadline_s * 1000))
        g.file.write_text(text + more + bus)
        return g

    return make


@pytest.fixture
def on_bus(tmp_path, spawn, free_port):
    """on_bus(url, exotic="", ...): one before JetStream. `exotic`: lines under it, four spaces deep, and what follows in the EventBus."""
    make = bus_gateways(tmp_path, spawn, free_port)
    return lambda url, exotic="", **options: make(EVENT_BUS.format(url=url, exotic=exotic), **options)


@pytest.fixture
def network(free_port):
    """network(server): a Proxy in front of it."""
    proxies = []

    def make(server):
        proxies.append(Proxy(free_port(), server.port))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


def messages_of(server, host="127.0.0.1"):
    with Nats(server.port, host) as client:
        return client.messages()


def assert_once(messages):
    """No event is there twice, by its body, by its CloudEvent id, by the id for the server."""
    for what in ([m.body["id"] for m in messages], [m.event["id"] for m in messages], [m.msg_id for m in messages]):
        twice = [i for i, n in collections.Counter(what).items() if n > 1]
        assert not twice, twice[:5]


def assert_answers(load, statuses=(200, 500), deadline_s=DEADLINE_S):
    """Nothing but these statuses, each in time and in the words for it."""
    got = {a.status for a in load.answers}
    assert got <= set(statuses), [a for a in load.answers if a.status not in statuses][:5]
    texts = {200: "success", 500: "failed to record event"}
    assert all(a.text == texts[a.status] for a in load.answers if a.status in texts)
    slowest = max(load.answers, key=lambda a: a.took_s)
    assert slowest.took_s <= deadline_s + SLACK_S, slowest


def assert_nothing_lost(load, messages, where):
    """What was answered 200 is there, and nothing that nobody sent."""
    there = {m.body["id"] for m in messages}
    missing = set(load.ids(200)) - there
    assert not missing, f"{len(missing)} acknowledged and not in the {where}: {sorted(missing)[:5]}"
    assert there <= {a.id for a in load.answers}


def assert_in_stream(load, messages):
    """What was answered 200 is in the stream, nothing is there twice, and nothing that nobody sent."""
    assert_once(messages)
    assert_nothing_lost(load, messages, "stream")


def assert_as_stored(g, messages, routes):
    """The stream holds what the store holds, in the order of the store for each route."""
    for route in routes:
        stream = [(m.event["id"], m.body["id"]) for m in messages if m.subject == f"default.hooks.{route}"]
        stored = g.stored(route)
        assert len(stream) == len(stored)
        assert stream == stored, next((i, a, b) for i, (a, b) in enumerate(zip(stream, stored, strict=True)) if a != b)


def assert_carried_once(g, link):
    """What waits for a slow `link` leaves on one connection, and none of it twice; who waits for the bus (route b) need not wait for all of it."""
    before = link.passed[OUT]
    for i in range(8):
        assert g.post_to("a", json.dumps({"id": f"a{i}", "pad": "x" * 600_000})).status_code == 200
    assert g.post_to("b", '{"id":"b"}').status_code == 200
    assert g.waiting() >= 4
    g.drain()
    assert metric(g, "holdfast_bus_reconnects_total") == metric(g, "holdfast_forwarder_failed_total") == 0
    assert link.passed[OUT] - before < 1.1 * 8 * 800_000
