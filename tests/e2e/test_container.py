"""In a container: a CPU quota, process 1, a root file system that cannot be written and a user without name, home or rights."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import termios
from pathlib import Path

import pytest
from conftest import BUS, HOLDFAST, ROOT, wait_until
from load import metric
from rawhttp import POST, Peer

PROCESS_1 = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
NOBODY = 54321

# $1: where the container's root is mounted, $2: the program, $3: the directory that is its volume; the rest is run in it.
CELL = f"""
set -eu
root=$1 program=$2 volume=$3
shift 3
mount --bind / "$root"
mount -t tmpfs tmpfs "$root/mnt"
mkdir "$root/mnt/volume"
touch "$root/mnt/holdfast"
mount --bind "$volume" "$root/mnt/volume"
mount --bind "$program" "$root/mnt/holdfast"
mount -o remount,ro "$root/mnt"
mount -o remount,ro,bind "$root"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero random urandom; do
	touch "$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -o remount,ro "$root/dev"
for hidden in tmp var/tmp; do mount -t tmpfs -o ro,mode=000 tmpfs "$root/$hidden"; done
mount -t proc proc "$root/proc"
cd /
exec chroot "$root" setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
	env -i "$@"
"""


def works(*command):
    return subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0


def children(pid):
    """Those that have ended and that nobody has waited for, too."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat")]
    return [int(stat.split()[0]) for stat in stats if stat.rpartition(")")[2].split()[1] == str(pid)]


# ---- what a control group grants ------------------------------------------------------------------------------------------


@pytest.fixture
def group():
    """group(controller, file and text of version 1, of version 2): a preexec_fn that enters a control group with this limit."""
    made = []

    def make(controller, *limits):
        for top, (file, text) in zip([f"/sys/fs/cgroup/{controller}", "/sys/fs/cgroup"], limits, strict=True):
            directory = Path(top) / f"holdfast-test-{os.getpid()}"
            with contextlib.suppress(OSError):
                directory.mkdir()
                if (directory / file).exists():
                    (directory / file).write_text(text)
                    made.append(directory)
                    return lambda: (directory / "cgroup.procs").write_text("0")
                directory.rmdir()
        return pytest.skip(f"no control group that limits {controller} can be made here")

    yield make
    for directory in made:
        wait_until(lambda empty=directory: empty.rmdir() or True, "the group is empty")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor, quota or not")
def test_the_loops_follow_the_cpu_quota(group, gateway):
    g = gateway().start(preexec_fn=group("cpu", ("cpu.cfs_quota_us", "50000"), ("cpu.max", "50000 100000")))
    serving = next(line for line in g.log() if line["msg"] == "serving")
    assert (serving["loops"], serving["loops_by"]) == (1, "a CPU quota of 0.500")
    g.process.stop()


def test_connections_and_bodies_take_no_more_memory_than_the_container_has(group, gateway):
    """With the 64 MiB of a large machine the kernel ended it."""
    limit = 50 << 20
    g = gateway().start(preexec_fn=group("memory", ("memory.limit_in_bytes", str(limit)), ("memory.max", str(limit))))
    serving = next(line for line in g.log() if line["msg"] == "serving")
    assert (serving["connections"], serving["body_memory"]) == (limit // 65536, limit // 3)
    body, answers = b'"' + b"x" * 1_000_000 + b'"', []
    peers = [Peer(g.port) for _ in range(100)]
    for p in peers:
        with contextlib.suppress(ConnectionError):  # refused on the way
            p.send(POST + b"%d\r\n\r\n" % len(body), body[:-1])
    for p in peers:
        try:
            p.send(body[-1:])
            answers.append(p.answer()[0])
        except (ConnectionError, TypeError):
            answers.append(None)
    assert {200, 503} <= set(answers) <= {200, 503, None}, answers
    assert g.process.stop() == 0


def test_a_backlog_and_bodies_fit_into_the_containers_memory_together(group, gateway, nats):
    """Each of them alone had room: 16 MiB on their way to the bus, twice, beside bodies that come."""
    bus, limit = nats("max_payload: 8MB"), 40 << 20
    bus.kill()
    g = gateway(bus=BUS.format(url=bus.url)).start(preexec_fn=group("memory", ("memory.limit_in_bytes", str(limit)), ("memory.max", str(limit))))
    body = b'"' + b"x" * 1_000_000 + b'"'
    for _ in range(60):
        assert g.post(body).status_code == 200
    peers = [Peer(g.port) for _ in range(30)]
    for p in peers:
        with contextlib.suppress(ConnectionError):  # refused on the way
            p.send(POST + b"%d\r\n\r\n" % len(body), body[:-1])
    bus.restart()
    wait_until(lambda: metric(g, "holdfast_forwarder_waiting") == 0, "all is forwarded")
    assert g.process.stop() == 0


def test_the_log_says_what_the_number_of_loops_comes_from(gateway):
    g = gateway("    limits: {loops: 3}\n").start()
    serving = next(line for line in g.log() if line["msg"] == "serving")
    assert (serving["loops"], serving["loops_by"]) == (3, "limits.loops")


# ---- process 1 --------------------------------------------------------------------------------------------------------


needs_process_1 = pytest.mark.skipif(not works(*PROCESS_1), reason="no right to a process namespace")


@pytest.fixture
def slow_start(spawn):
    """slow_start(*prefix): a gateway that has begun to start and waits for its manifest, and its number; .go_on(manifest)."""
    reads, writes = os.pipe()

    def start(*prefix):
        process = spawn("gateway", [*prefix, HOLDFAST, "gateway", "-f", "-"], stdin=reads)
        os.write(writes, b"# it begins\n")
        wait_until(lambda: fcntl.ioctl(reads, termios.FIONREAD, b"\0" * 4) == b"\0" * 4, "the manifest is read")
        return process, children(process.pid)[0] if prefix else process.pid

    def go_on(manifest):
        os.write(writes, manifest.encode())
        os.close(writes)

    start.go_on = go_on
    yield start
    os.close(reads)
    with contextlib.suppress(OSError):  # it went on
        os.close(writes)


@needs_process_1
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_1_can_be_ended_while_it_starts(slow_start, number):
    process, pid = slow_start(*PROCESS_1)
    os.kill(pid, number)
    assert process.wait() == 128 + number


def test_elsewhere_a_signal_ends_a_start_as_it_ends_any_program(slow_start):
    process, pid = slow_start()
    os.kill(pid, signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM


def test_a_start_is_not_ended_by_the_signal_to_read_again(slow_start, gateway):
    g = gateway()
    g.process, _ = slow_start()
    g.process.send(signal.SIGHUP)
    slow_start.go_on(g.file.read_text())
    wait_until(g.ready, "ready")


@needs_process_1
def test_process_1_leaves_no_dead_children_of_others_and_stops_when_told(gateway, spawn, tmp_path):
    g = gateway()
    g.process = spawn("gateway", [*PROCESS_1, HOLDFAST, "gateway", "-f", g.file])
    wait_until(g.ready, "ready")
    pid = children(g.process.pid)[0]
    os.mkfifo(tmp_path / "end")
    subprocess.run(["nsenter", "--target", str(pid), "--pid", "sh", "-c", 'cat "$0" &', tmp_path / "end"], check=True,
                   stdout=subprocess.DEVNULL)
    wait_until(lambda: children(pid), "the gateway has inherited a process")
    (tmp_path / "end").write_text("")
    wait_until(lambda: not children(pid), "nothing is left of it")
    os.kill(pid, signal.SIGTERM)
    assert g.process.wait() == 0
    assert g.says('"stopped"') == 1


# ---- nothing but a volume ---------------------------------------------------------------------------------------------


@pytest.fixture
def cell(tmp_path):
    """cell(*command): the words that run it where only /mnt/volume, which is cell.volume here, can be written."""
    if not works("unshare", "--mount", "--pid", "--fork") or os.geteuid() != 0:
        pytest.skip("no right to mount")
    root, volume = tmp_path / "root", tmp_path / "volume"
    root.mkdir()
    volume.mkdir()
    shutil.chown(volume, NOBODY, NOBODY)

    def words(*command):
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-c", CELL, "sh",
                root, HOLDFAST, volume, *command]

    words.volume = volume
    return words


def test_a_volume_is_all_that_gateway_and_commands_need(cell, gateway, spawn):
    g = gateway()
    (cell.volume / "config.yaml").write_text(g.file.read_text().replace(str(g.data), "/mnt/volume/data"))
    g.process = spawn("gateway", cell("/mnt/holdfast", "gateway", "-f", "/mnt/volume/config.yaml"))
    wait_until(g.ready, "ready")
    pid = children(g.process.pid)[0]
    for n in range(8):  # more than SQLite keeps in memory
        assert g.post(f'{{"n": {n}, "text": "{"x" * 900_000}"}}', headers={"Content-Type": "application/json"}).status_code == 200

    def run(*words):
        done = subprocess.run(cell("/mnt/holdfast", *words, "--data-dir", "/mnt/volume/data"), capture_output=True, text=True,
                              check=False, timeout=300)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    assert len(run("tail", "--data").splitlines()) == 8
    assert "ready: yes" in run("status")
    assert run("store", "check") == "ok: 8 events, positions 1 to 8\n"
    assert len(run("store", "dump").splitlines()) == 8
    assert run("store", "export", "/mnt/volume/copy.db").startswith("wrote /mnt/volume/copy.db, ")
    shutil.copy(ROOT / "examples/consume", cell.volume)
    done = subprocess.run(cell("PATH=/mnt:/usr/bin:/bin", "bash", "/mnt/volume/consume", "/mnt/volume/data", "/mnt/volume/position",
                               "sh", "-c", 'cat >/dev/null; echo "$HOLDFAST_POSITION"; test "$HOLDFAST_POSITION" -lt 3'),
                          capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout == "1\n2\n3\n", done.stderr
    os.kill(pid, signal.SIGTERM)
    assert g.process.wait() == 0
    assert run("store", "vacuum").startswith("the file had ")
    assert run("store", "check") == "ok: 8 events, positions 1 to 8\n"
    assert {path.name for path in cell.volume.iterdir()} == {"config.yaml", "consume", "copy.db", "data", "position", "position.data"}
