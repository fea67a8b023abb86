"""Requests that no decent client sends: each gets its status, harms nobody else, and stores nothing that was not answered 200.

RFC 9112 lets a server be lenient in places; smuggling lives in those, so holdfast is strict (docs/why/http1.md).
"""

import json
import random

import pytest
from rawhttp import Peer, chunk, chunked, request

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: webhook}}
spec:
  webhook:
    hook: {{port: "{port}", endpoint: /hook, method: POST, maxPayloadSize: 2000}}
    query: {{port: "{port}", endpoint: /query, method: GET}}
    secret: {{port: "{port}", endpoint: /secret, method: POST, authSecret: {{name: hook, key: token}}}}
    template: {{port: "{port}", endpoint: "/t/{{name}}/x", method: POST}}
  holdfast:
    dataDir: {data}
    secretsDir: {secrets}
    deadline: 60s
    limits: {{bodyTimeout: 60s, headerTimeout: 60s{limits}}}
    admin: {{address: "127.0.0.1:{admin}"}}
"""


def serve(gateway, tmp_path, limits=""):
    secrets = tmp_path / "secrets" / "hook"
    secrets.mkdir(parents=True)
    (secrets / "token").write_text("s3cret")
    g = gateway()
    g.file.write_text(MANIFEST.format(port=g.port, data=g.data, admin=g.admin_port, secrets=tmp_path / "secrets", limits=limits))
    return g.start()


@pytest.fixture
def served(gateway, tmp_path):
    g = serve(gateway, tmp_path)
    yield g
    assert g.process.stop() == 0  # with sanitizers: nothing leaked


def head(*lines, body=b"{}"):
    """A request of these lines; Host is there."""
    return b"\r\n".join([b"POST /hook HTTP/1.1", b"Host: test", *lines]) + b"\r\n\r\n" + body


SMUGGLED = request(body=b'"smuggled"')
OPEN, CLOSED = "open", "closed"

# name, bytes, the answers, whether the connection stays. A 200 of /hook or /t stores one event.
LENGTHS = [
    ("length and chunked, CL.TE", head(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED)),
    ("chunked and length, TE.CL", head(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"5c\r\n" + SMUGGLED)),
    ("length 0 and chunked", head(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=chunk(b"{}") + b"0\r\n\r\n")),
    ("the same length twice", head(b"Content-Length: 2", b"Content-Length: 2")),
    ("two lengths", head(b"Content-Length: 2", b"content-length: 200")),
    ("list of one length", head(b"Content-Length: 2, 2")),
    ("list of two lengths", head(b"Content-Length: 2,200")),
    ("length with plus", head(b"Content-Length: +2")),
    ("length with minus", head(b"Content-Length: -2")),
    ("length minus zero", head(b"Content-Length: -0")),
    ("hexadecimal length", head(b"Content-Length: 0x2")),
    ("length with exponent", head(b"Content-Length: 2e0")),
    ("length with a fraction", head(b"Content-Length: 2.0")),
    ("length with a letter", head(b"Content-Length: 2a")),
    ("two numbers", head(b"Content-Length: 2 2")),
    ("empty length", head(b"Content-Length:")),
    ("blank length", head(b"Content-Length: \t ")),
    ("quoted length", head(b'Content-Length: "2"')),
    ("digits of another script", head(b"Content-Length: \xd9\xa2")),
    ("length of 20 digits", head(b"Content-Length: 99999999999999999999")),
    ("length 2^64 + 2", head(b"Content-Length: 18446744073709551618")),
    ("length 2^64 - 1", head(b"Content-Length: 18446744073709551615")),
    ("space before the colon of a length", head(b"Content-Length : 2")),
    ("tab before the colon of a length", head(b"Content-Length\t: 2")),
    ("space before the colon of a coding", head(b"Transfer-Encoding : chunked", b"Content-Length: 2")),
    ("folded length", head(b"Content-Length:\r\n 2")),
    ("folded coding", head(b"Transfer-Encoding:\r\n chunked")),
    ("coding twice", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")),
    ("coding twice, one unknown", head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x")),
    ("coding behind a vertical tab", head(b"Transfer-Encoding: \x0bchunked")),
    ("NUL in the coding's name", head(b"Transfer-Encoding\x00: chunked")),
    ("HTTP/1.0 in chunks", chunked(chunk(b"{}")).replace(b"HTTP/1.1", b"HTTP/1.0")),
]

CODINGS = [b"xchunked", b"chunkedx", b"identity", b"gzip, chunked", b"chunked, identity", b"chunked, chunked", b"chunked;q=1",
           b'"chunked"', b",chunked", b"chunked,", b"", b"gzip"]

CHUNKS = [
    ("hexadecimal prefix", b"0x2\r\n{}\r\n"),
    ("no hexadecimal digit", b"g\r\n{}\r\n"),
    ("no size", b"\r\n{}\r\n"),
    ("minus", b"-2\r\n{}\r\n"),
    ("plus", b"+2\r\n{}\r\n"),
    ("space before", b" 2\r\n{}\r\n"),
    ("space behind", b"2 \r\n{}\r\n"),
    ("bare LF behind the size", b"2\n{}\r\n"),
    ("bare CR behind the size", b"2\r{}\r\n"),
    ("17 digits", b"00000000000000002\r\n{}\r\n"),
    ("2^64 + 2", b"10000000000000002\r\n{}\r\n"),
    ("data longer than its size", b"1\r\n{}\r\n"),
    ("bare LF behind the data", b"2\r\n{}\n"),
    ("bare LF in an extension", b"2;a\n{}\r\n"),
    ("NUL in an extension", b"2;a=\x00\r\n{}\r\n"),
    ("long extension", b"2;" + b"a" * 257 + b"\r\n{}\r\n"),
    ("many extensions", b"".join(b"1;" + b"a" * 250 + b"\r\n1\r\n" for _ in range(17))),
]

TRAILERS = [
    ("trailer without a colon", b"0\r\nX\r\n\r\n", 400),
    ("trailer with a space in its name", b"0\r\nX Y: z\r\n\r\n", 400),
    ("folded trailer", b"0\r\nX: y\r\n z\r\n\r\n", 400),
    ("bare LF in a trailer", b"0\r\nX: y\n\r\n", 400),
    ("the next request in place of the end", b"0\r\n" + SMUGGLED, 400),
    ("trailers without end", b"0\r\n" + b"X: y\r\n" * 1000, 431),
]

LINES = [
    ("bare LF everywhere", request().replace(b"\r\n", b"\n"), 400),
    ("bare LF behind the request line", request().replace(b"1.1\r\n", b"1.1\n"), 400),
    ("bare LF at the end of the head", request().replace(b"\r\n\r\n", b"\r\n\n"), 400),
    ("bare CR everywhere", request().replace(b"\r\n", b"\r"), 400),
    ("bare CR in a value", head(b"X: a\rb", b"Content-Length: 2"), 400),
    ("CR CR LF", request().replace(b"\r\n", b"\r\r\n"), 400),
    ("CR in front of a field", head(b"\rContent-Length: 2"), 400),
    ("folded field", head(b"X: a\r\n b", b"Content-Length: 2"), 400),
    ("field folded by a tab", head(b"X: a\r\n\tb", b"Content-Length: 2"), 400),
    ("first field folded", b"POST /hook HTTP/1.1\r\n Host: test\r\nContent-Length: 2\r\n\r\n{}", 400),
    ("line of spaces in the head", head(b"  ", b"Content-Length: 2"), 400),
    ("two empty lines in front", b"\r\n\r\n" + request(), 400),
    ("spaces in front", b"  " + request(), 400),
    ("NUL in a value", head(b"X: a\x00b", b"Content-Length: 2"), 400),
    ("NUL in a name", head(b"X\x00: a", b"Content-Length: 2"), 400),
    ("control character in a value", head(b"X: a\x01b", b"Content-Length: 2"), 400),
    ("escape sequence in a value", head(b"X: \x1b[31m", b"Content-Length: 2"), 400),
    ("DEL in a value", head(b"X: a\x7fb", b"Content-Length: 2"), 400),
    ("no colon", head(b"Xyz", b"Content-Length: 2"), 400),
    ("no name", head(b": a", b"Content-Length: 2"), 400),
    ("space in a name", head(b"X Y: a", b"Content-Length: 2"), 400),
    ("parentheses in a name", head(b"X(y): a", b"Content-Length: 2"), 400),
    ("UTF-8 in a name", head("Xä: a".encode(), b"Content-Length: 2"), 400),
]

REQUEST_LINES = [
    # The line, the status.
    (b"", 400),
    (b" /hook HTTP/1.1", 400),
    (b"POST", 400),
    (b"POST /hook", 400),  # HTTP/0.9
    (b"GET /health", 400),
    (b"POST  /hook HTTP/1.1", 400),
    (b"POST /hook  HTTP/1.1", 400),
    (b"POST /ho ok HTTP/1.1", 400),
    (b"POST\t/hook\tHTTP/1.1", 400),
    (b"POST /hook HTTP/1.1 ", 400),
    (b"PO(ST /hook HTTP/1.1", 400),
    (b"PO\x00ST /hook HTTP/1.1", 400),
    (b"P\xc3\x96ST /hook HTTP/1.1", 400),
    (b"POST hook HTTP/1.1", 400),
    (b"POST /hook#part HTTP/1.1", 400),
    (b"POST /ho\x01ok HTTP/1.1", 400),
    (b"POST /ho\x7fok HTTP/1.1", 400),
    (b"POST /hook\x00 HTTP/1.1", 400),
    (b"POST /%zz HTTP/1.1", 400),
    (b"POST /hook% HTTP/1.1", 400),
    (b"POST /hook%4 HTTP/1.1", 400),
    (b"POST * HTTP/1.1", 400),
    (b"POST ftp://test/hook HTTP/1.1", 400),
    (b"POST http:///hook HTTP/1.1", 400),
    (b"POST http://user@test/hook HTTP/1.1", 400),
    (b"POST http:/hook HTTP/1.1", 400),
    (b"CONNECT test:443 HTTP/1.1", 400),
    (b"POST /hook http/1.1", 400),
    (b"POST /hook HTTP/11", 400),
    (b"POST /hook HTTP/1.", 400),
    (b"POST /hook HTTP/1.10", 400),
    (b"POST /hook HTTP/01.1", 400),
    (b"POST /hook HTTP/1,1", 400),
    (b"POST /hook HTTP/-1.1", 400),
    (b"POST /hook HTTPS/1.1", 400),
    (b"POST /hook HTTP/0.9", 505),
    (b"POST /hook HTTP/2.0", 505),
    (b"POST /hook HTTP/3.0", 505),
    (b"PRI * HTTP/2.0", 505),
    (b"POST /" + b"a" * 20000 + b" HTTP/1.1", 414),
    (b"A" * 20000 + b" /hook HTTP/1.1", 414),
]

ENDS_IN_ERROR = [
    ("no host", request(host=b""), 400),
    ("two hosts", request(host=b"Host: a\r\nHost: a\r\n"), 400),
    ("space in the host", request(host=b"Host: a b\r\n"), 400),
    ("path in the host", request(host=b"Host: a/b\r\n"), 400),
    ("user in the host", request(host=b"Host: a@b\r\n"), 400),
    ("no host but an absolute target", request(host=b"", path=b"http://test/hook"), 400),
    ("long field", request(fields=b"X: " + b"a" * 20000 + b"\r\n"), 431),
    ("long name of a field", request(fields=b"X" * 20000 + b": a\r\n"), 431),
    ("many long fields", request(fields=(b"X: " + b"a" * 1000 + b"\r\n") * 20), 431),
    ("101 fields", request(fields=b"X: a\r\n" * 99), 431),
    ("fields without end", b"POST /hook HTTP/1.1\r\n" + b"X: a\r\n" * 4000, 431),
    ("length 2^64 - 2", head(b"Content-Length: 18446744073709551614"), 413),
    ("large length", head(b"Content-Length: 1000000"), 413),
    ("large body in chunks", chunked(*[chunk(b"1" * 100)] * 21, last=b""), 413),
    ("one large chunk", chunked(b"10000\r\n" + b"1" * 3000, last=b""), 413),
    ("a chunk of 2^64 - 1", chunked(b"ffffffffffffffff\r\n" + b"1" * 3000, last=b""), 413),
    ("waits to send too much", request(fields=b"Expect: 100-continue\r\n", length=b"Content-Length: 2001\r\n", body=b""), 413),
    ("waits without the right to", request(path=b"/secret", fields=b"Expect: 100-continue\r\n", body=b"", length=b"Content-Length: 2\r\n"), 401),
    ("waits for nobody", request(path=b"/none", fields=b"Expect: 100-continue\r\n", body=b"", length=b"Content-Length: 2\r\n"), 404),
    ("unknown expectation", request(fields=b"Expect: 200-maybe\r\n"), 417),
    ("two expectations", request(fields=b"Expect: 100-continue\r\nExpect: 100-continue\r\n"), 417),
    ("list of expectations", request(fields=b"Expect: 100-continue, x\r\n"), 417),
    ("empty expectation", request(fields=b"Expect:\r\n"), 417),
    ("a TLS client's greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100, 400),
    ("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    ("zeros", b"\x00" * 64, 400),
    ("line ends only", b"\r\n" * 64, 400),
]

GOOD = b'{"n": "good"}'
CONTINUED = request(fields=b"Expect: 100-continue\r\n", body=GOOD)

# What is taken, and what is refused without the end of the connection.
STAYS = [
    # name, bytes, answers, the connection afterwards
    ("zeros in front of a length", head(b"Content-Length: 0000000000000000000000013", body=GOOD), [200], OPEN),
    ("spaces around a length", head(b"Content-Length: \t 13 \t", body=GOOD), [200], OPEN),
    ("no space behind the colons", head(b"Content-Length:13", body=GOOD), [200], OPEN),
    ("coding in capitals", head(b"Transfer-Encoding: CHUNKED", body=chunk(GOOD) + b"0\r\n\r\n"), [200], OPEN),
    ("a field that is not the coding", head(b"Transfer_Encoding: chunked", b"Content-Length: 13", body=GOOD), [200], OPEN),
    ("zeros in front of a chunk's size", chunked(b"000000000000000D\r\n" + GOOD + b"\r\n"), [200], OPEN),
    ("chunk extension", chunked(b'd;a=b;c="d e"\r\n' + GOOD + b"\r\n"), [200], OPEN),
    ("trailer", chunked(chunk(GOOD), last=b"0\r\nX: y\r\nContent-Length: 7\r\n\r\n"), [200], OPEN),
    ("last chunk of many zeros", chunked(chunk(GOOD), last=b"0000;a\r\n\r\n"), [200], OPEN),
    ("chunks of one byte", chunked(*[chunk(GOOD[i:i + 1]) for i in range(len(GOOD))]), [200], OPEN),
    ("2,000 chunks", chunked(*[chunk(b"1")] * 2000), [200], OPEN),
    ("empty line in front", b"\r\n" + request(body=GOOD), [200], OPEN),
    ("tab in a value", request(body=GOOD, fields=b"X: a\tb\r\n"), [200], OPEN),
    ("bad UTF-8 in a value", request(body=GOOD, fields=b"X: \xff\xc3\r\n"), [200], OPEN),
    ("empty value", request(body=GOOD, fields=b"X:\r\n"), [200], OPEN),
    ("100 fields", request(body=GOOD, fields=b"X: a\r\n" * 98), [200], OPEN),
    ("a query that is no text", request(body=GOOD, path=b"/hook?\xff&%zz=%"), [200], OPEN),
    ("absolute target", request(body=GOOD, path=b"http://other:99/hook"), [200], OPEN),
    ("escaped letters", request(body=GOOD, path=b"/%68oo%6B"), [200], OPEN),
    ("text in a template", request(body=GOOD, path="/t/ä%20%ff/x".encode()), [200], OPEN),
    ("empty host", request(body=GOOD, host=b"Host:\r\n"), [200], OPEN),
    ("a version to come", request(body=GOOD, version=b"HTTP/1.2"), [200], OPEN),
    ("HTTP/1.0", request(body=GOOD, version=b"HTTP/1.0"), [200], CLOSED),
    ("HTTP/1.0 without a host", request(body=GOOD, version=b"HTTP/1.0", host=b""), [200], CLOSED),
    ("HTTP/1.0 that stays", request(body=GOOD, version=b"HTTP/1.0", fields=b"Connection: keep-alive\r\n"), [200], OPEN),
    ("HTTP/1.0 has no expectations", request(body=GOOD, version=b"HTTP/1.0", fields=b"Expect: x\r\n"), [200], CLOSED),
    ("close", request(body=GOOD, fields=b"Connection: close\r\n"), [200], CLOSED),
    ("close in a list", request(body=GOOD, fields=b"Connection: x, CLOSE\r\nConnection: keep-alive\r\n"), [200], CLOSED),
    ("upgrade to HTTP/2", request(body=GOOD, fields=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"), [200], OPEN),
    ("expects, and sends at once", CONTINUED, [200], OPEN),
    ("expects without a body", request(method=b"GET", path=b"/health", body=b"", length=b"", fields=b"Expect: 100-continue\r\n"), [200], OPEN),
    ("right token", request(body=GOOD, path=b"/secret", fields=b"Authorization: Bearer s3cret\r\n"), [200], OPEN),
    ("wrong token", request(path=b"/secret", fields=b"Authorization: Bearer s3cret2\r\n"), [401], OPEN),
    ("two tokens, the first counts", request(path=b"/secret", fields=b"Authorization: Bearer x\r\nAuthorization: Bearer s3cret\r\n"), [401], OPEN),
    ("method in lower case", request(method=b"post"), [405], OPEN),
    ("long method", request(method=b"A" * 5000), [405], OPEN),
    ("every character of a token", request(method=b"!#$%&'*+-.^_`|~9Z"), [405], OPEN),
    ("OPTIONS *", request(method=b"OPTIONS", path=b"*", body=b"", length=b""), [200], OPEN),
    ("bad UTF-8 in the path", request(path=b"/hook\xff"), [404], OPEN),
    ("escaped bad UTF-8 in the path", request(path=b"/hook%ff"), [404], OPEN),
    ("escaped NUL", request(path=b"/hook%00"), [404], OPEN),
    ("escaped NUL in front of a route", request(path=b"/%00/hook"), [404], OPEN),
    ("escaped dots", request(path=b"/x/%2e%2e/hook"), [404], OPEN),
    ("absolute target without a path", request(path=b"http://test"), [404], OPEN),
    ("two slashes", request(path=b"//hook"), [301], OPEN),
    ("to another server?", request(path=b"//evil.example/..//x"), [301], OPEN),
    ("a little too large", request(body=b"1" * 2001), [413], OPEN),
    ("a little too large, then another", request(body=b"1" * 2001) + request(body=GOOD), [413, 200], OPEN),
    ("not JSON", request(body=b"\xff"), [400], OPEN),
    ("NUL behind the value", request(body=b"1\x00"), [400], OPEN),
    ("too deep", request(body=b"[" * 1000), [400], OPEN),
    ("no body", request(body=b"", length=b""), [400], OPEN),
    ("body of a GET is not the next request", request(method=b"GET", path=b"/health", body=SMUGGLED), [200], OPEN),
    ("error, then a good one", request(path=b"/none") + request(body=GOOD), [404, 200], OPEN),
    ("good, malformed, good", request(body=GOOD) + b"x\r\n\r\n" + SMUGGLED, [200, 400], CLOSED),
    ("close, then another", request(body=GOOD, fields=b"Connection: close\r\n") + SMUGGLED, [200], CLOSED),
]

ROWS = [
    *((name, data, [400], CLOSED) for name, data in LENGTHS),
    *((f"coding {coding!r}", head(b"Transfer-Encoding: " + coding, body=chunk(b"{}") + b"0\r\n\r\n"), [501], CLOSED) for coding in CODINGS),
    *((f"chunk: {name}", chunked(data), [400], CLOSED) for name, data in CHUNKS),
    *((name, chunked(chunk(b"{}"), last=last), [status], CLOSED) for name, last, status in TRAILERS),
    *((name, data, [status], CLOSED) for name, data, status in LINES),
    *((f"line {line[:40]!r}", line + b"\r\nHost: test\r\nContent-Length: 2\r\n\r\n{}", [status], CLOSED) for line, status in REQUEST_LINES),
    *((name, data, [status], CLOSED) for name, data, status in ENDS_IN_ERROR),
    *STAYS,
]


def stored(g):
    return [json.loads(line)["body"] for line in g.events()]


def try_row(g, data, statuses, after):
    """What goes wrong with it, or None."""
    with Peer(g.port) as p:
        p.send(data)
        for status in statuses:
            answer = p.answer()
            if answer is None or answer[0] != status:
                return f"{status} expected, got {answer}"
        fields = answer[1]
        closes = fields.get("connection") == "close"
        if closes != (after is CLOSED):
            return f"{after} expected: {answer}"
        if after is CLOSED:
            return None if p.ended() else f"something behind the last answer: {p.kept}"
        p.send(request(method=b"GET", path=b"/health", body=b"", length=b""))
        answer = p.answer()
        return None if answer and answer[2] == b"OK" else f"the connection does not go on: {answer}"


def test_each_vector_has_its_answer_and_harms_nobody(served):
    g = served
    wrong, expected = [], []
    with Peer(g.port) as other:
        for number, (name, data, statuses, after) in enumerate(ROWS):
            problem = try_row(g, data, statuses, after)
            if problem:
                wrong.append((name, problem))
            if b"/health" not in data and not data.startswith(b"OPTIONS *"):
                expected += [int(b"1" * 2000) if name == "2,000 chunks" else {"n": "good"}] * statuses.count(200)
            other.send(request(body=b"%d" % number))
            assert other.answer()[0] == 200, name
            expected.append(number)
    assert wrong == []
    assert stored(g) == expected
    assert "smuggled" not in g.process.output() and g.process.running()


def test_who_waits_for_100_gets_it_only_when_the_body_is_wanted(served):
    for fields, status in ((b"", 200), (b"X: a\r\n", 200)):
        whole = request(fields=b"Expect: 100-Continue\r\n" + fields, body=GOOD)
        first, body = whole[:-len(GOOD)], GOOD
        with Peer(served.port) as p:
            p.send(first)
            assert p.answer()[0] == 100
            p.send(body)
            assert p.answer()[0] == status
            p.send(first)
            assert p.answer()[0] == 100
            p.send(body)
            assert p.answer()[0] == status
    assert stored(served) == [{"n": "good"}] * 4


def test_50_requests_sent_ahead_are_answered_in_order(served):
    with Peer(served.port) as p:
        p.send(b"".join(request(body=b'{"k":%d}' % i) if i % 5 else request(path=b"/none/%d" % i) for i in range(50)))
        answers = [p.answer() for _ in range(50)]
    assert [a[0] for a in answers] == [200 if i % 5 else 404 for i in range(50)]
    positions = [int(a[1]["holdfast-position"]) for a in answers if a[0] == 200]
    assert positions == sorted(positions)
    assert stored(served) == [{"k": i} for i in range(50) if i % 5]


SPLIT = [
    request(body=b'{"split": true}', fields=b"X: y\r\n"),
    chunked(chunk(b'{"split"'), b"8;ext=1\r\n: true }\r\n", last=b"0\r\nT: u\r\n\r\n"),
    request(method=b"GET", path=b"/query?split=%c3%a4", body=b"", length=b""),
]


@pytest.mark.parametrize("whole", SPLIT, ids=["length", "chunks", "query"])
def test_a_request_split_anywhere_is_the_same_request(served, whole):
    with Peer(served.port) as p:
        for at in range(1, len(whole)):
            p.send(whole[:at], whole[at:])
            assert p.answer()[0] == 200, at
        p.send(*(whole[i:i + 1] for i in range(len(whole))))
        assert p.answer()[0] == 200
    events = served.events()
    assert len(events) == len(whole) and len(set(events)) == 1


def test_long_paths_that_the_operator_allows_are_as_good_as_short_ones(gateway, tmp_path):
    g = serve(gateway, tmp_path, limits=", headerSize: 1Mi")
    long = b"a" * 300_000
    with Peer(g.port) as p:
        for path, status in ((b"/t/%b/x" % long, 200), (b"/t/%%61%b/x" % long, 200), (b"//t/%b" % long, 301), (b"/" + long, 404)):
            p.send(request(path=path))
            answer = p.answer()
            assert answer[0] == status
            if status == 301:
                assert answer[1]["location"].encode() == b"/t/" + long
    assert stored(g) == [{}, {}]


def test_a_cut_request_is_neither_answered_nor_stored(served):
    whole = request(body=b'{"cut": true}')
    in_chunks = chunked(chunk(b'{"cut": true}'))
    for data in [whole[:at] for at in (0, 1, 20, len(whole) - 14, len(whole) - 13, len(whole) - 1)] + \
            [in_chunks[:-at] for at in (1, 2, 3, 5, 6)]:
        with Peer(served.port) as p:
            p.send(data)
            p.end()
            assert p.ended(), data
        p = Peer(served.port)
        p.send(data)
        p.reset()
    with Peer(served.port) as p:
        p.send(whole)
        p.end()  # a client may end its side and still read
        assert p.answer()[0] == 200 and p.ended()
    assert stored(served) == [{"cut": True}]


def test_clients_that_vanish_while_the_store_works_harm_nobody(served):
    for number in range(200):
        p = Peer(served.port)
        p.send(request(body=b'{"v":%d}' % number) * (1 + number % 3))
        p.reset()
    with Peer(served.port) as p:
        p.send(request(body=b'"last"'))
        assert p.answer()[0] == 200
    bodies = stored(served)
    assert bodies.count("last") == 1 and served.process.running()
    for number in range(200):  # each was sent to the end, but nobody knows whether it arrived
        assert bodies.count({"v": number}) <= 1 + number % 3


# ---- at random ---------------------------------------------------------------------------------------------------------

KNOWN = {100, 200, 301, 400, 401, 404, 405, 408, 413, 414, 417, 431, 501, 503, 505}
TOKENS = [b"\r\n", b"\n", b"\r", b"\x00", b" ", b":", b";", b",", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n",
          b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"HTTP/1.0", b"0\r\n\r\n", b"ffffffff\r\n", b"%00", b"\xff", b"{", b"/../"]


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 2:
            del data[at:at + rng.randint(1, 8)]
        elif kind == 3:
            data[at:at] = data[at:at + rng.randint(1, 30)]
        else:
            data[at:] = b""
    return bytes(data)


def test_2000_mutated_requests_get_known_answers_only(served):
    seed = 20240101
    rng = random.Random(seed)
    seeds = [*SPLIT, CONTINUED, request(path=b"/secret", fields=b"Authorization: Bearer s3cret\r\n", body=GOOD)]
    counts = {}
    for number in range(2000):
        data = mutate(rng, rng.choice(seeds))
        if rng.randrange(4) == 0:
            data += rng.choice(seeds)
        with Peer(served.port) as p:
            p.send(data)
            try:
                p.end()
            except OSError:
                pass  # refused already, and gone
            try:
                while (answer := p.answer()) is not None:
                    assert answer[0] in KNOWN, (seed, number, data, answer)
                    counts[answer[0]] = counts.get(answer[0], 0) + 1
            except ConnectionResetError:
                pass
    assert served.process.running()
    assert len(served.events()) == counts[200]
    assert counts[400] > 500 and counts[200] > 100, counts
