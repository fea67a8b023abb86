"""The files in deploy/ fit together, and fit what the programs serve."""

import os
import re
import shutil
import subprocess

import pytest
import requests
import yaml
from conftest import HOLDFAST, ROOT, Process, wait_until
from kube_api import Api
from kube_synced import secrets_of
from synced import net, sync_pki  # noqa: F401  (fixtures)
from test_docs import answer_rows, scrape

KUBERNETES = ROOT / "deploy/kubernetes"
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))


def kind(name):
    documents = [doc for file in KUBERNETES.glob("*.yaml") for doc in yaml.safe_load_all(file.read_text())]
    return next(doc for doc in documents if doc["kind"] == name)


@pytest.fixture
def pod():
    return kind("StatefulSet")["spec"]["template"]["spec"]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()
    return int(number) * {"s": 1, "min": 60}[unit]


def test_the_names_of_the_kubernetes_manifests_fit_together(pod):
    workload, service, config = kind("StatefulSet"), kind("Service"), kind("ConfigMap")
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert service["spec"]["selector"].items() <= labels.items()
    assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == set(ports)
    assert service["metadata"]["annotations"]["prometheus.io/port"] == str(ports["admin"])
    claims = {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims | set(volumes)
    assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]


def test_the_manifest_of_the_config_map_is_good_and_has_the_ports_and_paths_of_the_pod(pod, tmp_path):
    (tmp_path / "config.yaml").write_text(kind("ConfigMap")["data"]["config.yaml"])
    done = subprocess.run([HOLDFAST, "check-config", tmp_path / "config.yaml"], capture_output=True, text=True, timeout=90,
                          check=False)
    assert done.returncode == 0, done.stdout
    spec = yaml.safe_load((tmp_path / "config.yaml").read_text())["spec"]
    container = pod["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {int(route["port"]) for route in spec["webhook"].values()} == {ports["webhooks"]}
    assert spec["holdfast"]["admin"]["address"] == f":{ports['admin']}"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert spec["holdfast"]["dataDir"] == mounts["data"]
    assert {"name": "HOLDFAST_DATA_DIR", "value": mounts["data"]} in container["env"], "kubectl exec finds the store"
    assert container["args"][:3] == ["gateway", "-f", f"{mounts['config']}/config.yaml"]
    assert container["image"] == "holdfast:" + re.search("version: '(.*)'", (ROOT / "meson.build").read_text())[1]


def test_the_probes_ask_for_what_is_served_and_give_a_start_time(pod, gateway):
    container = pod["containers"][0]
    probes = {name: container[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"admin"}
    g = gateway().start()
    for probe in probes.values():
        assert requests.get(g.admin + probe["httpGet"]["path"], timeout=90).status_code == 200
    g.process.stop()
    startup = probes["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 900, "a store of many GB is recovered first"


def test_an_end_has_the_time_that_it_may_take(pod):
    limits = (ROOT / "docs/reference/gateway-config.md").read_text()
    drain = seconds(re.search(r"`spec.holdfast.limits.drainTimeout` \|[^|]*\| (\S+) \|", limits)[1])
    before = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > before + drain + 7
    for unit in UNITS:
        stop = re.search(r"^TimeoutStopSec=(.*)$", unit.read_text(), re.M)
        assert unit.name == "holdfast-consume.service" or seconds(stop[1]) > drain + 7


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_that_says_when_it_is_ready_has_the_time_to_get_there(unit):
    text = unit.read_text()
    start = re.search(r"^TimeoutStartSec=(.*)$", text, re.M)
    assert ("Type=notify" in text) == (start is not None)
    assert start is None or seconds(start[1]) >= 900


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_started_again_however_often_it_failed(unit):
    """systemd.unit(5): five starts within ten seconds are the last ones, unless it is told otherwise."""
    text = unit.read_text()
    pause = re.search(r"^Restart=(?:on-failure|always)\nRestartSec=(.*)$", text, re.M)
    assert "\nStartLimitIntervalSec=0\n" in text.partition("[Service]")[0] or 4 * seconds(pause[1]) > 10


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    for file in (ROOT / "deploy/systemd").glob("holdfast*.*"):
        text = re.sub(r"/usr/(?:local/)?bin/holdfast\S*", "/bin/true", file.read_text())
        (tmp_path / file.name.replace("@", "@site")).write_text(text)
    units = sorted(path for path in tmp_path.iterdir() if path.suffix in (".service", ".socket"))
    assert len(units) == len(UNITS) + 1
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=300,
                          check=False, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"})
    assert [line for line in done.stderr.splitlines() if "holdfast" in line] == []


def test_what_an_alert_counts_is_there_with_0_from_the_start(gateway, net):
    """Prometheus sees no increase() in the first value of a series that appears with it."""
    principal = net.principal()
    zero = re.findall(r"^(\S+) 0$", scrape(gateway().start()), re.M)
    zero += [name for end in (principal, net.agent("site-1", principal)) for name, value in end.metrics().items() if value == 0]
    rules = (ROOT / "deploy/prometheus/alerts.yaml").read_text()
    counted = re.findall(r"increase\((\w+)(?:\{(\w+)=~?\"(.*?)\"\})?\[", rules)
    assert len(counted) > 3
    for name, label, pattern in counted:
        assert any(re.fullmatch(rf'{name}{{{label}="(?:{pattern})"}}' if label else name, there) for there in zero), name
    codes = next(pattern for name, _, pattern in counted if name == "holdfast_gateway_answers_total")
    ours = {code for _, status, _, strict, _, _ in answer_rows() for code in (status, strict) if code.startswith("5")}
    assert all(re.fullmatch(codes, code) and f'holdfast_gateway_answers_total{{code="{code}"}}' in zero for code in ours), ours
    assert not re.fullmatch(codes, "505"), "a stranger's HTTP that is none is not our fault"


# ---- the ends of the sync ----------------------------------------------------------------------------------------------


def end_documents(end):
    found = [doc for file in sorted((KUBERNETES / end).glob("*.yaml")) for doc in yaml.safe_load_all(file.read_text())]
    return {doc["kind"]: doc for doc in found}


@pytest.mark.parametrize("end", ["principal", "agent"])
def test_the_names_of_an_end_fit_together(end):
    docs = end_documents(end)
    workload, service = docs["StatefulSet"], docs["Service"]
    labels, pod = workload["spec"]["template"]["metadata"]["labels"], workload["spec"]["template"]["spec"]
    assert workload["spec"]["selector"]["matchLabels"] == labels == service["spec"]["selector"]
    assert workload["spec"]["serviceName"] == service["metadata"]["name"]
    account = docs["ServiceAccount"]["metadata"]
    assert pod["serviceAccountName"] == account["name"]
    for binding, role in (("RoleBinding", "Role"), ("ClusterRoleBinding", "ClusterRole")):
        if role not in docs:
            continue
        assert docs[binding]["roleRef"] | {"apiGroup": ""} == {"apiGroup": "", "kind": role, "name": docs[role]["metadata"]["name"]}
        assert docs[binding]["subjects"] == [{"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}]
    assert {doc["metadata"].get("namespace") for kind, doc in docs.items() if not kind.startswith("Cluster")} == {"argocd"}
    container = pod["containers"][0]
    claims = {claim["metadata"]["name"] for claim in workload["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims | {volume["name"] for volume in pod.get("volumes", ())}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["env"] == [{"name": "HOLDFAST_DATA_DIR", "value": mounts["data"]}]
    assert container["image"] == "holdfast:" + re.search("version: '(.*)'", (ROOT / "meson.build").read_text())[1]


@pytest.mark.parametrize("end", ["principal", "agent"])
def test_an_end_starts_with_the_arguments_and_ports_of_its_manifest(end, net, tmp_path):
    """Of its own kind, with the Secrets that it needs, and nothing else that answers."""
    container = end_documents(end)["StatefulSet"]["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: net.free_port() for port in container["ports"]}
    options = {"grpc": "--listen-port", "metrics": "--metrics-port", "probes": "--healthz-port"}
    help_text = subprocess.run([HOLDFAST, end, "--help"], capture_output=True, text=True, timeout=90, check=True).stdout
    for port in container["ports"]:
        assert re.search(rf"{options[port['name']]}\b[^-]*(?:.|\n)*?{port['containerPort']}", help_text), "the default"
    api = Api(tmp_path / "api", net.free_port()).start()
    api.missing = {"applications"}
    for document in secrets_of(end, net.pki):
        api.put(document)
    command = [HOLDFAST, *container["args"], f"--kubeconfig={api.kubeconfig()}", *(f"{options[name]}={port}" for name, port in ports.items())]
    process = Process(command, tmp_path / "log", env={"HOLDFAST_DATA_DIR": str(tmp_path / "data")}).start()
    url = f"http://127.0.0.1:{ports['probes']}"
    try:
        wait_until(lambda: requests.get(f"{url}/livez", timeout=9).ok, "it lives")
        probes = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        answers = {path: requests.get(url + path, timeout=9).status_code for path in probes.values()}
        assert answers == {"/livez": 200, "/readyz": 503}, "what is there is not known yet"
    finally:
        process.stop()
        api.stop()
