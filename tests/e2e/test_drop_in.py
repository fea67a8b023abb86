"""`holdfast eventsource-service` in the place of the process that the Argo Events controller starts: its environment, its files, its
port 7777 and the names of its metrics.
"""

import base64
import json
import re
import subprocess

import pytest
import requests
from conftest import HOLDFAST, wait_until
from kafkanet import kafka  # noqa: F401
from natsio import Nats
from onbus import messages_of


def encoded(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


class Pod:
    """One pod of an EventSource: an environment and the files that are mounted, below `root`."""

    def __init__(self, root, spawn, ports):
        self.root, self.spawn, (self.port, self.admin_port) = root, spawn, ports
        self.own = {"admin": {"address": f"127.0.0.1:{self.admin_port}"}, "deadline": "60s"}
        self.env = {"EVENTBUS_SUBJECT": "eventbus-argo-events", "POD_NAME": "hooks-eventsource-x7k2p-0", "LEADER_ELECTION": "",
                    "LOG_LEVEL": "trace"}
        self.object(webhook={"example": self.event()})
        self.process = None

    def event(self, endpoint="/example", **more):
        return {"endpoint": endpoint, "port": str(self.port), "method": "POST", "url": "", **more}

    def object(self, **spec):
        self.env["EVENTSOURCE_OBJECT"] = encoded({"metadata": {"name": "hooks", "namespace": "argo-events", "creationTimestamp": None},
                                                  "spec": {"template": {"container": {"resources": {}}}, **spec}, "status": {}})

    def bus(self, **config):
        self.env["EVENTBUS_CONFIG"] = encoded({"nats": None, "jetstream": None, "kafka": None, **config})

    def jetstream(self, server, **more):
        self.bus(jetstream={"url": server.url, "accessSecret": None, "tls": None, "streamConfig": "maxMsgs: 50000\nreplicas: 1\n", **more})

    def write(self, path, text):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def start(self):
        self.env["HOLDFAST_SPEC"] = json.dumps(self.own)
        self.process = self.spawn("pod", [HOLDFAST, "eventsource-service", "--root", self.root], env=self.env)
        wait_until(self.ready, f"ready:\n{self.process.output()}")
        return self

    def ready(self):
        if not self.process.running():
            pytest.fail(self.process.output())
        return requests.get(f"http://127.0.0.1:{self.admin_port}/readyz", timeout=90).status_code == 200

    def fails(self):
        """Its output; it ends with status 1 by itself."""
        process = self.spawn("pod", [HOLDFAST, "eventsource-service", "--root", self.root], env=self.env)
        assert process.wait() == 1
        return process.output()

    def post(self, body="{}", path="/example", **options):
        return requests.post(f"http://127.0.0.1:{self.port}{path}", data=body, timeout=90, **options)

    def metrics(self):
        """{name{labels}: value}"""
        text = requests.get(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=90).text
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


@pytest.fixture
def pod(tmp_path, spawn, free_port):
    return Pod(tmp_path / "pod", spawn, (free_port(), free_port()))


# ---- JetStream ----------------------------------------------------------------------------------------------------------

def test_an_event_is_in_the_stream_when_it_is_answered(pod, nats):
    server = nats()
    pod.jetstream(server)
    pod.start()
    answer = pod.post('{"id": "1"}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.text) == (200, "success")
    message, = messages_of(server)
    assert message.subject == "default.hooks.example"
    assert message.event["source"] == "hooks" and message.body == {"id": "1"}
    server.stop()
    wait_until(lambda: pod.post().status_code == 500, "no false 200")
    assert pod.post().text == "failed to record event"
    assert pod.process.stop() == 0


def test_the_stream_is_made_as_the_bus_config_says(pod, nats):
    server = nats()
    pod.jetstream(server)
    pod.start()
    with Nats(server.port) as client:
        config = client.stream()["config"]
    assert config["max_msgs"] == 50000 and config["max_age"] == 0


@pytest.mark.parametrize("text, config", [
    ("username: gate\npassword: 's3cr:t #1'\n", 'authorization { user: gate, password: "s3cr:t #1" }'),
    ("token: t0k3n\n", 'authorization { token: "t0k3n" }'),
])
def test_the_login_is_that_of_auth_yaml(text, config, pod, nats):
    server = nats(config)
    pod.jetstream(server, accessSecret={"name": "eventbus-default-js-client-auth", "key": "client-auth"})
    pod.write("/etc/eventbus/auth/auth.yaml", text)
    pod.start()
    assert pod.post().status_code == 200


def test_secrets_are_read_where_the_controller_mounts_them(pod, nats):
    server = nats()
    pod.jetstream(server)
    pod.object(webhook={"example": pod.event(authSecret={"name": "hook-token", "key": "token"})})
    pod.write("/argo-events/secrets/hook-token/token", "s3cret\n")
    pod.start()
    assert pod.post().status_code == 401
    assert pod.post(headers={"Authorization": "Bearer s3cret"}).status_code == 200


def test_with_a_data_directory_events_wait_for_the_bus(pod, nats, tmp_path):
    server = nats()
    server.stop()
    pod.jetstream(server)
    pod.env["HOLDFAST_DATA_DIR"] = str(tmp_path / "data")
    pod.start()
    assert pod.post('{"id": "1"}').status_code == 200
    server = server.restart()

    def stored():
        with Nats(server.port) as client:
            return [m.body["id"] for m in client.messages()] if client.stream() else []

    wait_until(stored, "forwarded")
    assert stored() == ["1"]
    wait_until(lambda: pod.metrics()["holdfast_forwarder_waiting"] == 0, "and counted")


def test_what_a_stopped_pod_leaves_in_its_directory_is_said(pod, nats, tmp_path):
    """Who goes back to upstream's program would lose it with the directory."""
    server = nats()
    pod.jetstream(server)
    pod.env["HOLDFAST_DATA_DIR"] = data = str(tmp_path / "data")
    left = "events wait in the store for the bus: the next start sends them"

    def stopped():
        assert pod.process.stop() == 0
        status = subprocess.run([HOLDFAST, "status", "--json", "--data-dir", data], capture_output=True, check=True, timeout=60)
        return [line for line in pod.process.records() if line["msg"] == left], json.loads(status.stdout)["buses"]

    pod.start()
    assert pod.post('{"id": "1"}').status_code == 200
    wait_until(lambda: pod.metrics()["holdfast_forwarder_waiting"] == 0, "forwarded")
    assert stopped() == ([], [{"name": "default", "forwarded": 1, "waiting": 0}])
    server.stop()
    pod.start()
    assert [pod.post(f'{{"id": "{n}"}}').status_code for n in (2, 3)] == [200, 200]
    said, buses = stopped()
    assert [(line["waiting"], line["dir"]) for line in said] == [(2, data)]
    assert buses == [{"name": "default", "forwarded": 1, "waiting": 2}]
    server = server.restart()
    pod.start()
    wait_until(lambda: pod.metrics()["holdfast_forwarder_waiting"] == 0, "a start with the bus there drains it")
    assert stopped() == (said, [{"name": "default", "forwarded": 3, "waiting": 0}])
    assert [m.body["id"] for m in messages_of(server)] == ["1", "2", "3"]


# ---- Kafka --------------------------------------------------------------------------------------------------------------

def test_a_kafka_bus(pod, kafka):  # noqa: F811
    cluster = kafka()
    pod.bus(kafka={"url": f"127.0.0.1:{cluster.port}", "topic": "default-default", "version": "2.5.0", "tls": None, "sasl": None,
                   "consumerGroup": {"groupName": "", "oldest": False, "rebalanceStrategy": ""}, "partitioner": ""})
    pod.start()
    assert pod.post('{"id": "1"}').status_code == 200
    message, = cluster.messages()
    assert message.key == "hooks.example" and message.body == {"id": "1"}


def test_the_login_of_a_kafka_bus_is_in_its_secrets(pod):
    secrets = {"userSecret": {"name": "kafka", "key": "user"}, "passwordSecret": {"name": "kafka", "key": "password"}}
    pod.bus(kafka={"url": "127.0.0.1:9", "topic": "t", "sasl": {"mechanism": "SCRAM-SHA-512", **secrets}})
    assert f"{pod.root}/argo-events/secrets/kafka/user" in pod.fails()


# ---- what is left out, and what ends it ---------------------------------------------------------------------------------

def test_an_event_that_is_wrong_is_left_out_and_the_others_are_served(pod, nats):
    pod.jetstream(nats())
    pod.object(webhook={"example": pod.event(), "bad": pod.event("no-slash"), "worse": pod.event("/worse", port="http")},
               calendar={"tick": {"interval": "10s"}})
    pod.start()
    assert pod.post().status_code == 200
    assert pod.post(path="/worse").status_code == 404
    out = pod.process.output()
    assert len(re.findall("the event is left out", out)) == 2
    assert "type calendar is not served" in out


def test_keys_of_a_newer_controller_are_named_and_the_event_is_served(pod, nats):
    server = nats()
    pod.jetstream(server, compression="", newer={"key": ""})
    pod.object(webhook={"example": pod.event(maxAge="", signature={"of": "next year"})}, paused=False)
    pod.start()
    assert pod.post().status_code == 200
    for key in ("example.maxAge", "example.signature", "spec.paused", "jetstreamExotic.newer"):
        assert re.search(rf"{key}: unknown key: it is not used", pod.process.output()), key


FATAL = {
    "no object": ({"EVENTSOURCE_OBJECT": ""}, "EVENTSOURCE_OBJECT is not set"),
    "an object that is no base64": ({"EVENTSOURCE_OBJECT": "{}"}, "EVENTSOURCE_OBJECT: is not base64"),
    "an object that is no JSON": ({"EVENTSOURCE_OBJECT": base64.b64encode(b"{").decode()}, "EVENTSOURCE_OBJECT: is not one JSON object"),
    "an object that is a list": ({"EVENTSOURCE_OBJECT": encoded([])}, "EVENTSOURCE_OBJECT: is not one JSON object"),
    "an object and more": ({"EVENTSOURCE_OBJECT": base64.b64encode(b"{} {}").decode()}, "EVENTSOURCE_OBJECT: is not one JSON object"),
    "no events": ({"EVENTSOURCE_OBJECT": encoded({"metadata": {"name": "x"}, "spec": {}})}, "the EventSource has no events"),
    "a spec that is a text": ({"EVENTSOURCE_OBJECT": encoded({"metadata": {"name": "x"}, "spec": "x"})}, "is not a map"),
    "no bus": ({"EVENTBUS_CONFIG": ""}, "EVENTBUS_CONFIG is not set"),
    "an empty bus": ({"EVENTBUS_CONFIG": encoded({})}, "invalid event bus"),
    "STAN": ({"EVENTBUS_CONFIG": encoded({"nats": {"url": "nats://x", "clusterID": "c"}})}, "NATS Streaming (STAN)"),
    "own options that are no JSON": ({"HOLDFAST_SPEC": "dataDir: /x"}, "HOLDFAST_SPEC: is not one JSON object"),
}


@pytest.mark.parametrize("name", FATAL)
def test_what_cannot_be_served_ends_it_with_the_reason(name, pod):
    change, text = FATAL[name]
    pod.bus(jetstream={"url": "nats://127.0.0.1:4222"})
    pod.env.update({k: v for k, v in change.items() if v})
    for key, value in change.items():
        if not value:
            pod.env[key] = ""
    assert text in pod.fails()


def test_no_secret_of_the_environment_is_in_the_output(pod):
    pod.env["EVENTBUS_CONFIG"] = base64.b64encode(b'{"jetstream": {"url": "http://gate:hunter2@h"}}').decode()
    out = pod.fails()
    assert "use nats:// or tls://" in out and "hunter2" not in out


# ---- metrics: facts argo-events 6.1 -------------------------------------------------------------------------------------

def test_the_metrics_of_upstream_are_there_under_their_names(pod, nats):
    server = nats()
    pod.jetstream(server)
    pod.object(webhook={"example": pod.event(), "other": pod.event("/other")})
    pod.start()
    event = '{namespace="argo-events",eventsource_name="hooks",event_name="%s"}'
    before = pod.metrics()
    for name in ("example", "other"):
        for counter in ("events_sent", "events_sent_failed", "events_processing_failed"):
            assert before[f"argo_events_{counter}_total" + event % name] == 0, "there from the start"
    assert before['argo_events_event_service_running_total{namespace="argo-events",eventsource_name="hooks"}'] == 2
    build, = [k for k in before if k.startswith("build_info{")]
    assert before[build] == 1 and re.findall(r"(\w+)=", build) == ["version", "goversion", "goarch", "commit"]

    assert pod.post().status_code == 200
    assert pod.post("no JSON").status_code == 400
    server.stop()
    wait_until(lambda: pod.post().status_code == 500, "the bus is away")
    after = wait_until(lambda: (m := pod.metrics())["argo_events_event_processing_duration_milliseconds_count" + event % "example"] >= 3 and m,
                       "the last answer is counted, too")
    assert after["argo_events_events_sent_total" + event % "example"] >= 1
    failed = after["argo_events_events_sent_failed_total" + event % "example"]
    assert failed >= 1
    assert after["argo_events_events_processing_failed_total" + event % "example"] == failed + 1
    assert after["argo_events_event_processing_duration_milliseconds_sum" + event % "example"] > 0, "with fractions, where upstream shows 0"
    assert not [k for k in after if k.startswith("argo_events_action_")], "those are a Sensor's"

    text = requests.get(f"http://127.0.0.1:{pod.admin_port}/metrics", timeout=90).text
    for name, kind in (("event_service_running_total", "gauge"), ("events_sent_total", "counter"),
                       ("event_processing_duration_milliseconds", "summary")):
        assert f"# TYPE argo_events_{name} {kind}\n" in text
        assert f"https://argoproj.github.io/argo-events/metrics/#argo_events_{name}\n" in text


def test_the_port_of_the_metrics_is_7777_unless_something_else_is_said(pod, nats):
    pod.jetstream(nats())
    del pod.own["admin"]
    pod.object(webhook={"example": pod.event("/example", port="7777"), "other": pod.event("/other")})
    assert "port 7777 is the admin port" in pod.fails()
