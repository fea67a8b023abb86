"""Load from the load generator, and the judgement of bench/hfcheck.py on what became of every event."""

import itertools
import json
import os
import signal
import subprocess

import requests
from conftest import HOLDFAST, ROOT, wait_until

HFLOAD = os.environ.get("HFLOAD_BIN", str(ROOT / "build/release/bench/hfload"))
HFCHECK = ["/usr/bin/python3", ROOT / "bench/hfcheck.py"]

NUMBERS = itertools.count()

# The sender's id makes an event of the cloudevents source: sent again it is the same event.
CLOUDEVENT = ["-H", "ce-specversion: 1.0", "-H", "ce-id: {id}", "-H", "ce-source: /load", "-H", "ce-type: test",
              "-H", "Content-Type: application/json"]


class Load:
    """A running hfload; `ids` is its record."""

    def __init__(self, spawn, name, url, ids, *options, connections=16, size=200):
        self.ids = ids
        self.process = spawn(name, [HFLOAD, "-q", "-j", "-d", 600, "--give-up", 60, "-c", connections, "-s", size, "--ids", ids,
                                    *options, url])

    def stop(self):
        """No more requests; waits for the answers that are still due. Returns the load generator's counts."""
        if self.process.running():
            self.process.send(signal.SIGINT)
        status = self.process.wait()
        assert status in (0, 1), self.process.output()
        return json.loads(self.process.output())

    def outcomes(self):
        """{id: [kind, ...]} in the order of events, for instance {"...": ["U", "A"]}; for a load that has ended."""
        found = {}
        for line in self.ids.read_bytes().split(b"\n"):
            words = line.split()
            if len(words) >= 2 and words[0] in (b"A", b"R", b"U"):
                found.setdefault(words[1], []).append(words[0].decode())
        return found

    def statuses(self):
        """The statuses of the refused."""
        lines = self.ids.read_bytes().split(b"\n")
        return {int(line.split()[2]) for line in lines if line.startswith(b"R ")}


def wait_for_events(gateway, count):
    """Until `count` more events are stored."""
    def stored():
        return metric(gateway, "holdfast_store_events_total")

    goal = stored() + count
    wait_until(lambda: stored() >= goal, f"{count} more events stored:\n{gateway.process.output()[-3000:]}")


def foreign():
    """The body of an event that is none of the load's: the judge counts it, and no more."""
    return json.dumps({"id": f"foreign--00000-{next(NUMBERS):010d}"})


def metric(gateway, name):
    """The value of a metric, the sum over its labels."""
    lines = requests.get(gateway.admin + "/metrics", timeout=90).text.splitlines()
    values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + " ", name + "{"))]
    assert values, f"there is no metric {name}"
    return sum(values)


def judge(gateway, ids, *options):
    """Runs hfcheck on what `holdfast tail` reads; returns its counts, fails on anything lost, twice, torn or invented."""
    with subprocess.Popen([HOLDFAST, "tail", "--data-dir", gateway.data, "--json"], stdout=subprocess.PIPE) as tail:
        files = [word for path in ids for word in ("--ids", path)]
        check = subprocess.run([*HFCHECK, *files, "--stored", "-", "--json", *options], stdin=tail.stdout,
                               capture_output=True, text=True, timeout=120)
    assert tail.returncode == 0
    assert check.returncode == 0, check.stdout + check.stderr + gateway.process.output()[-3000:]
    return json.loads(check.stdout)


def store_check(gateway):
    """`holdfast store check` finds nothing."""
    done = subprocess.run([HOLDFAST, "store", "check", "--data-dir", gateway.data], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
