"""Principal and agents over the API servers of clusters: what holds over directories holds here, and what only clusters have."""

import pytest
from conftest import wait_until
from kube_synced import Controller, net  # noqa: F401  (a fixture)
from synced import UID, application, sync_pki  # noqa: F401  (a fixture)
from test_sync import (pair, test_a_status_goes_with_the_object_that_it_is_of,  # noqa: F401
                       test_an_autonomous_agent_reports_what_it_has, test_an_operation_asked_for_at_the_principal_reaches_the_agent,
                       test_an_operation_is_terminated_from_the_principal, test_an_operation_reaches_an_autonomous_agent,
                       test_projects_go_to_the_agents_that_they_name,
                       test_the_status_of_a_copy_comes_back,
                       test_what_a_site_without_status_has_done_is_heard_of, test_what_an_agent_had_is_its_own_when_it_becomes_autonomous,
                       test_what_is_created_edited_and_deleted_at_the_principal_happens_at_its_agent,
                       test_what_is_deleted_and_made_again_is_another_object, test_what_others_do_to_a_copy_is_undone,
                       test_what_was_confirmed_is_not_sent_again_after_a_restart_of_either_side, wait_in_step)
from test_sync_repositories import sites, test_keys_reach_managed_agents_and_replace_what_was_there  # noqa: F401
from test_sync_repositories import test_a_repository_goes_where_its_project_goes as of_repositories

SITE = "site-1"
FINALIZER = "resources-finalizer.argocd.argoproj.io"


@pytest.fixture
def controlled(pair):
    """The pair, and a controller at the site."""
    controller = Controller(pair[1].tree)
    yield *pair, controller
    controller.close()


def wait_confirmed(*ends):
    """Nobody waits for anybody any more."""
    def look():
        peers = [p for end in ends for p in (end.status().get("agents") or [end.status().get("principal")])]
        return all(p["connected"] and p["behind"] + p["waiting"] + p["in_flight"] == 0 for p in peers)
    wait_until(look, "all is confirmed")


def test_what_has_finalizers_is_gone_at_the_principal_when_it_is_gone_at_the_agent(controlled):
    principal, agent, controller = controlled
    truth, controller.patient = principal.tree(SITE), True
    truth.put("guestbook", application("r1", finalizers=[FINALIZER]))
    wait_until(lambda: (agent.tree.get("guestbook") or {"metadata": {}})["metadata"].get("finalizers"), "the copy has them, too")
    truth.remove("guestbook")
    wait_until(lambda: agent.tree.get("guestbook")["metadata"].get("deletionTimestamp"), "the copy is about to go")
    truth.put("other", application("r1"))
    wait_until(lambda: agent.tree.get("other"), "others go on")
    assert truth.get("guestbook")["metadata"]["finalizers"] == [FINALIZER]
    first = truth.get("guestbook")["metadata"]["uid"]
    controller.patient = False
    agent.tree.put_status("other", {"status": {}})  # wakes it
    wait_until(lambda: not agent.tree.get("guestbook") and not truth.get("guestbook"), "it is gone everywhere")
    truth.put("guestbook", application("r2"))
    wait_until(lambda: agent.tree.revision("guestbook") == "r2", "another one of its name is there")
    assert agent.tree.source_uid("guestbook") == truth.get("guestbook")["metadata"]["uid"] != first


def test_what_is_asked_of_the_controller_is_done_once_and_not_put_back(controlled):
    """A refresh as Argo CD 3.6 asks for it, with its time."""
    principal, agent, controller = controlled
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", annotations=dict.fromkeys(controller.WISHES, "1")))

    def wishes(tree):
        return set(tree.get("guestbook")["metadata"].get("annotations", {})) & set(controller.WISHES)
    wait_until(lambda: agent.tree.get("guestbook") and not wishes(agent.tree) and not wishes(truth), "all is done")
    copy = agent.tree.get("guestbook")
    agent.tree.put("guestbook", {**copy, "spec": {**copy["spec"], "project": "other"}})
    wait_until(lambda: agent.tree.get("guestbook")["spec"]["project"] == "default", "what else others do to the copy is undone")
    wait_confirmed(principal, agent)
    assert controller.granted == dict.fromkeys(controller.WISHES, 1)


def test_a_copy_says_whose_it_is_and_what_only_its_own_server_knows_stays_there(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", labels={"team": "shop"}, ownerReferences=[
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "123"}]))
    original, copy = truth.get("guestbook"), wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    assert copy["metadata"]["annotations"][UID] == original["metadata"]["uid"] != copy["metadata"]["uid"]
    assert copy["metadata"]["annotations"]["argocd.argoproj.io/principal-uid"]
    assert copy["metadata"]["labels"] == {"team": "shop"} and "ownerReferences" not in copy["metadata"]
    assert [m["manager"] for m in copy["metadata"]["managedFields"]] == ["holdfast"], "its own writer alone"
    assert copy["metadata"]["generation"] == 1, "written once"


def test_an_operation_is_executed_once_whatever_is_faster(controlled):
    """The watch before the answer, or after it; a controller that is done before either."""
    principal, agent, controller = controlled
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    for n, order in enumerate([None, "event", "answer"] * 3):
        principal.place.api.order = agent.place.api.order = order
        truth.put_status("guestbook", {**(truth.status("guestbook") or {}), "operation": {"sync": {"revision": f"o{n}"}}})
        wait_until(lambda n=n: controller.ran["guestbook", f"o{n}"], "it runs")
        wait_until(lambda: "operation" not in truth.status("guestbook"), "it is done")
        wait_until(lambda n=n: truth.status("guestbook")["status"]["operationState"]["operation"]["sync"]["revision"] == f"o{n}", "with its result")
    wait_confirmed(principal, agent)
    assert set(controller.ran.values()) == {1}


def test_nothing_is_written_when_nothing_happens(net):
    principal = net.principal()
    managed, autonomous = net.agent(SITE, principal), net.agent("site-2", principal, mode="autonomous")
    for agent in (managed, autonomous):
        agent.wait_connected()
    for n in range(5):
        principal.tree(SITE).put(f"app-{n}", application("r1"))
        autonomous.tree.put(f"app-{n}", application("r1"))
    wait_in_step(principal.tree(SITE), managed.tree)
    wait_in_step(autonomous.tree, principal.tree("site-2"))
    for agent in (managed, autonomous):
        for n in range(5):
            agent.tree.put_status(f"app-{n}", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: all(principal.tree(site).status(f"app-{n}") for site in (SITE, "site-2") for n in range(5)), "the status is back")
    ends = (principal, managed, autonomous)
    wait_confirmed(*ends)
    before = [len(end.place.api.asked) for end in ends]
    for end in ends:
        end.kill()
        end.start().ready()
    for end in ends:
        end.place.api.disconnect()
    for agent in (managed, autonomous):
        agent.wait_connected()
        principal.wait_connected(agent.name)
    principal.tree(SITE).put("last", application("r1"))
    autonomous.tree.put("last", application("r1"))
    wait_in_step(principal.tree(SITE), managed.tree)
    wait_in_step(autonomous.tree, principal.tree("site-2"))
    wait_confirmed(*ends)
    written = [[a for a in end.place.api.asked[n:] if a[0] not in ("list", "watch", "get")] for end, n in zip(ends, before)]
    assert written == [[("create", "applications", "site-2", None)], [("create", "applications", "argocd", None)], []]


def test_repositories_go_where_their_projects_go(sites):
    of_repositories(sites, "repository")


def test_many_come_in_pages(net):
    principal = net.principal(start=False)
    for n in range(401):
        principal.tree(SITE).put(f"app-{n:03}", application("r1"))
    principal.start().ready()
    assert principal.agent(SITE)["objects"] == 401
    assert principal.place.api.requests["list", "applications"] == 3


def test_the_namespace_of_an_autonomous_agent_is_made(net):
    principal = net.principal("--namespace-create-enable", "--namespace-create-labels", "team=shop", "--namespace-create-pattern", f"^{SITE}$")
    api = principal.place.api
    other = net.agent("site-2", principal, mode="autonomous").wait_connected()
    other.tree.put("guestbook", application("r1"))
    wait_until(lambda: "make the namespace site-2, or let --namespace-create-pattern match it" in principal.log_text(), "that one is not")
    agent = net.agent(SITE, principal, mode="autonomous").wait_connected()
    agent.tree.put("guestbook", application("r1"))
    wait_until(lambda: api.get("Application", SITE, "guestbook"), "the principal has it")
    assert api.get("Namespace", None, SITE)["metadata"]["labels"] == {"team": "shop"}
    assert not api.get("Namespace", None, "site-2")


@pytest.mark.parametrize("net", [("principal",), ("site",)], ids=["principal", "agent"], indirect=True)
def test_one_end_may_be_over_a_directory(net):
    principal = net.principal()
    managed, autonomous = net.agent(SITE, principal), net.agent("site-2", principal, mode="autonomous")
    for agent, source, copies in ((managed, principal.tree(SITE), managed.tree), (autonomous, autonomous.tree, principal.tree("site-2"))):
        agent.wait_connected()
        source.put("guestbook", application("r1", labels={"a": "b"}))
        wait_until(lambda c=copies: c.revision("guestbook") == "r1", "the copy is there")
        source.put("guestbook", application("r2", finalizers=[FINALIZER]))
        wait_until(lambda c=copies: c.revision("guestbook") == "r2", "the edit is there")
        agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
        wait_until(lambda s=agent.name: (principal.tree(s).status("guestbook") or {}).get("status"), "the status is at the principal")
        copy = copies.get("guestbook")
        copies.put("guestbook", {**copy, "spec": {**copy["spec"], "project": "mine"}})
        wait_until(lambda c=copies, p=copy["spec"]["project"]: c.get("guestbook")["spec"]["project"] == p, "drift is undone")
        source.put("other", application("r1"))
        wait_until(lambda c=copies: c.get("other"), "another one")
        source.remove("other")
        wait_until(lambda c=copies: not c.get("other"), "and its end")
