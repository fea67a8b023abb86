"""What is measured. Each series runs its variants in turn, round after round, so that a slow minute of the machine hits
all of them; the median of the rounds counts."""
import contextlib
import json
import shutil
import statistics
import subprocess
import tempfile
import pathlib

from . import processes
from .processes import BareHttp, BenchError, Box, Gateway, Nats, SyscallCounter, load, measured_load

CONNECTIONS = (64, 5)


class Setup:
    """What every series needs: the programs, a place on disk, how long to run, and a way to say where it is."""

    def __init__(self, programs, scratch, quick, say):
        self.programs, self.scratch, self.quick, self.say = programs, scratch, quick, say
        self.rounds = 1 if quick else 5
        self.seconds = 1 if quick else 4
        self.failed = []
        self.floors = {"disk": [], "nats": []}

    def attempt(self, what, function, *args):
        """A round in a list, or none when it failed: the others go on, and the report names it."""
        self.say(what)
        try:
            return [function(self, *args)]
        except (BenchError, OSError, ValueError, subprocess.SubprocessError) as error:
            self.failed.append(f"{what}: {error}")
            return []

    @contextlib.contextmanager
    def directory(self, *, keep=False):
        """Removed behind its round, or with `keep` when all is measured: removing many files makes the next rounds slower."""
        path = pathlib.Path(tempfile.mkdtemp(dir=self.scratch))
        try:
            yield path
        finally:
            if not keep:
                shutil.rmtree(path, ignore_errors=True)


def summary(rounds, **names):
    """The median of each figure, and the rounds it comes from."""
    return {**names, **{key: statistics.median(r[key] for r in rounds) for key in rounds[0]}, "rounds": rounds}


@contextlib.contextmanager
def server(setup, kind, box=None):
    """A fresh server of this kind, and how to count what it holds."""
    with setup.directory() as directory:
        if kind == "bare":
            with BareHttp(setup.programs, directory, box=box) as process:
                yield process, lambda: None
        elif kind == "append":
            with BareHttp(setup.programs, directory, directory / "bodies", box) as process:
                yield process, lambda: None
        elif kind == "spool":
            with Gateway(setup.programs, directory, "spool", box=box) as process:
                yield process, process.stored
        elif kind == "bus":
            with Nats(directory) as nats, Gateway(setup.programs, directory, "bus", nats.url, box=box) as process:
                process.bus = nats
                yield process, nats.stored
        else:
            raise ValueError(kind)


def check_stored(what, count_stored, acked):
    stored = count_stored()
    if stored is not None and stored < acked:
        raise BenchError(f"{what}: {acked} events were acknowledged and {stored} are stored")


def http_round(setup, kind, connections):
    """Warm up; closed loop for the throughput; open loop at half of it for latencies that a queue does not make."""
    programs = setup.programs
    with server(setup, kind) as (process, count_stored):
        warm = load(programs, process.url, connections, duration=0.5)
        full = measured_load(programs, process, connections, duration=setup.seconds)
        half = load(programs, process.url, connections, duration=max(1, setup.seconds / 2), rate=max(1, int(full["rate"] / 2)))
        check_stored(f"{kind}, {connections} connections", count_stored, warm["acked"] + full["acked"] + half["acked"])
    return {
        "rate": full["rate"], "p50_us": full["latency_us"]["p50"], "p99_us": full["latency_us"]["p99"],
        "half_p50_us": half["latency_us"]["p50"], "half_p99_us": half["latency_us"]["p99"],
        "cpu_us": full["server_cpu_us"], "bus_cpu_us": full["bus_cpu_us"], "generator_cpu_us": full["cpu_us"],
        "peak_kb": full["peak_kb"], "anon_kb": full["anon_kb"], "refused": full["refused"] + half["refused"],
        "unsent": half["unsent"],
    }


def count_syscalls(setup, kind, connections):
    with server(setup, kind) as (process, _), setup.directory() as directory:
        load(setup.programs, process.url, connections, duration=0.3)
        counter = SyscallCounter(process.pid, directory)
        result = load(setup.programs, process.url, connections, duration=1)
        return {"tool": counter.tool, "per_event": counter.finish() / result["acked"]}


def http(setup, kinds):
    """1 KB POSTs: throughput, latency, CPU, system calls, memory."""
    variants = [(kind, connections) for connections in CONNECTIONS for kind in kinds]
    rounds = {variant: [] for variant in variants}
    for number in range(setup.rounds):
        for kind, connections in variants:
            what = f"http: {kind}, {connections} connections, round {number + 1} of {setup.rounds}"
            rounds[kind, connections] += setup.attempt(what, http_round, kind, connections)
        floor_rounds(setup, "disk", number + 1)
        if "bus" in kinds:
            floor_rounds(setup, "nats", number + 1)
    rows = []
    for (kind, connections), done in rounds.items():
        if done:
            what = f"system calls: {kind}, {connections} connections"
            counted = setup.attempt(what, count_syscalls, kind, connections)
            rows.append(summary(done, kind=kind, connections=connections, syscalls=counted[0] if counted else None))
    return rows


# ---- floors: taken in turn with the rounds of http() when that runs too ----

def last_line(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def disk_round(setup):
    """Raw group fdatasync."""
    with setup.directory() as directory:
        return last_line([setup.programs.floor_sync, directory / "floor", "1024", "1"])["groups"]


def nats_round(setup):
    """Publishes from a program that does nothing else, so many in flight."""
    with setup.directory() as directory, Nats(directory) as nats:
        return last_line([setup.programs.floor_bus, nats.url, "1024", "1", "5", "64", "1000"])["windows"]


FLOORS = {"disk": disk_round, "nats": nats_round}


def floor_rounds(setup, name, number):
    done = setup.attempt(f"floor: {name}, round {number} of {setup.rounds}", FLOORS[name])
    setup.floors[name] += done
    return bool(done)


def floor(setup, name):
    rounds = setup.floors[name]
    while len(rounds) < setup.rounds and floor_rounds(setup, name, len(rounds) + 1):
        pass
    return [summary(list(rows)) for rows in zip(*rounds)]


# ---- the smallest machine, and what waits ----

def box_round(setup, kind, seconds):
    with Box(milli_cpu=50, memory_bytes=50 << 20) as limits, server(setup, kind, limits) as (process, count_stored):
        before = limits.throttled()
        result = load(setup.programs, process.url, 5, duration=seconds, warmup=1)
        check_stored(f"box, {kind}", count_stored, result["acked"])
        return {"rate": result["rate"], "p50_us": result["latency_us"]["p50"], "p99_us": result["latency_us"]["p99"],
                "max_us": result["latency_us"]["max"], "refused": result["refused"], "unanswered": result["unanswered"],
                "throttled": limits.throttled() - before, "cgroup_peak_kb": limits.peak_memory() // 1024, **process.memory()}


def box(setup, kinds):
    """50 milli-CPU and 50 MiB, 5 clients, the load generator and the bus outside."""
    seconds = 4 if setup.quick else 11
    rounds = {kind: [] for kind in kinds}
    with Box(milli_cpu=50, memory_bytes=50 << 20):
        pass  # where it cannot be made, the series is skipped once
    for number in range(1 if setup.quick else 3):
        for kind in kinds:
            rounds[kind] += setup.attempt(f"box of 50 milli-CPU: {kind}, round {number + 1}", box_round, kind, seconds)
    return [summary(done, kind=kind) for kind, done in rounds.items() if done]


SMALL = {"body": '{"id":"{id}"}', "size": 0}


def backlog_round(setup, directory, data, count):
    """Stored events a second with what waits in `data`, toward a bus that is away."""
    with Gateway(setup.programs, directory, "spool", f"nats://127.0.0.1:{processes.free_port()}", data=data) as gateway:
        before = gateway.stored()
        warm = load(setup.programs, gateway.url, 64, count=count // 10, **SMALL)
        result = measured_load(setup.programs, gateway, 64, count=count, **SMALL)
        check_stored("backlog", gateway.stored, before + warm["acked"] + result["acked"])
        return {"rate": result["rate"], "cpu_us": result["server_cpu_us"], "anon_kb": result["anon_kb"], "waiting": before}


def backlog(setup):
    """The same load with 0, 1e5 and 1e6 events waiting."""
    levels = (0, 10_000, 100_000) if setup.quick else (0, 100_000, 1_000_000)
    count = 20_000 if setup.quick else 60_000
    rounds = {level: [] for level in levels}
    with setup.directory() as directory:
        for level in levels[1:]:
            setup.say(f"backlog: filling {level} events")
            url = f"nats://127.0.0.1:{processes.free_port()}"
            with Gateway(setup.programs, directory, "spool", url, data=directory / str(level)) as gateway:
                load(setup.programs, gateway.url, 64, count=level, **SMALL)
        for number in range(3 if setup.quick else 7):
            for level in levels:
                data = directory / str(level)
                if level == 0:
                    shutil.rmtree(data, ignore_errors=True)
                what = f"backlog: {level} waiting, round {number + 1}"
                rounds[level] += setup.attempt(what, backlog_round, directory, data, count)
    return [summary(done, level=level) for level, done in rounds.items() if done]


def program(setup, path):
    """Another benchmark of ours, as it prints itself; its last line may be JSON."""
    setup.say(path.name)
    done = subprocess.run([path], capture_output=True, text=True, check=False, cwd=setup.scratch)
    if done.returncode:
        raise BenchError(f"{path.name} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    lines = done.stdout.splitlines()
    result = {"text": lines}
    with contextlib.suppress(ValueError, IndexError):
        result = {"text": lines[:-1], "json": json.loads(lines[-1])}
    return result
