"""A bus that lies, refuses, is silent or breaks off: never a false 200, every answer in time, and well again afterwards."""

import json

import pytest
from conftest import wait_until
from fakenats import FakeNats, noise
from load import metric
from onbus import DEADLINE_S, SLACK_S, assert_answers, assert_as_stored, assert_once, messages_of, on_bus  # noqa: F401
from senders import senders  # noqa: F401


def error(code, err_code, description):
    return json.dumps({"error": {"code": code, "err_code": err_code, "description": description}, "stream": "default", "seq": 0}).encode()


LIES = {
    "no JSON": b"no JSON at all",
    "nothing": b"",
    "an OK of the protocol": b"+OK",
    "an empty object": b"{}",
    "an array": b'[{"stream":"default","seq":1}]',
    "no sequence": b'{"stream":"default"}',
    "sequence 0": b'{"stream":"default","seq":0}',
    "a negative sequence": b'{"stream":"default","seq":-1}',
    "a sequence in words": b'{"stream":"default","seq":"one"}',
    "a sequence as a text": b'{"stream":"default","seq":"12"}',
    "a sequence that is true": b'{"stream":"default","seq":true}',
    "half a sequence": b'{"stream":"default","seq":1.5}',
    "no stream": b'{"seq":1}',
    "no name of a stream": b'{"stream":"","seq":1}',
    "cut off": b'{"stream":"default","seq":1',
    "an error and an ack": b'{"error":{"code":503,"err_code":1},"stream":"default","seq":7}',
    "two answers": b'{"stream":"default","seq":1}{"stream":"default","seq":2}',
    "noise": noise(2000),
    "a number": b"17",
    "null": b"null",
    "deep": b"[" * 100000,
    "insufficient resources": error(503, 10023, "insufficient resources"),
    "maximum messages exceeded": error(400, 10077, "maximum messages exceeded"),
    "no stream of that name": error(404, 10059, "stream not found"),
    "an error without words": b'{"error":{}}',
    "an error of another shape": b'{"error":"no"}',
    "no answer": None,
    "the connection closes": FakeNats.CLOSE,
}


@pytest.fixture
def fake(free_port):
    """fake(on_publish, port=None, ...): a FakeNats."""
    started = []

    def make(on_publish, port=None, **options):
        started.append(FakeNats(port or free_port(), on_publish, **options))
        started[-1].url = f"nats://127.0.0.1:{started[-1].info['port']}"
        return started[-1]

    yield make
    for f in started:
        try:
            f.close()
        except OSError:
            pass


def test_no_lie_of_the_server_becomes_a_200(fake, on_bus):
    """Each lie answers one request of `ack: bus`; the truth after it is taken for what it is."""
    truth = b'{"stream":"default","seq":12}'
    say = {"now": truth}
    server = fake(lambda n: say["now"])
    g = on_bus(server.url, ack="bus").start()
    for name, lie in LIES.items():
        say["now"] = lie
        answer = g.post_to("example", "{}")
        assert (answer.status_code, answer.text) == (500, "failed to record event"), name
        assert answer.elapsed.total_seconds() < DEADLINE_S + SLACK_S, name
        say["now"] = truth
        wait_until(lambda: g.post_to("example", "{}").status_code == 200, f"200 after: {name}")
    assert metric(g, 'holdfast_bus_publishes_total{outcome="duplicate"}') == 0
    assert g.process.stop() == 0


def test_a_late_or_foreign_ack_is_nobody_elses(fake, on_bus):
    """The server answers some publishes and not others; an answer may be too late for its own request, and counts for no other."""
    say = {}
    server = fake(lambda n: say["now"])
    g = on_bus(server.url, ack="bus").start()
    for _ in range(2):
        say["now"] = b'{"stream":"default","seq":1}'
        wait_until(lambda: g.post_to("example", "{}").status_code == 200, "what is answered is taken")
        say["now"] = None
        assert g.post_to("example", "{}").status_code == 500


def test_what_is_stored_survives_every_lie_and_reaches_the_real_server_in_order(fake, nats, on_bus, senders):
    """The fake lies to a gateway that spools; then a real server listens on the same port."""
    real = nats()
    real.stop()
    lies = [lie for lie in LIES.values() if isinstance(lie, bytes)]
    server = fake(lambda n: lies[n % len(lies)], port=real.port)
    g = on_bus(real.url, events=("a", "b")).start().wait_for_bus()
    load = senders(g.port, ("a", "b"), each=4)
    load.wait_for(200, more=200)
    wait_until(lambda: len(server.published) >= 16, "the fake has lied a few times")
    assert metric(g, "holdfast_forwarder_forwarded_total") == 0
    server.close()
    real = real.restart()
    load.wait_for(200, more=200)
    load.stop()
    g.wait_for_bus().drain()
    assert {a.status for a in load.answers} == {200}
    messages = messages_of(real)
    assert_once(messages)
    assert_as_stored(g, messages, ("a", "b"))


@pytest.mark.parametrize("size", [50, 2000, 20000])
def test_a_server_that_closes_after_some_bytes(size, fake, nats, on_bus, senders):
    """Every connection breaks in the middle: what was acknowledged counts, the rest is 500, and the real one heals it."""
    real = nats()
    real.stop()
    acked = []

    def ack(n):
        acked.append(n)
        return b'{"stream":"default","seq":%d}' % n

    server = fake(ack, port=real.port, max_bytes=size)
    g = on_bus(real.url, events={"a": "spool", "b": "bus"}).start()
    load = senders(g.port, ("a", "b"), each=4)
    load.wait_for(500, more=50)
    load.wait_for(200, more=50)
    server.close()
    before = len(load.answers)
    real = real.restart()
    wait_until(lambda: any(a.route == "b" and a.status == 200 for a in load.answers[before:]), "the bus takes events again")
    load.stop()
    g.drain()
    assert_answers(load)
    assert {a.status for a in load.answers if a.route == "a"} == {200}
    told = sum(a.route == "b" and a.status == 200 for a in load.answers[:before])
    assert told <= len(acked), "more answers 200 than acks"
