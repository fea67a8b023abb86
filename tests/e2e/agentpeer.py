"""Peers of the agent protocol that are not ours, on python3-grpcio: an agent of upstream's dialect, one that lies, and a principal.

They speak protobuf through the modules that protoc makes of our .proto files, and know nothing of our extensions.
"""

import json
import math
import queue
import subprocess
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import jwt
import pytest

PREFIX = "io.argoproj.argocd-agent.event"
PROTO = Path(__file__).resolve().parents[2] / "proto"
FILES = ("argocd/auth/auth.proto", "argocd/version/version.proto", "argocd/eventstream/eventstream.proto",
         "cloudevents/v1/cloudevents.proto")
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Api:
    """The messages."""

    def __init__(self, directory):
        subprocess.run(["protoc", f"--proto_path={PROTO}", f"--python_out={directory}", *FILES], check=True)
        sys.path.insert(0, str(directory))
        try:
            from argocd.auth import auth_pb2
            from argocd.eventstream import eventstream_pb2
            from argocd.version import version_pb2
        finally:
            sys.path.remove(str(directory))
        self.AuthRequest, self.AuthResponse = auth_pb2.AuthRequest, auth_pb2.AuthResponse
        self.RefreshTokenRequest = auth_pb2.RefreshTokenRequest
        self.VersionRequest, self.VersionResponse = version_pb2.VersionRequest, version_pb2.VersionResponse
        self.Event = eventstream_pb2.Event

    def event(self, verb, target, data=None, source="agent://agent-managed", **strings):
        """An event; `verb` with a dot is the whole type."""
        event = self.Event()
        cloud = event.event
        cloud.id, cloud.source, cloud.spec_version = "1", source, "1.0"
        cloud.type = verb if "." in verb else f"{PREFIX}.{verb}"
        cloud.binary_data = b"" if data is None else data if isinstance(data, bytes) else json.dumps(data).encode()
        if data is not None:
            cloud.attributes["datacontenttype"].ce_string = "application/json"
        cloud.attributes["dataschema"].ce_uri = target
        for name, text in strings.items():
            cloud.attributes[name].ce_string = text
        return event

    def about(self, verb, obj, target="application"):
        """An event about an object, with upstream's ids."""
        meta = obj["metadata"]
        rid = f"{meta['name']}_{meta.get('uid', '')}"
        return self.event(verb, target, obj, resourceid=rid, eventid=f"{rid}_{meta.get('resourceVersion', '')}")

    def ack(self, event):
        ack = self.event("processed", "eventProcessed", source="peer")
        for name, value in event.event.attributes.items():
            if name not in ("dataschema", "datacontenttype", "subject"):
                ack.event.attributes[name].CopyFrom(value)
        return ack


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    return Api(tmp_path_factory.mktemp("protobuf"))


def verb_of(event):
    return event.event.type.removeprefix(PREFIX + ".")


def target_of(event):
    return event.event.attributes["dataschema"].ce_uri


def text_of(event, name):
    return event.event.attributes[name].ce_string if name in event.event.attributes else None


def data_of(event):
    return json.loads(event.event.binary_data) if event.event.binary_data else None


class Stream:
    """An open Subscribe: what came, and a way to send. With `acks` every event is answered as upstream does."""

    def __init__(self, api, send, received, acks):
        self.api, self.send_raw, self.acks = api, send, acks
        self.events, self.order = [], threading.Condition()
        self.ended = None
        threading.Thread(target=self._read, args=(received,), daemon=True).start()

    def _read(self, received):
        try:
            for event in received:
                if self.acks and verb_of(event) != "processed":
                    self.send(self.api.ack(event))
                with self.order:
                    self.events.append(event)
                    self.order.notify_all()
            code, details = grpc.StatusCode.OK, ""
        except grpc.RpcError as e:
            code, details = (e.code(), e.details()) if hasattr(e, "code") else (None, "")  # a server is told nothing
        with self.order:
            self.ended = (code, details)
            self.order.notify_all()

    def send(self, event):
        self.send_raw(event)

    def wait(self, condition, what, limit_s=60):
        """The first event that the condition likes."""
        def look():
            return next((e for e in self.events if condition(e)), None) or self.ended
        with self.order:
            assert self.order.wait_for(look, limit_s), f"not within {limit_s} s: {what}"
            found = next((e for e in self.events if condition(e)), None)
            assert found is not None, f"{what}: the stream ended with {self.ended}"
            return found

    def wait_end(self, limit_s=60):
        with self.order:
            assert self.order.wait_for(lambda: self.ended, limit_s), "the stream goes on"
            return self.ended

    def wait_ack(self, event):
        rid, eid = text_of(event, "resourceid"), text_of(event, "eventid")
        return self.wait(lambda e: verb_of(e) == "processed" and text_of(e, "resourceid") == rid
                         and text_of(e, "eventid") == eid, f"the ACK of {eid}")


class AgentPeer:
    """An agent of upstream's dialect."""

    def __init__(self, api, port, pki, name=None, version="0.1.0", mode="managed"):
        self.api, self.version, self.mode = api, version, mode
        read = lambda file: (pki / file).read_bytes()  # noqa: E731
        own = (read(f"{name}.key"), read(f"{name}.crt")) if name else (None, None)
        self.channel = grpc.secure_channel(f"localhost:{port}",
                                           grpc.ssl_channel_credentials(read("ca.crt"), *own), options=ANY_SIZE)
        self.token = self.refresh = None

    def unary(self, path, request, answer, **options):
        call = self.channel.unary_unary(path, request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=answer.FromString)
        return call(request, timeout=90, **options)

    def authenticate(self, method="mtls", credentials=None, mode=None, version=None):
        answer = self.unary("/authapi.Authentication/Authenticate", self.api.AuthRequest(
            method=method, credentials=credentials or {}, mode=mode or self.mode,
            version=self.version if version is None else version, agentNamespace="argocd"), self.api.AuthResponse)
        self.token, self.refresh = answer.accessToken, answer.refreshToken
        return answer

    def refresh_token(self, token):
        return self.unary("/authapi.Authentication/RefreshToken", self.api.RefreshTokenRequest(refreshToken=token),
                          self.api.AuthResponse)

    def ask_version(self):
        return self.unary("/versionapi.Version/Version", self.api.VersionRequest(), self.api.VersionResponse).version

    def subscribe(self, token=None, acks=True, metadata=(), raw=False):
        waiting = queue.Queue()
        call = self.channel.stream_stream(
            "/eventstreamapi.EventStream/Subscribe",
            request_serializer=(lambda m: m if isinstance(m, bytes) else m.SerializeToString()),
            response_deserializer=self.api.Event.FromString)
        received = call(iter(waiting.get, None), metadata=(
            *((("authorization", token or self.token),) if token != "" else ()), *metadata))
        stream = Stream(self.api, waiting.put, received, acks)
        stream.call, stream.waiting = received, waiting
        return stream

    def open(self, **options):
        self.authenticate()
        return self.subscribe(**options)

    def close(self):
        self.channel.close()


class PrincipalPeer:
    """A principal of upstream's dialect: lets everybody in under `name`, and keeps each stream that is opened.

    With `dialect` it says that it speaks ours, and answers no Subscribe.
    """

    def __init__(self, api, port, pki, name, acks=True, version="0.1.0", lifetime_s=300, dialect=None):
        self.api, self.name, self.acks, self.version, self.lifetime_s = api, name, acks, version, lifetime_s
        self.dialect = dialect
        self.streams, self.logins, self.refreshes, self.renews, self.admits = queue.Queue(), [], [], True, math.inf
        self.server = grpc.server(futures.ThreadPoolExecutor(8), options=ANY_SIZE)
        self.server.add_generic_rpc_handlers((
            grpc.method_handlers_generic_handler("authapi.Authentication", {
                "Authenticate": grpc.unary_unary_rpc_method_handler(
                    self._authenticate, api.AuthRequest.FromString, lambda m: m.SerializeToString()),
                "RefreshToken": grpc.unary_unary_rpc_method_handler(
                    self._refresh, api.RefreshTokenRequest.FromString, lambda m: m.SerializeToString())}),
            grpc.method_handlers_generic_handler("versionapi.Version", {
                "Version": grpc.unary_unary_rpc_method_handler(
                    self._version, api.VersionRequest.FromString, lambda m: m.SerializeToString())}),
            grpc.method_handlers_generic_handler("eventstreamapi.EventStream", {
                "Subscribe": grpc.stream_stream_rpc_method_handler(
                    self._subscribe, api.Event.FromString,
                    lambda m: m if isinstance(m, bytes) else m.SerializeToString())})))
        credentials = grpc.ssl_server_credentials([((pki / "localhost.key").read_bytes(),
                                                    (pki / "localhost.crt").read_bytes())])
        assert self.server.add_secure_port(f"localhost:{port}", credentials)
        self.server.start()

    def _token(self, audience):
        now = int(time.time())
        return jwt.encode({"iss": "argocd-agent-server", "aud": [audience], "iat": now, "nbf": now, "exp": now + self.lifetime_s,
                           "jti": "x", "sub": json.dumps({"clientID": self.name, "mode": "managed"})}, "k", "HS512")

    def _authenticate(self, request, context):
        self.logins.append(request)
        if len(self.logins) > self.admits:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "authentication failed")
        return self.api.AuthResponse(accessToken=self._token("argocd-agent-server-access"),
                                     refreshToken=self._token("argocd-agent-server-refresh"),
                                     version=self.version, principalNamespace="argocd")

    def _refresh(self, request, context):
        self.refreshes.append(request)
        if not self.renews:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "authentication failed")
        self.lifetime_s = 300
        return self.api.AuthResponse(accessToken=self._token("argocd-agent-server-access"))

    def _version(self, _request, context):
        if self.dialect:
            context.send_initial_metadata((("holdfast-dialect", self.dialect),))
        return self.api.VersionResponse(version=f"argocd-agent-{self.version}")

    def _subscribe(self, received, context):
        waiting = queue.Queue()
        context.add_callback(lambda: waiting.put(None))  # an end of the call gives its thread back: there are eight
        stream = Stream(self.api, waiting.put, received, self.acks)
        stream.metadata, stream.waiting = dict(context.invocation_metadata()), waiting
        self.streams.put(stream)
        yield from iter(waiting.get, None)

    def stream(self, limit_s=60):
        return self.streams.get(timeout=limit_s)

    def stop(self):
        self.server.stop(0).wait(5)
