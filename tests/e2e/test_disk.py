"""Disks that are full, read-only, broken or stuck: clear errors, nothing lost, and recovery without a restart."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from conftest import BUS, HOLDFAST, wait_until
from load import Load, foreign, judge, metric, store_check, wait_for_events
from natsio import Nats
from smalldisk import small_disk  # noqa: F401  (a fixture)

DEADLINE = """\
    deadline: 500ms
"""
DEADLINE_S = 0.5
SLACK_S = 60.0  # a busy machine; a disk that is stuck is so for longer than both together
STUCK = "fdatasync:delay_enter=300s"
FAILED = "failed: new events are refused until it can be opened again"
AGAIN = "takes writes again"


def messages(g):
    """The text of each line in the log."""
    return [line["msg"] for line in g.log()]


def assert_one_line_per_change(g):
    """The log of the store says failed, again, failed, again: never the same twice, however often it was tried."""
    changes = [m for m in messages(g) if m in (FAILED, AGAIN)]
    assert changes[::2] == [FAILED] * len(changes[::2]) and changes[1::2] == [AGAIN] * len(changes[1::2]), changes
    return len(changes)


def assert_refused(g, text="cannot be stored at the moment"):
    """503 with Retry-After, in time, and words that help."""
    begin = time.monotonic()
    answer = g.post(foreign())
    assert time.monotonic() - begin < DEADLINE_S + SLACK_S
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, (answer.status_code, answer.text)
    assert text in answer.text
    return answer


def not_ready(g):
    answer = requests.get(g.admin + "/readyz", timeout=90)
    return answer.status_code == 503 and answer.text


def holdfast(*words):
    return subprocess.run([HOLDFAST, *map(str, words)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def started(gateway):
    """started(more=""): a started gateway."""

    def start(more="", **options):
        return gateway(holdfast=more, **options).start()

    return start


@pytest.fixture
def faults(spawn):
    """faults(gateway, "fdatasync:error=EIO"): makes system calls of a running gateway fail until .send(SIGINT)."""
    number = iter(range(100))

    def inject(g, *rules):
        calls = ",".join(sorted({call for rule in rules for call in rule.split(":")[0].split(",")}))
        strace = spawn(f"strace{next(number)}", ["strace", "-f", "-q", "-o", "/dev/null", "-p", g.process.pid, "-e", "trace=" + calls,
                                  *[word for rule in rules for word in ("-e", "inject=" + rule)]])
        wait_until(lambda: not strace.running() or traced(g.process.pid), "strace is attached")
        if not strace.running():
            pytest.skip("strace may not attach here: " + strace.output())
        return strace

    return inject


def traced(pid):
    """All threads of the process are traced."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
            if "\nTracerPid:\t0\n" in status.read():
                return False
    return True


def heal(strace):
    strace.send(signal.SIGINT)
    strace.wait()


# ---- the disk breaks under load -------------------------------------------------------------------------------------------

BROKEN = [
    pytest.param("fsync,fdatasync:error=EIO", id="sync fails"),
    pytest.param("pwrite64:error=EIO", id="write fails"),
    pytest.param("pwrite64:error=ENOSPC", id="no space"),
    pytest.param("pwrite64:error=EROFS", id="turned read-only"),
]


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_disk_refuses_everything_until_it_is_well_again(started, spawn, faults, tmp_path, rule):
    g = started()
    load = Load(spawn, "load", g.url, tmp_path / "ids")
    wait_for_events(g, 200)

    broken = faults(g, rule)
    text = wait_until(lambda: not_ready(g), "not ready")
    assert "store failed (the log says why" in text
    for _ in range(10):
        assert_refused(g)
    assert metric(g, "holdfast_store_state") == 3 and metric(g, "holdfast_store_failures_total") >= 1
    wait_until(lambda: metric(g, "holdfast_store_failures_total") >= 3, "it tries again, and fails again")
    wait_until(lambda: metric(g, "holdfast_ready") == 0, "the metric says not ready")
    assert requests.get(g.admin + "/healthz", timeout=90).status_code == 200
    assert messages(g).count(FAILED) == 1, "one line for the change, none for the tries"

    heal(broken)
    wait_until(g.ready, "ready again without a restart")
    wait_for_events(g, 200)
    load.stop()
    assert g.post(foreign()).status_code == 200
    assert assert_one_line_per_change(g) == 2
    assert load.statuses() == {503}
    judge(g, [load.ids])

    g.process.kill()  # what a new process finds is the same
    g.start()
    judge(g, [load.ids])
    store_check(g)


def test_now_and_then_a_failing_sync(started, spawn, faults, tmp_path):
    """Every 20th sync fails, also those of recovery: no success is ever said for what such a sync should have saved."""
    g = started()
    load = Load(spawn, "load", g.url, tmp_path / "ids")
    broken = faults(g, "fsync,fdatasync:error=EIO:when=5+20")
    wait_until(lambda: messages(g).count(FAILED) >= 5, "several failures")
    heal(broken)
    wait_until(g.ready, "ready again")
    wait_for_events(g, 100)
    load.stop()
    assert g.process.stop() == 0
    assert assert_one_line_per_change(g) >= 10
    assert judge(g, [load.ids])["acknowledged"] > 100
    store_check(g)


# ---- the disk is full -----------------------------------------------------------------------------------------------------

class SizeLimit:
    """No file of the gateway may grow any more (RLIMIT_FSIZE): for one without the rights to make a file system."""

    def __init__(self, g):
        self.pid, self.db = g.process.pid, g.data / "spool.db-wal"

    def fill(self):
        self.set(self.db.stat().st_size + (256 << 10))

    def free(self):
        self.set(resource.RLIM_INFINITY)

    def set(self, soft):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))


def test_a_log_that_may_not_grow_ends_nobody(gateway):
    """A write beyond RLIMIT_FSIZE is a signal too, to whoever writes: the main thread does."""
    g = gateway().start()
    limit = SizeLimit(g)
    limit.set(0)
    g.process.send(signal.SIGHUP)  # it says what has changed
    wait_until(lambda: metric(g, 'holdfast_config_reloads_total{outcome="ok"}') == 1, "it is reloaded")
    limit.free()
    wait_until(lambda: g.post("{}").status_code == 200, "there is room again")


@pytest.mark.parametrize("kind", ["size limit", "file system"])
def test_a_full_disk_refuses_and_comes_back_when_there_is_room(gateway, small_disk, spawn, tmp_path, kind):
    g = gateway()
    disk = small_disk(g.data, mib=32) if kind == "file system" else None
    g.start()
    disk = disk or SizeLimit(g)
    load = Load(spawn, "load", g.url, tmp_path / "ids", size=2000)
    wait_for_events(g, 200)

    disk.fill()
    # What is left of the log's room is used up, checkpointed, used again: then it stays full.
    wait_until(lambda: metric(g, "holdfast_store_failures_total") >= 6 and not_ready(g), "full")
    for _ in range(10):
        assert_refused(g)
    assert len(g.events("--limit", "10")) == 10, "what is stored stays readable"

    disk.free()
    wait_until(g.ready, "ready again without a restart")
    wait_for_events(g, 200)
    load.stop()
    assert g.post(foreign()).status_code == 200
    changes = assert_one_line_per_change(g)
    assert changes <= 2 * metric(g, "holdfast_store_failures_total")
    assert load.statuses() == {503}
    judge(g, [load.ids])
    store_check(g)


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_a_store_that_is_taken_away_is_missed_and_promises_nothing(gateway, tmp_path, how):
    g = gateway().start()
    assert g.post("1").status_code == 200
    aside = tmp_path / "aside"
    if how == "removed":
        shutil.rmtree(g.data)
    else:
        g.data.rename(aside)
    if how == "replaced":
        g.data.mkdir()
    for _ in range(3):
        assert_refused(g)
    wait_until(lambda: g.says("was removed, moved or replaced while it was in use"), "it is said")
    wait_until(lambda: not_ready(g), "a gateway that cannot store says so")
    if how == "removed":
        return
    if how == "replaced":
        shutil.rmtree(g.data)
    aside.rename(g.data)
    wait_until(g.ready, "ready again without a restart")
    assert g.post("2").status_code == 200
    bodies = [json.loads(line)["body"] for line in g.events()]
    assert bodies[0] == 1 and bodies[-1] == 2 and len(g.events()) <= 3, "at most one that was refused was stored all the same"


def test_a_store_that_was_emptied_is_not_begun_anew_and_an_older_one_is_said(gateway, tmp_path):
    g = gateway().start()
    assert g.post("1").status_code == 200
    copy = tmp_path / "copy.db"
    subprocess.run([HOLDFAST, "store", "export", "--data-dir", g.data, copy], check=True)
    assert g.post("2").status_code == 200
    os.truncate(g.data / "spool.db", 0)
    assert_refused(g)
    wait_until(lambda: g.says("spool.db was truncated while it was in use"), "it is said")
    assert g.process.stop() == 0
    process = g.spawn("emptied", [HOLDFAST, "gateway", "-f", g.file])
    assert process.wait() == 1 and "spool.db is empty, but its log is not" in process.output()

    (g.data / "spool.db-wal").unlink()
    shutil.copy(copy, g.data / "spool.db")
    g.start()
    older, = (line for line in g.log() if line["msg"].startswith("the store is older than it was"))
    assert (older["last_position"], older["it_was"]) == (1, 2)
    assert g.post("3").headers["Holdfast-Position"] == "2"


def test_a_gateway_starts_on_a_full_disk(gateway, small_disk):
    """It can store nothing, but it says so, and what is stored can be read and forwarded."""
    g = gateway()
    disk = small_disk(g.data, mib=32)
    g.start()
    for n in range(100):
        assert g.post(json.dumps({"n": n, "pad": "x" * 2000})).status_code == 200
    g.process.kill()
    disk.fill()
    process = g.process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file])
    wait_until(lambda: not process.running() or requests.get(g.admin + "/healthz", timeout=90).ok, "it serves")
    assert process.running(), process.output()
    assert len(g.events()) == 100
    disk.free()
    wait_until(g.ready, "ready")
    assert g.post("{}").status_code == 200
    assert len(g.events()) == 101


@pytest.mark.skipif(os.geteuid() != 0, reason="root ignores modes, others cannot change the user")
def test_a_read_only_directory_is_refused_with_its_reason(gateway, tmp_path):
    g = gateway()
    g.data.mkdir(mode=0o555)
    path = tmp_path
    while path != path.parent:  # the user below must get there
        path.chmod(path.stat().st_mode | 0o011)
        path = path.parent
    process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file], user="nobody")
    assert process.wait() == 1
    assert str(g.data) in process.output() and "Permission denied" in process.output()
    assert list(g.data.iterdir()) == []


# ---- the disk is stuck ----------------------------------------------------------------------------------------------------

def cloudevent(g, identity):
    headers = {"ce-specversion": "1.0", "ce-id": identity, "ce-source": "/sender", "ce-type": "test",
               "Content-Type": "application/json"}
    return requests.post(f"http://127.0.0.1:{g.port}/events", data="{}", headers=headers, timeout=90)


CLOUDEVENTS = """\
    cloudevents:
      events:
        port: "{port}"
        endpoint: /events
"""


def test_a_stuck_disk_is_answered_in_time_and_the_loop_lives_on(gateway, faults):
    g = gateway(holdfast=DEADLINE)
    g.file.write_text(g.file.read_text() + CLOUDEVENTS.format(port=g.port))
    g.start()
    stuck = faults(g, STUCK)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: assert_refused(g, "not stored in time"), range(8)))
    assert {a.headers["Retry-After"] for a in answers} == {"1"}
    assert cloudevent(g, "late").status_code == 503

    # What needs no disk is answered meanwhile, and at once: a thread that waits for the disk would hold these for minutes.
    for _ in range(20):
        assert requests.get(f"http://127.0.0.1:{g.port}/nowhere", timeout=90).status_code == 404
        assert g.post("not JSON").status_code == 400
        assert requests.get(g.admin + "/healthz", timeout=90).status_code == 200

    heal(stuck)
    wait_until(lambda: g.post("[1]").status_code == 200, "the disk takes events again")
    # What was refused for lateness came in nevertheless, and a sender that tries again meets it as the same event.
    again = wait_until(lambda: (r := cloudevent(g, "late")).status_code == 200 and r, "it is taken")
    assert again.headers["Holdfast-Event-Id"] == "late"
    assert len(g.events("--name", "events")) == 1
    assert len([e for e in g.events("--name", "example") if b"foreign-" in e]) == 8
    assert metric(g, "holdfast_store_duplicates_total") >= 1


def test_a_loop_that_stands_still_is_neither_alive_nor_ready(gateway, spawn):
    """The kernel holds one event loop in its wait: the watchdog and whoever asks have to hear of it, and of its end."""
    g = gateway(holdfast="    limits: {loops: 2}\n").start()
    tasks = f"/proc/{g.process.pid}/task"
    loop = next(t for t in os.listdir(tasks) if Path(tasks, t, "comm").read_text().strip() == "gateway-loop")
    strace = spawn("strace", ["strace", "-q", "-o", "/dev/null", "-p", loop, "-e", "trace=epoll_wait,epoll_pwait",
                              "-e", "inject=epoll_wait,epoll_pwait:delay_enter=300s:when=1"])
    wait_until(lambda: not strace.running() or "\nTracerPid:\t0\n" not in Path(tasks, loop, "status").read_text(), "attached")
    if not strace.running():
        pytest.skip("strace may not attach here: " + strace.output())

    def says(page):
        return requests.get(g.admin + page, timeout=90).status_code

    wait_until(lambda: says("/healthz") == 503, "it is not alive")
    assert says("/readyz") == 503
    heal(strace)
    wait_until(lambda: says("/healthz") == 200 and says("/readyz") == 200, "it is alive again")


def test_a_stuck_disk_does_not_hold_the_end_for_ever(gateway, faults):
    g = gateway(holdfast=DEADLINE + "    limits: {drainTimeout: 200ms}\n").start()
    stuck = faults(g, STUCK)
    assert_refused(g, "not stored in time")
    g.process.send(signal.SIGTERM)
    wait_until(lambda: "giving up on them" in g.process.output(), "the drain timeout and its grace are over")
    stuck.kill()  # it holds the thread, as a real disk would
    assert g.process.wait() == 1


# ---- the log of the store -------------------------------------------------------------------------------------------------

def test_the_log_moves_into_the_store_under_load_and_stays_short_when_idle(started, spawn, tmp_path):
    g = started()
    log = g.data / "spool.db-wal"
    load = Load(spawn, "load", g.url, tmp_path / "ids", size=40000)
    wait_for_events(g, 1000)  # 40 MB and more
    wait_until(lambda: metric(g, "holdfast_store_wal_bytes") > 0, "there is a log")
    wait_until(lambda: log.stat().st_size < 32 << 20 < (g.data / "spool.db").stat().st_size, "the store has more than the log")
    load.stop()
    wait_until(lambda: metric(g, "holdfast_store_wal_bytes") < 9 << 20 and log.stat().st_size < 24 << 20, "the log is short")
    judge(g, [load.ids])


# ---- the store's own cap --------------------------------------------------------------------------------------------------

CAP = """\
    limits:
      storeSize: 2Mi
"""


def fill_to_the_cap(g):
    """Posts until there is no room; the bodies that were answered 200, in order."""
    taken = []
    for n in range(10000):
        body = json.dumps({"n": n, "pad": "x" * 4000})
        answer = g.post(body)
        if answer.status_code != 200:
            assert answer.status_code == 503 and "no room" in answer.text and int(answer.headers["Retry-After"]) > 0
            return taken
        taken.append(json.loads(body))
    return pytest.fail("there is no cap")


def bodies(lines):
    return [json.loads(line)["body"] for line in lines]


def test_at_its_cap_the_store_refuses_new_events_and_keeps_every_old_one(started):
    g = started(CAP)
    taken = fill_to_the_cap(g)
    log = wait_until(lambda: (m := messages(g)) and any(line.startswith("full: ") for line in m) and m, "it is said")
    warned = [i for i, m in enumerate(log) if m.startswith("over 85 %")]
    full = [i for i, m in enumerate(log) if m.startswith("full: new events are refused")]
    assert len(warned) == len(full) == 1 and warned[0] < full[0]
    assert metric(g, "holdfast_store_state") == 2
    assert metric(g, "holdfast_store_max_bytes") == 2 << 20
    assert 1 << 20 < metric(g, "holdfast_store_bytes") < 3 << 20
    for _ in range(50):
        assert_refused(g, "no room")
    assert "store is full (raise limits.storeSize" in wait_until(lambda: not_ready(g), "not ready")
    assert '"state":"full"' in holdfast("status", "--json", "--data-dir", g.data).stdout.replace(" ", "")

    assert bodies(g.events()) == taken, "reading goes on, and nothing was discarded"
    g.process.kill()
    process = g.process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file])
    wait_until(lambda: not_ready(g), "a full store is found full")
    assert process.running() and bodies(g.events()) == taken

    g.file.write_text(g.file.read_text().replace("2Mi", "4Mi"))
    process.send(signal.SIGHUP)
    wait_until(g.ready, "a larger cap is room")
    assert g.post("{}").status_code == 200


def test_between_85_and_100_percent_it_warns_and_goes_on(started):
    g = started(CAP)
    while metric(g, "holdfast_store_state") == 0:
        assert g.post(json.dumps({"pad": "x" * 4000})).status_code == 200
    assert metric(g, "holdfast_store_state") == 1 and metric(g, "holdfast_store_bytes") >= 0.85 * (2 << 20)
    assert "nearly full" in requests.get(g.admin + "/readyz", timeout=90).text and g.ready()
    assert g.post("{}").status_code == 200


def test_a_bus_that_takes_the_events_brings_room_back(gateway, nats):
    bus = nats()
    bus.kill()
    g = gateway(holdfast=CAP, bus=BUS.format(url=bus.url)).start()
    taken = fill_to_the_cap(g)
    assert bodies(g.events()) == taken
    bus.restart()
    wait_until(g.ready, "the bus has the events, retention lets some go, the store takes new ones")
    assert g.post('"after"').status_code == 200
    with Nats(bus.port) as client:
        wait_until(lambda: len(client.messages()) > len(taken), "all is forwarded")
        assert [m.body for m in client.messages()] == [*taken, "after"]
    assert metric(g, "holdfast_store_removed_total") > 0


# ---- read-only storage ------------------------------------------------------------------------------------------------


def read_every_way(directory, copy):
    """What each command that reads a store says of it: its exit status, standard output and errors."""
    words = [["tail", "--json"], ["store", "dump"], ["store", "check"], ["store", "export", copy], ["status"], ["dead", "list"]]
    done = [holdfast(*w, "--data-dir", directory) for w in words]
    copy.unlink(missing_ok=True)
    return [(d.returncode, d.stdout.replace(str(directory), "DIR"), d.stderr) for d in done]


@pytest.mark.parametrize("beside", [[], ["spool.db-wal"], ["spool.db-wal", "spool.db-shm"]])
def test_a_store_on_read_only_storage_is_read(beside, started, small_disk, tmp_path):  # noqa: F811
    g = started()
    assert g.post('{"n":1}').status_code == 200
    assert g.process.stop() == 0
    disk = small_disk(tmp_path / "disk")
    directory = disk.directory / "a?b#c%41"  # what a URI would take for its own
    directory.mkdir()
    for name in ["spool.db", *beside]:
        shutil.copy(g.data / name, directory / name)
    expected = read_every_way(g.data, tmp_path / "copy")
    assert all(code == 0 for code, _, _ in expected) and '"n":1' in expected[0][1]
    disk.protect()
    assert read_every_way(directory, tmp_path / "copy") == expected


def test_a_log_on_read_only_storage_is_not_left_out(started, small_disk, tmp_path):  # noqa: F811
    g = started()
    assert g.post("{}").status_code == 200
    g.process.kill()
    disk = small_disk(tmp_path / "disk")
    for name in ("spool.db", "spool.db-wal"):
        shutil.copy(g.data / name, disk.directory / name)
    assert (disk.directory / "spool.db-wal").stat().st_size > 0
    disk.protect()
    for code, out, error in read_every_way(disk.directory, tmp_path / "copy"):
        assert code == 1 and out == "" and "cannot be written there: copy the directory" in error
    shutil.copytree(disk.directory, tmp_path / "writable")
    assert holdfast("store", "check", "--data-dir", tmp_path / "writable").stdout == "ok: 1 event, positions 1 to 1\n"
