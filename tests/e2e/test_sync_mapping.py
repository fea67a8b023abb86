"""Whom an application belongs to: by namespace, by destination, by label; with real processes."""

import pytest
from conftest import wait_until
from synced import application, net, run, sync_pki  # noqa: F401  (fixtures)

MAPPED = "--destination-based-mapping"


def to(agent, name, **metadata):
    document = application(name=name, **metadata)
    document["spec"]["destination"] = {"name": agent, "namespace": "shop"}
    return document


def unowned(principal):
    return {one["reason"]: one["count"] for one in principal.status()["principal"]["unowned"]}


def test_by_destination_an_application_moves_with_it_and_keeps_its_namespace(net):
    principal = net.principal(MAPPED)
    first, second = (net.agent(name, principal, MAPPED, "--allowed-namespaces", allowed).wait_connected()
                     for name, allowed in (("site-1", "team"), ("site-2", "t*")))
    truth = principal.tree("team")
    truth.put("one", to("site-1", "one"))
    truth.put("two", to("site-2", "two"))
    truth.put("none", application(name="none"))
    wait_until(lambda: first.tree.names(namespace="team") == {"one"} and second.tree.names(namespace="team") == {"two"}, "each has its own")
    wait_until(lambda: unowned(principal) == {"has no spec.destination.name, which would name its agent": 1}, "one is nobody's")
    second.tree.put_status("two", {"status": {"health": {"status": "Healthy"}}}, namespace="team")
    wait_until(lambda: truth.status("two"), "its status is at the principal")
    truth.put("one", to("site-2", "one"))
    wait_until(lambda: not first.tree.names(namespace="team") and second.tree.names(namespace="team") == {"one", "two"}, "it has moved")


@pytest.mark.parametrize("mode, differs", [("managed", True), ("autonomous", False)])
@pytest.mark.parametrize("here, there", [((MAPPED,), ()), ((), (MAPPED,))])
def test_a_mapping_that_only_one_end_has_is_said_by_both(net, mode, differs, here, there):
    """An autonomous agent's applications lie by namespace in any case."""
    principal = net.principal(*here)
    agent = net.agent("site-1", principal, *there, mode=mode).wait_connected()
    principal.wait_connected("site-1")
    assert agent.status()["principal"]["maps_otherwise"] is principal.agent("site-1")["maps_otherwise"] is differs
    for end in (agent, principal):
        assert ("--destination-based-mapping is given at one end only" in end.log_text()) is differs
        assert ("one end only" in run("status", "--data-dir", end.data)) is differs


def test_by_destination_an_agent_takes_only_what_its_namespaces_allow(net):
    principal = net.principal(MAPPED)
    agent = net.agent("site-1", principal, MAPPED, "--allowed-namespaces", "/^shop-[0-9]$/").wait_connected()
    principal.tree("secret").put("a", to("site-1", "a"))
    principal.tree("shop-1").put("b", to("site-1", "b"))
    principal.tree("argocd").put("c", to("site-1", "c"))
    wait_until(lambda: agent.tree.names(namespace="shop-1") == {"b"} and agent.tree.names() == {"c"}, "what may come is there")
    wait_until(lambda: principal.agent("site-1")["quarantined_count"] == 1, "the other one is set aside")
    assert "is not among --allowed-namespaces" in principal.agent("site-1")["quarantined"][0]["reason"]
    assert not agent.tree.names(namespace="secret")


def test_labels_and_namespaces_say_what_leaves_the_principal(net):
    principal = net.principal("--label-selector", "env in (prod,stage),!draft", "--allowed-namespaces", "site-*,/^x/")
    agent = net.agent("site-1", principal).wait_connected()
    truth = principal.tree("site-1")
    for name, labels in {"good": {"env": "prod"}, "other": {"env": "dev"}, "draft": {"env": "stage", "draft": "1"}}.items():
        truth.put(name, application(name=name, labels=labels))
    principal.tree("elsewhere").put("far", application(name="far", labels={"env": "prod"}))
    wait_until(lambda: agent.tree.names() == {"good"} and sum(unowned(principal).values()) == 3, "only what fits leaves")
    truth.put("other", application(name="other", labels={"env": "stage"}))
    wait_until(lambda: agent.tree.names() == {"good", "other"}, "what begins to fit follows")
    truth.put("good", application(name="good", labels={"env": "dev"}))
    wait_until(lambda: agent.tree.names() == {"other"}, "what no longer fits goes")
    assert truth.get("good"), "but only at the site"
