"""The numbers of principal and agents: upstream's names move with what happens (docs/reference/metrics.md)."""

import json
import re

import pytest
import requests
from conftest import ROOT, wait_until
from synced import application, net, run, sync_pki  # noqa: F401  (fixtures)

SITE = "site-1"


def moved(before, after, *names):
    """By how much each has grown."""
    return [after[name] - before.get(name, 0) for name in names]


@pytest.fixture
def pair(net):
    principal = net.principal()
    return principal, net.agent(SITE, principal).wait_connected()


def test_objects_of_each_kind_are_counted_as_they_come_and_go(net):
    principal = net.principal(start=False)
    truth = principal.tree(SITE)
    truth.put("before", application(name="before"))
    principal.start().ready()
    assert principal.metrics()["principal_applications_created"] == 0, "it was there already"
    project = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "shop"}, "spec": {"description": "a"}}
    truth.put("a", application("r1", name="a"))
    truth.put("shop", project, kind="AppProject", namespace="argocd")
    wait_until(lambda: principal.metrics()["principal_applications_created"] == 1, "one application is new")
    truth.put("a", application("r2", name="a"))
    wait_until(lambda: principal.metrics()["principal_applications_updated"] >= 1, "it was changed")
    wait_until(lambda: principal.metrics()["principal_app_projects_created"] == 1, "the project is new")
    truth.remove("a")
    truth.remove("shop", kind="AppProject", namespace="argocd")
    wait_until(lambda: principal.metrics()["principal_applications_deleted"] == 1, "it is gone")
    wait_until(lambda: principal.metrics()["principal_app_projects_deleted"] == 1, "the project is gone")
    m = principal.metrics()
    assert m["principal_applications_created"] == 1 and m["principal_app_projects_created"] == 1
    assert m["principal_repositories_created"] == 0 and m["argocd_principal_gpg_keys_count"] == 0


def test_each_event_is_measured_at_both_ends(pair):
    principal, agent = pair
    p, a = principal.metrics(), agent.metrics()
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: truth.status("guestbook"), "the status is back")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0 and agent.status()["principal"]["behind"] == 0, "all is confirmed")

    at_principal = 'status="success",agent_name="site-1",resource_type="application"'
    at_agent = 'status="success",agent_mode="managed",resource_type="application"'
    after = wait_until(lambda: (m := principal.metrics())["argocd_principal_workqueue_depth"] == 0 and m, "nothing waits")
    assert after[f"principal_event_processing_time_count{{{at_principal}}}"] >= 1
    assert after[f'principal_event_processing_time_bucket{{{at_principal},le="10"}}'] >= 0, "slow or not"
    names = [f"argocd_principal_workqueue_{name}" for name in ("adds_total", "queue_duration_seconds_count",
                                                               "work_duration_seconds_count")]
    for queue in ("send", "recv"):
        assert all(n >= 1 for n in moved(p, after, *(f'{name}{{queue="{queue}"}}' for name in names))), queue
    assert after["argocd_principal_workqueue_unfinished_work_seconds"] == 0
    assert after['argocd_principal_agent_connections_total{agent_name="site-1"}'] == 1

    after = agent.metrics()
    assert after[f"agent_event_processing_time_count{{{at_agent}}}"] >= 1
    assert after['agent_event_propagation_latency_seconds_count{resource_type="application"}'] >= 1
    assert after['agent_event_propagation_latency_seconds_bucket{resource_type="application",le="10"}'] >= 0
    assert after['argocd_agent_workqueue_adds_total{queue="default-recv"}'] >= 1
    assert moved(a, after, 'argocd_agent_workqueue_work_duration_seconds_count{queue="default-send"}')[0] >= 1


def test_what_waits_and_what_is_under_way_stands_in_the_queues(net):
    principal = net.principal()
    net.agent(SITE, principal).wait_connected().stop()
    for i in range(3):
        principal.tree(SITE).put(f"a{i}", application(name=f"a{i}"))
    wait_until(lambda: principal.metrics()['argocd_principal_workqueue_depth{queue="send"}'] == 3, "three wait")
    m = principal.metrics()
    assert m['argocd_principal_workqueue_longest_running_processor_seconds{queue="send"}'] == 0, "none is under way"


def test_a_rejected_event_is_an_error_of_its_kind_and_discarded(net):
    principal = net.principal("--grpc-max-message-size", "65536")
    net.agent(SITE, principal).wait_connected()
    large = application(name="large")
    large["spec"]["source"]["helm"] = {"values": "x" * 100000}
    principal.tree(SITE).put("large", large)
    wait_until(lambda: principal.metrics()["holdfast_principal_quarantined"] == 1, "it cannot be sent")
    m = principal.metrics()
    assert m['principal_errors{resource_type="application"}'] == 1 and m['principal_errors{resource_type="appproject"}'] == 0
    assert m["argocd_principal_event_writer_events_discarded_total"] == 1
    [series] = [key for key, value in m.items() if key.startswith("argocd_principal_event_writer_events_discarded_total") and value]
    assert 'agent_name="site-1"' in series and 'resource_type="application"' in series


def test_calls_are_counted_by_method_as_the_usual_middleware_does(pair):
    principal, agent = pair
    subscribe = 'grpc_type="bidi_stream",grpc_service="eventstreamapi.EventStream",grpc_method="Subscribe"'
    login = 'grpc_type="unary",grpc_service="authapi.Authentication",grpc_method="Authenticate"'
    p, a = principal.metrics(), agent.metrics()
    assert p[f"grpc_server_started_total{{{subscribe}}}"] == 1 == a[f"grpc_client_started_total{{{subscribe}}}"]
    assert p[f'grpc_server_handled_total{{{login},grpc_code="OK"}}'] == 1 == a[f'grpc_client_handled_total{{{login},grpc_code="OK"}}']
    assert p[f"grpc_server_handling_seconds_count{{{login}}}"] == 1 == a[f"grpc_client_handling_seconds_count{{{login}}}"]
    principal.tree(SITE).put("guestbook", application(name="guestbook"))
    wait_until(lambda: agent.metrics()[f"grpc_client_msg_received_total{{{subscribe}}}"] >= 1, "messages came")
    assert principal.metrics()[f"grpc_server_msg_sent_total{{{subscribe}}}"] >= 1
    agent.stop()
    wait_until(lambda: principal.metrics()[f"grpc_server_handling_seconds_count{{{subscribe}}}"] == 1, "the stream has ended")


def test_an_application_of_nobody_is_said_once_counted_and_shown(net):
    principal = net.principal("--allowed-namespaces", "site-*")
    nobodys = principal.tree("elsewhere")
    skipped = application("r1", name="skipped", labels={"argocd-agent.argoproj-labs.io/ignore-sync": "true"})
    nobodys.put("lost", application("r1", name="lost"))
    principal.tree(SITE).put("skipped", skipped)

    def reasons():
        return {line["name"]: line["reason"] for line in principal.log("an application belongs to no agent")}

    wait_until(lambda: len(reasons()) == 2, "both are said")
    assert "--allowed-namespaces" in reasons()["lost"] and "ignore-sync" in reasons()["skipped"]
    nobodys.put("lost", application("r2", name="lost"))
    wait_until(lambda: principal.metrics()["principal_applications_updated"] >= 1, "it was changed")
    assert len(principal.log("an application belongs to no agent")) == 2, "not again for the same reason"
    assert principal.metrics()["holdfast_principal_unowned"] == 2
    text = run("status", "--data-dir", principal.data)
    assert "1 application belongs to no agent: it lives in a namespace that --allowed-namespaces does not name\n" in text
    del skipped["metadata"]["labels"]
    principal.tree(SITE).put("skipped", skipped)
    wait_until(lambda: principal.metrics()["holdfast_principal_unowned"] == 1, "one is its agent's now")
    nobodys.remove("lost")
    wait_until(lambda: principal.metrics()["holdfast_principal_unowned"] == 0, "none is left")
    assert "no agent:" not in run("status", "--data-dir", principal.data)


def test_upstream_names_of_the_reference_are_served_or_not_as_it_says(pair):
    """Each row of "Upstream's names" that says "served" is on the page of its end; no other is."""
    principal, agent = pair
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: agent.tree.get("guestbook"), "the copy is there")
    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    wait_until(lambda: principal.metrics()["principal_events_received"] and agent.metrics()["agent_events_received"],
               "both have dealt with an event")
    text = (ROOT / "docs/reference/metrics.md").read_text().split("\n## Upstream's names\n")[1]
    rows = re.findall(r"^\| `(\S+?)` \| (principal|agent|both) \|(.*?)\| (served|not)\b", text, re.M)
    assert len(rows) >= 60
    for end, page in (("principal", principal), ("agent", agent)):
        served = set(re.findall(r"^# TYPE (\S+)", requests.get(f"http://127.0.0.1:{page.metrics_port}/metrics", timeout=90).text, re.M))
        for name, whose, labels, state in rows:
            if whose in (end, "both"):
                assert (name in served) == (state == "served"), f"{end}: {name} is {state}"


def test_a_page_is_for_its_method_and_for_who_has_its_token(pair):
    for program in pair:
        at = f"http://127.0.0.1:{program.metrics_port}"
        token = {"Authorization": "Bearer " + json.loads((program.data / "admin.json").read_text())["token"]}
        for fields in ({}, {"Authorization": "Bearer "}, {"Authorization": token["Authorization"][:-1]}, {"Authorization": token["Authorization"][7:]}):
            refused = requests.get(at + "/status", headers=fields, timeout=90)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"] == "Bearer" and "admin.json" in refused.text
        assert requests.get(at + "/status", headers=token, timeout=90).json()["ready"] is True
        assert requests.post(at + "/release?agent=nobody", headers=token, timeout=90).status_code == 404
        assert requests.get(at + "/release", headers=token, timeout=90).headers["Allow"] == "POST"
        answer = requests.post(at + "/metrics", data="x", timeout=90)
        assert answer.status_code == 405 and answer.headers["Allow"] == "GET"
        answer = requests.head(at + "/metrics", timeout=90)
        assert answer.status_code == 200 and int(answer.headers["Content-Length"]) > 1000 and not answer.content
        assert [requests.get(at + path, timeout=90).status_code for path in ("/", "/metrics/", "/livez")] == [404, 404, 404]
        assert requests.get(f"http://127.0.0.1:{program.health_port}/livez", timeout=90).text == "ok\n"
