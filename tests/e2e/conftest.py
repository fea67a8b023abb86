"""What the end-to-end tests share: the binary, ports, processes that end with the test, a real nats-server.

Every test gets a directory (tmp_path) and ports of its own and waits for conditions, never for a time.
"""

import contextlib
import json
import os
import queue
import random
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent.parent
HOLDFAST = os.environ.get("HOLDFAST_BIN", str(ROOT / "build/release/src/cli/holdfast"))

# A bus for manifest texts; its address goes in with format().
BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec: {{jetstreamExotic: {{url: "{url}"}}}}
"""
NATS_SERVER = "/usr/sbin/nats-server"
KILL_ROUNDS = int(os.environ.get("HOLDFAST_KILL_ROUNDS", "50"))
FINDING = re.compile(r"runtime error: |(ERROR|WARNING): \w+Sanitizer")  # of a binary that was built with sanitizers


def wait_until(condition, what, limit_s=60.0):
    """Waits until condition() gives something true, and returns it; connection errors count as not yet."""
    end = time.monotonic() + limit_s
    while True:
        try:
            value = condition()
            if value:
                return value
        except (OSError, requests.exceptions.RequestException):
            pass
        if time.monotonic() > end:
            pytest.fail(f"not within {limit_s} s: {what}")
        time.sleep(0.01)


class Process:
    """One program under test. Its output stands in `log`; it is killed when the test ends."""

    def __init__(self, command, log, env=None, **options):
        self.command = [str(word) for word in command]
        self.log = Path(log)
        self.env = {**os.environ, **(env or {})}
        self.options = options
        self.child = None

    def start(self):
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(self.command, stdout=out, stderr=out, env=self.env,
                                          **{"stdin": subprocess.DEVNULL, **self.options})
        return self

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        self.child.send_signal(number)

    def wait(self, limit_s=60):
        """The exit status."""
        return self.child.wait(limit_s)

    def kill(self):
        """kill -9, and wait until it is gone."""
        if self.running():
            self.child.kill()
            self.child.wait()

    def stop(self, limit_s=60):
        """SIGTERM; returns the exit status."""
        if self.running():
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
        return self.child.wait(limit_s)

    def memory_kib(self, what="VmRSS"):
        """What it has in memory, or with "VmHWM" the most it had."""
        return int(re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1])

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def records(self):
        """The lines of a log in JSON. One that is being written is none yet: a reader may see its first half."""
        whole = self.output().rpartition("\n")[0]
        return [json.loads(line) for line in whole.split("\n") if line.startswith("{")]


@pytest.fixture
def spawn(tmp_path):
    """spawn(name, command): a started Process that ends with the test."""
    started = []

    def start(name, command, **options):
        process = Process(command, tmp_path / (name + ".log"), **options)
        started.append(process)
        return process.start()

    yield start
    for process in reversed(started):
        process.kill()
    for process in started:
        assert not FINDING.search(process.output()), process.output()


@pytest.fixture
def chance():
    """A random generator; its seed is in the output of a failing test, HOLDFAST_SEED repeats it."""
    seed = int(os.environ.get("HOLDFAST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"HOLDFAST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def free_port():
    """free_port(): a TCP port that nobody listens on and that this test was not given before.

    It lies below the ports that the kernel gives to clients: while a server is away, one of those would take it. Each of several
    pytest processes has ports of its own, for the same reason.
    """
    given = {12000}  # that of the examples in the documents, which their tests replace
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])

    def find():
        while True:
            port = random.SystemRandom().randrange(10240 + worker, first_of_clients, workers)
            if port in given:
                continue
            with socket.socket(socket.AF_INET6) as s:
                try:
                    s.bind(("::", port))
                except OSError:
                    continue
            given.add(port)
            return port

    return find


# Of requests that should succeed: a busy disk may take longer than the two seconds that a gateway gives it by default.
NO_HURRY = "    deadline: 60s\n"


class Gateway:
    """A gateway with one webhook route, /hook, unless `manifest` says otherwise."""

    def __init__(self, tmp_path, spawn, ports, name, holdfast, bus, manifest):
        self.port, self.admin_port = ports
        self.data = tmp_path / (name + "-data")
        self.file = tmp_path / (name + ".yaml")
        self.name, self.spawn, self.process = name, spawn, None
        self.file.write_text((manifest or self.manifest(holdfast or "")) + bus)

    def manifest(self, more):
        deadline = "" if "    deadline: " in more else NO_HURRY
        return f"""\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: webhook
spec:
  webhook:
    example:
      port: "{self.port}"
      endpoint: /hook
      method: POST
  holdfast:
    dataDir: {self.data}
{deadline}    admin:
      address: 127.0.0.1:{self.admin_port}
{more}"""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def admin(self):
        return f"http://127.0.0.1:{self.admin_port}"

    def start(self, **options):
        """Starts it, or starts it again, and waits until it is ready."""
        self.process = self.spawn(self.name, [HOLDFAST, "gateway", "-f", self.file], **options)
        wait_until(self.ready, f"{self.name} ready:\n{self.process.output()}")
        return self

    def ready(self):
        if not self.process.running():
            pytest.fail(f"{self.name} ended: {self.process.output()}")
        return requests.get(self.admin + "/readyz", timeout=90).status_code == 200

    def post(self, body, **options):
        return requests.post(self.url, data=body, timeout=90, **options)

    def events(self, *options):
        """The data of what is stored, as `holdfast tail` reads it."""
        out = subprocess.run([HOLDFAST, "tail", "--data-dir", self.data, "--data", *options], check=True,
                             capture_output=True, timeout=60)
        return out.stdout.splitlines()

    def log(self):
        """[{"level":, "msg":, ...}, ...]"""
        return self.process.records()

    def says(self, text):
        """How many lines of the log hold this text."""
        return sum(text in line for line in self.process.output().splitlines())


@pytest.fixture
def gateway(tmp_path, spawn, free_port):
    """gateway(holdfast="", bus="", manifest=None, name="gateway"): a Gateway, not started yet.

    `holdfast`: more lines under spec.holdfast (four spaces deep); `bus`: an EventBus document with its "---" in front.
    """

    def make(holdfast="", bus="", manifest=None, name="gateway"):
        return Gateway(tmp_path, spawn, (free_port(), free_port()), name, holdfast, bus, manifest)

    return make


class Manager:
    """What systemd would hear of a service that gets NOTIFY_SOCKET=.path. It reads at once: a socket holds few messages
    (net.unix.max_dgram_qlen), a watchdog's ping that does not fit is dropped, and for any other a service waits some seconds."""

    def __init__(self, path):
        self.path, self.heard = path, queue.Queue()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):  # it was closed
            while message := self.socket.recv(4096):
                self.heard.put(message)

    def next(self, limit_s=60):
        return self.heard.get(timeout=limit_s)

    def hear(self):
        """The next message that is no watchdog ping, as a dictionary."""
        while True:
            lines = dict(line.split("=", 1) for line in self.next().decode().splitlines())
            if lines != {"WATCHDOG": "1"}:
                return lines

    def hear_watchdog(self):
        while self.next() != b"WATCHDOG=1":
            pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # ends the thread
        self.socket.close()


@pytest.fixture
def manager(tmp_path):
    m = Manager(tmp_path / "notify")
    yield m
    m.close()


@pytest.fixture
def nats(tmp_path, spawn, free_port):
    """nats(more=""): a started nats-server with JetStream; .port, .url, .restart()."""

    def make(more="", name="nats"):
        port = free_port()
        config = tmp_path / (name + ".conf")
        config.write_text(f'listen: 127.0.0.1:{port}\njetstream {{ store_dir: "{tmp_path / name}" }}\n{more}\n')

        def start():
            process = spawn(name, [NATS_SERVER, "-c", config])
            process.port, process.url, process.restart = port, f"nats://127.0.0.1:{port}", start
            wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() or True, f"{name} listens")
            return process

        return start()

    return make
