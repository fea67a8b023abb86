"""The events of the agent protocol against Debian's python3-protobuf: it reads what we write, and we read what it writes.

Ours is tests/tools/wiretest, built on src/wire.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from agentpeer import api  # noqa: F401
from conftest import HOLDFAST

WIRETEST = os.environ.get("WIRETEST_BIN", str(Path(HOLDFAST).parents[2] / "tests/tools/wiretest"))
PREFIX = "io.argoproj.argocd-agent.event"

# field of ours: attribute on the wire
STRINGS = {
    "subject": "subject",
    "resource_id": "resourceid",
    "event_id": "eventid",
    "sent_at": "sentat",
    "principal_uid": "principaluid",
    "traceparent": "traceparent",
    "tracestate": "tracestate",
    "content_type": "datacontenttype",
}
# facts 2.8: type, target, data
ROWS = [
    *((f"{PREFIX}.{verb}", target, b'{"metadata":{"name":"a"}}')
      for verb in ("create", "spec-update", "delete")
      for target in ("application", "appproject", "repository", "gpgkey", "applicationset")),
    (f"{PREFIX}.status-update", "application", b'{"status":{}}'),
    (f"{PREFIX}.set-operation", "application", b"{}"),
    (f"{PREFIX}.terminate-operation", "application", b"{}"),
    (f"{PREFIX}.request-synced-resource-list", "resourceResync", b'{"checksum":null}'),
    (f"{PREFIX}.response-synced-resource", "resourceResync", b'{"name":"a","uid":"u","kind":"Application"}'),
    (f"{PREFIX}.request-update", "resourceResync", b'{"name":"a","uid":"u","kind":"Application","checksum":"AA=="}'),
    (f"{PREFIX}.request-resource-resync", "resourceResync", b"{}"),
    (f"{PREFIX}.cluster-cache-info-update", "clusterCacheInfoUpdate", b'{"applicationsCount":1}'),
    (f"{PREFIX}.redis-request", "redis", b'{"uuid":"q"}'),
    (f"{PREFIX}.redis-response", "redis", b'{"uuid":"q"}'),
    *((method, target, b'{"uuid":"q"}')
      for method in ("GET", "POST", "PATCH", "DELETE") for target in ("resource", "containerlog")),
    (f"{PREFIX}.response", "resource", b'{"uuid":"q","status":200}'),
    (f"{PREFIX}.terminal-request", "terminal", b'{"uuid":"q"}'),
    (f"{PREFIX}.error", "application", b'{"message":"no"}'),
    (f"{PREFIX}.ping", "heartbeat", b""),
    (f"{PREFIX}.processed", "eventProcessed", b""),
]


@pytest.fixture(scope="module")
def ours():
    """A function from the bytes of an event to what wiretest says about it."""
    child = subprocess.Popen([WIRETEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(data):
        child.stdin.write(data.hex() + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
        assert line, f"wiretest ended with {child.wait(60)} after {data.hex()}"
        return json.loads(line)

    yield ask
    child.stdin.close()
    assert child.wait(60) == 0


def make(api, kind, target, data, **strings):
    event = api.Event()
    cloud = event.event
    cloud.source, cloud.spec_version, cloud.type, cloud.binary_data = "agent://agent-managed", "1.0", kind, data
    cloud.attributes["dataschema"].ce_uri = target
    for field, text in strings.items():
        cloud.attributes[STRINGS[field]].ce_string = text
    return event


def parse(api, text):
    return api.Event.FromString(bytes.fromhex(text))


def full(api, kind, target, data):
    return make(api, kind, target, data, **{field: f"{field} ä" for field in STRINGS})


@pytest.mark.parametrize("kind,target,data", ROWS)
def test_each_event_reads_the_same_on_both_sides(api, ours, kind, target, data):
    for event in (full(api, kind, target, data), make(api, kind, target, data, resource_id="r", event_id="e")):
        said = ours(event.SerializeToString())
        assert said["error"] == ""
        assert (said["type"], said["target"], said["known_target"]) == (kind, target, target)
        assert said["type_name"] == kind.removeprefix(PREFIX + ".")
        assert said["source"] == event.event.source and said["data"].encode() == data
        for field, name in STRINGS.items():
            assert said[field] == event.event.attributes[name].ce_string if name in event.event.attributes else not said[field]
        again = parse(api, said["encoded"])
        assert again == event
        assert again.event.WhichOneof("data") == "binary_data"  # even when it is empty


def test_a_stamp_is_merged_into_the_event(api, ours):
    event = make(api, f"{PREFIX}.create", "application", b"{}", resource_id="r", event_id="e", subject="a/b")
    stamped = parse(api, ours(event.SerializeToString())["stamped"])
    event.event.attributes["sentat"].ce_string = "2026-01-02T03:04:05Z"
    event.event.attributes["holdfastorder"].ce_string = "77"
    assert stamped == event


def test_an_ack_carries_every_extension_back_unchanged(api, ours):
    event = full(api, f"{PREFIX}.create", "application", b"{}")
    more = event.event.attributes
    more["number"].ce_integer = -5
    more["flag"].ce_boolean = True
    more["raw"].ce_bytes = b"\xff\x00"
    more["link"].ce_uri_ref = "/x"
    more["seen"].ce_timestamp.seconds = 12
    said = ours(event.SerializeToString())
    ack = parse(api, said["ack"]).event
    assert (ack.type, ack.spec_version, ack.source) == (f"{PREFIX}.processed", "1.0", "wiretest")
    assert ack.WhichOneof("data") == "binary_data" and ack.binary_data == b""
    assert ack.attributes.pop("dataschema").ce_uri == "eventProcessed"
    expected = {name: value for name, value in more.items() if name not in ("subject", "datacontenttype", "dataschema")}
    assert dict(ack.attributes) == expected
    our_ack = parse(api, said["our_ack"]).event.attributes
    assert {name: our_ack[name].ce_string for name in our_ack if name.startswith("holdfast")} == {
        "holdfastorder": "77", "holdfastoutcome": "rejected", "holdfastreason": "because"}


def test_old_sdks_write_the_target_as_a_string_and_data_as_text(api, ours):
    event = make(api, f"{PREFIX}.create", "application", b"", resource_id="r", event_id="e")
    event.event.attributes["dataschema"].ce_string = "application"
    event.event.text_data = '{"ä":1}'
    said = ours(event.SerializeToString())
    assert said["error"] == "" and said["known_target"] == "application" and said["data"] == '{"ä":1}'


def test_what_one_side_refuses_does_not_end_the_other(api, ours):
    """Bytes changed at random: whatever we take, protobuf takes too and reads the same ids out of it."""
    draw = random.Random(20260820)
    good = full(api, f"{PREFIX}.create", "application", b'{"a":1}').SerializeToString(deterministic=True)
    taken = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        said = ours(bytes(data))
        if said["error"]:
            continue
        taken += 1
        event = api.Event.FromString(bytes(data)).event
        assert said["type"] == event.type and said["source"] == event.source
        for field, name in STRINGS.items():
            assert said[field] == (event.attributes[name].ce_string if name in event.attributes else "")
    assert taken > 300
