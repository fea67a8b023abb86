"""Every provider as one row: how its endpoint is configured, what it sends, how that is signed, what lies on the bus then.

Rows are data of the tests that hold for all of them (test_providers_failures.py). Signatures are made by Python's hmac and by
cryptography; payloads are those of facts argo-events 1.1 to 1.10.
"""

import base64
import collections
import hmac
import json
import time
import urllib.parse

SECRET = "It's a Secret to Everybody"
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:MyTopic"
MASK = "*** Masked Auth Secret ***"
MAX = 20000  # maxPayloadSize of every endpoint
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def digest(body, algorithm="sha256", secret=SECRET):
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def hub(body, name="X-Hub-Signature"):
    return [(name, "sha256=" + digest(body))]


def slack(body, content_type=JSON, at=None):
    t = str(at if at is not None else int(time.time()))
    return [content_type, ("X-Slack-Request-Timestamp", t), ("X-Slack-Signature", "v0=" + digest(b"v0:" + t.encode() + b":" + body))]


def stripe(body, at=None):
    t = str(at if at is not None else int(time.time()))
    return [JSON, ("Stripe-Signature", f"t={t},v1={digest(t.encode() + b'.' + body)}")]


def standard(body, at=None):
    t = str(at if at is not None else int(time.time()))
    mac = hmac.new(base64.b64decode(STANDARD[6:]), b"msg_1." + t.encode() + b"." + body, "sha256").digest()
    return [JSON, ("webhook-id", "msg_1"), ("webhook-timestamp", t), ("webhook-signature", "v1," + base64.b64encode(mac).decode())]


# name      of the event, and of its endpoint
# kind      key under spec, and the CloudEvents type in lower case
# event     its manifest beside the webhook context (or within it, for `inlined` ones)
# body      a good one, as it comes
# sign      body -> fields that make it a good request
# secret    the fields without which it is none, or which must not stand twice
# id        the provider's own id of the event; None: it gives none
# stored    the payload: {fields} stands for the header map
Provider = collections.namedtuple("Provider", "name kind event body sign secret id stored")

PUSH = b'{"ref": "refs/heads/main", "size": 1.50, "id": 9007199254740993, "pusher": {"name": "<Zo\xc3\xab>"}}'
PUSH_STORED = r'{"ref":"refs/heads/main","size":1.50,"id":9007199254740993,"pusher":{"name":"\u003cZoë\u003e"}}'
SLACK = json.dumps({"token": SECRET, "type": "event_callback", "event_id": "Ev1", "event": {"type": "message", "text": "<b>", "n": 1}})
CHARGE = (b'{"id":"evt_1","object":"event","created":1686089970,"data":{"object":{"amount":1.50}},"livemode":false,'
          b'"pending_webhooks":0,"request":{"id":null,"idempotency_key":null},"type":"charge.captured"}')
GRID_MESSAGE = '{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"images/a&b=c.png","sequencer":"1"}}}]}'


def grid(message):
    return urllib.parse.urlencode({"Action": "Publish", "Message": message, "TopicArn": "urn:t", "Version": "2010-03-31"}).encode()


HEADERS = '{{"{key}":{fields},"body":{body},"metadata":{{"team":"build"}}}}'


def with_headers(body, key="headers"):
    return HEADERS.replace("{key}", key).replace("{body}", body.replace("{", "{{").replace("}", "}}"))


ROWS = [
    Provider("webhook", "webhook", "metadata: {team: build}", PUSH, lambda b: [JSON], (), None, with_headers(PUSH_STORED, "header")),
    Provider("webhook-auth", "webhook", "metadata: {team: build}, authSecret: {name: s, key: secret}", PUSH,
             lambda b: [JSON, ("Authorization", "Bearer " + SECRET)], ("Authorization",), None, with_headers(PUSH_STORED, "header")),
    Provider("webhook-standard", "webhook", "metadata: {team: build}, holdfast: {signature: standardWebhooks, "
             "signingSecrets: [{name: s, key: standard}]}", PUSH, standard, ("webhook-id", "webhook-timestamp", "webhook-signature"),
             "msg_1", with_headers(PUSH_STORED, "header")),
    Provider("webhook-hmac", "webhook", "metadata: {team: build}, holdfast: {signature: hmac, hmac: {header: X-Signature}, "
             "idHeader: X-Delivery, signingSecrets: [{name: s, key: secret}]}", PUSH,
             lambda b: [JSON, ("X-Delivery", "d-1"), ("X-Signature", digest(b))], ("X-Signature",), "d-1",
             with_headers(PUSH_STORED, "header")),
    Provider("github", "github", "organizations: [o], webhookSecret: {name: s, key: secret}, metadata: {team: build}", PUSH,
             lambda b: [JSON, ("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "72d3162e")] + hub(b, "X-Hub-Signature-256"),
             ("X-Hub-Signature-256",), "72d3162e",
             with_headers(PUSH_STORED[:-1] + ',"X-GitHub-Delivery":"72d3162e","X-GitHub-Event":"push"}')),
    Provider("gitlab", "gitlab", "events: [PushEvents], accessToken: {name: s, key: secret}, gitlabBaseURL: https://gitlab.example.com, "
             "secretToken: {name: s, key: secret}, metadata: {team: build}", PUSH,
             lambda b: [JSON, ("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", SECRET), ("Idempotency-Key", "f5e5")],
             ("X-Gitlab-Token",), "f5e5", with_headers(PUSH_STORED)),
    Provider("gitlab-signed", "gitlab", "events: [PushEvents], accessToken: {name: s, key: secret}, gitlabBaseURL: https://gitlab.example.com, "
             "holdfast: {signingToken: {name: s, key: standard}}, metadata: {team: build}", PUSH, standard,
             ("webhook-id", "webhook-timestamp", "webhook-signature"), "msg_1", with_headers(PUSH_STORED)),
    Provider("bitbucket", "bitbucket", "repositories: [{owner: o, repositorySlug: r}], holdfast: {webhookSecret: {name: s, key: secret}}, "
             "metadata: {team: build}", PUSH, lambda b: [JSON, ("X-Event-Key", "repo:push"), ("X-Request-UUID", "e4b6")] + hub(b),
             ("X-Hub-Signature",), "e4b6", with_headers(PUSH_STORED)),
    Provider("bitbucketserver", "bitbucketserver", "projects: [P], webhookSecret: {name: s, key: secret}, metadata: {team: build}, "
             "bitbucketserverBaseURL: https://bitbucket.example.com/rest", PUSH,
             lambda b: [JSON, ("X-Event-Key", "repo:refs_changed"), ("X-Request-Id", "b2b0")] + hub(b), ("X-Hub-Signature",), "b2b0",
             with_headers(PUSH_STORED)),
    Provider("gerrit", "gerrit", "projects: [p], events: [patchset-created], gerritBaseURL: https://gerrit.example.com, "
             "auth: {username: {name: s, key: secret}, password: {name: s, key: secret}}, metadata: {team: build}", PUSH,
             lambda b: [JSON], (), None, with_headers(PUSH_STORED)),
    Provider("slack", "slack", "signingSecret: {name: s, key: secret}, token: {name: s, key: secret}, metadata: {team: build}",
             SLACK.encode(), slack, ("X-Slack-Signature", "X-Slack-Request-Timestamp"), "Ev1",
             r'{{"type":"message","Data":{{"type":"message","text":"\u003cb\u003e","n":1}}}}'),
    Provider("stripe", "stripe", "holdfast: {signingSecrets: [{name: s, key: secret}]}, metadata: {team: build}, "
             "eventFilter: [charge.captured]", CHARGE, stripe, ("Stripe-Signature",), "evt_1",
             '{{"event":{{"account":"","id":"evt_1","object":"event","created":1686089970,"data":{{"previous_attributes":null,"object":'
             '{{"amount":1.50}}}},"livemode":false,"pending_webhooks":0,"request":{{"id":null,"idempotency_key":null}},'
             '"type":"charge.captured"}},"metadata":{{"team":"build"}}}}'),
    Provider("storagegrid", "storageGrid", "events: [\"s3:ObjectCreated:*\"], topicArn: \"urn:t\", bucket: b, apiURL: https://grid.example.com, "
             "authToken: {name: s, key: secret}, filter: {suffix: .png}, metadata: {team: build}", grid(GRID_MESSAGE), lambda b: [FORM], (),
             None, '{{"notification":{{"Action":"Publish","Message":'
             + GRID_MESSAGE.replace("&", "\\u0026").replace("{", "{{").replace("}", "}}")
             + ',"TopicArn":"urn:t","Version":"2010-03-31"}},"metadata":{{"team":"build"}}}}'),
]

# How long each provider waits for an answer, in seconds; 30 of those who do not say.
WAITS = {"github": 10, "gitlab": 10, "gitlab-signed": 10, "bitbucket": 10, "bitbucketserver": 10, "slack": 3, "sns": 15}

# Of the rows whose signature says when it was made: body, time -> fields.
SIGNED_AT = {"slack": lambda body, at: slack(body, at=at), "stripe": stripe, "webhook-standard": standard, "gitlab-signed": standard}

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: all}}
spec:
{events}  holdfast:
    secretsDir: {secrets}
{deadline}    admin: {{address: "127.0.0.1:{admin}"}}
{more}"""


def sns(fake, message, signer):
    """Amazon's row: `message` as it comes, signed; `fake` serves the certificate."""
    text = json.dumps({**message, "Signature": signer(message, message["SignatureVersion"])}, separators=(",", ":"))
    return Provider("sns", "sns", f"topicArn: \"{TOPIC}\", region: eu-west-1, validateSignature: true, endpoint: \"{fake.base}\", "
                    f"holdfast: {{endpointCA: {fake.ca}}}, metadata: {{team: build}}", text.encode(),
                    lambda b: [("Content-Type", "text/plain; charset=UTF-8"), ("x-amz-sns-message-type", "Notification")], (),
                    message["MessageId"], with_headers(text, "header"))


def manifest(rows, port, admin, secrets, more, deadline):
    kinds = collections.defaultdict(str)
    for row in rows:
        context = f'port: "{port}", endpoint: /{row.name}, method: POST, maxPayloadSize: {MAX}'
        inlined = row.kind == "webhook"
        kinds[row.kind] += f"    {row.name}: {{{context if inlined else 'webhook: {' + context + '}'}, {row.event}}}\n"
    return MANIFEST.format(events="".join(f"  {kind}:\n{lines}" for kind, lines in kinds.items()), secrets=secrets, admin=admin, more=more,
                           deadline=f"    deadline: {deadline}\n" if deadline else "")


def canonical(name):
    return "-".join(word[:1].upper() + word[1:].lower() for word in name.split("-"))


def field_map(row, fields, length):
    """The header map of facts 1.0: canonical names, sorted; arrays; what is secret masked."""
    masked = {canonical(name) for name in row.secret} - {"Webhook-Id", "Webhook-Timestamp"}
    names = {canonical(name): MASK if canonical(name) in masked else value for name, value in fields}
    names["Content-Length"] = str(length)
    return json.dumps({name: [names[name]] for name in sorted(names)}, separators=(",", ":"))


def payload(row, fields):
    """What lies on the bus for the row's good request."""
    return row.stored.format(fields=field_map(row, fields, len(row.body))).encode()
