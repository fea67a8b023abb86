"""Requests whose signatures stand in the documentation of those who sign: taken as signed, and with one byte changed not.

A signature of years ago is right and too old: then the answer says so, and says it to nobody else. Stripe and Amazon publish SDKs
instead (test_providers_sdk.py); Bitbucket Data Center signs as Bitbucket Cloud does; Gerrit and StorageGRID sign nothing.
"""

import collections

import pytest
from test_providers_saas import COMMAND, FORM, JSON, SECRETS, SLACK, post, rows, served  # noqa: F401

# kind      key under spec; `event` its manifest
# says      the answer to what is rightly signed
Vector = collections.namedtuple("Vector", "kind event body fields signature says")

HUB = "the body must be one JSON value"  # what is signed there is no event
OLD = "too old"
SERVER = "projects: [P], bitbucketserverBaseURL: https://bitbucket.example.com/rest, webhookSecret: {name: s, key: plain}"
STANDARD = "holdfast: {signature: standardWebhooks, signingSecrets: [{name: s, key: standard}]}"
GITLAB = ("events: [PushEvents], accessToken: {name: s, key: plain}, gitlabBaseURL: https://gitlab.example.com, "
          "holdfast: {signingToken: {name: s, key: standard}}")
TEST = b'{"test": 2432232314}'
STAMPED = {**JSON, "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}

VECTORS = {
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    "github": Vector("github", "organizations: [o], webhookSecret: {name: s, key: plain}", b"Hello, World!", JSON,
                     ("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), HUB),
    # https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
    "bitbucket": Vector("bitbucket", "repositories: [{owner: o, repositorySlug: r}], holdfast: {webhookSecret: {name: s, key: plain}}",
                        b"Hello World!", JSON,
                        ("X-Hub-Signature", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"), HUB),
    "bitbucketserver": Vector("bitbucketserver", SERVER, b"Hello World!", JSON,
                              ("X-Hub-Signature", "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"), HUB),
    # https://api.slack.com/authentication/verifying-requests-from-slack
    "slack": Vector("slack", SLACK, COMMAND, {**FORM, "X-Slack-Request-Timestamp": "1531420618"},
                    ("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"), OLD),
    # https://github.com/standard-webhooks/standard-webhooks (its libraries' tests), and GitLab's signing token is the same
    "webhook": Vector("webhook", STANDARD, TEST, STAMPED, ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), OLD),
    "gitlab": Vector("gitlab", GITLAB, TEST, STAMPED, ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), OLD),
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_published_signature_is_right_and_no_other_is(name, served):  # noqa: F811
    v = VECTORS[name]
    g = served(v.kind, v.event, inlined=v.kind == "webhook")
    field, value = v.signature

    def answer(body=v.body, signature=value):
        return post(g, body, {**v.fields, field: signature})

    assert v.says in answer()[1], answer()
    changed = value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1]
    for forged in (answer(signature=changed), answer(body=v.body[:-1] + b"?"), answer(body=v.body + b"\n"), answer(signature="")):
        assert forged[0] == 401 and v.says not in forged[1], forged
    assert rows(g) == []
    assert SECRETS["plain"] not in g.process.output()
