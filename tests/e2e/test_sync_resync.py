"""Whoever was away is in step when it returns: the rows of facts 8.4 "resync", with real processes over directories."""

from dataclasses import dataclass
from functools import partial

import pytest
from conftest import wait_until
from netcut import Proxy
from synced import application, net, sync_pki  # noqa: F401  (fixtures)

SITE = "site-1"
PRINCIPAL, AGENT, NETWORK = "principal", "agent", "network"
EDIT, DELETE, CREATE, NOTHING = "edit", "delete", "create", "nothing"
APP, PROJECT = "Application", "AppProject"
DELIVERED, REVERTED, GONE = "r2", "r1", None  # what both ends have in the end


def project(text):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {},
            "spec": {"description": text, "destinations": [{"name": SITE, "namespace": "shop", "server": "*"}],
                     "sourceNamespaces": [SITE], "sourceRepos": ["*"]}}


def for_nobody():
    changed = project("r2")
    changed["spec"]["destinations"][0]["name"] = "somebody-else"
    return changed


@dataclass
class Row:
    """Who is away (a killed process, a cut network), what is done to an object at which end, and what comes of it."""

    numbers: str
    mode: str
    away: str
    kind: str
    at: str
    what: str
    then: str | None

    def name(self):
        return f"{self.kind}-{self.at}-{self.what}".lower()


ROWS = [
    Row("77", "managed", PRINCIPAL, APP, PRINCIPAL, DELETE, GONE),
    Row("78", "managed", PRINCIPAL, APP, PRINCIPAL, EDIT, DELIVERED),
    Row("4", "managed", PRINCIPAL, APP, AGENT, EDIT, REVERTED),
    Row("9", "managed", PRINCIPAL, APP, AGENT, DELETE, REVERTED),
    Row("91", "managed", PRINCIPAL, PROJECT, PRINCIPAL, CREATE, DELIVERED),
    Row("92", "managed", PRINCIPAL, PROJECT, PRINCIPAL, EDIT, DELIVERED),
    Row("93", "managed", PRINCIPAL, PROJECT, PRINCIPAL, DELETE, GONE),
    Row("79", "managed", AGENT, APP, AGENT, DELETE, REVERTED),
    Row("5, 6, 80", "managed", AGENT, APP, AGENT, EDIT, REVERTED),
    Row("94", "managed", AGENT, PROJECT, PRINCIPAL, DELETE, GONE),
    Row("95", "managed", AGENT, PROJECT, PRINCIPAL, CREATE, DELIVERED),
    Row("10", "managed", AGENT, PROJECT, AGENT, EDIT, REVERTED),
    Row("10", "managed", AGENT, PROJECT, AGENT, DELETE, REVERTED),
    Row("85", "managed", NETWORK, APP, PRINCIPAL, DELETE, GONE),
    Row("4", "managed", NETWORK, APP, PRINCIPAL, EDIT, DELIVERED),
    Row("4", "managed", NETWORK, APP, AGENT, EDIT, REVERTED),
    Row("83", "autonomous", PRINCIPAL, APP, PRINCIPAL, DELETE, REVERTED),
    Row("84", "autonomous", PRINCIPAL, APP, PRINCIPAL, EDIT, REVERTED),
    Row("98", "autonomous", PRINCIPAL, PROJECT, PRINCIPAL, NOTHING, REVERTED),
    Row("97", "autonomous", PRINCIPAL, PROJECT, AGENT, CREATE, DELIVERED),
    Row("100", "autonomous", PRINCIPAL, PROJECT, PRINCIPAL, EDIT, REVERTED),
    Row("101", "autonomous", PRINCIPAL, PROJECT, AGENT, EDIT, DELIVERED),
    Row("104", "autonomous", PRINCIPAL, PROJECT, PRINCIPAL, DELETE, REVERTED),
    Row("105", "autonomous", PRINCIPAL, PROJECT, AGENT, DELETE, GONE),
    Row("81", "autonomous", AGENT, APP, AGENT, DELETE, GONE),
    Row("82", "autonomous", AGENT, APP, AGENT, EDIT, DELIVERED),
    Row("99", "autonomous", AGENT, PROJECT, AGENT, NOTHING, REVERTED),
    Row("102", "autonomous", AGENT, PROJECT, AGENT, EDIT, DELIVERED),
    Row("103", "autonomous", AGENT, PROJECT, PRINCIPAL, EDIT, REVERTED),
    Row("106", "autonomous", AGENT, PROJECT, AGENT, DELETE, GONE),
    Row("107", "autonomous", AGENT, PROJECT, PRINCIPAL, DELETE, REVERTED),
    Row("86", "autonomous", NETWORK, APP, AGENT, DELETE, GONE),
]


class Both:
    """One object at both ends: where it is, and what it says."""

    def __init__(self, row, principal, agent):
        self.row = row
        own = principal.tree("argocd")
        prefix = f"{SITE}-" if row.mode == "autonomous" and row.kind == PROJECT else ""
        at_principal = (own if row.kind == PROJECT else principal.tree(SITE), prefix + row.name())
        self.ends = {PRINCIPAL: at_principal, AGENT: (agent.tree, row.name())}
        self.source = AGENT if row.mode == "autonomous" else PRINCIPAL

    def text(self, end):
        tree, name = self.ends[end]
        found = tree.get(name, self.row.kind)
        if not found:
            return None
        return found["spec"]["description"] if self.row.kind == PROJECT else found["spec"]["source"]["targetRevision"]

    def create(self, text):
        tree, name = self.ends[self.source]
        tree.put(name, project(text) if self.row.kind == PROJECT else application(text, name=name), self.row.kind)

    def act(self):
        tree, name = self.ends[self.row.at]
        if self.row.what == DELETE:
            tree.remove(name, self.row.kind)
        elif self.row.what == CREATE:
            self.create("r2")
        elif self.row.what == EDIT:
            changed = tree.get(name, self.row.kind)
            if self.row.kind == PROJECT:
                changed["spec"]["description"] = "r2"
            else:
                changed["spec"]["source"]["targetRevision"] = "r2"
            tree.put(name, changed, self.row.kind)

    def have(self, text):
        return self.text(PRINCIPAL) == text and self.text(AGENT) == text


@pytest.fixture
def pair(net):
    """pair(mode): a principal, an agent that is connected through a network that can be cut, and both as {who: (away, back)}."""

    def make(mode):
        principal = net.principal()
        proxy = Proxy(net.free_port(), principal.port)
        agent = net.agent(SITE, proxy.port, mode=mode).wait_connected()
        return principal, agent, {PRINCIPAL: (principal.kill, lambda: principal.start().ready()),
                                  AGENT: (agent.kill, lambda: agent.start().ready()),
                                  NETWORK: (proxy.cut, proxy.open)}

    return make


@pytest.mark.parametrize("mode, away", [(m, a) for m in ("managed", "autonomous") for a in (PRINCIPAL, AGENT, NETWORK)])
def test_who_was_away_is_in_step_when_it_returns(pair, mode, away):
    principal, agent, ends = pair(mode)
    objects = [Both(row, principal, agent) for row in ROWS if (row.mode, row.away) == (mode, away)]
    for o in objects:
        if o.row.what != CREATE:
            o.create("r1")
    for o in objects:
        if o.row.what != CREATE:
            wait_until(partial(o.have, "r1"), f"{o.row} is at both ends")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")

    leave, come_back = ends[away]
    leave()
    for o in objects:
        o.act()
    come_back()
    for o in objects:
        wait_until(partial(o.have, o.row.then), f"{o.row}: {o.text(PRINCIPAL)}, {o.text(AGENT)}", 60)
    late = Both(Row("", mode, away, APP, PRINCIPAL, CREATE, DELIVERED), principal, agent)
    late.act()
    wait_until(partial(late.have, DELIVERED), "what came later is there")
    wait_until(lambda: principal.agent(SITE)["behind"] == agent.status()["principal"]["behind"] == 0, "all is confirmed")
    assert [str(o.row) for o in objects if not o.have(o.row.then)] == [], "and it stays so"


def test_a_project_that_matches_nobody_any_more_leaves_the_agent(pair):
    """Facts 8.4, 87, without its repository."""
    principal, agent, _ = pair("managed")
    own = principal.tree("argocd")
    own.put("shop", project("r1"), PROJECT)
    wait_until(lambda: agent.tree.get("shop", PROJECT), "the project is at its agent")
    principal.kill()
    own.put("shop", for_nobody(), PROJECT)
    principal.start().ready()
    wait_until(lambda: agent.tree.get("shop", PROJECT) is None, "it is gone there", 60)
    assert own.get("shop", PROJECT)


POLICIES = ["p, proj:shop:ops, applications, *, shop/*, allow", "g, somebody, proj:shop:ops"]


def test_roles_that_an_autonomous_agent_adds_meanwhile_arrive_and_stay_stable(pair):
    """Facts 8.4, 96: project and object rewritten; what does not match stays."""
    principal, agent, _ = pair("autonomous")
    own = principal.tree("argocd")
    agent.tree.put("shop", project("r1"), PROJECT)
    wait_until(lambda: own.get(f"{SITE}-shop", PROJECT), "the copy is there")
    principal.kill()
    changed = agent.tree.get("shop", PROJECT)
    changed["spec"]["roles"] = [{"name": "ops", "policies": POLICIES}]
    agent.tree.put("shop", changed, PROJECT)
    principal.start().ready()

    def roles():
        return (own.get(f"{SITE}-shop", PROJECT)["spec"].get("roles") or [{}])[0].get("policies")

    first = wait_until(roles, "the roles are there", 60)
    assert first[0] == f"p, proj:{SITE}-shop:ops, applications, *, {SITE}-shop/{SITE}/*, allow"
    assert first[1] == POLICIES[1]
    agent.tree.put("later", application("r1", name="later"))
    wait_until(lambda: principal.tree(SITE).get("later"), "a later change is there")
    assert roles() == first and agent.tree.get("shop", PROJECT)["spec"]["roles"][0]["policies"] == POLICIES


@pytest.mark.parametrize("destination", ["in-cluster", "somewhere"])
def test_a_project_keeps_its_destination_over_a_restart_of_the_principal(pair, destination):
    """Facts 8.4, 108 and 109."""
    principal, agent, _ = pair("autonomous")
    own = principal.tree("argocd")
    there = project("r1")
    there["spec"]["destinations"][0]["name"] = destination
    agent.tree.put("shop", there, PROJECT)
    before = wait_until(lambda: own.get(f"{SITE}-shop", PROJECT), "the copy is there")
    principal.kill()
    principal.start().ready()
    principal.wait_connected(SITE)
    agent.tree.put("later", application("r1", name="later"))
    wait_until(lambda: principal.tree(SITE).get("later"), "a later change is there")
    assert own.get(f"{SITE}-shop", PROJECT) == before
    assert agent.tree.get("shop", PROJECT)["spec"] == there["spec"]


@pytest.mark.parametrize("when", ["while it is there", "while it is away"])
def test_what_was_refused_for_what_was_in_the_way_arrives_when_that_has_gone(net, when):
    principal = net.principal()
    agent = net.agent(SITE, principal, "--adoption-policy", "never").wait_connected()
    agent.tree.put("web", application("theirs"))
    principal.tree(SITE).put("web", application("r1"))
    wait_until(lambda: principal.agent(SITE)["quarantined_count"] == 1, "it is refused")
    if when == "while it is away":
        agent.kill()
    agent.tree.remove("web")
    if when == "while it is away":
        agent.start()
    wait_until(lambda: agent.tree.revision("web") == "r1", "it arrives")
    wait_until(lambda: principal.agent(SITE)["quarantined_count"] == 0, "and is refused no longer")
