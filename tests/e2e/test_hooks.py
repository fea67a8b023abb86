"""Hooks at providers: made once, compared, changed, taken away; whatever the provider does, the listener serves.

The providers are fakehooks.py. Facts argo-events 1.2-1.10.
"""

import itertools
import json
import signal
import subprocess
import threading
import time

import pytest
import requests
from conftest import HOLDFAST, wait_until
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fakehooks import TOKEN, Answer, Bitbucket, BitbucketServer, Gerrit, GitHub, GitLab, Sns, StorageGrid, Stripe
from load import metric
from pki import Authority

URL = "https://events.example.com/base"
OURS = URL + "/hook"
SECRET = "hook-secret-that-nobody-may-log"
T = "{name: s, key: token}"
H = "{name: s, key: hook}"

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: hosts
spec:
  {kind}:
    push:
      webhook: {{port: "{port}", endpoint: /hook, url: "{url}/", method: POST}}
{keys}
      holdfast:
        hooks: {{url: "{base}", ca: {ca}, interval: {interval}}}
{ours}
  holdfast:
    dataDir: {data}
    secretsDir: {secrets}
    admin:
      address: 127.0.0.1:{admin}
"""


class Row:
    """A provider: its server, the event's keys, the same with another wish, and what is then to be found."""

    def __init__(self, kind, fake, base, keys, changed, places, ours="", deletes=True, secret=lambda hook: None):
        self.kind, self.fake, self.base, self.keys, self.changed = kind, fake, base, keys, changed
        self.places, self.ours, self.deletes, self.secret = places, ours, deletes, secret

    def __repr__(self):
        return self.kind


ROWS = [
    Row("github", GitHub, "/api/v3", f"""
      repositories: [{{owner: octo-org, names: [one, two]}}]
      events: [push, pull_request]
      active: true
      contentType: json
      apiToken: {T}
      webhookSecret: {H}
      deleteHookOnFinish: true""", ("[push, pull_request]", "[push]"), ["repos/octo-org/one", "repos/octo-org/two"],
        secret=lambda hook: hook["config"]["secret"]),
    Row("gitlab", GitLab, "/api/v4", f"""
      projects: [group/one, "42"]
      groups: [group]
      events: [TagPushEvents, NoteEvents]
      accessToken: {T}
      gitlabBaseURL: https://gitlab.invalid
      secretToken: {H}
      enableSSLVerification: true
      deleteHookOnFinish: true""", ("NoteEvents", "JobEvents"), ["projects/group/one", "projects/42", "groups/group"],
        secret=lambda hook: hook["token"]),
    Row("bitbucket", Bitbucket, "/2.0", f"""
      repositories: [{{owner: team, repositorySlug: one}}]
      owner: team
      repositorySlug: two
      events: ["repo:push", "pullrequest:created"]
      auth: {{oauthToken: {T}}}
      deleteHookOnFinish: true""", ('"repo:push", ', ""), ["team/one", "team/two"], ours=f"        webhookSecret: {H}",
        secret=lambda hook: hook["secret"]),
    Row("bitbucketserver", BitbucketServer, "/rest", f"""
      projects: [PRJ]
      repositories: [{{projectKey: OTHER, repositorySlug: x}}, {{projectKey: PRJ, repositorySlug: two}}]
      events: ["repo:refs_changed", "pr:opened"]
      accessToken: {T}
      webhookSecret: {H}
      bitbucketserverBaseURL: https://bitbucket.invalid/rest
      deleteHookOnFinish: true""", (', "pr:opened"', ""), ["PRJ/one", "PRJ/two", "PRJ/three", "OTHER/x"],
        secret=lambda hook: hook["configuration"]["secret"]),
    Row("gerrit", Gerrit, "", f"""
      hookName: ours
      projects: [all/tools, all]
      events: [patchset-created, ref-updated]
      auth: {{username: {{name: s, key: user}}, password: {T}}}
      gerritBaseURL: https://gerrit.invalid
      sslVerify: true
      maxTries: 3
      deleteHookOnFinish: true""", ("maxTries: 3", "maxTries: 4"), ["all/tools", "all"]),
    Row("stripe", Stripe, "", f"""
      createWebhook: true
      apiKey: {T}
      eventFilter: [invoice.paid, charge.failed]""", (", charge.failed", ""), ["account"], deletes=False),
    Row("storageGrid", StorageGrid, "/api/v3", f"""
      events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
      filter: {{prefix: "a<&b/", suffix: .png}}
      topicArn: "urn:ours"
      bucket: photos
      region: eu
      authToken: {T}
      apiURL: https://grid.invalid""", ("a<&b/", "c/"), ["endpoints"], deletes=False),
    Row("sns", Sns, "", """
      topicArn: arn:aws:sns:eu-west-1:123456789012:orders
      region: eu-west-1
      accessKey: {name: s, key: id}
      secretKey: {name: s, key: token}""", None, ["topic"], deletes=False),
]
GITHUB, SNS = ROWS[0], ROWS[-1]
each = pytest.mark.parametrize("row", ROWS, ids=repr)


class Scene:
    def __init__(self, tmp_path, gateway, free_port):
        self.tmp, self.make, self.ports = tmp_path, gateway, free_port
        self.authority = Authority(tmp_path / "pki")
        self.secrets = tmp_path / "secrets/s"
        self.secrets.mkdir(parents=True)
        for name, text in {"token": TOKEN, "hook": SECRET, "user": "user", "id": "AKID"}.items():
            (self.secrets / name).write_text(text + "\n")
        self.fakes, self.port = [], free_port()

    def fake(self, row):
        self.fakes.append(row.fake(self.port, self.authority))
        return self.fakes[-1]

    def gateway(self, row, change=None, name="gateway", interval="200ms", **options):
        g = self.make(name=name, **options)
        self.write(g, row, change, interval)
        return g

    def write(self, g, row, change=None, interval="200ms", url=URL):
        keys = row.keys.strip("\n").replace(*change) if change else row.keys.strip("\n")
        g.file.write_text(MANIFEST.format(kind=row.kind, keys=keys, port=g.port, url=url, data=g.data, secrets=self.secrets.parent,
                                          base=f"https://localhost:{self.port}{row.base}", ca=self.authority.cert,
                                          admin=g.admin_port, interval=interval, ours=row.ours))

    def hooks(self, command, g, *options, status=0):
        done = subprocess.run([HOLDFAST, "hooks", command, *options, g.file], capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stdout + done.stderr
        assert TOKEN not in done.stdout + done.stderr and SECRET not in done.stdout + done.stderr
        return done.stdout

    def rows(self, command, g, *options, status=0):
        return [json.loads(line) for line in self.hooks(command, g, "--json", *options, status=status).splitlines()]


@pytest.fixture
def scene(tmp_path, gateway, free_port):
    s = Scene(tmp_path, gateway, free_port)
    yield s
    for fake in s.fakes:
        fake.close()
        assert fake.complaints == []
    for log in tmp_path.glob("*.log"):
        assert TOKEN not in log.read_text() and SECRET not in log.read_text(), "a secret was logged"


def in_place(g, row):
    """Every wanted hook was found or made."""
    try:
        wanted, there = metric(g, "holdfast_hooks"), metric(g, "holdfast_hooks_in_place")
    except AssertionError:  # not counted yet
        return False
    return wanted and wanted == there


def wait_in_place(g, row):
    wait_until(lambda: in_place(g, row), f"hooks in place:\n{g.process.output()}")


def passes(fake, more=2):
    """That many further looks at every place."""
    at = len(fake.requests)
    wait_until(lambda: len(fake.requests) >= at + more * len(fake.hooks), "further looks")


# ---- for each provider ----------------------------------------------------------------------------------------------------


@each
def test_a_hook_is_made_once_and_left_alone(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row).start()
    wait_until(lambda: all(fake.hooks[p] for p in row.places), "made")
    wait_in_place(g, row)
    if row.kind == "sns":
        fake.hooks["topic"][0]["arn"] = "arn:aws:sns:eu-west-1:123456789012:orders:1"
    writes = len(fake.writes())
    passes(fake)
    assert [len(fake.hooks[p]) for p in row.places] == [1] * len(row.places)
    assert len(fake.writes()) == writes
    for hook in fake.all():
        assert OURS in json.dumps(hook)
        assert row.secret(hook) in (None, SECRET)
    assert "hook created" in g.process.output()


@each
def test_after_a_restart_nothing_is_written(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row)
    assert all(r["done"] for r in scene.rows("apply", g))
    if row.kind == "sns":
        fake.hooks["topic"][0]["arn"] = "arn:aws:sns:eu-west-1:123456789012:orders:1"
    before, writes = json.dumps(fake.hooks), len(fake.writes())
    for _ in range(2):
        g.start()
        wait_in_place(g, row)
        passes(fake, 1)
        g.process.kill()
    assert json.dumps(fake.hooks) == before
    assert len(fake.writes()) == writes


@pytest.mark.parametrize("row", [r for r in ROWS if r.changed], ids=repr)
def test_a_changed_manifest_changes_the_hook_and_makes_no_other(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row).start()
    wait_in_place(g, row)
    before, count = json.dumps(fake.hooks) + getattr(fake, "notification", ""), len(fake.all())
    scene.write(g, row, row.changed)
    g.process.send(signal.SIGHUP)
    wait_until(lambda: json.dumps(fake.hooks) + getattr(fake, "notification", "") != before, "changed")
    wait_until(lambda: {r["action"] for r in scene.rows("plan", g)} == {"none"}, "all of them")
    wait_in_place(g, row)
    passes(fake)
    writes = len(fake.writes())
    passes(fake)
    assert len(fake.all()) == count and len(fake.writes()) == writes
    assert "hook updated" in g.process.output()
    assert scene.rows("plan", g)[0]["action"] == "none"


@each
def test_hooks_of_others_are_left_alone_however_many_pages_they_fill(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row)
    assert all(r["done"] for r in scene.rows("apply", g))
    others = []
    for place in row.places:
        for n in range(5):
            other = json.loads(json.dumps(fake.hooks[place][0]).replace(OURS, f"https://others.example/{n}").replace("urn:ours", f"urn:{n}"))
            key = next(k for k in ("id", "uuid", "name", "arn") if k in other)
            other[key] = {"id": f"we_{n}" if row.kind == "stripe" else 100 + n, "uuid": "{%d}" % n, "name": f"n{n}", "arn": f"arn:{n}"}[key]
            others.append(other)
            fake.hooks[place].insert(0, other)
    writes = len(fake.writes())
    actions = {r["action"] for r in scene.rows("apply", g)}
    assert actions == ({"update"} if row.kind == "sns" else {"none"})  # SNS: confirmation is asked for again
    assert len(fake.writes()) == writes + (row.kind == "sns")
    assert {r["action"] for r in scene.rows("delete", g)} == ({"none"} if row.kind == "sns" else {"delete"})
    if row.kind != "sns":
        assert sorted(map(str, fake.all())) == sorted(map(str, others))


@each
def test_a_provider_that_is_down_holds_up_nobody_and_gets_its_hook_later(scene, row):
    g = scene.gateway(row, interval="100ms").start()
    assert requests.post(g.url, data="{}", headers={"Content-Type": "application/json"}, timeout=90).status_code < 600
    wait_until(lambda: "hook failed" in g.process.output(), "the log says so")
    assert not in_place(g, row)
    fake = scene.fake(row)
    wait_until(lambda: all(fake.hooks[p] for p in row.places), "made later")
    wait_in_place(g, row)
    assert [len(fake.hooks[p]) for p in row.places] == [1] * len(row.places)
    assert g.process.output().count("hook failed") <= 2 * (len(row.places) + 1), "a line for each story, not for each try"


@each
def test_a_dry_run_writes_nothing(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row)
    planned = scene.rows("plan", g)
    assert {r["action"] for r in planned} == {"create"} and not any(r["done"] for r in planned)
    assert all(r["url"] == OURS and r["event"] == "push" for r in planned)
    assert fake.writes() == [] and fake.all() == []
    assert scene.hooks("plan", g).splitlines()[-1] == f"0 in place, {len(planned)} to create"
    scene.hooks("apply", g)
    writes = len(fake.writes())
    if row.changed:
        scene.write(g, row, row.changed)
        assert "update" in {r["action"] for r in scene.rows("plan", g)}
    scene.rows("delete", g, "--dry-run")
    assert len(fake.writes()) == writes and fake.all()


@each
def test_hooks_are_deleted_on_finish_when_the_manifest_says_so(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row).start()
    wait_in_place(g, row)
    assert g.process.stop() == 0
    assert [len(fake.hooks[p]) for p in row.places] == [0 if row.deletes else 1] * len(row.places)


@each
def test_garbage_for_an_answer_creates_nothing(scene, row):
    fake = scene.fake(row)
    answers = iter(["", "<html>", "[1,{\"id\":{}},null", "null", "[[],{\"url\":1}]", "{\"data\":{}}", "{\"values\":3}"] * 100)

    def garbage(request):
        raise Answer(200, next(answers))

    fake.trouble = garbage
    g = scene.gateway(row, interval="100ms").start()
    wait_until(lambda: len(fake.requests) > 4, "several tries")
    if row.kind != "gerrit":  # `{..}` of anything is a remote with another address there
        assert fake.writes() == []
    fake.trouble = lambda request: None
    wait_until(lambda: all(fake.hooks[p] for p in row.places), "made after all")
    assert [len(fake.hooks[p]) for p in row.places] == [1] * len(row.places)


@pytest.mark.parametrize("row", [r for r in ROWS if r.kind != "sns"], ids=repr)
def test_an_answer_that_is_lost_after_the_making_makes_no_second_hook(scene, row):
    fake = scene.fake(row)
    lost = []

    def lose(request):
        if fake.is_write(request) and len(lost) < 2:
            lost.append(request)
            return "lose"
        return None

    fake.trouble = lose
    g = scene.gateway(row, interval="100ms").start()
    wait_until(lambda: len(lost) == 2 or in_place(g, row), "lost answers")
    wait_in_place(g, row)
    passes(fake)
    assert [len(fake.hooks[p]) for p in row.places] == [1] * len(row.places)


# ---- what only some have ----------------------------------------------------------------------------------------------------


def test_github_gets_what_upstream_would_send(scene):
    fake = scene.fake(GITHUB)
    g = scene.gateway(GITHUB, ("      deleteHookOnFinish: true", "      insecure: true"))
    scene.hooks("apply", g)
    assert fake.hooks["repos/octo-org/one"][0] == {
        "id": 1001, "name": "web", "active": True, "events": ["pull_request", "push"],
        "config": {"url": OURS, "content_type": "json", "insecure_ssl": "1", "secret": SECRET}}
    assert fake.requests[0].path == "/api/v3/repos/octo-org/one/hooks"


def test_github_organizations_and_apps(scene):
    key = rsa.generate_private_key(65537, 2048)
    (scene.secrets / "pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                                          serialization.NoEncryption()))
    fake = scene.fake(GITHUB)
    fake.app = (key.public_key(), 7, 8)
    g = scene.gateway(GITHUB, (f"apiToken: {T}", "githubApp: {privateKey: {name: s, key: pem}, appID: 7, installationID: 8}"))
    text = g.file.read_text().replace("repositories: [{owner: octo-org, names: [one, two]}]", "organizations: [octo-org]")
    g.file.write_text(text)
    g.start()
    wait_in_place(g, GITHUB)
    assert len(fake.hooks["orgs/octo-org"]) == 1
    logins = [r for r in fake.requests if "/app/" in r.path]
    assert len(logins) == 1, "a token is used as long as it is good"
    fake.installation_token = "ghs_another"  # the one before was taken back
    wait_until(lambda: len([r for r in fake.requests if "/app/" in r.path]) == 2, "logged in again")
    wait_in_place(g, GITHUB)


@pytest.mark.parametrize("limit", ["retry-after", "reset", "429"])
def test_a_rate_limit_is_kept_by_all_hooks_of_the_account(scene, limit):
    fake = scene.fake(GITHUB)
    hits = []

    def trouble(request):
        hits.append(time.monotonic())
        if len(hits) > 1:
            return
        if limit == "retry-after":
            raise Answer(403, {"message": "You have exceeded a secondary rate limit"}, Retry_After=3)
        if limit == "reset":
            raise Answer(403, {"message": "API rate limit exceeded"}, X_RateLimit_Remaining=0, X_RateLimit_Reset=int(time.time()) + 2)
        raise Answer(429, None, Retry_After=3)

    fake.trouble = trouble
    g = scene.gateway(GITHUB, interval="100ms").start()
    wait_in_place(g, GITHUB)
    assert hits[1] - hits[0] >= 1.9, "nobody asked before"
    assert "too many requests" in g.process.output()


@pytest.mark.parametrize("status", [500, 502, 408])
def test_a_provider_that_is_not_well_is_asked_again_until_it_is(scene, status):
    fake = scene.fake(GITHUB)
    tries = itertools.count(1)

    def trouble(request):
        if next(tries) <= 5:
            raise Answer(status, "<html>oops</html>")

    fake.trouble = trouble
    g = scene.gateway(GITHUB, interval="100ms").start()
    wait_in_place(g, GITHUB)
    assert len(fake.all()) == 2
    assert metric(g, "holdfast_hook_failures_total") >= 5


def test_the_last_request_of_an_hour_is_not_followed_by_another(scene):
    fake = scene.fake(GITHUB)
    hits = []
    send = fake.send

    def last(handler, answer):
        hits.append(time.monotonic())
        if len(hits) == 1:
            answer.fields.update({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 3)})
        send(handler, answer)

    fake.send = last
    g = scene.gateway(GITHUB).start()
    wait_in_place(g, GITHUB)
    assert hits[1] - hits[0] >= 2


def test_a_person_is_told_what_the_provider_refuses(scene):
    fake = scene.fake(GITHUB)
    (scene.secrets / "token").write_text("wrong")
    g = scene.gateway(GITHUB)

    def errors(command):
        return [r["error"] for r in scene.rows(command, g, status=1)]

    assert errors("plan") == ["look: the answer was 401: Bad credentials"] * 2
    (scene.secrets / "token").unlink()
    assert ["cannot be read" in error for error in errors("plan")] == [True] * 2
    assert fake.all() == []
    (scene.secrets / "token").write_text(TOKEN)
    (scene.secrets / "hook").unlink()
    assert ["cannot be read" in error for error in errors("apply")] == [True] * 2
    assert fake.all() == [], "no hook without its secret"


def test_a_token_that_is_right_later_counts_without_a_restart(scene):
    fake = scene.fake(GITHUB)
    (scene.secrets / "token").write_text("wrong")
    g = scene.gateway(GITHUB, interval="100ms").start()
    wait_until(lambda: "401" in g.process.output(), "refused")
    (scene.secrets / "token").write_text(TOKEN)
    wait_in_place(g, GITHUB)
    assert len(fake.all()) == 2


@pytest.mark.parametrize("row", [r for r in ROWS if "hook}" in r.keys + r.ours], ids=repr)
def test_a_secret_that_changes_reaches_the_provider(scene, row):
    fake = scene.fake(row)
    g = scene.gateway(row).start()
    wait_in_place(g, row)
    (scene.secrets / "hook").write_text(SECRET + "-2")
    wait_until(lambda: all(row.secret(h) == SECRET + "-2" for h in fake.all()), "the new secret")
    passes(fake)
    writes = len(fake.writes())
    passes(fake)
    assert len(fake.writes()) == writes
    g.process.kill()
    (scene.secrets / "hook").write_text(SECRET + "-3")
    scene.hooks("apply", g, *([] if row.kind == "bitbucketserver" else ["--rewrite"]))
    assert all(row.secret(h) == SECRET + "-3" for h in fake.all())


@pytest.mark.parametrize("row", [ROWS[1], ROWS[2], ROWS[3]], ids=repr)
def test_two_gateways_that_start_at_once_leave_one_hook(scene, row):
    fake = scene.fake(row)
    fake.trouble = lambda request: time.sleep(0.3) if fake.is_write(request) else None  # so that they meet
    a = scene.gateway(row, name="a")
    b = scene.gateway(row, name="b")
    for g in (a, b):
        g.start()
    for g in (a, b):
        wait_in_place(g, row)
    wait_until(lambda: all(len(fake.hooks[p]) == 1 for p in row.places), "one of each is left")
    fake.trouble = lambda request: None
    passes(fake, 4)
    assert [len(fake.hooks[p]) for p in row.places] == [1] * len(row.places)
    assert {r["action"] for r in scene.rows("plan", a)} == {"none"}


def test_a_hook_that_somebody_deletes_or_changes_is_set_right(scene):
    fake = scene.fake(GITHUB)
    g = scene.gateway(GITHUB).start()
    wait_in_place(g, GITHUB)
    fake.hooks["repos/octo-org/one"].clear()
    fake.hooks["repos/octo-org/two"][0]["active"] = False
    wait_until(lambda: fake.hooks["repos/octo-org/one"] and fake.hooks["repos/octo-org/two"][0]["active"], "set right")
    scene.hooks("apply", g)
    assert len(fake.all()) == 2


def test_a_provider_that_does_not_keep_what_it_is_told_is_told_once(scene):
    fake = scene.fake(GITHUB)
    taken = fake.taken
    fake.taken = lambda body: {**taken(body), "active": False}
    g = scene.gateway(GITHUB).start()
    wait_in_place(g, GITHUB)
    passes(fake)
    assert len(fake.writes()) == 2
    assert "does not keep all that is written" in g.process.output()


def test_a_slow_provider_does_not_hold_up_another(scene, free_port):
    slow = scene.fake(GITHUB)
    slow_may_answer = threading.Event()
    slow.trouble = lambda request: slow_may_answer.wait(200)
    base, scene.port = scene.port, free_port()
    fast = scene.fake(ROWS[1])
    g = scene.gateway(ROWS[1])
    text = g.file.read_text()
    scene.port = base
    scene.write(g, GITHUB)
    other = g.file.read_text().split("spec:\n")[1].split("  holdfast:\n    dataDir")[0].replace("/hook,", "/other,").replace("push:\n", "other:\n", 1)
    g.file.write_text(text.replace("spec:\n", "spec:\n" + other, 1))
    g.start()
    wait_until(lambda: len(fast.all()) == 3, "the fast one's hooks")
    assert slow.all() == []
    assert g.process.stop() == 0, "and the gateway ends"
    slow_may_answer.set()


def test_a_stop_does_not_wait_for_a_provider_that_does_not_answer(scene):
    fake = scene.fake(GITHUB)
    g = scene.gateway(GITHUB).start()
    wait_in_place(g, GITHUB)
    may_answer = threading.Event()
    fake.trouble = lambda request: may_answer.wait(200)
    assert g.process.stop() == 0
    may_answer.set()


def test_what_a_reload_drops_is_deleted_when_the_manifest_says_so(scene):
    fake = scene.fake(GITHUB)
    g = scene.gateway(GITHUB).start()
    wait_in_place(g, GITHUB)
    scene.write(g, GITHUB, ("[one, two]", "[two]"))
    g.process.send(signal.SIGHUP)
    wait_until(lambda: not fake.hooks["repos/octo-org/one"], "deleted")
    passes(fake)
    assert len(fake.hooks["repos/octo-org/two"]) == 1
    assert metric(g, "holdfast_hooks") == metric(g, "holdfast_hooks_in_place") == 1


def test_new_repositories_of_a_project_get_a_hook_and_gone_ones_are_forgotten(scene):
    row = ROWS[3]
    fake = scene.fake(row)
    g = scene.gateway(row).start()
    wait_in_place(g, row)
    fake.hooks["PRJ/four"] = []
    wait_until(lambda: len(fake.hooks["PRJ/four"]) == 1, "its hook")
    del fake.hooks["PRJ/one"]
    wait_until(lambda: metric(g, "holdfast_hooks") == 4, "forgotten")
    wait_in_place(g, row)


def test_storagegrid_keeps_what_others_have_in_the_bucket(scene):
    row = ROWS[6]
    fake = scene.fake(row)
    block = "<TopicConfiguration><Id>theirs</Id><Topic>urn:of:others</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration>"
    fake.notification = f"<NotificationConfiguration>{block}</NotificationConfiguration>"
    g = scene.gateway(row)
    scene.hooks("apply", g)
    assert fake.notification == (
        f"<NotificationConfiguration>{block}<TopicConfiguration><Id>push</Id><Topic>urn:ours</Topic><Event>s3:ObjectCreated:*</Event>"
        "<Event>s3:ObjectRemoved:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a&lt;&amp;b/</Value></FilterRule>"
        "<FilterRule><Name>suffix</Name><Value>.png</Value></FilterRule></S3Key></Filter></TopicConfiguration></NotificationConfiguration>")
    assert fake.hooks["endpoints"] == [{"id": "1001", "authType": "anonymous", "insecureTLS": True, "displayName": "push",
                                        "endpointURI": OURS, "endpointURN": "urn:ours"}]
    assert {r["action"] for r in scene.rows("apply", g)} == {"none"}
    scene.hooks("delete", g)
    assert fake.notification == f"<NotificationConfiguration>{block}</NotificationConfiguration>" and not fake.hooks["endpoints"]
    fake.notification = "<NotificationConfiguration><QueueConfiguration/></NotificationConfiguration>"
    assert "would be lost" in scene.hooks("apply", g, status=1)
    assert fake.notification == "<NotificationConfiguration><QueueConfiguration/></NotificationConfiguration>"


def test_gitlab_behind_a_proxy_that_takes_link_away(scene):
    row = ROWS[1]
    fake = scene.fake(row)
    fake.proxy = True
    g = scene.gateway(row)
    scene.hooks("apply", g)
    for place in row.places:
        fake.hooks[place][:0] = [{"id": n, "url": f"https://others/{n}"} for n in range(5)]
    assert {r["action"] for r in scene.rows("apply", g)} == {"none"}


def test_a_certificate_of_somebody_else_gets_no_token(scene):
    fake = scene.fake(GITHUB)
    scene.authority = Authority(scene.tmp / "others", "others")
    g = scene.gateway(GITHUB)
    assert "certificate" in scene.rows("plan", g, "--timeout", "5", status=1)[0]["error"].lower()
    assert fake.requests == []


ROLE = "arn:aws:iam::123456789012:role/may-subscribe"
KEYS = "secretKey: {name: s, key: token}"


def test_a_topic_is_subscribed_to_as_the_role_of_the_manifest(scene):
    fake = scene.fake(SNS)
    fake.role = ROLE
    g = scene.gateway(SNS, (KEYS, KEYS + f"\n      roleARN: {ROLE}")).start()
    wait_until(lambda: fake.hooks["topic"], "subscribed")
    wait_in_place(g, SNS)

    def logins():
        return len([r for r in fake.requests if r.form["Action"] == ["AssumeRole"]])

    passes(fake)
    assert logins() == 1, "the keys of a role are used as long as they are good"
    fake.keys = ("ASIAOTHER", "other", "another-session")  # the ones before were taken back
    wait_until(lambda: logins() == 2, "the role was taken on again")
    passes(fake)
    assert logins() == 2 and len(fake.hooks["topic"]) == 1
    g.process.stop()
    assert "role-session-token" not in g.process.output() and "role/secret" not in g.process.output()


@pytest.mark.parametrize("lasts_s", [60, -3600])  # the second: a clock that is wrong
def test_keys_that_end_soon_are_used_once_each(scene, lasts_s):
    fake = scene.fake(SNS)
    fake.role, fake.lasts_s = ROLE, lasts_s
    g = scene.gateway(SNS, (KEYS, KEYS + f"\n      roleARN: {ROLE}")).start()
    wait_in_place(g, SNS)
    g.process.stop()
    actions = [r.form["Action"][0] for r in fake.requests]
    assert actions[0::2] == ["AssumeRole"] * len(actions[0::2]) and "AssumeRole" not in actions[1::2], actions


def test_a_role_that_is_not_given_is_told(scene):
    fake = scene.fake(SNS)
    fake.role = ROLE
    g = scene.gateway(SNS, (KEYS, KEYS + f"\n      roleARN: {ROLE}s"))
    row, = scene.rows("plan", g, status=1)
    assert "log in: " in row["error"] and "403" in row["error"] and "not yours" in row["error"], row
    assert fake.hooks["topic"] == []


def test_hooks_are_left_alone_when_the_manifest_says_so(scene):
    fake = scene.fake(GITHUB)
    g = scene.gateway(GITHUB)
    g.file.write_text(g.file.read_text().replace("hooks: {url", "hooks: {manage: false, url"))
    assert scene.hooks("plan", g) == "0 in place\n"
    assert fake.requests == []


def test_an_endpoint_that_is_a_template_is_no_address(scene):
    scene.fake(GITHUB)
    g = scene.gateway(GITHUB)
    g.file.write_text(g.file.read_text().replace("endpoint: /hook", "endpoint: '/hook/{x}'"))
    assert "template" in scene.hooks("plan", g, status=1)
    done = subprocess.run([HOLDFAST, "check-config", g.file], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0 and "the hook cannot be managed: the endpoint is a template" in done.stdout
