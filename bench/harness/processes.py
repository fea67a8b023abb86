"""The programs a benchmark starts: the gateway, a NATS server, the floors, the load generator; and what they cost."""
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
HERE = pathlib.Path(__file__).resolve().parent.parent

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: bench
spec:
  holdfast:
    ack: {ack}
    admin:
      address: 127.0.0.1:{admin}
{data_dir}  webhook:
    example:
      port: "{port}"
      endpoint: /example
      method: POST
"""
BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstreamExotic:
    url: {url}
"""


class BenchError(Exception):
    """This cannot be measured here, or what is measured did not work."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds, what):
    """Polls for a condition outside of this process; nothing that is measured depends on the interval."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def get(url):
    """Status and text; status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Process:
    """A child with its log; ended with SIGTERM, and with SIGKILL when it does not go."""

    def __init__(self, argv, directory, name, box=None):
        self.name, self.log = name, directory / f"{name}.log"
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                          preexec_fn=box.enter if box else None)
        self.pid = self.child.pid

    def wait_ready(self, condition, seconds):
        def ready():
            if self.child.poll() is not None:
                raise BenchError(f"{self.name} ended with status {self.child.returncode}: {self.tail()}")
            return condition()
        try:
            wait_until(ready, seconds, f"{self.name} is ready")
        except BenchError:
            self.stop()
            raise

    def tail(self):
        lines = self.log.read_text(errors="replace").splitlines()
        return " | ".join(lines[-5:]) or "it said nothing"

    def cpu_ticks(self):
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def settle(self, seconds=5):
        """Until it rests: work that was put off belongs to the events that caused it."""
        end, before = time.monotonic() + seconds, self.cpu_ticks()
        while time.monotonic() < end:
            time.sleep(0.1)
            now = self.cpu_ticks()
            if now - before <= 1:
                return
            before = now

    def memory(self):
        """Kilobytes: peak resident, and what of the present is not files."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as status:
            rows = dict(line.split(":", 1) for line in status)
        return {"peak_kb": int(rows["VmHWM"].split()[0]), "anon_kb": int(rows["RssAnon"].split()[0])}

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Gateway(Process):
    """The real binary with one webhook route, or what `manifest` says. bus_url None: the embedded bus."""

    def __init__(self, programs, directory, ack, bus_url=None, data=None, box=None, manifest=MANIFEST):
        self.port, self.admin = free_port(), free_port()
        self.data = data or directory / "data"
        file = directory / "gateway.yaml"
        data_dir = f"    dataDir: {self.data}\n" if ack == "spool" else ""
        text = manifest.format(ack=ack, admin=self.admin, port=self.port, data_dir=data_dir)
        file.write_text(text + (BUS.format(url=bus_url) if bus_url else ""))
        super().__init__([programs.gateway, "gateway", "-f", file], directory, "gateway", box)
        self.url = f"http://127.0.0.1:{self.port}/example"
        self.wait_ready(lambda: get(f"http://127.0.0.1:{self.admin}/readyz")[0] == 200, 60 if box else 20)

    def stored(self):
        """Events in the store; positions have no gaps."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data}/spool.db?mode=ro", uri=True, timeout=20)) as db:
            return db.execute("SELECT coalesce(max(pos) - min(pos) + 1, 0) FROM events").fetchone()[0]


class Nats(Process):
    """A JetStream server with its default settings."""

    def __init__(self, directory):
        self.port, self.monitor = free_port(), free_port()
        super().__init__(["nats-server", "-js", "-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor),
                          "-sd", directory / "jetstream"], directory, "nats-server")
        self.url = f"nats://127.0.0.1:{self.port}"
        self.wait_ready(lambda: get(f"http://127.0.0.1:{self.monitor}/healthz")[0] == 200, 20)

    def stored(self):
        """Events ever stored: a stream as the upstream makes it keeps the newest 50,000 only."""
        accounts = json.loads(get(f"http://127.0.0.1:{self.monitor}/jsz?streams=true")[1])["account_details"]
        return sum(s["state"]["last_seq"] for a in accounts for s in a.get("stream_detail", []))


class BareHttp(Process):
    """The floor for HTTP; with a file, for a body that is flushed to it before it is answered."""

    def __init__(self, programs, directory, file=None, box=None):
        self.port = free_port()
        super().__init__([programs.bare_http, str(self.port), *(["0", file] if file else [])], directory, "bare_http", box)
        self.url = f"http://127.0.0.1:{self.port}/example"
        self.wait_ready(self.answers, 20)

    def answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def load(programs, url, connections, *, body="@" + str(HERE / "push.json"), size=1024, **options):
    """Runs the load generator; its JSON line. Options become switches: count=5 is --count 5; a list is one for each value."""
    argv = [programs.hfload, "--json", "--quiet", "--connections", str(connections), "--body-template", body,
            "--body-size", str(size)]
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            argv += [f"--{name}", str(one)]
    done = subprocess.run([*argv, url], capture_output=True, text=True, check=False)
    if done.returncode == 2 or not done.stdout:
        raise BenchError(f"hfload: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if not result["acked"]:
        raise BenchError(f"no request was acknowledged: {result['statuses'] or 'no answers'}")
    return result


def measured_load(programs, process, connections, **options):
    """As load(), with what the process spent on it until it rested again."""
    bus = getattr(process, "bus", None)
    before, bus_before = process.cpu_ticks(), bus.cpu_ticks() if bus else 0
    result = load(programs, process.url, connections, **options)
    process.settle()
    result["server_cpu_us"] = (process.cpu_ticks() - before) / TICKS * 1e6 / result["acked"]
    result["bus_cpu_us"] = (bus.cpu_ticks() - bus_before) / TICKS * 1e6 / result["acked"] if bus else 0
    result.update(process.memory())
    return result


class SyscallCounter:
    """Counts a process's system calls: perf (exact, hardly slows it), else strace (slows it: groups get smaller)."""

    def __init__(self, pid, directory):
        self.out = directory / "syscalls"
        if self.perf_works():
            self.tool, argv = "perf", ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", str(pid), "-o", self.out]
        elif shutil.which("strace"):
            self.tool, argv = "strace", ["strace", "-c", "-f", "-p", str(pid), "-o", self.out]
        else:
            raise BenchError("neither perf nor strace can count system calls here")
        self.child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)  # neither says when it has attached; the load runs for longer than any error this makes

    @staticmethod
    def perf_works():
        if not shutil.which("perf"):
            return False
        probe = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        return done.returncode == 0 and done.stderr.split(",")[0].strip().isdigit()

    def finish(self):
        self.child.send_signal(signal.SIGINT)
        self.child.wait(20)
        text = self.out.read_text()
        if self.tool == "perf":
            return next(int(line.split(",")[0]) for line in text.splitlines() if "raw_syscalls" in line)
        return next(int(line.split()[3]) for line in text.splitlines() if line.rstrip().endswith("total"))


class Box:
    """A cgroup with a CPU quota and a memory limit, version 1 or 2, whichever is mounted and writable."""

    PERIOD_US = 100000  # the kernel's and Kubernetes' default
    made = 0

    def __init__(self, milli_cpu, memory_bytes):
        quota = self.PERIOD_US * milli_cpu // 1000
        Box.made += 1
        name, root = f"holdfast-bench-{os.getpid()}-{Box.made}", pathlib.Path("/sys/fs/cgroup")
        if os.geteuid() != 0:
            raise BenchError("a cgroup needs root")
        if (root / "cpu").is_dir() and (root / "memory").is_dir():
            self.dirs = [root / "cpu" / name, root / "memory" / name]
            limits = [(0, "cpu.cfs_period_us", self.PERIOD_US), (0, "cpu.cfs_quota_us", quota),
                      (1, "memory.limit_in_bytes", memory_bytes)]
        elif (root / "cgroup.controllers").exists():
            with contextlib.suppress(OSError):
                (root / "cgroup.subtree_control").write_text("+cpu +memory")
            self.dirs = [root / name]
            limits = [(0, "cpu.max", f"{quota} {self.PERIOD_US}"), (0, "memory.max", memory_bytes)]
        else:
            raise BenchError("no cgroup hierarchy with cpu and memory is mounted")
        try:
            for directory in self.dirs:
                directory.mkdir()
            for index, file, value in limits:
                (self.dirs[index] / file).write_text(str(value))
        except OSError as error:
            self.remove()
            raise BenchError(f"the cgroup cannot be made: {error}") from error

    def enter(self):
        """In the child, before exec."""
        for directory in self.dirs:
            with open(directory / "cgroup.procs", "w", encoding="ascii") as procs:
                procs.write(str(os.getpid()))

    def throttled(self):
        rows = dict(line.split() for line in (self.dirs[0] / "cpu.stat").read_text().splitlines())
        return int(rows["nr_throttled"])

    def peak_memory(self):
        for directory in self.dirs:
            for name in ("memory.max_usage_in_bytes", "memory.peak"):
                with contextlib.suppress(OSError):
                    return int((directory / name).read_text())
        return 0

    def remove(self):
        for directory in self.dirs:
            with contextlib.suppress(BenchError):
                wait_until(lambda gone=directory: self.removed(gone), 5, f"{directory} is empty")

    @staticmethod
    def removed(directory):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            try:
                directory.rmdir()
            except OSError:
                return False  # a process is still on its way out
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def allow_many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if soft < 65536 else soft, hard))
