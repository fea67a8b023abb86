"""A principal and its agents: events over one stream, and many agents at once (docs/benchmarks.md)."""
import contextlib
import crypt
import json
import os
import signal
import statistics
import subprocess
import time

from .processes import TICKS, BenchError, Process, free_port, get, wait_until

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  annotations:
    bench/at: "{at}"
spec:
  project: default
  source: {{repoURL: "https://git.example.com/{name}.git", path: deploy, targetRevision: {revision}}}
  destination: {{name: {agent}, namespace: shop}}
  syncPolicy: {{automated: {{prune: true, selfHeal: true}}}}
"""
VERSION = "bench"


def agent_name(number):
    return f"a{number:05d}"


def put(source, agent, name, revision):
    """A change by a person: written beside and renamed; it carries the time."""
    directory = source / agent / "Application"
    directory.mkdir(parents=True, exist_ok=True)
    beside = directory / f".{name}.tmp"
    beside.write_text(APPLICATION.format(name=name, agent=agent, revision=f"r{revision}", at=time.time_ns()))
    beside.rename(directory / f"{name}.yaml")


class Pki:
    def __init__(self, programs, directory):
        self.directory = directory / "pki"
        for arguments in (["init", "--jwt-bits", "2048"], ["issue", "--server", "localhost"]):
            subprocess.run([programs.gateway, "pki", *arguments, "--dir", self.directory], check=True, capture_output=True)

    def __getattr__(self, name):
        return str(self.directory / name.replace("_", "."))


def users(directory, count):
    """The cheapest hash there is: it is not the passwords that are measured."""
    line = crypt.crypt("bench", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
    path = directory / "users"
    path.write_text("".join(f"{agent_name(n)}:{line}\n" for n in range(count)))
    return path


class Principal(Process):
    def __init__(self, programs, directory, pki, passwords, source, port=None):
        self.port, self.health, self.metrics = port or free_port(), free_port(), free_port()
        super().__init__([programs.gateway, "principal", "--backend", f"directory:{source}", "--data-dir", directory / "hub",
                          "--listen-host", "127.0.0.1", "--listen-port", str(self.port), "--auth", f"userpass:{passwords}",
                          "--tls-cert", pki.localhost_crt, "--tls-key", pki.localhost_key, "--jwt-key", pki.jwt_key,
                          "--version-string", VERSION, "--metrics-port", str(self.metrics),
                          "--healthz-port", str(self.health), "--log-level", "warn"], directory, "principal")
        self.wait_ready(lambda: get(f"http://127.0.0.1:{self.health}/readyz")[0] == 200, 120)

    def metric(self, name):
        for line in get(f"http://127.0.0.1:{self.metrics}/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise BenchError(f"the principal has no metric {name}")

    def anon_kb(self):
        return self.memory()["anon_kb"]


class Agent(Process):
    """The real one."""

    def __init__(self, programs, directory, pki, principal, backend):
        creds = directory / "creds"
        creds.write_text(f"{agent_name(0)}:bench\n")
        super().__init__([programs.gateway, "agent", "--agent-mode", "managed", "--backend", backend,
                          "--data-dir", directory / "site", "--server-address", "localhost",
                          "--server-port", str(principal.port), "--creds", f"userpass:{creds}", "--root-ca-path", pki.ca_crt,
                          "--version-string", VERSION, "--metrics-port", "0", "--healthz-port", str(free_port()),
                          "--log-level", "warn"], directory, "agent")


class Swarm(Process):
    """Many agents in one process (hfagents)."""

    def __init__(self, programs, directory, pki, principal, count):
        self.out = directory / "swarm.log"  # where a process' output goes
        super().__init__([programs.hfagents, "--port", str(principal.port), "--ca", pki.ca_crt, "--agents", str(count)],
                         directory, "swarm")

    def lines(self):
        with contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in self.out.read_text().splitlines() if line.endswith("}")]
        return []

    def last(self):
        lines = self.lines()
        return lines[-1] if lines else {"connected": 0, "events": 0, "ms": 0}

    def lag(self):
        """Since the last time it was asked."""
        before = len([line for line in self.lines() if "measured" in line])
        os.kill(self.pid, signal.SIGUSR1)
        wait_until(lambda: len([line for line in self.lines() if "measured" in line]) > before, 10, "the swarm reports")
        return [line for line in self.lines() if "measured" in line][-1]


def in_step(principal):
    return principal.metric("holdfast_principal_waiting") + principal.metric("holdfast_principal_in_flight") == 0


# ---- one stream ----

def last_quiet(principal):
    """
    The last time at which nothing was confirmed yet: the connection and the login do not count. Asked every 5 ms: the principal
    itself writes the page, and without a pause it would do little else.
    """
    quiet = time.monotonic()
    end = quiet + 60
    while (now := time.monotonic()) < end:
        if principal.metric("principal_events_sent"):
            return quiet
        quiet = now
        time.sleep(0.005)
    raise BenchError("nothing is confirmed")


def stream_round(setup, kind, count):
    """`count` applications wait for one agent that connects for the first time: events confirmed a second."""
    programs = setup.programs
    with setup.directory(keep=True) as directory:
        pki, passwords, source = Pki(programs, directory), users(directory, 1), directory / "source"
        for number in range(count):
            put(source, agent_name(0), f"app-{number}", 1)
        with Principal(programs, directory, pki, passwords, source) as principal:
            before = principal.cpu_ticks()
            with (Swarm(programs, directory, pki, principal, 1) if kind == "receiver" else
                  Agent(programs, directory, pki, principal, "memory:" if kind == "memory" else f"directory:{directory / 'copies'}")
                  ) as agent:
                begin = last_quiet(principal)
                wait_until(lambda: principal.metric("principal_events_sent") >= count, 300, "all is confirmed")
                seconds = time.monotonic() - begin
                row = {"rate": count / seconds, "cpu_us": (principal.cpu_ticks() - before) * 1e6 / TICKS / count,
                       "agent_cpu_us": agent.cpu_ticks() * 1e6 / TICKS / count}
                if kind == "receiver":
                    wait_until(lambda: agent.last()["events"] >= count, 10, "the receiver has reported")
                    row["event_bytes"] = agent.last()["bytes"] / agent.last()["events"]
                return row


def stream(setup):
    count = 300 if setup.quick else 10000
    rounds = {kind: [] for kind in ("receiver", "memory", "directory")}
    for number in range(1 if setup.quick else 3):
        for kind, done in rounds.items():
            done += setup.attempt(f"stream to one agent: {kind}, round {number + 1}", stream_round, kind, count)
    return [{"kind": kind, **{key: statistics.median(r[key] for r in done) for key in done[0]}, "rounds": done}
            for kind, done in rounds.items() if done]


# ---- many agents ----

def change(source, agents, per_second, seconds):
    """Changes spread over all agents, at fixed times."""
    begin, number = time.monotonic(), 0
    while (passed := time.monotonic() - begin) < seconds:
        while number < passed * per_second:
            put(source, agent_name(number * 7919 % agents), "app-0", number + 2)
            number += 1
        time.sleep(0.001)
    return number


def fanout_round(setup, agents, per_second, seconds):
    programs = setup.programs
    with setup.directory(keep=True) as directory:
        pki, passwords, source = Pki(programs, directory), users(directory, agents), directory / "source"
        for number in range(agents):
            put(source, agent_name(number), "app-0", 1)
        with Principal(programs, directory, pki, passwords, source) as principal:
            principal.settle()
            alone_kb = principal.anon_kb()
            with Swarm(programs, directory, pki, principal, agents) as swarm:
                wait_until(lambda: swarm.last()["connected"] == agents and in_step(principal), 300, "all are connected")
                principal.settle(20)
                idle_kb, ticks = principal.anon_kb(), principal.cpu_ticks()
                time.sleep(5)
                idle_cpu = (principal.cpu_ticks() - ticks) / TICKS / 5
                swarm.lag()
                changes = change(source, agents, per_second, seconds)
                wait_until(lambda: in_step(principal), 60, "all is in step")
                lag = swarm.lag()
                principal.child.kill()
                principal.child.wait()
                return {"kb_per_agent": (idle_kb - alone_kb) / agents, "idle_cpu": idle_cpu, "changes": changes,
                        "lag_p50_ms": lag["lag_p50_us"] / 1000, "lag_p99_ms": lag["lag_p99_us"] / 1000,
                        "restart_s": restart(setup, directory, pki, passwords, source, principal.port, agents)}


def restart(setup, directory, pki, passwords, source, port, agents):
    """From the start of a new principal on the same port until everybody is connected and in step, in seconds."""
    begin = time.monotonic()
    with Principal(setup.programs, directory, pki, passwords, source, port) as again:
        wait_until(lambda: again.metric("argocd_principal_connected_agents") == agents and in_step(again), 300, "all are back")
        return time.monotonic() - begin


def fanout(setup):
    rows = []
    for agents in ((20,) if setup.quick else (1000, 5000)):
        done = setup.attempt(f"{agents} agents", fanout_round, agents, 50 if setup.quick else 1000, 2 if setup.quick else 10)
        rows += [{"agents": agents, **row} for row in done]
    return rows


def sync(setup):
    return {"stream": stream(setup), "fanout": fanout(setup)}
