"""What a nats-server gets from the gateway, byte for byte, and what it does with streams, limits and names."""

import base64
import http.client
import json
import re
import subprocess

import pytest
from conftest import HOLDFAST, NATS_SERVER, wait_until
from natsio import Nats
from onbus import assert_once, messages_of, on_bus  # noqa: F401
from senders import senders  # noqa: F401

BODIES = [
    (b'{ "b" : 1.50 , "a":"<\xe2\x80\xa8>", "a":12345678901234567890 }',
     b'{"b":1.50,"a":"\\u003c\\u2028\\u003e","a":12345678901234567890}'),
    (b'[1, 2,\n3]', b"[1,2,3]"),
    (b'"\xff"', b'"\xff"'),
    (b"null", b"null"),
]


@pytest.mark.parametrize("ack", ["spool", "bus"])
def test_the_message_is_byte_for_byte_what_upstream_publishes(ack, nats, on_bus):
    server = nats()
    g = on_bus(server.url, ack=ack, deadline_s=60).start().wait_for_bus()
    ids = []
    for body, _ in BODIES:
        connection = http.client.HTTPConnection("127.0.0.1", g.port, timeout=90)
        connection.request("POST", "/example", body, {"X-Own": "1"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"success")
        ids.append(answer.headers["Holdfast-Event-Id"])
    with Nats(server.port) as client:
        wait_until(lambda: client.count() == len(BODIES), "all are in the stream")
        messages = client.messages()
    for message, own_id, (sent, body) in zip(messages, ids, BODIES, strict=True):
        payload = b'{"header":{"Accept-Encoding":["identity"],"Content-Length":["%d"],"X-Own":["1"]},"body":%b}' % (len(sent), body)
        time = message.event["time"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z", time)
        assert re.fullmatch(r"[0-9a-f]{32}", own_id)
        assert message.subject == "default.hooks.example"
        assert message.headers == [("Nats-Msg-Id", own_id)]
        assert message.data == (
            b'{"specversion":"1.0","id":"%b","source":"hooks","type":"webhook","subject":"example",'
            b'"datacontenttype":"application/json","time":"%b","data_base64":"%b"}'
            % (own_id.encode(), time.encode(), base64.b64encode(payload)))


# ---- the stream ---------------------------------------------------------------------------------------------------------

SECOND = 10**9

STREAMS = {
    "absent": ("", {"retention": "limits", "discard": "old", "max_msgs": -1, "max_bytes": -1, "max_age": 168 * 3600 * SECOND,
                    "duplicate_window": 300 * SECOND}),
    "as the controller writes it": ("""
    streamConfig: |
      maxMsgs: 50000
      maxAge: 168h
      maxBytes: -1
      replicas: 1
      duplicates: 300s
      retention: 0
      discard: 0
""", {"retention": "limits", "discard": "old", "max_msgs": 50000, "max_bytes": -1, "max_age": 168 * 3600 * SECOND,
      "duplicate_window": 300 * SECOND}),
    "every field another": ("""
    streamConfig: |
      MAXMSGS: 1000
      maxbytes: 1000000
      maxAge: 36h
      duplicates: 1m30s
      retention: 1
      discard: 1
""", {"retention": "interest", "discard": "new", "max_msgs": 1000, "max_bytes": 1000000, "max_age": 36 * 3600 * SECOND,
      "duplicate_window": 90 * SECOND}),
    "a work queue that says nothing else": ("""
    streamConfig: "retention: 2"
""", {"retention": "workqueue", "discard": "old", "max_msgs": 0, "max_bytes": 0, "max_age": 0, "duplicate_window": 0}),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_is_absent_is_created_with_exactly_what_is_configured(name, nats, on_bus):
    text, config = STREAMS[name]
    server = nats()
    with Nats(server.port) as client:  # the server fills in what is not said: the same request by hand shows what
        expected = client.create_stream(storage="file", num_replicas=1, max_consumers=0, max_msgs_per_subject=0, **config)["config"]
        client.delete_stream()
        on_bus(server.url, exotic=text).start().wait_for_bus()
        got = client.stream()["config"]
    assert got == expected
    assert got["subjects"] == ["default.*.*"] and got["name"] == "default"


def test_an_existing_stream_is_used_as_it_is(nats, on_bus):
    server = nats()
    with Nats(server.port) as client:
        before = client.create_stream(subjects=["default.*.*", "other"], storage="memory", max_msgs=7, discard="old", retention="limits",
                                      num_replicas=1)["config"]
        g = on_bus(server.url, exotic="    streamConfig: 'maxMsgs: 9'\n").start().wait_for_bus()
        assert g.post_to("example", '{"id":"1"}').status_code == 200
        g.drain()
        assert client.stream()["config"] == before
        assert [m.body["id"] for m in client.messages()] == ["1"]


def test_what_the_server_refuses_of_a_stream_is_in_the_log(nats, on_bus):
    server = nats()
    g = on_bus(server.url, exotic="    streamConfig: 'replicas: 3'\n").start()
    wait_until(lambda: g.says(r'create the stream \"default\": replicas > 1 not supported in non-clustered mode'), "the log says why")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    with Nats(server.port) as client:
        client.create_stream(storage="file")  # somebody else made it
        wait_until(lambda: client.count() == 1, "what waited is in the stream")


def test_a_stream_that_is_deleted_is_created_again_and_what_waits_goes_in(nats, on_bus, senders):
    server = nats()
    g = on_bus(server.url, events={"a": "spool", "b": "bus"}).start().wait_for_bus()
    load = senders(g.port, ["a", "b"], each=4)
    load.wait_for(200)
    with Nats(server.port) as client:
        for _ in range(3):
            client.delete_stream()
            wait_until(lambda: client.count() >= 100, "there is a stream again, and events go in")
        wait_until(lambda: sum(m.subject.endswith(".a") for m in client.messages()) >= 50, "of both routes")
    load.wait_for(200)
    load.stop()
    g.drain()
    assert g.says("the stream is gone") == 3 and g.says("stream created") == 4
    messages = messages_of(server)
    assert_once(messages)
    there = [(m.event["id"], m.body["id"]) for m in messages if m.subject == "default.hooks.a"]
    place = {event: i for i, event in enumerate(g.stored("a"))}
    places = [place[event] for event in there]
    assert len(there) >= 50 and places[-1] == len(place) - 1
    # The server refuses what comes behind the deletion before it acknowledges what came before it, and a refusal does not say whose it is:
    # the first here may have been in the former stream, too. What follows has no gap.
    assert all(a < b for a, b in zip(places, places[1:])) and sum(a + 1 != b for a, b in zip(places, places[1:])) <= 1, places
    assert set(load.ids(500)) <= {a.id for a in load.answers if a.route == "b"}


def test_a_server_without_jetstream_is_waited_for(spawn, free_port, on_bus, tmp_path):
    port = free_port()
    bare = spawn("bare", [NATS_SERVER, "-a", "127.0.0.1", "-p", port])
    g = on_bus(f"nats://127.0.0.1:{port}").start()
    wait_until(lambda: g.says("JetStream is not enabled on the server"), "the log says why")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    bare.stop()
    spawn("full", [NATS_SERVER, "-a", "127.0.0.1", "-p", port, "-js", "-sd", tmp_path / "js"])
    g.wait_for_bus().drain()
    with Nats(port) as client:
        assert [m.body["id"] for m in client.messages()] == ["1"]


def test_a_full_stream_refuses_and_takes_the_rest_in_order_when_there_is_room(nats, on_bus):
    server = nats()
    stream = "    streamConfig: '{maxMsgs: 5, discard: 1}'\n"
    g = on_bus(server.url, events={"a": "spool", "b": "bus"}, exotic=stream).start().wait_for_bus()
    for n in range(12):
        assert g.post_to("a", '{"id":"%d"}' % n).status_code == 200
    wait_until(lambda: g.waiting() == 7, "the stream is full")
    answer = g.post_to("b", '{"id":"b"}')
    assert (answer.status_code, answer.text) == (500, "failed to record event")
    wait_until(lambda: g.says("maximum messages exceeded"), "the log says why")
    with Nats(server.port) as client:
        found = client.messages()
        for count in (5, 2):
            client.purge_stream()
            wait_until(lambda n=count: client.count() == n, "the next go in")
            found += client.messages()
    assert [m.body["id"] for m in found] == [str(n) for n in range(12)]
    g.drain()
    assert g.says("a route's events are not taken; they wait") <= 3


def test_bus_mode_says_in_the_log_why_the_bus_takes_nothing(nats, on_bus):
    server = nats()
    g = on_bus(server.url, events={"b": "bus"}, exotic="    streamConfig: '{maxMsgs: 1, discard: 1}'\n").start().wait_for_bus()
    assert g.post_to("b", '{"id":"1"}').status_code == 200
    for _ in range(5):
        assert g.post_to("b", '{"id":"2"}').status_code == 500
    wait_until(lambda: g.says("maximum messages exceeded"), "the log says why")
    assert g.says("the bus does not take events of this route") == 1


# ---- larger than the server takes ---------------------------------------------------------------------------------------

def holdfast(*words):
    done = subprocess.run([HOLDFAST, *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_event_larger_than_max_payload(nats, on_bus, tmp_path):
    server = nats("max_payload: 20000")
    g = on_bus(server.url, events={"a": "spool", "b": "bus"}, deadline_s=60).start().wait_for_bus()

    def body(own_id, size=10):
        return json.dumps({"id": own_id, "pad": "x" * size})

    answer = g.post_to("b", body("b1", 30000))
    assert (answer.status_code, answer.text) == (413, "the event is larger than the bus takes; send a smaller body")
    for own_id, size in (("1", 10), ("2", 30000), ("3", 10), ("4", 40000), ("5", 14000), ("6", 10)):
        assert g.post_to("a", body(own_id, size)).status_code == 200
    g.drain()
    dead = [json.loads(line) for line in holdfast("dead", "list", "--json", "-D", g.data).splitlines()]
    assert [d["position"] for d in dead] == [2, 4]
    aside = [line for line in g.log() if "dead letter" in line["msg"]]
    assert [(line["event_id"], line["event_source"], line["event_name"], line["position"]) for line in aside] == [
        (own_id, "hooks", "a", position) for position, (own_id, _) in enumerate(g.stored("a"), 1) if position in (2, 4)]
    assert all("max_payload is 20000" in d["reason"] for d in dead)
    assert [m.body["id"] for m in messages_of(server)] == ["1", "3", "5", "6"]

    config = tmp_path / "nats.conf"
    config.write_text(config.read_text().replace("20000", "200000"))
    server.stop()
    wait_until(lambda: not g.bus_up(), "the bus is down")
    away = subprocess.run([HOLDFAST, "dead", "retry", "--all", "-D", g.data], capture_output=True, text=True, timeout=60)
    assert away.returncode == 1 and "0 taken by the bus" in away.stderr
    again = [line["error"] for line in g.log() if line["msg"] == "a dead letter failed again"]
    assert again == ["the bus is not connected"], "the limit of the next server is not known"
    server.restart()
    g.wait_for_bus()
    assert holdfast("dead", "drop", 4, "-D", g.data) == "1 dead letter dropped\n"
    assert holdfast("dead", "retry", "--all", "-D", g.data) == "1 dead letter taken by the bus\n"
    assert holdfast("dead", "list", "-D", g.data) == ""
    assert g.post_to("b", body("b2", 30000)).status_code == 200
    assert g.post_to("a", body("7", 40000)).status_code == 200
    g.drain()
    messages = messages_of(server)
    assert [m.body["id"] for m in messages] == ["1", "3", "5", "6", "2", "b2", "7"]
    assert_once(messages)


# ---- names --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("old, new, token", [("    example:", "    ex.ample:", "."), ("name: hooks", "name: my.hooks", "."),
                                             ("    example:", "    ex*ample:", "*"), ("    example:", '    "ex>ample":', ">"),
                                             ("    example:", "    'ex ample':", " ")])
def test_names_that_a_subject_cannot_hold_are_refused_before_the_start(old, new, token, on_bus):
    g = on_bus("nats://127.0.0.1:4222")
    g.file.write_text(g.file.read_text().replace(old, new, 1))
    for command in (["check-config", g.file], ["gateway", "-f", g.file]):
        done = subprocess.run([HOLDFAST, *command], capture_output=True, text=True, timeout=90)
        assert done.returncode == 1
        assert "subject" in done.stdout + done.stderr, done
        assert f"{g.file}:" in done.stdout + done.stderr
