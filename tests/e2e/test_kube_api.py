"""The API server of the tests is one: what a client of Kubernetes counts on holds here, too."""

import json

import pytest
import requests
from conftest import wait_until
from kube_api import Api, Rule
from pki import Authority

APPS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
ALL_APPS = "/apis/argoproj.io/v1alpha1/applications"
SECRETS = "/api/v1/namespaces/argocd/secrets"


class Client:
    def __init__(self, api, token=Api.ADMIN):
        self.base, self.session = f"https://localhost:{api.port}", requests.Session()
        self.session.trust_env, self.session.verify = False, str(api.authority.cert)
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method, path, body=None, code=None, kind="application/json", **query):
        answer = self.session.request(method, self.base + path, data=body and json.dumps(body), params=query, timeout=20,
                                      headers={"Content-Type": kind})
        assert code is None or answer.status_code == code, answer.text
        return answer.json() if answer.headers["Content-Type"] == "application/json" else answer.text

    def watch(self, path, **query):
        """An iterator of [type, name, object]."""
        answer = self.session.get(self.base + path, params={"watch": "1", **query}, stream=True, timeout=20)
        assert answer.status_code == 200, answer.text
        for line in answer.iter_lines():
            event = json.loads(line)
            yield event["type"], event["object"]["metadata"].get("name"), event["object"]


@pytest.fixture
def api(tmp_path, free_port):
    made = Api(tmp_path / "api", free_port(), Authority(tmp_path / "ca")).start()
    yield made
    made.stop()


@pytest.fixture
def client(api):
    return Client(api)


def app(name="a", revision="r1", **metadata):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, **metadata}, "spec": {"revision": revision}}


def test_objects_are_made_replaced_patched_and_deleted(api, client):
    made = client("POST", APPS, app(), 201)
    assert made["metadata"]["uid"] and made["metadata"]["generation"] == 1 and made["metadata"]["managedFields"]
    assert client("POST", APPS, app(), 409)["reason"] == "AlreadyExists"
    assert client("POST", APPS.replace("argocd", "nowhere"), app(), 404)["message"] == 'namespaces "nowhere" not found'
    again = client("PUT", APPS + "/a", made, 200)
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], "nothing changed"
    other = client("PUT", APPS + "/a", {**made, "spec": {"revision": "r2"}}, 200)
    assert other["metadata"]["generation"] == 2
    assert client("PUT", APPS + "/a", made, 409)["reason"] == "Conflict"
    other["metadata"]["uid"] = "another"
    assert "UID in precondition: another" in client("PUT", APPS + "/a", other, 409)["message"]
    patched = client("PATCH", APPS + "/a", {"spec": {"revision": None}, "status": {"x": 1}}, 200, "application/merge-patch+json")
    assert patched["spec"] == {} and patched["status"] == {"x": 1}
    patched = client("PATCH", APPS + "/a", [{"op": "test", "path": "/status/x", "value": 1}, {"op": "add", "path": "/spec/l", "value": ["a/b"]},
                                            {"op": "add", "path": "/spec/l/-", "value": "c"}], 200, "application/json-patch+json")
    assert patched["spec"] == {"l": ["a/b", "c"]}
    client("PATCH", APPS + "/a", [{"op": "test", "path": "/status/x", "value": 2}], 422, "application/json-patch+json")
    client("DELETE", APPS + "/a", {"preconditions": {"uid": "another"}}, 409)
    assert client("DELETE", APPS + "/a", {"propagationPolicy": "Foreground"}, 200)["status"] == "Success"
    assert api.propagation["Application", "argocd", "a"] == "Foreground"
    assert client("GET", APPS + "/a", code=404)["details"] == {"name": "a", "group": "argoproj.io", "kind": "applications"}
    assert api.requests["create", "applications"] == 3


def test_an_object_with_finalizers_stays_until_they_are_gone(api, client):
    client("POST", APPS, app(finalizers=["x"]), 201)
    marked = client("DELETE", APPS + "/a", code=200)
    assert marked["metadata"]["deletionTimestamp"] and client("DELETE", APPS + "/a", code=200) == marked
    more = {**marked, "metadata": {**marked["metadata"], "finalizers": ["x", "y"]}}
    assert "no new finalizers" in client("PUT", APPS + "/a", more, 422)["message"]
    none = {**marked, "metadata": {k: v for k, v in marked["metadata"].items() if k not in ("finalizers", "deletionTimestamp")}}
    client("PUT", APPS + "/a", none, 200)
    assert api.get("Application", "argocd", "a") is None


def test_lists_come_in_pages_of_one_moment_and_by_labels(api, client):
    for n in range(5):
        client("POST", APPS, app(f"a{n}", labels={"n": str(n), **({"odd": ""} if n % 2 else {})}), 201)
    page = client("GET", ALL_APPS, code=200, limit=2)
    assert page["metadata"]["remainingItemCount"] == 3 and page["kind"] == "ApplicationList"
    client("DELETE", APPS + "/a3", code=200)
    names = [o["metadata"]["name"] for o in page["items"]]
    rest = client("GET", ALL_APPS, code=200, limit=9, **{"continue": page["metadata"]["continue"]})
    assert names + [o["metadata"]["name"] for o in rest["items"]] == [f"a{n}" for n in range(5)]
    assert rest["metadata"] == {"resourceVersion": page["metadata"]["resourceVersion"]}
    api.compact()
    assert client("GET", ALL_APPS, code=410, **{"continue": page["metadata"]["continue"]})["reason"] == "Expired"

    def found(labels="", fields=""):
        return {o["metadata"]["name"] for o in client("GET", APPS, code=200, labelSelector=labels, fieldSelector=fields)["items"]}
    assert found("n in (1,2),odd") == {"a1"} and found("!odd") == {"a0", "a2", "a4"} and found("n notin (0,1)") == {"a2", "a4"}
    assert found("n=1") == {"a1"} and found("n!=1") == {"a0", "a2", "a4"} and found(fields="metadata.name=a4") == {"a4"}
    client("POST", SECRETS, {"metadata": {"name": "s"}, "stringData": {"url": "x"}}, 201)
    secret = client("GET", SECRETS, code=200)["items"][0]
    assert "kind" not in secret and secret["data"] == {"url": "eA=="}


def test_a_watch_tells_what_changes_and_what_leaves_its_selector(api, client):
    version = client("GET", APPS)["metadata"]["resourceVersion"]
    watch = client.watch(ALL_APPS, resourceVersion=version, labelSelector="in", allowWatchBookmarks="true")
    api.put(app("none", namespace="argocd"))
    for labels in ({"in": "1"}, {"in": "2"}, {}):
        api.put(app("a", namespace="argocd", labels=labels))
    assert [next(watch)[:2] for _ in range(3)] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    api.bookmark()
    assert next(watch)[2]["metadata"]["resourceVersion"] == str(api.store.version)
    ended = client.watch(ALL_APPS, timeoutSeconds="1", resourceVersion=str(api.store.version), allowWatchBookmarks="true")
    assert [event[0] for event in ended] == ["BOOKMARK"]
    api.compact()
    api.put(app("b", namespace="argocd"))
    kind, _, status = next(client.watch(ALL_APPS, resourceVersion=version))
    assert kind == "ERROR" and status["code"] == 410 and status["reason"] == "Expired"
    api.gone_as = "status"
    assert client("GET", ALL_APPS, code=410, watch="1", resourceVersion=version)["reason"] == "Expired"
    assert {name for _, name, _ in (next(w) for w in [client.watch(ALL_APPS)] * 3)} == {"none", "a", "b"}


def test_who_may_do_what(api, client):
    few = Client(api, api.user("few", [Rule({"get", "list"}, {"applications"}, {"argocd"})], "token-of-few"))
    few("GET", APPS, code=200)
    refused = few("GET", ALL_APPS, code=403)
    assert refused["message"] == ('applications.argoproj.io is forbidden: User "few" cannot list resource "applications" in API group "argoproj.io" at the cluster scope')
    assert 'cannot create resource "applications" in API group "argoproj.io" in the namespace "argocd"' in few("POST", APPS, app(), 403)["message"]
    assert Client(api, "nobody")("GET", APPS, code=401)["reason"] == "Unauthorized"
    with api.deny(namespaces={"argocd"}):
        client("GET", APPS, code=403)
    client("GET", APPS, code=200)
    api.missing.add("appprojects")
    assert client("GET", "/apis/argoproj.io/v1alpha1/appprojects", code=404) == "404 page not found\n"
    assert few("GET", "/readyz", code=200) == "ok" and few("GET", "/version", code=200)["major"] == "1"


def test_what_can_go_wrong_does(api, client):
    api.fault("answer", status=429, retry_after=1, times=1)
    assert "Too many" in client("GET", APPS, code=429)
    for what in ("close", "drop", "cut"):
        api.fault(what, verb="create", name=None, times=1)
        with pytest.raises(requests.RequestException):
            client("POST", APPS, app(f"{what}-it"))
    assert [api.get("Application", "argocd", f"{what}-it") is not None for what in ("close", "drop", "cut")] == [False, True, True]
    hang = api.fault("hang", verb="get")
    with pytest.raises(requests.ReadTimeout):
        client.session.get(client.base + APPS + "/x", timeout=0.2)
    hang.end()
    watch = client.watch(APPS, resourceVersion=str(api.store.version))
    with api.hold_watches():
        api.put(app("held", namespace="argocd"))
        client("GET", APPS, code=200)
        assert not api.watches
    assert next(watch)[1] == "held"
    api.cut_watches(half_a_line=True)
    api.put(app("lost", namespace="argocd"))
    with pytest.raises((requests.RequestException, ValueError)):
        next(watch)
    wait_until(lambda: not api.watches, "the watch is over")
    api.stop()
    with pytest.raises(requests.ConnectionError):
        client("GET", APPS)
    api.start()
    assert len(client("GET", APPS, code=200)["items"]) == 4


@pytest.mark.parametrize("order", ["event", "answer"])
def test_a_watch_hears_of_a_write_before_or_after_its_answer(api, client, order):
    api.order = order
    watch = Client(api).watch(APPS)
    client("POST", APPS, app("first"), 201)
    assert next(watch)[1] == "first"
    for n in range(20):
        api.edit("Application", "argocd", "first", lambda o, n=n: o["spec"].update(revision=f"e{n}"))
        client("PATCH", APPS + "/first", {"spec": {"revision": f"r{n}"}}, 200, "application/merge-patch+json")
        assert order == "answer" or {w.sent for w in api.watches} == {api.store.version}
    assert [next(watch)[2]["spec"]["revision"] for _ in range(40)][-1] == "r19"
