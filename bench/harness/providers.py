"""What a provider costs: a push of GitHub, signed, beside the same request at a webhook that looks at nothing; and filters."""
import hmac
import statistics
import time

from . import processes
from .processes import Gateway, Nats, load, measured_load
from .series import check_stored, summary

SECRET = b"It's a Secret to Everybody"
SIZE = 4096
FILTER = 'body.ref == "refs/heads/main" && any(body.commits, any(.modified, # endsWith ".md")) && {}["X-Github-Event"][0] == "push"'
MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata:
  name: bench
spec:
  holdfast:
    ack: {{ack}}
    secretsDir: {secrets}
    admin:
      address: 127.0.0.1:{{admin}}
{{data_dir}}  webhook:
    webhook: {{{{port: "{{port}}", endpoint: /webhook, method: POST}}}}
    webhook-filter: {{{{port: "{{port}}", endpoint: /webhook-filter, method: POST, filter: {{{{expression: '{webhook_filter}'}}}}}}}}
  github:
    github:
      organizations: [octo-org]
      webhook: {{{{port: "{{port}}", endpoint: /github}}}}
    github-signed:
      organizations: [octo-org]
      webhook: {{{{port: "{{port}}", endpoint: /github-signed}}}}
      webhookSecret: {{{{name: bench, key: secret}}}}
    github-signed-filter:
      organizations: [octo-org]
      webhook: {{{{port: "{{port}}", endpoint: /github-signed-filter}}}}
      webhookSecret: {{{{name: bench, key: secret}}}}
      filter: {{{{expression: '{github_filter}'}}}}
"""
ROUTES = ("webhook", "webhook-filter", "github", "github-signed", "github-signed-filter")


def push():
    """A push of GitHub, as long as SIZE."""
    body = (processes.HERE / "data/push.json").read_bytes().strip()
    head, tail = body[:-1] + b',"zen":"', b'"}'
    return head + b"x" * (SIZE - len(head) - len(tail)) + tail


def headers(body):
    """The fields of GitHub; the id of the delivery is the load generator's, and not what is signed."""
    signature = hmac.new(SECRET, body, "sha256").hexdigest()
    return ["Content-Type: application/json", "User-Agent: GitHub-Hookshot/bench", "X-GitHub-Event: push",
            "X-GitHub-Delivery: {id}", f"X-Hub-Signature-256: sha256={signature}"]


def manifest(directory):
    secrets = directory / "secrets/bench"
    secrets.mkdir(parents=True)
    (secrets / "secret").write_bytes(SECRET)
    return MANIFEST.format(secrets=secrets.parent, webhook_filter=FILTER.format("header"), github_filter=FILTER.format("headers"))


def hmac_us(body):
    """The signature alone, by the library that the gateway uses too: what no gateway can do without."""
    begin, count = time.process_time(), 5000
    for _ in range(count):
        hmac.digest(SECRET, body, "sha256")
    return (time.process_time() - begin) / count * 1e6


def measure_routes(setup, gateway, order, body, file, seconds):
    """Each route in turn on one gateway: {route: figures}."""
    rows, acked, options = {}, 0, {"body": f"@{file}", "size": 0, "header": headers(body)}
    base = gateway.url.rsplit("/", 1)[0]
    for route in order:
        gateway.url = f"{base}/{route}"
        acked += load(setup.programs, gateway.url, 64, duration=0.2, **options)["acked"]
        done = measured_load(setup.programs, gateway, 64, duration=seconds, **options)
        acked += done["acked"]
        rows[route] = {"rate": done["rate"], "cpu_us": done["server_cpu_us"], "p50_us": done["latency_us"]["p50"],
                       "p99_us": done["latency_us"]["p99"]}
    return rows, acked


def providers_round(setup, kind, number):
    shift = number % len(ROUTES)
    order, body = ROUTES[shift:] + ROUTES[:shift], push()
    with setup.directory() as directory:
        file = directory / "push.json"
        file.write_bytes(body)
        text = manifest(directory)
        seconds = 0.5 if setup.quick else 2
        if kind == "spool":
            with Gateway(setup.programs, directory, "spool", manifest=text) as gateway:
                rows, acked = measure_routes(setup, gateway, order, body, file, seconds)
                check_stored("providers, spool", gateway.stored, acked)
        else:
            with Nats(directory) as nats, Gateway(setup.programs, directory, "bus", nats.url, manifest=text) as gateway:
                rows, acked = measure_routes(setup, gateway, order, body, file, seconds)
                check_stored("providers, bus", nats.stored, acked)
    return rows


def compared(rounds, kind):
    """The median of each route, and of its ratio to the webhook in the same round: what the machine did hits both."""
    rows = []
    for route in ROUTES:
        own = [{**r[route], "rate_ratio": r[route]["rate"] / r["webhook"]["rate"],
                "more_cpu_us": r[route]["cpu_us"] - r["webhook"]["cpu_us"]} for r in rounds]
        rows.append(summary(own, kind=kind, route=route))
    return rows


def providers(setup, kinds):
    """4 KB pushes over 64 connections at each route, in both modes."""
    rounds, floors = {kind: [] for kind in kinds if kind != "bare"}, []
    for number in range(1 if setup.quick else 5):
        for kind, done in rounds.items():
            done += setup.attempt(f"providers: {kind}, round {number + 1}", providers_round, kind, number)
        floors.append(hmac_us(push()))
    rows = [row for kind, done in rounds.items() if done for row in compared(done, kind)]
    return {"routes": rows, "hmac_us": statistics.median(floors)}
