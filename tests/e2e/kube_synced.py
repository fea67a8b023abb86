"""Principal and agents over API servers, for the end-to-end tests of the sync: each end has one of its own."""

import base64
import collections
import json
import threading

import pytest
import yaml
from conftest import ROOT
from kube_api import Api, Rule
from pki import Authority
from synced import Files, Net, Tree

KINDS = {"Repository": "Secret", "GPGKey": "ConfigMap"}
NOT_WRITTEN = ("managedFields", "resourceVersion", "generation")


def granted(end):
    """What the manifests allow a principal or an agent."""
    roles = [role for role in yaml.safe_load_all((ROOT / "deploy/kubernetes" / end / "rbac.yaml").read_text()) if "rules" in role]
    return [Rule(set(rule["verbs"]), set(rule["resources"]), {role["metadata"]["namespace"]} if role["kind"] == "Role" else None, rule.get("resourceNames"))
            for role in roles for rule in role["rules"]]


def secret(name, **files):
    """Of files, or of bytes."""
    data = {key.replace("_", "."): base64.b64encode(file if isinstance(file, bytes) else file.read_bytes()).decode() for key, file in files.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls" if "tls.key" in data else "Opaque",
            "metadata": {"name": name, "namespace": "argocd"}, "data": data}


def secrets_of(end, pki, site="site-1"):
    """As argocd-agentctl makes them."""
    if end == "agent":
        return [secret("argocd-agent-client-tls", tls_crt=pki / f"{site}.crt", tls_key=pki / f"{site}.key"), secret("argocd-agent-ca", ca_crt=pki / "ca.crt")]
    return [secret("argocd-agent-principal-tls", tls_crt=pki / "localhost.crt", tls_key=pki / "localhost.key"),
            secret("argocd-agent-ca", tls_crt=pki / "ca.crt", tls_key=pki / "ca.key"), secret("argocd-agent-jwt", jwt_key=pki / "jwt.key")]


class Objects(Tree):
    """The objects of a namespace, as people and controllers see them with kubectl."""

    def __init__(self, api, namespace):
        super().__init__(None, namespace)
        self.api = api

    def _at(self, name, kind, namespace):
        return KINDS.get(kind, kind), namespace or self.namespace, name

    def put(self, name, document, kind="Application", namespace=None):
        """All but status and operation."""
        kind, namespace, _ = self._at(name, kind, namespace)
        with self.api.store.changed:
            there = self.api.get(kind, namespace, name) or {}
            self.api.put({**document, "apiVersion": "v1" if kind in KINDS.values() else "argoproj.io/v1alpha1", "kind": kind,
                          "metadata": {**document.get("metadata", {}), "name": name, "namespace": namespace},
                          **{key: there[key] for key in ("status", "operation") if key in there}})

    def remove(self, name, kind="Application", namespace=None):
        self.api.delete(*self._at(name, kind, namespace))

    def get(self, name, kind="Application", namespace=None):
        found = self.api.get(*self._at(name, kind, namespace))
        return found and {key: value for key, value in found.items() if key not in ("status", "operation")}

    def text(self, name):
        found = self.get(name)
        return json.dumps({**found, "metadata": {k: v for k, v in found["metadata"].items() if k not in NOT_WRITTEN}}, sort_keys=True)

    def is_secret(self, name, kind):
        return self.api.get("Secret", *self._at(name, kind, None)[1:])["type"] == "Opaque"

    def status(self, name, namespace=None):
        found = self.api.get(*self._at(name, "Application", namespace)) or {}
        return {key: found[key] for key in ("status", "operation") if found.get(key)} or None

    def put_status(self, name, document, namespace=None):
        def change(o):
            for key in ("status", "operation"):
                o.pop(key, None)
            o.update(document)
        self.api.edit(*self._at(name, "Application", namespace), change)

    def remove_status(self, name):
        self.put_status(name, {})

    def names(self, kind="Application", namespace=None):
        return {o["metadata"]["name"] for o in self.api.all(KINDS.get(kind, kind), namespace or self.namespace)}


class Cluster:
    """Where the objects of one end are: an API server, which it may use as far as `rules` say."""

    def __init__(self, net, name, rules):
        self.api = Api(net.directory / name, net.free_port(), net.authority).start()
        self.api.user("holdfast", rules, "token-of-holdfast")
        self.options = ["--backend", "kubernetes", "--kubeconfig", self.api.kubeconfig(token="token-of-holdfast")]

    def tree(self, namespace):
        self.api.namespace(namespace)
        return Objects(self.api, namespace)


class Controller:
    """What Argo CD does at a site: takes operations and wishes (a refresh), deletes what has finalizers. `ran`: how often each operation; `granted`: each wish."""

    WISHES = [f"argocd.argoproj.io/{name}" for name in ("refresh", "refresh-timestamp", "hydrate", "hydrate-timestamp")]

    def __init__(self, tree):
        self.tree, self.ran, self.granted, self.patient = tree, collections.Counter(), collections.Counter(), False
        self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        self.over = True
        with self.tree.api.store.changed:
            self.tree.api.store.changed.notify_all()
        self.thread.join()

    def _run(self):
        store, seen = self.tree.api.store, 0
        while not self.over:
            with store.changed:
                store.changed.wait_for(lambda: self.over or store.version > seen, 1)
                seen = store.version
                for o in self.tree.api.all("Application", self.tree.namespace):
                    if self._wants(o):
                        self.tree.api.edit("Application", self.tree.namespace, o["metadata"]["name"], self._work)

    def _wants(self, o):
        metadata = o["metadata"]
        return o.get("operation") or metadata.get("annotations", {}).keys() & set(self.WISHES) or (
            "deletionTimestamp" in metadata and not self.patient)

    def _work(self, o):
        if operation := o.pop("operation", None):
            self.ran[o["metadata"]["name"], operation["sync"]["revision"]] += 1
            o.setdefault("status", {})["operationState"] = {"phase": "Succeeded", "operation": operation}
        for wish in self.WISHES:
            self.granted[wish] += o["metadata"].get("annotations", {}).pop(wish, None) is not None
        if "deletionTimestamp" in o["metadata"] and not self.patient:
            o["metadata"]["finalizers"] = []


class KubernetesNet(Net):
    """Over API servers; those ends whose name begins with one of `files` over directories."""

    def __init__(self, *args, files=()):
        super().__init__(*args)
        self.files, self.apis = tuple(files), []
        self.authority = Authority(self.directory / "api-ca")

    def place(self, name):
        if name.startswith(self.files):
            return Files(self, name)
        made = Cluster(self, name, granted("agent" if name.endswith("-site") else "principal"))
        self.apis.append(made.api)
        return made

    def close(self):
        super().close()
        for api in self.apis:
            api.stop()


@pytest.fixture
def net(tmp_path, sync_pki, free_port, request):
    """With indirect parameters: which ends are over directories nevertheless."""
    made = KubernetesNet(tmp_path, sync_pki, free_port, files=getattr(request, "param", ()))
    yield made
    made.close()
