"""Slack, Stripe, StorageGRID, Amazon SNS and signed webhooks: what the provider sees and what a Sensor reads.

Requests are signed here by other code than ours: Python's hmac, cryptography's RSA and ed25519. Facts argo-events 1.2, 1.8-1.10;
Standard Webhooks 1.0.0.
"""

import base64
import datetime
import hmac
import http.server
import json
import random
import re
import resource
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest
import requests
from aws4 import signed_by
from conftest import HOLDFAST, wait_until
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from load import metric
from natsio import Nats
from pki import Authority

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
SECRETS = {
    "slack-signing": "8f742231b10e8888abcd99yyyzzz85a5",
    "slack-token": "xyzz0WbapA4vBCDEFasx0q6G",
    "stripe-old": "whsec_old",
    "stripe-new": "whsec_new",
    "standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "plain": "It's a Secret to Everybody",
    "aws-id": "AKIDEXAMPLE",
    "aws-key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:MyTopic"

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: saas
spec:
  {kind}:
{event}
  holdfast:
    dataDir: {data}
    secretsDir: {secrets}
    compat: {compat}
    deadline: 60s
    admin:
      address: 127.0.0.1:{admin}
"""


@pytest.fixture
def served(gateway, tmp_path):
    """served(kind, event, compat="improved"): a gateway with one event, `test`, at /hook."""
    secrets = tmp_path / "secrets/s"
    secrets.mkdir(parents=True)
    for name, text in SECRETS.items():
        (secrets / name).write_text(text + "\n")

    def start(kind, event, compat="improved", inlined=False):
        g = gateway()
        context = f'port: "{g.port}", endpoint: /hook, method: POST'
        lines = f"    test:\n      {{{context if inlined else 'webhook: {' + context + '}'}, {event}}}"
        g.secrets = secrets
        g.file.write_text(MANIFEST.format(kind=kind, event=lines, data=g.data, secrets=secrets.parent, compat=compat,
                                          admin=g.admin_port))
        return g.start()

    return start


def post(g, body, headers, method="POST"):
    response = requests.request(method, g.url, data=body, headers=headers, timeout=90)
    return response.status_code, response.text


def rows(g):
    """(the sender's id, data) of what is stored, in order."""
    out = subprocess.run([HOLDFAST, "tail", "--data-dir", g.data, "--json"], check=True, capture_output=True, timeout=60)
    return [(event["event"]["id"].removeprefix("saas/test "), event["event"]["data"]) for event in map(json.loads, out.stdout.splitlines())]


def now():
    return int(time.time())


def hex_hmac(secret, text, algorithm="sha256"):
    return hmac.new(secret.encode(), text, algorithm).hexdigest()


class NoSpace:
    """The gateway's files cannot grow (RLIMIT_FSIZE)."""

    def __init__(self, g):
        self.pid = g.process.pid

    def __enter__(self):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def __exit__(self, *_):
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def assert_refused_without_a_disk(g, send, stored):
    """No success while nothing can be stored; the same request again is stored when there is room."""
    with NoSpace(g):
        status, text = send()
        assert status == 503 and "success" not in text and "PublishResponse" not in text
        assert len(rows(g)) == stored
    wait_until(lambda: send()[0] == 200, "there is room again")
    assert len(rows(g)) == stored + 1


# ---- Slack ----------------------------------------------------------------------------------------------------------------

SLACK = "signingSecret: {name: s, key: slack-signing}, token: {name: s, key: slack-token}"
# Slack's own example, "Verifying requests from Slack".
COMMAND = (b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
           b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
           b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
           b"803a0bc887a14d10d2c447fce8b6703c")


def slack_headers(body, more=JSON, at=None, secret=SECRETS["slack-signing"], stamp=None):
    stamp = stamp if stamp is not None else str(at or now())
    return {**more, "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": "v0=" + hex_hmac(secret, b"v0:" + stamp.encode() + b":" + body)}


def slack_event(**more):
    return json.dumps({"token": SECRETS["slack-token"], "type": "event_callback", "event_id": "Ev08MFMKH6",
                       "event": {"type": "message", "text": "<a&b>", "n": 1}, **more}).encode()


def test_slack_events_become_type_and_data(served):
    g = served("slack", SLACK)
    body = slack_event()
    for _ in range(3):  # Slack's retries carry the same event_id
        assert post(g, body, slack_headers(body)) == (200, "success")
    new = slack_event(event={"type": "of_next_year", "x": [1.50]}, event_id="Ev2")
    assert post(g, new, slack_headers(new)) == (200, "success")
    assert g.events() == [
        b'{"type":"message","Data":{"type":"message","text":"\\u003ca\\u0026b\\u003e","n":1}}',
        b'{"type":"of_next_year","Data":{"type":"of_next_year","x":[1.5]}}',
    ]
    assert [i for i, _ in rows(g)] == ["Ev08MFMKH6", "Ev2"]


@pytest.mark.parametrize("compat", ["improved", "strict"])
def test_slack_challenge_is_answered_alone_and_only_to_slack(served, compat):
    g = served("slack", SLACK, compat)
    body = json.dumps({"token": SECRETS["slack-token"], "type": "url_verification", "challenge": "3eZ\u00e9<b>"}).encode()
    response = requests.post(g.url, data=body, headers=slack_headers(body), timeout=90)
    assert (response.status_code, response.content.decode()) == (200, "3eZ\u00e9<b>")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert post(g, body, JSON)[0] == 401
    assert post(g, body, slack_headers(body, secret="other"))[0] == 401
    assert rows(g) == []


def test_slack_forms_become_what_upstream_makes_of_them(served):
    g = served("slack", SLACK)
    interaction = {"type": "block_actions", "token": "t", "user": {"id": "U1"}, "actions": [{"value": "a=b&c"}]}
    payload = urllib.parse.urlencode({"payload": json.dumps(interaction)}).encode()
    for n, headers in enumerate((FORM, {"Content-Type": FORM["Content-Type"] + "; charset=utf-8"})):
        for body in (COMMAND, payload):
            signed = slack_headers(body, headers, at=now() - 100 * n)
            for _ in range(2):  # Slack would show words to the user
                assert post(g, body, signed) == (200, "")
    found = g.events()
    assert len(found) == len({i for i, _ in rows(g)}) == 4, "a request that came twice is one event"
    assert found[0] == (
        b'{"token":"xyzz0WbapA4vBCDEFasx0q6G","team_id":"T1DC2JH3J","team_domain":"testteamnow",'
        b'"is_enterprise_install":false,"channel_id":"G8PSS9T3V","channel_name":"foobar","user_id":"U2CERLKJA",'
        b'"user_name":"roadrunner","command":"/webhook-collect","text":"","response_url":"https://hooks.slack.com/commands/'
        b'T1DC2JH3J/397700885554/96rGlfmibIGlgcZRskXaIFfN","trigger_id":"398738663015.47445629121.'
        b'803a0bc887a14d10d2c447fce8b6703c","api_app_id":""}')
    assert json.loads(found[1]) == interaction
    probe = b"ssl_check=1&token=x"
    assert post(g, probe, slack_headers(probe, FORM)) == (200, "")
    assert len(g.events()) == len(found)


SLACK_REFUSED = [
    # body, fields of its own -> status and text, of `compat: strict`
    (b"{", JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (b"null", JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (b"[1]", JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (b"", JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (b'{"token":1,"type":"event_callback"}', JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (b'{"token":"wrong","type":"event_callback"}', JSON, 401, "failed to extract event, invalid verification token",
     500, "failed to extract event, invalid verification token"),
    (b'{"type":"event_callback"}', JSON, 401, "failed to extract event, invalid verification token",
     500, "failed to extract event, invalid verification token"),
    (slack_event(event=None), JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (slack_event(event={"no": "type"}), JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (slack_event(event={"type": 1}), JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (slack_event(type="url_verification"), JSON, 400, "failed to extract event, ", 500, "failed to extract event, "),
    (slack_event(type="unheard_of"), JSON, 400, "failed to extract event, its type", 200, "success"),
    (slack_event(type="app_rate_limited"), JSON, 200, "success", 200, "success"),
    (b"a=b", FORM, 400, "could not determine slack type from form parameters",
     500, "could not determine slack type from form parameters"),
    (b"payload=%zz", FORM, 400, "could not determine slack type from form parameters",
     500, "could not determine slack type from form parameters"),
    (b"payload=nojson", FORM, 400, "failed to parse interaction event, ", 500, "failed to parse interaction event, "),
    (b"payload=null", FORM, 400, "failed to parse interaction event, ", 500, "failed to parse interaction event, "),
]


@pytest.mark.parametrize("compat", ["improved", "strict"])
def test_what_slack_cannot_mean_is_refused(served, compat):
    g = served("slack", SLACK, compat)
    for body, headers, status, text, strict_status, strict_text in SLACK_REFUSED:
        got = post(g, body, slack_headers(body, headers))
        expected = (strict_status, strict_text) if compat == "strict" else (status, text)
        assert got[0] == expected[0] and got[1].startswith(expected[1]), (body, got)
    assert rows(g) == []


def test_slack_forgeries_learn_nothing(served):
    g = served("slack", SLACK)
    body = slack_event()
    good = slack_headers(body)
    right = good["X-Slack-Signature"]
    forgeries = [JSON, {**good, "X-Slack-Signature": ""}, {**good, "X-Slack-Signature": right[:-1]},
                 {**good, "X-Slack-Signature": "v0=" + "0" * 64}, {**good, "X-Slack-Signature": "v1" + right[2:]},
                 {**good, "X-Slack-Signature": right + "00"}, {**good, "X-Slack-Request-Timestamp": "1"},
                 slack_headers(body, secret="other"), slack_headers(body, stamp=str(now() * 10**9)),
                 slack_headers(body, stamp="-1"), slack_headers(body, stamp="99999999999999999999999"),
                 slack_headers(body, stamp=str(2**63 - 1)), slack_headers(body, at=now() - 400), slack_headers(body, at=now() + 400)]
    for headers in forgeries:
        status, text = post(g, body, headers)
        assert status == 401 and right[3:] not in text and not re.search("[0-9a-f]{32}", text), headers
    assert "too old" not in post(g, body, {**good, "X-Slack-Request-Timestamp": "1"})[1], "only who has the secret is told"
    assert "too old" in post(g, body, slack_headers(body, at=now() - 400))[1]
    assert post(g, body + b" ", good)[0] == 401
    assert rows(g) == []
    assert post(g, body, {**good, "X-Slack-Signature": "v0=" + right[3:].upper()})[0] == 200


def test_a_missing_slack_secret_lets_nobody_in_and_a_changed_one_counts(served):
    g = served("slack", SLACK)
    body = slack_event()
    (g.secrets / "slack-signing").write_text("rotated")
    wait_until(lambda: post(g, body, slack_headers(body, secret="rotated"))[0] == 200, "the new secret counts")
    assert post(g, body, slack_headers(body))[0] == 200, "the old one for a while as well"
    g.process.stop()
    (g.secrets / "slack-signing").write_text("")
    g.start()
    assert post(g, body, slack_headers(body, secret=""))[0] == 503
    assert post(g, body, JSON)[0] == 401


def test_slack_is_not_told_success_without_a_disk(served):
    g = served("slack", SLACK)
    body = slack_event()
    assert_refused_without_a_disk(g, lambda: post(g, body, slack_headers(body)), 0)


# ---- Stripe ---------------------------------------------------------------------------------------------------------------

STRIPE = "holdfast: {signingSecrets: [{name: s, key: stripe-old}, {name: s, key: stripe-new}]}"
CHARGE = (b'{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","api_version":"2019-02-19","created":1686089970,'
          b'"data":{"object":{"id":"ch_1","amount":1.50,"big":12345678901234567890}},"livemode":false,"pending_webhooks":0,'
          b'"request":{"id":null,"idempotency_key":null},"type":"charge.captured"}')


def stripe_headers(body, *secrets, at=None, more=""):
    t = str(at or now())
    signatures = "".join(f",v1={hex_hmac(s, t.encode() + b'.' + body)}" for s in secrets)
    return {**JSON, "Stripe-Signature": f"t={t}{signatures}{more}"}


def test_stripe_events_keep_upstreams_members_and_lose_none(served):
    g = served("stripe", STRIPE + ", metadata: {k: v}")
    for _ in range(2):
        assert post(g, CHARGE, stripe_headers(CHARGE, "whsec_new")) == (200, "success")
    assert g.events() == [
        b'{"event":{"account":"","id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","api_version":"2019-02-19",'
        b'"created":1686089970,"data":{"previous_attributes":null,"object":{"id":"ch_1","amount":1.50,'
        b'"big":12345678901234567890}},"livemode":false,"pending_webhooks":0,"request":{"id":null,"idempotency_key":null},'
        b'"type":"charge.captured"},"metadata":{"k":"v"}}']
    assert rows(g)[0][0] == "evt_1NG8Du2eZvKYlo2CUI79vXWy"


def test_stripe_signatures_of_any_secret_count_and_others_do_not(served):
    g = served("stripe", STRIPE)
    good = [stripe_headers(CHARGE, "whsec_old"), stripe_headers(CHARGE, "whsec_new"), stripe_headers(CHARGE, "x", "whsec_new"),
            stripe_headers(CHARGE, "whsec_new", more=",v0=00,v2=zz,"), stripe_headers(CHARGE, "whsec_new", at=now() - 250)]
    bad = [JSON, {**JSON, "Stripe-Signature": ""}, {**JSON, "Stripe-Signature": "t=,v1="}, stripe_headers(CHARGE),
           stripe_headers(CHARGE, "other"), stripe_headers(CHARGE, "whsec_new", at=now() - 400),
           stripe_headers(CHARGE, "whsec_new", at=now() + 400), stripe_headers(CHARGE, "whsec_new", more=",t=1"),
           stripe_headers(CHARGE + b" ", "whsec_new"), {**JSON, "Stripe-Signature": "v1=" + "a" * 64},
           {**JSON, "Stripe-Signature": stripe_headers(CHARGE, "whsec_new")["Stripe-Signature"][:-1]},
           {**JSON, "Stripe-Signature": ",".join(["v1=" + "0" * 64] * 100)}]
    for headers in bad:
        status, text = post(g, CHARGE, headers)
        assert status == 401 and not re.search("[0-9a-f]{32}", text), headers
    assert rows(g) == []
    for headers in good:
        assert post(g, CHARGE, headers)[0] == 200, headers
    assert len(rows(g)) == 1


@pytest.mark.parametrize("compat", ["improved", "strict"])
def test_stripe_filter_and_bodies_that_crash_upstream(served, compat):
    g = served("stripe", "eventFilter: [charge.captured]", compat)
    assert post(g, CHARGE, JSON) == (200, "success")
    other = CHARGE.replace(b"charge.captured", b"charge.failed")
    # Upstream answers 400, and Stripe sends the event for days.
    assert post(g, other, JSON) == ((200, "success") if compat == "improved" else (400, "invalid event"))
    for body in (b"null", b"[]", b"1", b"{", b"", b'{"id":1,"type":"charge.captured"}', b'{"type":["charge.captured"]}'):
        status, text = post(g, body, JSON)
        assert status == 400 and (compat == "improved" or text == "failed to parse the event"), body
    assert metric(g, "holdfast_gateway_filtered_total") == 1
    assert post(g, b"x" * (1 << 20) + b"x", JSON)[0] == (413 if compat == "improved" else 503)
    assert len(rows(g)) == 1


def test_stripe_is_not_told_success_without_a_disk(served):
    g = served("stripe", STRIPE)
    assert_refused_without_a_disk(g, lambda: post(g, CHARGE, stripe_headers(CHARGE, "whsec_new")), 0)


# ---- StorageGRID ------------------------------------------------------------------------------------------------------------

GRID = ("events: [\"s3:ObjectCreated:*\"], topicArn: \"urn:sgws:sns:us-east-1:1:t\", bucket: b, apiURL: \"https://grid\", "
        "authToken: {name: s, key: plain}, metadata: {k: v}")
ANSWER = re.compile(r'\n<PublishResponse xmlns="http://argoevents-sns-server/">\n    <PublishResult> \n        <MessageId>([0-9a-f-]{36})'
                    r'</MessageId> \n    </PublishResult> \n    <ResponseMetadata>\n       <RequestId>([0-9a-f-]{36})</RequestId>\n'
                    r'    </ResponseMetadata> \n</PublishResponse>\n')


def grid_message(key="images/a&b=c.png", sequencer="1", records=None):
    record = {"eventVersion": "2.0", "eventSource": "sgws:s3", "eventTime": "2020-01-01T00:00:00Z", "eventName": "ObjectCreated:Put",
              "responseElements": {"x-amz-request-id": "122047343"},
              "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1, "sequencer": sequencer}}}
    return json.dumps({"Records": [record] if records is None else records})


def grid_body(message):
    return urllib.parse.urlencode({"Action": "Publish", "Message": message, "TopicArn": "urn:sgws:sns:us-east-1:1:t",
                                   "Version": "2010-03-31"}).encode()


def test_storagegrid_gets_its_answer_and_the_whole_message_is_stored(served):
    g = served("storageGrid", GRID)
    message = grid_message()
    seen = set()
    for _ in range(2):
        response = requests.post(g.url, data=grid_body(message), headers=FORM, timeout=90)
        assert response.status_code == 200
        seen.update(ANSWER.fullmatch(response.text).groups())
    assert len(seen) == 4, "ids of their own for each answer"
    assert g.events() == [b'{"notification":{"Action":"Publish","Message":'
                          + json.dumps(json.loads(message), separators=(",", ":")).replace("&", "\\u0026").encode()
                          + b',"TopicArn":"urn:sgws:sns:us-east-1:1:t","Version":"2010-03-31"},"metadata":{"k":"v"}}']
    assert post(g, grid_body(grid_message(sequencer="2")), FORM)[0] == 200
    assert len(rows(g)) == 2


def test_storagegrid_filters_by_key_and_asks_whether_somebody_is_there(served):
    g = served("storageGrid", GRID + ", filter: {prefix: images/, suffix: .png}")
    assert requests.head(g.url, timeout=90).status_code == 200
    for key, records in (("other/a.png", None), ("images/a.jpg", None), ("", []), ("", [{}]), ("", [{"s3": 1}]), ("", {}), ("", 1)):
        status, text = post(g, grid_body(grid_message(key, records=records)), FORM)
        assert status == 200 and ANSWER.fullmatch(text), (key, records)
    assert rows(g) == []
    assert post(g, grid_body(grid_message("images/x.png")), FORM)[0] == 200
    assert len(rows(g)) == 1
    assert ANSWER.fullmatch(post(g, grid_body(grid_message("images/y.png", "3")), FORM)[1]), "also after a HEAD"


def test_storagegrid_bodies_that_mean_nothing_are_refused(served):
    g = served("storageGrid", GRID)
    for body in (b"", b"null", b"{}", b"Message=", b"Message=null", b"Message=%7B", b"Message=%zz", b"Message=[1]", b"Message=1;a=2",
                 b"Action=Publish&Version=1"):
        assert post(g, body, FORM)[0] == 400, body
    assert rows(g) == []


def test_storagegrid_is_not_told_success_without_a_disk(served):
    g = served("storageGrid", GRID)
    assert_refused_without_a_disk(g, lambda: post(g, grid_body(grid_message()), FORM), 0)


# ---- Amazon SNS -------------------------------------------------------------------------------------------------------------


class FakeSns(http.server.BaseHTTPRequestHandler):
    """Certificates, confirmations by GET and the API by POST, over real TLS; what was asked stands in server.asked."""

    def do_GET(self):
        self.server.asked.append(self.path)
        status, body = self.server.pages.get(self.path.split("?")[0], (404, b"none"))
        self.answer(status, body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((body.decode(), dict(self.headers)))
        self.answer(*self.server.pages.get("POST", (200, b"<ConfirmSubscriptionResponse/>")))

    def answer(self, status, body):
        self.server.may_answer.wait(self.server.patience_s)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "/elsewhere.pem")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Signer:
    """A signing key with its certificate."""

    def __init__(self, bits=2048, days=1):
        self.key = rsa.generate_private_key(65537, bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        start = datetime.datetime.utcnow() - datetime.timedelta(days=5)
        self.pem = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key()).serial_number(1)
                    .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=5 + days))
                    .sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def sign(self, message, version):
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        if message["Type"] != "Notification":
            names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        return base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()


@pytest.fixture
def fake_sns(tmp_path, free_port):
    authority = Authority(tmp_path / "pki")
    pair = authority.issue("localhost", hosts=["localhost"])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), FakeSns)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.base, server.ca, server.asked = f"https://localhost:{server.server_port}", authority.cert, []
    server.signer = Signer()
    server.pages = {"/cert.pem": (200, server.signer.pem), "/": (200, b"<ConfirmSubscriptionResponse/>")}
    server.may_answer, server.patience_s = threading.Event(), 200
    server.may_answer.set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.may_answer.set()
    server.shutdown()
    server.server_close()


def sns_event(fake, more="", own="", verify=True):
    return (f"topicArn: \"{TOPIC}\", region: eu-west-1, validateSignature: {str(verify).lower()}, endpoint: \"{fake.base}\", "
            f"holdfast: {{endpointCA: {fake.ca}{own}}}{more}")


def sns_message(fake, version="2", **more):
    message = {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
               "Subject": "My First Message", "Message": "Hello \u00fc\n<world>!", "Timestamp": "2012-05-02T00:54:06.655Z",
               "SignatureVersion": version, "SigningCertURL": fake.base + "/cert.pem", **more}
    message = {name: value for name, value in message.items() if value is not ...}
    message.setdefault("Signature", fake.signer.sign(message, version))
    return message


def sns_subscription(fake, **more):
    token = "2336412f37"
    url = f"{fake.base}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={token}"
    return sns_message(fake, **{"Type": "SubscriptionConfirmation", "Token": token, "SubscribeURL": url, "Subject": ..., **more})


SNS = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification"}


def send_sns(g, message):
    return post(g, message if isinstance(message, bytes) else json.dumps(message).encode(), SNS)


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_notifications_are_verified_and_stored_as_they_came(served, fake_sns, version):
    g = served("sns", sns_event(fake_sns, ", metadata: {k: v}"))
    message = sns_message(fake_sns, version)
    for _ in range(3):  # SNS's retries
        assert send_sns(g, message) == (200, "success")
    assert send_sns(g, sns_message(fake_sns, version, Subject=..., MessageId="2")) == (200, "success")
    assert fake_sns.asked == ["/cert.pem"], "one certificate, fetched once"
    (first, data), (second, _) = rows(g)
    assert (first, second) == (message["MessageId"], "2")
    assert list(data) == ["header", "body", "metadata"] and data["body"] == message
    assert data["header"]["X-Amz-Sns-Message-Type"] == ["Notification"]


def test_sns_forgeries_are_refused_and_lead_nowhere(served, fake_sns):
    g = served("sns", sns_event(fake_sns))
    good = sns_message(fake_sns)
    stranger = Signer()
    fake_sns.pages["/old.pem"] = (200, Signer(days=-1).pem)
    fake_sns.pages["/weak.pem"] = (200, Signer(bits=1024).pem)
    fake_sns.pages["/none.pem"] = (200, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    fake_sns.pages["/huge.pem"] = (200, fake_sns.signer.pem + b"x" * 70000)
    fake_sns.pages["/moved.pem"] = (302, b"")
    fake_sns.pages["/elsewhere.pem"] = (200, fake_sns.signer.pem)
    tampered = [{**good, "Message": "evil"}, {**good, "Subject": "evil"}, {**good, "MessageId": "3"}, {**good, "Timestamp": "x"},
                {**good, "Type": "UnsubscribeConfirmation"}, {**good, "SignatureVersion": "1"}, {**good, "SignatureVersion": "3"},
                {**good, "Signature": ""}, {**good, "Signature": "%%%"}, {**good, "Signature": good["Signature"][:-4]},
                {**good, "Signature": stranger.sign(good, "2")}, {k: v for k, v in good.items() if k != "Signature"},
                {k: v for k, v in good.items() if k != "SigningCertURL"}]
    for message in tampered:
        assert send_sns(g, message)[0] == 401, message
    for url in ("https://sns.eu-west-1.amazonaws.com/cert.pem", fake_sns.base.replace("https", "http") + "/cert.pem",
                fake_sns.base + "@evil/cert.pem", fake_sns.base + ".evil/cert.pem", fake_sns.base + "/cert.pem?x=.pem",
                fake_sns.base + "/../cert.pem", fake_sns.base + "/cert", fake_sns.base + "/a%2e.pem", "file:///etc/x.pem", "x"):
        assert send_sns(g, sns_message(fake_sns, SigningCertURL=url))[0] == 401, url
    assert set(fake_sns.asked) <= {"/cert.pem"}, "nothing else was asked for"
    for page in ("/missing.pem", "/old.pem", "/weak.pem", "/none.pem", "/huge.pem", "/moved.pem"):
        assert send_sns(g, sns_message(fake_sns, SigningCertURL=fake_sns.base + page))[0] == 400, page
    assert "/elsewhere.pem" not in fake_sns.asked
    body = json.dumps(good).encode()
    assert send_sns(g, body[:-1] + b',"Message":"evil"}')[0] == 400, "a name that stands twice"
    other = sns_message(fake_sns, TopicArn=TOPIC + "2")
    assert send_sns(g, other)[0] == 403
    assert rows(g) == []
    assert send_sns(g, good)[0] == 200


def test_sns_forgeries_get_upstreams_words_of_a_strict_gateway(served, fake_sns):
    g = served("sns", sns_event(fake_sns), "strict")
    good = sns_message(fake_sns)
    assert send_sns(g, {**good, "Message": "evil"}) == (400, "message signature check error, crypto/rsa: verification error")
    status, text = send_sns(g, sns_message(fake_sns, SigningCertURL="https://evil.example/a.pem"))
    assert status == 400 and text.startswith("failed to verify SigningCertURL")
    assert send_sns(g, good) == (200, "success")


def test_sns_takes_further_topics_that_are_named(served, fake_sns):
    more = TOPIC.replace("MyTopic", "More")
    g = served("sns", sns_event(fake_sns, own=f", moreTopics: [\"{more}\"]"))
    assert send_sns(g, sns_message(fake_sns, TopicArn=more)) == (200, "success")
    assert send_sns(g, sns_message(fake_sns, TopicArn=more + "2"))[0] == 403
    assert send_sns(g, sns_subscription(fake_sns, TopicArn=more, SubscribeURL=f"{fake_sns.base}/?Action=ConfirmSubscription&"
                                        f"TopicArn={more}&Token=t")) == (200, "")


@pytest.mark.parametrize("compat", ["improved", "strict"])
def test_sns_bodies_that_are_no_message_are_refused(served, fake_sns, compat):
    g = served("sns", sns_event(fake_sns, verify=False), compat)
    assert send_sns(g, b"null") == (400, "bad request, not a valid SNS notification")
    for body in (b"[]", b"{", b"", b"Type: Notification", b'{"Type":"Notification","MessageId":5}', b'{"Type":["Notification"]}',
                 b'{"Message":"\\ud800","Type":"Notification"}'):
        assert send_sns(g, body)[0] == 400, body
    assert send_sns(g, {"Type": "Other", "TopicArn": TOPIC})[0] == (400 if compat == "improved" else 200)
    assert send_sns(g, b'{"raw":1}')[0] == (400 if compat == "improved" else 200)
    assert rows(g) == []
    assert send_sns(g, {"Type": "Notification", "TopicArn": TOPIC, "Message": "unsigned"})[0] == 200
    assert send_sns(g, {"Type": "Notification", "TopicArn": "t"})[0] == (403 if compat == "improved" else 200)


def test_sns_waits_for_a_certificate_within_its_deadline_and_stops_nobody(served, fake_sns):
    g = served("sns", sns_event(fake_sns, own=", deadline: 8s"))
    fake_sns.may_answer.clear()
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(send_sns(g, sns_message(fake_sns, MessageId=str(n)))))
               for n in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: fake_sns.asked, "the certificate is asked for")
    assert requests.get(f"http://127.0.0.1:{g.port}/health", timeout=90).text == "OK"
    assert not results, "the loops go on"
    for thread in threads:
        thread.join()
    assert {status for status, _ in results} == {503} and rows(g) == []
    fake_sns.may_answer.set()
    wait_until(lambda: send_sns(g, sns_message(fake_sns))[0] == 200, "answered again")
    assert len(fake_sns.asked) <= 3, "not once for each message"


def test_sns_without_its_server_is_asked_again_later(served, fake_sns):
    g = served("sns", sns_event(fake_sns))
    fake_sns.pages["/cert.pem"] = (500, b"")
    begun, tries = time.monotonic(), 4
    assert {send_sns(g, sns_message(fake_sns))[0] for _ in range(tries)} == {503}
    assert len(fake_sns.asked) < tries or time.monotonic() - begun > 5 * (tries - 1), "left alone for some seconds"
    fake_sns.pages["/cert.pem"] = (200, fake_sns.signer.pem)
    wait_until(lambda: send_sns(g, sns_message(fake_sns))[0] == 200, "and asked again")


def test_a_gateway_that_stops_waits_for_sns_no_longer_than_seconds(served, fake_sns):
    g = served("sns", sns_event(fake_sns, own=", deadline: 1s"))
    fake_sns.may_answer.clear()
    thread = threading.Thread(target=lambda: send_sns(g, sns_message(fake_sns)))
    thread.start()
    wait_until(lambda: fake_sns.asked, "the certificate is asked for")
    assert g.process.stop() == 0  # SNS would answer later than this waits
    thread.join()


def test_sns_subscriptions_are_confirmed_through_their_url(served, fake_sns):
    g = served("sns", sns_event(fake_sns))
    message = sns_subscription(fake_sns)
    assert send_sns(g, message) == (200, "")
    assert fake_sns.asked == ["/cert.pem", message["SubscribeURL"][len(fake_sns.base):]]
    assert rows(g) == []
    gone = sns_subscription(fake_sns, Type="UnsubscribeConfirmation")
    assert send_sns(g, gone) == (200, "")
    assert len(fake_sns.asked) == 2, "an end is not undone"
    fake_sns.pages["/"] = (403, b"AuthorizationError")
    assert send_sns(g, message)[0] == 400
    fake_sns.pages["/"] = (500, b"")
    assert send_sns(g, message)[0] == 503, "SNS tries again"


@pytest.mark.parametrize("verify, compat", [(True, "improved"), (False, "improved"), (False, "strict")])
def test_sns_confirms_nothing_but_its_own_topic_at_its_own_server(served, fake_sns, verify, compat):
    g = served("sns", sns_event(fake_sns, verify=verify), compat)
    refused = 403 if compat == "improved" else 400
    base, query = fake_sns.base, f"Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
    for url in ("http://evil/?" + query, base.replace("https", "http") + "/?" + query, base + ".evil/?" + query,
                base + "@evil/?" + query, base + "/x?" + query, base + "/?" + query.replace("Confirm", "Un"),
                base + "/?" + query.replace("MyTopic", "Evil"), base + f"/?{query}&TopicArn=evil", base + f"/?{query}&Action=Publish",
                base + f"/?{query}&Topic%41rn=evil", base + "/", base + f"/?{query}#x", base + f"/?{query} x", ""):
        assert send_sns(g, sns_subscription(fake_sns, SubscribeURL=url))[0] == refused, url
    other = base + "/?" + query.replace("MyTopic", "Other")
    assert send_sns(g, sns_subscription(fake_sns, TopicArn=TOPIC.replace("MyTopic", "Other"), SubscribeURL=other))[0] == refused
    assert set(fake_sns.asked) <= {"/cert.pem"}


def test_sns_subscriptions_are_confirmed_through_the_api_with_credentials(served, fake_sns):
    keys = ", accessKey: {name: s, key: aws-id}, secretKey: {name: s, key: aws-key}"
    g = served("sns", sns_event(fake_sns, keys))
    assert send_sns(g, sns_subscription(fake_sns, SubscribeURL="http://evil/")) == (200, "")
    (request, headers), = fake_sns.asked[1:]
    assert dict(urllib.parse.parse_qsl(request)) == {"Action": "ConfirmSubscription", "Version": "2010-03-31", "TopicArn": TOPIC,
                                                     "Token": "2336412f37"}
    assert signed_by(SECRETS["aws-key"], request, headers) == (SECRETS["aws-id"], "eu-west-1")
    fake_sns.pages["POST"] = (400, b"InvalidParameter")
    assert send_sns(g, sns_subscription(fake_sns))[0] == 400
    (g.secrets / "aws-key").write_text("")
    wait_until(lambda: send_sns(g, sns_subscription(fake_sns))[0] == 503, "without its key nothing is confirmed")


def test_keys_that_take_on_a_role_confirm_nothing_themselves(served, fake_sns):
    g = served("sns", sns_event(fake_sns, ", roleARN: \"arn:aws:iam::1:role/r\", accessKey: {name: s, key: aws-id}, "
                                "secretKey: {name: s, key: aws-key}"))
    assert send_sns(g, sns_subscription(fake_sns)) == (200, "")
    assert fake_sns.asked[1:] == [f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"]


def test_a_server_with_another_certificate_is_not_believed(served, fake_sns, tmp_path):
    fake_sns.ca = Authority(tmp_path / "other").cert
    g = served("sns", sns_event(fake_sns))
    assert send_sns(g, sns_message(fake_sns))[0] == 503
    assert fake_sns.asked == []


def test_sns_is_not_told_success_without_a_disk(served, fake_sns):
    g = served("sns", sns_event(fake_sns))
    assert_refused_without_a_disk(g, lambda: send_sns(g, sns_message(fake_sns)), 0)


# ---- signed webhooks ----------------------------------------------------------------------------------------------------------


def standard_headers(body, secret=SECRETS["standard"], at=None, message_id="msg_1", name="webhook", more=""):
    t = str(at if at is not None else now())
    text = f"{message_id}.{t}.".encode() + body
    if isinstance(secret, ed25519.Ed25519PrivateKey):
        signature = "v1a," + base64.b64encode(secret.sign(text)).decode()
    else:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signature = "v1," + base64.b64encode(hmac.new(key, text, "sha256").digest()).decode()
    return {**JSON, f"{name}-id": message_id, f"{name}-timestamp": t, f"{name}-signature": more + signature}


STANDARD = "holdfast: {signature: standardWebhooks, signingSecrets: [{name: s, key: standard}, {name: s, key: public}]}"


def test_standard_webhooks_are_verified(served, tmp_path):
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    (tmp_path / "secrets/s/public").write_text("whpk_" + base64.b64encode(public).decode())
    g = served("webhook", STANDARD, inlined=True)
    body = b'{ "test" : 2432232314}'
    good = standard_headers(body)
    accepted = [good, standard_headers(body, name="svix", message_id="msg_2"), standard_headers(body, private, message_id="msg_3"),
                standard_headers(body, more="v1,AAAA v2,x v1a,zz ", message_id="msg_4"),
                standard_headers(body, at=now() - 200, message_id="msg_5"),
                standard_headers(body, private, message_id="msg_6", more=good["webhook-signature"] + " ")]
    for headers in accepted:
        assert post(g, body, headers) == (200, "success"), headers
    assert post(g, body, standard_headers(body, at=now() - 10)) == (200, "success"), "the sender's retry"
    assert [i for i, _ in rows(g)] == ["msg_1", "msg_2", "msg_3", "msg_4", "msg_5", "msg_6"]
    header = rows(g)[0][1]["header"]
    assert header["Webhook-Signature"] == ["*** Masked Auth Secret ***"] and header["Webhook-Id"] == ["msg_1"]

    other = ed25519.Ed25519PrivateKey.generate()
    empty = {name: value for name, value in good.items() if name != "webhook-timestamp"}
    refused = [JSON, empty, standard_headers(body, "whsec_AAAA"), standard_headers(body, other), standard_headers(body + b" "),
               standard_headers(body, at=now() - 400), standard_headers(body, at=now() + 400), standard_headers(body, at=-1),
               standard_headers(body, message_id="a.b"), {**good, "webhook-id": "msg_9"}, {**good, "webhook-timestamp": str(now() + 5)},
               {**good, "webhook-signature": good["webhook-signature"][3:]}, {**good, "webhook-signature": "v1,"},
               {**good, "webhook-signature": "v1a" + good["webhook-signature"][2:]},
               {**good, "webhook-signature": good["webhook-signature"][:-4]}, {**good, "webhook-signature": "v1," + "A" * 7000}]
    for headers in refused:
        assert post(g, body, headers)[0] == 401, headers
    assert post(g, b"not json", JSON)[0] == 401, "nothing is read before it was verified"
    assert post(g, b"not json", standard_headers(b"not json"))[0] == 400
    assert len(rows(g)) == 6


def test_a_secret_that_is_no_key_is_told_and_lets_nobody_in(served, tmp_path):
    (tmp_path / "secrets/s/public").write_text("whpk_AAAA")
    g = served("webhook", STANDARD, inlined=True)
    assert post(g, b"{}", standard_headers(b"{}"))[0] == 200, "the other secret is good"
    assert post(g, b"{}", standard_headers(b"{}", "whsec_AAAA"))[0] == 503


HMACS = [
    # holdfast.hmac, value of the field from the digest
    ("header: X-Hub-Signature-256, prefix: \"sha256=\"", "sha256", lambda d: "sha256=" + d.hex()),
    ("header: X-Shopify-Hmac-Sha256, encoding: base64", "sha256", lambda d: base64.b64encode(d).decode()),
    ("header: X-Signature, algorithm: sha1", "sha1", lambda d: d.hex()),
    ("header: X-Signature, algorithm: sha512, encoding: hex", "sha512", lambda d: d.hex()),
]


@pytest.mark.parametrize("settings, algorithm, write", HMACS, ids=[row[0] for row in HMACS])
def test_an_hmac_of_the_body_in_any_field_is_verified(served, settings, algorithm, write):
    event = (f"holdfast: {{signature: hmac, hmac: {{{settings}}}, idHeader: X-Delivery, "
             "signingSecrets: [{name: s, key: stripe-old}, {name: s, key: plain}]}")
    g = served("webhook", event, inlined=True)
    field = re.search(r"header: ([\w-]+)", settings)[1]

    def headers(body, key=SECRETS["plain"], **more):
        return {**JSON, "X-Delivery": "d-1", field: write(hmac.new(key.encode(), body, algorithm).digest()), **more}

    body = b'{"a":"b"}'
    right = headers(body)[field]
    for _ in range(2):
        assert post(g, body, headers(body)) == (200, "success")
    assert post(g, body, headers(body, SECRETS["stripe-old"], **{"X-Delivery": "d-2"})) == (200, "success")
    for bad in (JSON, headers(body, "other"), headers(body + b" "), {**JSON, field: ""}, {**JSON, field: right[:-2]},
                {**JSON, field: right + "00"}, {**JSON, field: "x" + right}, {**JSON, field: right[1:]}):
        assert post(g, body, bad)[0] == 401, bad
    assert [i for i, _ in rows(g)] == ["d-1", "d-2"]
    assert rows(g)[0][1]["header"][field] == ["*** Masked Auth Secret ***"]


def test_github_own_example_passes_the_generic_switch(served):
    g = served("webhook", "holdfast: {signature: hmac, hmac: {header: X-Hub-Signature-256, prefix: \"sha256=\"}, "
                          "signingSecrets: [{name: s, key: plain}]}", inlined=True)
    headers = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert post(g, b"Hello, World!", headers)[0] == 400, "signed, but no JSON"
    assert post(g, b"Hello, World?", headers)[0] == 401


# ---- all of them ----------------------------------------------------------------------------------------------------------------

EVENT_BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec: {{jetstreamExotic: {{url: {url}}}}}
"""


def test_one_message_to_two_endpoints_is_two_events_on_the_bus(served, fake_sns, nats):
    """SNS gives one MessageId to every subscriber; the ids of a stream are one space for all routes."""
    server = nats()
    g = served("sns", sns_event(fake_sns))
    g.process.stop()
    text = g.file.read_text()
    event = re.search(r"    test:\n.*\n", text)[0]
    again = event.replace("test:", "other:").replace("/hook", "/other")
    g.file.write_text(text.replace(event, event + again) + EVENT_BUS.format(url=server.url))
    g.start()
    message = json.dumps(sns_message(fake_sns)).encode()
    for _ in range(2):
        for path in ("/hook", "/other"):
            assert requests.post(f"http://127.0.0.1:{g.port}{path}", data=message, timeout=90).status_code == 200

    def stored():
        with Nats(server.port) as client:
            return client.messages() if client.stream() else []

    wait_until(lambda: len(stored()) == 2, "both are on the bus")
    assert [m.event["subject"] for m in stored()] == ["test", "other"]
    own_id = sns_message(fake_sns)["MessageId"]
    assert [m.event["id"] for m in stored()] == [f"saas/test {own_id}", f"saas/other {own_id}"]


@pytest.mark.parametrize("kind", ["slack", "stripe", "storageGrid", "sns"])
def test_while_the_bus_is_away_nobody_is_told_success(served, fake_sns, nats, kind):
    sends = {
        "slack": (SLACK, lambda: post(g, slack_event(), slack_headers(slack_event()))),
        "stripe": (STRIPE, lambda: post(g, CHARGE, stripe_headers(CHARGE, "whsec_new"))),
        "storageGrid": (GRID, lambda: post(g, grid_body(grid_message()), FORM)),
        "sns": (sns_event(fake_sns), lambda: send_sns(g, sns_message(fake_sns))),
    }
    event, send = sends[kind]
    server = nats()
    g = served(kind, event)
    g.process.stop()
    text = g.file.read_text().replace("    compat:", "    ack: bus\n    compat:")
    g.file.write_text(text + EVENT_BUS.format(url=server.url))
    g.start()
    wait_until(lambda: send()[0] == 200, "the bus takes it")
    server.stop()
    wait_until(lambda: send()[0] == 500, "the bus is away")
    for _ in range(3):
        status, answer = send()
        assert (status, answer) == (500, "failed to record event")
    server.restart()
    wait_until(lambda: send()[0] == 200, "the bus takes it again")


def mutations(body, count, rng):
    """The body cut, doubled, with bytes changed, and with values of other types."""
    values = [b"null", b"[]", b"{}", b"0", b"-1e999", b'""', b'"\\ud800"', b"[" * 50, b"true"]
    for _ in range(count):
        changed = bytearray(body)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(changed) + 1)
            kind = rng.randrange(4)
            if kind == 0:
                del changed[at:at + rng.randrange(1, 20)]
            elif kind == 1:
                changed[at:at] = changed[at:at + rng.randrange(1, 40)]
            elif kind == 2:
                changed[at:at + 1] = bytes([rng.randrange(256)])
            else:
                changed[at:at + rng.randrange(12)] = rng.choice(values)
        yield bytes(changed)


@pytest.mark.parametrize("kind", ["slack", "slack form", "stripe", "storageGrid", "sns"])
def test_no_body_brings_it_down(served, fake_sns, kind):
    """What crashes upstream is among these: a missing event, null, no records. Signed, so that every byte is looked at."""
    seeds = {
        "slack": (SLACK, slack_event(), slack_headers),
        "slack form": (SLACK, b"payload=" + urllib.parse.quote(json.dumps({"type": "block_actions", "x": [1]})).encode(),
                       lambda body: slack_headers(body, FORM)),
        "stripe": (STRIPE, CHARGE, lambda body: stripe_headers(body, "whsec_old")),
        "storageGrid": (GRID + ", filter: {suffix: .png}", grid_body(grid_message()), lambda body: FORM),
        "sns": (sns_event(fake_sns), json.dumps(sns_message(fake_sns)).encode(), lambda body: SNS),
    }
    event, seed, sign = seeds[kind]
    g = served(kind.split()[0], event)
    rng = random.Random(kind)
    with requests.Session() as session:
        statuses = set()
        for body in mutations(seed, 400, rng):
            statuses.add(session.post(g.url, data=body, headers=sign(body), timeout=90).status_code)
    assert statuses <= {200, 400, 401, 403}, statuses
    assert g.process.running() and post(g, seed, sign(seed))[0] == 200


# ---- manifests ----------------------------------------------------------------------------------------------------------------

WRONG = [
    # kind, event, what is said
    ("slack", "token: {name: s, key: t}", "signingSecret not provided"),
    ("slack", "signingSecret: {name: s, key: t}", "token not provided"),
    ("stripe", "createWebhook: true", "api key K8s secret selector not provided"),
    ("sns", "region: us-east-1", "must specify topic arn"),
    ("sns", "topicArn: t", "must specify region"),
    ("sns", "topicArn: t, region: x.evil/", "is not a region"),
    ("sns", "topicArn: t, region: eu-west-1, accessKey: {name: s, key: k}", "accessKey and secretKey go together"),
    ("sns", "topicArn: t, region: eu-west-1, roleARN: admin", "is not the ARN of a role"),
    ("sns", "topicArn: t, region: eu-west-1, endpoint: \"https://h/p?x\"", "is not an endpoint"),
    ("sns", "topicArn: t, region: eu-west-1, endpoint: \"http://h\", validateSignature: true", "could be anybody's"),
    ("storageGrid", GRID.replace("events", "event"), "event types must be provided"),
    ("storageGrid", GRID.replace("topicArn", "x"), "topic arn must be provided"),
    ("storageGrid", GRID.replace("bucket", "x"), "bucket name must be provided"),
    ("storageGrid", GRID.replace("authToken", "x"), "api auth token must be provided"),
    ("storageGrid", GRID.replace("apiURL", "x"), "api url must be provided"),
]
WRONG_WEBHOOKS = [
    ("signature: hmac", "nothing to verify signatures with"),
    ("signature: hmac, signingSecrets: [{name: s, key: k}]", "in which field the signature stands is not said"),
    ("signingSecrets: [{name: s, key: k}]", "how requests are signed is not said"),
    ("hmac: {header: x}", "is not used"),
    ("signature: md5", "is not one of none, standardWebhooks, hmac"),
]
SIGNED = ("signature: standardWebhooks", "signature: hmac, hmac: {header: x}")


def check_config(tmp_path, kind, event):
    file = tmp_path / "a.yaml"
    file.write_text(MANIFEST.format(kind=kind, event=f"    test: {{{event}}}", data=tmp_path / "d", secrets=tmp_path, compat="improved",
                                    admin=7777))
    return subprocess.run([HOLDFAST, "check-config", file], capture_output=True, text=True, timeout=90, check=False)


KEYS = "accessKey: {name: s, key: k}, secretKey: {name: s, key: k}"
SUBSCRIPTIONS = [
    # the event -> what is said of its subscription; None: nothing
    ("", "without accessKey and secretKey the topic is not subscribed to"),
    ("roleARN: \"arn:aws:iam::1:role/r\"", "without accessKey and secretKey the topic is not subscribed to"),
    (KEYS + ", roleARN: \"arn:aws:iam::1:role/r\"", None),
    (KEYS + ", roleARN: \"\"", None),
    (KEYS, None),
    ("holdfast: {hooks: {manage: false}}", None),
]


def test_a_topic_that_nobody_subscribes_to_is_named_by_check_config(tmp_path):
    for event, text in SUBSCRIPTIONS:
        done = check_config(tmp_path, "sns", 'webhook: {port: "1", endpoint: /a, url: "https://us"}, validateSignature: true, '
                            f"topicArn: \"arn:aws:sns:eu-west-1:1:t\", region: eu-west-1{', ' * bool(event)}{event}")
        assert done.returncode == 0, done.stdout
        told = [line for line in done.stdout.splitlines() if "subscribe" in line]
        assert len(told) == bool(text) and (not text or text in told[0]), (event, done.stdout)


def test_wrong_manifests_are_refused_with_upstreams_words(tmp_path):
    for kind, event, text in WRONG:
        done = check_config(tmp_path, kind, f'webhook: {{port: "1", endpoint: /a}}, {event}')
        assert done.returncode != 0 and text in done.stdout + done.stderr, (event, done.stdout, done.stderr)
    for switches, text in WRONG_WEBHOOKS:
        done = check_config(tmp_path, "webhook", f'port: "1", endpoint: /a, method: POST, holdfast: {{{switches}}}')
        assert done.returncode != 0 and text in done.stdout + done.stderr, (switches, done.stdout, done.stderr)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_no_signature_covers_is_no_signed_event(tmp_path, method):
    for signed in SIGNED:
        done = check_config(tmp_path, "webhook", f'port: "1", endpoint: /a, method: {method}, '
                            f"holdfast: {{{signed}, signingSecrets: [{{name: s, key: k}}]}}")
        assert done.returncode != 0 and "signature covers the body" in done.stdout, (signed, done.stdout, done.stderr)
