"""API servers that are away, forget, refuse, or break off in the middle; ends that die: what changed meanwhile arrives."""

import time

import pytest
from conftest import wait_until
from kube_synced import Controller, net  # noqa: F401  (a fixture)
from synced import application, run, sync_pki  # noqa: F401  (a fixture)
from test_sync import wait_in_step
from test_sync_kubernetes import SITE, controlled, wait_confirmed  # noqa: F401  (a fixture)

PROBLEM = "the backend has a problem"


SOON = ("--resend-after", "1s", "--resend-at-most", "1s")


@pytest.fixture
def pair(net):
    """A principal and a managed agent that try again soon."""
    principal = net.principal(*SOON)
    return principal, net.agent(SITE, principal, *SOON).wait_connected()


def settle(principal, agent, revision):
    """An edit goes down and a status comes up."""
    truth = principal.tree(SITE)
    truth.put("guestbook", application(revision))
    wait_until(lambda: agent.tree.revision("guestbook") == revision, f"{revision} is at the agent")
    agent.place.api.edit("Application", "argocd", "guestbook", lambda o: o.setdefault("status", {}).update(sync={"revision": revision}))
    wait_until(lambda: (truth.status("guestbook") or {}).get("status", {}).get("sync", {}).get("revision") == revision, f"status of {revision}")


def lists(api):
    return api.requests["list", "applications"]


@pytest.mark.parametrize("who, gone_as", [("principal", "event"), ("agent", "status")])
def test_what_changed_while_a_server_was_away_or_had_forgotten_arrives(pair, who, gone_as):
    principal, agent = pair
    truth, api = principal.tree(SITE), dict(zip(("principal", "agent"), pair))[who].place.api
    api.gone_as = gone_as
    for name in ("goes", "again", "stays"):
        truth.put(name, application("r1"))
    settle(principal, agent, "r1")
    for forgets in ("nothing", "all"):
        revision = f"forgot-{forgets}"
        api.stop()
        before = lists(api)
        truth.put("stays", application(revision))
        truth.put(f"made-{forgets}", application(revision))
        truth.remove("again")
        truth.put("again", application(revision))
        if truth.get("goes"):
            truth.remove("goes")
        copy = agent.tree.get("guestbook")
        agent.tree.put("guestbook", {**copy, "spec": {**copy["spec"], "project": "drift"}})
        agent.tree.put_status("guestbook", {"status": {"sync": {"revision": revision}}})
        if forgets == "all":
            api.compact()
        api.start()
        wait_in_step(truth, agent.tree)
        wait_until(lambda r=revision: truth.status("guestbook")["status"]["sync"]["revision"] == r, "its status, too")
        wait_until(lambda: agent.tree.get("guestbook")["spec"]["project"] == "default", "drift is undone")
        wait_until(lambda: agent.tree.source_uid("again") == truth.get("again")["metadata"]["uid"], "the new one")
        assert (lists(api) > before) == (forgets == "all"), "it goes on where it was unless that is forgotten"
    wait_confirmed(principal, agent)


def test_watches_end_and_expire_and_go_on(pair):
    principal, agent = pair
    apis = [end.place.api for end in pair]
    settle(principal, agent, "r0")
    for n, what in enumerate(("cut_watches", "end_watches", "disconnect", "half", "bookmark", "expire_watches")):
        before = [lists(api) for api in apis]
        for api in apis:
            if what == "bookmark":  # an empty watch knows where the server is, so that what is forgotten does not matter
                api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"noise-{n}", "namespace": "default"}})
                api.bookmark()
                wait_until(lambda a=api: all(w.sent == a.store.version for w in a.watches), "they are told")
                api.compact()
            api.cut_watches(half_a_line=True) if what == "half" else getattr(api, "disconnect" if what == "bookmark" else what)()
        settle(principal, agent, f"r{n + 1}")
        again = [lists(api) - was for api, was in zip(apis, before)]
        assert again == [1, 1] if what == "expire_watches" else again == [0, 0], what
    wait_confirmed(principal, agent)


FAULTS = [dict(what="answer", status=429, retry_after=0), dict(what="answer", status=503), dict(what="answer", status=401), dict(what="close"),
          dict(what="cut"), dict(what="drop"), dict(what="answer", status=200, body=b"<html>Welcome to our hotel</html>"),
          dict(what="answer", status=404, body=b"404 page not found\n")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f['what']}{f.get('status', '')}")
def test_a_server_that_fails_now_and_then_delays_and_loses_nothing(controlled, fault):
    principal, agent, controller = controlled
    truth, apis = principal.tree(SITE), [principal.place.api, agent.place.api]
    settle(principal, agent, "r0")
    faults = [api.fault(verb=verb, times=1, **fault) for api in apis for verb in ("create", "update", "delete", "list", "watch")]
    for api in apis:
        api.compact()
        api.expire_watches()
    for n in range(4):
        truth.put(f"app-{n}", application("r1"))
    truth.put_status("guestbook", {**truth.status("guestbook"), "operation": {"sync": {"revision": "once"}}})
    settle(principal, agent, "r1")
    truth.remove("app-0")
    wait_in_step(truth, agent.tree)
    wait_until(lambda: "operation" not in truth.status("guestbook"), "the operation is done")
    wait_confirmed(principal, agent)
    assert sum(f.hits for f in faults) >= 6
    assert set(controller.ran.values()) == {1}


def test_one_object_that_a_server_refuses_holds_nothing_up(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("bad", application("r1"))
    truth.put("good", application("r1"))
    wait_in_step(truth, agent.tree)
    refusal = agent.place.api.fault("answer", name="bad", verb="update", status=422, message='Application.argoproj.io "bad" is invalid: spec.source')
    truth.put("bad", application("r2"))
    truth.put("good", application("r2"))
    wait_until(lambda: agent.tree.revision("good") == "r2", "others go on")
    said = wait_until(lambda: principal.agent(SITE)["quarantined"], "it is known at the principal")
    assert "spec.source" in str(said)
    assert agent.tree.revision("bad") == "r1"
    refusal.end()
    truth.put("bad", application("r3"))
    wait_until(lambda: agent.tree.revision("bad") == "r3", "a version that is taken")
    wait_confirmed(principal, agent)
    assert refusal.hits == 1


def test_what_is_not_allowed_is_said_and_heals(net):
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    truth, api = principal.tree(SITE), agent.place.api
    with api.deny({"create", "update"}, {"applications"}, {"argocd"}):
        truth.put("guestbook", application("r1"))
        wait_until(lambda: "cannot create resource" in agent.log_text() or "cannot create resource" in principal.log_text(), "it is said")
        assert agent.tree.get("guestbook") is None
    principal.process.send(1)
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "it heals")
    with api.deny({"list", "watch"}, {"applications"}):
        api.disconnect()
        wait_until(lambda: [line for line in agent.log(PROBLEM) if "cannot watch resource" in line["error"]], "it is said")
        truth.put("guestbook", application("r2"))
        wait_until(lambda: agent.tree.revision("guestbook") == "r2", "what can be done is done")
    wait_until(lambda: agent.log("a problem of the backend is over"), "it heals")
    settle(principal, agent, "r3")


def test_a_start_waits_for_a_server_and_for_its_definitions(net):
    principal = net.principal(start=False)
    api, truth = principal.place.api, principal.tree(SITE)
    truth.put("guestbook", application("r1"))
    api.stop()
    principal.start()
    wait_until(lambda: principal.log("what is in the cluster cannot be read yet: it is tried again until it can"), "who may come is not known")
    api.missing.add("appprojects")
    api.start()
    wait_until(lambda: any("AppProject" in line["error"] for line in principal.log(PROBLEM)), "and what is missing")
    assert principal.page("/readyz").status_code == 503 and not api.writes()
    api.missing.clear()
    principal.ready()
    agent = net.agent(SITE, principal, start=False)
    agent.place.api.stop()
    agent.start()
    wait_until(lambda: agent.log(PROBLEM), "it is said")
    assert agent.page("/readyz").status_code == 503
    agent.place.api.start()
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "then all goes on")


def test_a_token_that_is_replaced_is_read_again(net):
    principal = net.principal(start=False)
    api, file = principal.place.api, net.directory / "token"
    api.user("holdfast", api.users["holdfast"], "first")
    file.write_text("first\n")
    principal.place.options[-1].write_text(api.kubeconfig(name="other", tokenFile=str(file)).read_text())
    principal.start().ready()
    del api.tokens["first"]
    api.user("holdfast", api.users["holdfast"], "second")
    api.disconnect()
    wait_until(lambda: principal.log(PROBLEM), "the old one is refused")
    file.write_text("second\n")
    agent = net.agent(SITE, principal)
    wait_until(lambda: principal.log("a problem of the backend is over"), "the new one is used")
    settle(principal, agent, "r1")


def test_what_an_admission_changes_is_no_reason_to_write_for_ever(pair):
    """A webhook that stamps every object."""
    principal, agent = pair
    def stamp(o):
        o["metadata"].setdefault("annotations", {})["stamped.example.com/by"] = "webhook"
        return o
    agent.place.api.store.admit = stamp
    settle(principal, agent, "r1")
    settle(principal, agent, "r2")
    wait_confirmed(principal, agent)
    before = agent.place.api.writes()
    principal.tree(SITE).put("last", application("r1"))
    wait_until(lambda: agent.tree.get("last"), "something else goes on")
    wait_confirmed(principal, agent)
    assert agent.place.api.writes() - before <= 3


def test_kills_at_random_moments_lose_nothing(net, chance):
    guard = ("--guard-share", "100")  # what is deleted while all are down may be most of it
    principal = net.principal(*guard)
    managed, autonomous = net.agent(SITE, principal, *guard), net.agent("site-2", principal, *guard, mode="autonomous")
    ends = [principal, managed, autonomous]
    sides = ((principal.tree(SITE), managed.tree), (autonomous.tree, principal.tree("site-2")))
    for n in range(10):
        for source, _ in sides:
            for _ in range(4):
                name = f"app-{chance.randrange(8)}"
                if chance.random() < 0.2 and name in source.names():
                    source.remove(name)
                else:
                    source.put(name, application(f"r{n}-{chance.randrange(100)}"))
        for agent in (managed, autonomous):
            for name in agent.tree.names():
                agent.tree.put_status(name, {"status": {"sync": {"revision": f"s{n}"}}})
        time.sleep(chance.random() * 0.1)  # the moment of the kill
        for victim in chance.sample(ends, chance.randrange(1, 3)):
            victim.kill()
            victim.start()
    for end in ends:
        end.ready()
    for source, copies in sides:
        wait_in_step(source, copies)
    wait_confirmed(principal, managed, autonomous)
    for agent in (managed, autonomous):
        for name in agent.tree.names():
            assert principal.tree(agent.name).status(name) == agent.tree.status(name)


def test_what_a_server_that_was_away_refused_comes_when_it_is_back(net):
    """And not when the wait of the delivery is over: that is up to an hour here."""
    def refused(end):
        return len(end.log("an event cannot be applied now"))

    late = ("--resend-after", "1h", "--resend-at-most", "1h")
    principal = net.principal(*late)
    agent = net.agent(SITE, principal, *late).wait_connected()
    names = [f"app-{n}" for n in range(5)]
    truth = principal.tree(SITE)
    settle(principal, agent, "r0")
    agent.place.api.stop()
    for name in names:
        truth.put(name, application("r1"))
    wait_until(lambda: refused(agent) >= 5, "all are refused")
    agent.place.api.start()
    wait_in_step(truth, agent.tree)
    wait_confirmed(principal, agent)
    principal.place.api.stop()
    for name in names:
        agent.tree.put_status(name, {"status": {"sync": {"revision": "r1"}}})
    wait_until(lambda: refused(principal) >= 5, "all are refused")
    principal.place.api.start()
    wait_until(lambda: all((truth.status(name) or {}).get("status") for name in names), "their status")
    wait_confirmed(principal, agent)
