"""Peers that behave as argocd-agent does where it differs from ours, seen in experiments with its own programs (docs/reference/wire.md)."""

import base64
import json
import queue
import socket
import struct
import threading
import time
from concurrent import futures

import grpc
import pytest
from agentpeer import api  # noqa: F401
from conftest import wait_until
from rawh2 import GOAWAY, HEADERS, RawServer, frame
from synced import application, net, sync_pki  # noqa: F401  (fixtures)

PREFIX = "io.argoproj.argocd-agent.event."


def token(audience, agent, mode, lasts_s=3600, ahead_s=None):
    """A JWT that only its issuer could verify; its clock is so much ahead of ours (None: it does not say when it was issued)."""
    def part(what):
        return base64.urlsafe_b64encode(json.dumps(what).encode()).rstrip(b"=").decode()
    now = int(time.time()) + (ahead_s or 0)
    claims = {"iss": "argocd-agent-server", "aud": [f"argocd-agent-server-{audience}"], "jti": "1", "nbf": 0,
              "iat": 0 if ahead_s is None else now, "sub": json.dumps({"clientID": agent, "mode": mode}), "exp": now + lasts_s}
    return ".".join((part({"alg": "RS512", "typ": "JWT"}), part(claims), "c2lnbmVk"))


class Upstream:
    """A principal that says nothing on a stream, not even headers, until it has an event for the agent."""

    def __init__(self, api, port, agent, mode, token_s=3600, message_max=-1, ahead_s=None, options=()):
        self.ahead_s = ahead_s
        self.sick, self.logins = 0, []
        self.api, self.agent, self.mode, self.token_s, self.refreshed = api, agent, mode, token_s, 0
        self.heard, self.to_say, self.metadata = queue.Queue(), queue.Queue(), {}
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=[
            ("grpc.max_receive_message_length", message_max), *options])
        self.server.add_generic_rpc_handlers((self._service("authapi.Authentication", {
            "Authenticate": grpc.unary_unary_rpc_method_handler(
                self._authenticate, api.AuthRequest.FromString, api.AuthResponse.SerializeToString),
            "RefreshToken": grpc.unary_unary_rpc_method_handler(
                self._refresh, api.RefreshTokenRequest.FromString, api.AuthResponse.SerializeToString)}),
            self._service("versionapi.Version", {"Version": grpc.unary_unary_rpc_method_handler(
                self._version, api.VersionRequest.FromString, api.VersionResponse.SerializeToString)}),
            self._service("eventstreamapi.EventStream", {"Subscribe": grpc.stream_stream_rpc_method_handler(
                self._subscribe, api.Event.FromString, api.Event.SerializeToString)})))
        assert self.server.add_insecure_port(f"127.0.0.1:{port}") == port
        self.server.start()

    @staticmethod
    def _service(name, methods):
        return grpc.method_handlers_generic_handler(name, methods)

    def _note(self, name, context):
        self.metadata[name] = dict(context.invocation_metadata())

    def _authenticate(self, request, context):
        self._note("Authenticate", context)
        self.logins.append(context.peer())
        if len(self.logins) <= self.sick:
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the backend is sick")
        return self.api.AuthResponse(
            accessToken=token("access", self.agent, self.mode, self.token_s, self.ahead_s),
            refreshToken=token("refresh", self.agent, self.mode, 3600, self.ahead_s), version="1", principalNamespace="argocd")

    def _refresh(self, request, context):
        self.refreshed += 1
        return self.api.AuthResponse(accessToken=token("access", self.agent, self.mode, 3600, self.ahead_s))

    def _version(self, request, context):
        self._note("Version", context)
        return self.api.VersionResponse(version="argocd-agent-1")

    def _subscribe(self, requests, context):
        self._note("Subscribe", context)
        threading.Thread(target=self._hear, args=(requests,), daemon=True).start()
        while (event := self.to_say.get()) is not None:
            yield event
        self.to_say.put(None)  # ends the handlers of earlier streams, too

    def _hear(self, requests):
        try:
            for message in requests:
                self.heard.put(message.event)
        except grpc.RpcError:
            pass  # the agent went

    def stop(self):
        self.to_say.put(None)
        self.server.stop(None).wait()


def drained(events):
    """What is in the queue now."""
    while not events.empty():
        yield events.get()


@pytest.mark.parametrize("mode", ["autonomous", "managed"])
def test_an_agent_speaks_first_to_a_principal_that_has_nothing_to_say(net, api, free_port, mode):
    port = free_port()
    principal = Upstream(api, port, "site-1", mode)
    try:
        agent = net.agent("site-1", port, "--insecure-plaintext", "--creds", "header:", start=False, mode=mode, creds="")
        agent.tree.put("guestbook", application())
        agent.start().ready().wait_connected()
        event = principal.heard.get(timeout=60)
        expected = "request-resource-resync" if mode == "autonomous" else "request-synced-resource-list"
        assert event.type == PREFIX + expected
        assert "holdfastorder" not in event.attributes
        assert not [key for key in principal.metadata["Subscribe"] if key.startswith("holdfast")]
    finally:
        principal.stop()


@pytest.mark.parametrize("ahead_s", [None, 0, -3600, 3600])
def test_a_token_is_renewed_once_and_in_time_whatever_the_clocks_say(net, api, free_port, ahead_s):
    port = free_port()
    principal = Upstream(api, port, "site-1", "managed", token_s=31, ahead_s=ahead_s)
    try:
        net.agent("site-1", port, "--insecure-plaintext", "--creds", "header:", "--heartbeat-interval", "1s", creds="")
        wait_until(lambda: principal.refreshed, "the agent renews its token")
        pings = 0
        while pings < 3:
            pings += principal.heard.get(timeout=60).type == PREFIX + "ping"
        assert principal.refreshed == 1
    finally:
        principal.stop()


def test_a_message_that_the_principal_does_not_take_is_not_sent_a_second_time(net, api, free_port):
    port = free_port()
    principal = Upstream(api, port, "site-1", "autonomous", message_max=65536)
    try:
        agent = net.agent("site-1", port, "--insecure-plaintext", "--creds", "header:", start=False, mode="autonomous", creds="")
        large = application()
        large["spec"]["source"]["helm"] = {"values": "x" * 100000}
        agent.tree.put("large", large)
        agent.start().ready()
        wait_until(lambda: agent.log("an event can never be sent"), "it is set aside")
        line, = agent.log("an event can never be sent")
        assert "larger than the peer's limit of 65536 bytes" in line["error"]
        agent.tree.put("small", application())
        wait_until(lambda: any(e.attributes["resourceid"].ce_string.startswith("small_") for e in drained(principal.heard)),
                   "what is behind it arrives")
        assert len(agent.log("connected")) == 2
    finally:
        principal.stop()


def test_each_attempt_has_a_connection_of_its_own(net, api, free_port):
    """Behind a load balancer the last one may lead to a backend that is sick."""
    port = free_port()
    principal = Upstream(api, port, "site-1", "managed")
    principal.sick = 3
    try:
        net.agent("site-1", port, "--insecure-plaintext", "--creds", "header:", creds="").wait_connected()
        assert len(principal.logins) == 4 == len(set(principal.logins))
    finally:
        principal.stop()


def test_an_agent_that_is_sent_away_comes_again_and_loses_nothing(net, api, free_port):
    """GOAWAY after some time, as proxies and Go servers do it. The stream would live on, but no token could be renewed."""
    port = free_port()
    principal = Upstream(api, port, "site-1", "autonomous", options=[
        ("grpc.max_connection_age_ms", 8000), ("grpc.max_connection_age_grace_ms", 2**31 - 1)])
    try:
        agent = net.agent("site-1", port, "--insecure-plaintext", "--creds", "header:", mode="autonomous", creds="")
        made, end = 0, time.monotonic() + 60
        while len(principal.logins) < 2:
            assert time.monotonic() < end, "the agent stays where it is"
            made += 1
            agent.tree.put(f"app-{made}", application(name=f"app-{made}"))
            while not principal.heard.get(timeout=60).attributes["resourceid"].ce_string.startswith(f"app-{made}_"):
                pass
        assert not agent.log("no connection with the principal")
        assert agent.metrics()["holdfast_agent_connection_failures_total"] == 0
        said, = agent.log("this connection takes no more calls: another one takes its place")
        assert "GOAWAY NO_ERROR" in said["error"] and said["level"] == "info"
    finally:
        principal.stop()


def test_a_goaway_before_there_is_a_stream_is_said_and_waited_for_no_longer(net):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        agent = net.agent("site-1", listener.getsockname()[1], "--insecure-plaintext", "--creds", "header:", creds="")
        for _ in range(2):
            peer = RawServer(listener)
            peer.until(lambda kind, *_: kind == HEADERS)
            peer.say(frame(GOAWAY, body=struct.pack(">II", 2**31 - 1, 0) + b"maintenance"))
            peer.until_end()
        line, = agent.log("no connection with the principal")
        assert line["error"].endswith("GOAWAY NO_ERROR maintenance")


def test_two_ends_of_ours_agree_before_the_stream(net):
    principal = net.principal()
    agent = net.agent("site-1", principal).wait_connected()
    wait_until(lambda: agent.log("connected"), "the agent says so")
    assert agent.log("connected")[0]["dialect"] == 1
