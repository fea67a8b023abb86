"""kill -9 at random moments: what was acknowledged is readable, nothing is there twice, nothing is torn."""

import json
import shutil
import subprocess
import time

import pytest
import requests
from conftest import HOLDFAST, KILL_ROUNDS, wait_until
from load import CLOUDEVENT, Load, judge, metric, store_check, wait_for_events

CLOUDEVENTS = """\
    cloudevents:
      events:
        port: "{port}"
        endpoint: /events
"""


@pytest.fixture
def loaded(gateway, spawn, tmp_path):
    """A started gateway under two loads: webhooks, each sent once, and CloudEvents that are sent until they are answered."""
    g = gateway()
    g.file.write_text(g.file.read_text() + CLOUDEVENTS.format(port=g.port))
    g.start()
    events = f"http://127.0.0.1:{g.port}/events"
    return g, Load(spawn, "hooks", g.url, tmp_path / "hooks.ids"), \
        Load(spawn, "events", events, tmp_path / "events.ids", "--retry", *CLOUDEVENT)


def event_ids(g):
    """The ids of the stored CloudEvents that `holdfast tail` reads, each beside the id in its body."""
    out = subprocess.run([HOLDFAST, "tail", "--data-dir", g.data, "--name", "events", "--json"], check=True,
                         capture_output=True, timeout=60).stdout
    events = [json.loads(line)["event"] for line in out.splitlines()]
    return [(e["id"], e["data"]["id"]) for e in events]


def test_kill_under_load(loaded, chance):
    g, hooks, events = loaded
    duplicates = 0
    for n in range(KILL_ROUNDS):
        time.sleep(chance.uniform(0, 0.15))  # the random moment
        duplicates += metric(g, "holdfast_store_duplicates_total")
        g.process.kill()
        g.start()
    hooks.stop()
    events.stop()
    duplicates += metric(g, "holdfast_store_duplicates_total")
    assert g.process.stop() == 0

    both = judge(g, [hooks.ids, events.ids])
    assert both["acknowledged"] > 10 * KILL_ROUNDS and both["unknown"] > 0, both
    store_check(g)

    # Each id that was sent again until it was answered is there, once, under its own name.
    outcomes = events.outcomes()
    retried = {i for i, kinds in outcomes.items() if kinds[0] == "U" and kinds[-1] == "A"}
    assert len(retried) >= KILL_ROUNDS, "the kills did not cut requests off"
    stored = event_ids(g)
    assert all(own == body for own, body in stored)
    assert retried <= {own.encode() for own, _ in stored}
    assert len({own for own, _ in stored}) == len(stored)
    assert duplicates > 0, "no id came twice: the test proves less than it says"


def test_kill_while_it_starts(loaded, chance):
    """A start reads the log of the one before, and may itself be killed: again and again."""
    g, hooks, events = loaded
    wait_for_events(g, 500)
    for _ in range(KILL_ROUNDS // 2):
        g.process.kill()
        process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file])
        time.sleep(chance.uniform(0, 0.06))
        process.kill()
    g.start()
    hooks.stop()
    events.stop()
    assert g.process.stop() == 0
    judge(g, [hooks.ids, events.ids])
    store_check(g)


def test_kill_while_it_makes_its_store(gateway, chance):
    """Whatever is left of the first start, the next one makes a store of it."""
    g = gateway()
    for _ in range(KILL_ROUNDS // 2):
        shutil.rmtree(g.data, ignore_errors=True)
        process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file])
        if chance.random() < 0.5:
            wait_until(lambda: g.data.exists(), "the directory is made")
            time.sleep(chance.uniform(0, 0.01))
        else:
            time.sleep(chance.uniform(0, 0.04))
        process.kill()
        g.start()
        assert g.post("{}").status_code == 200
        assert len(g.events()) == 1
        g.process.kill()


def test_a_second_gateway_on_the_same_store_is_refused_and_harms_nobody(gateway):
    first, second = gateway(), gateway(name="second")
    second.file.write_text(second.file.read_text().replace(str(second.data), str(first.data)))
    first.start()
    assert first.post("[1]").status_code == 200
    description = (first.data / "admin.json").read_text()

    process = second.spawn("second", [HOLDFAST, "gateway", "-f", second.file])
    assert process.wait() == 1
    assert f"in use by process {first.process.pid}" in process.output()
    with pytest.raises(requests.exceptions.ConnectionError):
        second.post("[2]")

    assert (first.data / "admin.json").read_text() == description
    assert first.post("[3]").status_code == 200
    assert [json.loads(data)["body"] for data in first.events()] == [[1], [3]]
    first.process.kill()
    second.start()  # a killed owner leaves nothing behind that would need a hand
    assert second.post("[4]").status_code == 200
    assert len(first.events()) == 3
