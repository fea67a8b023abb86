"""Peers of upstream's dialect on either side: they know no extension of ours, and everything is ACKed as they expect it."""

import math

import pytest
from agentpeer import AgentPeer, PrincipalPeer, api, data_of, target_of, text_of, verb_of  # noqa: F401
from conftest import wait_until
from synced import UID, application, net, sync_pki  # noqa: F401  (fixtures)

SITE = "site-1"


@pytest.fixture
def hub(net, api):
    """A principal of ours, and a function that makes an agent peer."""
    principal = net.principal()
    made = []

    def make(name=SITE, **options):
        made.append(AgentPeer(api, principal.port, net.pki, name, **options))
        return made[-1]

    yield principal, make
    for peer in made:
        peer.close()


def is_about(verb, name):
    return lambda e: verb_of(e) == verb and target_of(e) == "application" and data_of(e)["metadata"]["name"] == name


# ---- an agent of upstream's at our principal -------------------------------------------------------------------------


def test_logging_in_gives_what_an_upstream_agent_needs(hub):
    import jwt
    principal, make = hub
    peer = make()
    answer = peer.authenticate()
    assert answer.version == "0.1.0" and answer.principalNamespace == "argocd"
    for token, audience in ((answer.accessToken, "access"), (answer.refreshToken, "refresh")):
        claims = jwt.decode(token, options={"verify_signature": False})
        assert jwt.get_unverified_header(token)["alg"] == "RS512"
        assert claims["sub"] == '{"clientID":"site-1","mode":"managed"}' and claims["iss"] == "argocd-agent-server"
        assert claims["aud"] == [f"argocd-agent-server-{audience}"]
    assert peer.ask_version() == "argocd-agent-0.1.0"
    fresh = peer.refresh_token(answer.refreshToken)
    assert fresh.accessToken and not fresh.refreshToken


def test_an_upstream_agent_is_told_of_creates_edits_and_deletes(hub):
    principal, make = hub
    stream = make().open()
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    created = stream.wait(is_about("create", "guestbook"), "the create")
    body = data_of(created)
    uid = body["metadata"]["uid"]
    assert uid and body["metadata"]["resourceVersion"] and body["metadata"]["namespace"] == SITE
    assert text_of(created, "resourceid") == f"guestbook_{uid}"
    assert text_of(created, "eventid") == f"guestbook_{uid}_{body['metadata']['resourceVersion']}"
    assert text_of(created, "principaluid")
    assert not [name for name in created.event.attributes if name.startswith("holdfast")]
    truth.put("guestbook", application("r2", name="guestbook"))
    updated = stream.wait(is_about("spec-update", "guestbook"), "the edit")
    assert data_of(updated)["spec"]["source"]["targetRevision"] == "r2"
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "both are confirmed")
    truth.remove("guestbook")
    deleted = stream.wait(is_about("delete", "guestbook"), "the delete")
    assert data_of(deleted)["metadata"]["uid"] == uid
    wait_until(lambda: principal.agent(SITE)["in_flight"] == 0, "it is confirmed")


def test_a_status_of_an_upstream_agent_is_applied_and_acked(hub):
    principal, make = hub
    stream = make().open()
    truth = principal.tree(SITE)
    truth.put("guestbook", application("r1", name="guestbook"))
    created = data_of(stream.wait(is_about("create", "guestbook"), "the create"))
    copy = application("r1", name="guestbook", namespace="argocd", uid="5e11-here", resourceVersion="77",
                       annotations={UID: created["metadata"]["uid"]})
    copy["status"] = {"health": {"status": "Healthy"}}
    update = stream.api.about("status-update", copy)
    stream.send(update)
    stream.wait_ack(update)
    assert truth.status("guestbook")["status"]["health"]["status"] == "Healthy"


def test_what_is_not_acked_comes_again_at_once_on_the_next_stream(hub):
    principal, make = hub
    first = make()
    stream = first.open(acks=False)
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    stream.wait(is_about("create", "guestbook"), "the create")
    first.close()
    again = make().open()
    again.wait(is_about("create", "guestbook"), "the create, again")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "it is confirmed")


def test_a_project_keeps_the_destinations_that_the_answer_to_a_comparison_leaves_out(net, api):
    """An autonomous agent of upstream's leaves out what does not match its name, "in-cluster" too; it told of the whole with the same version."""
    principal = net.principal()
    peer = AgentPeer(api, principal.port, net.pki, SITE, mode="autonomous")
    stream = peer.open()
    project = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
               "metadata": {"name": "shop", "namespace": "argocd", "uid": "u-1", "resourceVersion": "7"},
               "spec": {"description": "d1", "destinations": [{"name": "in-cluster", "namespace": "*", "server": "*"}]}}

    def tell(verb):
        said = api.about(verb, project, "appproject")
        stream.send(said)
        stream.wait_ack(said)
        return principal.tree("argocd").get(f"{SITE}-shop", "AppProject")["spec"]

    whole = tell("create")["destinations"]
    assert whole == [{"name": SITE, "namespace": "*", "server": "*"}]
    project["spec"]["destinations"] = []
    assert tell("spec-update")["destinations"] == whole
    project["metadata"]["resourceVersion"] = "8"
    project["spec"]["description"] = "d2"
    assert tell("spec-update") == {"description": "d2", "destinations": [], "sourceNamespaces": [SITE]}
    peer.close()


def test_an_event_that_cannot_be_read_does_not_end_the_stream(hub):
    principal, make = hub
    stream = make().open()
    api = stream.api
    for event in (api.event("create", "application", b"{", resourceid="r1", eventid="e1"),
                  api.event("create", "wormhole", {}, resourceid="r2", eventid="e2"),
                  api.event("explode", "application", {}, resourceid="r3", eventid="e3"),
                  api.event("request-update", "resourceResync", b"[]", resourceid="r4", eventid="e4")):
        stream.send(event)
        stream.wait_ack(event)
    stream.send(b"\xff\xff garbage that is no protobuf")
    stream.send(api.event("status-update", "application", {}))  # without ids: nobody could be answered
    ping = api.event("ping", "heartbeat", resourceid="h1", eventid="h1")
    stream.send(ping)
    stream.wait_ack(ping)  # what was sent before it has been read
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    stream.wait(is_about("create", "guestbook"), "the stream lives")
    refused = principal.log("a message was refused") + principal.log("an event was rejected")
    assert len(refused) >= 5 and principal.metrics()["principal_errors"] >= 5
    assert {"r1", "r2", "r3", "r4"} <= {line["resource_id"] for line in refused}


def test_a_message_that_is_too_large_ends_the_stream_so_that_an_upstream_agent_comes_again(net, api):
    principal = net.principal("--grpc-max-message-size", "65536")
    peer = AgentPeer(api, principal.port, net.pki, SITE)
    stream = peer.open()
    stream.send(api.event("status-update", "application", {"x": "y" * 100000}, resourceid="r1", eventid="e1"))
    assert stream.wait_end()[0].name == "UNAVAILABLE"  # after RESOURCE_EXHAUSTED it would wait on the dead stream for ever
    again = peer.open()
    principal.tree(SITE).put("guestbook", application("r1", name="guestbook"))
    again.wait(is_about("create", "guestbook"), "the next stream works")
    peer.close()


def test_a_flood_of_refused_events_does_not_fill_the_log(hub):
    principal, make = hub
    stream = make().open()
    for n in range(500):
        stream.send(stream.api.event("create", "wormhole", {}, resourceid=f"r{n}", eventid=f"e{n}"))
    wait_until(lambda: principal.metrics()["principal_errors"] >= 500, "all are counted")
    assert len(principal.log("a message was refused")) < 250


# ---- our agent at a principal of upstream's --------------------------------------------------------------------------


@pytest.fixture
def site(net, api):
    """An agent of ours, and the principal peer that it is connected to."""
    port = net.free_port()
    peer = PrincipalPeer(api, port, net.pki, SITE)
    agent = net.agent(SITE, port).wait_connected()
    yield agent, peer, peer.stream()
    peer.stop()


def test_our_agent_calls_in_upstreams_order_and_asks_what_it_should_have(site):
    agent, peer, stream = site
    login = peer.logins[0]
    assert (login.method, login.mode, login.version, login.agentNamespace) == ("mtls", "managed", "0.1.0", "argocd")
    assert stream.metadata["authorization"].count(".") == 2
    asked = stream.wait(lambda e: verb_of(e) == "request-synced-resource-list", "the first question")
    assert target_of(asked) == "resourceResync" and text_of(asked, "resourceid") and text_of(asked, "eventid")


@pytest.mark.parametrize("by", ["refresh", "login"])
def test_a_token_that_cannot_be_renewed_is_said_once_and_when_it_is_again(net, api, by):
    port = net.free_port()
    peer = PrincipalPeer(api, port, net.pki, SITE, lifetime_s=31)
    peer.renews, peer.admits = False, 1
    agent = net.agent(SITE, port).wait_connected()
    wait_until(lambda: len(peer.refreshes) >= 2 and len(peer.logins) >= 2, "it is tried again, and so is a login")
    said = agent.log("the access token was not renewed")
    assert [(line["level"], line["code"], line["error"]) for line in said] == [("warn", "UNAUTHENTICATED", "authentication failed")]
    peer.lifetime_s = 300
    if by == "refresh":
        peer.renews = True
    else:
        peer.admits = math.inf
    wait_until(lambda: agent.log("the access token is renewed again"), "it is renewed")
    assert agent.connected() and len(agent.log("connected")) == len(agent.log("the access token was not renewed")) == 1
    peer.stop()


def test_our_agent_applies_and_acks_what_an_upstream_principal_sends(site):
    agent, _, stream = site
    app = application("r1", name="guestbook", namespace=SITE, uid="0000-source", resourceVersion="5")
    create = stream.api.about("create", app)
    stream.send(create)
    stream.wait_ack(create)
    assert agent.tree.revision("guestbook") == "r1" and agent.tree.source_uid("guestbook") == "0000-source"
    said = stream.wait(is_about("status-update", "guestbook"), "that it has no status yet")
    assert "status" not in data_of(said)

    app["metadata"]["resourceVersion"] = "6"
    app["spec"]["source"]["targetRevision"] = "r2"
    update = stream.api.about("spec-update", app)
    stream.send(update)
    stream.wait_ack(update)
    assert agent.tree.revision("guestbook") == "r2"

    agent.tree.put_status("guestbook", {"status": {"health": {"status": "Healthy"}}})
    said = stream.wait(lambda e: is_about("status-update", "guestbook")(e) and "status" in data_of(e), "the status")
    assert data_of(said)["status"]["health"]["status"] == "Healthy"
    assert not [name for name in said.event.attributes if name.startswith("holdfast")]

    app["metadata"]["resourceVersion"] = "7"
    delete = stream.api.about("delete", app)
    stream.send(delete)
    stream.wait_ack(delete)
    assert agent.tree.get("guestbook") is None


def test_an_upstream_principal_is_told_to_ask_by_an_autonomous_agent(net, api):
    """It asks of its own accord once in its life; what was deleted before this agent knew of it would stay there."""
    port = net.free_port()
    peer = PrincipalPeer(api, port, net.pki, SITE)
    net.agent(SITE, port, mode="autonomous").wait_connected()
    stream = peer.stream()
    stream.wait(lambda e: (verb_of(e), target_of(e)) == ("request-resource-resync", "resourceResync"), "that it is to ask")
    stream.send(api.event("request-update", "resourceResync", {"name": "former", "namespace": SITE, "uid": "0000-former",
                                                               "kind": "Application", "checksum": None},
                          resourceid="q-1", eventid="q-1"))
    assert data_of(stream.wait(is_about("delete", "former"), "the deletion"))["metadata"]["uid"] == "0000-former"
    peer.stop()


def test_garbage_of_a_principal_does_not_end_the_stream_of_our_agent(site):
    agent, _, stream = site
    stream.send(b"\x0a\xff")
    for event in (stream.api.event("create", "application", b"nonsense", resourceid="r1", eventid="e1"),
                  stream.api.event("create", "wormhole", {}, resourceid="r2", eventid="e2")):
        stream.send(event)
        stream.wait_ack(event)
    app = application("r1", name="guestbook", namespace=SITE, uid="0000-source", resourceVersion="5")
    stream.send(stream.api.about("create", app))
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "the stream lives")


def test_requests_that_are_not_served_are_answered(site):
    agent, _, stream = site
    request = stream.api.event("GET", "resource", {"uuid": "q-1", "name": "x", "group": "", "version": "v1",
                                                   "resource": "pods"}, resourceid="q-1", eventid="q-1")
    request.event.type = "GET"
    stream.send(request)
    stream.wait_ack(request)
    answer = stream.wait(lambda e: verb_of(e) == "response", "the answer")
    assert data_of(answer)["uuid"] == "q-1" and data_of(answer)["status"] >= 400


def test_our_agent_comes_again_when_the_principal_ends_the_stream(site):
    agent, peer, stream = site
    stream.waiting.put(None)  # ends with OK
    again = peer.stream()
    app = application("r1", name="guestbook", namespace=SITE, uid="0000-source", resourceVersion="5")
    again.send(again.api.about("create", app))
    wait_until(lambda: agent.tree.revision("guestbook") == "r1", "it is applied")


def test_an_answer_to_a_login_that_is_too_large_is_refused_unread(net, api):
    """Protobuf makes a hundred times as much of fields that nobody knows."""
    port = net.free_port()
    peer = PrincipalPeer(api, port, net.pki, SITE, version="0.1.0" * 20000)
    agent = net.agent(SITE, port)
    wait_until(lambda: agent.log("no connection with the principal"), "it is said")
    said = agent.log("no connection with the principal")[0]
    assert (said["step"], said["code"]) == ("Authenticate", "RESOURCE_EXHAUSTED")
    peer.version = "0.1.0"
    agent.wait_connected()
    peer.stop()


def test_our_agent_comes_again_when_nobody_answers_its_subscribe(net, api):
    """A proxy keeps the connection alive; the principal behind it hangs."""
    port = net.free_port()
    peer = PrincipalPeer(api, port, net.pki, SITE, dialect="1")
    agent = net.agent(SITE, port)
    peer.stream()
    peer.stream(limit_s=60)
    said = agent.log("no connection with the principal")[0]
    assert (said["step"], said["code"], said["error"]) == ("Subscribe", "DEADLINE_EXCEEDED", "no answer")
    assert not agent.log("connected")
    peer.stop()
