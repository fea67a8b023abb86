"""The store as a bus: the events API, `tail --follow` beside the gateway, and what happens to events no bus can take."""

import contextlib
import json
import sqlite3
import subprocess
import threading
from pathlib import Path

import pytest
import requests
from conftest import BUS, HOLDFAST, wait_until
from load import metric
from natsio import Nats

ROUTES = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: one}}
spec:
  webhook:
    a: {{port: "{port}", endpoint: /one/a, method: POST}}
    b: {{port: "{port}", endpoint: /one/b, method: POST}}
  holdfast:
    dataDir: {data}
    deadline: 60s
    admin: {{address: "127.0.0.1:{admin}", tokenFile: {token}}}
---
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: two}}
spec:
  webhook:
    a: {{port: "{port}", endpoint: /two/a, method: POST}}
  holdfast:
    deadline: 60s
    cloudevents:
      bulk: {{port: "{port}", endpoint: /bulk}}
"""


class Api:
    """The events API of a gateway."""

    def __init__(self, g, token):
        self.g, self.token = g, token

    def get(self, path="/events", token=None, **query):
        return requests.get(self.g.admin + path, params=query, timeout=70, headers={"Authorization": "Bearer " + (token or self.token)})

    def events(self, **query):
        """[(position, body), ...] and the position to go on after."""
        answer = self.get(**query)
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/x-ndjson", answer.text
        rows = [json.loads(line) for line in answer.text.splitlines()]
        return [(r["position"], r["event"]["data"]["body"]) for r in rows], int(answer.headers["Holdfast-Next-After"])


@pytest.fixture
def served(gateway, tmp_path):
    g = gateway()
    g.token_file = tmp_path / "token"
    g.token_file.write_text("first-token\n")
    g.file.write_text(ROUTES.format(port=g.port, data=g.data, admin=g.admin_port, token=g.token_file))
    g.start()
    g.api = Api(g, "first-token")
    return g


def post(g, path, body):
    answer = requests.post(f"http://127.0.0.1:{g.port}{path}", json=body, timeout=90)
    assert answer.status_code == 200, answer.text
    return int(answer.headers["Holdfast-Position"])


def readers(g):
    """How many connections to the admin port are open."""
    out = subprocess.run(["ss", "-Htn", "state", "established", f"sport = :{g.admin_port}"], check=True, capture_output=True)
    return len(out.stdout.splitlines())


def test_what_is_answered_200_is_readable_whatever_ack_says(gateway):
    g = gateway("    ack: bus\n").start()
    for n in range(3):
        answer = g.post(json.dumps(n))
        assert (answer.status_code, answer.headers.get("Holdfast-Position")) == (200, str(n + 1))
    assert [json.loads(line)["body"] for line in g.events()] == [0, 1, 2]


# ---- the events API -------------------------------------------------------------------------------------------------------

def test_events_come_in_pages_after_a_position(served):
    for n in range(1, 8):
        assert post(served, "/one/a", n) == n
    api = served.api
    assert api.events() == ([(n, n) for n in range(1, 8)], 7)
    assert api.events(after=5) == ([(6, 6), (7, 7)], 7)
    assert api.events(after=7) == ([], 7)
    seen, after = [], 0
    while page := api.events(after=after, limit=3)[0]:
        assert len(page) <= 3
        seen += page
        after = page[-1][0]
    assert seen == [(n, n) for n in range(1, 8)]


@pytest.mark.parametrize("wait", [0, 60])
def test_a_reader_of_a_newer_copy_of_the_store_is_told(served, wait):
    post(served, "/one/a", 1)
    assert served.api.events(after=1) == ([], 1)
    answer = served.api.get(after=2, wait=wait)
    assert answer.status_code == 409 and "the last position in this store is 1: after=2 is of a newer copy" in answer.text


def test_events_of_a_source_and_of_a_name(served):
    for path in ("/one/a", "/one/b", "/two/a", "/one/b"):
        post(served, path, path)
    api = served.api
    assert api.events(source="one")[0] == [(1, "/one/a"), (2, "/one/b"), (4, "/one/b")]
    assert api.events(name="a")[0] == [(1, "/one/a"), (3, "/two/a")]
    assert api.events(source="two", name="a")[0] == [(3, "/two/a")]
    assert api.events(source="two", name="b")[0] == []
    assert api.events(source="o")[0] == []


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "-1"}, {"limit": "0"}, {"limit": "1001"}, {"wait": "61"},
                                   {"wait": "1.5"}, {"after": "9" * 30}])
def test_a_question_that_makes_no_sense_is_refused(served, query):
    answer = served.api.get(**query)
    assert answer.status_code == 400 and "use after=POSITION" in answer.text


def test_a_misspelt_parameter_is_named_and_nothing_is_done(served):
    answer = served.api.get(limt="5")
    assert answer.status_code == 400 and answer.text.startswith("there is no parameter limt, or more than one: use after=POSITION, ")


@pytest.mark.parametrize("query, stray", [("pos=all&aftr=3", "aftr"), ("pos=1&pos=2", "pos"), ("pos=1&after=3", None)])
def test_what_is_to_be_dropped_is_said_once_and_as_it_is_spelt(served, query, stray):
    headers = {"Authorization": "Bearer first-token"}
    answer = requests.post(f"{served.admin}/dead/drop?{query}", headers=headers, timeout=90)
    assert answer.status_code == 400
    assert answer.text == (f"there is no parameter {stray}, or more than one: " if stray else "") + "use pos=POSITION, or pos=all and after=POSITION\n"


def test_the_api_needs_a_token_which_may_change(served):
    post(served, "/one/a", "secret")
    url = served.admin + "/events"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "first-token"}, {"Authorization": "Bearer "},
                    {"Authorization": "Basic first-token"}, {"Authorization": "Bearer first-token2"}):
        answer = requests.get(url, headers=headers, timeout=90)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer") and "secret" not in answer.text
    own = json.loads((served.data / "admin.json").read_text())["token"]
    assert served.api.get(token=own).status_code == 200
    served.token_file.write_text("second-token")
    wait_until(lambda: served.api.get(token="second-token").status_code == 200, "the new token counts")
    assert served.api.get().status_code == 401
    served.token_file.unlink()
    wait_until(lambda: served.api.get(token="second-token").status_code == 401, "without the file only admin.json's is left")
    assert served.api.get(token=own).status_code == 200
    assert "second-token" not in served.process.output()


def test_a_reader_that_waits_is_woken_by_its_event_and_by_no_other(served):
    """The wait is a minute: whoever is answered within the test was woken."""
    found, order = {}, []

    def wait(who, query):
        found[who] = served.api.events(wait=60, **query)[0]
        order.append(who)

    threads = [threading.Thread(target=wait, args=reader)
               for reader in (("any", {}), ("b", {"name": "b"}), ("late", {"source": "two"}))]
    for thread in threads:
        thread.start()
    wait_until(lambda: readers(served) == 3, "three readers wait")
    assert order == []
    post(served, "/one/a", 1)
    threads[0].join(60)
    assert order == ["any"] and found["any"] == [(1, 1)]
    post(served, "/one/b", 2)
    threads[1].join(60)
    assert order == ["any", "b"] and found["b"] == [(2, 2)]
    post(served, "/two/a", 3)
    threads[2].join(60)
    assert order == ["any", "b", "late"] and found["late"] == [(3, 3)]


def test_a_wait_that_is_over_is_an_empty_page(served):
    post(served, "/one/a", 1)
    assert served.api.events(after=1, wait=1) == ([], 1)
    assert served.api.events(after=0, wait=60) == ([(1, 1)], 1), "what is there is not waited for"


def test_a_chain_of_waits_sees_every_event_once_and_in_order(served):
    seen = []

    def follow():
        after = 0
        while len(seen) < 200:
            events, after = served.api.events(after=after, wait=30, limit=7)
            seen.extend(events)

    reader = threading.Thread(target=follow)
    reader.start()
    for n in range(1, 201):
        post(served, ("/one/a", "/two/a")[n % 2], n)
    reader.join(60)
    assert seen == [(n, n) for n in range(1, 201)]


def test_readers_that_wait_do_not_hold_the_end(served):
    ended = []

    def wait():
        try:
            served.api.get(wait=60)
        except requests.exceptions.ConnectionError:
            ended.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: readers(served) == 1, "the reader waits")
    assert served.process.stop() == 0
    thread.join(60)
    assert ended == [True]


def fill(g, first):
    """A thousand events two/bulk of 900 bytes in one request; their ids count from `first`."""
    batch = [{"specversion": "1.0", "id": str(first + i), "source": "/s", "type": "t", "data": "x" * 900} for i in range(1000)]
    answer = requests.post(f"http://127.0.0.1:{g.port}/bulk", json=batch, timeout=90,
                           headers={"Content-Type": "application/cloudevents-batch+json"})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def long(served):
    """Three thousand events stand between two of another name."""
    assert post(served, "/one/b", "first") == 1
    for first in (0, 1000, 2000):
        fill(served, first)
    assert post(served, "/one/b", "last") == 3002
    return served


def test_what_a_filter_passes_over_is_not_looked_at_again(long):
    api = long.api
    assert api.events(name="b") == ([(1, "first"), (3002, "last")], 3002), "a page goes on to the end"
    assert api.events(name="b", limit=1) == ([(1, "first")], 1)
    assert api.events(name="a") == ([], 3002)
    assert api.events(name="a", after=7, wait=1) == ([], 3002)


# ---- tail --follow beside a running gateway ---------------------------------------------------------------------------------

def test_tail_follows_a_gateway_over_its_restart_and_its_kill(served):
    tail = served.spawn("tail", [HOLDFAST, "tail", "--follow", "--json", "--data-dir", served.data])

    def printed():
        return [(row["position"], row["event"]["data"]["body"]) for row in map(json.loads, tail.output().splitlines())]

    for n, end in enumerate(("stop", "kill", "stop"), 1):
        assert post(served, "/one/a", n) == n
        wait_until(lambda n=n: len(printed()) >= n, f"event {n} is printed")
        getattr(served.process, end)()
        served.start()
    assert tail.stop() == 0
    assert printed() == [(1, 1), (2, 2), (3, 3)]


def test_tail_reads_new_events_only_whatever_its_filter_passed_over(long):
    tail = long.spawn("tail", [HOLDFAST, "tail", "--follow", "--name", "b", "--data-dir", long.data])

    def has_read():
        fields = dict(line.split(": ") for line in Path(f"/proc/{tail.pid}/io").read_text().splitlines())
        return int(fields["rchar"])

    wait_until(lambda: len(tail.output().splitlines()) == 2, "both are printed")
    before = has_read()
    for first in (3000, 4000, 5000):
        fill(long, first)
    for n in range(30):
        post(long, "/one/a", n)
    post(long, "/one/b", "now")
    wait_until(lambda: len(tail.output().splitlines()) == 3, "the new one is printed")
    assert has_read() - before < 15_000_000, "the 3 MB in front of it were not read again for each commit"
    assert tail.stop() == 0


# ---- dead letters -----------------------------------------------------------------------------------------------------------


def dead(g, *words):
    return subprocess.run([HOLDFAST, "dead", *words, "--data-dir", g.data], capture_output=True, text=True, timeout=60)


def holdfast(*words):
    return subprocess.run([HOLDFAST, *words], capture_output=True, text=True, timeout=60)


def letters(g):
    return [json.loads(line) for line in dead(g, "list", "--json").stdout.splitlines()]


def stored_in(bus):
    with Nats(bus.port) as client:
        return [m.body["n"] for m in client.messages()] if client.stream() else []


def test_an_event_the_bus_can_never_take_is_set_aside_and_blocks_nobody(gateway, nats, tmp_path):
    bus = nats("max_payload: 4096")
    g = gateway(bus=BUS.format(url=bus.url)).start()
    for n in range(1, 7):
        assert g.post(json.dumps({"n": n, "pad": "x" * (8000 if n in (2, 4, 6) else 10)})).status_code == 200
    found = wait_until(lambda: len(letters(g)) == 3 and letters(g), "three are set aside")
    wait_until(lambda: stored_in(bus) == [1, 3, 5], "the others are forwarded")
    assert [(letter["position"], letter["source"], letter["name"]) for letter in found] == [
        (n, "webhook", "example") for n in (2, 4, 6)]
    assert all("4096" in letter["reason"] or "max_payload" in letter["reason"] for letter in found), found
    assert metric(g, "holdfast_store_dead_letters") == 3
    assert len(g.events()) == 6, "they stay readable"

    again = dead(g, "retry", "2")
    assert again.returncode == 1 and "1 refused again" in again.stderr
    assert len(letters(g)) == 3 and stored_in(bus) == [1, 3, 5]
    assert dead(g, "drop", "4").stdout == "1 dead letter dropped\n"
    assert [letter["position"] for letter in letters(g)] == [2, 6]
    assert dead(g, "drop", "4").returncode == 1

    g.process.kill()
    g.start()
    assert [letter["position"] for letter in letters(g)] == [2, 6], "set aside for good, not tried again by itself"

    config = tmp_path / "nats.conf"
    config.write_text(config.read_text().replace("4096", "65536"))
    bus.stop()
    bus.restart()
    wait_until(lambda: dead(g, "retry", "--all").returncode == 0, "the bus takes them now")
    assert letters(g) == []
    assert stored_in(bus) == [1, 3, 5, 2, 6]
    assert metric(g, "holdfast_store_dead_letters") == 0
    assert g.post('{"n": 7}').status_code == 200
    wait_until(lambda: stored_in(bus)[-1] == 7, "and everything goes on")


def test_a_dead_letter_is_tried_again_on_its_own_bus_only(gateway, nats):
    """Another bus takes the event, or has it already: the one that refused it would never get it."""
    bus, other = nats("max_payload: 4096"), nats(name="other")
    g = gateway(bus=BUS.format(url=bus.url)).start()
    assert g.post(json.dumps({"n": 1, "pad": "x" * 8000})).status_code == 200
    wait_until(lambda: letters(g), "it is set aside")
    first = g.file.read_text()
    for text, taken in ((first.replace("metadata: {name: default}", "metadata: {name: other}").replace(bus.url, other.url)
                         .replace("spec:\n  webhook", "spec:\n  eventBusName: other\n  webhook"), [1]),
                        (first.partition("---\n")[0], [1])):
        g.file.write_text(text)
        assert g.process.stop() == 0
        g.start()
        wait_until(lambda taken=taken: stored_in(other) == taken, "what is stored goes to a new bus")
        retry = dead(g, "retry", "--all")
        assert retry.returncode == 1 and "0 taken by the bus, 1 refused again" in retry.stderr
        wait_until(lambda: "dead letters of a bus that is not the one in use stay as they are" in g.process.output(), "it is said")
        assert [letter["bus"] for letter in letters(g)] == ["default"] and stored_in(other) == taken
    assert dead(g, "drop", "--all").stdout == "1 dead letter dropped\n"


def test_a_bus_that_comes_back_is_told_what_was_let_go_without_it(gateway, nats, free_port):
    bus = nats()
    g = gateway(bus=BUS.format(url=f"nats://127.0.0.1:{free_port()}")).start()
    first = g.file.read_text()
    for n in range(3):
        assert g.post(json.dumps({"n": n})).status_code == 200
    g.file.write_text(first.partition("---\n")[0] + "    limits: {retainAge: 1ms}\n")
    assert g.process.stop() == 0
    g.start()
    wait_until(lambda: not g.events(), "the store is the bus now, and has taken them")
    g.file.write_text(first.partition("---\n")[0] + BUS.format(url=bus.url))
    assert g.process.stop() == 0
    g.start()
    assert g.post('{"n": 3}').status_code == 200
    wait_until(lambda: stored_in(bus) == [3], "the bus goes on")
    said = [line for line in g.log() if "never took" in line["msg"]]
    assert [(m["bus"], m["from"], m["to"]) for m in said] == [("default", 1, 3)]


def test_who_asks_for_what_retention_let_go_is_told(served, nats, tmp_path):
    g = served
    g.file.write_text(g.file.read_text().replace("    admin:", "    limits: {retainAge: 1ms}\n    admin:"))
    assert g.process.stop() == 0
    g.start()
    for n in range(3):
        post(g, "/one/a", {"n": n})
    wait_until(lambda: not g.events(), "all have gone")
    for after, gone in ((0, "3"), (1, "3"), (3, None)):
        assert g.api.get(after=after).headers.get("Holdfast-Removed") == gone
    assert g.process.stop() == 0

    bus = tmp_path / "bus.yaml"
    bus.write_text(BUS.format(url=nats().url))
    missing = "events up to position {} that were asked for are no longer in the store"
    for words, gone in ((["--from", "1"], 3), (["--from", "2", "--to", "2"], 2), (["--from", "1h"], 3), (["--from", "1h", "--to", "0s"], 3)):
        for more in ([], ["--dry-run"]):
            done = holdfast("replay", "-f", g.file, "-f", bus, *words, *more)
            assert done.returncode == 1 and missing.format(gone) in done.stderr, (words, done)
    done = holdfast("replay", "-f", g.file, "-f", bus, "--from", "start")
    assert done.returncode == 0 and "no longer" not in done.stderr, done

    for words, gone in ((["--from", "1"], 3), (["--from", "2", "--limit", "1"], 3), (["--from", "1h"], 3), (["--from", "start"], 0), ([], 0), (["--from", "4"], 0)):
        done = holdfast("tail", "-D", g.data, *words)
        assert done.returncode == 0 and (missing.format(gone) in done.stderr if gone else not done.stderr), (words, done)


def test_more_dead_letters_than_the_bus_takes_at_a_time_go_in_order(gateway, nats, tmp_path):
    bus = nats("max_payload: 4096")
    g = gateway("    limits: {busInFlight: 2}\n", bus=BUS.format(url=bus.url)).start()
    for n in range(20):
        assert g.post(json.dumps({"n": n, "pad": "x" * 8000})).status_code == 200
    wait_until(lambda: len(letters(g)) == 20, "all are set aside")
    config = tmp_path / "nats.conf"
    config.write_text(config.read_text().replace("4096", "65536"))
    bus.stop()
    bus.restart()
    wait_until(lambda: "0 dead letters" in dead(g, "retry", "--all").stdout, "the bus takes them now")
    assert letters(g) == [] and stored_in(bus) == list(range(20))


def test_the_dead_letter_api_needs_the_token(served):
    for path in ("/dead/retry", "/dead/drop"):
        assert requests.post(served.admin + path, timeout=90).status_code == 401
        assert requests.get(served.admin + path, timeout=90).status_code == 405


def test_hundreds_of_letters_of_another_bus_come_in_pages_and_are_dropped_without_a_gateway(served):
    served.process.stop()
    with contextlib.closing(sqlite3.connect(served.data / "spool.db")) as db, db:
        db.executemany("INSERT INTO dead VALUES(?, 'other', 'too large', 0)", ((n,) for n in range(1, 601)))
        db.execute("INSERT INTO dead VALUES(256, 'third', 'too large', 0)")  # a page does not end between the two
    served.start()
    headers = {"Authorization": "Bearer first-token"}
    answer = requests.post(served.admin + "/dead/retry?pos=all", headers=headers, timeout=90)
    assert answer.json() == {"count": 0, "failed": 257, "next_after": 256}
    served.process.stop()
    for words, said in ((["7", "600"], "2 dead letters dropped\n"), (["--all"], "599 dead letters dropped\n")):
        out = subprocess.run([HOLDFAST, "dead", "drop", "--data-dir", served.data, *words], check=True, capture_output=True, text=True)
        assert out.stdout == said
