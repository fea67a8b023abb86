"""A principal and strangers: what they send costs it little, and agents do not notice."""

import gzip
import os
import socket
import ssl
import threading

import grpc
import pytest
from agentpeer import AgentPeer, api, data_of, verb_of  # noqa: F401
from conftest import wait_until
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from rawh2 import DATA, HEADERS, PING, Raw, frame, head_of, message
from synced import UID, application, net, run, sync_pki  # noqa: F401  (fixtures)

SITE = "site-1"
AUTHENTICATE, PUSH = "/authapi.Authentication/Authenticate", "/eventstreamapi.EventStream/Push"
REFUSED = grpc.StatusCode.UNAUTHENTICATED


def with_passwords(net, *users, cost=4, **options):
    """A principal that lets users in, and asks nobody for a certificate."""
    file = net.directory / "users"
    for name in users:
        run("pki", "user", name, "--file", file, "--cost", cost, input="right\n")
    return net.principal(auth=f"userpass:{file}", **options)


def login(peer, password="right", name=SITE):
    return peer.authenticate("userpass", {"clientid": name, "clientsecret": password})


def tls(net):
    context = ssl.create_default_context(cafile=str(net.pki / "ca.crt"))
    context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.parametrize("packed", [False, True])
def test_a_login_that_would_be_gigabytes_once_it_is_read_is_refused_unread(net, api, packed):
    """An empty entry of a map is two bytes on the wire, a thousandth of that when it is packed, and over a hundred in memory."""
    principal = with_passwords(net, SITE)
    before = principal.process.memory_kib("VmHWM")
    raw = Raw(principal, tls=tls(net))
    entries = b"\x12\0" * (1 << 20)
    body = message(gzip.compress(entries) if packed else entries, packed)
    head = head_of(AUTHENTICATE) + (b"\0\x0dgrpc-encoding\x04gzip" if packed else b"")
    raw.say(frame(HEADERS, 4, 1, head) + b"".join(frame(DATA, 0, 1, body[i:i + 16384]) for i in range(0, min(len(body), 32768), 16384)))
    raw.until(lambda kind, flags, *_: kind == HEADERS and flags & 1)
    assert principal.process.memory_kib("VmHWM") - before < 8 << 10
    assert login(AgentPeer(api, principal.port, net.pki)).accessToken


def test_who_tries_passwords_waits_behind_itself(net, api):
    """A correct login from another address is answered while hundreds of wrong ones wait."""
    principal = with_passwords(net, SITE, cost=12)
    wrong = message(api.AuthRequest(method="userpass", credentials={"clientid": SITE, "clientsecret": "wrong"}, mode="managed",
                                    version="0.1.0").SerializeToString())
    crowd = [Raw(principal, tls=tls(net), address="127.0.0.2") for _ in range(5)]
    for raw in crowd:
        raw.say(b"".join(frame(HEADERS, 4, s, head_of(AUTHENTICATE)) + frame(DATA, 1, s, wrong) for s in range(1, 200, 2)))
        raw.say(frame(PING, 0, 0, b"the last"))
        raw.until(lambda kind, flags, *_: kind == PING and flags & 1)
    assert login(AgentPeer(api, principal.port, net.pki)).accessToken
    refused = principal.metrics()["holdfast_principal_logins_refused_total"]
    assert refused < 400, "it did not wait for all of them"
    for raw in crowd:
        raw.sock.close()
    assert principal.process.stop(limit_s=45) == 0, "who goes away waits no more, and nobody waits for those: all would take a minute"


def test_a_stop_does_not_wait_for_passwords_that_wait_for_their_check(net, api):
    """They would take half a minute, and hold it until they are cut off."""
    principal = with_passwords(net, SITE, cost=13)
    peer = AgentPeer(api, principal.port, net.pki)
    wrong = api.AuthRequest(method="userpass", credentials={"clientid": SITE, "clientsecret": "wrong"}, mode="managed", version="0.1.0")
    ask = peer.channel.unary_unary(AUTHENTICATE, request_serializer=lambda m: m.SerializeToString(),
                                   response_deserializer=api.AuthResponse.FromString)
    logins = [ask.future(wrong, timeout=90) for _ in range(90)]
    peer.ask_version()  # behind them on the same connection
    principal.stop()
    later = [one for one in logins if one.details() == "not able to check this now, try again later"]
    assert len(later) > 60 and {one.code() for one in later} == {grpc.StatusCode.UNAVAILABLE}


def test_a_crowd_of_connections_takes_neither_files_nor_places_from_agents(net, api):
    principal = with_passwords(net, SITE, start=False)
    principal.process.command = ["prlimit", "--nofile=100:300", *principal.process.command]
    tree = principal.tree(SITE)
    tree.put("guestbook", application("r1", name="guestbook"))
    principal.start().ready()
    peer = AgentPeer(api, principal.port, net.pki)
    login(peer)
    stream = peer.subscribe()
    stream.wait(lambda e: verb_of(e) == "create", "its application")
    crowd = [socket.create_connection(("127.0.0.1", principal.port), 60) for _ in range(400)]
    late = AgentPeer(api, principal.port, net.pki)
    assert login(late).accessToken
    tree.put("guestbook", application("r2", name="guestbook"))
    stream.wait(lambda e: verb_of(e) == "spec-update" and data_of(e)["spec"]["source"]["targetRevision"] == "r2", "the change")
    assert len(os.listdir(f"/proc/{principal.process.pid}/fd")) < 300
    assert principal.metrics()['holdfast_rpc_connections_ended_total{side="server",reason="connections"}'] > 0
    for raw in crowd:
        raw.close()


@pytest.mark.parametrize("how", ["login", "stream"])
def test_a_login_and_a_stream_each_keep_their_connection_its_place(net, api, how):
    """An agent may log in over one connection and open its stream over another."""
    principal = with_passwords(net, SITE, start=False)
    principal.process.command = ["prlimit", "--nofile=100:300", *principal.process.command]
    principal.start().ready()
    peer = AgentPeer(api, principal.port, net.pki)
    token = login(peer).accessToken
    if how == "stream":
        peer.close()
        peer = AgentPeer(api, principal.port, net.pki)
        stream = peer.subscribe(token=token)
        principal.wait_connected(SITE)
    states = []
    peer.channel.subscribe(states.append)
    crowd = [socket.create_connection(("127.0.0.1", principal.port), 60) for _ in range(400)]
    ended = 'holdfast_rpc_connections_ended_total{side="server",reason="connections"}'
    wait_until(lambda: principal.metrics().get(ended, 0) > 100, "strangers have given way")
    assert how == "login" or stream.call.is_active()
    assert login(peer).accessToken
    assert set(states) == {grpc.ChannelConnectivity.READY}, "it is the connection that was there before"
    for raw in crowd:
        raw.close()


def test_a_crowd_that_has_gone_leaves_no_memory_behind(net):
    principal = with_passwords(net, SITE)
    before = principal.process.memory_kib()
    calls = b"".join(frame(HEADERS, 4, stream, head_of(AUTHENTICATE)) for stream in range(1, 200, 2))
    crowd = []
    for _ in range(200):
        crowd.append(Raw(principal, tls=tls(net)))
        crowd[-1].say(calls + frame(PING, 0, 0, b"the last"))
        crowd[-1].until(lambda kind, flags, *_: kind == PING and flags & 1)
    held = principal.process.memory_kib() - before
    for raw in crowd:
        raw.sock.close()
    if "san/" not in principal.process.command[0]:  # sanitizers have memory of their own
        assert held > 32 << 10
        wait_until(lambda: principal.process.memory_kib() - before < 16 << 10, "the system has it back")


class Proxied(AgentPeer):
    """An agent behind a proxy that says who it is."""

    def __init__(self, api, port, name):
        self.api, self.version, self.mode, self.name = api, "0.1.0", "managed", name
        self.channel = grpc.insecure_channel(f"localhost:{port}")
        self.token = self.refresh = None

    def unary(self, *words, **options):
        return super().unary(*words, metadata=(("x-agent", self.name),), **options)


def test_an_agent_that_comes_again_and_again_does_not_fill_the_log(net, api):
    """Or two that share a name: each newer stream ends the older one."""
    principal = net.principal()
    peer = AgentPeer(api, principal.port, net.pki, SITE)
    peer.authenticate()
    for _ in range(100):
        peer.subscribe()
    wait_until(lambda: principal.metrics()["argocd_principal_agent_connections_total"] >= 100, "all have come")
    came, went = principal.log("an agent is connected"), principal.log("an agent is disconnected")
    assert came[0]["address"] == "127.0.0.1" and went[0]["reason"] == "a newer stream of this agent is there"
    assert len(came) + len(went) < 120


def test_a_token_is_worth_nothing_with_the_header_of_another_agent(net, api):
    principal = net.principal("--insecure-plaintext", "--insecure-jwt-generate", "--auth", "header:x-agent:^(.*)$", auth="")
    victim = Proxied(api, principal.port, SITE)
    stolen = victim.authenticate("header").accessToken
    assert victim.subscribe(token=stolen, metadata=(("x-agent", "site-2"),)).wait_end()[0] == REFUSED
    assert not principal.agent(SITE)["connected"]
    victim.subscribe(token=stolen, metadata=(("x-agent", SITE),))
    principal.wait_connected(SITE)


def test_a_push_ends_with_the_right_to_it(net, api):
    """Its certificate is blocked, the agent's new one is not: the stream goes on, the push does not."""
    blocklist = net.directory / "blocklist"
    blocklist.write_text("")
    run("pki", "issue", "--dir", net.pki, "--agent", "site-9")
    old = x509.load_pem_x509_certificate((net.pki / "site-9.crt").read_bytes()).fingerprint(hashes.SHA256()).hex()
    principal = net.principal("--tls-blocklist", blocklist)
    stale = AgentPeer(api, principal.port, net.pki, "site-9")
    stale.authenticate()
    (net.pki / "site-9.crt").unlink()
    (net.pki / "site-9.key").unlink()
    run("pki", "issue", "--dir", net.pki, "--agent", "site-9")
    fresh = AgentPeer(api, principal.port, net.pki, "site-9")
    fresh.open()
    principal.wait_connected("site-9")

    def events():
        yield b""
        over.wait()

    over = threading.Event()
    push = stale.channel.stream_unary(PUSH)
    call = push.future(events(), metadata=(("authorization", stale.token),))
    pushes = 'grpc_server_started_total{grpc_type="client_stream",grpc_service="eventstreamapi.EventStream",grpc_method="Push"}'
    wait_until(lambda: principal.metrics().get(pushes) == 1, "it pushes")
    blocklist.write_text(old + "\n")
    principal.process.send(1)
    assert call.code() == REFUSED
    over.set()
    assert principal.agent("site-9")["connected"]


def test_a_name_ends_where_its_string_ends(net, api):
    """Not at a NUL within it, where a C string ends."""
    principal = with_passwords(net, SITE)
    peer = AgentPeer(api, principal.port, net.pki)
    for name, password in ((SITE + "\0x", "right"), (SITE, "right\0x")):
        with pytest.raises(grpc.RpcError) as refused:
            login(peer, password, name)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert login(peer).accessToken


def test_objects_of_very_many_values_are_refused_and_hold_up_no_other_agent(net, api):
    """A list of a million zeros is two megabytes on the wire; what is made of it took seconds."""
    principal = net.principal()
    trees = {name: principal.tree(name) for name in (SITE, "site-2")}
    for name, tree in trees.items():
        tree.put(name, application("r1", name=name))
    good, bad = (AgentPeer(api, principal.port, net.pki, name).open() for name in trees)
    good.wait(lambda e: verb_of(e) == "create", "its application")
    uid = data_of(bad.wait(lambda e: verb_of(e) == "create", "its application"))["metadata"]["uid"]

    def report(version, values):
        copy = application("r1", name="site-2", namespace="argocd", uid="here", resourceVersion=str(version), annotations={UID: uid})
        event = api.about("status-update", {**copy, "status": {"resources": [0] * values}})
        bad.send(event)
        return event

    bad.wait_ack(report(1, 99000))
    stored = trees["site-2"].path("site-2.status")
    size = stored.stat().st_size
    assert size > 99000
    last = [report(version, 99000 if version % 5 == 0 else 1000000) for version in range(2, 22)][-1]
    trees[SITE].put(SITE, application("r2", name=SITE))
    good.wait(lambda e: verb_of(e) == "spec-update" and data_of(e)["spec"]["source"]["targetRevision"] == "r2", "the change", limit_s=30)
    bad.wait_ack(last)
    assert "more than 100000 values" in principal.log_text()
    assert abs(stored.stat().st_size - size) < 100
