"""A principal keeps agents in step, over directories: real processes, real TLS, real kills."""

import contextlib
import os
import random
import re
import signal
import sqlite3
import time

import pytest
import requests
from conftest import ROOT, wait_until
from synced import UID, add_user, application, net, put, run, sync_pki  # noqa: F401  (fixtures)

SITE = "site-1"


@pytest.fixture
def pair(net):
    """A principal and a managed agent that is connected."""
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    return principal, agent


def in_step(truth, site):
    """Are the copies those of the truth, revision by revision?"""
    return truth.names() == site.names() and all(truth.revision(n) == site.revision(n) for n in truth.names())


def wait_in_step(truth, site, limit_s=60):
    wait_until(lambda: in_step(truth, site), "the site is in step", limit_s)


# ---- managed agents --------------------------------------------------------------------------------------------------


def test_what_is_created_edited_and_deleted_at_the_principal_happens_at_its_agent(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "the copy is there")
    copy = agent.tree.get("guestbook")
    assert copy["metadata"]["namespace"] == "argocd" and copy["metadata"]["annotations"][UID]
    assert copy["spec"]["destination"]["name"] == "in-cluster" and "server" not in copy["spec"]["destination"]

    truth.put("guestbook", application("r2", name="guestbook"))
    wait_until(lambda: agent.tree.revision("guestbook") == "r2", "the edit is there")
    assert agent.tree.get("guestbook")["metadata"]["annotations"] == copy["metadata"]["annotations"]

    truth.remove("guestbook")
    wait_until(lambda: agent.tree.get("guestbook") is None, "the copy is gone")


def test_what_is_deleted_and_made_again_is_another_object(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    first = wait_until(lambda: agent.tree.source_uid("guestbook"), "the copy is there")
    truth.remove("guestbook")
    wait_until(lambda: agent.tree.get("guestbook") is None, "the copy is gone")
    truth.put("guestbook", application("r1", name="guestbook"))
    second = wait_until(lambda: agent.tree.source_uid("guestbook"), "the new copy is there")
    assert first != second


def test_the_status_of_a_copy_comes_back(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", {"status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}})
    wait_until(lambda: truth.status("guestbook"), "the status is back")
    assert truth.status("guestbook")["status"]["health"]["status"] == "Healthy"
    before = truth.text("guestbook")
    agent.tree.put_status("guestbook", {"status": {"sync": {"status": "OutOfSync"}, "health": {"status": "Degraded"}}})
    wait_until(lambda: truth.status("guestbook")["status"]["health"]["status"] == "Degraded", "the newer status is back")
    assert truth.text("guestbook") == before


def test_an_operation_asked_for_at_the_principal_reaches_the_agent(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    truth.put_status("guestbook", {"operation": {"sync": {"revision": "r1"}, "initiatedBy": {"username": "ada"}}})
    wait_until(lambda: ((agent.tree.status("guestbook") or {}).get("operation") or {}).get("sync"), "the operation is there")
    # What a controller does: it takes the operation, and reports.
    agent.tree.put_status("guestbook", {"status": {"operationState": {"phase": "Succeeded"}}})
    wait_until(lambda: (truth.status("guestbook") or {}).get("status", {}).get("operationState"), "its result is back")
    wait_until(lambda: "operation" not in truth.status("guestbook"), "it is done here, too")


def test_an_operation_is_terminated_from_the_principal(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    running = {"phase": "Running", "startedAt": "2026-01-01T00:00:00Z"}
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", {"status": {"operationState": running}})
    wait_until(lambda: (truth.status("guestbook") or {}).get("status"), "it runs")
    truth.put_status("guestbook", {"status": {"operationState": {**running, "phase": "Terminating"}}})
    wait_until(lambda: agent.tree.status("guestbook")["status"]["operationState"]["phase"] == "Terminating", "it is to end")
    agent.tree.put_status("guestbook", {"status": {"operationState": {**running, "phase": "Failed"}}})
    wait_until(lambda: truth.status("guestbook")["status"]["operationState"]["phase"] == "Failed", "it has ended")


def test_what_a_site_without_status_has_done_is_heard_of(pair):
    """A controller that leaves no status behind: the wish is gone all the same, and so is a status that went."""
    principal, agent = pair
    truth, refresh = principal.tree(SITE), "argocd.argoproj.io/refresh"
    truth.put("guestbook", application("r1", name="guestbook", annotations={refresh: "normal"}))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    copy = agent.tree.get("guestbook")
    del copy["metadata"]["annotations"][refresh]
    agent.tree.put("guestbook", copy)
    wait_until(lambda: refresh not in truth.get("guestbook")["metadata"].get("annotations", {}), "the refresh is done")

    truth.put_status("guestbook", {"operation": {"sync": {"revision": "r1"}}})
    wait_until(lambda: (agent.tree.status("guestbook") or {}).get("operation"), "the operation is there")
    agent.tree.remove_status("guestbook")
    wait_until(lambda: "operation" not in (truth.status("guestbook") or {}), "the operation is done")

    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: (truth.status("guestbook") or {}).get("status"), "the status is back")
    agent.tree.remove_status("guestbook")
    wait_until(lambda: not (truth.status("guestbook") or {}).get("status"), "the status is gone")


def test_a_status_goes_with_the_object_that_it_is_of(pair):
    """At the site and at the principal: what is made again by the same name has none."""
    principal, agent = pair
    truth, healthy = principal.tree(SITE), {"status": {"health": {"status": "Healthy"}}}
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", healthy)
    wait_until(lambda: (truth.status("guestbook") or {}).get("status"), "its status, too")
    agent.kill()
    agent.tree.remove("guestbook")
    agent.start()
    wait_until(lambda: agent.tree.get("guestbook"), "it is made again")
    wait_until(lambda: not (truth.status("guestbook") or {}).get("status"), "that it has no status is known")

    agent.tree.put_status("guestbook", healthy)
    wait_until(lambda: (truth.status("guestbook") or {}).get("status"), "it has one again")
    truth.remove("guestbook")
    wait_until(lambda: not agent.tree.get("guestbook") and truth.status("guestbook") is None, "it is gone everywhere")
    truth.put("guestbook", application("r2", name="guestbook"))
    wait_until(lambda: agent.tree.revision("guestbook") == "r2", "another one is there")
    assert not (truth.status("guestbook") or {}).get("status")


def test_what_others_do_to_a_copy_is_undone(pair):
    principal, agent = pair
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    changed = agent.tree.get("guestbook")
    changed["spec"]["source"]["targetRevision"] = "mine"
    agent.tree.put("guestbook", changed)
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "the edit is undone")
    uid = agent.tree.source_uid("guestbook")
    agent.tree.remove("guestbook")
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "the deletion is undone")
    assert agent.tree.source_uid("guestbook") == uid
    wait_until(lambda: len(agent.log("a change to an object of the principal was undone")) >= 2, "both are in the log")


def test_an_agent_that_never_connected_gets_everything(net):
    principal = net.principal()
    truth = principal.tree(SITE)
    for n in range(50):
        truth.put(f"app-{n}", application("r1", name=f"app-{n}"))
    wait_until(lambda: (principal.agent(SITE) or {}).get("objects") == 50, "the principal knows them")
    for n in range(10):
        truth.put(f"app-{n}", application("r2", name=f"app-{n}"))
        truth.remove(f"app-{n + 40}")
    wait_until(lambda: principal.agent(SITE)["objects"] == 40, "the principal knows the deletions")
    principal.stop()
    principal.start().ready()
    agent = net.agent(SITE, principal)
    wait_in_step(truth, agent.tree)
    assert len(agent.tree.names()) == 40


def test_each_agent_gets_what_is_its_own(net):
    principal = net.principal()
    agents = {name: net.agent(name, principal) for name in ("site-1", "site-2")}
    for name in agents:
        for app in ("guestbook", name):
            principal.tree(name).put(app, application(name, name=app))
    for name, agent in agents.items():
        wait_until(lambda a=agent, n=name: a.tree.revision(n) == a.tree.revision("guestbook") == n, f"{name} has its own")
    for name, agent in agents.items():
        wait_until(lambda n=name: principal.agent(n)["behind"] == 0, "all is confirmed")
        assert agent.tree.names() == {"guestbook", name} and agent.tree.revision("guestbook") == name, "and nothing else"


def test_projects_go_to_the_agents_that_they_name(net):
    principal = net.principal()
    agents = {name: net.agent(name, principal) for name in ("site-1", "site-2")}
    own = principal.tree("argocd")
    own.put("shop", {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "shop"},
                     "spec": {"destinations": [{"name": "site-1", "namespace": "shop", "server": "*"}],
                              "sourceNamespaces": ["site-1"], "sourceRepos": ["*"]}}, kind="AppProject")
    wait_until(lambda: agents["site-1"].tree.get("shop", "AppProject"), "the project is at its agent")
    copy = agents["site-1"].tree.get("shop", "AppProject")
    assert copy["spec"]["destinations"] == [
        {"name": "in-cluster", "namespace": "shop", "server": "https://kubernetes.default.svc"}]
    principal.tree("site-2").put("after", application("r1", name="after"))
    wait_until(lambda: agents["site-2"].tree.get("after"), "site-2 is in step")
    assert agents["site-2"].tree.get("shop", "AppProject") is None


def test_files_that_are_no_objects_disturb_nobody(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("good", application("r1", name="good"))
    wait_until(lambda: agent.tree.get("good"), "the copy is there")
    put(truth.path("good"), "spec: {")
    put(truth.path("never"), "]")
    truth.put("other", application("r1", name="other"))
    wait_until(lambda: agent.tree.get("other"), "others go on")
    wait_until(lambda: principal.log("the backend has a problem"), "it is said")
    assert agent.tree.revision("good") == "r1"
    truth.put("good", application("r2", name="good"))
    wait_until(lambda: agent.tree.revision("good") == "r2", "it is taken when it is right again")


def test_a_status_that_was_left_behind_keeps_no_object_away(pair):
    principal, agent = pair
    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Old"}}})
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "the copy is there")
    assert not (agent.tree.status("guestbook") or {}).get("status")


# ---- autonomous agents -----------------------------------------------------------------------------------------------


def test_an_autonomous_agent_reports_what_it_has(net):
    principal = net.principal()
    agent = net.agent(SITE, principal, mode="autonomous").wait_connected()
    copies = principal.tree(SITE)
    agent.tree.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: copies.revision("guestbook") == "r1", "the principal has it")
    assert copies.source_uid("guestbook")
    assert copies.get("guestbook")["spec"]["destination"]["name"] == SITE
    assert copies.get("guestbook")["spec"]["project"] == f"{SITE}-default"
    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: (copies.status("guestbook") or {}).get("status", {}).get("health"), "its status, too")
    changed = copies.get("guestbook")
    changed["spec"]["source"]["targetRevision"] = "theirs"
    copies.put("guestbook", changed)
    wait_until(lambda: copies.revision("guestbook") == "r1", "what others do to the copy is undone")
    assert agent.tree.revision("guestbook") == "r1"
    agent.tree.remove("guestbook")
    wait_until(lambda: copies.get("guestbook") is None, "its deletion, too")


def test_what_an_agent_had_is_its_own_when_it_becomes_autonomous(net):
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1"))
    truth.put("shop", application("r1"))
    wait_until(lambda: agent.tree.names() == {"guestbook", "shop"}, "the copies are there")
    agent.stop()
    agent.process.command[agent.process.command.index("managed")] = "autonomous"
    agent.start().ready().wait_connected()
    wait_until(lambda: truth.source_uid("guestbook") and truth.source_uid("shop"), "the principal has the copies")
    agent.tree.remove("shop")
    wait_until(lambda: truth.names() == {"guestbook"}, "the deletion is there")
    agent.tree.put("guestbook", application("r2"))
    wait_until(lambda: truth.revision("guestbook") == "r2", "the change is there")


def test_what_an_agent_had_is_the_principals_when_it_becomes_managed(net):
    """The guide: with the project of the site it is an original like any other, whatever it was a copy of."""
    principal = net.principal()
    agent = net.agent(SITE, principal, mode="autonomous").wait_connected()
    truth = principal.tree(SITE)
    agent.tree.put("guestbook", application("r1"))
    wait_until(lambda: truth.names() == {"guestbook"}, "the copy is there")
    agent.stop()
    agent.process.command[agent.process.command.index("autonomous")] = "managed"
    agent.start().ready().wait_connected()
    wait_until(lambda: agent.tree.get("guestbook")["spec"]["project"] == f"{SITE}-default", "it is the principal's")
    original = truth.get("guestbook")
    original["spec"]["project"] = "default"
    truth.put("guestbook", original)
    wait_until(lambda: agent.tree.get("guestbook")["spec"]["project"] == "default", "it is as the principal has it")
    truth.remove("guestbook")
    wait_until(lambda: agent.tree.get("guestbook") is None, "its deletion, too")


def test_an_operation_reaches_an_autonomous_agent(net):
    principal = net.principal()
    agent = net.agent(SITE, principal, mode="autonomous").wait_connected()
    copies = principal.tree(SITE)
    agent.tree.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: copies.get("guestbook"), "the principal has it")
    copies.put_status("guestbook", {"operation": {"sync": {"revision": "r1"}}})
    wait_until(lambda: ((agent.tree.status("guestbook") or {}).get("operation") or {}).get("sync"), "the operation is there")


# ---- restarts, kills, cuts -------------------------------------------------------------------------------------------


def test_what_was_confirmed_is_not_sent_again_after_a_restart_of_either_side(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    for n in range(20):
        truth.put(f"app-{n}", application("r1", name=f"app-{n}"))
    wait_in_step(truth, agent.tree)
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    for end in (principal, agent):
        end.kill()
        end.start().ready()
    principal.wait_connected(SITE)
    truth.put("last", application("r1", name="last"))
    wait_until(lambda: agent.tree.get("last"), "the new one is there")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "it is confirmed")
    assert agent.status()["principal"]["applied"] == 1
    assert principal.agent(SITE)["confirmed"] <= 3  # itself, and what a comparison asks


def test_fifty_kills_lose_nothing(net):
    principal = net.principal()
    agent = net.agent(SITE, principal)
    truth = principal.tree(SITE)
    chance = random.Random(7)
    revision = 0
    for _ in range(50):
        for _ in range(4):
            revision += 1
            name = f"app-{chance.randrange(12)}"
            if chance.random() < 0.2 and name in truth.names():
                truth.remove(name)
            else:
                truth.put(name, application(f"r{revision}", name=name))
        for tried in agent.tree.names():
            agent.tree.put_status(tried, {"status": {"sync": {"revision": agent.tree.revision(tried) or ""}}})
        time.sleep(chance.random() * 0.1)  # the moment of the kill
        victim = principal if chance.random() < 0.5 else agent
        victim.kill()
        victim.start()
    principal.ready()
    agent.ready()
    wait_in_step(truth, agent.tree)
    for name in truth.names():
        agent.tree.put_status(name, {"status": {"sync": {"revision": truth.revision(name)}}})
    wait_until(lambda: all((truth.status(n) or {}).get("status", {}).get("sync", {}).get("revision") == truth.revision(n)
                           for n in truth.names()), "all status has come back", 60)
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    principal.stop()
    agent.stop()


def test_sigterm_finishes_both_sides_and_nothing_is_left_behind(pair):
    principal, agent = pair
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.stop()
    principal.stop()
    for end in (principal, agent):
        assert not (end.data / "admin.json").exists()
        assert end.log("stopped")
    out = run("status", "--data-dir", principal.data, check=False)
    assert out.returncode == 1 and "neither a principal nor an agent runs" in out.stdout


def test_an_agent_comes_again_when_its_principal_is_away_and_in_order_it_says_so(pair):
    principal, agent = pair
    principal.stop()
    wait_until(lambda: not agent.connected(), "the agent knows")
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    principal.start().ready()
    wait_until(lambda: agent.tree.get("guestbook"), "what changed meanwhile is there")
    assert agent.connected()


# ---- reload ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def users(net):
    """A principal whose agents have passwords, and a function that makes an agent with one."""
    file = net.directory / "users"
    add_user(file, SITE, "s3cret")
    principal = net.principal(auth=f"userpass:{file}")

    def make(name, password, **options):
        creds = net.directory / f"{name}.creds"
        creds.write_text(f"{name}:{password}\n")
        return net.agent(name, principal, creds=f"userpass:{creds}", **options)

    return principal, file, make


def test_agents_with_passwords_and_a_user_that_is_added_and_removed(users):
    principal, file, make = users
    first = make(SITE, "s3cret").wait_connected()
    second = make("site-2", "other")
    wait_until(lambda: second.log("no connection with the principal"), "an unknown user is refused")
    assert not second.connected()
    add_user(file, "site-2", "other")
    principal.process.send(signal.SIGHUP)
    second.wait_connected()
    assert [line["users"] for line in principal.log("users are known")] == [1, 2], "at the start and at each reload"

    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith(SITE)))
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: not first.connected(), "a removed user's stream ends")
    principal.tree(SITE).put("late", application("r1", name="late"))
    principal.tree("site-2").put("late", application("r1", name="late"))
    wait_until(lambda: second.tree.get("late"), "the other goes on")
    assert first.tree.get("late") is None
    assert "s3cret" not in principal.log_text() + first.log_text()


def test_a_file_of_users_that_was_cut_off_shuts_nobody_out_and_a_comment_does(users):
    principal, file, make = users
    agent = make(SITE, "s3cret").wait_connected()
    file.write_text("\n")
    principal.process.send(signal.SIGHUP)
    said = wait_until(lambda: principal.log("the file with the users is empty"), "it is refused")[0]
    assert "holdfast pki user" in said["fix"]
    wait_until(lambda: principal.log("the users stay as they were"), "and what comes of it")
    wait_until(lambda: len(principal.log("reloaded")) == 1, "it is reloaded")
    assert agent.connected()
    file.write_text("# nobody\n")
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: not agent.connected(), "whom nobody knows any more")
    file.write_text("")
    principal.stop()
    principal.process.start()
    assert principal.process.wait() == 1 and len(principal.log("the file with the users is empty")) == 2


def test_a_wrong_password_is_refused_and_said_on_both_sides(users):
    principal, _, make = users
    agent = make(SITE, "wrong")
    failed = wait_until(lambda: agent.log("no connection with the principal"), "the agent says so")[0]
    assert failed["code"] == "UNAUTHENTICATED" and failed["step"] == "Authenticate"
    refused = wait_until(lambda: principal.log("a login was refused"), "the principal says so")[0]
    assert refused["agent"] == SITE
    assert principal.metrics()["holdfast_principal_logins_refused_total"] >= 1
    assert agent.metrics()["argocd_agent_auth_failures_total"] >= 1


def test_a_renewed_certificate_is_taken_over_without_a_cut(net):
    pki = net.directory / "own-pki"
    net.pki = pki
    run("pki", "init", "--dir", pki, "--jwt-bits", "2048")
    for words in (("--server", "localhost", "--san", "127.0.0.1"), ("--agent", SITE)):
        run("pki", "issue", "--dir", pki, *words)
    principal = net.principal()
    agent = net.agent(SITE, principal).wait_connected()
    run("pki", "issue", "--dir", pki, "--server", "localhost", "--san", "127.0.0.1", "--renew", "400")
    before = principal.agent(SITE)["since_ms"]
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: principal.log("reloaded"), "it is reloaded")
    agent.process.send(signal.SIGHUP)
    wait_until(lambda: agent.log("reloaded"), "it is reloaded")
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the stream goes on")
    assert principal.agent(SITE)["since_ms"] == before


@pytest.mark.parametrize("which", ["principal", "agent"])
def test_the_service_manager_hears_of_its_ready_and_that_its_loop_turns(net, manager, monkeypatch, which):
    principal = net.principal() if which == "agent" else None
    for name, value in (("NOTIFY_SOCKET", str(manager.path)), ("WATCHDOG_USEC", "200000")):
        monkeypatch.setenv(name, value)
    end = net.principal(name="watched") if which == "principal" else net.agent(SITE, principal)
    assert manager.hear() == {"READY": "1", "STATUS": "running"}
    for _ in range(3):
        manager.hear_watchdog()
    end.process.send(signal.SIGHUP)
    assert manager.hear()["RELOADING"] == "1"
    assert manager.hear() == {"READY": "1", "STATUS": "running"}
    end.process.send(signal.SIGTERM)
    assert manager.hear() == {"STOPPING": "1"}
    assert end.process.wait() == 0


def test_a_reload_before_everything_is_read_is_not_the_end_of_the_start(net, manager):
    """The service manager starts what waits for the principal at the first READY."""
    principal = net.principal(name="watched")
    principal.stop()
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    principal.process.env["NOTIFY_SOCKET"] = str(manager.path)
    with contextlib.closing(sqlite3.connect(principal.data / "ledger.db", isolation_level=None)) as ledger:
        ledger.execute("BEGIN IMMEDIATE")  # what is new cannot be kept, so it is not reported
        principal.process.start()
        wait_until(lambda: principal.page("/livez").status_code == 200, "its loop turns")
        principal.process.send(signal.SIGHUP)
        wait_until(lambda: principal.log("reloaded"), "it is reloaded")
        assert principal.page("/readyz").status_code == 503
        ledger.execute("ROLLBACK")
    principal.ready()
    assert manager.hear() == {"READY": "1", "STATUS": "running"}
    principal.process.send(signal.SIGTERM)
    assert manager.hear() == {"STOPPING": "1"}
    assert principal.process.wait() == 0


# ---- versions --------------------------------------------------------------------------------------------------------


def test_another_version_is_refused_with_a_reason_unless_it_is_accepted(net):
    principal = net.principal()
    agent = net.agent(SITE, principal, "--version-string", "9.9.9")
    failed = wait_until(lambda: agent.log("no connection with the principal"), "it is refused")[0]
    assert failed["code"] == "FAILED_PRECONDITION"
    refused = wait_until(lambda: principal.log("a login was refused"), "the principal says so")[0]
    assert "9.9.9" in refused["error"]
    assert len(principal.log("a login was refused")) < 20
    lenient = net.principal("--accept-version", "9.9.*,1.0", name="lenient")
    net.agent("site-2", lenient, "--version-string", "9.9.9").wait_connected()


# ---- the guard, status, release --------------------------------------------------------------------------------------


def test_an_empty_source_does_not_wipe_a_site_until_somebody_says_so(net):
    principal = net.principal("--guard-share", "40", "--guard-min", "5")
    agent = net.agent(SITE, principal)
    truth = principal.tree(SITE)
    for n in range(20):
        truth.put(f"app-{n}", application("r1", name=f"app-{n}"))
    wait_in_step(truth, agent.tree)
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    principal.stop()
    for n in range(20):
        truth.remove(f"app-{n}")
    truth.put("new", application("r1", name="new"))
    principal.start().ready()
    wait_until(lambda: agent.tree.get("new"), "what is new goes on")
    assert len(agent.tree.names()) == 21
    assert principal.agent(SITE)["held"] == 20
    text = run("status", "--data-dir", principal.data)
    assert "20 deletes are held" in text and f"holdfast release {SITE}" in text
    assert principal.metrics()["holdfast_principal_held_deletes"] == 20
    [said] = principal.log("deletes are held: 'holdfast release' lets them go")
    assert said["agent"] == SITE and "20 of 20" in said["reason"]
    assert run("release", SITE, "--data-dir", principal.data) == "released\n"
    wait_until(lambda: agent.tree.names() == {"new"}, "they are let go")
    assert run("release", SITE, "--data-dir", principal.data) == "nothing is held\n"
    assert run("release", "nobody", "--data-dir", principal.data, check=False).returncode == 1


# ---- a site that is gone for good --------------------------------------------------------------------------------------


def test_an_agent_that_is_gone_for_good_is_forgotten_and_comes_back_as_a_new_one(net):
    principal = net.principal()
    agent, other = net.agent(SITE, principal), net.agent("site-2", principal)
    for name, end in ((SITE, agent), ("site-2", other)):
        principal.tree(name).put("guestbook", application("r1", name="guestbook"))
        wait_until(lambda name=name, end=end: end.tree.get("guestbook") and principal.agent(name)["behind"] == 0, "the copy is there")

    def forget(*words):
        done = run("forget", SITE, *words, "--data-dir", principal.data, check=False)
        return done.returncode, done.stdout

    def known():
        return {one["name"] for one in principal.status()["agents"]}

    refused = forget("--dry-run")
    assert refused[0] == 1 and "site-1 is connected: stop it" in refused[1] and forget() == refused
    agent.stop()
    wait_until(lambda: not principal.agent(SITE)["connected"], "it is away")
    assert forget()[0] == 1 and "has applications in the source (1)" in forget()[1]
    principal.tree(SITE).remove("guestbook")
    wait_until(lambda: principal.agent(SITE)["waiting"] == 1, "the deletion waits")
    held = "(managed; copies that it has or had: 1, events that it did not confirm: 1)"
    assert forget("--dry-run") == (0, f"{SITE} would be forgotten {held}\n")
    assert known() == {SITE, "site-2"}
    assert forget() == (0, f"{SITE} is forgotten {held}\n")
    assert known() == {"site-2"}
    assert forget() == (1, "holdfast forget: no agent of this name is known\n")
    principal.kill()
    principal.start().ready()
    assert known() == {"site-2"} and principal.agent("site-2")["objects"] == 1
    principal.tree(SITE).put("new", application("r1", name="new"))
    agent.start().wait_connected()
    wait_until(lambda: agent.tree.names() == {"new"}, "it has everything, and nothing that is no more")
    assert other.tree.revision("guestbook") == "r1"


def test_what_an_autonomous_agent_brought_stays_when_it_is_forgotten(net):
    principal = net.principal()
    agent = net.agent(SITE, principal, mode="autonomous")
    agent.tree.put("own", application("r1", name="own"))
    copy = principal.tree(SITE)
    wait_until(lambda: copy.revision("own") == "r1", "the copy is there")
    wait_until(lambda: principal.agent(SITE)["records"] == 1, "it is noted")
    agent.stop()
    wait_until(lambda: not principal.agent(SITE)["connected"], "it is away")
    assert "its objects, which stay in the source: 1)" in run("forget", SITE, "--data-dir", principal.data)
    copy.remove("own")  # nobody puts it back
    agent.tree.put("own", application("r2", name="own"))
    agent.start().wait_connected()
    wait_until(lambda: copy.revision("own") == "r2", "it comes back as a new one")


def test_forget_says_what_is_wrong_before_it_asks(net):
    principal = net.principal()
    agent = net.agent(SITE, principal)
    agent.wait_connected()
    for words, code, said in ((["nobody"], 1, "no agent of this name is known"), (["Berlin"], 2, "is no name of an agent")):
        done = run("forget", *words, "--data-dir", principal.data, check=False)
        assert done.returncode == code and said in done.stdout
    assert "cannot do this" in run("forget", SITE, "--data-dir", agent.data, check=False).stdout
    principal.stop()
    assert "no principal or agent runs on" in run("forget", SITE, "--data-dir", principal.data, check=False).stdout


def test_status_says_how_each_peer_is_doing(pair):
    principal, agent = pair
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    principal.tree("site-2").put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    one, other = principal.agent(SITE), principal.agent("site-2")
    assert one["connected"] and one["mode"] == "managed" and one["objects"] == 1 and one["waiting"] == 0
    assert one["confirmed"] >= 1 and one["quarantined"] == [] and one["lag_p99_ms"] >= 0
    assert not other["connected"] and other["objects"] == 1 and other["behind"] == 1
    text = run("status", "--data-dir", principal.data)
    assert SITE in text and "site-2" in text and "managed" in text
    text = run("status", "--data-dir", agent.data)
    assert text.startswith(f"agent {SITE}, managed, principal localhost port {principal.port}")
    assert agent.status()["principal"]["connected"]


@pytest.mark.parametrize("mode", ["managed", "autonomous"])
def test_status_follows_an_agent_that_stops_and_starts(net, mode):
    principal = net.principal()
    agent = net.agent(SITE, principal, mode=mode).wait_connected()

    def is_connected():
        return principal.agent(SITE)["connected"] and principal.metrics()["argocd_principal_connected_agents"] == 1

    for _ in range(2):
        wait_until(is_connected, "it is connected")
        agent.stop()
        wait_until(lambda: not is_connected(), "it is not connected")
        agent.start().ready()
    wait_until(is_connected, "it is connected again")


def test_metrics_count_what_happens(pair):
    principal, agent = pair
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: truth.status("guestbook"), "the status is back")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    p = wait_until(lambda: (m := principal.metrics())["holdfast_principal_lag_seconds_count"] == m["principal_events_sent"] and m, "each sent event")
    a = agent.metrics()
    assert p["argocd_principal_connected_agents"] == 1 and a["argocd_agent_connection_status"] == 1
    assert p["principal_events_sent"] >= 1 and p["principal_events_received"] >= 1
    assert a["agent_events_received"] >= 1 and a["agent_events_sent"] >= 1
    assert a["holdfast_agent_objects"] == 1 and p["holdfast_principal_objects"] == 1
    assert p["holdfast_principal_waiting"] == 0 and p["principal_errors"] == 0


def test_log_lines_carry_the_names_of_events_as_fields(net):
    principal = net.principal("--log-level", "debug")
    agent = net.agent(SITE, principal, "--log-level", "debug").wait_connected()
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    line = wait_until(lambda: agent.log("an event was applied"), "it is applied")[0]
    assert line["resource_id"].startswith("guestbook_") and line["event_id"].startswith(line["resource_id"])
    assert line["event_type"] in ("create", "spec")


def metric_rows(text):
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.M))
    labels = {}
    for name, fields in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.*?)\} ", text, re.M):
        labels.setdefault(name, re.findall(r"(\w+)=", fields))
    return [[f"`{name}`", kinds[name], ", ".join(f"`{label}`" for label in labels.get(name, []) if label != "le"), meaning]
            for name, meaning in sorted(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))]


def test_the_reference_lists_every_metric_of_both_programs(pair):
    page = ROOT / "docs/reference/metrics.md"
    principal, agent = pair
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: principal.metrics()["principal_events_received"] and agent.metrics()["agent_events_received"],
               "both have dealt with an event")
    for end, heading in zip(pair, ("Principal", "Agent")):
        text = requests.get(f"http://127.0.0.1:{end.metrics_port}/metrics", timeout=90).text
        rows = [["metric", "type", "labels", "meaning"], ["---"] * 4, *metric_rows(text)]
        section = f"\n## {heading}\n\n" + "".join("| " + " | ".join(row) + " |\n" for row in rows)
        document = page.read_text()
        if os.environ.get("UPDATE_DOCS"):
            old = re.search(rf"\n## {heading}\n\n(\|.*\n)*", document)
            page.write_text(document.replace(old[0], section) if old else document + section)
        else:
            assert section in document, "metrics.md is behind: run this test with UPDATE_DOCS=1"
