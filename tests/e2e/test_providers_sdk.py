"""Libraries and programs of others judge the same requests: Stripe's and Amazon's own SDKs, and the receiver `webhook`, which
many put behind GitHub. What they refuse is refused here, what they sign is taken, and what we sign they make the same way.

Only what Debian packages is used: GitHub, GitLab, Slack and Standard Webhooks have no library there that signs or verifies in a
language of these tests; their published vectors stand in test_providers_vectors.py and the unit tests.
"""

import hmac
import json
import random
import re
import socket
import time
import urllib.parse

import botocore.session
import pytest
import requests
import stripe
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from conftest import wait_until
from stripe.webhook import WebhookSignature
from test_providers_saas import (CHARGE, JSON, SECRETS, STRIPE, TOPIC, fake_sns, post, rows, send_sns, served,  # noqa: F401
                                 sns_event, sns_subscription)

WEBHOOK = "/usr/bin/webhook"

# ---- Stripe ---------------------------------------------------------------------------------------------------------------


def stripe_signed(body, secret="whsec_new", at=None):
    """The field as Stripe's SDK computes it."""
    t = int(time.time()) if at is None else at
    return f"t={t},v1=" + WebhookSignature._compute_signature(f"{t}.{body.decode()}", secret)


def stripe_accepts(body, field):
    for secret in ("whsec_old", "whsec_new"):
        try:
            stripe.Webhook.construct_event(body, field, secret)
            return True
        except (stripe.error.SignatureVerificationError, ValueError):
            pass
    return False


def test_what_stripes_sdk_signs_is_stored_and_is_the_same_event_to_it(served):  # noqa: F811
    g = served("stripe", STRIPE)
    field = stripe_signed(CHARGE)
    assert post(g, CHARGE, {**JSON, "Stripe-Signature": field}) == (200, "success")
    (own_id, data), = rows(g)
    sent = stripe.Webhook.construct_event(CHARGE, field, "whsec_new")
    stored = stripe.Event.construct_from(data["event"], None)
    assert stored.account == "" and stored.data.previous_attributes is None  # which Argo Events writes always
    del stored["account"], stored["data"]["previous_attributes"]
    assert (own_id, stored.to_dict_recursive()) == (sent.id, sent.to_dict_recursive())


def test_stripes_sdk_and_the_gateway_judge_alike(served):  # noqa: F811
    g = served("stripe", STRIPE)
    now = int(time.time())
    good, old = stripe_signed(CHARGE), stripe_signed(CHARGE, "whsec_old")
    signature = good.partition("v1=")[2]
    fields = [good, old, good + ",v0=00", good + "," + old.partition(",")[2], "v1=" + "0" * 64 + "," + good, stripe_signed(CHARGE, at=now - 290),
              stripe_signed(CHARGE, at=now - 310), stripe_signed(CHARGE, at=now - 10**6), stripe_signed(CHARGE, "other"), "",
              f"t={now}", f"t={now},v0={signature}", f"v1={signature}", f"t=,v1={signature}", f"t=x,v1={signature}", f"t={now},v1=",
              f"t={now + 1},v1={signature}", f"t={now},v1={signature[:-1]}", f"t={now},v1={signature}0", f"t={now};v1={signature}",
              stripe_signed(CHARGE + b" "), stripe_signed(CHARGE, ""), "t=0,v1=" + signature, ",", "=", "t,v1"]
    for field in fields:
        status, _ = post(g, CHARGE, {**JSON, "Stripe-Signature": field})
        assert (status == 200) == stripe_accepts(CHARGE, field), field
        assert status in (200, 401), field
    assert len(rows(g)) == 1


def test_what_stripes_sdk_refuses_is_refused_whatever_was_changed(served):  # noqa: F811
    """A field with any byte changed, doubled or gone: whenever the gateway takes it, the SDK does too."""
    g = served("stripe", STRIPE)
    rng, alphabet, taken = random.Random(4), "tv01=,;abcdef 9ABF", 0
    with requests.Session() as session:
        for _ in range(400):
            field = list(stripe_signed(CHARGE) + ",v0=" + "0" * 64)
            at = rng.randrange(len(field))
            field[at:at + rng.randrange(3)] = rng.choice([[], [rng.choice(alphabet)], field[at:at + 30]])
            text = "".join(field).strip()
            status = session.post(g.url, data=CHARGE, headers={**JSON, "Stripe-Signature": text}, timeout=90).status_code
            assert status in (200, 401), text
            taken += status == 200
            small = re.sub("(?<=v1=)[0-9A-F]+", lambda m: m[0].lower(), text, flags=re.I)  # the SDK reads small digits only
            assert status == 401 or stripe_accepts(CHARGE, small), text
    assert 0 < taken < 400


# ---- Amazon ---------------------------------------------------------------------------------------------------------------


def as_botocore_asks(base):
    """The ConfirmSubscription that Amazon's SDK would send: the members of its form."""
    caught = []
    client = botocore.session.Session().create_client("sns", region_name="eu-west-1", endpoint_url=base, verify=False, use_ssl=True,
                                                      aws_access_key_id="x", aws_secret_access_key="x")
    client.meta.events.register("before-sign.sns.ConfirmSubscription", lambda request, **_: caught.append(dict(request.data)))
    client.meta.events.register("before-send.sns.ConfirmSubscription", lambda request, **_: AWSResponse(
        request.url, 200, {}, Raw(b"<ConfirmSubscriptionResponse><ConfirmSubscriptionResult/></ConfirmSubscriptionResponse>")))
    client.confirm_subscription(TopicArn=TOPIC, Token="2336412f37")
    return caught[0]


class Raw:
    """The body of an answer, as botocore reads it."""

    def __init__(self, data):
        self.data = data

    def stream(self):
        yield self.data


def test_amazons_sdk_asks_and_signs_the_same(served, fake_sns):  # noqa: F811
    g = served("sns", sns_event(fake_sns, ", accessKey: {name: s, key: aws-id}, secretKey: {name: s, key: aws-key}"))
    assert send_sns(g, sns_subscription(fake_sns)) == (200, "")
    (text, headers), = [asked for asked in fake_sns.asked if isinstance(asked, tuple)]
    assert dict(urllib.parse.parse_qsl(text)) == as_botocore_asks(fake_sns.base)

    own = re.fullmatch(r"(AWS4-HMAC-SHA256) Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)", headers["Authorization"])
    lower = {name.lower(): value for name, value in headers.items()}
    signed = {name: lower[name] for name in own[3].split(";")}
    auth = SigV4Auth(Credentials(SECRETS["aws-id"], SECRETS["aws-key"]), "sns", "eu-west-1")
    request = AWSRequest("POST", fake_sns.base + "/", data=text.encode(), headers=signed)
    request.context["timestamp"] = lower["x-amz-date"]
    assert auth.signed_headers(auth.headers_to_sign(request)) == own[3]
    assert auth.scope(request) == own[2]
    assert auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) == own[4]


# ---- GitHub ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver(tmp_path, spawn, free_port):
    """The program `webhook` with three hooks, one for each algorithm; .accepts(algorithm, body, field)."""
    def hook(algorithm, field):
        rule = {"match": {"type": f"payload-hmac-{algorithm}", "secret": SECRETS["plain"],
                          "parameter": {"source": "header", "name": field}}}
        return {"id": algorithm, "execute-command": "/bin/true", "response-message": "taken", "trigger-rule": rule}

    file, port = tmp_path / "hooks.json", free_port()
    file.write_text(json.dumps([hook("sha1", "X-Hub-Signature"), hook("sha256", "X-Hub-Signature-256"), hook("sha512", "X-Hub-Signature-256")]))
    process = spawn("webhook", [WEBHOOK, "-hooks", file, "-ip", "127.0.0.1", "-port", port, "-verbose"])
    wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1), "webhook listens")

    def accepts(algorithm, body, headers):
        answer = requests.post(f"http://127.0.0.1:{port}/hooks/{algorithm}", data=body, headers={**JSON, **headers}, timeout=90)
        return answer.text == "taken"

    process.accepts = accepts
    return process


def test_another_receiver_of_github_judges_alike(served, receiver):  # noqa: F811
    g = served("github", "organizations: [o], webhookSecret: {name: s, key: plain}")
    body = b'{"ref": "refs/heads/main", "caf\xc3\xa9": "<&>"}'
    for algorithm, name in (("sha1", "X-Hub-Signature"), ("sha256", "X-Hub-Signature-256"), ("sha512", "X-Hub-Signature-256")):
        right = hmac.new(SECRETS["plain"].encode(), body, algorithm).hexdigest()
        other = hmac.new(b"other", body, algorithm).hexdigest()
        later = hmac.new(SECRETS["plain"].encode(), body + b" ", algorithm).hexdigest()
        verdicts = []
        for field in (f"{algorithm}={right}", f"{algorithm}={other}", f"{algorithm}={later}", f"{algorithm}={right[:-1]}", f"{algorithm}=",
                      f"{algorithm}={right[:-1]}g", f"{algorithm}={'0' * len(right)}", f"md5={right}"):
            verdicts.append(receiver.accepts(algorithm, body, {name: field}))
            status, _ = post(g, body, {**JSON, name: field})
            assert (status == 200) == verdicts[-1], (algorithm, field)
        assert verdicts == [True] + [False] * (len(verdicts) - 1), algorithm
