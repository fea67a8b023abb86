"""Clients that are slow, silent, or many: each limit of `spec.holdfast.limits` holds, and everyone else is served."""

import json
import os
import re
import resource
import select
import socket
import time

import pytest
import requests
from conftest import wait_until
from rawhttp import POST, Peer, chunk, request

HEALTH = request(method=b"GET", path=b"/health", body=b"", length=b"")


@pytest.fixture
def served(gateway):
    def start(limits, **options):
        return gateway(holdfast="    limits: {%s}\n" % limits).start(**options)

    return start


@pytest.fixture
def many_files():
    """As many descriptors as this user may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    if before[1] < 4096:
        pytest.skip("fewer than 4096 descriptors")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def is_served(g):
    with Peer(g.port) as p:
        p.send(request(body=b'"served"'))
        answer = p.answer()
        return answer is not None and answer[0] == 200


def dribble(p, first, piece, every_s=0.02):
    """Sends `first`, then a piece now and then, until there is an answer or the end; how long that took."""
    start = time.monotonic()
    p.send(first)
    while not select.select([p.socket], [], [], every_s)[0]:
        p.send(piece)
        assert time.monotonic() - start < 60, "nobody stops it"
    return time.monotonic() - start


# What stands still, and what comes a byte at a time: the header's time counts from the first byte, the body's from the header's end.
SLOW = [
    # name, first, then now and then, the answer
    ("header", b"POST", None, b"408 Request Timeout: send the header faster"),
    ("header without its last byte", request()[:-3], None, b"408 Request Timeout: send the header faster"),
    ("header byte by byte", b"POST /hook HTTP/1.1\r\nX: ", b"x", b"408 Request Timeout: send the header faster"),
    ("header field by field", b"POST /hook HTTP/1.1\r\n", b"X: x\r\n", b"408 Request Timeout: send the header faster"),
    ("body", POST + b"10\r\n\r\n", None, b"408 Request Timeout: send the body faster"),
    ("body byte by byte", POST + b"10000\r\n\r\n", b" ", b"408 Request Timeout: send the body faster"),
    ("body chunk by chunk", request(body=b"", length=b"Transfer-Encoding: chunked\r\n"), chunk(b" "),
     b"408 Request Timeout: send the body faster"),
    ("trailer", request(body=b"2\r\n{}\r\n0\r\n", length=b"Transfer-Encoding: chunked\r\n"), b"X: y\r\n",
     b"408 Request Timeout: send the body faster"),
    ("100 Continue without a body", request(fields=b"Expect: 100-continue\r\n", body=b"", length=b"Content-Length: 2\r\n"), None,
     b"408 Request Timeout: send the body faster"),
]


@pytest.mark.parametrize("name, first, piece, text", SLOW, ids=[row[0] for row in SLOW])
def test_slow_senders_are_told_so_in_time(served, name, first, piece, text):
    g = served("headerTimeout: 300ms, bodyTimeout: 300ms")
    with Peer(g.port) as p:
        start = time.monotonic()
        if piece:
            dribble(p, first, piece)
        else:
            p.send(first)
        begun = time.monotonic()
        assert is_served(g)
        served_s = time.monotonic() - begun  # as long as its disk takes
        status, fields, body = p.answer()
        if status == 100:
            status, fields, body = p.answer()
        took = time.monotonic() - start
        assert (status, body, fields["connection"]) == (408, text, "close")
        assert 0.15 < took < 9 + served_s  # it is 10 s and 30 s when nothing is said
        p.end()
        p.gone()
    assert [json.loads(event)["body"] for event in g.events()] == ["served"]


def test_a_dribbled_body_that_nobody_wants_ends_too(served):
    g = served("bodyTimeout: 300ms")
    with Peer(g.port) as p:
        p.send(request(path=b"/none", length=b"Content-Length: 9999\r\n", body=b""))
        assert p.answer()[0] == 404
        assert dribble(p, b"", b"x") < 25  # it is 30 s when nothing is said
        p.gone()


def test_idle_connections_are_closed_without_a_word(served):
    g = served("idleTimeout: 1s, headerTimeout: 10s")
    silent, used = Peer(g.port), Peer(g.port)
    used.send(HEALTH)
    assert used.answer()[0] == 200
    for p in (silent, used):
        assert p.ended()


def test_who_does_not_read_the_answers_is_cut_and_costs_little(served):
    g = served("writeTimeout: 500ms, loops: 1")
    assert is_served(g)
    before = g.process.memory_kib()
    p = Peer(g.port)
    p.socket.setblocking(False)
    poll = select.poll()
    poll.register(p.socket, select.POLLOUT)
    peak, cut, end = before, False, time.monotonic() + 60
    while not cut and time.monotonic() < end:
        try:
            poll.poll(50)
            p.socket.send(HEALTH * 200)
        except BlockingIOError:
            assert is_served(g)  # nothing more fits: the server has stopped reading this one
        except ConnectionError:
            cut = True
        peak = max(peak, g.process.memory_kib())
    assert cut and is_served(g)
    if "san/" not in g.process.command[0]:  # sanitizers have memory of their own
        assert peak - before < 2048, (before, peak)


# ---- many ---------------------------------------------------------------------------------------------------------------


def open_files(g):
    return len(os.listdir(f"/proc/{g.process.pid}/fd"))


@pytest.mark.parametrize("what, first, bound", [("silent", b"", 2.0), ("in a header", b"POST /hook HTTP/1.1\r\nX: " + b"x" * 200, 3.0)],
                         ids=["silent", "header"])
def test_1000_idle_connections_cost_little_and_delay_nobody(served, many_files, record_property, what, first, bound):
    g = served("headerTimeout: 5m, idleTimeout: 5m")
    for _ in range(50):
        assert is_served(g)
    before = g.process.memory_kib()
    idle = [Peer(g.port) for _ in range(1000)]
    for p in idle:
        p.send(first)
    wait_until(lambda: open_files(g) >= 1000, "all are accepted")
    start = time.monotonic()
    for _ in range(50):
        assert is_served(g)
    took = time.monotonic() - start
    each = (g.process.memory_kib() - before) / 1000
    record_property("kib_per_idle_connection", each)
    print(f"{each:.2f} KiB per connection that is {what}; 50 requests beside them in {took:.3f} s")
    if "san/" not in g.process.command[0]:  # sanitizers have memory of their own
        assert each < bound
    for p in idle:
        p.close()
    wait_until(lambda: open_files(g) < 100, "all are closed")


def refused(g, **options):
    try:
        with Peer(g.port, **options) as p:
            p.send(HEALTH)
            return p.answer() is None
    except ConnectionError:
        return True


@pytest.mark.parametrize("loops", [1, 4])
def test_connections_beyond_the_limit_are_closed_at_once(served, loops):
    g = served(f"connections: 8, loops: {loops}")
    held = [Peer(g.port) for _ in range(8)]
    for p in held:
        p.send(HEALTH)
        assert p.answer()[0] == 200
    for _ in range(20):
        assert refused(g)
    held[3].close()
    wait_until(lambda: not refused(g), "the free place is given")
    for p in held[:3] + held[4:]:
        p.send(HEALTH)
        assert p.answer()[0] == 200


@pytest.mark.parametrize("loops", [1, 4])
def test_one_address_has_its_own_limit(served, loops):
    g = served(f"connectionsPerAddress: 3, loops: {loops}")
    held = [Peer(g.port) for _ in range(3)]
    for p in held:
        p.send(HEALTH)
        assert p.answer()[0] == 200
    for _ in range(20):
        assert refused(g)
    assert not refused(g, source="127.0.0.2")
    held.pop().close()
    wait_until(lambda: not refused(g), "the free place is given")


def test_without_descriptors_the_gateway_waits_for_better_times(served):
    g = served("", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    held = []
    for _ in range(100):
        try:
            held.append(Peer(g.port))
        except ConnectionError:
            pass
    for p in held:
        p.close()
    wait_until(lambda: is_served(g), "served again")
    assert g.process.running()


def test_a_crowd_leaves_descriptors_for_the_probes(served):
    g = served("", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300)))
    held = [Peer(g.port) for _ in range(300)]
    wait_until(lambda: any(select.select([p.socket for p in held], [], [], 0)[0]), "some are closed")
    assert requests.get(g.admin + "/readyz", timeout=90).status_code == 200
    for p in held:
        p.close()


# ---- memory -------------------------------------------------------------------------------------------------------------


def body_status(g, body):
    with Peer(g.port) as p:
        p.send(request(body=body))
        return p.answer()


def held(g):
    """Bytes of bodies in memory."""
    text = requests.get(g.admin + "/metrics", timeout=90).text
    return int(re.search(r"^holdfast_gateway_body_memory_bytes (\d+)", text, re.M)[1])


def test_bodies_beyond_the_memory_are_refused_for_a_while(served):
    g = served("bodyMemory: 1Mi")
    body = b'"' + b"x" * 700_000 + b'"'
    with Peer(g.port) as p:
        p.send(POST + b"%d\r\n\r\n" % len(body), body[:-1])  # all but the last byte
        wait_until(lambda: held(g) >= len(body), "it has come")
        status, fields, text = body_status(g, body)
        assert status == 503
        assert int(fields["retry-after"]) >= 1 and b"too many requests are in flight" in text
        p.send(body[-1:])
        assert p.answer()[0] == 200
    wait_until(lambda: body_status(g, body)[0] == 200, "memory is free again")


def test_a_body_of_unknown_length_counts_as_it_comes(served):
    g = served("bodyMemory: 1Mi")
    body = b'"' + b"x" * 700_000 + b'"'
    head = request(length=b"Transfer-Encoding: chunked\r\n", body=b"")
    with Peer(g.port) as p, Peer(g.port) as other:
        p.send(head, chunk(body))  # all but its end
        wait_until(lambda: held(g) >= len(body), "it has come")
        try:
            other.send(head, chunk(body))
        except ConnectionError:
            pass  # refused on the way
        assert other.answer()[0] == 503
        p.send(b"0\r\n\r\n")
        assert p.answer()[0] == 200
    wait_until(lambda: held(g) == 0, "memory is free again")


def test_a_body_that_does_not_fit_is_refused_before_it_is_sent(served):
    g = served("bodyMemory: 1Mi")
    body = b'"' + b"x" * 700_000 + b'"'
    with Peer(g.port) as p, Peer(g.port) as other:
        p.send(POST + b"%d\r\n\r\n" % len(body), body[:-1])
        wait_until(lambda: held(g) >= len(body), "it has come")
        other.send(POST + b"%d\r\nExpect: 100-continue\r\n\r\n" % len(body))
        assert other.answer()[0] == 503


def test_who_announces_a_body_and_sends_none_takes_no_memory(served):
    g = served("bodyMemory: 1Mi")
    liars = [Peer(g.port) for _ in range(20)]
    for p in liars:
        p.send(POST + b"1000000\r\n\r\n", b'"x')
    p.send(b"x")
    assert all(body_status(g, b'"' + b"x" * 100_000 + b'"')[0] == 200 for _ in range(10))


def test_many_large_bodies_at_once_stay_within_the_memory(served):
    g = served("bodyMemory: 4Mi")
    body = b'"' + b"x" * 900_000 + b'"'
    peers = [Peer(g.port) for _ in range(40)]
    before, answers = g.process.memory_kib(), []
    for p in peers:
        try:
            p.send(POST + b"%d\r\n\r\n" % len(body), body[:-1])
        except ConnectionError:
            pass  # refused on the way
    peak = g.process.memory_kib()
    for p in peers:
        try:
            p.send(body[-1:])
            answers.append(p.answer()[0])
        except (ConnectionError, TypeError, socket.timeout):
            answers.append(None)
    assert answers.count(200) >= 1 and set(answers) <= {200, 503, None}, answers
    if "san/" not in g.process.command[0]:  # sanitizers have memory of their own
        assert peak - before < 24 * 1024, (before, peak)
    wait_until(lambda: body_status(g, body)[0] == 200, "memory is free again")
    assert len(g.events()) == answers.count(200) + 1


def test_a_body_takes_no_more_memory_than_it_has(served):
    """Its buffer has room for twice as much."""
    g = served("bodyMemory: 2Mi")
    body = b'"' + b"x" * 530_000 + b'"'
    peers = [Peer(g.port) for _ in range(3)]
    for p in peers:
        p.send(POST + b"%d\r\n\r\n" % len(body), body[:-1])
    wait_until(lambda: held(g) >= 3 * len(body) - 1000, "they have come")
    for p in peers:
        p.send(body[-1:])
    assert [p.answer()[0] for p in peers] == [200] * 3


def test_a_body_that_is_refused_may_be_sent_to_its_end(gateway):
    """As nginx sends it, which otherwise answers 502 in our place."""
    g = gateway().start()
    with Peer(g.port) as p:
        p.send(POST + b"%d\r\n\r\n" % (16 << 20), b" " * (16 << 20))
        assert p.answer()[0] == 413
