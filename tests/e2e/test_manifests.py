"""Every style of manifest that users of Argo Events write passes check-config, and is served as their controller hands it over."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import HOLDFAST

MANIFESTS = Path(__file__).parent / "manifests"
BUSES = ["eventbus-jetstream.yaml", "eventbus-jetstream-exotic.yaml", "eventbus-kafka.yaml"]
SOURCES = sorted(p.name for p in MANIFESTS.glob("*.yaml") if not p.name.startswith("eventbus-"))
TYPES = {"webhook", "sns", "bitbucket", "bitbucketserver", "gerrit", "github", "gitlab", "slack", "storageGrid", "stripe"}


def check(*files):
    return subprocess.run([HOLDFAST, "check-config", "--elsewhere", *files], capture_output=True, text=True, timeout=60)


def document(name):
    return yaml.safe_load((MANIFESTS / name).read_text())


def events_of(source):
    return [(kind, event) for kind in TYPES for event in source["spec"].get(kind, {})]


def test_every_type_is_among_the_manifests():
    assert {kind for name in SOURCES for kind, _ in events_of(document(name))} == TYPES


@pytest.mark.parametrize("name", SOURCES)
def test_a_manifest_of_sources_passes(name):
    done = check(MANIFESTS / name, MANIFESTS / BUSES[0])
    assert done.returncode == 0, done.stdout
    n = len(events_of(document(name)))
    assert f"ok: {n} endpoint{'s' if n != 1 else ''}, bus default" in done.stdout


@pytest.mark.parametrize("name", SOURCES)
def test_a_manifest_is_checked_without_its_bus_with_a_warning(name):
    done = check(MANIFESTS / name)
    assert done.returncode == 0 and "warning: there is no EventBus among the files" in done.stdout, done.stdout


@pytest.mark.parametrize("more, problem", [
    ("", "the embedded bus keeps events in a dataDir, and none is given"),
    ("eventBusName: prod, ", "there is no EventBus prod among the files"),
])
def test_without_a_place_for_events_check_config_says_what_the_gateway_does(tmp_path, more, problem):
    file = tmp_path / "web.yaml"
    file.write_text("apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: web}\n"
                    f'spec: {{{more}webhook: {{e: {{endpoint: /e, port: "12000", method: POST}}}}}}\n')
    for words in (["check-config", file], ["gateway", "-f", file]):
        done = subprocess.run([HOLDFAST, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and problem in done.stdout + done.stderr, done
    done = check(file)
    assert done.returncode == 0 and "warning: there is no EventBus among the files" in done.stdout, done


@pytest.mark.parametrize("bus, problem", [
    ("jetstreamExotic: {url: h, accessSecret: {name: s, key: k}}", "s/k: needs username: and password:, or token:"),
    ("jetstreamExotic: {url: h, tls: {caCertSecret: {name: s, key: k}}}", "s/k: no CA certificates in PEM form"),
    ("jetstreamExotic: {url: h, tls: {clientCertSecret: {name: s, key: k}, clientKeySecret: {name: s, key: locked}}}",
     "s/locked: it wants a password, for which nobody is asked"),
    ("kafka: {url: h, tls: {caCertSecret: {name: s, key: k}}}", "ssl.ca.location failed"),
    ("kafka: {url: h, tls: {clientCertSecret: {name: s, key: k}, clientKeySecret: {name: s, key: locked}}}",
     "s/locked: it wants a password, for which nobody is asked"),
    ("kafka: {url: h, sasl: {mechanism: SCRAM-SHA-256, userSecret: {name: s, key: empty}, passwordSecret: {name: s, key: k}}}",
     "s/empty: is empty"),
])
def test_what_stands_in_the_secrets_of_a_bus_is_checked_as_the_gateway_does(tmp_path, bus, problem):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "k").write_text("neither a login nor a certificate")
    (tmp_path / "s" / "empty").touch()
    (tmp_path / "s" / "locked").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    file = tmp_path / "bus.yaml"
    file.write_text("apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: web}\n"
                    f"spec: {{holdfast: {{secretsDir: {tmp_path}}}, "
                    'webhook: {e: {endpoint: /e, port: "12000", method: POST}}}\n---\n'
                    f"apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {{name: default}}\nspec: {{{bus}}}\n")
    for words in (["check-config", file], ["gateway", "-f", file]):
        done = subprocess.run([HOLDFAST, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and f"{file}:" in done.stdout + done.stderr and problem in done.stdout + done.stderr, done
    assert check(file).returncode == 0


@pytest.mark.parametrize("bus", BUSES)
def test_a_manifest_of_a_bus_passes(bus):
    done = check(MANIFESTS / "webhook.yaml", MANIFESTS / bus)
    assert done.returncode == 0, done.stdout


def test_stan_is_refused_with_what_to_do_instead():
    done = check(MANIFESTS / "webhook.yaml", MANIFESTS / "eventbus-stan.yaml")
    assert done.returncode == 1
    errors = [line for line in done.stdout.splitlines() if "warning" not in line and ".yaml:" in line]
    assert len(errors) == 1 and "NATS Streaming (STAN) reached its end of life" in errors[0], done.stdout
    assert "make an EventBus of another name with spec.jetstream" in errors[0]


@pytest.mark.parametrize("name", SOURCES)
def test_no_event_of_it_is_left_out_in_the_controllers_form(name, spawn, tmp_path):
    """The controller hands over what it has read: JSON of name, namespace and spec. A bad login file stops the start after reading."""
    source = document(name)
    given = {"metadata": {"name": source["metadata"]["name"], "namespace": "argo-events"}, "spec": source["spec"], "status": {}}
    bus = {"jetstream": {"url": "nats://127.0.0.1:4222", "accessSecret": {"name": "a", "key": "b"}}}
    env = {"EVENTSOURCE_OBJECT": base64.b64encode(json.dumps(given).encode()).decode(),
           "EVENTBUS_CONFIG": base64.b64encode(json.dumps(bus).encode()).decode(),
           "HOLDFAST_SPEC": '{"admin": {"address": "127.0.0.1:0"}}'}
    process = spawn("service", [HOLDFAST, "eventsource-service", "--root", tmp_path], env=env)
    assert process.wait() == 1
    assert "left out" not in process.output()
    assert f"{tmp_path}/etc/eventbus/auth/auth.yaml" in process.output()
