"""Repositories, credential templates and GPG keys: they go where their project goes, to managed agents alone. Facts 8.4: 12, 46-50, 61-68, 87-90, 113."""

import base64

import pytest
from conftest import wait_until
from synced import UID, application, net, sync_pki  # noqa: F401  (fixtures)
from test_sync_resync import project

SITE, OTHER = "site-1", "site-2"
REPOSITORY, KEY, KEYS = "Repository", "GPGKey", "argocd-gpg-keys-cm"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def repository(url="r1", of="shop", sort="repository", **labels):
    return {"metadata": {"labels": {"argocd.argoproj.io/secret-type": sort, **labels}},
            "data": {"url": encoded(url), "password": encoded("hidden-word"), **({"project": encoded(of)} if of else {})}}


def keys(**data):
    return {"metadata": {}, "data": data}


@pytest.fixture
def sites(net):
    """A principal, its own objects, the managed agent's, and at the end what the autonomous one has got: nothing."""
    principal = net.principal("--guard-share", "100")
    managed = net.agent(SITE, principal)
    autonomous = net.agent(OTHER, principal, mode="autonomous")
    for agent in (managed, autonomous):
        agent.wait_connected()
    own = principal.tree("argocd")
    yield principal, own, managed
    assert not autonomous.tree.names(REPOSITORY) and not autonomous.tree.names(KEY)
    said = "".join(end.log_text() for end in (principal, managed, autonomous))
    assert "hidden-word" not in said and encoded("hidden-word") not in said


def url(tree, name):
    found = tree.get(name, REPOSITORY)
    return found and base64.b64decode(found["data"]["url"]).decode()


def wait_for(agent, name, expected, limit_s=60):
    wait_until(lambda: url(agent.tree, name) == expected, f"{name} is {expected} at the agent", limit_s)


def wait_through(principal, agent):
    """What was done before has had its effect: what comes behind it has arrived."""
    truth = principal.tree(SITE)
    truth.put("mark", application("r1", name="mark"))
    wait_until(lambda: agent.tree.get("mark"), "the mark arrives")
    truth.remove("mark")
    wait_until(lambda: not agent.tree.get("mark"), "the mark goes")


@pytest.mark.parametrize("sort", ["repository", "repo-creds"])
def test_a_repository_goes_where_its_project_goes(sites, sort):
    """61 to 68."""
    principal, own, agent = sites
    own.put("code", repository(sort=sort), REPOSITORY)
    own.put("none", repository(of=None, sort=sort), REPOSITORY)
    wait_through(principal, agent)
    assert not agent.tree.names(REPOSITORY), "without its project it is not sent"
    own.put("shop", project("r1"), "AppProject")
    wait_for(agent, "code", "r1")
    assert agent.tree.get("code", REPOSITORY)["metadata"]["annotations"][UID]
    assert agent.tree.is_secret("code", REPOSITORY), "others must not read it"
    own.put("code", repository("r2", sort=sort), REPOSITORY)
    wait_for(agent, "code", "r2")

    elsewhere = project("r1")
    elsewhere["spec"]["destinations"][0]["name"] = "somebody-else"
    own.put("far", elsewhere, "AppProject")
    own.put("near", project("r1"), "AppProject")
    own.put("code", repository("r3", of="near", sort=sort), REPOSITORY)
    wait_for(agent, "code", "r3")
    own.put("code", repository("r4", of="far", sort=sort), REPOSITORY)
    wait_for(agent, "code", None)
    own.put("code", repository("r5", sort=sort), REPOSITORY)
    wait_for(agent, "code", "r5")

    own.put("shop", elsewhere, "AppProject")
    wait_for(agent, "code", None)
    own.put("shop", project("r2"), "AppProject")
    wait_for(agent, "code", "r5")
    own.remove("shop", "AppProject")
    own.remove("code", REPOSITORY)
    wait_for(agent, "code", None)
    own.put("near", project("r2"), "AppProject")
    wait_through(principal, agent)
    assert not agent.tree.names(REPOSITORY)


def test_what_others_do_to_a_repository_is_undone_and_one_that_is_ignored_leaves(sites):
    """12 and 113."""
    _, own, agent = sites
    own.put("shop", project("r1"), "AppProject")
    own.put("code", repository(), REPOSITORY)
    wait_for(agent, "code", "r1")
    copy = agent.tree.get("code", REPOSITORY)
    agent.tree.put("code", {**copy, "data": {**copy["data"], "url": encoded("other")}}, REPOSITORY)
    wait_for(agent, "code", "r1")
    agent.tree.remove("code", REPOSITORY)
    wait_for(agent, "code", "r1")
    own.put("code", repository(**{"argocd-agent.argoproj-labs.io/ignore-sync": "true"}), REPOSITORY)
    wait_for(agent, "code", None)
    assert own.get("code", REPOSITORY)


def test_repositories_and_projects_changed_while_the_principal_was_down(sites):
    """87 to 90."""
    principal, own, agent = sites
    for name in ("shop", "lost"):
        own.put(name, project("r1"), "AppProject")
    for name, of in (("stays", "shop"), ("goes", "shop"), ("lost", "lost")):
        own.put(name, repository(of=of), REPOSITORY)
        wait_for(agent, name, "r1")
    wait_until(lambda: principal.agent(SITE)["behind"] == 0, "all is confirmed")
    principal.kill()
    elsewhere = project("r1")
    elsewhere["spec"]["destinations"][0]["name"] = "somebody-else"
    own.put("lost", elsewhere, "AppProject")
    own.put("stays", repository("r2"), REPOSITORY)
    own.remove("goes", REPOSITORY)
    own.put("made", repository("r2", of="made"), REPOSITORY)
    own.put("made", project("r1"), "AppProject")
    principal.start().ready()
    for name, expected in (("lost", None), ("stays", "r2"), ("goes", None), ("made", "r2")):
        wait_for(agent, name, expected, 60)
    wait_until(lambda: agent.tree.names("AppProject") == {"shop", "made"}, "the projects are in step")


def test_keys_reach_managed_agents_and_replace_what_was_there(sites):
    """46 to 50."""
    _, own, agent = sites

    def has(expected):
        wait_until(lambda: (agent.tree.get(KEYS, KEY) or {}).get("data") == expected, f"{expected} at the agent")

    agent.tree.put(KEYS, keys(OLD="x"), KEY)
    own.put(KEYS, keys(A="a"), KEY)
    has({"A": "a"})
    assert agent.tree.get(KEYS, KEY)["metadata"]["annotations"][UID]
    own.put(KEYS, keys(A="a", B="b"), KEY)
    has({"A": "a", "B": "b"})
    own.put(KEYS, keys(B="b"), KEY)
    has({"B": "b"})
    agent.tree.put(KEYS, {**agent.tree.get(KEYS, KEY), "data": {"EVIL": "e"}}, KEY)
    has({"B": "b"})
    agent.tree.remove(KEYS, KEY)
    has({"B": "b"})
    own.remove(KEYS, KEY)
    wait_until(lambda: not agent.tree.get(KEYS, KEY), "the keys are gone")
