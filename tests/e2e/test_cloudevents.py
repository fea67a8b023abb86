"""CloudEvents over HTTP: what a sender says about its event is what a reader finds, once.

CloudEvents 1.0.2 with its HTTP protocol binding; HTTP 1.1 Web Hooks for event delivery 1.0.
"""

import base64
import json
import subprocess

import pytest
import requests
from conftest import BUS, HOLDFAST, wait_until
from natsio import Nats

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: ingest}}
spec:
  holdfast:
    dataDir: {data}
    secretsDir: {secrets}
    deadline: 60s
    admin: {{address: "127.0.0.1:{admin}"}}
{more}
    cloudevents:
      open: {{port: "{port}", endpoint: /open, maxBatch: 100}}
      listed: {{port: "{port}", endpoint: /listed, allowedOrigins: [emitter.example.com, Other.example.com], allowedRate: 120}}
      any: {{port: "{port}", endpoint: /any, allowedOrigins: ["*"]}}
      secret: {{port: "{port}", endpoint: /secret, authSecret: {{name: ce, key: token}}}}
"""

STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}

# Every attribute there is, with every kind of character that may stand in it.
FULL = {
    "specversion": "1.0",
    "id": 'id with space, "quotes", \\ % and \u00e4\u20ac\U0001f600',
    "source": "//example.com/sensors/7?unit=%C2%B0C#a",
    "type": "com.example.reading.v2",
    "subject": "5 \u00b0C <&> \u2028",
    "time": "2024-02-29T23:59:60.123456789+01:30",
    "dataschema": "https://example.com/schema/reading#v2",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "partitionkey": "a=b;c, d",
    "comexampleextension1": "unknown to everyone",
    "x9": "9",
}


class Served:
    def __init__(self, gateway):
        self.gateway = gateway
        self.base = f"http://127.0.0.1:{gateway.port}"

    def post(self, body=b"", fields=None, path="/open", **options):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return requests.post(self.base + path, data=data, headers=fields, timeout=90, **options)

    def lines(self):
        return subprocess.run([HOLDFAST, "tail", "--data-dir", self.gateway.data, "--json"], check=True, capture_output=True,
                              timeout=60).stdout.splitlines()

    def events(self):
        return [json.loads(line)["event"] for line in self.lines()]


@pytest.fixture
def served(gateway, tmp_path):
    def start(more="", bus=""):
        secrets = tmp_path / "secrets" / "ce"
        secrets.mkdir(parents=True)
        (secrets / "token").write_text("t&=%/ ok")
        g = gateway()
        g.file.write_text(MANIFEST.format(port=g.port, data=g.data, admin=g.admin_port, secrets=tmp_path / "secrets", more=more) + bus)
        return Served(g.start())

    return start


def event(id, source="/s", type="t", **more):
    return {"specversion": "1.0", "id": id, "source": source, "type": type, **more}


def encoded(text):
    """An attribute as a header field (http-protocol-binding 3.1.3.2)."""
    return "".join(c if " " < c <= "~" and c not in '"%' else "".join(f"%{b:02X}" for b in c.encode()) for c in text)


def binary_fields(attributes, content_type=None):
    fields = {"ce-" + name: encoded(value) for name, value in attributes.items()}
    return {**fields, **({"Content-Type": content_type} if content_type else {})}


# ---- attributes and data survive ----------------------------------------------------------------------------------------


def test_every_attribute_survives_in_every_mode(served):
    s = served()
    assert s.post({**FULL, "datacontenttype": "application/json", "data": {"n": 1}}, STRUCTURED).status_code == 200
    second = {**FULL, "id": "2"}
    r = s.post('{"n":1}', binary_fields(second, "application/json"))
    assert (r.status_code, r.text, r.headers["Holdfast-Event-Id"], r.headers["Holdfast-Position"]) == (200, "success", "2", "2")
    assert s.post([{**FULL, "id": "3", "datacontenttype": "application/json", "data": {"n": 1}}], BATCH).status_code == 200
    assert s.events() == [{**FULL, "id": id, "datacontenttype": "application/json", "data": {"n": 1}} for id in (FULL["id"], "2", "3")]


def test_attributes_that_are_no_strings_keep_their_type(served):
    s = served()
    sent = event("1", yes=True, no=False, count=-2147483648, zero=0, nothing=None)
    assert s.post(sent, STRUCTURED).status_code == 200
    del sent["nothing"]
    assert s.events() == [sent]
    assert b'"yes":true' in s.lines()[0] and b'"count":-2147483648' in s.lines()[0]


def test_header_fields_are_read_as_the_binding_says(served):
    s = served()
    for number, (value, text) in enumerate([("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \u20ac \U0001f600"), ("%22%25%5c", '"%\\'), ("a%2fb", "a/b"),
                                            ('"quoted \\" %41"', 'quoted " A'), ("plain words", "plain words")]):
        fields = {**binary_fields(event(str(number))), "CE-Subject": value, "cE-eXt": "v"}
        assert s.post(b"", fields).status_code == 200
        assert s.events()[-1] == event(str(number), subject=text, ext="v"), value


DATA = [
    # content type, body in binary mode -> members in JSON
    ("application/json", b'{"n" : 1.50, "big":12345678901234567890}', b'"data":{"n":1.50,"big":12345678901234567890}'),
    ("application/vnd.x+json; charset=utf-8", b'"text"', b'"data":"text"'),
    ("application/json", b"not json", b'"data_base64":"bm90IGpzb24="'),
    ("text/plain", "h\u00e4 \"\\\n".encode(), b'"data":"h\xc3\xa4 \\"\\\\\\n"'),
    ("text/plain", b"\xff\x00", b'"data_base64":"/wA="'),
    ("application/octet-stream", bytes(range(256)), b'"data_base64":"' + base64.b64encode(bytes(range(256))) + b'"'),
    ("application/xml", b"<a/>", None),
    (None, b"[1]", b'"data":[1]'),
    ("application/json", b"", b""),
]


def test_data_of_every_kind_survives_in_binary_mode(served):
    s = served()
    for number, (content_type, body, _) in enumerate(DATA):
        assert s.post(body, binary_fields(event(str(number)), content_type)).status_code == 200
    for line, (content_type, body, members) in zip(s.lines(), DATA, strict=True):
        got = json.loads(line)["event"]
        assert got.get("datacontenttype") == content_type
        if members is not None:
            assert members in line.replace(b" ", b"") or members in line, (content_type, body, line)
        if not body:
            assert "data" not in got and "data_base64" not in got
        if "data_base64" in got:
            assert base64.b64decode(got["data_base64"]) == body
        elif content_type == "application/xml":
            assert got["data"] == body.decode()


def test_data_of_every_kind_survives_in_structured_mode(served):
    s = served()
    rows = [event("1", data={"n": [1, None, "x"]}), event("2", datacontenttype="text/plain", data="h\u00e4"),
            event("3", datacontenttype="application/octet-stream", data_base64=base64.b64encode(bytes(range(256))).decode()),
            event("4"), event("5", data=None), event("6", datacontenttype="application/json", data="a string"), event("7", data=0),
            event("8", data=False), event("9", data_base64="")]
    for row in rows:
        assert s.post(row, STRUCTURED).status_code == 200, row
    del rows[4]["data"], rows[8]["data_base64"]  # null and nothing are nothing
    assert s.events() == rows
    assert s.post('{"data":{"n":1.50,"n":-0.0,"big":12345678901234567890},"specversion":"1.0","id":"10","source":"/s","type":"t"}',
                  STRUCTURED).status_code == 200
    assert b'"data":{"n":1.50,"n":-0.0,"big":12345678901234567890}' in s.lines()[-1]


def test_curl_delivers_too(served):
    s = served()
    out = subprocess.run(["curl", "-sS", "-w", "%{http_code}", s.base + "/open", "-H", "ce-specversion: 1.0", "-H", "ce-id: 1", "-H", "ce-source: /curl",
                          "-H", "ce-type: t", "-H", "Content-Type: text/csv", "--data-binary", "a,b\n1,2\n"], check=True, capture_output=True)
    assert out.stdout == b"success200"
    big = event("2", source="/curl", data="x" * 100_000)
    out = subprocess.run(["curl", "-sS", "-w", "%{http_code}", s.base + "/open", "-H", "Content-Type: application/cloudevents+json", "-H",
                          "Expect: 100-continue", "--data-binary", "@-"], check=True, capture_output=True, input=json.dumps(big).encode())
    assert out.stdout == b"success200"
    assert s.events() == [event("1", source="/curl", datacontenttype="text/csv", data="a,b\n1,2\n"), big]


def test_events_of_64_kib_pass_in_every_mode(served):
    s = served()
    data = "x" * (64 << 10)
    assert s.post(event("1", data=data), STRUCTURED).status_code == 200
    assert s.post(json.dumps(data), binary_fields(event("2"), "application/json")).status_code == 200
    assert s.post([event(str(i), data=data) for i in range(3, 13)], BATCH).status_code == 200
    assert [(e["id"], len(e["data"])) for e in s.events()] == [(str(i), 64 << 10) for i in range(1, 13)]
    assert s.post(event("13", data="x" * (1 << 20)), STRUCTURED).status_code == 413


# ---- once ---------------------------------------------------------------------------------------------------------------


def test_a_retry_is_the_same_event_and_another_source_is_another_one(served):
    s = served()
    first = s.post(event("1", data="first"), STRUCTURED)
    for again in (s.post(event("1", data="again"), STRUCTURED), s.post(b"", binary_fields(event("1"))), s.post([event("1")], BATCH)):
        assert (again.status_code, again.text) == (200, "success")
        assert again.headers["Holdfast-Position"] == first.headers["Holdfast-Position"] == "1"
        assert again.headers["Holdfast-Event-Id"] == "1"
    assert s.post(event("1", source="/other"), STRUCTURED).headers["Holdfast-Position"] == "2"
    assert s.post(event("1", source="/s/1"), STRUCTURED).headers["Holdfast-Position"] == "3"
    s.gateway.process.kill()
    s.gateway.start()
    assert s.post(event("1"), STRUCTURED).headers["Holdfast-Position"] == "1"
    assert [(e["source"], e["id"], e.get("data")) for e in s.events()] == [("/s", "1", "first"), ("/other", "1", None), ("/s/1", "1", None)]


def test_duplicates_in_one_batch_are_stored_once(served):
    s = served()
    assert s.post(event("b"), STRUCTURED).status_code == 200
    assert s.post([event(id, n=i) for i, id in enumerate("abacb")], BATCH).status_code == 200
    assert [(e["id"], e.get("n")) for e in s.events()] == [("b", None), ("a", 0), ("c", 3)]


# ---- batches: all or none ------------------------------------------------------------------------------------------------

WRONG = [
    # members that are changed (None: left out) -> what the answer says
    ({"id": None}, "id: "),
    ({"id": ""}, "id: "),
    ({"id": 7}, "id: "),
    ({"id": "\u0007"}, "id: "),
    ({"source": None}, "source: "),
    ({"source": "not a uri"}, "source: "),
    ({"type": ""}, "type: "),
    ({"specversion": None}, "specversion: "),
    ({"specversion": "0.3"}, "specversion: "),
    ({"time": "yesterday"}, "time: "),
    ({"time": "2023-02-29T00:00:00Z"}, "time: "),
    ({"dataschema": "/relative"}, "dataschema: "),
    ({"datacontenttype": "json"}, "datacontenttype: "),
    ({"Upper": "x"}, ""),
    ({"under_score": "x"}, ""),
    ({"ext": {"a": 1}}, "ext: "),
    ({"ext": 1.5}, "ext: "),
    ({"ext": 2147483648}, "ext: "),
    ({"ext": "\ufffe"}, "ext: "),
    ({"data": 1, "data_base64": "AA=="}, "data and data_base64: "),
    ({"data_base64": "?"}, "data_base64: "),
    ({"data_base64": 1}, "data_base64: "),
]


def test_one_bad_event_in_a_hundred_refuses_all_and_is_named(served):
    s = served()
    for number, (change, says) in enumerate(WRONG):
        at = (number * 7) % 100
        batch = [event(f"{number}-{i}") for i in range(100)]
        batch[at] = {k: v for k, v in {**batch[at], **change}.items() if v is not None}
        r = s.post(batch, BATCH)
        assert r.status_code == 400 and r.text.startswith(f"event {at}: {says}"), (change, r.status_code, r.text)
        assert "\n" not in r.text and len(r.text) < 300
        assert s.post(batch[at], STRUCTURED).status_code == 400, change
    for body, says in ((b"[{}", "JSON"), (b'{"a":1}', "array"), (b"[1]", "event 0"), (b"", ""), (b'["\xff"]', "UTF-8"), (b"[] x", "")):
        r = s.post(body, BATCH)
        assert r.status_code == 400 and says in r.text, (body, r.text)
    assert s.events() == []


def test_a_batch_has_its_limit_and_may_be_empty(served):
    s = served()
    r = s.post([event(str(i)) for i in range(101)], BATCH)
    assert r.status_code == 413 and "101" in r.text and "100" in r.text
    assert s.events() == []
    r = s.post([], BATCH)
    assert (r.status_code, r.text) == (200, "success")
    assert s.post([event(str(i)) for i in range(100)], BATCH).status_code == 200
    assert [e["id"] for e in s.events()] == [str(i) for i in range(100)]


def test_bad_header_fields_are_refused_and_named(served):
    s = served()
    good = binary_fields(event("1"))
    for change, says in (({"ce-id": None}, "id"), ({"ce-specversion": None}, "specversion"), ({"ce-specversion": "1.1"}, "specversion"),
                         ({"ce-source": "a b"}, "source"), ({"ce-type": ""}, "type"), ({"ce-time": "now"}, "time"), ({"ce-subject": "%4"}, "ce-subject"),
                         ({"ce-subject": "%ff"}, "ce-subject"), ({"ce-subject": "%00"}, "subject"), ({"ce-datacontenttype": "x/y"}, "datacontenttype"),
                         ({"ce-data": "x"}, "data"), ({"ce-": "x"}, ""), ({"ce-under_score": "x"}, ""), ({"Content-Type": "nonsense"}, "datacontenttype")):
        fields = {k: v for k, v in {**good, **change}.items() if v is not None}
        r = s.post(b"", fields)
        assert r.status_code == 400 and says in r.text and "\n" not in r.text, (change, r.text)
    assert s.events() == []


# ---- who may, and what ---------------------------------------------------------------------------------------------------


def test_what_is_no_cloudevent_is_415_with_what_would_be(served):
    s = served()
    for fields, body in (({"Content-Type": "application/json"}, "{}"), ({}, ""), ({"Content-Type": "application/cloudevents+xml"}, "<a/>"),
                         ({"Content-Type": "application/cloudevents"}, "{}"), ({"Content-Type": "application/cloudevents-batch+xml"}, "<a/>"),
                         ({"Content-Type": "text/plain", "x-ce-id": "1"}, "x")):
        r = s.post(body, fields)
        assert r.status_code == 415 and "\n" not in r.text, fields
        assert {"application/cloudevents+json", "application/cloudevents-batch+json"} <= set(r.headers["Accept-Post"].split(", "))
    assert s.events() == []
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        r = requests.request(method, s.base + "/open", timeout=90)
        assert r.status_code == 405 and "POST" in r.headers["Allow"]


def handshake(s, path, **fields):
    r = requests.options(s.base + path, headers={k.replace("_", "-"): v for k, v in fields.items()}, timeout=90)
    return r.status_code, r.headers.get("WebHook-Allowed-Origin"), r.headers.get("WebHook-Allowed-Rate"), r.headers.get("Allow")


def test_the_handshake_grants_to_listed_origins_only(served):
    s = served()
    ask = {"WebHook_Request_Rate": "1000"}
    assert handshake(s, "/listed", WebHook_Request_Origin="emitter.example.com", **ask) == (200, "emitter.example.com", "120", "POST")
    assert handshake(s, "/listed", WebHook_Request_Origin="OTHER.EXAMPLE.COM", **ask) == (200, "OTHER.EXAMPLE.COM", "120", "POST")
    assert handshake(s, "/any", WebHook_Request_Origin="whoever.example.org") == (200, "whoever.example.org", "*", "POST")
    for path, fields in (("/listed", {"WebHook_Request_Origin": "evil.example.com"}), ("/listed", {}), ("/listed", {"WebHook_Request_Origin": ""}),
                         ("/listed", {"WebHook_Request_Origin": "emitter.example.com.evil"}), ("/listed", {"WebHook_Request_Origin": "*"}),
                         ("/open", {"WebHook_Request_Origin": "emitter.example.com"})):
        status, origin, rate, allow = handshake(s, path, **fields, **ask)
        assert (status, origin, rate) == (405, None, None) and "POST" in allow, (path, fields)
    assert s.events() == []


def test_a_delivery_that_names_a_stranger_is_refused(served):
    s = served()
    number = 0
    for path, origin, status in (("/listed", "emitter.example.com", 200), ("/listed", None, 200), ("/listed", "evil.example.com", 403), ("/any", "x", 200),
                                 ("/open", "evil.example.com", 200)):
        number += 1
        fields = {**STRUCTURED, **({"WebHook-Request-Origin": origin} if origin else {})}
        assert s.post(event(str(number)), fields, path).status_code == status, (path, origin)
    assert [e["id"] for e in s.events()] == ["1", "2", "4", "5"]


def test_the_token_may_stand_in_the_query(served):
    s = served()
    token = "t%26%3D%25%2F%20ok"
    rows = [("?access_token=" + token, {}, 200), ("?a=b&access_token=" + token, {}, 200), ("", {"Authorization": "Bearer t&=%/ ok"}, 200),
            ("", {}, 401), ("?access_token=", {}, 401), ("?access_token=wrong", {}, 401), ("?access_token=t&=%/ ok", {}, 401), ("?access_tokens=" + token, {}, 401),
            ("?access_token=%zz", {}, 401), ("?access_token=" + token, {"Authorization": "Bearer wrong"}, 401)]
    for number, (query, fields, status) in enumerate(rows):
        assert s.post(event(str(number)), {**STRUCTURED, **fields}, "/secret" + query).status_code == status, (query, fields)
    assert [e["id"] for e in s.events()] == ["0", "1", "2"]
    assert "%/ ok" not in s.gateway.process.output() and token not in s.gateway.process.output()


# ---- toward a real bus ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ack", ["bus", "spool"])
def test_the_bus_gets_each_event_once_in_the_form_that_sensors_read(served, nats, ack):
    server = nats()
    s = served(more=f"    ack: {ack}", bus=BUS.format(url=server.url))
    sent = [({**FULL, "datacontenttype": "application/json"}, b'{"n":1.50}'), (event("raw", datacontenttype="text/plain"), b"\x00\xff"), (event("none"), b"")]
    for attributes, body in sent:
        fields = binary_fields({k: v for k, v in attributes.items() if k != "datacontenttype"}, attributes.get("datacontenttype"))
        for _ in range(2):  # the second is a retry
            r = wait_until(lambda: (r := s.post(body, fields)).status_code == 200 and r, "the bus takes events")
            assert r.text == "success"
    assert s.post([event(str(i), data=i) for i in range(50)], BATCH).status_code == 200
    with Nats(server.port) as bus:
        wait_until(lambda: bus.count() >= 53, "all are on the bus")
        messages = bus.messages()
    assert len(messages) == 53 and {m.subject for m in messages} == {"default.ingest.open"}
    for message, (attributes, body) in zip(messages, sent):
        got = message.event
        assert base64.b64decode(got.pop("data_base64", "")) == body
        assert got == attributes
    assert sorted(int(base64.b64decode(m.event["data_base64"])) for m in messages[3:]) == list(range(50))
    assert len({m.msg_id for m in messages}) == 53


@pytest.mark.parametrize("ack", ["bus", "spool"])
def test_one_event_to_two_endpoints_is_two_events_on_the_bus(served, nats, ack):
    server = nats()
    s = served(more=f"    ack: {ack}", bus=BUS.format(url=server.url))
    for path in ("/open", "/any", "/open", "/any"):
        r = wait_until(lambda: (r := s.post(event("1"), STRUCTURED, path)).status_code == 200 and r, "the bus takes events")
        assert r.text == "success"
    with Nats(server.port) as bus:
        wait_until(lambda: bus.count() >= 2, "both are on the bus")
        assert [(m.subject, m.msg_id, m.event["id"]) for m in bus.messages()] == [
            ("default.ingest.open", "ingest/open%20/s%201", "1"), ("default.ingest.any", "ingest/any%20/s%201", "1")]
