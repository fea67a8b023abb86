"""The guide of the principal and its agents does what it shows."""

import json
import re
import subprocess
import textwrap

import pytest
import yaml
from conftest import ROOT, wait_until
from synced import put
from test_docs import blocks, shell  # noqa: F401

PAGE = "docs/guide/sync.md"
MOVE = "docs/guide/argocd-agent.md"


def blocks_in_lists(page):
    """The shell blocks that stand in the items of lists."""
    return [textwrap.dedent(block) for block in re.findall(r"^ +```sh\n(.*?)^ +```", (ROOT / page).read_text(), re.M | re.S)]


class Site:
    """The shell of the guide, with the two processes of its second block."""

    def __init__(self, sh, free_port):
        self.sh, self.free_port, self.processes = sh, free_port, []
        self.port = str(free_port())

    def run(self, command):
        return self.sh.run(command)

    def start(self, command):
        """A command that ends with `&`, its ports such as are free here."""
        command = command.replace("8443", self.port).rstrip("& \n")
        command += f" --metrics-port {self.free_port()} --healthz-port {self.free_port()}"
        self.processes.append(subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.sh.directory, env=self.sh.env,
                                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def load(self, path):
        file = self.sh.directory / path
        return yaml.safe_load(file.read_text()) if file.exists() else None

    def status(self):
        return json.loads(self.run("holdfast status --json --data-dir data/principal"))["agents"]

    def end(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def site(shell, free_port):  # noqa: F811
    s = Site(shell, free_port)
    yield s
    s.end()


def test_the_sync_guide_does_what_it_shows(site):
    pki, serve, write, look, release = blocks(PAGE, "sh")
    site.run(pki)
    for command in re.split(r"(?<=&)\n", serve.replace("\\\n", " ").strip()):
        site.start(command)
    site.run(write)

    copy = "site/argocd/Application/guestbook.yaml"
    wait_until(lambda: site.load(copy), "the application is at the site")
    shown = site.run(look)
    assert "argocd.argoproj.io/source-uid: " in shown and re.search(r"^berlin ", shown, re.M), shown

    source = site.sh.directory / "source/berlin/Application/guestbook.yaml"
    put(source, source.read_text().replace("v1", "v2"))
    wait_until(lambda: site.load(copy)["spec"]["source"]["targetRevision"] == "v2", "the edit is at the site")
    (site.sh.directory / copy).unlink()
    wait_until(lambda: site.load(copy), "what was deleted at the site is made again")

    operation = source.with_name("guestbook.status.yaml")
    put(operation, blocks(PAGE, "yaml")[0])
    wait_until(lambda: (site.load("site/argocd/Application/guestbook.status.yaml") or {}).get("operation"),
               "the operation is at the site")
    look_again, let_go = release.strip().split("\n")
    assert "berlin" in site.run(look_again)
    assert site.run(let_go) == "nothing is held\n"
    source.unlink()
    wait_until(lambda: site.load(copy) is None, "the deletion is at the site")
    wait_until(lambda: all(agent["behind"] == 0 for agent in site.status()), "it is confirmed")


def test_a_principal_and_an_agent_take_the_place_of_upstreams_as_the_guide_shows(site):
    """With the objects that kubectl gives, and the keys that upstream's ends have."""
    keys, export, principal, agent = blocks_in_lists(MOVE)
    site.run("holdfast pki init && holdfast pki issue --server localhost && holdfast pki issue --agent berlin && mkdir answers")
    objects = [{"apiVersion": "argoproj.io/v1alpha1", "kind": kind,
                "metadata": {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": "812", "managedFields": [{}]},
                "spec": spec, **more}
               for kind, name, namespace, uid, spec, more in (
                   ("Application", "guestbook", "berlin", "0b0a2f4e-0000-4000-8000-000000000001",
                    {"project": "web", "destination": {"namespace": "x"}}, {"status": {"health": {"status": "Healthy"}}}),
                   ("AppProject", "web", "argocd", "0b0a2f4e-0000-4000-8000-000000000002",
                    {"sourceNamespaces": ["*"], "destinations": [{"name": "*", "namespace": "*"}]}, {}))]
    (site.sh.directory / "answers/objects").write_text(json.dumps({"kind": "List", "items": objects}))
    kubectl = site.sh.directory / "bin/kubectl"
    kubectl.write_text("""#!/bin/sh
case "$*" in
*applications*) cat answers/objects ;;
*argocd-agent-ca*) base64 pki/ca.crt ;;
*principal-tls*crt*) base64 pki/localhost.crt ;;
*principal-tls*key*) base64 pki/localhost.key ;;
*argocd-agent-jwt*) base64 pki/jwt.key ;;
*) exit 1 ;;
esac
""")
    kubectl.chmod(0o755)
    site.run(keys)
    site.run(export)
    site.run("cp pki/berlin.crt keys/agent.crt && cp pki/berlin.key keys/agent.key")
    for command in (principal, agent):
        site.start(command.replace("\\\n", " "))
    wait_until(lambda: site.load("site/argocd/Application/guestbook.yaml"), "the application is at the site")
    wait_until(lambda: site.load("site/argocd/AppProject/web.yaml"), "the project is at the site")
    for kind, name, item in (("Application", "guestbook", objects[0]), ("AppProject", "web", objects[1])):
        marks = site.load(f"site/argocd/{kind}/{name}.yaml")["metadata"]["annotations"]
        assert marks["argocd.argoproj.io/source-uid"] == item["metadata"]["uid"]
