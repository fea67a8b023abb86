"""The guides of the buses and of the place of the Argo Events gateway do what they show."""

import json
import re
import subprocess

import yaml
from conftest import HOLDFAST, ROOT, wait_until
from kafkanet import kafka  # noqa: F401
from onbus import messages_of
from test_docs import blocks, localised, shell  # noqa: F401


def test_the_kafka_guide_does_what_it_shows(shell, kafka):  # noqa: F811
    page = "docs/guide/kafka.md"
    cluster = kafka()

    def here(text):
        return text.replace("localhost:9092", f"127.0.0.1:{cluster.port}")

    (shell.directory / "hooks.yaml").write_text(localised(here(blocks(page, "yaml")[0]), shell.port, shell.admin))
    assert shell.paste(here(blocks(page, "sh")[0])).startswith('successhooks.example {"specversion":"1.0",')


def test_the_jetstream_guide_does_what_it_shows(shell, nats):  # noqa: F811
    page, server = "docs/guide/jetstream.md", nats()
    manifest = localised(blocks(page, "yaml")[0], shell.port, shell.admin)
    (shell.directory / "hooks.yaml").write_text(manifest.replace("4222", str(server.port)))
    serve, post, look = blocks(page, "sh")[0].strip().split("\n")
    shell.serve(serve)
    assert shell.run(post) == "success"
    wait_until(lambda: "waiting: 0" in shell.run(look), "the stream has it")
    assert [m.body for m in messages_of(server)] == [{"id": 1}]


def test_the_login_of_the_kafka_guide_passes_check_config(shell):  # noqa: F811
    login = yaml.safe_load(blocks("docs/guide/kafka.md", "yaml")[1])
    source, bus = yaml.safe_load_all(blocks("docs/guide/kafka.md", "yaml")[0])
    (shell.directory / "all.yaml").write_text(yaml.safe_dump_all([source, {**bus, **login}]))
    done = subprocess.run([HOLDFAST, "check-config", "--elsewhere", "all.yaml"], cwd=shell.directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_argo_events_guide_does_what_it_shows(shell, nats):  # noqa: F811
    server = nats()
    text = next(block for block in blocks("docs/guide/argo-events.md", "sh") if "EVENTSOURCE_OBJECT" in block)
    here = {"4222": server.port, "12000": shell.port, "7777": shell.admin}
    text = re.sub(r"\b(?:4222|12000|7777)\b", lambda found: str(here[found[0]]), text)
    start = "holdfast eventsource-service &"
    assert start in text
    options = f"""export HOLDFAST_SPEC='{{"deadline": "60s", "admin": {{"address": "127.0.0.1:{shell.admin}"}}}}'\n"""
    out = shell.run(options + text.replace(start, "holdfast eventsource-service 2> log & trap 'kill $!; wait' EXIT"))
    assert out.startswith("success")
    assert 'argo_events_events_sent_total{namespace="argo-events",eventsource_name="hooks",event_name="example"} 1' in out
    assert [m.body for m in messages_of(server)] == [{"hello": "world"}]


def test_the_shared_image_sends_each_its_own_way(shell, tmp_path):  # noqa: F811
    other = tmp_path / "argo-events"
    other.write_text("#!/bin/sh\necho upstream \"$@\"\n")
    other.chmod(0o755)
    entry = f"ARGO_EVENTS_BIN={other} {ROOT / 'deploy/argo-events/entrypoint'} "
    assert shell.run(entry + "sensor-service 'a b'") == "upstream sensor-service a b\n"
    assert shell.run(entry).strip() == "upstream"
    assert shell.run(entry + "eventsource-service --help").startswith("Usage: holdfast eventsource-service")
    assert shell.run("HOLDFAST=no " + entry + "eventsource-service") == "upstream eventsource-service\n"


def test_what_kubectl_prints_is_checked_as_the_argo_events_guide_shows(shell):  # noqa: F811
    """Objects of a cluster come as one List, with what the cluster added."""
    items = [{**item, "metadata": {**item["metadata"], "uid": "u", "resourceVersion": "7", "managedFields": [{}]}, "status": {}}
             for item in yaml.safe_load_all(blocks("docs/guide/kafka.md", "yaml")[0])]
    (shell.directory / "list.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    kubectl = shell.directory / "bin/kubectl"
    kubectl.write_text("#!/bin/sh\ncat list.json\n")
    kubectl.chmod(0o755)
    page = (ROOT / "docs/guide/argo-events.md").read_text()
    check = re.search(r"^ *(kubectl get eventsource,eventbus .*)$", page, re.M).group(1)
    assert shell.run(check).startswith("ok: 1 endpoint, bus default")


def test_the_pod_of_the_argo_events_guide_is_accepted(shell):  # noqa: F811
    pod = next(yaml.safe_load(block) for block in blocks("docs/guide/argo-events.md", "yaml") if "HOLDFAST_SPEC" in block)
    source, bus = yaml.safe_load_all(blocks("docs/guide/kafka.md", "yaml")[0])
    source["spec"].update(pod["spec"])
    env = {e["name"]: e["value"] for e in pod["spec"]["template"]["container"]["env"]}
    source["spec"]["holdfast"] = {"dataDir": "d", **yaml.safe_load(env["HOLDFAST_SPEC"])}
    (shell.directory / "all.yaml").write_text(yaml.safe_dump_all([source, bus]))
    done = subprocess.run([HOLDFAST, "check-config", "--elsewhere", "all.yaml"], cwd=shell.directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
