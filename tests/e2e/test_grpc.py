"""gRPC against peers that are not ours: python3-grpcio in both roles, curl and nghttp for framing, python3-h2 and raw frames for
what no decent peer sends. The service and the client of ours are tests/tools/rpctest, built on src/rpc.
"""

import contextlib
import os
import queue
import re
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from conftest import HOLDFAST, wait_until
from pki import Authority
from rawh2 import (CONTINUATION, DATA, GOAWAY, HEAD, HEADERS, HELLO, PING, PREFACE, PRIORITY, PUSH, RST, SETTINGS, WINDOW, Raw, RawServer, frame,
                   head_of, literal, message)

RPCTEST = os.environ.get("RPCTEST_BIN", str(Path(HOLDFAST).parents[2] / "tests/tools/rpctest"))
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
BIG = bytes(range(256)) * 20000  # 5 MB
CALM, PROTOCOL = 11, 1


class Server:
    """`rpctest server`; its lines in order, and its counters."""

    def __init__(self, *options):
        self.child = subprocess.Popen([RPCTEST, "server", *options], stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline().split()[1])
        self.kept = []  # lines that came between the metrics

    def line(self):
        if self.kept:
            return self.kept.pop(0)
        return self._read()

    def _read(self):
        line = self.child.stdout.readline()
        assert line, f"the server ended with {self.child.wait(60)}"
        return line.rstrip("\n")

    def send(self, number):
        self.child.send_signal(number)

    @contextlib.contextmanager
    def asked(self, number):
        """The thread sanitizer may keep a signal back that comes just before a wait; to be stopped and continued ends the wait."""
        nudge = threading.Timer(10, lambda: (self.send(signal.SIGSTOP), self.send(signal.SIGCONT)))
        nudge.start()
        self.send(number)
        try:
            yield
        finally:
            nudge.cancel()

    def metrics(self):
        """{name{labels}: value} of all counters that are not 0."""
        found = {}
        with self.asked(signal.SIGUSR1):
            while (line := self._read()) != ".":
                if line.startswith("holdfast_rpc_"):
                    name, value = line.rsplit(" ", 1)
                    if value != "0":
                        found[name] = int(value)
                elif not line.startswith(("#", "grpc_")):
                    self.kept.append(line)
        return found

    def ended(self, reason):
        return self.metrics().get(f'holdfast_rpc_connections_ended_total{{side="server",reason="{reason}"}}', 0)

    def open_connections(self):
        return self.metrics().get('holdfast_rpc_connections{side="server"}', 0)

    def stop(self, number=signal.SIGTERM):
        with self.asked(number):
            text = "".join(line + "\n" for line in self.kept) + self.child.stdout.read()
        assert self.child.wait(60) == 0, text
        return text


@pytest.fixture
def serve():
    """serve(options...): a Server; at the end it stops cleanly."""
    started = []

    def start(*options):
        started.append(Server(*options))
        return started[-1]

    yield start
    for server in started:
        if server.child.poll() is None:
            server.stop(signal.SIGINT)


def same(data):
    return data


class Stub:
    """A grpcio channel with the methods of test.Echo, in raw bytes."""

    def __init__(self, target, credentials=None, options=()):
        options = [*ANY_SIZE, *options]
        self.channel = grpc.secure_channel(target, credentials, options) if credentials else \
            grpc.insecure_channel(target, options)

    def unary(self, method, path="/test.Echo/"):
        return self.channel.unary_unary(path + method, same, same)

    def bidi(self, method, path="/test.Echo/"):
        return self.channel.stream_stream(path + method, same, same)

    def close(self):
        self.channel.close()


@pytest.fixture
def stub():
    """stub(server, ...): a Stub of it."""
    made = []

    def make(server, credentials=None, host="127.0.0.1", options=()):
        made.append(Stub(f"{host}:{server.port}", credentials, options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def failure(call, *args, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, timeout=options.pop("timeout", 60), **options)
    return caught.value.code().name, caught.value.details()


def ended_as(call):
    """The name of the code with which it ends now."""
    try:
        call(b"", timeout=60)
        return "OK"
    except grpc.RpcError as e:
        return e.code().name


# -- our server, their client ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("message", [b"hello", b"", BIG], ids=["small", "empty", "5 MB"])
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["plain", "gzip"])
def test_a_message_comes_back(serve, stub, message, compression):
    assert stub(serve()).unary("Unary")(message, timeout=60, compression=compression) == message


def test_metadata_goes_both_ways_and_binary_values_are_bytes(serve, stub):
    sent = (("x-text", "a, b"), ("x-twice", "1"), ("x-twice", "2"), ("x-raw-bin", b"\0\xff,\n"), ("x-empty-bin", b""))
    answer, call = stub(serve()).unary("Unary").with_call(b"", metadata=sent, timeout=60)
    assert answer == b""
    assert tuple((m.key, m.value) for m in call.initial_metadata() if m.key.startswith("x-")) == sent
    assert tuple((m.key, m.value) for m in call.trailing_metadata()) == sent


CODES = [code for code in grpc.StatusCode if code != grpc.StatusCode.OK]


def test_each_code_comes_with_its_text(serve, stub):
    call = stub(serve()).unary("Fail")
    for code in CODES:
        text = f"100 % of {code.name}: é\n\t\u2028"
        assert failure(call, f"{code.value[0]} {text}".encode()) == (code.name, text)


def test_streams(serve, stub):
    server = stub(serve())
    collect = server.channel.stream_unary("/test.Echo/Collect", same, same)
    expand = server.channel.unary_stream("/test.Echo/Expand", same, same)
    assert collect(iter(b"a" * n for n in range(1000)), timeout=60) == b"1000 499500"
    assert collect(iter(()), timeout=60) == b"0 0"
    assert [len(m) for m in expand(b"200 100000", timeout=60)] == [100000] * 200


def test_bidi_ping_pong(serve, stub):
    ask = queue.Queue()
    answers = stub(serve()).bidi("Bidi")(iter(ask.get, None), timeout=60)
    for i in range(300):
        ask.put(b"%d" % i)
        assert next(answers) == b"%d" % i
    ask.put(None)
    assert list(answers) == [] and answers.code() is grpc.StatusCode.OK


def test_bidi_with_more_than_the_queues_hold(serve, stub):
    sent = [bytes([i % 256]) * 50000 for i in range(300)]
    assert list(stub(serve()).bidi("Bidi")(iter(sent), timeout=60)) == sent


def test_a_deadline_ends_the_call_on_both_sides(serve, stub):
    server = serve()
    call = stub(server).unary("Hang")

    def exceeded():
        """A client that is slow may be late before it has sent anything."""
        assert failure(call, b"", timeout=0.3)[0] == "DEADLINE_EXCEEDED"
        return server.metrics().get('holdfast_rpc_messages_total{side="server",direction="received"}')

    wait_until(exceeded, "a call that came to the server")
    assert server.line() == "cancelled /test.Echo/Hang"


def test_a_cancel_reaches_the_handler(serve, stub):
    server = serve()
    call = stub(server).unary("Hang").future(b"")
    wait_until(lambda: server.metrics().get('holdfast_rpc_messages_total{side="server",direction="received"}'), "the message")
    call.cancel()
    assert server.line() == "cancelled /test.Echo/Hang"


def test_what_is_not_served_is_unimplemented(serve, stub):
    client = stub(serve())
    assert failure(client.unary("Nothing"), b"") == ("UNIMPLEMENTED", "unknown method")
    assert failure(client.unary("Method", "/no.Service/"), b"") == ("UNIMPLEMENTED", "unknown method")
    assert failure(client.unary("Unary"), b"x" * 1000, compression=grpc.Compression.Deflate) == \
        ("UNIMPLEMENTED", "grpc-encoding is not supported")
    assert client.unary("Unary")(b"still here", timeout=60) == b"still here"


def test_a_message_over_the_limit_ends_its_call_only(serve, stub):
    client = stub(serve("message_max=100000"))
    assert client.unary("Unary")(b"x" * 100000, timeout=60) == b"x" * 100000
    assert failure(client.unary("Unary"), b"x" * 100001)[0] == "RESOURCE_EXHAUSTED"
    # A bomb: 100 MB of zeros are 100 KB of gzip.
    assert failure(client.unary("Unary"), bytes(90 << 20), compression=grpc.Compression.Gzip)[0] == "RESOURCE_EXHAUSTED"
    assert client.unary("Unary")(b"still here", timeout=60) == b"still here"


def test_one_stalled_stream_holds_no_other(serve, stub):
    client = stub(serve())
    over = threading.Event()

    def flood():
        for _ in range(200):
            yield b"s" * 20000
        over.wait(60)

    stalled = [client.bidi("Stall")(flood()) for _ in range(8)]
    assert [len(next(s)) for s in stalled] == [20000] * 8
    for _ in range(3):
        assert client.unary("Unary")(BIG, timeout=60) == BIG
    over.set()
    for s in stalled:
        s.cancel()


def test_a_reader_that_stalls_holds_no_other(serve, stub):
    client = stub(serve())
    slow = client.channel.unary_stream("/test.Echo/Expand", same, same)(b"100000 10000", timeout=60)
    assert len(next(slow)) == 10000
    assert client.unary("Unary")(BIG, timeout=60) == BIG
    slow.cancel()


def test_health_check_and_watch(serve, stub):
    server = serve()
    client = stub(server)
    check = client.unary("Check", "/grpc.health.v1.Health/")
    watch = client.channel.unary_stream("/grpc.health.v1.Health/Watch", same, same)
    assert check(b"", timeout=60) == b"\x08\x01"
    assert failure(check, b"\x0a\x04none") == ("NOT_FOUND", "unknown service")
    unknown = watch(b"\x0a\x04none", timeout=60)
    whole = watch(b"", timeout=60)
    assert next(unknown) == b"\x08\x03" and next(whole) == b"\x08\x01"
    with server.asked(signal.SIGUSR2):
        changed = next(whole)
    assert changed == b"\x08\x02" and check(b"", timeout=60) == b"\x08\x02"


def field(number, data):
    """A protobuf field of bytes shorter than 128."""
    return bytes([number << 3 | 2, len(data)]) + data


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection(serve, stub, version):
    ask = stub(serve()).bidi("ServerReflectionInfo", f"/grpc.reflection.{version}.ServerReflection/")
    questions = [field(7, b""), field(4, b"grpc.health.v1.Health"), field(4, b"grpc.health.v1.HealthCheckResponse.ServingStatus"),
                 field(3, b"grpc/health/v1/health.proto"), field(4, b"no.Such"), field(6, b"x"), b""]
    names, health, enum, file, unknown, extension, nothing = ask(iter(questions), timeout=60)
    for name in (b"test.Echo", b"grpc.health.v1.Health", b"grpc.reflection.v1.ServerReflection",
                 b"grpc.reflection.v1alpha.ServerReflection"):
        assert field(1, name) in names
    assert all(b"\x0a\x1bgrpc/health/v1/health.proto\x12\x0egrpc.health.v1" in a for a in (health, enum, file))
    assert b"\x08\x05" in unknown and b"\x08\x05" in extension and b"\x08\x03" in nothing


def test_descriptors_from_reflection_parse(serve, stub):
    descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2")
    ask = stub(serve()).bidi("ServerReflectionInfo", "/grpc.reflection.v1.ServerReflection/")
    (answer,) = ask(iter([field(4, b"grpc.reflection.v1.ServerReflection")]), timeout=60)
    start = answer.index(b"\x0a\x23grpc/reflection/v1/reflection.proto")
    file = descriptor_pb2.FileDescriptorProto.FromString(answer[start:])
    assert file.service[0].method[0].client_streaming and file.service[0].method[0].server_streaming


# -- TLS ---------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


def credentials(ca, pair=None):
    key, cert = (pair.key.read_bytes(), pair.cert.read_bytes()) if pair else (None, None)
    return grpc.ssl_channel_credentials(ca.cert.read_bytes(), key, cert)


def tls_options(ca, pair, clients=None):
    return [f"cert={pair.cert}", f"key={pair.key}", *([f"ca={ca.cert}", f"clients={clients}"] if clients else [])]


def test_a_client_certificate_is_named(serve, stub, ca):
    agent = ca.issue("agent-1", organizations=("ex, ample", "two"), uris=("spiffe://a/b", "urn:x"))
    server = serve(*tls_options(ca, ca.issue("server", hosts=("localhost",)), "required"))
    who = stub(server, credentials(ca, agent), "localhost").unary("Who")(b"", timeout=60).decode()
    assert who == f"127.0.0.1|CN=agent-1,O=ex\\, ample+O=two|agent-1|{agent.fingerprint}|spiffe://a/b urn:x"


def test_without_a_good_certificate_nobody_comes_in(serve, stub, ca, tmp_path):
    server = serve(*tls_options(ca, ca.issue("server", hosts=("localhost",)), "required"))
    other = Authority(tmp_path / "other")
    assert failure(stub(server, credentials(ca), "localhost").unary("Unary"), b"", timeout=60)[0] == "UNAVAILABLE"
    assert failure(stub(server, credentials(ca, other.issue("agent-1")), "localhost").unary("Unary"), b"", timeout=60)[0] == \
        "UNAVAILABLE"
    assert server.ended("tls") >= 2


def test_where_certificates_are_optional_a_bad_one_is_still_refused(serve, stub, ca, tmp_path):
    server = serve(*tls_options(ca, ca.issue("server", hosts=("localhost",)), "given"))
    other = Authority(tmp_path / "other")
    assert stub(server, credentials(ca), "localhost").unary("Who")(b"", timeout=60) == b"127.0.0.1||||"
    assert failure(stub(server, credentials(ca, other.issue("agent-1")), "localhost").unary("Unary"), b"", timeout=60)[0] == \
        "UNAVAILABLE"


def test_certificates_are_replaced_while_streams_run(serve, stub, ca):
    pair = ca.issue("server", hosts=("localhost",))
    server = serve(*tls_options(ca, pair))
    ask = queue.Queue()
    answers = stub(server, credentials(ca), "localhost").bidi("Bidi")(iter(ask.get, None), timeout=60)
    ask.put(b"before")
    assert next(answers) == b"before"
    fresh = ca.issue("server-2", hosts=("localhost",))
    pair.cert.write_bytes(fresh.cert.read_bytes())
    pair.key.write_bytes(fresh.key.read_bytes())
    with server.asked(signal.SIGHUP):
        assert server.line() == "reloaded"
    ask.put(b"after")
    assert next(answers) == b"after"
    shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-alpn", "h2"], input=b"",
                           capture_output=True, timeout=60).stdout
    assert re.search(rb"CN ?= ?server-2", shown) and b"ALPN protocol: h2" in shown
    ask.put(None)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_both_versions_of_tls_and_no_older_one(serve, ca, version):
    server = serve(*tls_options(ca, ca.issue("server", hosts=("localhost",))))

    def dial(*options):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", *options], input=b"",
                              capture_output=True, timeout=60).returncode

    assert dial(version, "-alpn", "h2") == 0
    assert dial("-tls1_1", "-alpn", "h2", "-cipher", "DEFAULT@SECLEVEL=0") != 0
    assert dial(version, "-alpn", "http/1.1") != 0


def test_a_client_whose_tcp_has_ended_is_told_the_end_too(serve, ca):
    """In TLS whoever ends its side says so (RFC 8446 6.1): else anybody could have cut it off."""
    server = serve(*tls_options(ca, ca.issue("server", hosts=("localhost",))))
    context = ssl.create_default_context(cafile=ca.cert)
    context.set_alpn_protocols(["h2"])
    raw = Raw(server, tls=context)
    raw.until(lambda kind, *_: kind == SETTINGS)
    raw.sock.suppress_ragged_eofs = False
    socket.socket.shutdown(raw.sock, socket.SHUT_WR)
    assert goaway_of(raw.until_end()) == 0


# -- the end of a server -----------------------------------------------------------------------------------------------

def test_a_drain_lets_streams_end_and_takes_no_new_calls(serve, stub):
    server = serve()
    client = stub(server)
    ask = queue.Queue()
    answers = client.bidi("Bidi")(iter(ask.get, None), timeout=60)
    ask.put(b"1")
    assert next(answers) == b"1"
    server.send(signal.SIGTERM)
    wait_until(lambda: ended_as(client.unary("Unary")) == "UNAVAILABLE", "the drain")
    ask.put(b"2")
    assert next(answers) == b"2"
    ask.put(None)
    assert list(answers) == [] and answers.code() is grpc.StatusCode.OK
    assert server.child.wait(60) == 0


def test_a_hard_stop_cancels(serve, stub):
    server = serve()
    call = stub(server).unary("Hang").future(b"")
    wait_until(lambda: server.metrics().get('holdfast_rpc_messages_total{side="server",direction="received"}'), "the message")
    text = server.stop(signal.SIGINT)
    assert text.startswith("cancelled /test.Echo/Hang\n")
    assert call.exception(60).code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


# -- our client, their server ------------------------------------------------------------------------------------------

class Client:
    """`rpctest client`: commands in, events out."""

    def __init__(self, port, *options, host="127.0.0.1"):
        self.child = subprocess.Popen([RPCTEST, "client", host, str(port), *options], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, bufsize=1)

    def tell(self, *lines):
        self.child.stdin.write("".join(line + "\n" for line in lines))
        self.child.stdin.flush()

    def line(self):
        line = self.child.stdout.readline()
        assert line, f"the client ended with {self.child.wait(60)}"
        return line.rstrip("\n")

    def lines(self, n):
        return [self.line() for _ in range(n)]

    def connect(self):
        self.tell("connect")
        assert self.line() == "up"
        return self

    def close(self):
        self.child.stdin.close()
        text = self.child.stdout.read()
        assert self.child.wait(60) == 0 and text.endswith("closed\n"), text


@pytest.fixture
def dial():
    """dial(port, options...): a Client; at the end it closes cleanly."""
    made = []

    def make(*args, **options):
        made.append(Client(*args, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


class Peer(grpc.GenericRpcHandler):
    """A service of grpcio, in raw bytes: what a path does stands in `handlers`."""

    def __init__(self, handlers):
        self.handlers = handlers

    def service(self, details):
        return self.handlers.get(details.method.rsplit("/", 1)[1])


def peer_echo(request, context):
    sent = tuple((m.key, m.value) for m in context.invocation_metadata() if m.key.startswith("x-"))
    context.send_initial_metadata(sent)
    context.set_trailing_metadata(sent)
    return request


def peer_fail(request, context):
    code, text = request.decode().split(" ", 1)
    context.abort(next(c for c in grpc.StatusCode if c.value[0] == int(code)), text)


def peer_gzip(request, context):
    context.set_compression(grpc.Compression.Gzip)
    return request * 1000


def peer_hang(request, context):
    over = threading.Event()
    context.add_callback(over.set)
    over.wait(60)
    return request


def peer_bidi(requests, context):
    yield from requests


def peer_many(request, context):
    for i in range(int(request)):
        yield b"%d" % i


def peer_collect(requests, context):
    return b"%d" % sum(len(r) for r in requests)


PEER = {
    "Echo": grpc.unary_unary_rpc_method_handler(peer_echo),
    "Fail": grpc.unary_unary_rpc_method_handler(peer_fail),
    "Gzip": grpc.unary_unary_rpc_method_handler(peer_gzip),
    "Hang": grpc.unary_unary_rpc_method_handler(peer_hang),
    "Bidi": grpc.stream_stream_rpc_method_handler(peer_bidi),
    "Many": grpc.unary_stream_rpc_method_handler(peer_many),
    "Collect": grpc.stream_unary_rpc_method_handler(peer_collect),
}


@pytest.fixture
def peer():
    """peer(credentials=None): (server, port) of grpcio."""
    started = []

    def start(credentials=None, options=()):
        server = grpc.server(futures.ThreadPoolExecutor(8), [Peer(PEER)], options=[*ANY_SIZE, ("grpc.so_reuseport", 0), *options])
        port = server.add_secure_port("127.0.0.1:0", credentials) if credentials else \
            server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append(server)
        return server, port

    yield start
    for server in started:
        server.stop(None).wait()


def test_our_client_calls_their_server(peer, dial):
    client = dial(peer()[1]).connect()
    client.tell("open 1 /a.B/Echo x-a:1 x-raw-bin:bytes", "send 1 hello", "half 1")
    assert client.lines(3) == ["1 headers x-a=1 x-raw-bin=bytes", "1 message 5 hello", "1 close OK  x-a=1 x-raw-bin=bytes"]
    client.tell("open 2 /a.B/Fail", "send 2 9 no: 100 % é", "half 2")
    assert client.line().rstrip() == "2 close FAILED_PRECONDITION no: 100 % é"
    client.tell("open 3 /a.B/None", "half 3")
    assert client.line().startswith("3 close UNIMPLEMENTED")
    client.tell("open 4 /a.B/Many", "send 4 3", "half 4")
    assert [line.rstrip() for line in client.lines(5)] == ["4 headers", "4 message 1 0", "4 message 1 1", "4 message 1 2", "4 close OK"]


def test_our_client_packs_and_unpacks(peer, dial):
    client = dial(peer()[1]).connect()
    client.tell("open 1 /a.B/Echo gzip=yes", "send 1 " + "long " * 200, "half 1", )
    assert client.lines(2)[1].startswith("1 message 1000 long long")
    assert client.line().startswith("1 close OK")
    client.tell("open 2 /a.B/Gzip", "send 2 abcdefghij", "half 2")
    assert client.lines(2)[1].startswith("2 message 10000 abcdefghijabc")


def test_our_client_keeps_deadlines_and_cancels(peer, dial):
    client = dial(peer()[1]).connect()
    client.tell("open 1 /a.B/Hang timeout=100", "send 1 x", "half 1")
    assert client.line().startswith("1 close DEADLINE_EXCEEDED")
    client.tell("open 2 /a.B/Bidi", "send 2 x")
    assert client.lines(2)[1] == "2 message 1 x"
    client.tell("cancel 2", "open 3 /a.B/Bidi", "send 3 y")
    assert client.lines(2)[1] == "3 message 1 y"


def test_our_client_waits_for_room_and_loses_nothing(peer, dial):
    client = dial(peer()[1]).connect()
    client.tell("open 1 /a.B/Collect", "fill 1 200 100000")
    while (line := client.line()) != "1 filled 0":
        assert line.startswith("1 busy ")
    client.tell("half 1")
    assert [line.rstrip() for line in client.lines(3)] == ["1 headers", "1 message 8 20000000", "1 close OK"]


def test_our_client_that_pauses_gets_everything_in_the_end(peer, dial):
    client = dial(peer()[1]).connect()
    client.tell("open 1 /a.B/Many", "pause 1", "send 1 1000", "half 1", "open 2 /a.B/Echo", "send 2 beside", "half 2")
    seen = []
    while not seen or not seen[-1].startswith("2 close OK"):
        seen.append(client.line())
    assert not [line for line in seen if line.startswith("1 message")]
    client.tell("resume 1")
    got = []
    while not got or not got[-1].startswith("1 close OK"):
        got.append(client.line())
    assert [line.split()[-1] for line in got if " message " in line] == [str(i) for i in range(1000)]


def test_our_client_hears_goaway(peer, dial):
    server, port = peer()
    client = dial(port).connect()
    client.tell("open 1 /a.B/Bidi", "send 1 x")
    assert client.lines(2)[1] == "1 message 1 x"
    server.stop(60)
    assert client.line() == "drain"
    client.tell("open 2 /a.B/Echo", "send 1 y")
    assert sorted(client.lines(2)) == ["1 message 1 y", "error unavailable"]
    client.tell("half 1")
    assert client.line().startswith("1 close OK")
    assert client.line().startswith("down unavailable")


def test_our_client_verifies_the_server(peer, dial, ca):
    pair = ca.issue("server", hosts=("localhost",))
    agent = ca.issue("agent-1")
    _, port = peer(grpc.ssl_server_credentials([(pair.key.read_bytes(), pair.cert.read_bytes())], ca.cert.read_bytes(), True))
    mine = [f"cert={agent.cert}", f"key={agent.key}"]
    good = dial(port, f"ca={ca.cert}", "name=localhost", *mine).connect()
    good.tell("open 1 /a.B/Echo", "send 1 hello", "half 1")
    assert good.lines(2)[1] == "1 message 5 hello"
    wrong_name = dial(port, f"ca={ca.cert}", "name=elsewhere", *mine)
    wrong_name.tell("connect")
    assert re.fullmatch(r"down unavailable 127.0.0.1 port \d+: TLS: hostname mismatch", wrong_name.line())
    stranger = dial(port, f"ca={agent.cert}", "name=localhost", *mine)
    stranger.tell("connect")
    assert re.search(r"TLS: .*(issuer certificate|self.signed)", stranger.line())
    dial(port, "insecure=yes", "name=elsewhere", *mine).connect()


def test_our_client_says_why_it_is_not_connected(dial, free_port):
    nobody = dial(free_port())
    nobody.tell("connect")
    assert re.fullmatch(r"down unavailable 127.0.0.1 port \d+: connection refused", nobody.line())
    nobody.tell("connect")
    assert nobody.line().startswith("down unavailable")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = dial(silent.getsockname()[1], "connect_ms=200")
        mute.tell("connect")
        assert mute.line().endswith("not connected in time")


ANSWER = literal(b":status", b"200") + literal(b"content-type", b"application/grpc")
DONE = literal(b"grpc-status", b"0")


@pytest.fixture
def raw_peer(dial):
    """raw_peer(options...): a client of ours that has opened a call, and its server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def make(*options):
            client = dial(listener.getsockname()[1], *options)
            client.tell("connect")
            raw = RawServer(listener)
            assert client.line() == "up"
            client.tell("open 1 /a.B/Echo", "half 1")
            raw.until(lambda kind, flags, stream, _: kind == DATA and stream == 1 and flags & 1)
            return client, raw

        yield make


def until_close(client):
    said = [client.line().rstrip()]
    while said[-1] and not said[-1].startswith("1 close"):
        said.append(client.line().rstrip())
    return said


def test_interim_answers_say_nothing_to_our_client_and_cost_it_nothing(raw_peer):
    """Any number may come; together these are more than the connection may hold."""
    client, raw = raw_peer("conn_memory=65536")
    field = b"\0\x03x-a\x7f\x81\x1e" + b"b" * 3968  # 4,000 bytes
    early = literal(b":status", b"103") + literal(b"grpc-status", b"16") + literal(b"grpc-encoding", b"zstd") + field
    raw.say(frame(HEADERS, 4, 1, early) * 100)
    raw.say(frame(HEADERS, 4, 1, ANSWER + literal(b"x-b", b"c")) + frame(DATA, 0, 1, message(b"hello")) + frame(HEADERS, 5, 1, DONE))
    assert until_close(client) == ["1 headers x-b=c", "1 message 5 hello", "1 close OK"]


@pytest.mark.parametrize("content", [b"text/html", b"application/grpc-web"])
def test_our_client_takes_no_other_content_for_grpc(raw_peer, content):
    client, raw = raw_peer()
    raw.say(frame(HEADERS, 4, 1, literal(b":status", b"200") + literal(b"content-type", content)) +
            frame(DATA, 0, 1, message(b"hello")) + frame(HEADERS, 5, 1, DONE))
    assert until_close(client) == ["1 close UNKNOWN the answer is not gRPC"]


def test_our_client_does_not_take_half_a_message_for_an_answer(raw_peer):
    client, raw = raw_peer()
    raw.say(frame(HEADERS, 4, 1, ANSWER) + frame(DATA, 0, 1, message(b"hello")[:-1]) + frame(HEADERS, 5, 1, DONE))
    assert until_close(client) == ["1 headers", "1 close INTERNAL the stream ends inside a message"]


def test_our_client_pings_a_silent_server(serve, dial):
    server = serve("keepalive_ms=0")
    client = dial(server.port, "keepalive_ms=100", "keepalive_timeout_ms=3000").connect()
    client.tell("open 1 /test.Echo/Bidi", "send 1 x")
    assert client.lines(2)[1] == "1 message 1 x"
    server.send(signal.SIGSTOP)
    assert client.line() == "1 close UNAVAILABLE the peer does not answer pings"
    assert client.line().endswith("the peer does not answer pings")
    server.send(signal.SIGCONT)


def test_both_ends_ours_with_mutual_tls_and_a_reload(serve, dial, ca):
    server = serve(*tls_options(ca, ca.issue("server", hosts=("localhost",)), "required"))
    agent = ca.issue("agent-7")
    client = dial(server.port, f"ca={ca.cert}", f"cert={agent.cert}", f"key={agent.key}", "name=localhost").connect()
    client.tell("reload", "open 1 /test.Echo/Who", "send 1 x", "half 1")
    assert client.line() == "reloaded"
    assert client.lines(2)[1].startswith("1 message") and client.line().startswith("1 close OK")


# -- framing, by hand --------------------------------------------------------------------------------------------------

def test_curl_sees_the_frames_of_grpc(serve, tmp_path):
    server = serve()
    (tmp_path / "in").write_bytes(b"\0\0\0\0\2hi")

    def curl(*options, content="application/grpc", path="/test.Echo/Unary"):
        out = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--raw", "-D", "-", "-o", str(tmp_path / "out"), "-H", "te: trailers",
                              "-H", "content-type: " + content, *options, f"http://127.0.0.1:{server.port}{path}"],
                             capture_output=True, timeout=60)
        assert out.returncode == 0, (out.stdout, out.stderr)
        return out.stdout.decode().replace("\r", "")

    head = curl("--data-binary", f"@{tmp_path}/in")
    assert (tmp_path / "out").read_bytes() == b"\0\0\0\0\2hi"
    assert head.startswith("HTTP/2 200 \ncontent-type: application/grpc\n") and head.endswith("\ngrpc-status: 0\n")
    assert "HTTP/2 415" in curl("-X", "POST", content="application/json")
    assert "HTTP/2 415" in curl("-X", "POST", content="application/grpcx")
    assert "HTTP/2 405" in curl("-X", "PUT")
    assert "grpc-status: 12" in curl("-X", "POST", path="/nothing")
    assert "grpc-status: 13" in curl("-X", "POST", "-H", "grpc-timeout: 5x")
    assert "grpc-status: 13" in curl("-X", "POST", "-H", "x-raw-bin: !")
    assert "grpc-message: no message" in curl("-X", "POST")
    assert "grpc-message: a packed message without grpc-encoding" in curl("--data-binary", "\x01....")
    (tmp_path / "in").write_bytes(b"\0\0\0\0\3hi")
    assert "grpc-message: the stream ends inside a message" in curl("--data-binary", f"@{tmp_path}/in")


def is_pong(kind, flags, stream, body):
    return kind == PING and flags & 1


def goaway_of(frames):
    codes = [int.from_bytes(body[4:8], "big") for kind, _, _, body in frames if kind == GOAWAY]
    return codes[-1] if codes else None


def heads(flags=5, first=1, count=1):
    return b"".join(frame(HEADERS, flags, stream, HEAD) for stream in range(first, first + 2 * count, 2))


# What a hostile peer says, the reason that is counted, the error code in GOAWAY.
HOSTILE = {
    "rapid reset": (b"".join(heads(first=i) + frame(RST, 0, i, b"\0\0\0\x08") for i in range(1, 4003, 2)), "resets", CALM),
    "resets that it makes us do": (b"".join(heads(flags=4, first=i) + frame(WINDOW, 0, i, b"\x7f\xff\xff\xff") for i in range(1, 4003, 2)), "resets", CALM),
    "PING flood": (frame(PING, 0, 0, b"12345678") * 1500, "pings", CALM),
    "SETTINGS flood": (frame(SETTINGS, 0, 0, b"\0\4\0\1\0\0") * 300, "settings", CALM),
    "empty DATA flood": (heads(flags=4) + frame(DATA, 0, 1) * 11000, "empties", CALM),
    "PRIORITY flood": (frame(PRIORITY, 0, 3, b"\0\0\0\1\0") * 11000, "empties", CALM),
    "CONTINUATION flood": (frame(HEADERS, 1, 1, HEAD) + frame(CONTINUATION, 0, 1, literal(b"x-a", b"b")) * 100, "continuations", None),
    "a header list far too long": (frame(HEADERS, 1, 1, HEAD + b"\x40\x03x-a\x7f\x81\x1e" + b"b" * 4000) +
                                   frame(CONTINUATION, 4, 1, b"\xbe" * 15000), "headers", CALM),
    "bad HPACK": (frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff"), "protocol", 9),
    "window update of 0 on the connection": (frame(WINDOW, 0, 0, b"\0\0\0\0"), "protocol", PROTOCOL),
    "window overflow": (frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 2, "protocol", 3),
    "SETTINGS with a bad length": (frame(SETTINGS, 0, 0, b"\0\4\0\1"), "protocol", 6),
    "SETTINGS with a bad window": (frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff"), "protocol", 3),
    "a frame over the maximum": (frame(DATA, 0, 1, bytes(16385)), "protocol", 6),
    "DATA on stream 0": (frame(DATA, 0, 0, b"x"), "protocol", PROTOCOL),
    "DATA on an idle stream": (frame(DATA, 0, 7, b"x"), "protocol", PROTOCOL),
    "a stream of even number": (heads(first=2), "protocol", PROTOCOL),
    "CONTINUATION alone": (frame(CONTINUATION, 4, 1, HEAD), "protocol", PROTOCOL),
    "HEADERS inside a header block": (frame(HEADERS, 1, 1, HEAD) + heads(first=3), "protocol", PROTOCOL),
    "padding longer than the frame": (heads(flags=4) + frame(DATA, 8, 1, b"\xff"), "protocol", PROTOCOL),
    "PUSH_PROMISE from a client": (heads(flags=4) + frame(PUSH, 4, 1, b"\0\0\0\2" + HEAD), "protocol", PROTOCOL),
    "PING of 7 bytes": (frame(PING, 0, 0, b"1234567"), "protocol", 6),
    "RST of an idle stream": (frame(RST, 0, 9, b"\0\0\0\0"), "protocol", PROTOCOL),
}


@pytest.fixture(scope="module")
def hardened():
    server = Server()
    yield server
    server.stop(signal.SIGINT)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_frames_end_their_connection_and_no_other(hardened, stub, name):
    said, reason, code = HOSTILE[name]
    beside = stub(hardened)
    assert beside.unary("Unary")(b"a", timeout=60) == b"a"
    before = hardened.ended(reason)
    raw = Raw(hardened)
    raw.say(said)
    frames = raw.until_end()
    assert code is None or goaway_of(frames) == code
    assert hardened.ended(reason) == before + 1
    assert beside.unary("Unary")(b"b", timeout=60) == b"b"


@pytest.mark.parametrize("hello", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", PREFACE[:-1] + b"x", b"\x16\x03\x01\x02\x00\x01\x00",
                                   PREFACE + frame(PING, 0, 0, b"12345678")],
                         ids=["HTTP/1.1", "bad preface", "TLS", "no SETTINGS"])
def test_what_is_no_http2_is_ended(hardened, hello):
    before = hardened.ended("protocol")
    Raw(hardened, hello).until_end()
    assert hardened.ended("protocol") == before + 1


def test_streams_beyond_the_limit_are_refused_and_the_others_live(serve):
    server = serve("streams_max=10")
    raw = Raw(server)
    raw.say(heads(count=15))
    refused = [s for kind, _, s, body in raw.until(lambda kind, _, s, __: kind == RST and s == 29) if body == b"\0\0\0\7"]
    assert refused == [21, 23, 25, 27, 29]
    assert server.open_connections() == 1


def test_a_header_list_over_the_limit_ends_its_call_only(serve, stub):
    server = serve()
    client = stub(server)
    assert failure(client.unary("Unary"), b"", metadata=[("x-long", "a" * 20000)]) == \
        ("RESOURCE_EXHAUSTED", "the header list is over the limit")
    assert client.unary("Unary")(b"x", timeout=60) == b"x"
    assert server.metrics()['holdfast_rpc_connections_total{side="server"}'] == 1


SLOW = {
    "no preface": ("handshake_ms=200", b"", "handshake_time"),
    "half a preface": ("handshake_ms=200", PREFACE[:10], "handshake_time"),
    "no SETTINGS": ("handshake_ms=200", PREFACE, "handshake_time"),
    "half a header": ("head_ms=200", HELLO + frame(HEADERS, 1, 1, HEAD), "head_time"),
    "idle": ("idle_ms=200", HELLO, "idle"),
    "no answer to pings": ("keepalive_ms=100 keepalive_timeout_ms=200", HELLO + heads(flags=4), "keepalive"),
}


@pytest.mark.parametrize("name", SLOW)
def test_slow_connections_are_ended(serve, name):
    options, said, reason = SLOW[name]
    server = serve(*options.split())
    Raw(server, said).until_end()
    assert server.ended(reason) == 1


def test_a_peer_that_takes_no_bytes_is_ended(serve):
    server = serve("write_ms=300")
    raw = Raw(server, HELLO + frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff") + frame(WINDOW, 0, 0, b"\x7f\xfe\0\0"))
    head = head_of("/test.Echo/Expand")
    raw.say(frame(HEADERS, 4, 1, head) + frame(DATA, 1, 1, b"\0\0\0\0\x0a10000 9000"))
    wait_until(lambda: server.ended("write_time") == 1, "the end of a connection that is not read")


def test_each_ping_is_answered(serve):
    raw = Raw(serve())
    raw.say(frame(PING, 0, 0, b"abcdefgh") * 500 + frame(PING, 0, 0, b"the last"))
    answers = [body for kind, flags, _, body in raw.until(lambda *f: is_pong(*f) and f[3] == b"the last") if kind == PING and flags & 1]
    assert answers == [b"abcdefgh"] * 500 + [b"the last"]


def test_frames_one_byte_at_a_time(serve):
    raw = Raw(serve(), b"")
    head = head_of("/test.Echo/Unary")
    raw.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in HELLO + frame(HEADERS, 4, 1, head) + frame(DATA, 0, 1, b"\0\0\0") + frame(DATA, 1, 1, b"\0\2hi"):
        raw.say(bytes([byte]))
    answer = raw.until(lambda kind, flags, *_: kind == HEADERS and flags & 1)
    assert b"\0\0\0\0\2hi" in [body for kind, _, _, body in answer if kind == DATA]


def test_connections_beyond_the_limit_are_closed_at_once(serve):
    server = serve("conns_max=2")
    first = [Raw(server) for _ in range(2)]
    wait_until(lambda: server.open_connections() == 2, "two connections")
    assert Raw(server).until_end() == []
    assert server.ended("connections") == 1
    for raw in first:
        raw.sock.close()


def test_at_the_limit_the_stranger_who_is_here_longest_gives_way(serve):
    server = serve("conns_max=2", "stranger_memory=65536")
    first, second = Raw(server), Raw(server)
    wait_until(lambda: server.open_connections() == 2, "two connections")
    third = Raw(server)
    first.until_end()
    for raw in (second, third):
        raw.say(frame(PING, 0, 0, b"12345678"))
        raw.until(is_pong)
    assert server.ended("connections") == 1 and server.open_connections() == 2


def test_header_fields_of_a_stranger_are_bounded_over_all_its_calls(serve):
    """One of 4,000 bytes is a single byte when it is repeated."""
    server = serve("stranger_memory=65536")
    raw = Raw(server)
    block = HEAD + b"\x40\x03x-a\x7f\x81\x1e" + b"b" * 3968
    raw.say(frame(HEADERS, 4, 1, block) + b"".join(frame(HEADERS, 4, s, HEAD + b"\xbe" * 3) for s in range(3, 31, 2)))
    refused = [s for kind, _, s, _ in raw.until(lambda kind, _, s, __: kind == HEADERS and s == 29) if kind == HEADERS]
    assert refused == list(range(13, 31, 2))


def test_without_descriptors_the_server_waits_for_better_times(serve, stub):
    server = serve()
    resource.prlimit(server.child.pid, resource.RLIMIT_NOFILE, (32, 32))
    crowd = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(60)]
    wait_until(lambda: len(os.listdir(f"/proc/{server.child.pid}/fd")) >= 32, "no descriptor is left")
    assert server.open_connections() > 0, "it does other things"
    for connection in crowd:
        connection.close()
    assert stub(server).unary("Unary")(b"hello", timeout=60) == b"hello"
