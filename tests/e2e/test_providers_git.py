"""Git hosts as senders: what GitHub, GitLab, Bitbucket and Gerrit send is verified, stored once, and read back byte for byte
(facts argo-events 1.3 to 1.7)."""

import base64
import contextlib
import hmac
import http.client
import http.server
import json
import subprocess
import threading
import time
import urllib.parse

import pytest
import requests
from conftest import HOLDFAST, NO_HURRY, wait_until
from natsio import Nats

SECRET = "It's a Secret to Everybody"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MASK = "*** Masked Auth Secret ***"
UNSIGNED = "the request is not signed with the secret of this endpoint"

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: hosts}}
spec:
  holdfast:
    dataDir: {data}
    secretsDir: {secrets}
    admin: {{address: "127.0.0.1:{admin}"}}
{more}
  github:
    github-signed:
      repositories: [{{owner: octo-org, names: [octo-repo]}}]
      webhook: {{endpoint: /github, port: "{port}", method: POST, maxPayloadSize: 100000}}
      webhookSecret: {{name: hosts, key: secret}}
      metadata: {{team: build}}
    github-open:
      organizations: [octo-org]
      webhook: {{endpoint: /github-open, port: "{port}"}}
    github-unreadable:
      organizations: [octo-org]
      webhook: {{endpoint: /github-unreadable, port: "{port}"}}
      webhookSecret: {{name: hosts, key: none}}
  gitlab:
    gitlab-token:
      webhook: {{endpoint: /gitlab, port: "{port}", maxPayloadSize: 100000}}
      projects: ["1"]
      events: [PushEvents]
      accessToken: {{name: hosts, key: api}}
      gitlabBaseURL: https://gitlab.example.com
      secretToken: {{name: hosts, key: secret}}
    gitlab-signed:
      webhook: {{endpoint: /gitlab-signed, port: "{port}"}}
      events: [PushEvents]
      accessToken: {{name: hosts, key: api}}
      gitlabBaseURL: https://gitlab.example.com
      holdfast: {{signingToken: {{name: hosts, key: signing}}}}
    gitlab-open:
      webhook: {{endpoint: /gitlab-open, port: "{port}"}}
      events: [PushEvents]
      accessToken: {{name: hosts, key: api}}
      gitlabBaseURL: https://gitlab.example.com
  bitbucket:
    bitbucket-signed:
      webhook: {{endpoint: /bitbucket, port: "{port}", maxPayloadSize: 100000}}
      repositories: [{{owner: team, repositorySlug: repo}}]
      holdfast: {{webhookSecret: {{name: hosts, key: secret}}}}
    bitbucket-open:
      webhook: {{endpoint: /bitbucket-open, port: "{port}"}}
      repositories: [{{owner: team, repositorySlug: repo}}]
  bitbucketserver:
    server-signed:
      webhook: {{endpoint: /server, port: "{port}", maxPayloadSize: 100000}}
      projects: [PROJ]
      webhookSecret: {{name: hosts, key: secret}}
      bitbucketserverBaseURL: https://bitbucket.example.com/rest
    server-split:
      webhook: {{endpoint: /split, port: "{port}"}}
      projects: [PROJ]
      webhookSecret: {{name: hosts, key: secret}}
      oneEventPerChange: true
      bitbucketserverBaseURL: https://bitbucket.example.com/rest
      metadata: {{k: v}}
    server-skip:
      webhook: {{endpoint: /skip, port: "{port}"}}
      projects: [PROJ]
      accessToken: {{name: hosts, key: secret}}
      skipBranchRefsChangedOnOpenPR: true
      bitbucketserverBaseURL: http://127.0.0.1:{asked}/rest
    server-skip-split:
      webhook: {{endpoint: /skip-split, port: "{port}"}}
      projects: [PROJ]
      accessToken: {{name: hosts, key: secret}}
      skipBranchRefsChangedOnOpenPR: true
      oneEventPerChange: true
      bitbucketserverBaseURL: http://127.0.0.1:{asked}/rest/
  gerrit:
    gerrit-open:
      webhook: {{endpoint: /gerrit, port: "{port}", maxPayloadSize: 100000}}
      projects: [tools]
      events: [patchset-created]
      auth: {{username: {{name: hosts, key: user}}, password: {{name: hosts, key: password}}}}
      gerritBaseURL: https://gerrit.example.com
"""

# Cut from the documentation of each provider; numbers, escapes and white space that a careless gateway changes.
GITHUB_PUSH = b"""{
  "ref": "refs/tags/simple-tag",
  "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
  "after": "0000000000000000000000000000000000000000",
  "repository": {"id": 186853002, "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=", "name": "Hello-World", "private": false,
    "owner": {"name": "Codertocat", "login": "Codertocat", "id": 9007199254740993}, "size": 1.50, "html_url":
    "https://github.com/Codertocat/Hello-World"},
  "pusher": {"name": "Codertocat", "email": "21031067+Codertocat@users.noreply.github.com"},
  "forced": false, "base_ref": null, "commits": [{"message": "caf\\u00e9 <b>&\xe2\x82\xac"}], "head_commit": null
}"""
GITLAB_PUSH = b"""{"object_kind": "push", "event_name": "push", "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
 "ref": "refs/heads/master", "user_id": 4, "user_name": "John Smith", "project_id": 15,
 "commits": [{"id": "b6568db1bc1dcd7f8b4d5a946b0b91f9dacd7327", "message": "Update Catalan translation to e38cb41.\\n"}],
 "total_commits_count": 4}"""
BITBUCKET_PUSH = b"""{"push": {"changes": [{"new": {"type": "branch", "name": "name-of-branch",
 "target": {"hash": "709d658dc5b6d6afcd46049c2f332ee3f515a67d"}}, "created": false, "forced": false}]},
 "actor": {"type": "user", "nickname": "emmap1"}, "repository": {"full_name": "team_name/repo_name"}}"""
SERVER_PUSH = b"""{"eventKey": "repo:refs_changed", "date": "2017-09-19T09:47:32+1000", "unknown": {"kept": [1.0]},
 "actor": {"name": "admin", "emailAddress": "admin@example.com", "id": 1},
 "repository": {"slug": "repository", "id": 84, "project": {"key": "PROJ"}},
 "changes": [
  {"ref": {"id": "refs/heads/master", "displayId": "master", "type": "BRANCH"}, "fromHash": "ecddabb6", "toHash": "178864a7", "type": "UPDATE"},
  {"ref": {"id": "refs/tags/v1", "displayId": "v1", "type": "TAG"}, "fromHash": "00000000", "toHash": "178864a7", "type": "ADD"}]}"""
GERRIT_PATCHSET = b"""{"type": "patchset-created", "eventCreatedOn": 1510911131, "project": "tools",
 "change": {"number": 32, "subject": "a change"}, "patchSet": {"number": 1, "revision": "ea4f0e8"}}"""


def sign(body, algorithm="sha256", secret=SECRET):
    return algorithm + "=" + hmac.new(secret.encode(), body, algorithm).hexdigest()


class Hosts:
    def __init__(self, gateway, tmp_path, more, asked):
        self.g = gateway
        self.secrets = tmp_path / "secrets"
        (self.secrets / "hosts").mkdir(parents=True)
        self.rotate(SECRET + "\n")
        (self.secrets / "hosts" / "signing").write_text("whsec_" + base64.b64encode(SECRET.encode()).decode())
        more = more if "deadline:" in more else NO_HURRY + more
        self.g.file.write_text(MANIFEST.format(port=gateway.port, admin=gateway.admin_port, data=gateway.data,
                                               secrets=self.secrets, more=more, asked=asked))

    def rotate(self, secret):
        """As the kubelet does: a new file in place of the old one."""
        fresh = self.secrets / "hosts" / "new"
        fresh.write_text(secret)
        fresh.rename(self.secrets / "hosts" / "secret")

    def post(self, path, body, fields=None, method="POST"):
        answer = requests.request(method, f"http://127.0.0.1:{self.g.port}{path}", data=body, timeout=90,
                                  headers={"Accept": None, "Accept-Encoding": "gzip", "User-Agent": "t", **(fields or {})})
        return answer

    def events(self):
        """What is stored, whole."""
        out = subprocess.run([HOLDFAST, "tail", "--data-dir", self.g.data, "--json"], check=True, capture_output=True,
                             timeout=60)
        return [json.loads(line)["event"] for line in out.stdout.splitlines()]


@pytest.fixture
def hosts(gateway, tmp_path):
    """hosts(more=""): a started gateway with every kind of git host; `more` stands under spec.holdfast; on the port `asked` is
    the Bitbucket that it asks."""

    def make(more="", start=True, asked=1):
        h = Hosts(gateway(), tmp_path, more, asked)
        if start:
            h.g.start()
        return h

    return make


def github(body=GITHUB_PUSH, delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958", **fields):
    return {"Content-Type": JSON, "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": sign(body), **fields}


# ---- good ones --------------------------------------------------------------------------------------------------------


def test_a_push_of_github_is_read_byte_for_byte(hosts):
    h = hosts()
    fields = {**github(), "X-Hub-Signature": sign(GITHUB_PUSH, "sha1"), "Authorization": "Basic eA=="}
    assert (h.post("/github", GITHUB_PUSH, fields).status_code, h.post("/github", GITHUB_PUSH, fields).text) == (200, "success")
    body = (
        '{"ref":"refs/tags/simple-tag","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246",'
        '"after":"0000000000000000000000000000000000000000","repository":{"id":186853002,'
        '"node_id":"MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=","name":"Hello-World","private":false,"owner":{"name":"Codertocat",'
        '"login":"Codertocat","id":9007199254740993},"size":1.50,"html_url":"https://github.com/Codertocat/Hello-World"},'
        '"pusher":{"name":"Codertocat","email":"21031067+Codertocat@users.noreply.github.com"},"forced":false,'
        '"base_ref":null,"commits":[{"message":"caf\\u00e9 \\u003cb\\u003e\\u0026€"}],"head_commit":null,'
        '"X-GitHub-Delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","X-GitHub-Event":"push"}')
    assert h.g.events() == [(
        f'{{"headers":{{"Accept-Encoding":["gzip"],"Authorization":["{MASK}"],"Connection":["keep-alive"],"Content-Length":["{len(GITHUB_PUSH)}"],'
        f'"Content-Type":["application/json"],"User-Agent":["t"],"X-Github-Delivery":["72d3162e-cc78-11e3-81ab-4c9367dc0958"],'
        f'"X-Github-Event":["push"],"X-Hub-Signature":["{MASK}"],"X-Hub-Signature-256":["{MASK}"]}},'
        f'"body":{body},"metadata":{{"team":"build"}}}}').encode()]
    event, = h.events()
    assert (event["id"], event["source"], event["type"], event["subject"]) == (
        "hosts/github-signed 72d3162e-cc78-11e3-81ab-4c9367dc0958", "hosts", "github", "github-signed")


def test_a_form_of_github_is_the_same_event_as_its_json(hosts):
    h = hosts()
    form = ("a=1&payload=" + urllib.parse.quote_plus(GITHUB_PUSH) + "&payload=2").encode()
    assert h.post("/github", GITHUB_PUSH, github(delivery="one")).status_code == 200
    fields = github(form, "two", **{"Content-Type": FORM + "; charset=utf-8"})
    assert h.post("/github", form, fields).status_code == 200
    one, two = (json.loads(data)["body"] for data in h.g.events())
    assert one.pop("X-GitHub-Delivery") == "one" and two.pop("X-GitHub-Delivery") == "two"
    assert one == two


def test_the_vector_of_githubs_documentation_is_accepted(hosts):
    body = b"Hello, World!"
    good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign(body) == good
    h = hosts()
    answer = h.post("/github", body, github(**{"X-Hub-Signature-256": good}))
    assert (answer.status_code, "must be one JSON value" in answer.text) == (400, True)  # the signature is right, the body no JSON
    assert h.post("/github", body, github(**{"X-Hub-Signature-256": good[:-1] + "8"})).status_code == 401


def test_members_of_ours_in_githubs_body_are_replaced(hosts):
    h = hosts()
    body = b'{"a":1,"X-GitHub-Event":"forged","b":{"X-GitHub-Event":"kept"},"X-Git\\u0048ub-Delivery":2,"c":3}'
    assert h.post("/github-open", body, {"Content-Type": JSON, "X-GitHub-Event": "push"}).status_code == 200
    assert h.post("/github-open", b" {} ", {"Content-Type": "Application/JSON;charset=x"}).status_code == 200
    bodies = [data.split(b'"body":')[1] for data in h.g.events()]
    assert bodies == [b'{"a":1,"b":{"X-GitHub-Event":"kept"},"c":3,"X-GitHub-Delivery":"","X-GitHub-Event":"push"}}',
                      b'{"X-GitHub-Delivery":"","X-GitHub-Event":""}}']


GOOD = [
    # path, fields, body, the id that the provider gave
    ("/gitlab", {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": SECRET, "Idempotency-Key": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
                 "X-Gitlab-Event-UUID": "shared"}, GITLAB_PUSH, "f5e5f430-f57b-4e6e-9fac-d9128cd7232f"),
    ("/bitbucket", {"X-Event-Key": "repo:push", "X-Request-UUID": "e4b6f1", "X-Hub-Signature": sign(BITBUCKET_PUSH)},
     BITBUCKET_PUSH, "e4b6f1"),
    ("/server", {"X-Event-Key": "repo:refs_changed", "X-Request-Id": "b2b0", "X-Hub-Signature": sign(SERVER_PUSH)},
     SERVER_PUSH, "b2b0"),
    ("/gerrit", {}, GERRIT_PATCHSET, None),
]


def test_the_others_are_read_whole_and_their_ids_are_kept(hosts):
    h = hosts()
    for path, fields, body, _ in GOOD:
        answer = h.post(path, body, {"Content-Type": JSON, **fields})
        assert (answer.status_code, answer.text) == (200, "success"), path
    for (path, fields, body, own_id), event, data in zip(GOOD, h.events(), h.g.events(), strict=True):
        assert b'"body":' + squeeze(body) + b"}" in data, path
        assert SECRET.encode() not in data and b"sha256=" not in data, path
        assert list(event["data"]) == ["headers", "body"], path
        assert event["id"] == f"hosts/{event['subject']} {own_id}" if own_id else len(event["id"]) == 32, path
        for name in fields:
            canonical = "-".join(word.capitalize() for word in name.split("-"))
            secret = name in ("X-Gitlab-Token", "X-Hub-Signature")
            assert event["data"]["headers"][canonical] == [MASK if secret else fields[name]], (path, name)


def squeeze(body):
    """Without the white space between tokens; the samples have none in their strings that matters here."""
    out, quoted, escaped = bytearray(), False, False
    for byte in body:
        if quoted or byte not in b" \n\t\r":
            out.append(byte)
        if byte == ord('"') and not escaped:
            quoted = not quoted
        escaped = byte == ord("\\") and not escaped
    return bytes(out)


def signed_by_gitlab(body, own_id="msg_1", age_s=0, secret=SECRET):
    """The fields of GitLab's signing token: Standard Webhooks."""
    stamp = str(int(time.time()) - age_s)
    mac = hmac.new(secret.encode(), f"{own_id}.{stamp}.".encode() + body, "sha256").digest()
    return {"webhook-id": own_id, "webhook-timestamp": stamp, "webhook-signature": "v1," + base64.b64encode(mac).decode()}


def test_a_signing_token_of_gitlab_is_enforced(hosts):
    h = hosts()
    good = signed_by_gitlab(GITLAB_PUSH)
    for _ in range(2):
        assert h.post("/gitlab-signed", GITLAB_PUSH, {**good, "Idempotency-Key": "other"}).status_code == 200
    bad = [{}, {**good, "webhook-id": "msg_2"}, {**good, "webhook-signature": good["webhook-signature"][:-2] + "=="},
           signed_by_gitlab(GITLAB_PUSH, secret="another"), {"X-Gitlab-Token": SECRET}]
    for fields in bad:
        answer = h.post("/gitlab-signed", GITLAB_PUSH, fields)
        assert (answer.status_code, answer.text) == (401, UNSIGNED), fields
    assert h.post("/gitlab-signed", GITLAB_PUSH + b" ", good).status_code == 401
    assert h.post("/gitlab-signed", GITLAB_PUSH, signed_by_gitlab(GITLAB_PUSH, age_s=400)).status_code == 401
    event, = h.events()
    assert (event["id"], event["data"]["headers"]["Webhook-Signature"]) == ("hosts/gitlab-signed msg_1", [MASK])


# ---- the same event again ---------------------------------------------------------------------------------------------


def test_a_retry_is_answered_200_and_stored_once(hosts):
    h = hosts()
    for path, fields, body, own_id in [("/github", github(), GITHUB_PUSH, "x"), *GOOD[:3]]:
        first, again = (h.post(path, body, {"Content-Type": JSON, **fields}) for _ in range(2))
        assert (first.status_code, again.status_code, again.text) == (200, 200, "success"), path
        assert first.headers["Holdfast-Event-Id"] == again.headers["Holdfast-Event-Id"], path
    assert len(h.events()) == 4
    # one id at two endpoints is two events, and without an id nothing is the same
    assert h.post("/github-open", GITHUB_PUSH, github()).status_code == 200
    for _ in range(2):
        assert h.post("/gerrit", GERRIT_PATCHSET).status_code == 200
        assert h.post("/github-open", GITHUB_PUSH, {"Content-Type": JSON}).status_code == 200
    assert len(h.events()) == 9


def test_hooks_of_one_request_to_gitlab_are_different_events(hosts):
    h = hosts()
    for _ in range(2):
        assert h.post("/gitlab-open", GITLAB_PUSH, {"X-Gitlab-Event-UUID": "one", "X-Gitlab-Webhook-UUID": "hook"}).status_code == 200
    assert len(h.events()) == 2


def test_an_id_that_cannot_be_one_is_not_used(hosts):
    h = hosts()
    for bad in ("a b", "x" * 201, "\u00e4".encode().decode("latin-1")):
        for _ in range(2):
            assert h.post("/github", GITHUB_PUSH, github(delivery=bad)).status_code == 200
    assert len({event["id"] for event in h.events()}) == 6


# ---- bad ones -----------------------------------------------------------------------------------------------------------


def bad_signatures(body):
    """What a forger, a broken proxy or another secret would send."""
    good = sign(body)
    return [None, "", "sha256", "sha256=", "x", "=", good[:-1], good + "0", good[:-2], good[7:], "SHA256" + good[6:], "md5" + good[6:],
            good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace("=", "= "), "sha256=" + "0" * 64, "sha256=" + "g" * 64,
            sign(body, secret="another"), sign(body + b" "), sign(body, "sha1", "another"), "\u00e9" * 71, "a" * 6, good + ", " + good]


SIGNED = [("/github", "X-Hub-Signature-256", GITHUB_PUSH), ("/github", "X-Hub-Signature", GITHUB_PUSH),
          ("/bitbucket", "X-Hub-Signature", BITBUCKET_PUSH), ("/server", "X-Hub-Signature", SERVER_PUSH),
          ("/split", "X-Hub-Signature", SERVER_PUSH)]


def test_what_is_not_signed_is_refused_in_the_same_words(hosts):
    h = hosts()
    for path, field, body in SIGNED:
        for signature in bad_signatures(body):
            fields = {"Content-Type": JSON, "X-Event-Key": "repo:refs_changed"}
            if signature is not None:
                fields[field] = signature.encode("latin-1")
            answer = h.post(path, body, fields)
            assert (answer.status_code, answer.text) == (401, UNSIGNED), (path, field, signature)
            assert sign(body)[7:] not in str(answer.headers), path
        for position in (0, len(body) // 2, len(body) - 1):
            tampered = body[:position] + bytes([body[position] ^ 1]) + body[position + 1:]
            assert h.post(path, tampered, {"Content-Type": JSON, field: sign(body)}).status_code == 401, (path, position)
    for token in (None, "", SECRET[:-1], SECRET + "x", SECRET.lower(), "\u00e4"):
        fields = {} if token is None else {"X-Gitlab-Token": token.encode("latin-1")}
        answer = h.post("/gitlab", GITLAB_PUSH, fields)
        assert (answer.status_code, answer.text) == (401, UNSIGNED), token
    assert h.events() == []
    assert SECRET not in h.g.process.output()


def raw_post(h, path, body, fields):
    """With fields that stand more than once."""
    connection = http.client.HTTPConnection("127.0.0.1", h.g.port, timeout=90)
    connection.putrequest("POST", path)
    for name, value in [*fields, ("Content-Length", str(len(body)))]:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    status, text = answer.status, answer.read().decode()
    connection.close()
    return status, text


def test_a_signature_that_stands_twice_is_no_signature(hosts):
    h = hosts()
    good, bad = sign(GITHUB_PUSH), "sha256=" + "0" * 64
    for first, second in ((good, good), (good, bad), (bad, good)):
        for path, name, body in (("/github", "X-Hub-Signature-256", GITHUB_PUSH), ("/server", "X-Hub-Signature", GITHUB_PUSH)):
            fields = [("Content-Type", JSON), (name, first), (name, second), ("X-Hub-Signature", sign(GITHUB_PUSH, "sha1"))]
            assert raw_post(h, path, body, fields) == (401, UNSIGNED), (path, first, second)
    twice = [("X-Gitlab-Token", SECRET), ("X-Gitlab-Token", SECRET)]
    assert raw_post(h, "/gitlab", GITLAB_PUSH, twice) == (401, UNSIGNED)
    assert h.events() == []


def test_sha1_counts_only_where_nothing_better_stands(hosts):
    h = hosts()
    sha1, sha512 = sign(GITHUB_PUSH, "sha1"), sign(GITHUB_PUSH, "sha512")
    base = {"Content-Type": JSON}
    rows = [({"X-Hub-Signature": sha1}, 200), ({"X-Hub-Signature": sign(GITHUB_PUSH)}, 200), ({"X-Hub-Signature": sha512}, 200),
            ({"X-Hub-Signature-256": sha512}, 200), ({"X-Hub-Signature-256": sha1}, 401),
            ({"X-Hub-Signature-256": "sha256=00", "X-Hub-Signature": sha1}, 401), ({"X-Hub-Signature-256": "", "X-Hub-Signature": sha1}, 401),
            ({"X-Hub-Signature-256": sign(GITHUB_PUSH).upper().replace("SHA", "sha")}, 200)]
    for fields, status in rows:
        assert h.post("/github", GITHUB_PUSH, {**base, **fields}).status_code == status, fields
    for algorithm in ("sha1", "sha512"):
        assert h.post("/bitbucket", BITBUCKET_PUSH, {"X-Hub-Signature": sign(BITBUCKET_PUSH, algorithm)}).status_code == 401


# Crafted to crash or confuse upstream (facts 10: 23, 24).
CRAFTED = [
    # path, fields, body -> our status; status and text of `compat: strict` (None: not compared)
    ("/github-open", {"Content-Type": JSON}, b"null", 400, 400, "json: cannot unmarshal null into Go value of type map[string]interface {}"),
    ("/github-open", {"Content-Type": JSON}, b"[1]", 400, 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ("/github-open", {"Content-Type": JSON}, b'"s"', 400, 400, "json: cannot unmarshal string into Go value of type map[string]interface {}"),
    ("/github-open", {"Content-Type": JSON}, b"true", 400, 400, "json: cannot unmarshal bool into Go value of type map[string]interface {}"),
    ("/github-open", {"Content-Type": JSON}, b"-1", 400, 400, "json: cannot unmarshal number into Go value of type map[string]interface {}"),
    ("/github-open", {"Content-Type": JSON}, b"", 400, 400, "unexpected end of JSON input"),
    ("/github-open", {"Content-Type": JSON}, b"{", 400, 400, "unexpected end of JSON input"),
    ("/github-open", {"Content-Type": JSON}, b"{}x", 400, 400, "invalid character 'x' after top-level value"),
    ("/github-open", {"Content-Type": JSON}, b"[" * 10001, 400, 400, None),
    ("/github-open", {"Content-Type": FORM}, b"other={}", 400, 400, "unexpected end of JSON input"),
    ("/github-open", {"Content-Type": FORM}, b"payload=%zz", 400, 400, None),
    ("/github-open", {"Content-Type": FORM}, b"payload={}&a=%", 400, 400, None),
    ("/github-open", {"Content-Type": FORM}, b"payload={};a=1", 400, 400, None),
    ("/github-open", {}, b"{}", 415, 400, "mime: no media type"),
    ("/github-open", {"Content-Type": "text/plain"}, b"{}", 415, 400, 'webhook request has unsupported Content-Type "text/plain"'),
    ("/github", {"Content-Type": JSON}, GITHUB_PUSH, 401, 400, "missing signature"),
    ("/github", {"Content-Type": JSON, "X-Hub-Signature-256": "sha256=00"}, GITHUB_PUSH, 401, 400, "payload signature check failed"),
    ("/github", {"Content-Type": JSON, "X-Hub-Signature": "sha256=00"}, b"x" * 100001, 413, 400, "http: request body too large"),
    ("/gitlab-open", {}, b"", 400, 400, "invalid event"),
    ("/gitlab-open", {}, b"{,}", 400, 400, "invalid event"),
    ("/gitlab", {}, GITLAB_PUSH, 401, 400, "token mismatch"),
    ("/gitlab", {"X-Gitlab-Token": SECRET}, b'"' + b"x" * 100000, 413, 400, "http: request body too large"),
    ("/bitbucket-open", {}, b"nul", 400, 400, "invalid event"),
    ("/bitbucket", {"X-Hub-Signature": sign(b"nul")}, b"nul", 400, 400, "invalid event"),
    ("/server", {"X-Hub-Signature": "short"}, b"{}", 401, 400,
     "failed to validate bitbucketserver webhook request: hmac verification failed"),
    ("/server", {}, b"{}", 401, 400, "failed to validate bitbucketserver webhook request: missing signature header"),
    ("/server", {"X-Hub-Signature": sign(b"x")}, b"x", 400, 400, "invalid event"),
    ("/split", {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": sign(b"null")}, b"null", 400, 400, None),
    ("/split", {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": sign(b'{"changes":{}}')}, b'{"changes":{}}', 400, 400, None),
    ("/split", {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": sign(b'{"changes":[],"changes":[1]}')},
     b'{"changes":[],"changes":[1]}', 400, 400, None),
    ("/gerrit", {}, b"x", 400, 400, "invalid event"),
    ("/gerrit", {}, b"[" + b" " * 100000 + b"]", 413, 400, "http: request body too large"),
    ("/github-unreadable", github(), GITHUB_PUSH, 503, 500, "Error loading auth token"),
]


@pytest.mark.parametrize("compat", ["improved", "strict"])
def test_crafted_requests_get_their_status_and_store_nothing(hosts, compat):
    h = hosts(f"    compat: {compat}")
    for path, fields, body, status, strict, text in CRAFTED:
        answer = h.post(path, body, fields)
        assert answer.status_code == (strict if compat == "strict" else status), (path, body[:40], answer.text)
        if compat == "strict" and text:
            assert answer.text == text, (path, body[:40])
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) > 0
        if answer.status_code == 415:
            assert answer.headers["Accept-Post"] == f"{JSON}, {FORM}"
        assert "\n" not in answer.text
    assert h.events() == []
    assert h.post("/gerrit", GERRIT_PATCHSET).status_code == 200  # alive


# ---- secrets that change -----------------------------------------------------------------------------------------------


def answers(h, secret):
    statuses = {h.post("/github", GITHUB_PUSH, {**github(), "X-Hub-Signature-256": sign(GITHUB_PUSH, secret=secret)}).status_code,
                h.post("/gitlab", GITLAB_PUSH, {"X-Gitlab-Token": secret}).status_code,
                h.post("/server", SERVER_PUSH, {"X-Hub-Signature": sign(SERVER_PUSH, secret=secret)}).status_code}
    assert len(statuses) == 1, statuses
    return statuses.pop()


def test_old_and_new_secret_are_both_right_for_the_overlap(hosts):
    h = hosts("    secretOverlap: 1h")
    assert (answers(h, SECRET), answers(h, "second")) == (200, 401)
    h.rotate("second\n")
    wait_until(lambda: h.post("/gitlab", GITLAB_PUSH, {"X-Gitlab-Token": "second"}).status_code == 200, "the new secret counts")
    wait_until(lambda: answers_settled(h, "second"), "on every route")
    assert answers(h, SECRET) == 200
    h.g.process.send(1)  # a reload does not end it
    wait_until(lambda: "the configuration was reloaded" in h.g.process.output(), "reloaded")
    assert (answers(h, SECRET), answers(h, "second"), answers(h, "third")) == (200, 200, 401)
    h.rotate("third")
    wait_until(lambda: answers_settled(h, "third"), "the third secret counts")
    assert answers(h, "second") == 200
    wait_until(lambda: answers_settled(h, SECRET, 401), "only the one before is kept")


def answers_settled(h, secret, status=200):
    """Each route looks at its file within a second."""
    try:
        return answers(h, secret) == status
    except AssertionError:
        return False


def test_without_an_overlap_the_old_secret_ends_at_once(hosts):
    h = hosts("    secretOverlap: 0s")
    assert answers(h, SECRET) == 200
    h.rotate("second")
    wait_until(lambda: answers_settled(h, "second"), "the new secret counts")
    assert answers(h, SECRET) == 401


def test_an_overlap_is_over_after_its_time(hosts):
    h = hosts("    secretOverlap: 2s")
    assert answers(h, SECRET) == 200
    h.rotate("second")
    wait_until(lambda: answers_settled(h, "second"), "the new secret counts")
    wait_until(lambda: answers_settled(h, SECRET, 401), "the overlap is over")


# ---- switches -----------------------------------------------------------------------------------------------------------


def test_secrets_in_fields_are_published_only_when_asked(hosts):
    h = hosts("    maskSecrets: false")
    assert h.post("/gitlab", GITLAB_PUSH, {"X-Gitlab-Token": SECRET, "Authorization": "x"}).status_code == 200
    assert h.post("/github", GITHUB_PUSH, github()).status_code == 200
    gitlab, github_event = (event["data"]["headers"] for event in h.events())
    assert (gitlab["X-Gitlab-Token"], gitlab["Authorization"]) == ([SECRET], [MASK])
    assert github_event["X-Hub-Signature-256"] == [sign(GITHUB_PUSH)]


# ---- Bitbucket Data Center ------------------------------------------------------------------------------------------------


def test_a_push_becomes_one_event_for_each_change(hosts):
    h = hosts()
    fields = {"X-Event-Key": "repo:refs_changed", "X-Request-Id": "r1", "X-Hub-Signature": sign(SERVER_PUSH)}
    for _ in range(2):
        assert (h.post("/split", SERVER_PUSH, fields).status_code, h.post("/split", SERVER_PUSH, fields).text) == (200, "success")
    push = json.loads(SERVER_PUSH)
    events = h.events()
    assert [event["id"] for event in events] == ["hosts/server-split r1.1", "hosts/server-split r1.2"]
    for event, change in zip(events, push["changes"], strict=True):
        assert event["data"]["body"] == {**push, "changes": [change]}
        assert list(event["data"]["body"]) == list(push) and event["data"]["metadata"] == {"k": "v"}
    for body, key in ((b'{"changes":[]}', "repo:refs_changed"), (b'{"a":1}', "repo:refs_changed"), (SERVER_PUSH, "pr:opened")):
        before = len(h.events())
        assert h.post("/split", body, {"X-Event-Key": key, "X-Hub-Signature": sign(body)}).status_code == 200
        assert [event["data"]["body"] for event in h.events()[before:]] == [json.loads(body)]


def test_a_push_of_very_many_changes_cannot_blow_up(hosts):
    h = hosts()
    body = b'{"pad":"' + b"x" * 3000 + b'","changes":[' + b",".join([b"1"] * 100000) + b"]}"
    answer = h.post("/split", body, {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": sign(body)})
    assert (answer.status_code, "too many changes" in answer.text) == (413, True)
    body = b'{"pad":"' + b"x" * 1000 + b'","changes":[' + b",".join([b"1"] * 5000) + b"]}"
    assert h.post("/split", body, {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": sign(body)}).status_code == 200
    assert len(h.events()) == 5000


def test_the_test_button_of_bitbucket_is_answered_but_is_no_event(hosts):
    h = hosts()
    ping = {"X-Event-Key": "diagnostics:ping"}
    assert (h.post("/server", b'{"test":true}', ping).status_code, h.post("/server", b"", ping).text) == (200, "success")
    assert h.events() == []
    assert h.post("/server", b"{}", {**ping, "X-Hub-Signature": "sha256=00"}).status_code == 401
    signed = {**ping, "X-Hub-Signature": sign(b'{"test": true}')}
    assert h.post("/server", b'{"test": true}', signed).status_code == 200
    assert [event["data"]["body"] for event in h.events()] == [{"test": True}]


class Pulls(http.server.BaseHTTPRequestHandler):
    """Bitbucket's answers: the state of the pull request that each commit is in."""

    def do_GET(self):
        commit = self.path.split("/")[9]
        self.server.asked.append((self.path, self.headers["Authorization"]))
        states = self.server.states.get(commit)
        if states == "hang":
            self.server.released.wait(60)
        body = json.dumps({"size": 1, "values": [{"id": 1, "state": s} for s in states or []]}).encode()
        self.send_response(500 if states is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # who asked has gone
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def pulls():
    """A Bitbucket that knows .states of commits and remembers what was .asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pulls)
    server.asked, server.states, server.released = [], {}, threading.Event()
    server.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def push_of(*changes):
    """A push whose changes are (hash, type of ref, type)."""
    return json.dumps({"repository": {"slug": "repo", "project": {"key": "PROJ"}}, "x": 1,
                       "changes": [{"ref": {"type": ref}, "toHash": to, "type": kind} for to, ref, kind in changes]}).encode()


def test_branches_in_an_open_pull_request_are_left_out(hosts, pulls):
    h = hosts(asked=pulls.port)
    pulls.states = {"a1": ["MERGED", "OPEN"], "b2": ["DECLINED"], "c3": [], "d4": ["OPEN"]}
    fields = {"X-Event-Key": "repo:refs_changed"}
    body = push_of(("a1", "BRANCH", "UPDATE"), ("b2", "BRANCH", "UPDATE"), ("c3", "BRANCH", "ADD"), ("d4", "BRANCH", "DELETE"),
                   ("d4", "TAG", "ADD"), ("../../evil", "BRANCH", "ADD"))
    kept = json.loads(body)["changes"][1:]
    assert h.post("/skip", body, {**fields, "X-Request-Id": "p1"}).status_code == 200
    assert h.post("/skip-split", body, {**fields, "X-Request-Id": "p2"}).status_code == 200
    events = h.events()
    assert [event["id"] for event in events] == ["hosts/server-skip p1"] + [f"hosts/server-skip-split p2.{i + 1}" for i in range(5)]
    assert events[0]["data"]["body"] == {**json.loads(body), "changes": kept}
    assert [event["data"]["body"]["changes"] for event in events[1:]] == [[change] for change in kept]
    expected = [f"/rest/api/1.0/projects/PROJ/repos/repo/commits/{c}/pull-requests?limit=100" for c in ("a1", "b2", "c3")]
    assert pulls.asked == [(path, "Bearer " + SECRET) for path in expected * 2]
    only = push_of(("a1", "BRANCH", "UPDATE"))
    assert (h.post("/skip", only, fields).status_code, h.post("/skip", only, fields).text) == (200, "success")
    assert len(h.events()) == 6


def test_what_bitbucket_cannot_be_asked_for_is_kept(hosts, pulls):
    h = hosts("    deadline: 8s", asked=pulls.port)
    pulls.states = {"slow": "hang", "open": ["OPEN"]}
    bodies = [push_of(("bad", "BRANCH", "ADD")), push_of(("slow", "BRANCH", "ADD")), b'{"changes":[{"toHash":"open"}]}',
              b'{"changes":[1,null,"x",{}]}', push_of(("open", "BRANCH", "ADD")).replace(b'"PROJ"', b'"../x"')]
    for body in bodies:
        answer = h.post("/skip", body, {"X-Event-Key": "repo:refs_changed"})
        assert (answer.status_code, answer.text) == (200, "success"), body
    assert [event["data"]["body"] for event in h.events()] == [json.loads(body) for body in bodies]
    assert "could not be asked" in h.g.process.output() and SECRET not in h.g.process.output()


# ---- when it cannot be stored ---------------------------------------------------------------------------------------------


def with_bus(hosts, server):
    """Hosts in front of a nats-server, which is up; every event is acknowledged by it."""
    h = hosts("    ack: bus", start=False)
    h.g.file.write_text(h.g.file.read_text() + f"""---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec:
  jetstreamExotic: {{url: "{server.url}"}}
""")
    h.g.start()
    wait_until(lambda: h.post("/gerrit", b"0").status_code == 200, "the bus takes it")
    return h


def test_on_the_bus_an_event_stands_once_for_each_endpoint(hosts, nats):
    """Under an id of its own: a Sensor that waits for both goes by the id alone."""
    server = nats()
    h = with_bus(hosts, server)
    push = {"X-Event-Key": "repo:refs_changed", "X-Request-Id": "r1", "X-Hub-Signature": sign(SERVER_PUSH)}
    for _ in range(2):
        assert h.post("/github", GITHUB_PUSH, github(delivery="d1")).status_code == 200
        assert h.post("/github-open", GITHUB_PUSH, github(delivery="d1")).status_code == 200
        assert h.post("/split", SERVER_PUSH, push).status_code == 200
    with Nats(server.port) as bus:
        messages = [m for m in bus.messages() if m.subject != "default.hosts.gerrit-open"]
    assert [(m.subject, m.event["id"]) for m in messages] == [
        ("default.hosts.github-signed", "hosts/github-signed d1"),
        ("default.hosts.github-open", "hosts/github-open d1"),
        ("default.hosts.server-split", "hosts/server-split r1.1"),
        ("default.hosts.server-split", "hosts/server-split r1.2")]
    assert [m.msg_id for m in messages] == [m.event["id"].replace(" ", "%20") for m in messages]
    assert all(list(m.event) == ["specversion", "id", "source", "type", "subject", "datacontenttype", "time", "data_base64"]
               for m in messages)


def test_no_success_when_the_bus_is_away(hosts, nats):
    server = nats()
    h = with_bus(hosts, server)
    server.kill()
    wait_until(lambda: h.post("/gerrit", GERRIT_PATCHSET).status_code == 500, "the bus is away")
    for path, fields, body, _ in [("/github", github(), GITHUB_PUSH, ""), *GOOD]:
        answer = h.post(path, body, {"Content-Type": JSON, **fields})
        assert (answer.status_code, answer.text) == (500, "failed to record event"), path
    server.restart()
    wait_until(lambda: h.post("/github", GITHUB_PUSH, github()).status_code == 200, "the bus takes it again")


def test_no_success_when_the_store_is_full(hosts):
    h = hosts("    limits: {storeSize: 1MiB}")
    body = json.dumps({"pad": "x" * 60000}).encode()
    wait_until(lambda: h.post("/gerrit", body).status_code == 503, "the store is full")
    for path, fields, sample, _ in [("/github", github(), GITHUB_PUSH, ""), *GOOD]:
        answer = h.post(path, sample, {"Content-Type": JSON, **fields})
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, path
