"""The guide of the principal and its agents does what it shows."""

import base64
import json
import re
import subprocess
import textwrap

import pytest
import yaml
from conftest import ROOT, wait_until
from pki import Authority
from synced import make_pki, net, put, sync_pki  # noqa: F401  (fixtures)
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
    pki, serve, write, look, release, forget = blocks(PAGE, "sh")
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

    put(source, "spec: {}\n")
    wait_until(lambda: site.load(copy), "another one is at the site")
    agent = site.processes.pop()
    agent.terminate()
    agent.wait()
    source.unlink()
    wait_until(lambda: [(one["connected"], one["waiting"]) for one in site.status()] == [(False, 1)], "the deletion waits")
    assert site.run(forget).startswith("berlin is forgotten (managed; ")
    assert site.status() == []


def test_the_services_of_the_sync_guide_serve_with_the_variables_that_it_shows(site):
    principal, agent, _ = blocks(PAGE, "ini")
    site.run("holdfast pki init && holdfast pki issue --server localhost && holdfast pki issue --agent berlin")
    for unit, text in (("holdfast-principal", principal), ("holdfast-agent@", agent)):
        options = (ROOT / f"deploy/systemd/{unit}.service").read_text()
        start = re.search(r"^ExecStart=/usr/bin/(.*)$", options, re.M)[1].replace("%i", "berlin")
        variables = " ".join(f"'{line}'" for line in text.splitlines())
        command = f"env {variables} ARGOCD_PRINCIPAL_LISTEN_PORT=8443 {start}"
        site.start(command.replace("/etc/holdfast/", "").replace("/var/lib/holdfast/", "data/"))
    site.run("mkdir -p data/source/berlin/Application && echo 'spec: {}' > data/source/berlin/Application/a.yaml")
    wait_until(lambda: site.load("data/site-berlin/argocd/Application/a.yaml"), "the application is at the site")
    assert re.search(r"^berlin +managed", site.run("holdfast status --data-dir data/principal"), re.M)


def test_an_agent_that_does_not_connect_says_what_the_sync_guide_explains(net, tmp_path):  # noqa: F811
    """Each mistake of the table is made, and the agent's log has its words."""
    old, young = (Authority(tmp_path / name, name, past_days=days) for name, days in (("old", 9), ("young", -9)))
    (tmp_path / "users").write_text("site-1:secret\n")
    (tmp_path / "all.crt").write_text("".join(ca.read_text() for ca in (net.pki / "ca.crt", old.cert, young.cert)))
    stranger = make_pki(tmp_path / "stranger", ["site-1"])

    def end(kind, pair):
        return f"--tls-{kind}cert", pair.cert, f"--tls-{kind}key", pair.key

    def principal(name, *options, **more):
        return net.principal(*options, name=name, **more).port

    def serving(ca, host):
        return principal(f"{ca.directory.name}-{host}", *end("", ca.issue(host, hosts=[host])))

    ours = "--tls-client-cert", net.pki / "site-1.crt", "--tls-client-key", net.pki / "site-1.key"
    right = principal("principal", "--root-ca-path", tmp_path / "all.crt")
    plain = principal("plain", "--insecure-plaintext", "--insecure-jwt-generate", "--auth", "header:x-name:(.*)", auth="")
    nobody = principal("nobody", auth="mtls:subject:^CN=(nobody)")
    past, future, elsewhere = serving(old, "localhost"), serving(young, "localhost"), serving(old, "example.org")
    mistakes = {
        "unknown node or service": (right, *ours, "--server-address", "a..b"),
        "connection refused": (net.free_port(), *ours),
        "TLS: wrong version number": (plain, *ours),
        "TLS: self-signed certificate in certificate chain": (right, *ours, "--root-ca-path", stranger / "ca.crt"),
        "unable to get local issuer certificate": (past, *ours),
        "TLS: hostname mismatch": (elsewhere, *ours, "--root-ca-path", old.cert),
        "IP address mismatch": (future, *ours, "--server-address", "127.0.0.1", "--root-ca-path", young.cert),
        "TLS: certificate has expired": (past, *ours, "--root-ca-path", old.cert),
        "certificate is not yet valid": (future, *ours, "--root-ca-path", young.cert),
        "alert unknown ca": (right, "--tls-client-cert", stranger / "site-1.crt", "--tls-client-key", stranger / "site-1.key"),
        "alert certificate expired": (right, *end("client-", old.issue("site-1"))),
        "alert bad certificate": (right, *end("client-", young.issue("site-1"))),
        "alert certificate required": (right, "--creds", f"userpass:{tmp_path / 'users'}"),
        "authentication failed": (nobody, *ours),
        "version mismatch": (right, *ours, "--version-string", "9.9"),
    }
    agents = {words: net.agent(f"agent-{n}", port, "--root-ca-path", net.pki / "ca.crt", "--creds", "mtls:any", *options, creds="")
              for n, (words, (port, *options)) in enumerate(mistakes.items())}
    said = {words: wait_until(lambda a=a: a.log("no connection with the principal"), words)[0]["error"] for words, a in agents.items()}
    table = (ROOT / PAGE).read_text().partition("### When an agent does not connect")[2].partition("|---|")[2].partition("\n## ")[0]
    assert re.findall(r"`(?:\.\.\. )?([^`]*)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M))) == list(mistakes)
    assert {words: error for words, error in said.items() if words not in error} == {}


def test_a_principal_and_an_agent_take_the_place_of_upstreams_as_the_guide_shows(site):
    """With the objects that kubectl gives, and the keys that upstream's ends have."""
    keys, export, principal, _, agent_keys, agent = blocks_in_lists(MOVE)
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
"-n argocd get secret "*" -o json") cat "answers/$5" ;;
*) exit 1 ;;
esac
""")
    kubectl.chmod(0o755)

    def secret(name, **files):
        data = {key.replace("_", "."): base64.b64encode((site.sh.directory / "pki" / file).read_bytes()).decode() for key, file in files.items()}
        (site.sh.directory / "answers" / name).write_text(json.dumps({"kind": "Secret", "data": data}))

    secret("argocd-agent-principal-tls", tls_crt="localhost.crt", tls_key="localhost.key")
    secret("argocd-agent-jwt", jwt_key="jwt.key")
    secret("argocd-agent-ca", tls_crt="ca.crt", tls_key="ca.key")
    site.run(keys)
    site.run(export)
    secret("argocd-agent-client-tls", tls_crt="berlin.crt", tls_key="berlin.key")
    secret("argocd-agent-ca", ca_crt="ca.crt")  # at a site it has no key
    helper = keys.partition("mkdir")[0]
    site.run(helper + "! secret argocd-agent-ca tls.crt")
    site.run(helper + agent_keys)
    for command in (principal, agent):
        site.start(command.replace("\\\n", " "))
    wait_until(lambda: site.load("site/argocd/Application/guestbook.yaml"), "the application is at the site")
    wait_until(lambda: site.load("site/argocd/AppProject/web.yaml"), "the project is at the site")
    for kind, name, item in (("Application", "guestbook", objects[0]), ("AppProject", "web", objects[1])):
        marks = site.load(f"site/argocd/{kind}/{name}.yaml")["metadata"]["annotations"]
        assert marks["argocd.argoproj.io/source-uid"] == item["metadata"]["uid"]


def test_what_changed_is_carried_back_as_the_guide_shows(shell):  # noqa: F811
    """Upstream's principal would delete, at its agents, what the cluster does not have when it starts."""
    def item(kind, name, namespace="berlin", revision="v1", **meta):
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace, **meta},
                "spec": {"source": {"targetRevision": revision}}}

    cluster = {"items": [item("Application", name, uid=name, resourceVersion="7") for name in ("edited", "gone", "gone.too")]
               + [item("AppProject", "web", "argocd", uid="web", resourceVersion="8")]}
    put(shell.directory / "cluster.json", json.dumps(cluster))
    for there in (item("Application", "edited", revision="v2", uid="edited", resourceVersion="7"), cluster["items"][3],
                  item("Application", "new", uid="ours"), item("AppProject", "more", "argocd")):
        meta = there["metadata"]
        put(shell.directory / "source" / meta["namespace"] / there["kind"] / f"{meta['name']}.json", json.dumps(there))
    put(shell.directory / "source/berlin/Application/gone.status.yaml", "status: {}")
    put(shell.directory / "source/argocd/Repository/shop.json", "{}")
    kubectl = shell.directory / "bin/kubectl"
    kubectl.write_text("""#!/bin/sh
case "$1 $3" in
get*) cat cluster.json ;;
"replace -") exit 1 ;;
replace*) jq -c '["replace", .]' "$3" >> calls ;;
"create -") jq -c '["create", .]' >> calls ;;
*) exit 1 ;;
esac
""")
    kubectl.chmod(0o755)
    carry = next(block for block in blocks_in_lists(MOVE) if "kubectl replace" in block)
    assert shell.run(carry) == "deleted meanwhile: berlin/Application/gone\ndeleted meanwhile: berlin/Application/gone.too\n"
    calls = [json.loads(line) for line in (shell.directory / "calls").read_text().splitlines()]
    assert [(verb, o["metadata"]["name"], o["metadata"].get("uid"), o["spec"]["source"]["targetRevision"], o.get("status"))
            for verb, o in calls] == [("replace", "web", "web", "v1", None), ("replace", "edited", "edited", "v2", None),
                                      ("create", "more", None, "v1", {}), ("create", "new", None, "v1", {})]
