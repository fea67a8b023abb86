"""Filters: what they hold back, what they let through, and that one which fails loses nothing (facts argo-events 3)."""

import base64
import json
import subprocess

import pytest
import requests
from conftest import HOLDFAST
from load import metric as total
from onbus import messages_of, on_bus  # noqa: F401

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: filtered
spec:
  webhook:
    main:
      port: "{port}"
      endpoint: /main
      method: POST
      filter:
        expression: |
          // pushes to main that change a document
          header["X-Github-Event"][0] == "push" &&
          body.ref == "refs/heads/main" &&
          any(body.commits, any(.modified, # endsWith ".md"))
    fails: {{port: "{port}", endpoint: /fails, method: POST, filter: {{expression: "body.a.b > 1"}}}}
    greedy: {{port: "{port}", endpoint: /greedy, method: POST, filter: {{expression: "any(1..100000000, # < 0)"}}}}
  holdfast:
    dataDir: {data}
    deadline: 60s
    admin: {{address: "127.0.0.1:{admin}"}}
    cloudevents:
      own:
        port: "{port}"
        endpoint: /own
        filter: {{expression: 'type startsWith "com.example." && data.size > 10 || subject == "always"'}}
"""


@pytest.fixture
def filtered(gateway):
    g = gateway()
    g.file.write_text(MANIFEST.format(port=g.port, data=g.data, admin=g.admin_port))
    g.start()
    g.base = f"http://127.0.0.1:{g.port}"
    return g


def metric(g, name, event):
    line = f'{name}{{namespace="default",eventsource_name="filtered",event_name="{event}"}} '
    text = requests.get(g.admin + "/metrics", timeout=90).text
    return next(int(row[len(line):]) for row in text.splitlines() if row.startswith(line))


def stored(g, name):
    out = subprocess.run([HOLDFAST, "tail", "--data-dir", g.data, "--name", name, "--json"], check=True,
                         capture_output=True, timeout=60).stdout
    return [json.loads(line)["event"] for line in out.splitlines()]


def post(g, path, body, **headers):
    return requests.post(g.base + path, data=json.dumps(body), headers=headers, timeout=90)


def push(ref, *modified):
    return {"ref": ref, "commits": [{"modified": [path]} for path in modified]}


def test_only_what_passes_is_stored_and_the_rest_is_answered_with_success(filtered):
    g = filtered
    sent = [
        ("push", push("refs/heads/main", "a.c", "docs/b.md"), True),
        ("push", push("refs/heads/main", "a.c"), False),
        ("push", push("refs/heads/next", "b.md"), False),
        ("ping", push("refs/heads/main", "b.md"), False),
        ("push", push("refs/heads/main"), False),
        ("push", push("refs/heads/main", "c.md"), True),
    ]
    for event, body, passes in sent:
        answer = post(g, "/main", body, **{"X-GitHub-Event": event})
        assert (answer.status_code, answer.text) == (200, "success")
        assert ("Holdfast-Event-Id" in answer.headers) == passes
    events = stored(g, "main")
    assert [event["data"]["body"] for event in events] == [body for _, body, passes in sent if passes]
    assert all("filtererror" not in event for event in events)
    assert metric(g, "holdfast_gateway_filtered_total", "main") == 4
    assert metric(g, "holdfast_gateway_filter_errors_total", "main") == 0
    assert metric(g, "argo_events_events_sent_total", "main") == 2


def test_an_event_that_a_filter_cannot_judge_is_stored_marked_and_counted(filtered):
    g = filtered
    for body in ({"a": {"b": 2}}, {"a": {"b": "two"}}, {}, {"a": {"b": 1}}):
        assert post(g, "/fails", body).status_code == 200
    events = stored(g, "fails")
    assert [(event["data"]["body"], event.get("filtererror")) for event in events] == [
        ({"a": {"b": 2}}, None),
        ({"a": {"b": "two"}}, "column 10: > does not go with string and int"),
        ({}, "column 8: nil has no members: ?. passes over what is not there"),
    ]
    assert metric(g, "holdfast_gateway_filter_errors_total", "fails") == 2
    assert metric(g, "holdfast_gateway_filtered_total", "fails") == 1


def test_an_expression_that_takes_too_much_is_stopped_and_the_event_is_stored(filtered):
    g = filtered
    answer = post(g, "/greedy", {})
    assert answer.status_code == 200
    (event,) = stored(g, "greedy")
    assert event["filtererror"].endswith("the expression takes more than 1000000 steps on this event")


def cloudevent(**attributes):
    return {"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.x", **attributes}


def test_filters_of_cloudevents_see_their_attributes_and_data(filtered):
    g = filtered
    batch = [
        cloudevent(id="1", data={"size": 11}),
        cloudevent(id="2", data={"size": 9}),
        cloudevent(id="3", type="other", data={"size": 11}),
        cloudevent(id="4", type="other", subject="always"),
        cloudevent(id="5", datacontenttype="text/plain", data="text"),
        cloudevent(id="8", datacontenttype="application/json", data_base64=base64.b64encode(b'{"size": 11}').decode()),
        cloudevent(id="9", datacontenttype="application/json", data_base64=base64.b64encode(b'{"size": 9}').decode()),
        cloudevent(id="10", datacontenttype="application/octet-stream", data_base64=base64.b64encode(b'{"size": 9}').decode()),
        cloudevent(id="11", datacontenttype="application/json", data_base64=base64.b64encode(b'{"size"').decode()),
    ]
    answer = post(g, "/own", batch, **{"Content-Type": "application/cloudevents-batch+json"})
    assert answer.status_code == 200
    events = {event["id"]: event for event in stored(g, "own")}
    assert set(events) == {"1", "4", "5", "8", "10", "11"}
    assert {id for id in events if "filtererror" in events[id]} == {"5", "10", "11"}
    headers = {"ce-specversion": "1.0", "ce-id": "6", "ce-source": "/s", "ce-type": "com.example.y", "Content-Type": "application/json"}
    for number, body in (("6", ' { "size" :\n 12 } '), ("7", ' { "size" :\n 1 } ')):
        answer = requests.post(g.base + "/own", data=body, headers={**headers, "ce-id": number}, timeout=90)
        assert answer.status_code == 200
    assert {event["id"] for event in stored(g, "own")} == {*events, "6"}


def test_a_filter_comes_before_the_bus_too(on_bus, nats):
    server = nats()
    g = on_bus(server.url, ack="bus", deadline_s=60)
    text = g.file.read_text()
    g.file.write_text(text.replace("method: POST,", 'method: POST, filter: {expression: "body.a > 1"},'))
    g.start()
    for body in ({"a": 2}, {"a": 0}, {}):
        answer = g.post_to("example", json.dumps(body))
        assert (answer.status_code, answer.text) == (200, "success")
    assert [(m.body, m.event.get("filtererror")) for m in messages_of(server)] == [
        ({"a": 2}, None),
        ({}, "column 8: > does not go with nil and int"),
    ]
    assert total(g, "holdfast_gateway_filtered_total") == 1


BAD = [
    ("'body.id =='", 8, "column 11: the expression ends too early: a value was expected"),
    ("'body.name + 1 == \"a\" && 1'", 8, "column 22: and does not go with bool and int"),
    ("'upper(body.a) matches \"(\"'", 8, "column 23: the regular expression is not valid: missing closing parenthesis"),
    ("'uper(body.a) == 1'", 8, "column 1: there is no function uper: did you mean upper?"),
    ("|\n          body.a == 1 &&\n          // and\n            body.b ==== 2\n", 11, "line 3, column 12: unexpected '==': a value was expected"),
    ("'sprig.genPrivateKey(\"rsa\") == \"\"'", 8, "column 7: there is no function sprig.genPrivateKey"),
    ("'1 + 1'", 8, "column 3: a filter gives true or false, not int"),
]


@pytest.mark.parametrize("expression, line, text", BAD)
def test_check_config_points_to_the_place_in_an_expression_that_is_none(tmp_path, expression, line, text):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: n}\nspec:\n  webhook:\n    e:\n      filter:\n"
        f"        expression: {expression}\n      port: '1'\n      endpoint: /e\n      method: POST\n"
    )
    done = subprocess.run([HOLDFAST, "check-config", "-f", path], capture_output=True, text=True)
    assert done.returncode != 0
    assert f"bad.yaml:{line}: spec.webhook.e.filter.expression: {text}" in done.stdout + done.stderr
