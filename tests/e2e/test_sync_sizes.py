"""What is larger than a message may be stays where it is, with a word to whoever looks, and holds up nothing else."""

from conftest import wait_until
from synced import application, net, run, sync_pki  # noqa: F401  (fixtures)
from test_sync import wait_in_step

SITE = "site-1"
LIMIT = ("--grpc-max-message-size", "64KiB")
OURS = "is larger than our limit of 65536 bytes (--grpc-max-message-size)"
THEIRS = "is larger than the peer's limit of 65536 bytes (its --grpc-max-message-size)"
NEVER = "an event can never be sent"


def sized(name, count):
    app = application("r1", name=name)
    app["spec"]["source"]["helm"] = {"values": "x" * count}
    return app


def set_aside(peer, name, reason=OURS):
    """The one event that is in quarantine, which is about the object of this name; None: there is none."""
    if not peer["quarantined"]:
        return None
    assert peer["quarantined_count"] == 1
    found, = peer["quarantined"]
    assert found["resource_id"].startswith(f"{name}_") and reason in found["reason"]
    return found


def test_an_application_too_large_to_send_waits_for_a_smaller_version_and_the_others_arrive(net):
    principal = net.principal(*LIMIT)
    agent = net.agent(SITE, principal, *LIMIT).wait_connected()
    truth = principal.tree(SITE)
    for n in range(5):
        truth.put(f"before-{n}", sized(f"before-{n}", 10))
    truth.put("large", sized("large", 100000))
    for n in range(5):
        truth.put(f"after-{n}", sized(f"after-{n}", 10000))
    small = {f"{when}-{n}" for when in ("before", "after") for n in range(5)}
    wait_until(lambda: agent.tree.names() == small, "the small ones are there")
    found = wait_until(lambda: set_aside(principal.agent(SITE), "large"), "it is set aside")
    wait_until(lambda: principal.agent(SITE)["behind"] == 1, "the small ones are confirmed")
    assert principal.metrics()["holdfast_principal_quarantined"] == 1
    assert found["resource_id"] in run("status", "--data-dir", principal.data)

    # The stream has not ended; neither a newer one nor another process at the other end brings it back.
    assert principal.metrics()["argocd_principal_agent_connections_total"] == 1
    agent.stop()
    agent.start().ready().wait_connected()
    truth.put("before-0", application("r2", name="before-0"))
    wait_until(lambda: agent.tree.revision("before-0") == "r2", "the new stream works")
    assert set_aside(principal.agent(SITE), "large")
    line, = principal.log(NEVER)
    assert (line["resource_id"], line["event_id"]) == (found["resource_id"], found["event_id"])

    truth.put("large", sized("large", 1000))
    wait_in_step(truth, agent.tree)
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    assert not set_aside(principal.agent(SITE), "large")
    assert principal.metrics()["holdfast_principal_quarantined"] == 0


def test_a_status_too_large_to_send_waits_for_a_smaller_version_and_the_others_arrive(net):
    principal = net.principal(*LIMIT)
    agent = net.agent(SITE, principal, *LIMIT).wait_connected()
    truth = principal.tree(SITE)
    for name in ("large", "small"):
        truth.put(name, sized(name, 10))
    wait_in_step(truth, agent.tree)
    agent.tree.put_status("large", {"status": {"health": {"message": "x" * 100000}}})
    wait_until(lambda: set_aside(agent.status()["principal"], "large"), "it is set aside")
    agent.tree.put_status("small", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: truth.status("small"), "the small one is there")
    assert agent.metrics()["holdfast_agent_quarantined"] == 1
    assert len(agent.log(NEVER)) == 1
    assert not (truth.status("large") or {}).get("status", {}).get("health")

    agent.tree.put_status("large", {"status": {"health": {"status": "Degraded"}}})
    wait_until(lambda: (truth.status("large") or {}).get("status", {}).get("health") == {"status": "Degraded"},
               "the smaller one is there")
    assert not set_aside(agent.status()["principal"], "large")


def test_an_agent_that_takes_less_is_sent_no_more_and_gets_the_rest_when_it_takes_more(net):
    principal = net.principal()
    agent = net.agent(SITE, principal, *LIMIT).wait_connected()
    truth = principal.tree(SITE)
    truth.put("large", sized("large", 100000))
    for n in range(5):
        truth.put(f"small-{n}", sized(f"small-{n}", 10))
    wait_until(lambda: agent.tree.names() == {f"small-{n}" for n in range(5)}, "the small ones are there")
    wait_until(lambda: set_aside(principal.agent(SITE), "large", THEIRS), "it is set aside")
    wait_until(lambda: principal.agent(SITE)["behind"] == 1, "the small ones are confirmed")
    # The stream has not ended for it.
    assert principal.metrics()["argocd_principal_agent_connections_total"] == 1
    line, = principal.log(NEVER)
    assert THEIRS in line["error"]
    agent.stop()

    larger = net.agent(SITE, principal).wait_connected()
    wait_in_step(truth, larger.tree)
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    assert not principal.agent(SITE)["quarantined"]


def test_a_principal_that_takes_less_is_sent_no_more(net):
    principal = net.principal(*LIMIT)
    agent = net.agent(SITE, principal).wait_connected()
    truth = principal.tree(SITE)
    for name in ("large", "small"):
        truth.put(name, sized(name, 10))
    wait_in_step(truth, agent.tree)
    agent.tree.put_status("large", {"status": {"health": {"message": "x" * 100000}}})
    wait_until(lambda: set_aside(agent.status()["principal"], "large", THEIRS), "it is set aside")
    agent.tree.put_status("small", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: truth.status("small"), "the small one is there")
    assert principal.metrics()["argocd_principal_agent_connections_total"] == 1
    assert len(agent.log("connected")) == 1
