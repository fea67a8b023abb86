"""People, controllers and fate do what they like with a principal and its agents, all at once; when they stop, all agree.

One seed is one order of what happens (CHAOS_SEED=N runs it again); the moments are the machine's.
"""

import os
import random
import signal
import time

from conftest import wait_until
from netcut import BACK, OUT, Proxy
from synced import application, net, sync_pki  # noqa: F401  (fixtures)

ROUNDS, ACTS = 3, 40
REFRESH = "argocd.argoproj.io/refresh"


class Site:
    """An agent, the tree in which its objects are decided, and the one with their copies."""

    def __init__(self, net, principal, name, mode):
        self.proxy = Proxy(net.free_port(), principal.port)
        self.agent = net.agent(name, self.proxy.port, mode=mode)
        there = principal.tree(name)
        self.source, self.copies = (there, self.agent.tree) if mode == "managed" else (self.agent.tree, there)
        self.principals = there
        self.made = 0

    def controller_is_done(self):
        """Takes what is asked of it; true: nothing was."""
        done = True
        for name in self.agent.tree.names():
            document, status = self.agent.tree.get(name), self.agent.tree.status(name) or {}
            if status.get("operation"):
                self.agent.tree.put_status(name, {"status": {"operationState": {"phase": "Succeeded"}}})
                done = False
            if document and document["metadata"].get("annotations", {}).pop(REFRESH, None):
                self.agent.tree.put(name, document)
                done = False
        return done

    def differences(self):
        if self.source.names() != self.copies.names():
            return self.source.names() ^ self.copies.names()
        return [name for name in self.source.names() if self.facts(self.source, name) != self.facts(self.copies, name)]

    @staticmethod
    def facts(tree, name):
        document, status = tree.get(name), tree.status(name) or {}
        if document is None:  # it went since its name was read
            return None
        return (document["spec"]["source"], document["metadata"].get("labels"), status.get("status"), status.get("operation"),
                document["metadata"].get("annotations", {}).get(REFRESH))


class Chaos:
    def __init__(self, net, seed):
        self.chance = random.Random(seed)
        self.principal = net.principal("--guard-share", "100")
        self.sites = [Site(net, self.principal, "site-1", "managed"), Site(net, self.principal, "site-2", "autonomous")]
        self.frozen, self.count = None, 0

    def ends(self):
        return [self.principal, *(site.agent for site in self.sites)]

    def one(self, tree):
        names = sorted(tree.names())
        return self.chance.choice(names) if names else None

    # ---- what can happen ----

    def version(self):
        self.count += 1
        return application(f"r{self.count}", labels={"count": str(self.count)})

    def create(self, site):
        site.made += 1
        site.source.put(f"app-{site.made}", self.version())

    def edit(self, site):
        if name := self.one(site.source):
            site.source.put(name, self.version())

    def write_in_two_halves(self, site):
        if name := self.one(site.source):
            whole, path = site.source.path(name).read_text().replace("path: deploy", "path: halves"), site.source.path(name)
            with path.open("w") as file:
                file.write(whole[:len(whole) // 2])
                file.flush()
                file.write(whole[len(whole) // 2:])

    def touch(self, site):
        for name in site.source.names():
            os.utime(site.source.path(name))

    def remove(self, site):
        if name := self.one(site.source):
            site.source.remove(name)

    def change_a_copy(self, site):
        name = self.one(site.copies)
        if copy := name and site.copies.get(name):
            copy["spec"]["source"]["targetRevision"] = "drift"
            site.copies.put(name, copy)

    def remove_a_copy(self, site):
        if name := self.one(site.copies):
            site.copies.path(name).unlink(missing_ok=True)

    def report(self, site):
        if name := self.one(site.agent.tree):
            self.count += 1
            site.agent.tree.put_status(name, {"status": {"sync": {"revision": f"s{self.count}"}}})

    def no_status(self, site):
        if name := self.one(site.agent.tree):
            site.agent.tree.path(f"{name}.status").unlink(missing_ok=True)

    def kill(self, _):
        end = self.chance.choice(self.ends())
        end.kill()
        end.start()

    def freeze(self, site):
        self.thaw()
        self.frozen = site.agent.process
        self.frozen.send(signal.SIGSTOP)

    def thaw(self):
        if self.frozen and self.frozen.running():
            self.frozen.send(signal.SIGCONT)
        self.frozen = None

    def cut(self, site):
        site.proxy.cut()
        site.proxy.open()

    def lose(self, site):
        site.proxy.blackhole(self.chance.choice([OUT, BACK]))

    ACTS = ((create, 8), (edit, 6), (write_in_two_halves, 3), (touch, 2), (remove, 3), (change_a_copy, 3), (remove_a_copy, 2),
            (report, 8), (no_status, 1), (kill, 2), (freeze, 1), (cut, 2), (lose, 1))

    # ---- a round ----

    def ask(self):
        """While nobody else writes there: operations and refreshes, at the principal."""
        for site in self.sites:
            for name in sorted(site.principals.names())[:3]:
                status = site.principals.status(name) or {}
                site.principals.put_status(name, {**status, "operation": {"sync": {"revision": f"r{self.count}"}}})
                document = site.principals.get(name)
                document["metadata"].setdefault("annotations", {})[REFRESH] = "normal"
                site.principals.put(name, document)

    def rage(self):
        self.ask()
        acts, weights = zip(*self.ACTS)
        for act in self.chance.choices(acts, weights, k=ACTS):
            act(self, self.chance.choice(self.sites))
            time.sleep(self.chance.random() * 0.05)  # the moment of the next
        self.thaw()
        for site in self.sites:
            self.cut(site)

    def agree(self):
        for end in self.ends():
            assert end.process.running(), end.log_text()
        done = [site.controller_is_done() for site in self.sites]
        peers = [*self.principal.status()["agents"], *(site.agent.status()["principal"] for site in self.sites)]
        return all(done) and all(p["connected"] and p["waiting"] + p["in_flight"] + p["behind"] == 0 for p in peers) and \
            not any(site.differences() for site in self.sites)


def left_behind(net):
    return [p for place in ("principal-source", "site-1-site", "site-2-site") for p in (net.directory / place).rglob(".holdfast-*")]


def test_after_any_chaos_all_agree(net):
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print("CHAOS_SEED", seed)
    chaos = Chaos(net, seed)
    for _ in range(ROUNDS):
        chaos.rage()
        for end in chaos.ends():
            end.ready()
        wait_until(chaos.agree, "all agree", 60)
        wait_until(lambda: left_behind(net) == [], "nothing is half written")
    for end in chaos.ends():
        assert not [line for line in end.log() if line["level"] == "error" and "backend has a problem" not in line["msg"]]
        end.stop()
