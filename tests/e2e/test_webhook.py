"""The generic webhook over HTTP: what a sender sees and what a Sensor reads (facts argo-events 1.1 and 2)."""

import base64
import json
import socket
import subprocess

import pytest
import requests
from conftest import HOLDFAST, wait_until
from rawhttp import Peer, request

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: webhook
spec:
  webhook:
    post: {{port: "{port}", endpoint: /post, method: POST, maxPayloadSize: 2000, metadata: {{k: v, a: "<1>"}}}}
    get: {{port: "{port}", endpoint: /get, method: GET}}
    put: {{port: "{port}", endpoint: /put, method: PUT}}
    template: {{port: "{port}", endpoint: "/t/{{id:[0-9]+}}/x", method: POST}}
    space: {{port: "{port}", endpoint: /a b, method: POST}}
  holdfast:
    dataDir: {data}
    deadline: 60s
    compat: {compat}
    admin:
      address: 127.0.0.1:{admin}
"""


@pytest.fixture
def served(gateway):
    def start(compat="improved"):
        g = gateway()
        g.file.write_text(MANIFEST.format(port=g.port, data=g.data, admin=g.admin_port, compat=compat))
        g.start()
        g.base = f"http://127.0.0.1:{g.port}"
        return g

    return start


def send(g, method, path, headers=None, body=b""):
    """A request with nothing but the given fields; returns status, fields, body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
    fields = {"Content-Length": str(len(body)), **(headers or {})} if body or method != "GET" else (headers or {})
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", g.port), 60) as s:
        s.sendall(head.encode() + body)
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), body.decode()


def read_events(g):
    """What the events API says."""
    token = json.loads((g.data / "admin.json").read_text())["token"]
    return requests.get(g.admin + "/events", timeout=90, headers={"Authorization": "Bearer " + token})


BODIES = [
    # method, path, fields, body -> the "body" in the payload
    ("POST", "/post", JSON, b' [1 , 2.50, -0, 1E5]\n', b"[1,2.50,-0,1E5]"),
    ("POST", "/post", {}, b'"no content type"', b'"no content type"'),
    ("POST", "/post", {"Content-Type": "text/plain"}, b"null", b"null"),
    ("POST", "/post", JSON, b'{"a":"\xff"}', b'{"a":"\xff"}'),
    ("POST", "/post?ignored=1", JSON, b"{}", b"{}"),
    ("POST", "/post", FORM, b"ccc=d%20d&aaa=b+b&ccc=2", b'{"aaa":["b b"],"ccc":["d d","2"]}'),
    ("POST", "/post", FORM, b"", b"{}"),
    ("GET", "/get?ccc=d%20d&aaa=b%20b", {}, b"", b'{"aaa":["b b"],"ccc":["d d"]}'),
    ("GET", "/get", {}, b"", b"{}"),
    ("GET", "/get?a=%zz&b=1;2&c=3", {}, b"", b'{"c":["3"]}'),
    ("POST", "/t/42/x", JSON, b"1", b"1"),
]


def test_bodies_reach_the_payload_as_upstream_makes_them(served):
    g = served()
    for method, path, fields, body, _ in BODIES:
        status, _, text = send(g, method, path, fields, body)
        assert (status, text) == (200, "success"), (method, path, body)
    for (method, path, _, sent, body), data in zip(BODIES, g.events(), strict=True):
        assert b',"body":' + body in data, (method, path, sent)


def test_the_payload_is_byte_for_byte_what_sensors_know(served):
    g = served()
    body = b'{ "b" : 1.50 , "a":"<\xe2\x80\xa8>", "b":12345678901234567890 }'
    assert send(g, "POST", "/post", {**JSON, "x-foo_bar": "<&>", "Authorization": "Bearer x"}, body)[0] == 200
    assert g.events() == [
        b'{"header":{"Authorization":["*** Masked Auth Secret ***"],"Connection":["close"],"Content-Length":["%d"],'
        b'"Content-Type":["application/json"],"X-Foo_bar":["\\u003c\\u0026\\u003e"]},'
        b'"body":{"b":1.50,"a":"\\u003c\\u2028\\u003e","b":12345678901234567890},'
        b'"metadata":{"a":"\\u003c1\\u003e","k":"v"}}' % len(body)
    ]


def test_bytes_that_are_no_utf8_hide_no_event_from_readers_of_json(served):
    g = served()
    body = b'{"a":"\xff"}'
    assert send(g, "POST", "/post", JSON, body)[0] == send(g, "POST", "/post", JSON, b"1")[0] == 200
    page = read_events(g).content
    lines = subprocess.run([HOLDFAST, "tail", "--data-dir", g.data, "--json"], check=True, capture_output=True, timeout=60).stdout
    for text in (page, lines):
        first, second = (json.loads(line)["event"] for line in text.decode().splitlines())
        assert base64.b64decode(first["data_base64"]).endswith(b'"body":' + body + b',"metadata":{"a":"\\u003c1\\u003e","k":"v"}}')
        assert second["data"]["body"] == 1


REFUSALS = [
    # method, path, fields, body -> status and text of ours, of `compat: strict`
    ("POST", "/none", JSON, b"{}", 404, "404 page not found\n", 404, "404 page not found\n"),
    ("POST", "/post/", JSON, b"{}", 404, "404 page not found\n", 404, "404 page not found\n"),
    ("POST", "/t/x/x", JSON, b"{}", 404, "404 page not found\n", 404, "404 page not found\n"),
    ("GET", "/post", {}, b"", 405, "http method does not match; use a method that the Allow header lists",
     400, "http method does not match"),
    ("POST", "/post", JSON, b"Invalid JSON", 400,
     "the body must be one JSON value: invalid character 'I' looking for beginning of value (byte 0)",
     400, "json: error calling MarshalJSON for type *json.RawMessage: invalid character 'I' looking for beginning of value"),
    ("POST", "/post", JSON, b"", 400, "the body must be one JSON value: unexpected end of JSON input (byte 0)",
     400, "json: error calling MarshalJSON for type *json.RawMessage: unexpected end of JSON input"),
    ("POST", "/post", JSON, b"{} x", 400,
     "the body must be one JSON value: invalid character 'x' after top-level value (byte 3)",
     400, "json: error calling MarshalJSON for type *json.RawMessage: invalid character 'x' after top-level value"),
    ("POST", "/post", JSON, b"[" + b" " * 2000 + b"]", 413,
     "the body is larger than this endpoint takes; send less or ask the operator to raise maxPayloadSize",
     400, "failed to parse request body, http: request body too large"),
    ("POST", "/post", FORM, b"a=" + b"b" * 2000, 413,
     "the body is larger than this endpoint takes; send less or ask the operator to raise maxPayloadSize",
     400, "failed to parse request body, http: request body too large"),
]


@pytest.mark.parametrize("compat", ["improved", "strict"])
def test_what_is_refused_gets_its_status_and_its_words_and_is_not_stored(served, compat):
    g = served(compat)
    for method, path, fields, body, status, text, strict_status, strict_text in REFUSALS:
        got = send(g, method, path, fields, body)
        expected = (strict_status, strict_text) if compat == "strict" else (status, text)
        assert (got[0], got[2]) == expected, (method, path, body[:40])
        if status == 405 and compat == "improved":
            assert got[1]["Allow"] == "POST"
    assert g.events() == []


def test_strict_knows_get_and_post_only_and_ours_every_method(served):
    g = served("strict")
    assert send(g, "PUT", "/put", JSON, b"{}")[::2] == (400, "unsupoorted method: PUT")
    assert send(g, "POST", "/post", {"Content-Type": FORM["Content-Type"] + "; charset=utf-8"}, b"a=b")[0] == 400
    g.process.stop()
    g = served()
    assert send(g, "PUT", "/put", JSON, b"[1]")[0] == 200
    assert send(g, "POST", "/post", {"Content-Type": FORM["Content-Type"] + "; charset=utf-8"}, b"a=b")[0] == 200
    assert [json.loads(data)["body"] for data in g.events()] == [[1], {"a": ["b"]}]


def test_a_bad_form_is_refused(served):
    g = served()
    for body in (b"a=%zz", b"a=1;b=2"):
        assert send(g, "POST", "/post", FORM, body)[0] == 400
    assert g.events() == []


def test_health_and_unclean_paths_answer_as_upstream(served):
    g = served()
    assert send(g, "GET", "/health")[::2] == (200, "OK")
    assert send(g, "POST", "/health", JSON, b"{}")[::2] == (200, "OK")
    for path, clean in (("//post", "/post"), ("/a/../post?x=1", "/post?x=1"), ("/./post/", "/post/"),
                        ("/./\\other.example", "/%5Cother.example")):
        status, fields, text = send(g, "POST", path, JSON, b"{}")
        assert (status, fields["Location"], text) == (301, clean, "")


def test_a_path_is_compared_without_its_escapes_as_upstream(served):
    g = served()
    for path in ("/%70ost", "/a%20b", "/t/%31/x"):
        assert send(g, "POST", path, JSON, b"{}")[::2] == (200, "success"), path
    for path in ("/a%2520b", "/t/1%2Fx%2Fx", "/post%00"):
        assert send(g, "POST", path, JSON, b"{}")[0] == 404, path


def test_chunked_bodies_in_any_size_are_the_same_event(served):
    g = served()
    body = json.dumps({"text": "<\u2028 \u00e4>" * 20, "n": [1, 2, {"x": None}]}, ensure_ascii=False).encode()
    for size in (1, 2, 3, 7, 64, len(body)):
        parts = (body[i:i + size] for i in range(0, len(body), size))
        assert requests.post(f"http://127.0.0.1:{g.port}/post", data=parts, headers=JSON, timeout=90).status_code == 200
    bodies = {data[data.index(b'"body":'):] for data in g.events()}
    assert len(bodies) == 1 and len(g.events()) == 6


def test_the_event_is_the_cloudevent_upstream_would_publish(served):
    g = served()
    send(g, "POST", "/post", JSON, b"{}")
    event = json.loads(read_events(g).text)["event"]
    assert {name: event[name] for name in ("specversion", "source", "type", "subject", "datacontenttype")} == {
        "specversion": "1.0", "source": "webhook", "type": "webhook", "subject": "post",
        "datacontenttype": "application/json"}
    assert len(event["id"]) == 32 and event["time"].endswith("Z")
    assert event["data"]["body"] == {}


def test_the_bearer_token_is_checked_and_read_again(gateway, tmp_path):
    g = gateway()
    secrets = tmp_path / "secrets" / "hook"
    secrets.mkdir(parents=True)
    (secrets / "token").write_text("first\n")
    g.file.write_text(f"""\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: webhook}}
spec:
  webhook:
    example: {{port: "{g.port}", endpoint: /hook, method: POST, authSecret: {{name: hook, key: token}}}}
  holdfast:
    dataDir: {g.data}
    deadline: 60s
    secretsDir: {tmp_path / "secrets"}
    admin: {{address: "127.0.0.1:{g.admin_port}"}}
""")
    g.start()

    def answer(value):
        r = g.post("{}", headers={**JSON, **({"Authorization": value} if value is not None else {})})
        return r.status_code, r.text

    for value in (None, "", "bearer first", "Basic first", "Bearer"):
        assert answer(value) == (401, "Invalid Authorization Header"), value
    for value in ("Bearer ", "Bearer firs", "Bearer first2", "Bearer  first"):
        assert answer(value)[0] == 401, value
    assert answer("Bearer wrong") == (401, "Invalid Auth token")
    assert answer("Bearer first") == (200, "success")
    for first, second in ((b"first", b"wrong"), (b"wrong", b"first"), (b"first", b"first")):  # a proxy may have looked at the other
        with Peer(g.port) as p:
            p.send(request(fields=b"Authorization: Bearer %b\r\nAuthorization: Bearer %b\r\n" % (first, second)))
            status, _, text = p.answer()
            assert (status, text) == (401, b"Invalid Authorization Header"), (first, second)
    (secrets / "token").write_text("second")
    wait_until(lambda: answer("Bearer second") == (200, "success"), "the new token counts")
    assert answer("Bearer first") == (401, "Invalid Auth token")
    (secrets / "token").unlink()
    wait_until(lambda: answer("Bearer second") == (500, "Error loading auth token"), "a missing secret lets nobody in")
    assert b"first" not in b"".join(g.events()) and "first" not in g.process.output()


def test_a_rate_answers_429_with_the_time_to_wait(gateway):
    g = gateway()
    g.file.write_text(g.file.read_text().replace("method: POST", "method: POST\n      holdfast: {rate: 1, burst: 3}"))
    g.start()
    answers = [g.post("{}", headers=JSON) for _ in range(5)]
    assert [r.status_code for r in answers] == [200, 200, 200, 429, 429]
    assert int(answers[3].headers["Retry-After"]) >= 1
    assert len(g.events()) == 3
