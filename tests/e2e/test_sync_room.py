"""What one peer can make the other end hold has a limit: more waits where it is, nobody else notices, and what goes makes room."""

from agentpeer import AgentPeer, api, data_of, verb_of  # noqa: F401
from conftest import wait_until
from synced import application, net, sync_pki  # noqa: F401  (fixtures)

LIAR, GOOD = "site-1", "site-2"
SOON = ("--resend-after", "1s", "--resend-at-most", "2s")


def claim(api, n):
    """A copy that nobody knows of."""
    return api.event("request-update", "resourceResync", {"kind": "Application", "namespace": "argocd", "name": f"claim-{n}", "uid": f"uid-{n}"},
                     resourceid=f"r{n}", eventid=f"r{n}")


def creation(api, n):
    return api.about("create", application("r1", name=f"made-{n}", namespace="argocd", uid=f"uid-{n}", resourceVersion="1"))


def told(end, full):
    return [line for line in end.log() if line["msg"].endswith("more is refused for now" if full else "has room again")]


def goes_on(principal, stream, revision):
    """An edit for the other agent reaches it."""
    principal.tree(GOOD).put("guestbook", application(revision, name="guestbook"))
    stream.wait(lambda e: verb_of(e) in ("create", "spec-update") and data_of(e)["spec"]["source"]["targetRevision"] == revision, revision)


def test_copies_that_an_agent_only_says_to_have_are_held_up_to_a_limit(net, api):
    principal = net.principal("--peer-objects", "50", "--guard-share", "100", *SOON)
    good = AgentPeer(api, principal.port, net.pki, GOOD).open()
    goes_on(principal, good, "r1")
    liar = AgentPeer(api, principal.port, net.pki, LIAR)
    stream = liar.open(acks=False)
    for n in range(200):
        stream.send(claim(api, n))
    wait_until(lambda: principal.metrics()["holdfast_principal_no_room_total"] == 150, "the rest is refused")
    wait_until(lambda: sum(principal.agent(LIAR)[what] for what in ("waiting", "in_flight")) == 50, "what it said is to be deleted there")
    assert principal.agent(LIAR)["no_room"] == 150
    assert [line["agent"] for line in told(principal, full=True)] == [LIAR]
    goes_on(principal, good, "r2")
    # What it answers makes room, for what it then still says to have.
    stream = liar.open()
    wait_until(lambda: told(principal, full=False), "there is room again")
    stream.send(claim(api, 199))
    stream.wait(lambda e: verb_of(e) == "delete" and data_of(e)["metadata"]["uid"] == "uid-199", "what had no room is compared")
    goes_on(principal, good, "r3")


def test_objects_that_an_agent_makes_are_held_up_to_a_limit(net, api):
    principal = net.principal("--peer-objects", "20")
    good = AgentPeer(api, principal.port, net.pki, GOOD).open()
    stream = AgentPeer(api, principal.port, net.pki, LIAR, mode="autonomous").open()
    for n in range(60):
        stream.send(creation(api, n))
    wait_until(lambda: principal.metrics()["holdfast_principal_no_room_total"] == 40, "the rest is refused")
    tree = principal.tree(LIAR)
    wait_until(lambda: principal.agent(LIAR)["records"] == 20, "what fits is there")
    assert len(tree.names()) == 20 and len(told(principal, full=True)) == 1
    goes_on(principal, good, "r1")
    assert len(tree.names()) == 20


def test_what_has_no_room_at_the_principal_comes_when_there_is_some(net):
    principal = net.principal("--peer-objects", "5")
    agent = net.agent(LIAR, principal, *SOON, mode="autonomous", start=False)
    for n in range(8):
        agent.tree.put(f"app-{n}", application("r1", name=f"app-{n}"))
    agent.start()
    there = principal.tree(LIAR)
    wait_until(lambda: len(there.names()) == 5 and principal.metrics()["holdfast_principal_no_room_total"] >= 3, "five are there")
    for name in sorted(there.names())[:3]:
        agent.tree.remove(name)
    wait_until(lambda: there.names() == agent.tree.names() and len(there.names()) == 5, "the others come by themselves")


def test_what_a_principal_makes_an_agent_hold_has_a_limit_too(net):
    principal = net.principal(*SOON)
    for n in range(8):
        principal.tree(LIAR).put(f"app-{n}", application("r1", name=f"app-{n}"))
    agent = net.agent(LIAR, principal, "--peer-objects", "5")
    wait_until(lambda: len(agent.tree.names()) == 5 and agent.metrics()["holdfast_agent_no_room_total"] >= 3, "five are there")
    assert len(told(agent, full=True)) == 1
    for name in sorted(agent.tree.names())[:3]:
        principal.tree(LIAR).remove(name)
    wait_until(lambda: agent.tree.names() == principal.tree(LIAR).names() and len(agent.tree.names()) == 5, "the others come by themselves")


def test_a_peer_that_has_itself_asked_again_and_again_stops_nobody(net, api):
    """Each of its messages is a question of ours about each copy: a thousand of them were millions, within one turn of the loop."""
    principal = net.principal()
    good = AgentPeer(api, principal.port, net.pki, GOOD).open()
    stream = AgentPeer(api, principal.port, net.pki, LIAR, mode="autonomous").open(acks=False)
    for n in range(500):
        stream.send(creation(api, n))
    wait_until(lambda: principal.agent(LIAR)["records"] == 500, "its objects are there")
    for n in range(1000):
        stream.send(api.event("request-resource-resync", "resourceResync", {}, resourceid=f"q{n}", eventid=f"q{n}"))
    wait_until(lambda: "what was asked before is not answered" in principal.log_text(), "it has asked enough")
    goes_on(principal, good, "r1")
    assert principal.agent(LIAR)["waiting"] < 20000


def test_what_all_agents_make_together_is_held_up_to_a_limit(net, api):
    principal = net.principal("--all-peers-bytes", "40KiB")
    agents = (LIAR, GOOD)
    for agent in agents:
        stream = AgentPeer(api, principal.port, net.pki, agent, mode="autonomous").open()
        for n in range(20):
            stream.send(creation(api, n))
        wait_until(lambda agent=agent: sum(principal.agent(agent)[what] for what in ("records", "no_room")) == 20, "all were looked at")
    assert principal.agent(LIAR)["no_room"] == 0
    assert 0 < principal.agent(GOOD)["records"] < 20
    assert [line["agent"] for line in told(principal, full=True)] == [GOOD]
