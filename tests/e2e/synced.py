"""A principal and its agents as processes over directories, for the end-to-end tests of the sync."""

import json
import stat
import subprocess

import pytest
import requests
import yaml
from conftest import FINDING, HOLDFAST, Process, wait_until

UID = "argocd.argoproj.io/source-uid"


def run(*words, check=True, **options):
    """The program with these words; its output and errors as one text."""
    done = subprocess.run([HOLDFAST, *(str(word) for word in words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, check=False, **options)
    assert not check or done.returncode == 0, done.stdout
    return done if not check else done.stdout


def make_pki(directory, agents):
    """An authority, a certificate for 127.0.0.1 and localhost, and one for each agent; and the key of the tokens."""
    run("pki", "init", "--dir", directory, "--jwt-bits", "2048")
    run("pki", "issue", "--dir", directory, "--server", "localhost", "--san", "127.0.0.1")
    for name in agents:
        run("pki", "issue", "--dir", directory, "--agent", name)
    return directory


def add_user(file, name, password):
    run("pki", "user", name, "--file", file, "--cost", "4", input=f"{password}\n")


def put(path, text):
    """As an editor does it: beside, then renamed over the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False))
    beside.rename(path)


def load(path):
    """The document in a file; None while there is none."""
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return None


def application(revision="r1", **metadata):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata,
            "spec": {"project": "default", "source": {"repoURL": "https://git.example.com/a.git", "path": "deploy",
                                                      "targetRevision": revision},
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"}}}


class Tree:
    """The directory of a backend."""

    def __init__(self, root, namespace):
        self.root, self.namespace = root, namespace

    def path(self, name, kind="Application", namespace=None):
        return self.root / (namespace or self.namespace) / kind / f"{name}.yaml"

    def put(self, name, document, kind="Application", namespace=None):
        put(self.path(name, kind, namespace), document)

    def remove(self, name, kind="Application", namespace=None):
        self.path(name, kind, namespace).unlink()

    def get(self, name, kind="Application", namespace=None):
        return load(self.path(name, kind, namespace))

    def text(self, name):
        """What people have written, to the letter."""
        return self.path(name).read_text()

    def is_secret(self, name, kind):
        return stat.S_IMODE(self.path(name, kind).stat().st_mode) == 0o600

    def status(self, name, namespace=None):
        return load(self.path(f"{name}.status", namespace=namespace))

    def put_status(self, name, document, namespace=None):
        put(self.path(f"{name}.status", namespace=namespace), document)

    def remove_status(self, name):
        self.path(f"{name}.status").unlink()

    def names(self, kind="Application", namespace=None):
        found = (self.root / (namespace or self.namespace) / kind).glob("*.yaml")
        return {p.name[:-5] for p in found if not p.name.endswith(".status.yaml") and p.name[0] != "."}

    def revision(self, name, namespace=None):
        found = self.get(name, namespace=namespace)
        return found["spec"]["source"]["targetRevision"] if found else None

    def source_uid(self, name, namespace=None):
        found = self.get(name, namespace=namespace)
        return found["metadata"].get("annotations", {}).get(UID) if found else None


class Files:
    """Where the objects of one end are: a directory."""

    def __init__(self, net, name):
        self.root = net.directory / name
        self.options = ["--backend", f"directory:{self.root}"]

    def tree(self, namespace):
        return Tree(self.root, namespace)


class Metrics(dict):
    """A page of metrics by series; a name without labels is the sum of its series."""

    def __missing__(self, name):
        series = [value for key, value in self.items() if key.startswith(name + "{")]
        if not series:
            raise KeyError(name)
        return sum(series)


class End:
    """What principal and agents have in common."""

    def __init__(self, net, name, command):
        self.net, self.name = net, name
        self.data = net.directory / f"{name}-data"
        self.metrics_port, self.health_port = net.free_port(), net.free_port()
        self.process = net.process(name, [
            *command, "--data-dir", self.data, "--metrics-port", self.metrics_port, "--healthz-port", self.health_port,
            "--log-format", "json"])

    def start(self):
        self.process.start()
        return self

    def page(self, path):
        return requests.get(f"http://127.0.0.1:{self.health_port}{path}", timeout=90)

    def ready(self):
        def look():
            assert self.process.running(), self.log_text()
            return self.page("/readyz").status_code == 200
        wait_until(look, f"{self.name} is ready")
        return self

    def kill(self):
        self.process.kill()

    def stop(self):
        assert self.process.stop() == 0, self.log_text()

    def status(self):
        return json.loads(run("status", "--json", "--data-dir", self.data))

    def metrics(self):
        text = requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=90).text
        return Metrics((line.rsplit(" ", 1)[0], float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if line[0] != "#")

    def log_text(self):
        return self.process.output()

    def log(self, message=None):
        return [line for line in self.process.records() if message is None or line["msg"] == message]


class Principal(End):
    def __init__(self, net, options, name="principal", auth=None):
        self.port = net.free_port()
        self.place = net.place(f"{name}-source")
        super().__init__(net, name, [
            "principal", *self.place.options, "--listen-host", "127.0.0.1", "--listen-port", self.port,
            *(options if auth == "" else (
                "--tls-cert", net.pki / "localhost.crt", "--tls-key", net.pki / "localhost.key",
                "--root-ca-path", net.pki / "ca.crt", "--jwt-key", net.pki / "jwt.key",
                "--auth", auth or "mtls:subject:^CN=([^,]+)", *options))])

    @property
    def source(self):
        return self.place.root

    def tree(self, namespace):
        return self.place.tree(namespace)

    def agent(self, name):
        """What status says about one agent; None: it is not known."""
        return next((a for a in self.status()["agents"] if a["name"] == name), None)

    def wait_connected(self, name):
        wait_until(lambda: (self.agent(name) or {}).get("connected"), f"{name} is connected")


class Agent(End):
    def __init__(self, net, name, port, options, mode, creds):
        self.place = net.place(f"{name}-site")
        super().__init__(net, name, [
            "agent", "--agent-mode", mode, *self.place.options, "--server-address", "localhost",
            "--server-port", port, *(options if creds == "" else (
                "--root-ca-path", net.pki / "ca.crt", "--creds", creds or "mtls:any",
                *(() if creds else ("--tls-client-cert", net.pki / f"{name}.crt",
                                    "--tls-client-key", net.pki / f"{name}.key")), *options))])
        self.tree = self.place.tree("argocd")

    def connected(self):
        return self.page("/healthz").status_code == 200

    def wait_connected(self):
        wait_until(self.connected, f"{self.name} is connected")
        return self


class Net:
    """Makes principals and agents of one test."""

    def __init__(self, directory, pki, free_port):
        self.directory, self.pki, self.free_port = directory, pki, free_port
        self.processes = []

    def place(self, name):
        """Where the objects of the end with this name are."""
        return Files(self, name)

    def process(self, name, command):
        self.processes.append(Process([HOLDFAST, *command], self.directory / f"{name}.log"))
        return self.processes[-1]

    def close(self):
        for process in reversed(self.processes):
            process.kill()
        for process in self.processes:
            assert not process.log.exists() or not FINDING.search(process.log.read_text()), process.log.read_text()

    def principal(self, *options, start=True, **more):
        p = Principal(self, options, **more)
        return p.start().ready() if start else p

    def agent(self, name, principal, *options, start=True, mode="managed", creds=None):
        port = principal if isinstance(principal, int) else principal.port
        a = Agent(self, name, port, options, mode, creds)
        return a.start().ready() if start else a


MADE = []


@pytest.fixture(scope="session")
def sync_pki(tmp_path_factory):
    """One for all: a fixture that modules import is called for each of them, whatever its scope."""
    if not MADE:
        MADE.append(make_pki(tmp_path_factory.mktemp("pki"), ("site-1", "site-2", "site-3", "site-4")))
    return MADE[0]


@pytest.fixture
def net(tmp_path, sync_pki, free_port):
    made = Net(tmp_path, sync_pki, free_port)
    yield made
    made.close()
