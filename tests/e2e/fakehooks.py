"""Providers whose hooks are managed, as one strict server over TLS: it knows each provider's paths, fields and login.

A request that a provider would refuse is refused as that provider does it; what a careless client does is remembered in
`complaints`, and a test fails when there is one.
"""

import base64
import http.server
import json
import re
import ssl
import threading
import time
import urllib.parse

from aws4 import signed_by

TOKEN = "t0ken-that-nobody-may-log"
PAGE = 2  # entries of a page, whatever is asked for: hooks lie on several


class Answer(Exception):
    """Ends a request: status, body (object, text or None), fields."""

    def __init__(self, status, body=None, **fields):
        super().__init__(status)
        self.status, self.body, self.fields = status, body, {k.replace("_", "-"): str(v) for k, v in fields.items()}


class Request:
    def __init__(self, handler):
        self.method, self.fields = handler.command, handler.headers
        self.path, _, query = handler.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        self.text = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        kind = handler.headers.get("Content-Type", "")
        self.json = json.loads(self.text) if self.text and kind == "application/json" else None
        self.form = urllib.parse.parse_qs(self.text) if kind == "application/x-www-form-urlencoded" else {}
        self.at = time.monotonic()


class Provider:
    """What all have in common: lists of hooks by place, and trouble to order.

    `trouble` is called with each request before it is looked at and may raise an Answer, or return "lose" to have the request
    carried out and the connection closed without an answer.
    """

    places = ()

    def __init__(self, port, authority):
        self.hooks = {place: [] for place in self.places}
        self.requests, self.complaints = [], []
        self.trouble = lambda request: None
        self.next_id = 1000
        self.lock = threading.Lock()
        pair = authority.issue("provider", hosts=["localhost"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.serve(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # connections that a client, or "lose", cut
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # ---- what a test asks ----

    def writes(self):
        return [r for r in self.requests if self.is_write(r)]

    def is_write(self, request):
        return request.method != "GET"

    def all(self):
        return [hook for hooks in self.hooks.values() for hook in hooks]

    # ---- the server ----

    def serve(self, handler):
        try:
            request = Request(handler)
        except ValueError:
            self.complaints.append("a body that is no JSON")
            raise
        with self.lock:
            self.requests.append(request)
            trouble = self.trouble
        lose = False
        try:
            lose = trouble(request) == "lose"
            with self.lock:
                self.check_login(request)
                self.route(request)
            raise AssertionError("route() raises")
        except Answer as answer:
            if lose:
                handler.close_connection = True
                handler.connection.close()
                return
            self.send(handler, answer)

    def send(self, handler, answer):
        body = answer.body if isinstance(answer.body, str) else "" if answer.body is None else json.dumps(answer.body)
        handler.send_response(answer.status)
        for name, value in answer.fields.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    def complain(self, text):
        self.complaints.append(text)
        raise Answer(400, {"message": text})

    def check_login(self, request):
        if request.fields.get("Authorization") != f"Bearer {TOKEN}":
            raise Answer(401, {"message": "Bad credentials"})

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def hooks_of(self, place):
        if place not in self.hooks:
            raise Answer(404, {"message": "Not Found"})
        return self.hooks[place]

    def find(self, place, hook_id, key="id"):
        for hook in self.hooks_of(place):
            if str(hook[key]) == hook_id:
                return hook
        raise Answer(404, {"message": "Not Found"})

    def route(self, request):
        raise NotImplementedError


class GitHub(Provider):
    """Below /api/v3, as GitHub Enterprise."""

    places = ("repos/octo-org/one", "repos/octo-org/two", "orgs/octo-org")
    app = None  # (public key, app id, installation id) when an app logs in
    installation_token = "ghs_installation"

    def check_login(self, request):
        if request.path.startswith("/api/v3/app/"):
            return
        token = self.installation_token if self.app else TOKEN
        if request.fields.get("Authorization") != f"Bearer {token}":
            raise Answer(401, {"message": "Bad credentials"})

    def log_app_in(self, request):
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        key, app_id, installation = self.app
        if request.path != f"/api/v3/app/installations/{installation}/access_tokens" or request.method != "POST":
            raise Answer(404, {"message": "Not Found"})
        jwt = request.fields["Authorization"].removeprefix("Bearer ")
        head, claims, signature = jwt.split(".")

        def decode(part):
            return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

        key.verify(decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        claims, now = json.loads(decode(claims)), time.time()
        if json.loads(decode(head)) != {"alg": "RS256", "typ": "JWT"} or claims["iss"] != str(app_id):
            self.complain("a statement of somebody else")
        if not now - 120 <= claims["iat"] <= now or not now < claims["exp"] <= now + 600:
            self.complain("a statement of another time")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600))
        raise Answer(201, {"token": self.installation_token, "expires_at": until})

    def route(self, request):
        if self.app and request.path.startswith("/api/v3/app/"):
            self.log_app_in(request)
        found = re.fullmatch(r"/api/v3/((?:repos/[^/]+|orgs)/[^/]+)/hooks(?:/(\d+))?", request.path)
        if not found:
            raise Answer(404, {"message": "Not Found"})
        place, hook_id = found.groups()
        if hook_id:
            self.one(request, place, self.find(place, hook_id))
        if request.method == "GET":
            self.page(request, place)
        self.create(request, place)

    def page(self, request, place):
        if request.query.get("per_page") != "100":
            self.complain("per_page: pages of thirty cost more requests")
        page = int(request.query.get("page", 1))
        hooks = self.hooks_of(place)[(page - 1) * PAGE:page * PAGE]
        link = {}
        if page * PAGE < len(self.hooks[place]):
            # GitHub's own address, which need not be the one that was asked.
            link = {"Link": f'<https://api.github.example/x?per_page=100&page={page + 1}>; rel="next", <https://x/?page=9>; rel="last"'}
        raise Answer(200, [self.shown(hook) for hook in hooks], **link)

    @staticmethod
    def shown(hook):
        config = {**hook["config"]}
        if config.get("secret"):
            config["secret"] = "********"
        return {**hook, "config": config}

    def taken(self, body):
        config = body["config"]
        if set(config) - {"url", "content_type", "insecure_ssl", "secret"}:
            self.complain(f"unknown members in {config}")
        return {"active": body["active"], "events": sorted(set(body["events"])),
                "config": {"content_type": "form", "insecure_ssl": "0", **config}}

    def create(self, request, place):
        if request.method != "POST" or request.json.get("name") != "web":
            self.complain("a hook is made by POST, its name is web")
        hook = {"id": self.new_id(), "name": "web", **self.taken(request.json)}
        hooks = self.hooks_of(place)
        if any(h["config"]["url"] == hook["config"]["url"] and h["events"] == hook["events"] for h in hooks):
            raise Answer(422, {"message": "Validation Failed", "errors": [{"message": "Hook already exists on this repository"}]})
        hooks.append(hook)
        raise Answer(201, self.shown(hook))

    def one(self, request, place, hook):
        if request.method == "PATCH":
            hook.update(self.taken(request.json))
            raise Answer(200, self.shown(hook))
        if request.method == "DELETE":
            self.hooks[place].remove(hook)
            raise Answer(204)
        self.complain(request.method)


class GitLab(Provider):
    places = ("projects/group/one", "projects/42", "groups/group")
    events = ("push", "tag_push", "issues", "confidential_issues", "merge_requests", "note", "confidential_note", "job", "pipeline",
              "wiki_page", "emoji")
    proxy = False  # takes Link away

    def check_login(self, request):
        if request.fields.get("PRIVATE-TOKEN") != TOKEN:
            raise Answer(401, {"message": "401 Unauthorized"})

    def route(self, request):
        found = re.fullmatch(r"/api/v4/(projects|groups)/([^/]+)/hooks(?:/(\d+))?", request.path)
        if not found:
            raise Answer(404, {"error": "404 Not Found"})
        place, hook_id = f"{found[1]}/{urllib.parse.unquote(found[2])}", found[3]
        hooks = self.hooks_of(place)
        if hook_id:
            hook = self.find(place, hook_id)
            if request.method == "DELETE":
                hooks.remove(hook)
                raise Answer(204)
            if request.method != "PUT":
                self.complain(request.method)
            hook.update(self.taken(request.json))
            raise Answer(200, self.shown(hook))
        if request.method == "GET":
            self.page(request, hooks)
        hook = {"id": self.new_id(), **self.taken(request.json)}
        hooks.append(hook)
        raise Answer(201, self.shown(hook))

    def page(self, request, hooks):
        page = int(request.query.get("page", 1))
        fields = {}
        if page * PAGE < len(hooks):
            fields = {"X_Next_Page": page + 1}
            if not self.proxy:
                fields["Link"] = f"<{self.url}/api/v4/y?per_page=100&page={page + 1}>; rel=\"next\""
        raise Answer(200, [self.shown(h) for h in hooks[(page - 1) * PAGE:page * PAGE]], **fields)

    @staticmethod
    def shown(hook):
        return {k: v for k, v in hook.items() if k != "token"}

    def taken(self, body):
        if set(body) - {"url", "token", "enable_ssl_verification"} - {e + "_events" for e in self.events}:
            self.complain(f"unknown members in {body}")
        return {"push_events": True, "enable_ssl_verification": True, **body}


class Bitbucket(Provider):
    places = ("team/one", "team/two")
    basic = False

    def check_login(self, request):
        right = "Basic " + base64.b64encode(f"user:{TOKEN}".encode()).decode() if self.basic else f"Bearer {TOKEN}"
        if request.fields.get("Authorization") != right:
            raise Answer(401, {"type": "error", "error": {"message": "Access denied"}})

    def new_id(self):
        return "{%08x-aaaa-4bbb-8ccc-000000000000}" % (0xffffffff - super().new_id())  # in no order

    def route(self, request):
        found = re.fullmatch(r"/2.0/repositories/([^/]+/[^/]+)/hooks(?:/([^/]+))?", request.path)
        if not found:
            raise Answer(404, {"type": "error", "error": {"message": "Not found"}})
        place, hook_id = found.groups()
        hooks = self.hooks_of(place)
        if hook_id:
            hook = self.find(place, urllib.parse.unquote(hook_id), "uuid")
            if request.method == "DELETE":
                hooks.remove(hook)
                raise Answer(204)
            hook.update(self.taken(request.json))
            raise Answer(200, self.shown(hook))
        if request.method == "GET":
            page = int(request.query.get("page", 1))
            more = {"next": f"{self.url}/2.0/z?pagelen=100&page={page + 1}"} if page * PAGE < len(hooks) else {}
            raise Answer(200, {"values": [self.shown(h) for h in hooks[(page - 1) * PAGE:page * PAGE]], "page": page, **more})
        hook = {"uuid": self.new_id(), **self.taken(request.json)}
        hooks.append(hook)
        raise Answer(201, self.shown(hook))

    @staticmethod
    def shown(hook):
        return {**{k: v for k, v in hook.items() if k != "secret"}, "secret_set": bool(hook.get("secret"))}

    def taken(self, body):
        if set(body) - {"description", "url", "active", "events", "secret"}:
            self.complain(f"unknown members in {body}")
        return dict(body)


class BitbucketServer(Provider):
    places = ("PRJ/one", "PRJ/two", "PRJ/three", "OTHER/x")

    def route(self, request):
        found = re.fullmatch(r"/rest/api/1.0/projects/([^/]+)/repos(?:/([^/]+)/webhooks(?:/(\d+))?)?", request.path)
        if not found:
            raise Answer(404, {"errors": [{"message": "Not found"}]})
        project, slug, hook_id = found.groups()
        if not slug:
            slugs = [{"slug": place.split("/")[1]} for place in self.hooks if place.startswith(project + "/")]
            self.page(request, slugs)
        place = f"{project}/{slug}"
        hooks = self.hooks_of(place)
        if hook_id:
            hook = self.find(place, hook_id)
            if request.method == "DELETE":
                hooks.remove(hook)
                raise Answer(204)
            hook.update(self.taken(request.json))
            raise Answer(200, hook)
        if request.method == "GET":
            self.page(request, hooks)
        hook = {"id": self.new_id(), **self.taken(request.json)}
        hooks.append(hook)
        raise Answer(201, hook)

    def page(self, request, items):
        start = int(request.query["start"])
        last = start + PAGE >= len(items)
        raise Answer(200, {"values": items[start:start + PAGE], "isLastPage": last, "start": start,
                           "nextPageStart": None if last else start + PAGE})

    def taken(self, body):
        if set(body) - {"name", "url", "active", "events", "configuration"}:
            self.complain(f"unknown members in {body}")
        return {"configuration": {}, **body}


class Gerrit(Provider):
    places = ("all/tools", "all")

    def check_login(self, request):
        if request.fields.get("Authorization") != "Basic " + base64.b64encode(f"user:{TOKEN}".encode()).decode():
            raise Answer(401, "Unauthorized")

    def route(self, request):
        found = re.fullmatch(r"/a/config/server/webhooks~projects/([^/]+)/remotes/([^/]+)/", request.path)
        if not found or urllib.parse.unquote(found[1]) not in self.hooks:
            raise Answer(404, "Not found")
        hooks, name = self.hooks[urllib.parse.unquote(found[1])], found[2]
        there = next((h for h in hooks if h["name"] == name), None)
        if request.method == "PUT":
            if not there:
                hooks.append(there := {"name": name})
            there.update(request.json)
            raise Answer(200, self.shown(there))
        if not there:
            raise Answer(404, "Not found: " + name)
        if request.method == "DELETE":
            hooks.remove(there)
            raise Answer(204)
        raise Answer(200, self.shown(there))

    @staticmethod
    def shown(hook):
        return ")]}'\n" + json.dumps({k: v for k, v in {"maxTries": 5, **hook}.items() if k != "name"})


class Stripe(Provider):
    places = ("account",)

    def __init__(self, *args):
        super().__init__(*args)
        self.done_once = {}

    def route(self, request):
        found = re.fullmatch(r"/v1/webhook_endpoints(?:/(we_\d+))?", request.path)
        if not found:
            raise Answer(404, {"error": {"message": "Unrecognized request URL"}})
        hooks = self.hooks["account"]
        if found[1]:
            hook = self.find("account", found[1])
            if request.method == "DELETE":
                hooks.remove(hook)
                raise Answer(200, {"id": hook["id"], "deleted": True})
            hook.update(url=request.form["url"][0], enabled_events=request.form["enabled_events[]"],
                        status="disabled" if request.form.get("disabled") == ["true"] else "enabled")
            raise Answer(200, hook)
        if request.method == "GET":
            after = request.query.get("starting_after")
            start = next((i + 1 for i, h in enumerate(hooks) if h["id"] == after), 0)
            raise Answer(200, {"object": "list", "data": hooks[start:start + PAGE], "has_more": start + PAGE < len(hooks)})
        key = request.fields.get("Idempotency-Key") or self.complain("a creation without Idempotency-Key")
        if key not in self.done_once:
            hook = {"id": f"we_{self.new_id()}", "url": request.form["url"][0], "status": "enabled",
                    "enabled_events": request.form["enabled_events[]"]}
            hooks.append(hook)
            self.done_once[key] = {**hook, "secret": "whsec_shown_once"}
        raise Answer(200, self.done_once[key])


class StorageGrid(Provider):
    places = ("endpoints", "bucket")

    def __init__(self, *args):
        super().__init__(*args)
        self.notification = ""

    def route(self, request):
        endpoints = self.hooks["endpoints"]
        found = re.fullmatch(r"/api/v3/org/endpoints(?:/(\d+))?", request.path)
        if found and request.method == "GET":
            raise Answer(200, {"status": "success", "data": endpoints})
        if found and request.method == "POST":
            endpoints.append({"id": str(self.new_id()), **request.json})
            raise Answer(201, {"status": "success", "data": endpoints[-1]})
        if found:
            endpoint = self.find("endpoints", found[1])
            if request.method == "PUT":
                endpoint.update(request.json)
                raise Answer(200, {"data": endpoint})
            if endpoint["endpointURN"] in self.notification:
                raise Answer(409, {"message": {"text": "in use"}})
            endpoints.remove(endpoint)
            raise Answer(204)
        if request.path != "/api/v3/org/containers/photos/notification":
            raise Answer(404, {"message": {"text": "no such bucket"}})
        if request.method == "PUT":
            topics = re.findall("<Topic>(.*?)</Topic>", request.json["notification"])
            if not set(topics) <= {e["endpointURN"] for e in endpoints} | {"urn:of:others"}:
                raise Answer(422, {"message": {"text": "no such endpoint"}})
            self.notification = request.json["notification"]
        raise Answer(200, {"data": {"notification": self.notification}})


class Sns(Provider):
    """`role`, when it is set, must be taken on: nothing is allowed but with its keys, (id, secret, session token) in `keys`."""

    places = ("topic",)
    role, keys, lasts_s = None, ("ASIAROLE", "role/secret+key", "role-session-token=="), 3600

    def is_write(self, request):
        return request.form["Action"][0] not in ("ListSubscriptionsByTopic", "AssumeRole")

    def is_good(self, request):
        asks_for_role = request.form.get("Action") == ["AssumeRole"]
        as_role = self.role and not asks_for_role
        access, key = self.keys[:2] if as_role else ("AKID", TOKEN)
        if request.fields.get("X-Amz-Security-Token") != (self.keys[2] if as_role else None):
            return False
        try:
            return signed_by(key, request.text, request.fields, "sts" if asks_for_role else "sns") == (access, "eu-west-1")
        except (AssertionError, AttributeError, KeyError):
            return False

    def give_role(self, form):
        if (form["RoleArn"], form["Version"]) != (self.role, "2011-06-15"):
            raise Answer(403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.lasts_s))
        raise Answer(200, "<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials>"
                          f"<AccessKeyId>{self.keys[0]}</AccessKeyId><SecretAccessKey>{self.keys[1]}</SecretAccessKey>"
                          f"<SessionToken>{self.keys[2]}</SessionToken><Expiration>{until}</Expiration></Credentials>"
                          "</AssumeRoleResult></AssumeRoleResponse>")

    def check_login(self, request):
        if not self.is_good(request):
            raise Answer(403, "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>who are you</Message></Error></ErrorResponse>")

    def route(self, request):
        form = {k: v[0] for k, v in request.form.items()}
        subscriptions = self.hooks["topic"]
        if form.get("Action") == "AssumeRole":
            self.give_role(form)
        if request.method != "POST" or request.path != "/" or form.get("Version") != "2010-03-31":
            self.complain("the API of SNS takes forms")
        if form["Action"] == "ListSubscriptionsByTopic":
            start = int(form.get("NextToken", "0"))
            members = "".join(f"<member><TopicArn>t</TopicArn><Protocol>https</Protocol><SubscriptionArn>{s['arn']}</SubscriptionArn>"
                              f"<Endpoint>{s['endpoint'].replace('&', '&amp;')}</Endpoint></member>"
                              for s in subscriptions[start:start + PAGE])
            more = f"<NextToken>{start + PAGE}</NextToken>" if start + PAGE < len(subscriptions) else ""
            raise Answer(200, f"<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions>{members}"
                              f"</Subscriptions>{more}</ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>")
        if form["Action"] == "Subscribe":
            if not any(s["endpoint"] == form["Endpoint"] for s in subscriptions):
                subscriptions.append({"arn": "PendingConfirmation", "endpoint": form["Endpoint"], "protocol": form["Protocol"]})
            raise Answer(200, "<SubscribeResponse><SubscribeResult><SubscriptionArn>arn:x</SubscriptionArn></SubscribeResult></SubscribeResponse>")
        if form["Action"] == "Unsubscribe":
            self.hooks["topic"] = [s for s in subscriptions if s["arn"] != form["SubscriptionArn"]]
            raise Answer(200, "<UnsubscribeResponse/>")
        self.complain(form["Action"])
