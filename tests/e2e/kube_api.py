"""A Kubernetes API server in the test's own process: HTTP, TLS, who may do what, and everything that can go wrong.

What it keeps is in kube_store.py. Tests look at objects and change them directly (get, put, edit, delete), make it fail
(fault, deny, hold_watches, cut_watches, compact, stop) and see what was asked of it (requests, writes).
"""

import base64
import collections
import contextlib
import gzip
import json
import select
import socket
import socketserver
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml
from kube_store import BY_KIND, NAMESPACES, RESOURCES, Refused, Store, gone, json_patch, merge_patch, selector

BODY_MAX = 3 << 20
GZIP_MIN = 128 << 10
WRITES = ("create", "update", "patch", "delete")
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 413: "RequestEntityTooLarge",
           422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class Cut(Exception):
    """The connection ends here."""


class Rule:
    """What somebody may do. None: all of them; a namespace of "": what belongs to no namespace."""

    def __init__(self, verbs=None, resources=None, namespaces=None, names=None):
        self.verbs, self.resources, self.namespaces, self.names = verbs, resources, namespaces, names

    def covers(self, request):
        return (self.names is None or request.one in self.names) and ((self.verbs is None or request.verb in self.verbs) and (self.resources is None or request.resource.name in self.resources)
                and (self.namespaces is None or request.namespace in self.namespaces))


class Fault:
    """Something that goes wrong with the requests that fit.

    what     "answer": this status in place of an answer; "close": the connection ends; "hang": nothing comes until end(); "drop": it is
             done, and no answer comes; "cut": half of the answer comes, of a watch half of the next line
    times    so many requests, None: until end()
    hits     how many it was
    """

    def __init__(self, what, verb=None, resource=None, namespace=None, name=None, times=None, status=503, retry_after=None,
                 message="it is a test", body=None):
        self.what, self.verb, self.resource, self.namespace, self.name = what, verb, resource, namespace, name
        self.left, self.code, self.retry_after, self.message, self.body = times, status, retry_after, message, body
        self.hits, self.over = 0, threading.Event()

    def fits(self, request):
        wanted = ((self.verb, request.verb), (self.resource, request.resource.name), (self.namespace, request.namespace), (self.name, request.name))
        return self.left != 0 and not self.over.is_set() and all(value is None or value == has for value, has in wanted)

    def end(self):
        self.over.set()


class Request:
    """What is asked for, as RBAC sees it."""

    def __init__(self, method, target, headers, api):
        url = urlsplit(target)
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.resource, self.namespace, self.name = self._place(api)
        self.verb = VERBS.get(method, method.lower())
        if self.verb == "get" and not self.name:
            self.verb = "watch" if self.query.get("watch") in ("1", "true") else "list"
        self.headers, self.body = headers, b""
        self.one = self.name  # a list or watch may be of one object
        for part in self.query.get("fieldSelector", "").split(","):
            self.one = self.one or part.startswith("metadata.name=") and part[14:] or None
        self.manager = self.query.get("fieldManager") or headers.get("User-Agent", "unknown").split("/")[0]

    def _place(self, api):
        parts = self.parts
        base = parts[:2] if parts[0] == "api" else parts[:3]
        rest = parts[len(base):]
        api_version = "/".join(base[1:])
        namespace = None
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        found = next((r for r in RESOURCES if rest and (r.api_version, r.name) == (api_version, rest[0])), None)
        if not found or found.name in api.missing or len(rest) > 2 or parts[0] not in ("api", "apis"):
            raise LookupError
        return found, namespace, rest[1] if len(rest) > 1 else None

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as e:
            raise Refused(400, "BadRequest", "couldn't get version/kind; json parse error: " + str(e)) from e

    def fits(self):
        return selector(self.query.get("labelSelector", ""), self.query.get("fieldSelector", ""))

    def refusal(self, user):
        r = self.resource
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        of = f' "{self.name}"' if self.name else ""
        return Refused(403, "Forbidden", f'{r.full}{of} is forbidden: User "{user}" cannot {self.verb} resource "{r.name}" in API group "{r.group}" {where}',
                       r.details(self.name))


class Watch:
    """One that is open: `sent`: everything up to this version has been."""

    def __init__(self, request, sent):
        self.request, self.sent, self.cut, self.expired = request, sent, False, False
        self.marked = 0  # the bookmarks it was told of


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        api = self.server.api
        self.request.settimeout(60)
        if api.tls:
            self.request = api.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        with api.store.changed:
            if api.server is not self.server:
                raise Cut
            api.connections.add(self.request)
        api.accepted += 1

    def finish(self):
        with self.server.api.store.changed:
            self.server.api.connections.discard(self.request)
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        self.request.close()

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def handle(self):
        with contextlib.suppress(OSError, ValueError, Cut):
            super().handle()

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        try:
            self.server.api.answer(self, body)
        except Refused as e:
            self.send(e.code, e.status())
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def send(self, code, document, half=False, headers=()):
        """One answer; `document`: an object, or bytes that are no JSON."""
        is_text = isinstance(document, bytes)
        body = document if is_text else json.dumps(document, separators=(",", ":")).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if is_text else "application/json")
        if len(body) > GZIP_MIN and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if half:
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            raise Cut
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class Api:
    """The server. It starts with the namespaces default and argocd, and with one token that may do everything.

    requests   how many of each (verb, resource); `asked` has each as (verb, resource, namespace, name)
    missing    resources of which there is no definition yet
    order      "event": the watches have a change before the answer to who made it; "answer": after it; None: as it happens
    gone_as    "event" or "status": how a watch hears that its version is too old
    """

    ADMIN = "token-of-admin"

    def __init__(self, directory, port, authority=None):
        self.directory, self.port, self.store = directory, port, Store()
        directory.mkdir(parents=True, exist_ok=True)
        self.authority, self.tls = authority, None
        if authority:
            pair = authority.issue("localhost", ["localhost"])
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(pair.cert, pair.key)
            self.tls.load_verify_locations(authority.cert)
            self.tls.verify_mode = ssl.CERT_OPTIONAL
        self.users = {}  # name: rules
        self.tokens = {}  # token: name
        self.user("admin", [Rule()], self.ADMIN)
        self.requests, self.asked, self.accepted = collections.Counter(), [], 0
        self.faults, self.denied, self.missing = [], [], set()
        self.watches, self.connections = set(), set()
        self.order, self.gone_as, self.propagation = None, "event", {}
        self.held, self.bookmarks, self.chunk_size = 0, 0, 4096
        self.server = None
        for name in ("default", "argocd"):
            self.namespace(name)

    # ---- its life ----

    def start(self):
        server = Server(("127.0.0.1", self.port), Handler)
        server.api = self
        self.server = server
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more and every connection breaks; what it keeps stays."""
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()
        self.disconnect()

    def disconnect(self):
        """Every connection breaks."""
        with self.store.changed:
            connections = list(self.connections)
            self.store.changed.notify_all()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def kubeconfig(self, name="kubeconfig", token=ADMIN, namespace="argocd", **user):
        """A file for one who is known by this token, or by what `user` has."""
        cluster = {"server": f"http{'s' if self.tls else ''}://localhost:{self.port}"}
        if self.authority:
            cluster["certificate-authority-data"] = base64.b64encode(self.authority.cert.read_bytes()).decode()
        path = self.directory / name
        path.touch(0o600)
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}], "users": [{"name": "test", "user": user or {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}]}))
        return path

    # ---- for tests: what it keeps ----

    def namespace(self, name):
        """Is there from now on."""
        with self.store.changed:
            if self.store.key(NAMESPACES, None, name) not in self.store.objects:
                self.store.create(NAMESPACES, None, {"metadata": {"name": name}})

    def get(self, kind, namespace, name):
        """A copy; None: it is not there."""
        try:
            return json.loads(json.dumps(self.store.get(BY_KIND[kind], namespace, name)))
        except Refused:
            return None

    def all(self, kind, namespace=None):
        return json.loads(json.dumps(self.store.list(BY_KIND[kind], namespace)))

    def put(self, document):
        """As kubectl replace or create does it, whatever the version is. Returns the object."""
        resource, metadata = BY_KIND[document["kind"]], document["metadata"]
        with self.store.changed:
            there = self.get(resource.kind, metadata.get("namespace"), metadata["name"])
            metadata = {k: v for k, v in metadata.items() if k not in ("uid", "resourceVersion")}
            if not there:
                return self.store.create(resource, metadata.get("namespace"), {**document, "metadata": metadata})
            metadata["resourceVersion"] = there["metadata"]["resourceVersion"]
            return self.store.update(resource, metadata.get("namespace"), metadata["name"], {**document, "metadata": metadata})

    def edit(self, kind, namespace, name, change):
        """change(object) changes it; nobody comes between. False: there is none."""
        with self.store.changed:
            there = self.get(kind, namespace, name)
            if there:
                change(there)
                self.put(there)
        return bool(there)

    def delete(self, kind, namespace, name):
        """True: it is gone; False: it waits for its finalizers, or was not there."""
        try:
            return self.store.delete(BY_KIND[kind], namespace, name)[1]
        except Refused:
            return False

    def writes(self, resource=None):
        """How many were asked for."""
        return sum(n for (verb, name), n in list(self.requests.items()) if verb in WRITES and resource in (None, name))

    # ---- for tests: who may do what ----

    def user(self, name, rules, token=None):
        """Known by a token, or by a certificate with this common name."""
        self.users[name] = rules
        if token:
            self.tokens[token] = name
        return token

    @contextlib.contextmanager
    def deny(self, verbs=None, resources=None, namespaces=None):
        """Whoever asks: 403."""
        rule = Rule(verbs, resources, namespaces)
        self.denied.append(rule)
        try:
            yield rule
        finally:
            self.denied.remove(rule)

    def _user(self, handler):
        given = handler.headers.get("Authorization", "")
        if given:
            name = self.tokens.get(given.removeprefix("Bearer "))
            if not name:
                raise Refused(401, "Unauthorized", "Unauthorized")
            return name
        cert = handler.request.getpeercert() if self.tls else None
        names = [value for part in (cert or {}).get("subject", ()) for key, value in part if key == "commonName"]
        return names[0] if names else "system:anonymous"

    # ---- for tests: what goes wrong ----

    def fault(self, what, **more):
        made = Fault(what, **more)
        self.faults.append(made)
        return made

    @contextlib.contextmanager
    def hold_watches(self):
        """What happens meanwhile is told to no watch before the end."""
        with self.store.changed:
            self.held += 1
        try:
            yield
        finally:
            with self.store.changed:
                self.held -= 1
                self.store.changed.notify_all()

    def cut_watches(self, half_a_line=False):
        """All that are open end: at once, or in the middle of their next event."""
        with self.store.changed:
            for watch in self.watches:
                watch.cut = "half" if half_a_line else "now"
            self.store.changed.notify_all()

    def end_watches(self):
        """All that are open end in order, as a server ends them from time to time."""
        with self.store.changed:
            for watch in self.watches:
                watch.cut = "end"
            self.store.changed.notify_all()

    def expire_watches(self):
        """All that are open hear that their version is too old, and end."""
        with self.store.changed:
            for watch in self.watches:
                watch.expired = True
            self.store.changed.notify_all()

    def bookmark(self):
        """Who allows them gets one."""
        with self.store.changed:
            self.bookmarks += 1
            self.store.changed.notify_all()

    def compact(self):
        self.store.compact()

    def _take_fault(self, request):
        with self.store.changed:
            found = next((fault for fault in self.faults if fault.fits(request)), None)
            if found:
                found.hits += 1
                if found.left:
                    found.left -= 1
        return found

    def _fail(self, fault, handler):
        """What comes in place of an answer."""
        if fault.what == "hang":
            fault.over.wait(60)
        if fault.what in ("hang", "close"):
            raise Cut
        if fault.what == "answer":
            more = [("Retry-After", str(fault.retry_after))] if fault.retry_after is not None else []
            status = Refused(fault.code, REASONS.get(fault.code), fault.message).status()
            handler.send(fault.code, fault.body if fault.body is not None else b"Too many requests, please try again later.\n" if fault.code == 429 else status,
                         headers=more)
        return fault.what == "answer"

    # ---- answers ----

    def answer(self, handler, body):
        try:
            request = Request(handler.command, handler.path, handler.headers, self)
        except LookupError:
            self._answer_other(handler)
            return
        with self.store.changed:
            self.requests[request.verb, request.resource.name] += 1
            self.asked.append((request.verb, request.resource.name, request.namespace, request.name))
        user = self._user(handler)
        if any(rule.covers(request) for rule in self.denied) or not any(rule.covers(request) for rule in self.users.get(user, [])):
            raise request.refusal(user)
        if len(body) > BODY_MAX:
            raise Refused(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_MAX}")
        request.body = body
        fault = self._take_fault(request)
        if fault and self._fail(fault, handler):
            return
        if request.verb == "watch":
            self._watch(handler, request, fault)
        elif request.verb in WRITES:
            self._write(handler, request, fault)
        else:
            handler.send(200, self._read(request), half=bool(fault))

    def _answer_other(self, handler):
        path = handler.path.partition("?")[0].rstrip("/")
        if path in ("/readyz", "/livez", "/healthz"):
            handler.send(200, b"ok")
        elif path == "/version":
            handler.send(200, {"major": "1", "minor": "34", "gitVersion": "v1.34.0", "platform": "linux/amd64"})
        elif path in {f"/{'apis' if r.group else 'api'}/{r.api_version}" for r in RESOURCES if r.name not in self.missing}:
            version = path.removeprefix("/apis/").removeprefix("/api/")
            handler.send(200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [
                {"name": r.name, "singularName": "", "namespaced": r.namespaced, "kind": r.kind, "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]}
                for r in RESOURCES if r.api_version == version and r.name not in self.missing]})
        else:
            handler.send(404, b"404 page not found\n")

    def _read(self, request):
        if request.verb == "get":
            return self.store.get(request.resource, request.namespace, request.name)
        resource, query = request.resource, request.query
        limit = int(query.get("limit") or 0)
        with self.store.changed:
            version, start = self.store.version, None
            if query.get("continue"):
                version, start = self._continued(query["continue"])
            elif int(query.get("resourceVersion") or 0) > version:
                raise Refused(504, "Timeout", f"Too large resource version: {query['resourceVersion']}, current: {version}", {"retryAfterSeconds": 1})
            fits = request.fits()
            found = [o for o in self.store.list(resource, request.namespace, version) if fits(o) and (start is None or self._place(o) > start)]
        metadata = {"resourceVersion": str(version)}
        if limit and len(found) > limit:
            metadata["continue"] = self._continue_at(version, self._place(found[limit - 1]))
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        if not resource.is_custom:  # these alone say of each item what it is
            found = [{k: v for k, v in o.items() if k not in ("apiVersion", "kind")} for o in found]
        return {"apiVersion": resource.api_version, "items": found, "kind": resource.kind + "List", "metadata": metadata}

    @staticmethod
    def _place(o):
        return [o["metadata"].get("namespace", ""), o["metadata"]["name"]]

    @staticmethod
    def _continue_at(version, place):
        return base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": place}).encode()).decode()

    def _continued(self, token):
        try:
            told = json.loads(base64.urlsafe_b64decode(token))
        except ValueError as e:
            raise Refused(400, "BadRequest", "continue key is not valid") from e
        if told["rv"] < self.store.compacted:
            raise gone("The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
                       "parameter, or use the continue token in this response to retrieve the remainder of the results.")
        return told["rv"], told["start"]

    def _write(self, handler, request, fault):
        held = self.order == "answer" and self.hold_watches()
        with held or contextlib.nullcontext():
            with self.store.changed:
                before = self.store.version
                code, document = self._written(request)
                version = self.store.version if self.store.version > before else 0
            if self.order == "event" and version:
                self._wait_told(version)
            if fault and fault.what == "drop":
                raise Cut
            handler.send(code, document, half=bool(fault))
            handler.wfile.flush()

    def _wait_told(self, version):
        with self.store.changed:
            self.store.changed.wait_for(lambda: all(w.sent >= version for w in self.watches), 5)

    def _written(self, request):
        store, where = self.store, (request.resource, request.namespace)
        if request.verb == "create" and not request.name:
            return 201, store.create(*where, request.json(), request.manager)
        if request.verb == "update" and request.name:
            return 200, store.update(*where, request.name, request.json(), request.manager)
        if request.verb == "patch" and request.name:
            return 200, store.patch(*where, request.name, self._patch(request), request.manager)
        if request.verb == "delete" and request.name:
            return self._deleted(request, where)
        raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    @staticmethod
    def _patch(request):
        content_type, patch = request.headers.get("Content-Type", "").partition(";")[0], request.json()
        if content_type == "application/merge-patch+json":
            return lambda o: merge_patch(o, patch)
        if content_type == "application/json-patch+json":
            return lambda o: json_patch(o, patch)
        raise Refused(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types include: "
                      "application/json-patch+json, application/merge-patch+json")

    def _deleted(self, request, where):
        options = request.json() if request.body else {}
        policy = options.get("propagationPolicy") or request.query.get("propagationPolicy")
        o, is_gone = self.store.delete(*where, request.name, options)
        self.propagation[request.resource.kind, request.namespace, request.name] = policy
        if not is_gone:
            return 200, o
        return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                     "details": request.resource.details(request.name, uid=o["metadata"]["uid"])}

    # ---- watches ----

    def _watch(self, handler, request, fault):
        store, asked = self.store, request.query.get("resourceVersion") or "0"
        if request.query.get("sendInitialEvents"):
            raise request.resource.invalid("", "sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")
        fits = request.fits()
        with store.changed:
            first = []
            if asked == "0":
                first = [("ADDED", o) for o in store.list(request.resource, request.namespace) if fits(o)]
            watch = Watch(request, int(asked) if asked != "0" else store.version)
            watch.marked = self.bookmarks
            if watch.sent < store.compacted and self.gone_as == "status":
                raise self._too_old(watch)
            self.watches.add(watch)
        if fault:
            watch.cut = "half"
        try:
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            handler.wfile.flush()
            self._tell(handler, watch, first)
            self._stream(handler, watch, fits)
            handler.wfile.write(b"0\r\n\r\n")
        finally:
            with store.changed:
                self.watches.discard(watch)
                store.changed.notify_all()

    def _too_old(self, watch):
        return gone(f"too old resource version: {watch.sent} ({self.store.compacted + 1})")

    def _stream(self, handler, watch, fits):
        timeout = watch.request.query.get("timeoutSeconds")
        end = time.monotonic() + int(timeout) if timeout else None
        bookmarks = watch.request.query.get("allowWatchBookmarks") in ("1", "true")
        while end is None or time.monotonic() < end:
            lines, upto = self._wait_for_news(handler, watch, fits, bookmarks, end)
            if upto is None:
                return
            self._tell(handler, watch, lines)
            with self.store.changed:
                watch.sent = max(watch.sent, upto)
                if self.order == "event":
                    self.store.changed.notify_all()
            if lines and lines[-1][0] == "ERROR":
                return
        if bookmarks:
            self._tell(handler, watch, [self._bookmark(watch)])

    def _wait_for_news(self, handler, watch, fits, bookmarks, end):
        """What there is to say, and the version that it brings the watch to."""
        store, namespace = self.store, watch.request.namespace
        with store.changed:
            while True:
                if watch.cut == "now" or self.server is not handler.server:
                    raise Cut
                if watch.cut == "end":
                    return [], None
                if watch.expired or watch.sent < store.compacted:
                    return [("ERROR", self._too_old(watch).status())], watch.sent
                if not self.held:
                    news = [e for e in self._after(watch.sent) if e.key[0] is watch.request.resource and namespace in (None, e.key[1])]
                    lines = [line for line in (event.seen_with(fits) for event in news) if line]
                    if bookmarks and watch.marked < self.bookmarks:
                        watch.marked, watch.sent = self.bookmarks, store.version
                        lines.append(self._bookmark(watch))
                    if lines or watch.sent < store.version:
                        return lines, store.version
                if end is not None and time.monotonic() >= end:
                    return [], watch.sent
                if not store.changed.wait(0.5 if end is None else min(0.5, max(0.0, end - time.monotonic()))):
                    self._check_client(handler)

    def _after(self, version):
        events = self.store.events
        at = len(events)
        while at and events[at - 1].version > version:
            at -= 1
        return events[at:]

    @staticmethod
    def _check_client(handler):
        """A client of a watch says nothing: what can be read is its end."""
        if select.select([handler.request], [], [], 0)[0]:
            raise Cut

    @staticmethod
    def _bookmark(watch):
        resource = watch.request.resource
        return "BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"resourceVersion": str(watch.sent), "creationTimestamp": None}}

    def _tell(self, handler, watch, lines):
        for kind, o in lines:
            line = json.dumps({"type": kind, "object": o}, separators=(",", ":")).encode() + b"\n"
            if watch.cut == "half":
                handler.chunk(line[:len(line) // 2])
                raise Cut
            for at in range(0, len(line), self.chunk_size):
                handler.chunk(line[at:at + self.chunk_size])
