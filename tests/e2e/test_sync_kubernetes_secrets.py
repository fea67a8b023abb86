"""Keys and certificates in Secrets, as argocd-agent has them: nothing else is given at the start, and what changes there is taken."""

import signal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from conftest import wait_until
from kube_synced import KubernetesNet, secret, secrets_of
from pki import Authority
from synced import add_user, application, make_pki, sync_pki  # noqa: F401  (a fixture)
from test_sync import wait_in_step

SITE = "site-1"
PRINCIPAL_TLS, AGENT_TLS, CA, JWT = "argocd-agent-principal-tls", "argocd-agent-client-tls", "argocd-agent-ca", "argocd-agent-jwt"
MTLS = ("--auth", "mtls:subject:^CN=([^,]+)")


class Ends(KubernetesNet):
    """Over API servers with Secrets, and without a file."""

    def hub(self, *options, without=()):
        principal = self.principal(*(options or MTLS), start=False, auth="")
        return self.with_secrets("principal", principal, without)

    def site(self, principal, *options, without=()):
        agent = self.agent(SITE, principal, *(options or ("--creds", "mtls:any")), start=False, creds="")
        return self.with_secrets("agent", agent, without)

    def with_secrets(self, kind, end, without):
        for document in secrets_of(kind, self.pki, SITE):
            if document["metadata"]["name"] not in without:
                end.place.api.put(document)
        return end


@pytest.fixture
def net(tmp_path, sync_pki, free_port):
    made = Ends(tmp_path, sync_pki, free_port)
    yield made
    made.close()


def cannot_start(end):
    assert end.start().process.wait() == 1
    return end.log("cannot start")[-1]["error"]


def expires(end):
    return end.metrics()["holdfast_certificate_expires_timestamp_seconds"]


def test_both_ends_start_with_nothing_but_secrets(net):
    principal = net.hub().start().ready()
    agent = net.site(principal).start().ready().wait_connected()
    principal.tree(SITE).put("guestbook", application("r1"))
    wait_in_step(principal.tree(SITE), agent.tree)
    for end, names in ((principal, (PRINCIPAL_TLS, CA, JWT)), (agent, (AGENT_TLS, CA))):
        text = end.log_text()
        assert "PRIVATE KEY" not in text and "has no effect" not in text
        assert {n for verb, r, _, n in end.place.api.asked if r == "secrets" and n} == set(), "lists alone"
        assert sum(w.request.one in names for w in list(end.place.api.watches)) == len(names)
        assert not [p for p in end.data.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()], "nothing is on the disk"
    agent.stop()
    principal.stop()


def test_what_changes_in_a_secret_is_taken_without_a_restart(net, tmp_path):
    principal = net.hub().start().ready()
    agent = net.site(principal).start().ready().wait_connected()
    before = expires(principal), expires(agent)
    # Another authority, which for a while is beside the old one; then certificates of it; then it alone.
    new = make_pki(tmp_path / "new", [SITE])
    both = (net.pki / "ca.crt").read_bytes() + (new / "ca.crt").read_bytes()
    for end in (principal, agent):
        end.place.api.put(secret(CA, ca_crt=both))
        wait_until(lambda e=end: e.log("reloaded"), "both are believed")
    principal.place.api.put(secret(PRINCIPAL_TLS, tls_crt=new / "localhost.crt", tls_key=new / "localhost.key"))
    agent.place.api.put(secret(AGENT_TLS, tls_crt=new / f"{SITE}.crt", tls_key=new / f"{SITE}.key"))
    principal.place.api.put(secret(JWT, jwt_key=new / "jwt.key"))
    wait_until(lambda: expires(principal) != before[0] and expires(agent) != before[1], "the new certificates are there")
    for end in (principal, agent):
        seen = len(end.log("reloaded"))
        end.place.api.put(secret(CA, ca_crt=new / "ca.crt"))
        wait_until(lambda e=end, n=seen: len(e.log("reloaded")) > n, "the old authority is not believed any more")
    agent.kill()
    agent.start().ready().wait_connected()
    principal.tree(SITE).put("guestbook", application("r1"))
    wait_in_step(principal.tree(SITE), agent.tree)


def test_what_cannot_be_used_or_is_gone_changes_nothing(net):
    principal = net.hub().start().ready()
    agent = net.site(principal).start().ready().wait_connected()
    api, good = principal.place.api, secret(PRINCIPAL_TLS, tls_crt=net.pki / "localhost.crt", tls_key=net.pki / "localhost.key")
    api.put({**good, "data": {**good["data"], "tls.key": secret(JWT, jwt_key=net.pki / "jwt.key")["data"]["jwt.key"]}})
    wait_until(lambda: principal.log("the certificate stays as it was"), "it is no pair")
    assert f"Secret argocd/{PRINCIPAL_TLS}: " in principal.log("the certificate stays as it was")[0]["error"]
    for api_secret in (PRINCIPAL_TLS, JWT):
        api.delete("Secret", "argocd", api_secret)
        wait_until(lambda n=api_secret: any(f"Secret argocd/{n}: it is not there" in line["error"]
                                            for line in principal.log("what is in the cluster cannot be read: what was there before is used")), "that is said")
    agent.kill()
    agent.start().ready().wait_connected()
    api.put(good)
    wait_until(lambda: principal.log("what is in the cluster is read again"), "it is there again")


@pytest.mark.parametrize("who, missing, said", [
    ("hub", PRINCIPAL_TLS, "create it, with tls.crt and tls.key, or name another with --tls-secret-name, or give --tls-cert and --tls-key"),
    ("hub", CA, "create it, with tls.crt or ca.crt, or name another with --tls-ca-secret-name, or give --root-ca-path"),
    ("hub", JWT, "create it, with jwt.key, or name another with --jwt-secret-name, or give --jwt-key"),
    ("site", AGENT_TLS, "create it, with tls.crt and tls.key, or name another with --tls-secret-name, or give --tls-client-cert and --tls-client-key"),
    ("site", CA, "create it, with tls.crt or ca.crt, or name another with --root-ca-secret-name, or give --root-ca-path")])
def test_a_secret_that_is_missing_is_named_with_what_to_do(net, who, missing, said):
    end = net.hub(without=[missing]) if who == "hub" else net.site(net.free_port(), without=[missing])
    assert cannot_start(end) == f"Secret argocd/{missing}: it is not there: {said}"


def test_a_key_that_is_missing_and_one_that_is_none_are_named(net):
    principal = net.hub()
    principal.place.api.put(secret(PRINCIPAL_TLS, tls_crt=net.pki / "localhost.crt"))
    assert f"Secret argocd/{PRINCIPAL_TLS}: it has no tls.key, or nothing in it: add that, or name another" in cannot_start(principal)
    principal.place.api.put(secret(PRINCIPAL_TLS, tls_crt=net.pki / "localhost.crt", tls_key=b"none"))
    assert f"key Secret argocd/{PRINCIPAL_TLS}: " in cannot_start(principal)


def test_who_may_not_read_them_is_told_what_is_missing(net):
    principal = net.hub()
    with principal.place.api.deny({"list"}, {"secrets"}):
        error = cannot_start(principal)
    assert "must be allowed to list and watch it: the API server answered 403: " in error and 'cannot list resource "secrets"' in error


def test_a_server_that_is_away_is_waited_for_and_a_start_can_be_ended(net):
    principal = net.hub()

    def waits():
        return len(principal.log("what is in the cluster cannot be read yet: it is tried again until it can"))
    principal.place.api.stop()
    principal.start()
    wait_until(waits, "it waits")
    principal.stop()
    before = waits()
    principal.start()
    wait_until(lambda: waits() > before, "it waits again")
    principal.process.send(signal.SIGHUP)  # there is nothing to read again
    principal.place.api.start()
    principal.ready()


def test_a_file_wins_and_other_names_are_taken(net, tmp_path):
    principal = net.hub("--tls-secret-name", "mine", "--jwt-key", net.pki / "jwt.key", *MTLS, without=[PRINCIPAL_TLS, JWT])
    principal.place.api.put(secret("mine", tls_crt=net.pki / "localhost.crt", tls_key=net.pki / "localhost.key"))
    principal.start().ready()
    net.site(principal, "--creds", "mtls:any", "--root-ca-path", net.pki / "ca.crt", without=[CA]).start().ready().wait_connected()


def test_with_passwords_an_agent_needs_no_certificate_but_shows_the_one_that_it_has(net, tmp_path):
    add_user(tmp_path / "users", SITE, "secret")
    (tmp_path / "creds").write_text(f"{SITE}:secret\n")
    principal = net.hub("--auth", f"userpass:{tmp_path / 'users'}", without=[CA]).start().ready()
    agent = net.site(principal, "--creds", f"userpass:{tmp_path / 'creds'}", without=[AGENT_TLS]).start().ready().wait_connected()
    assert expires(agent) == 0
    agent.place.api.put(secret(AGENT_TLS, tls_crt=net.pki / f"{SITE}.crt", tls_key=net.pki / f"{SITE}.key"))
    wait_until(lambda: expires(agent) > 0, "it has one")


def test_authorities_of_cert_manager_are_believed(net, tmp_path):
    """tls.crt is a certificate that ca.crt has signed."""
    other = Authority(tmp_path / "other")
    principal = net.hub()
    principal.place.api.put(secret(CA, tls_crt=other.cert, ca_crt=net.pki / "ca.crt"))
    principal.start().ready()
    net.site(principal).start().ready().wait_connected()


def test_certificates_on_the_list_of_blocked_ones_are_refused_from_the_moment_they_stand_there(net):
    principal = net.hub().start().ready()
    agent = net.site(principal).start().ready().wait_connected()
    certificate = x509.load_pem_x509_certificate((net.pki / f"{SITE}.crt").read_bytes())
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex().upper()
    principal.place.api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-agent-tls-blocklist", "namespace": "argocd"},
                             "data": {fingerprint: ""}})
    wait_until(lambda: not agent.connected(), "its stream ends")
    principal.kill()
    principal.start().ready()
    wait_until(lambda: f"the certificate {fingerprint} is blocked" in principal.log_text(), "it is refused")
    assert not agent.connected()
    principal.place.api.delete("ConfigMap", "argocd", "argocd-agent-tls-blocklist")
    agent.wait_connected()
