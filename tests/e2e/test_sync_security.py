"""An agent may act only in its own name: whatever a peer forges, steals or breaks is refused, and nothing changes."""

import base64
import hashlib
import json
import shutil
import signal
import time

import grpc
import jwt
import pytest
from agentpeer import AgentPeer, api, data_of, verb_of  # noqa: F401
from conftest import wait_until
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from synced import UID, Tree, add_user, application, net, run, sync_pki  # noqa: F401  (fixtures)

SITE, OTHER = "site-1", "site-2"
REFUSED = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def peers():
    """peers(AgentPeer(...)): closed when the test ends."""
    made = []

    def keep(peer):
        made.append(peer)
        return peer

    yield keep
    for peer in made:
        peer.close()


@pytest.fixture
def hub(net, api, peers):
    """A principal with one application of each of two agents, and a function that makes a peer with a certificate."""
    principal = net.principal()
    for name in (SITE, OTHER):
        principal.tree(name).put("guestbook", application("r1", name="guestbook"))
    wait_until(lambda: principal.metrics()["holdfast_principal_objects"] == 2, "the principal knows them")
    return principal, lambda name=SITE, **options: peers(AgentPeer(api, principal.port, net.pki, name, **options))


def files(principal):
    """Everything below the source, with its content."""
    return {str(p.relative_to(principal.source)): p.read_text()
            for p in principal.source.rglob("*") if p.is_file() and not p.name.startswith(".")}


def fingerprint(certificate):
    return hashlib.sha256(x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)).hexdigest()


def code_of(action):
    with pytest.raises(grpc.RpcError) as failed:
        action()
    return failed.value.code()


def token(pki, lifetime_s=300, alg="RS512", key=None, aud="access", iss="argocd-agent-server", **subject):
    now = int(time.time())
    claims = {"iss": iss, "aud": [f"argocd-agent-server-{aud}"], "iat": now - 600, "nbf": now - 600,
              "exp": now + lifetime_s, "jti": "j", "sub": json.dumps({"clientID": SITE, "mode": "managed", **subject})}
    return jwt.encode(claims, key if key is not None else (pki / "jwt.key").read_text(), alg)


# ---- who comes in ----------------------------------------------------------------------------------------------------


def test_without_a_certificate_there_is_no_connection(hub, net, api, peers):
    principal, _ = hub
    assert code_of(peers(AgentPeer(api, principal.port, net.pki)).authenticate) == grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_authority_is_no_certificate(hub, net, api, peers):
    principal, _ = hub
    foreign = net.directory / "foreign"
    run("pki", "init", "--dir", foreign, "--jwt-bits", "2048")
    run("pki", "issue", "--dir", foreign, "--agent", SITE)
    shutil.copy(net.pki / "ca.crt", foreign / "ca.crt")  # it believes the principal; the principal does not believe it
    for _ in range(2):
        assert code_of(peers(AgentPeer(api, principal.port, foreign, SITE)).authenticate) == grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: principal.metrics()['holdfast_rpc_connections_ended_total{side="server",reason="tls"}'] >= 2, "both have failed")
    said = wait_until(lambda: principal.log("a TLS handshake failed"), "it is said")
    assert [(line["level"], line["address"], line["not_logged"]) for line in said] == [("warn", "127.0.0.1", 0)], "once a minute"
    assert "certificate" in said[0]["error"]


def test_a_login_says_what_is_wrong_and_gives_nothing(hub):
    _, make = hub
    peer = make()
    cases = [({"method": "userpass", "credentials": {"clientid": SITE, "clientsecret": "x"}}, REFUSED),
             ({"method": "nonsense"}, REFUSED), ({"method": ""}, REFUSED),
             ({"version": ""}, grpc.StatusCode.INVALID_ARGUMENT),
             ({"version": "0.1.1"}, grpc.StatusCode.FAILED_PRECONDITION)]
    for words, code in cases:
        assert code_of(lambda w=words: peer.authenticate(**w)) == code, words
    assert code_of(lambda: peer.authenticate(mode="emperor")) in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INVALID_ARGUMENT)
    assert peer.token is None


def test_forged_and_stolen_tokens_open_no_stream(hub, net):
    principal, make = hub
    peer = make()
    good = peer.authenticate().accessToken
    head, body, signature = good.split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    forged_body = base64.urlsafe_b64encode(json.dumps(
        {**jwt.decode(good, options={"verify_signature": False}),
         "sub": json.dumps({"clientID": OTHER, "mode": "managed"})}).encode()).rstrip(b"=").decode()
    none_head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    public = load_pem_private_key((net.pki / "jwt.key").read_bytes(), None).public_key()
    modulus = public.public_numbers().n.to_bytes(256, "big")
    bad = {
        "none at all": "", "no token": "x", "two parts": f"{head}.{body}", "a broken signature": f"{head}.{body}.{flipped}",
        "another subject under this signature": f"{head}.{forged_body}.{signature}",
        "alg none": f"{none_head}.{body}.", "alg none with a signature": f"{none_head}.{body}.{signature}",
        "signed with the public key as a secret": token(net.pki, alg="HS512", key=modulus),
        "RS256": token(net.pki, alg="RS256"), "expired": token(net.pki, lifetime_s=-300),
        "a refresh token": peer.refresh, "for the resource proxy": token(net.pki, aud="resource-proxy"),
        "of another issuer": token(net.pki, iss="somebody"), "of another agent": token(net.pki, clientID=OTHER),
        "for no agent": token(net.pki, clientID=""), "for the principal": token(net.pki, clientID="argocd"),
        "for a path": token(net.pki, clientID="../x"), "without a mode": token(net.pki, mode=""),
        "with a scheme": f"Bearer {good}"}
    for what, text in bad.items():
        assert peer.subscribe(token=text).wait_end()[0] == REFUSED, what
    assert not principal.agent(SITE)["connected"] and principal.agent("argocd") is None
    assert peer.subscribe(token=token(net.pki)).events is not None  # the same, made well, is one
    wait_until(lambda: principal.agent(SITE)["connected"], "a good token opens a stream")


def test_a_refresh_needs_a_refresh_token_of_the_same_agent(hub, net):
    _, make = hub
    peer, thief = make(), make(OTHER)
    mine = peer.authenticate()
    thief.authenticate()
    for text in ("", "x", mine.accessToken, token(net.pki, aud="refresh", lifetime_s=-300), token(net.pki, aud="refresh", alg="RS256")):
        assert code_of(lambda t=text: peer.refresh_token(t)) == REFUSED
    assert code_of(lambda: thief.refresh_token(mine.refreshToken)) == REFUSED
    assert code_of(lambda: thief.authenticate(method="mtls", credentials={"clientid": SITE}, version="x")) != grpc.StatusCode.OK
    renewed = peer.refresh_token(mine.refreshToken)
    assert renewed.accessToken and not renewed.refreshToken, "one that is good for long is not replaced"
    renewed = peer.refresh_token(token(net.pki, aud="refresh", lifetime_s=300))
    assert renewed.accessToken and peer.refresh_token(renewed.refreshToken).accessToken, "one that is not is"


def test_a_token_of_one_agent_is_worth_nothing_with_the_certificate_of_another(hub):
    principal, make = hub
    victim, thief = make(), make(OTHER)
    stolen = victim.authenticate().accessToken
    assert thief.subscribe(token=stolen).wait_end()[0] == REFUSED
    assert not principal.agent(SITE)["connected"]


def test_a_blocked_certificate_is_out_at_once(net, api, peers):
    blocklist = net.directory / "blocklist"
    blocklist.write_text("")
    principal = net.principal("--tls-blocklist", blocklist)
    peer = peers(AgentPeer(api, principal.port, net.pki, SITE))
    stream = peer.open()
    wait_until(lambda: principal.agent(SITE)["connected"], "it is connected")
    blocklist.write_text(fingerprint(net.pki / f"{SITE}.crt").upper() + "\n")
    principal.process.send(signal.SIGHUP)
    assert stream.wait_end()[0] == REFUSED
    assert code_of(peer.authenticate) == REFUSED
    assert peer.subscribe().wait_end()[0] == REFUSED
    assert code_of(lambda: peer.refresh_token(peer.refresh)) == REFUSED
    assert [line["certificates"] for line in principal.log("certificates are blocked")] == [0, 1]


def test_a_new_token_key_is_taken_over_by_a_reload_and_tokens_by_the_old_one_still_count(net, api, peers):
    net.pki = shutil.copytree(net.pki, net.directory / "own-pki")
    principal = net.principal()
    peer = peers(AgentPeer(api, principal.port, net.pki, SITE))
    peer.authenticate()
    run("pki", "init", "--dir", net.directory / "next-pki", "--jwt-bits", "2048")
    shutil.copy(net.directory / "next-pki/jwt.key", net.pki / "jwt.key")
    assert peer.subscribe(token=token(net.pki)).wait_end()[0] == REFUSED
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: principal.log("reloaded"), "it is reloaded")
    older = peer.subscribe()
    wait_until(lambda: principal.agent(SITE)["connected"], "the token of before opens a stream")
    peer.subscribe(token=token(net.pki))
    assert older.wait_end()[0] == grpc.StatusCode.UNAVAILABLE, "the stream of the new token takes its place"


@pytest.mark.parametrize("mode", ["managed", "autonomous"])
def test_a_blocked_agent_stays_out_until_it_is_off_the_list(net, mode):
    """Facts 8.4, 26 to 28: a restart of the principal lets nobody in again."""
    blocklist = net.directory / "blocklist"
    blocklist.write_text("")
    principal = net.principal("--tls-blocklist", blocklist)
    agent = net.agent(SITE, principal, mode=mode).wait_connected()
    blocklist.write_text(fingerprint(net.pki / f"{SITE}.crt") + "\n")
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: not agent.connected() and not principal.agent(SITE)["connected"], "it is out")
    principal.stop()
    refused = agent.metrics()["argocd_agent_auth_failures_total"]
    principal.start().ready()
    wait_until(lambda: agent.metrics()["argocd_agent_auth_failures_total"] > refused, "it is refused again", 60)
    assert not principal.agent(SITE)["connected"]
    blocklist.write_text("")
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: agent.connected() and principal.agent(SITE)["connected"], "it is back", 90)


# ---- what it may do --------------------------------------------------------------------------------------------------


def status_update(api, uid, name="guestbook", namespace="argocd"):
    copy = application("evil", name=name, namespace=namespace, uid="1", resourceVersion="1", annotations={UID: uid})
    copy["status"] = {"health": {"status": "Forged"}}
    return api.about("status-update", copy)


def test_events_about_what_is_not_its_own_change_nothing(hub):
    principal, make = hub
    other = make(OTHER)
    victims = data_of(other.open().wait(lambda e: verb_of(e) == "create", "the victim's application"))
    other.close()
    stream = make().open()
    own = data_of(stream.wait(lambda e: verb_of(e) == "create", "its own application"))
    api = stream.api
    before = files(principal)
    evil = application("evil", name="guestbook", namespace=OTHER, uid=victims["metadata"]["uid"], resourceVersion="9")
    attempts = [status_update(api, victims["metadata"]["uid"], namespace=OTHER),
                status_update(api, victims["metadata"]["uid"]),
                status_update(api, own["metadata"]["uid"], name="../../site-2/Application/guestbook"),
                status_update(api, own["metadata"]["uid"], name="nothing-like-it")]
    attempts += [api.about(verb, evil) for verb in ("create", "spec-update", "delete", "set-operation", "terminate-operation")]
    attempts += [api.about(verb, {"metadata": {"name": n, "namespace": ns, "uid": "u", "resourceVersion": "1"}, "spec": {}}, target)
                 for verb in ("create", "spec-update", "delete") for target in ("appproject", "repository", "gpgkey", "applicationset")
                 for n, ns in (("default", "argocd"), ("../x", ".."), ("guestbook", OTHER))]
    attempts += [api.event("request-update", "resourceResync", {"name": "guestbook", "namespace": OTHER, "kind": "Application",
                                                                "uid": victims["metadata"]["uid"], "checksum": None},
                           resourceid="q1", eventid="q1")]
    for n, event in enumerate(attempts):
        # Two attempts with the same ids would be one.
        event.event.attributes["resourceid"].ce_string += f"-{n}"
        event.event.attributes["eventid"].ce_string += f"-{n}"
        stream.send(event)
        stream.wait_ack(event)
    assert files(principal) == before
    leaked = [e for e in stream.events if OTHER in e.event.binary_data.decode()]
    assert not leaked


def test_a_delete_of_its_own_application_does_not_remove_the_truth(hub):
    principal, make = hub
    stream = make().open()
    own = data_of(stream.wait(lambda e: verb_of(e) == "create", "its own application"))
    event = stream.api.about("delete", own)
    stream.send(event)
    stream.wait_ack(event)
    assert principal.tree(SITE).get("guestbook")


def test_an_agent_in_the_other_mode_gets_no_rights_over_the_truth(hub):
    """An autonomous agent owns what it reports; what the principal's people wrote into its namespace is not reported by it."""
    principal, make = hub
    peer = make(mode="autonomous")
    peer.authenticate()
    stream = peer.subscribe()
    before = files(principal)[f"{OTHER}/Application/guestbook.yaml"]
    evil = application("evil", name="guestbook", namespace=OTHER, uid="9", resourceVersion="9")
    event = stream.api.about("create", evil)
    stream.send(event)
    stream.wait_ack(event)
    assert files(principal)[f"{OTHER}/Application/guestbook.yaml"] == before


def test_an_autonomous_agent_reaches_nothing_of_another(net, api, peers):
    """Whatever it says about the other's namespace, ids or projects lands in its own, or nowhere."""
    principal = net.principal()
    victim = net.agent(OTHER, principal, mode="autonomous").wait_connected()
    victim.tree.put("guestbook", application("r1", name="guestbook"))
    victim.tree.put("shop", {"metadata": {}, "spec": {"description": "r1"}}, "AppProject")
    own = Tree(principal.source, "argocd")
    wait_until(lambda: principal.tree(OTHER).get("guestbook") and own.get(f"{OTHER}-shop", "AppProject"), "both are there")
    before = files(principal)
    uid = principal.tree(OTHER).get("guestbook")["metadata"]["annotations"][UID]

    thief = peers(AgentPeer(api, principal.port, net.pki, SITE, mode="autonomous"))
    thief.authenticate()
    stream = thief.subscribe()
    attempts = [api.about(verb, application("evil", name=name, namespace=namespace, uid=uid, resourceVersion="9", annotations={UID: uid}))
                for verb in ("create", "spec-update", "status-update", "set-operation", "terminate-operation", "delete")
                for name, namespace in (("guestbook", OTHER), (f"../{OTHER}/guestbook", "argocd"), ("x", f"../{OTHER}"))]
    attempts += [api.about(verb, {"metadata": {"name": name, "namespace": "argocd", "uid": "u", "resourceVersion": "9"},
                                  "spec": {"description": "evil"}}, "appproject")
                 for verb in ("create", "spec-update", "delete") for name in (f"{OTHER}-shop", f"../{OTHER}-shop")]
    for n, event in enumerate(attempts):
        event.event.attributes["resourceid"].ce_string += f"-{n}"
        event.event.attributes["eventid"].ce_string += f"-{n}"
        stream.send(event)
        stream.wait_ack(event)
    after = files(principal)
    assert {path: text for path, text in after.items() if path in before} == before
    assert all(path.startswith((f"{SITE}/", f"argocd/AppProject/{SITE}-")) for path in after.keys() - before.keys())
    assert not [e for e in stream.events if OTHER in e.event.binary_data.decode()]


def test_a_name_that_continues_anothers_takes_no_project_of_it(net):
    """Project 1-shop of the agent site would be called as the project shop of the agent site-1."""
    users = net.directory / "users"
    for name in ("site", SITE):
        add_user(users, name, "right")
        (net.directory / f"{name}.creds").write_text(f"{name}:right\n")
    principal = net.principal(auth=f"userpass:{users}")
    own = Tree(principal.source, "argocd")
    victim, thief = (net.agent(name, principal, mode="autonomous", creds=f"userpass:{net.directory / name}.creds").wait_connected()
                     for name in (SITE, "site"))
    victim.tree.put("shop", {"metadata": {}, "spec": {"description": "r1"}}, "AppProject")
    wait_until(lambda: own.get(f"{SITE}-shop", "AppProject"), "the victim's project is there")
    thief.tree.put("1-shop", {"metadata": {}, "spec": {"description": "evil"}}, "AppProject")
    thief.tree.put("after", {"metadata": {}, "spec": {"description": "r1"}}, "AppProject")
    wait_until(lambda: own.get("site-after", "AppProject"), "what came later is there")
    assert own.get(f"{SITE}-shop", "AppProject")["spec"]["description"] == "r1"
    thief.tree.remove("1-shop", "AppProject")
    thief.tree.remove("after", "AppProject")
    wait_until(lambda: not own.get("site-after", "AppProject"), "what came later is gone")
    assert own.get(f"{SITE}-shop", "AppProject")["spec"]["description"] == "r1"


def test_a_newer_stream_of_an_agent_ends_its_older_one(hub):
    principal, make = hub
    older = make().open(acks=False)
    older.wait(lambda e: verb_of(e) == "create", "its application")
    newer = make().open()
    assert older.wait_end()[0] == grpc.StatusCode.UNAVAILABLE
    newer.wait(lambda e: verb_of(e) == "create", "what was not confirmed comes again")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "it is confirmed")
    assert principal.metrics()["argocd_principal_connected_agents"] == 1


def test_answers_for_events_that_were_never_sent_confirm_nothing(hub):
    principal, make = hub
    stream = make().open(acks=False)
    created = stream.wait(lambda e: verb_of(e) == "create", "its application")
    api = stream.api
    lie = api.ack(created)
    lie.event.attributes["eventid"].ce_string += "0"
    stream.send(lie)
    stream.send(api.event("processed", "eventProcessed", resourceid="x", eventid="y"))
    stream.send(api.event("processed", "eventProcessed"))
    stream.send(api.event("ping", "heartbeat", resourceid="h", eventid="h"))
    wait_until(lambda: [e for e in stream.events if verb_of(e) == "processed"], "the lies have arrived")
    assert principal.agent(SITE)["behind"] == 1
    stream.send(api.ack(created))
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "the true one counts")


def test_a_peer_that_claims_our_dialect_with_absurd_windows_is_served(hub):
    principal, make = hub
    peer = make()
    peer.authenticate()
    for window in ("0,0", "-1,5", "99999999999999999999,1", "x", "4294967295,18446744073709551615"):
        stream = peer.subscribe(metadata=(("holdfast-dialect", "77"), ("holdfast-window", window)), acks=False)
        stream.wait(lambda e: verb_of(e) == "create", f"its application, with the window {window}")
        stream.waiting.put(None)
        stream.wait_end()


def test_passwords_are_checked_and_never_logged(net, api, peers):
    users = net.directory / "users"
    add_user(users, SITE, "right")
    principal = net.principal(auth=f"userpass:{users}")
    peer = peers(AgentPeer(api, principal.port, net.pki))
    for credentials in ({}, {"clientid": SITE}, {"clientid": SITE, "clientsecret": ""}, {"clientid": SITE, "clientsecret": "wrong-one"},
                        {"clientid": OTHER, "clientsecret": "right"}, {"clientid": "", "clientsecret": "right"},
                        {"clientid": SITE, "clientsecret": "r" * 5000}, {"clientid": "../x", "clientsecret": "right"}):
        assert code_of(lambda c=credentials: peer.authenticate("userpass", c)) == REFUSED, credentials
    assert peer.authenticate("userpass", {"clientid": SITE, "clientsecret": "right"}).accessToken
    log = principal.log_text()
    assert "right" not in log.replace("copyright", "") and "wrong-one" not in log and peer.token not in log


def test_no_agent_is_called_as_the_principals_own_namespace(net, api, peers):
    """What lies there is the principal's own; the agent of that name would get all of it."""
    users = net.directory / "users"
    add_user(users, "argocd", "right")
    add_user(users, SITE, "right")
    principal = net.principal(auth=f"userpass:{users}")
    peer = peers(AgentPeer(api, principal.port, net.pki))
    assert code_of(lambda: peer.authenticate("userpass", {"clientid": "argocd", "clientsecret": "right"})) == REFUSED
    assert peer.authenticate("userpass", {"clientid": SITE, "clientsecret": "right"}).accessToken
    assert "the principal's own namespace" in principal.log("a login was refused")[0]["error"]
    assert principal.agent("argocd") is None


def test_a_password_needs_the_certificate_of_its_user_when_that_is_asked_for(net, api, peers):
    users = net.directory / "users"
    for name in (SITE, OTHER):
        add_user(users, name, "right")
    principal = net.principal("--require-client-certs", "--client-cert-subject-match", auth=f"userpass:{users}")
    peer = peers(AgentPeer(api, principal.port, net.pki, SITE))
    assert code_of(lambda: peer.authenticate("userpass", {"clientid": OTHER, "clientsecret": "right"})) == REFUSED
    assert peer.authenticate("userpass", {"clientid": SITE, "clientsecret": "right"}).accessToken


@pytest.mark.parametrize("words,fix", [
    ((), "--server-address"),
    (("--server-address", "h"), "--creds"),
    (("--server-address", "h", "--creds", "mtls:any"), "--tls-client-cert"),
    (("--server-address", "h", "--creds", "mtls:any", "--insecure-plaintext"), "drop --insecure-plaintext"),
    (("--server-address", "h", "--creds", "basic:x"), "userpass:FILE"),
    (("--server-address", "h", "--creds", "userpass:/x"), "--backend"),
    (("--server-address", "h", "--creds", "userpass:/x", "--insecure-tls", "--root-ca-path", "/x"), "--insecure-tls"),
    (("--agent-mode", "both"), "autonomous|managed"),
    (("--enable-websocket",), "HTTP/2"),
    (("--server-address", "h", "--creds", "userpass:/x", "--backend", "directory:/x", "--kubeconfig", "/x"), "--backend kubernetes"),
    (("--heartbeat-interval", "5 parsecs"), "duration"), (("--server-port", "70000"), "65535"),
])
def test_an_agent_that_is_told_nonsense_does_not_start(words, fix):
    out = run("agent", *words, check=False)
    assert out.returncode == 2 and fix in out.stdout


@pytest.mark.parametrize("words,fix", [
    ((), "--auth"),
    (("--auth", "mtls:subject:CN=(.*)"), "--jwt-key"),
    (("--auth", "mtls:subject:CN=.*"), "no group"),
    (("--auth", "mtls:subject:CN=(.*)", "--jwt-key", "k"), "--tls-cert"),
    (("--auth", "mtls:subject:CN=(.*)", "--jwt-key", "k", "--tls-cert", "c", "--tls-key", "k"), "--root-ca-path"),
    (("--auth", "mtls:subject:CN=(.*)", "--jwt-key", "k", "--insecure-plaintext"), "--auth mtls needs TLS"),
    (("--auth", "header:x-id:(.*)", "--jwt-key", "k", "--tls-cert", "c", "--tls-key", "k"), "--insecure-plaintext"),
    (("--auth", "userpass:/x", "--jwt-key", "k", "--insecure-jwt-generate"), "give one of"),
    (("--auth", "userpass:/x", "--jwt-key", "k", "--tls-cert", "c", "--tls-key", "k", "--client-cert-subject-match"),
     "--require-client-certs"),
    (("--auth", "userpass:/x", "--jwt-key", "k", "--tls-cert", "c", "--tls-key", "k"), "--backend"),
    (("--auth", "userpass:/x", "--jwt-key", "k", "--tls-cert", "c", "--tls-key", "k", "--backend", "x",
      "--tls-min-version", "tls1.1"), "tls1.2 and tls1.3"),
    (("--auth", "userpass:/x", "--jwt-key", "k", "--tls-cert", "c", "--tls-key", "k", "--backend", "x",
      "--tls-max-version", "tls1.2"), "raise one"),
    (("--ha-enabled",), "no second principal"), (("--insecure-tls-generate",), "holdfast pki"),
    (("--guard-share", "101"), "within 0 and 100"), (("--resync-interval", "1ms"), "within 1s and"),
])
def test_a_principal_that_is_told_nonsense_does_not_start(words, fix):
    out = run("principal", *words, check=False)
    assert out.returncode == 2 and fix in out.stdout


def test_what_only_the_start_can_find_out_is_said_with_its_option(net):
    for options, words in (
            (("--tls-cert", "/nowhere", "--tls-key", net.pki / "localhost.key"), "--tls-cert"),
            (("--tls-cert", net.pki / "localhost.crt", "--tls-key", net.pki / "site-1.key"), "--tls-key"),
            (("--tls-ciphersuites", "TLS_NULL"), "--tls-ciphersuites"),
            (("--backend", "etcd:x"), "no backend"), (("--allowed-namespaces", "/(/"), "--allowed-namespaces"),
            (("--label-selector", "a in (b"), "--label-selector"), (("--accept-version", "/(/"), "--accept-version"),
            (("--jwt-key", net.pki / "site-1.key"), "--jwt-key"), (("--tls-blocklist", "/nowhere"), "--tls-blocklist")):
        principal = net.principal(*options, start=False, name=f"bad{len(net.processes)}").start()
        assert principal.process.wait() == 1, options
        assert words in principal.log_text(), (options, principal.log_text())


def test_a_header_that_comes_twice_names_nobody(net, api):
    principal = net.principal("--insecure-plaintext", "--insecure-jwt-generate", "--version-string", "1", "--auth", "header:X-Agent:^(site-[0-9])$",
                              auth="")
    call = grpc.insecure_channel(f"127.0.0.1:{principal.port}").unary_unary(
        "/authapi.Authentication/Authenticate", lambda m: m.SerializeToString(), api.AuthResponse.FromString)

    def authenticate(*names):
        return call(api.AuthRequest(method="header", mode="managed", version="1"), metadata=[("x-agent", name) for name in names])

    assert authenticate("site-1").accessToken
    for names in (("site-1", "site-2"), ("site-1", "site-1"), ("site-x",), ()):
        with pytest.raises(grpc.RpcError) as failed:
            authenticate(*names)
        assert failed.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert principal.log("a login was refused")[0]["error"] == "the header 'x-agent' was sent more than once"
