"""What an operator finds in the log: about one request at debug, about an outage by default; and never a secret."""

import pytest
import requests
from conftest import wait_until

ROUTE = {"event_source": "webhook", "event_name": "example", "route": "/hook"}
SECRETS = ("the-right-token", "the-wrong-token", "in-the-query", "in-the-body", "in-a-field")


@pytest.fixture
def told(gateway, tmp_path):
    """A gateway that logs at debug, with an endpoint that wants a token and one that takes CloudEvents."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "token").write_text("the-right-token")
    g = gateway(holdfast=f"""\
    secretsDir: {tmp_path}
    cloudevents: {{events: {{port: "PORT", endpoint: /events}}}}
""")
    wanted = "method: POST\n      authSecret: {name: hook, key: token}\n      filter: {expression: body.n != 3}"
    g.file.write_text(g.file.read_text().replace("PORT", str(g.port)).replace("method: POST", wanted))
    return g.start(env={"LOG_LEVEL": "debug"})


def said(g, msg):
    """The fields of the lines with this message, without those that all lines have."""
    return [{k: v for k, v in line.items() if k not in ("level", "ts", "logger", "msg")}
            for line in g.log() if line["msg"] == msg]


def test_at_debug_each_request_can_be_found_again(told):
    right = {"Authorization": "Bearer the-right-token", "X-Secret": "in-a-field"}
    answer = told.post('{"n":1,"s":"in-the-body"}', headers=right)
    assert answer.status_code == 200
    assert said(told, "an event was stored") == [
        {"event_id": answer.headers["Holdfast-Event-Id"], **ROUTE, "position": 1, "duplicate": False}]

    assert told.post("in-the-body", headers={"Authorization": "Bearer the-wrong-token"}).status_code == 401
    assert told.post("in-the-body", headers=right).status_code == 400
    refused = said(told, "a request was refused")
    assert [line.pop("said") for line in refused][0] == "Invalid Auth token"
    assert refused == [{**ROUTE, "client": "127.0.0.1", "status": status} for status in (401, 400)]

    assert told.post('{"n":3}', headers=right).status_code == 200
    assert [{**line, "event_id": 32} for line in said(told, "an event does not pass its filter")] == [{"event_id": 32, **ROUTE}]

    assert requests.post(told.url + "s?access_token=in-the-query", timeout=90).status_code == 404
    assert said(told, "no endpoint has this path") == [
        {"port": told.port, "path": "/hooks", "client": "127.0.0.1", "status": 404}]

    event = {"Ce-Specversion": "1.0", "Ce-Id": "7", "Ce-Source": "/shop", "Ce-Type": "paid"}
    for _ in range(2):
        assert requests.post(f"http://127.0.0.1:{told.port}/events", "{}", headers=event, timeout=90).status_code == 200
    assert [(line["event_id"], line["route"], line["position"], line["duplicate"])
            for line in said(told, "an event was stored")[1:]] == [("7", "/events", 2, False), ("7", "/events", 2, True)]

    assert told.process.stop() == 0
    assert [secret for secret in SECRETS if secret in told.process.output()] == []


def test_without_debug_requests_leave_no_line(gateway):
    g = gateway().start(env={"LOG_LEVEL": "info"})
    wait_until(lambda: g.says('"serving"'), "the last line of the start")
    lines = len(g.log())
    for path in ("/hook", "/hooks"):
        for body in ("{}", "{"):
            requests.post(f"http://127.0.0.1:{g.port}{path}", body, headers={"Content-Type": "application/json"}, timeout=90)
    assert len(g.log()) == lines
