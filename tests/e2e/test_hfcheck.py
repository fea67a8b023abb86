"""The checker itself: it must see every kind of broken promise, and nothing else."""
import base64
import json
import pathlib
import subprocess

import pytest

HFCHECK = pathlib.Path(__file__).parents[2] / "bench" / "hfcheck.py"


def event_id(number, connection=0, run="aaaaaaaa"):
    return f"{run}-{connection:05d}-{number:010d}"


def payload(identity, pad="xxxx"):
    return json.dumps({"header": {"Host": ["x"]}, "body": {"id": identity, "pad": pad}})


def cloud_event(identity, **body):
    data = base64.b64encode(payload(identity, **body).encode()).decode()
    return json.dumps({"specversion": "1.0", "id": "e" + identity, "source": "s", "type": "webhook", "data_base64": data})


def check(tmp_path, outcomes, stored, *more):
    """Runs the checker; returns its exit status and its summary."""
    (tmp_path / "ids").write_text("# hfload run=aaaaaaaa connections=2\n" + "".join(o + "\n" for o in outcomes))
    (tmp_path / "stored").write_text("".join(line + "\n" for line in stored))
    done = subprocess.run([HFCHECK, "--ids", tmp_path / "ids", "--stored", tmp_path / "stored", "--json", *more],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def failures(result):
    return {name: result[name] for name in ("lost", "duplicates", "invented", "torn", "order") if result[name]}


IDS = [event_id(n) for n in range(4)]
ACKED = [f"A {i}" for i in IDS]


@pytest.mark.parametrize("form", [
    pytest.param(cloud_event, id="data_base64"),
    pytest.param(payload, id="payload alone"),
    pytest.param(lambda i: '{"position":1,"stored":"2024-05-01T12:00:00Z","event":' + cloud_event(i) + "}", id="holdfast tail"),
    pytest.param(lambda i: json.dumps({"specversion": "1.0", "id": "1", "data": {"id": i, "pad": "xx"}}), id="data is the body"),
    pytest.param(lambda i: json.dumps({"specversion": "1.0", "id": "1", "data": payload(i)}), id="data is text"),
])
def test_every_form_of_a_stored_event_is_understood(tmp_path, form):
    status, result = check(tmp_path, ACKED, [form(i) for i in IDS], "--in-order")
    assert (status, failures(result), result["stored"], result["acknowledged"]) == (0, {}, 4, 4)


def test_an_acknowledged_event_that_cannot_be_read_is_lost(tmp_path):
    status, result = check(tmp_path, ACKED, [cloud_event(i) for i in IDS[:3]])
    assert (status, failures(result)) == (1, {"lost": 1})


def test_an_event_stored_twice_is_a_duplicate(tmp_path):
    status, result = check(tmp_path, ACKED, [cloud_event(i) for i in IDS + IDS[1:2]])
    assert (status, failures(result)) == (1, {"duplicates": 1})


def test_an_unanswered_event_stored_twice_is_a_duplicate_too(tmp_path):
    outcomes = [f"U {IDS[0]}", f"A {IDS[0]}"]
    assert check(tmp_path, outcomes, [cloud_event(IDS[0])])[0] == 0
    status, result = check(tmp_path, outcomes, [cloud_event(IDS[0])] * 2)
    assert (status, failures(result)) == (1, {"duplicates": 1})


def test_an_event_that_was_never_sent_is_invented(tmp_path):
    status, result = check(tmp_path, ACKED, [cloud_event(i) for i in IDS + [event_id(99)]])
    assert (status, failures(result)) == (1, {"invented": 1})


def test_events_of_another_run_are_foreign_and_do_no_harm(tmp_path):
    status, result = check(tmp_path, ACKED, [cloud_event(i) for i in IDS + [event_id(0, run="bbbbbbbb")]])
    assert (status, failures(result), result["foreign"]) == (0, {}, 1)


def test_refused_and_unanswered_events_may_be_stored_or_not(tmp_path):
    outcomes = [f"A {IDS[0]}", f"R {IDS[1]} 503", f"U {IDS[2]}", f"U {IDS[3]}"]
    status, result = check(tmp_path, outcomes, [cloud_event(i) for i in IDS[:3]])
    assert (status, failures(result)) == (0, {})
    assert (result["refused_but_stored"], result["unknown_but_stored"]) == (1, 1)


@pytest.mark.parametrize("damage", [
    pytest.param(lambda line: line[:-9], id="cut"),
    pytest.param(lambda line: line.replace("data_base64\": \"", "data_base64\": \"!"), id="base64"),
    pytest.param(lambda line: line.replace("data_base64", "data_base46"), id="no data"),
    pytest.param(lambda line: "\0" * len(line), id="zeros"),
    pytest.param(lambda line: "[]", id="not an object"),
    pytest.param(lambda line: cloud_event(IDS[0], pad="xx\0x"), id="padding"),
])
def test_a_damaged_event_is_torn_and_its_event_lost(tmp_path, damage):
    status, result = check(tmp_path, ACKED[:1], [damage(cloud_event(IDS[0]))])
    assert (status, failures(result)) == (1, {"lost": 1, "torn": 1})


def test_order_is_checked_within_a_connection_and_only_when_asked(tmp_path):
    ids = [event_id(0, 0), event_id(0, 1), event_id(1, 1), event_id(1, 0)]
    outcomes = [f"A {i}" for i in ids]
    assert check(tmp_path, outcomes, [cloud_event(i) for i in ids], "--in-order")[0] == 0
    swapped = [cloud_event(i) for i in (ids[0], ids[2], ids[1], ids[3])]
    assert check(tmp_path, outcomes, swapped)[0] == 0
    status, result = check(tmp_path, outcomes, swapped, "--in-order")
    assert (status, failures(result)) == (1, {"order": 1})


def test_an_unreadable_record_is_no_verdict(tmp_path):
    status, message = check(tmp_path, ["what is this"], [])
    assert status == 2 and "line 2" in message
