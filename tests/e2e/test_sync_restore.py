"""Directories that went back in time: wiped, or restored from a backup, each of the four and a whole machine, in both modes at once."""

import shutil
from functools import partial

import pytest
from conftest import wait_until
from synced import Tree, application, net, sync_pki  # noqa: F401  (fixtures)

MANAGED, AUTONOMOUS = "site-1", "site-2"
GUARD = ("--guard-min", "1")
TARGETS = {
    "source": ("principal-source",), "ledger": ("principal-data",), "principal": ("principal-source", "principal-data"),
    "site": ("site-1-site", "site-2-site"), "memory": ("site-1-data", "site-2-data"),
    "agent": ("site-1-site", "site-2-site", "site-1-data", "site-2-data"),
}
TRUTH_GONE = {"source": MANAGED, "principal": MANAGED, "site": AUTONOMOUS, "agent": AUTONOMOUS}  # when they are wiped
STATUS = {"status": {"sync": {"status": "Synced"}}}


class Pair:
    """An agent's objects: where they are decided (truth), and where they are shown (copies)."""

    def __init__(self, principal, agent, truth, copies):
        self.principal, self.agent, self.truth, self.copies = principal, agent, truth, copies
        self.site = agent.tree

    def put(self, name, revision):
        self.truth.put(name, application(revision, name=name))

    def have(self, name, revision):
        return self.truth.revision(name) == revision and self.copies.revision(name) == revision

    def report(self, name):
        """The controller writes a status."""
        self.site.put_status(name, STATUS)
        wait_until(lambda: (self.principal_tree.status(name) or {}).get("status") == STATUS["status"], f"status of {name}")

    @property
    def principal_tree(self):
        return self.truth if self.copies is self.site else self.copies

    def listing(self, tree):
        return {name: tree.revision(name) for name in tree.names()}

    def differs(self):
        """What of the copies is not as it should be; but for what people made there themselves."""
        truth, copies = self.listing(self.truth), self.listing(self.copies)
        copies.pop("own", None)
        wrong = {name for name in truth | copies if truth.get(name) != copies.get(name)}
        return {name: (truth.get(name), copies.get(name)) for name in wrong}

    def wait_in_step(self, limit_s=60.0):
        try:
            wait_until(lambda: not self.differs(), "in step", limit_s)
        except pytest.fail.Exception:
            pytest.fail(f"{self.agent.name}: truth and copy of what differs: {self.differs()}")

    def strangers(self):
        return {n for n in self.copies.names() if n != "own" and not self.copies.source_uid(n)}


class World:
    def __init__(self, net):
        self.net = net
        self.principal = net.principal(*GUARD)
        self.agents = [net.agent(MANAGED, self.principal, *GUARD),
                       net.agent(AUTONOMOUS, self.principal, *GUARD, mode="autonomous")]
        self.backup = net.directory / "backup"
        managed, autonomous = self.agents
        self.pairs = [Pair(self.principal, managed, self.principal.tree(MANAGED), managed.tree),
                      Pair(self.principal, autonomous, autonomous.tree, self.principal.tree(AUTONOMOUS))]
        for agent in self.agents:
            agent.wait_connected()

    def stop(self):
        for end in (*self.agents, self.principal):
            end.kill()

    def start(self):
        self.principal.start().ready()
        for agent in self.agents:
            agent.start().ready()
        for agent in self.agents:
            agent.wait_connected()

    def save(self):
        for name in {n for names in TARGETS.values() for n in names}:
            shutil.copytree(self.net.directory / name, self.backup / name)

    def restore(self, names, wiped):
        for name in names:
            shutil.rmtree(self.net.directory / name)
            if not wiped:
                shutil.copytree(self.backup / name, self.net.directory / name)

    def in_step(self):
        for pair in self.pairs:
            pair.wait_in_step()
        for agent in (MANAGED, AUTONOMOUS):
            wait_until(lambda a=agent: self.principal.agent(a)["behind"] == 0, "all is confirmed")
        for agent in self.agents:
            wait_until(lambda a=agent: a.status()["principal"]["behind"] == 0, "all is confirmed")

    def own(self):
        """What people made where the copies are."""
        found = {"managed": self.agents[0].tree.get("own"), "principal": Tree(self.principal.source, "argocd").get("own")}
        return {key: value["spec"] for key, value in found.items() if value}

    def held(self):
        return ((self.principal.agent(MANAGED) or {}).get("held", 0), self.agents[1].status()["principal"]["held"])


def before(world):
    world.agents[0].tree.put("own", application("mine", name="own"))
    Tree(world.principal.source, "argocd").put("own", application("mine", name="own"))
    for pair in world.pairs:
        for name in ("kept", "edited", "gone", "drifts", "remade", "quiet", "still"):
            pair.put(name, "r1")
    world.in_step()
    for pair in world.pairs:
        pair.report("kept")


def between(world):
    for pair in world.pairs:
        pair.put("edited", "r2")
        pair.truth.remove("gone")
        pair.put("new", "r1")
        pair.truth.remove("remade")
    world.in_step()
    for pair in world.pairs:
        pair.put("remade", "r3")
    world.in_step()
    for pair in world.pairs:
        pair.report("new")


def drift(pair, name):
    copy = pair.copies.get(name)
    if copy:
        copy["spec"]["source"]["targetRevision"] = "drifted"
        pair.copies.put(name, copy)


def is_held(world, mode, copies):
    """The truth of this mode is gone: its copies are as they were, and their deletion waits."""
    pair = world.pairs[0 if mode == MANAGED else 1]
    wait_until(lambda: world.held()[0 if mode == MANAGED else 1] > 0, f"deletes are held: {world.held()}")
    now = pair.listing(pair.copies)
    assert {n: r for n, r in now.items() if n != "drifts"} == {n: r for n, r in copies.items() if n != "drifts"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("how", ["wiped", "old"])
def test_both_ends_agree_after_a_restore(net, target, how):
    world = World(net)
    before(world)
    world.stop()
    world.save()
    world.start()
    between(world)
    own, copies = world.own(), {mode: pair.listing(pair.copies) for mode, pair in zip((MANAGED, AUTONOMOUS), world.pairs)}
    world.stop()

    world.restore(TARGETS[target], how == "wiped")
    for pair in world.pairs:
        drift(pair, "drifts")
    world.start()
    gone = TRUTH_GONE.get(target) if how == "wiped" else None
    for mode, pair in zip((MANAGED, AUTONOMOUS), world.pairs):
        if mode == gone:
            is_held(world, mode, copies[mode])
            continue
        pair.wait_in_step()
        assert not pair.strangers()
        if target in ("ledger", "memory"):  # what was forgotten is no reason to delete anything, not for a moment
            for name in ("kept", "new"):
                assert pair.site.status(name)["status"] == STATUS["status"], name
                assert pair.principal_tree.status(name)["status"] == STATUS["status"], name
    kept = {"site": {"principal"}, "agent": {"principal"}, "source": {"managed"}, "principal": {"managed"}}
    assert {k: v for k, v in world.own().items() if how == "old" or k in kept.get(target, own)} == {
        k: v for k, v in own.items() if how == "old" or k in kept.get(target, own)}
    for mode, pair in zip((MANAGED, AUTONOMOUS), world.pairs):  # and the sync goes on
        if mode != gone:
            drift(pair, "still")
            pair.wait_in_step()
        pair.put("later", "r1")
        wait_until(partial(pair.have, "later", "r1"), "a later change is there")


@pytest.mark.parametrize("target", ["principal", "memory"])
def test_an_edit_since_the_backup_is_found_though_all_names_are_the_same(net, target):
    world = World(net)
    for pair in world.pairs:
        pair.put("edited", "r1")
    world.in_step()
    world.stop()
    world.save()
    world.start()
    for pair in world.pairs:
        pair.put("edited", "r2")
    world.in_step()
    world.stop()
    world.restore(TARGETS[target], wiped=False)
    world.start()
    for pair in world.pairs:
        pair.wait_in_step()
    assert world.pairs[0].truth.revision("edited") == ("r1" if target == "principal" else "r2")


def test_a_principal_that_lost_everything_deletes_nothing_and_takes_over_what_is_there_when_its_source_is_back(net):
    """With the guard as it is by default: of many copies not even the first ones go."""
    principal = net.principal()
    agent = net.agent(MANAGED, principal).wait_connected()
    names = {f"app-{n}" for n in range(15)}
    for name in names:
        principal.tree(MANAGED).put(name, application(name=name))
    wait_until(lambda: agent.tree.names() == names, "all are there")
    wait_until(lambda: principal.agent(MANAGED)["behind"] == 0, "all is confirmed")
    agent.tree.put_status("app-3", STATUS)
    principal.stop()
    shutil.move(principal.source, net.directory / "backup")
    shutil.rmtree(principal.data)
    principal.start().ready()
    wait_until(lambda: (principal.agent(MANAGED) or {}).get("held") == len(names), "all deletes are held")
    assert agent.tree.names() == names

    principal.stop()
    shutil.rmtree(principal.source)
    shutil.move(net.directory / "backup", principal.source)
    before = {name: agent.tree.source_uid(name) for name in names}
    principal.start().ready()
    wait_until(lambda: all(agent.tree.source_uid(n) not in (None, before[n]) for n in names), "all are taken over")
    wait_until(lambda: principal.agent(MANAGED)["held"] == 0, "nothing is held any more")
    assert agent.tree.names() == names and agent.tree.status("app-3")["status"] == STATUS["status"]
