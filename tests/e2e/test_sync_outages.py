"""A principal and its agents while the network, the disks, the processes or all of them fail. Real processes, real TLS."""

import json
import os
import random
import re
import signal
import time

import pytest
from conftest import ROOT, wait_until
from netcut import BACK, OUT, Proxy
from smalldisk import small_disk  # noqa: F401  (a fixture)
from synced import add_user, application, net, run, sync_pki  # noqa: F401  (fixtures)
from test_sync import wait_in_step

HFAGENTS = os.environ.get("HFAGENTS_BIN", str(ROOT / "build/release/bench/hfagents"))
SITE, OTHER = "site-1", "site-2"


def fill(tree, count, revision="r1", prefix="app"):
    for n in range(count):
        tree.put(f"{prefix}-{n}", application(revision, name=f"{prefix}-{n}"))


def wait_confirmed(principal, name=SITE, limit_s=60):
    wait_until(lambda: principal.agent(name)["behind"] == 0, f"{name} has confirmed all", limit_s)


# ---- the network -----------------------------------------------------------------------------------------------------


@pytest.fixture
def cuttable(net):
    """A principal, a connected agent, and what lies between them."""
    principal = net.principal()
    proxy = Proxy(net.free_port(), principal.port)
    agent = net.agent(SITE, proxy.port).wait_connected()
    yield principal, agent, proxy
    proxy.close()


def test_a_network_that_is_cut_again_and_again_loses_nothing(cuttable):
    principal, agent, proxy = cuttable
    truth, chance = principal.tree(SITE), random.Random(11)
    for revision in range(12):
        fill(truth, 10, f"r{revision}")
        truth.put(f"extra-{revision}", application(name=f"extra-{revision}"))
        if revision:
            truth.remove(f"extra-{revision - 1}")
        time.sleep(chance.random() * 0.05)  # the moment of the cut
        proxy.cut()
        proxy.open()
    wait_in_step(truth, agent.tree, 60)
    wait_confirmed(principal)


def test_answers_that_are_lost_on_the_way_do_not_apply_anything_twice(cuttable):
    """Nothing comes from the agent any more: the principal sends again, over the same connection and over the next."""
    principal, agent, proxy = cuttable
    truth = principal.tree(SITE)
    before = agent.status()["principal"]["applied"]
    proxy.blackhole(OUT)
    fill(truth, 20)
    wait_in_step(truth, agent.tree)
    assert principal.agent(SITE)["behind"] == 20
    wait_until(lambda: principal.agent(SITE)["resent"] >= 20, "all of them are sent again")
    proxy.cut()
    proxy.open()
    wait_confirmed(principal)
    assert agent.status()["principal"]["applied"] - before == 20


def test_an_agent_that_waits_for_news_notices_that_the_path_is_dead(net):
    """A router forgot the connection: nothing is closed, and nothing comes. By default it takes minutes, but not for ever."""
    principal = net.principal()
    proxy = Proxy(net.free_port(), principal.port)
    agent = net.agent(SITE, proxy.port, "--keep-alive-ping-interval", "1s").wait_connected()
    assert "Default: 330s." in " ".join(run("agent", "--help").split("--keep-alive-ping-interval")[1].split("--heartbeat")[0].split())
    proxy.blackhole()
    said = wait_until(lambda: agent.log("no connection with the principal"), "it is noticed", 60)
    assert "ping" in said[0]["error"]
    proxy.cut()
    proxy.open()
    agent.wait_connected()
    proxy.close()


def test_events_that_are_lost_on_the_way_are_sent_again(cuttable):
    principal, agent, proxy = cuttable
    truth = principal.tree(SITE)
    proxy.blackhole(BACK)
    fill(truth, 20)
    wait_until(lambda: principal.agent(SITE)["in_flight"] == 20, "all are under way")
    assert agent.tree.names() == set()
    proxy.cut()
    proxy.open()
    wait_in_step(truth, agent.tree, 60)
    wait_confirmed(principal)
    assert principal.agent(SITE)["resent"] >= 20


def test_a_slow_link_gets_the_newest_state_and_holds_nobody_up(net):
    principal = net.principal()
    proxy = Proxy(net.free_port(), principal.port)
    proxy.slow(20000)
    slow, fast = net.agent(SITE, proxy.port), net.agent(OTHER, principal)
    for agent in (slow, fast):
        wait_until(agent.connected, "connected")
    truth = principal.tree(SITE)
    proxy.rate = 200  # all of it takes longer than a test may
    fill(truth, 100)
    wait_until(lambda: (principal.agent(SITE) or {}).get("objects") == 100, "the principal knows them")
    for revision in range(2, 60):
        truth.put("app-7", application(f"r{revision}", name="app-7"))
    principal.tree(OTHER).put("urgent", application(name="urgent"))
    wait_until(lambda: fast.tree.get("urgent"), "the other site has its change")
    assert len(slow.tree.names()) < 100, "the slow one is still at it"
    proxy.rate = 60000
    wait_in_step(truth, slow.tree, 60)
    wait_confirmed(principal)
    assert slow.status()["principal"]["applied"] < 130, "what was replaced while it waited was not sent"
    proxy.close()


def test_agents_of_a_principal_that_is_away_try_less_and_less_often(net):
    """Each waits a random part of 1, 2, 4 ... s: three agents come some ten times in six seconds, not hundreds of times."""
    principal = net.principal()
    proxy = Proxy(net.free_port(), principal.port)
    agents = [net.agent(name, proxy.port).wait_connected() for name in (SITE, OTHER, "site-3")]
    proxy.cut()
    end = time.monotonic() + 6
    wait_until(lambda: time.monotonic() > end and proxy.refused >= len(agents), "each tried again")
    assert proxy.refused <= 12 * len(agents)
    proxy.open()
    for agent in agents:
        wait_until(agent.connected, "connected again")
    proxy.close()


def test_an_outage_is_a_line_for_each_way_to_fail_and_not_for_each_attempt(net):
    file = net.directory / "users"
    add_user(file, SITE, "s3cret")
    principal = net.principal(auth=f"userpass:{file}")
    creds = net.directory / "creds"
    creds.write_text(f"{SITE}:s3cret\n")
    agent = net.agent(SITE, principal, creds=f"userpass:{creds}").wait_connected()

    def failures():
        return agent.metrics()["holdfast_agent_connection_failures_total"]

    before = failures()
    principal.kill()
    wait_until(lambda: failures() >= before + 4, "the agent tries again and again")
    said = agent.log("no connection with the principal")
    assert len(said) == 2 and said[0]["step"] == "the stream ended" and "refused" in said[1]["error"], said
    file.write_text("# nobody\n")
    principal.process.start()
    wait_until(lambda: len(agent.log("no connection with the principal")) == 3, "the new reason is said")
    assert agent.log("no connection with the principal")[2]["code"] == "UNAUTHENTICATED"
    add_user(file, SITE, "s3cret")
    principal.process.send(signal.SIGHUP)
    wait_until(agent.connected, "it is let in", 60)
    assert agent.log("connected")[-1]["failed_before"] >= 4


def test_a_reload_is_an_attempt_of_an_agent_that_waits(net):
    agent = net.agent(SITE, net.free_port(), "--insecure-plaintext", "--creds", "header:", creds="")

    def failures():
        return agent.metrics()["holdfast_agent_connection_failures_total"]

    wait_until(lambda: failures() >= 1, "nobody is there")
    # Without the reloads the waits before twenty attempts add up to many minutes.
    wait_until(lambda: agent.process.send(signal.SIGHUP) or failures() >= 20, "each reload is an attempt")


# ---- processes that stop ---------------------------------------------------------------------------------------------


def test_a_frozen_agent_delays_nobody_else(net):
    principal = net.principal()
    frozen, other = net.agent(SITE, principal).wait_connected(), net.agent(OTHER, principal).wait_connected()
    frozen.process.send(signal.SIGSTOP)
    for agent in (SITE, OTHER):
        fill(principal.tree(agent), 150)
    wait_in_step(principal.tree(OTHER), other.tree)
    wait_confirmed(principal, OTHER)
    assert principal.agent(SITE)["behind"] == 150 and frozen.tree.names() == set()
    for n in range(20):  # one by one, each at once
        principal.tree(OTHER).put("last", application(f"n{n}", name="last"))
        wait_until(lambda: other.tree.revision("last") == f"n{n}", "its change is there")
    frozen.process.send(signal.SIGCONT)
    wait_in_step(principal.tree(SITE), frozen.tree, 60)


def test_an_agent_that_was_away_for_thousands_of_changes_gets_only_the_newest_state(net):
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    truth, chance = principal.tree(SITE), random.Random(3)
    fill(truth, 60)
    wait_in_step(truth, agent.tree)
    wait_confirmed(principal)
    agent.kill()
    for n in range(3000):
        name = f"app-{chance.randrange(50)}"
        truth.put(name, application(f"d{n}", name=name))
    for n in range(10):
        truth.remove(f"app-{50 + n}")
        truth.put(f"new-{n}", application(name=f"new-{n}"))
    principal.stop()
    principal.start().ready()
    agent.start()
    wait_in_step(truth, agent.tree, 60)
    wait_confirmed(principal)
    assert agent.status()["principal"]["applied"] == 50 + 10 + 10, "each changed, deleted and new one once"


# ---- full disks ------------------------------------------------------------------------------------------------------


def confirmed_but_missing(principal, truth, copies):
    """Never fewer unconfirmed than differ: looked at in this order, for what is confirmed in between is there."""
    behind = principal.agent(SITE)["behind"]
    return sum(truth.revision(n) != copies.revision(n) for n in truth.names()) - behind


@pytest.mark.parametrize("where", ["site-1-site", "site-1-data"], ids=["its objects", "its ledger"])
def test_an_agent_with_a_full_disk_confirms_nothing_until_there_is_room(net, small_disk, where):
    disk = small_disk(net.directory / where)
    principal = net.principal("--resend-after", "1s", "--resend-at-most", "2s")  # by default up to two minutes after the last try
    agent = net.agent(SITE, principal).wait_connected()
    truth = principal.tree(SITE)
    fill(truth, 5)
    wait_in_step(truth, agent.tree)
    wait_confirmed(principal)

    disk.fill()
    rounds = 0
    while not re.search("No space|disk is full", agent.log_text()):  # what is left of the ledger's log is used up
        fill(truth, 20, prefix=f"more-{rounds}")
        rounds += 1
        assert rounds < 200
    wait_until(lambda: principal.agent(SITE)["objects"] == len(truth.names()), "the principal knows them")
    for _ in range(5):
        assert principal.agent(SITE)["behind"] > 0
        assert confirmed_but_missing(principal, truth, agent.tree) <= 0
    assert agent.process.running() and principal.agent(SITE)["connected"]

    disk.free()
    wait_in_step(truth, agent.tree, 60)
    wait_confirmed(principal)
    assert len(agent.log("stopped")) == 0, "without a restart"


def test_a_principal_whose_ledger_is_full_says_so_and_goes_on_when_there_is_room(net, small_disk):
    disk = small_disk(net.directory / "principal-data")
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    truth = principal.tree(SITE)
    fill(truth, 5)
    wait_in_step(truth, agent.tree)
    wait_confirmed(principal)

    disk.fill()
    rounds = 0
    while (page := principal.page("/readyz")).status_code == 200:  # what is left of the ledger's log is used up
        fill(truth, 50, prefix=f"more-{rounds}")
        rounds += 1
        assert rounds < 200
    assert "cannot be written" in page.text
    assert not principal.status()["ready"]
    assert principal.page("/livez").status_code == 200 and agent.connected()

    disk.free()
    wait_until(lambda: principal.page("/readyz").status_code == 200, "ready without a restart", 60)
    assert principal.status()["ready"]
    wait_in_step(truth, agent.tree, 90)
    wait_confirmed(principal, limit_s=90)
    principal.kill()  # what a new process finds is the same
    principal.start().ready()
    principal.wait_connected(SITE)
    wait_confirmed(principal)
    wait_in_step(truth, agent.tree)


def test_status_waits_for_room_in_the_directory_of_the_principal(net, small_disk):
    disk = small_disk(net.directory / "principal-source")
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    truth = principal.tree(SITE)
    fill(truth, 5)
    wait_in_step(truth, agent.tree)

    disk.fill()
    for name in agent.tree.names():
        agent.tree.put_status(name, {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: agent.status()["principal"]["behind"] == 5, "the agent holds them")
    wait_until(lambda: principal.log("an event was rejected") or "No space" in principal.log_text(), "the principal says so")
    assert all(truth.status(name) is None for name in truth.names())

    disk.free()
    wait_until(lambda: all(truth.status(name) for name in truth.names()), "the status is there", 90)


# ---- many ------------------------------------------------------------------------------------------------------------


class Swarm:
    """Many agents in one process."""

    def __init__(self, net, spawn, principal, count):
        self.process = spawn("swarm", [HFAGENTS, "--port", principal.port, "--ca", net.pki / "ca.crt", "--agents", count])

    def last(self):
        lines = [line for line in self.process.output().splitlines() if line.endswith("}")]
        return json.loads(lines[-1]) if lines else {"connected": 0, "events": 0}


@pytest.mark.skipif(not os.path.exists(HFAGENTS), reason="the benchmarks are not built")
def test_a_thousand_agents_come_back_at_once_and_no_storm_arises(net, spawn):
    count = 1000
    file = net.directory / "users"
    add_user(file, "a00000", "bench")
    secret = file.read_text().strip().split(":", 1)[1]
    file.write_text("".join(f"a{n:05d}:{secret}\n" for n in range(count)))
    principal = net.principal("--version-string", "bench", "--log-level", "warn", auth=f"userpass:{file}", start=False)
    for n in range(count):
        principal.tree(f"a{n:05d}").put("app", application(name="app"))
    principal.start()
    wait_until(lambda: principal.page("/readyz").status_code == 200, "ready", 60)
    swarm = Swarm(net, spawn, principal, count)

    def all_in_step():
        m = principal.metrics()
        return (m["argocd_principal_connected_agents"] == count and m["holdfast_principal_waiting"] == 0
                and m["holdfast_principal_in_flight"] == 0)

    wait_until(all_in_step, "all are connected and have confirmed", 240)
    wait_until(lambda: swarm.last()["events"] >= count, "each has counted its own")
    first = principal.metrics()
    assert first["argocd_principal_agent_connections_total"] <= 1.2 * count
    assert first["holdfast_principal_agents"] == count

    principal.kill()
    principal.start()
    wait_until(all_in_step, "all are back", 240)
    again = principal.metrics()
    assert again["argocd_principal_agent_connections_total"] <= 1.2 * count, "each comes once, and stays"
    assert again["holdfast_principal_logins_refused_total"] == 0
    for n in range(0, count, 100):
        principal.tree(f"a{n:05d}").put("app", application("r2", name="app"))
    wait_until(lambda: principal.metrics()["principal_events_sent"] >= again["principal_events_sent"] + 10 and all_in_step(),
               "what changes now goes on", 60)
