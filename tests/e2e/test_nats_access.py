"""Who may talk to whom: passwords and tokens that rotate, TLS, several servers; and whether a server syncs before it acks."""

import contextlib
import http.server
import json
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from conftest import HOLDFAST, wait_until
from fakenats import FakeNats
from load import metric
from natsio import Nats
from natsjwt import Operator, credentials
from onbus import assert_as_stored, assert_carried_once, assert_once, messages_of, network, on_bus  # noqa: F401

ACCESS = "    accessSecret: {name: bus, key: auth}\n"


@pytest.fixture
def secrets(tmp_path):
    """secrets(key, text): writes the file of the secret `bus`."""
    directory = tmp_path / "secrets" / "bus"
    directory.mkdir(parents=True)

    def write(key, text):
        (directory / key).write_text(text)
        return directory / key

    return write


def arrives(g, own_id):
    assert g.post_to("example", json.dumps({"id": own_id})).status_code == 200
    g.drain()


# ---- passwords ----------------------------------------------------------------------------------------------------------

LOGINS = {
    "user and password": ("username: gate\npassword: 's3cr:t #1'\n", 'authorization {{ user: gate, password: "{}" }}', "s3cr:t #1"),
    "token": ("token: t0k3n-one\n", 'authorization {{ token: "{}" }}', "t0k3n-one"),
}


@pytest.mark.parametrize("name", LOGINS)
def test_a_login_from_its_file_also_when_it_rotates(name, nats, on_bus, secrets, tmp_path):
    text, config, secret = LOGINS[name]
    secrets("auth", text)
    server = nats(config.format(secret))
    g = on_bus(server.url, exotic=ACCESS).start().wait_for_bus()
    arrives(g, "1")

    # The server has a new secret, the gateway not yet.
    server.stop()
    file = tmp_path / "nats.conf"
    file.write_text(file.read_text().replace(secret, "another-one"))
    server = server.restart()
    wait_until(lambda: g.says("uthorization"), "the log says why")
    assert g.post_to("example", '{"id":"2"}').status_code == 200
    assert not g.bus_up() and g.waiting() == 1

    secrets("auth", text.replace(secret, "another-one"))
    g.wait_for_bus().drain()
    login = {"auth_token": "another-one"} if name == "token" else {"user": "gate", "pass": "another-one"}
    with Nats(server.port, **login) as client:
        assert [m.body["id"] for m in client.messages()] == ["1", "2"]
    assert secret not in g.process.output() and "another-one" not in g.process.output()


def test_a_password_in_the_url_is_used_and_never_shown(nats, on_bus):
    server = nats('authorization { user: gate, password: "hunter22" }')
    url = server.url.replace("nats://", "nats://gate:hunter22@")
    g = on_bus(url).start().wait_for_bus()
    arrives(g, "1")
    assert "error" not in g.status()["bus"]
    g.process.stop()
    wrong = on_bus(url.replace("hunter22", "hunter23"), name="wrong").start()
    wait_until(lambda: wrong.says("uthorization"), "the log says why")
    assert not wrong.bus_up() and "uthorization" in wrong.status()["bus"]["error"]
    for one in (g, wrong):
        assert "hunter" not in one.process.output()
    assert "hunter" not in json.dumps(wrong.status())


def test_a_login_file_that_is_missing_or_no_yaml_stops_the_start_with_its_name(nats, on_bus, secrets):
    server = nats()
    g = on_bus(server.url, exotic=ACCESS)
    for text in (None, "username: only\n", "\t- no: [yaml"):
        if text is not None:
            secrets("auth", text)
        done = subprocess.run([HOLDFAST, "gateway", "-f", g.file], capture_output=True, text=True, timeout=90)
        assert done.returncode == 1
        assert "bus/auth" in done.stdout + done.stderr, done


# ---- credentials files: a server in operator mode -------------------------------------------------------------------------

OWN = "  holdfast: {{credentialsFile: {}}}\n"


def test_a_credentials_file_also_when_it_is_replaced(nats, on_bus, tmp_path):
    operator = Operator()
    first, second = operator.user(), operator.user()
    file = tmp_path / "gate.creds"
    file.write_text(credentials(*first))
    server = nats(operator.config)
    g = on_bus(server.url, exotic=OWN.format(file)).start().wait_for_bus()
    arrives(g, "1")

    # A file of another operator's user: refused at the next connect. What is stored waits for a good one.
    file.write_text(credentials(*Operator().user()))
    server.stop()
    server = server.restart()
    wait_until(lambda: g.says("uthorization"), "the log says why")
    assert g.post_to("example", '{"id":"2"}').status_code == 200
    assert not g.bus_up() and g.waiting() == 1
    file.write_text(credentials(*second))
    g.wait_for_bus().drain()

    key, token = operator.user()
    with Nats(server.port, sign=lambda nonce: {"jwt": token, "sig": key.sign(nonce)}) as client:
        assert [m.body["id"] for m in client.messages()] == ["1", "2"]
    for secret in (first[0].seed, second[0].seed, first[1]):
        assert secret not in g.process.output()


def test_without_credentials_or_with_a_seed_alone_nothing_is_published(nats, on_bus, tmp_path):
    operator = Operator()
    server = nats(operator.config)
    plain = on_bus(server.url, name="plain").start()
    wait_until(lambda: plain.says("uthorization"), "the log says why")
    assert not plain.bus_up()
    key, token = operator.user()
    file = tmp_path / "half.creds"
    file.write_text(credentials(key, token).split("-----BEGIN USER NKEY SEED")[0])
    g = on_bus(server.url, exotic=OWN.format(file), name="half")
    g.start()
    wait_until(lambda: g.says("not connected; trying again until it is"), "the log says so")
    assert not g.bus_up()
    assert token not in g.process.output()


def test_a_credentials_file_that_is_not_there_stops_the_start_with_its_name(on_bus, tmp_path):
    g = on_bus("nats://127.0.0.1:4222", exotic=OWN.format(tmp_path / "gone.creds"))
    done = subprocess.run([HOLDFAST, "gateway", "-f", g.file], capture_output=True, text=True, timeout=90)
    assert done.returncode == 1 and "gone.creds" in done.stdout + done.stderr, done


# ---- TLS ----------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A directory with ca, other-ca, server and client: .crt and .key."""
    d = tmp_path_factory.mktemp("tls")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=d, check=True, capture_output=True, timeout=60)

    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for ca in ("ca", "other-ca"):
        openssl("req", "-x509", *ec, "-days", "30", "-subj", "/CN=" + ca, "-keyout", ca + ".key", "-out", ca + ".crt")
    for name in ("server", "client"):
        (d / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("req", *ec, "-subj", "/CN=" + name, "-keyout", name + ".key", "-out", name + ".csr")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", "ext", "-out", name + ".crt")
    return d


def tls_server(certificates, verify=False):
    d = certificates
    return f'tls {{ cert_file: "{d}/server.crt", key_file: "{d}/server.key", ca_file: "{d}/ca.crt", verify: {str(verify).lower()} }}'


@pytest.fixture
def tls(secrets, certificates):
    """tls("ca", ...): the lines of a tls block that uses these files as its secrets."""

    def make(ca=None, client=False, insecure=False):
        lines = [f"      insecureSkipVerify: {str(insecure).lower()}"] if insecure else []
        if ca:
            secrets("ca", (certificates / f"{ca}.crt").read_text())
            lines.append("      caCertSecret: {name: bus, key: ca}")
        if client:
            for key, what in (("clientCertSecret", "crt"), ("clientKeySecret", "key")):
                secrets(what, (certificates / f"client.{what}").read_text())
                lines.append(f"      {key}: {{name: bus, key: {what}}}")
        return "    tls:\n" + "\n".join(lines or ["      enabled: true"]) + "\n"

    return make


def read_over_tls(server, certificates):
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    context.load_cert_chain(certificates / "client.crt", certificates / "client.key")
    with Nats(server.port, tls=context) as client:
        return [m.body["id"] for m in client.messages()]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_with_its_own_authority_and_a_client_certificate(host, nats, on_bus, tls, certificates):
    server = nats(tls_server(certificates, verify=True))
    g = on_bus(f"nats://{host}:{server.port}", exotic=tls("ca", client=True)).start().wait_for_bus()
    arrives(g, "1")
    server.stop()
    server = server.restart()
    g.wait_for_bus()
    arrives(g, "2")
    assert read_over_tls(server, certificates) == ["1", "2"]


def test_a_write_in_tls_may_take_its_time(nats, network, on_bus, tls, certificates):
    server = nats(tls_server(certificates))
    link = network(server)
    g = on_bus(link.url, exotic=tls("ca"), events={"a": "spool", "b": "bus"}, deadline_s=60).start().wait_for_bus()
    link.slow(400_000)
    assert_carried_once(g, link)
    assert sorted(read_over_tls(server, certificates)) == [*(f"a{i}" for i in range(8)), "b"]


def test_an_authority_that_is_configured_stands_beside_those_of_the_system(nats, on_bus, tls, certificates, monkeypatch):
    """So the client library has it; the reference says so."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.crt"))
    server = nats(tls_server(certificates, verify=True))
    g = on_bus(server.url, exotic=tls("other-ca", client=True)).start().wait_for_bus()
    arrives(g, "1")


def test_a_server_that_requires_tls_gets_it_also_when_nobody_configured_it(nats, on_bus, certificates):
    server = nats(tls_server(certificates))
    g = on_bus(server.url).start().wait_for_bus()
    arrives(g, "1")
    assert read_over_tls(server, certificates) == ["1"]


REFUSED = {
    "another authority": (True, "other-ca", True),
    "the system's authorities": (True, None, True),
    "no client certificate": (True, "ca", False),
    "a server without TLS": (False, "ca", True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tls_that_does_not_hold_is_refused_and_what_is_stored_waits(name, nats, on_bus, tls, certificates):
    encrypted, ca, client = REFUSED[name]
    server = nats(tls_server(certificates, verify=True) if encrypted else "")
    g = on_bus(server.url, exotic=tls(ca, client)).start()
    wait_until(lambda: g.says("not connected; trying again until it is") + g.says("connection lost"), "the log says so")
    assert g.post_to("example", '{"id":"1"}').status_code == 200
    assert not g.bus_up() and g.waiting() == 1
    line = next(x for x in g.log() if "not connected" in x["msg"] or "connection lost" in x["msg"])
    assert re.search(r"TLS|SSL|ecure|ertificate", line["error"] + line.get("said", "")), line


# ---- permissions: a server that refuses says so beside, and answers nothing ----------------------------------------------

LOOK, MAKE = 'look for the stream "default": no answer; the server said: ', 'create the stream "default": no answer; the server said: '
PERMISSIONS = {
    "the API": ('publish: {deny: "$JS.API.>"}', LOOK + 'Permissions Violation for Publish to "$JS.API.STREAM.INFO.default"'),
    "making streams": ('publish: {deny: "$JS.API.STREAM.CREATE.>"}', MAKE + 'Permissions Violation for Publish to "$JS.API.STREAM.CREATE.default"'),
    "answers": ('subscribe: {deny: "_INBOX.>"}', LOOK + 'Permissions Violation for Subscription to "_INBOX.'),
}


@pytest.fixture
def user_url(nats):
    """user_url(permissions): the URL of a server for a user that has these."""

    def make(permissions):
        server = nats(f"authorization {{ users: [ {{ user: gate, password: pw, permissions: {{ {permissions} }} }} ] }}")
        return server, f"nats://gate:pw@127.0.0.1:{server.port}"

    return make


@pytest.mark.parametrize("what", PERMISSIONS)
def test_what_a_user_may_not_is_named_in_the_log_and_the_status(what, user_url, on_bus):
    permissions, text = PERMISSIONS[what]
    server, url = user_url(permissions)
    g = on_bus(url).start()
    assert wait_until(lambda: g.status()["bus"].get("error"), "status says why") == f"nats://127.0.0.1:{server.port}: {text}"
    assert g.says("not connected; trying again until it is") == 1


def test_an_answer_that_is_late_is_not_put_down_to_what_the_user_may_not_ask(user_url, on_bus):
    """A user that may publish and use JetStream, and not ask a server how it syncs: the refusal of that explains nothing else."""
    server, url = user_url('publish: {allow: ["default.>", "$JS.API.>"]}')
    g = on_bus(url, ack="bus").start()
    assert g.post_to("example", "{}").status_code == 200
    server.send(signal.SIGSTOP)
    assert g.post_to("example", "{}").status_code == 500
    reasons = wait_until(lambda: [x["error"] for x in g.log() if x["msg"].startswith("the bus does not take events")], "the log says why")
    server.send(signal.SIGCONT)
    assert reasons == ["no ack in 500 ms"]


HELD = 1500  # more than may be in flight


def post_many(g, event, ids):
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda i: g.post_to(event, json.dumps({"id": i})).status_code, ids)
        assert set(answers) == {200}


def forwarded(g):
    """What the store's file says: (position of the bus, events before it that wait at held routes)."""
    with contextlib.closing(sqlite3.connect(f"file:{g.data}/spool.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT (SELECT sum(forwarded) FROM buses), (SELECT sum(waiting) FROM held)").fetchone()


def test_a_route_that_a_user_may_not_publish_waits_alone_also_over_a_stop_and_a_kill(user_url, on_bus, tmp_path):
    """The others are not sent again, though the stream knows an id no longer than 100 ms; of a kill only what was in flight is."""
    server, url = user_url('publish: {deny: "default.hooks.refused"}')
    g = on_bus(url, exotic="    streamConfig: 'duplicates: 100ms'\n", events=("free", "refused")).start().wait_for_bus()

    def said():  # once for each start
        return g.says("a route's events are not taken; they wait")

    for i in range(0, HELD, 500):
        post_many(g, "refused", [f"refused {n}" for n in range(i, i + 500)])
        post_many(g, "free", [f"free {n}" for n in range(i, i + 500)])
    wait_until(lambda: g.waiting() == HELD, "the others are forwarded")
    wait_until(lambda: said() == 1, "the log says why")
    g.process.stop()
    assert forwarded(g) == (2 * HELD, HELD)
    asked = subprocess.run([HOLDFAST, "status", "--json", "--data-dir", g.data], capture_output=True, text=True, timeout=90)
    assert json.loads(asked.stdout)["buses"] == [{"name": "default", "forwarded": 2 * HELD, "waiting": HELD}]

    g.start().wait_for_bus()
    post_many(g, "free", ["again"])
    wait_until(lambda: forwarded(g) == (2 * HELD + 1, HELD), "the position is stored")
    assert g.waiting() == HELD
    wait_until(lambda: said() == 2, "the log says why")
    post_many(g, "free", [f"last {n}" for n in range(200)])
    g.process.kill()
    g.start().wait_for_bus()
    wait_until(lambda: g.waiting() == HELD, "the others are forwarded")
    wait_until(lambda: said() == 3, "the log says why")

    file = tmp_path / "nats.conf"
    file.write_text(file.read_text().replace("deny", "allow: \">\", deny").replace("hooks.refused", "hooks.nobody"))
    server.send(signal.SIGHUP)
    g.drain()
    with Nats(server.port, user="gate", **{"pass": "pw"}) as client:
        messages = client.messages()
    assert_as_stored(g, messages, ["refused"])
    assert_once([m for m in messages if not m.body["id"].startswith("last")])
    assert {m.event["id"] for m in messages if m.body["id"].startswith("last")} == {i for i, n in g.stored("free") if n.startswith("last")}
    g.process.stop()
    assert forwarded(g) == (2 * HELD + 201, None)


# ---- several servers ----------------------------------------------------------------------------------------------------

def test_a_dead_and_a_silent_server_in_the_list_are_passed_over(nats, network, on_bus):
    server, other = nats(), nats(name="other")
    silent = network(other)
    silent.blackhole()
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # nobody listens there, and no other test's server can
        urls = f"nats://127.0.0.1:{dead.getsockname()[1]}, {silent.url}, {server.url}"
        g = on_bus(f'"{urls}"').start().wait_for_bus()
        arrives(g, "1")
    assert [m.body["id"] for m in messages_of(server)] == ["1"]


def test_the_next_server_takes_over(nats, on_bus):
    """Two servers that know nothing of each other: what the first one has stays there, the rest goes to the second."""
    first, second = nats(), nats(name="second")
    g = on_bus(f'"{first.url},{second.url}"').start().wait_for_bus()
    arrives(g, "1")
    at = next(s for s in (first, second) if s.url == [x for x in g.log() if x["msg"] == "connected"][-1]["server"])
    other = second if at is first else first
    at.kill()
    arrives(g, "2")
    assert [m.body["id"] for m in messages_of(other)] == ["2"]


# ---- does it sync before it acknowledges? -------------------------------------------------------------------------------

NOT_SAID = "the server does not say whether it syncs before it acknowledges"
NOT_YET = "the server acknowledges before it syncs"

REPORTS = [
    # what the server's JetStream block says -> status, metric, the line in the log
    (None, "unknown", -1, NOT_SAID),
    ({}, "unknown", -1, NOT_SAID),
    ({"sync_interval": 120_000_000_000}, "later", 0, NOT_YET),
    ({"sync_interval": 120_000_000_000, "sync_always": True}, "always", 1, "the server syncs before it acknowledges"),
    ({"sync_interval": 120_000_000_000, "sync_always": False}, "later", 0, NOT_YET),
    ({"sync_always": "yes"}, "unknown", -1, NOT_SAID),
]


@pytest.fixture
def monitor(free_port):
    """monitor(config): the URL of a monitoring port whose /jsz says so."""
    servers = []

    def make(config):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"server_id": "X", "config": config}).encode()
                self.send_response(200 if self.path == "/jsz" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


def assert_reported(g, sync, value, text):
    g.wait_for_bus()
    assert g.status()["bus"]["sync"] == sync
    assert metric(g, "holdfast_bus_syncs_before_ack") == value
    assert g.says(text) == 1
    line = next(x for x in g.log() if x["msg"].startswith(text))
    assert line["level"] == ("info" if sync == "always" else "warn") and line["sync"] == sync


@pytest.mark.parametrize("config, sync, value, text", REPORTS)
def test_what_a_server_says_over_the_connection(config, sync, value, text, on_bus, free_port):
    server = FakeNats(free_port(), lambda n: b'{"stream":"default","seq":%d}' % n, sync=config)
    try:
        assert_reported(on_bus(f"nats://127.0.0.1:{server.info['port']}").start(), sync, value, text)
    finally:
        server.close()


@pytest.mark.parametrize("config, sync, value, text", REPORTS[1:])
def test_what_a_server_says_on_its_monitoring_port(config, sync, value, text, nats, on_bus, monitor):
    url = f"  holdfast: {{monitorUrl: '{monitor(config)}'}}\n"
    assert_reported(on_bus(nats().url, exotic=url).start(), sync, value, text)


def test_debians_server_does_not_say_and_that_is_logged_once(nats, on_bus, free_port):
    port = free_port()
    server = nats(f"http: 127.0.0.1:{port}")
    g = on_bus(server.url, exotic=f"  holdfast: {{monitorUrl: 'http://127.0.0.1:{port}/'}}\n").start()
    assert_reported(g, "unknown", -1, NOT_SAID)
    server.stop()
    server.restart()
    wait_until(lambda: g.says('"connected"') == 2, "connected again")
    assert_reported(g, "unknown", -1, NOT_SAID)


def test_a_monitoring_url_that_is_none_is_a_problem(on_bus):
    for url in ("https://localhost:8222", "localhost:8222", "http://", "http://host:99999"):
        g = on_bus("nats://127.0.0.1:4222", exotic=f"  holdfast: {{monitorUrl: '{url}'}}\n")
        done = subprocess.run([HOLDFAST, "check-config", g.file], capture_output=True, text=True, timeout=90)
        assert done.returncode == 1 and "monitorUrl" in done.stdout + done.stderr, (url, done)


@pytest.mark.parametrize("config", [None, {"sync_interval": 120_000_000_000}])
def test_strict_refuses_a_server_that_does_not_sync_first_and_spools_on(config, nats, on_bus, monitor):
    server = nats()
    own = f"  holdfast: {{strict: true, monitorUrl: '{monitor(config or {})}'}}\n"
    g = on_bus(server.url, exotic=own).start()
    wait_until(lambda: g.says("not connected; trying again until it is"), "the log says so")
    assert g.says("strict: " + (NOT_YET if config else NOT_SAID))
    for n in range(3):
        assert g.post_to("example", '{"id":"%d"}' % n).status_code == 200
    assert not g.bus_up() and g.waiting() == 3
    assert g.status()["bus"] == {"kind": "jetstream", "name": "default", "state": "down", "sync": "later" if config else "unknown",
                                 "error": f"{server.url}: strict: " + (NOT_YET if config else NOT_SAID)}
    ready = requests.get(g.admin + "/readyz", timeout=90)
    assert ready.status_code == 200, "the store takes events"
    assert "bus jetstream is down (strict: " + (NOT_YET if config else "no server has said that it syncs") in ready.text
    with Nats(server.port) as client:
        assert client.stream() is None, "a refused server gets no stream either"


def test_strict_takes_a_server_that_syncs_first(nats, on_bus, monitor):
    server = nats()
    g = on_bus(server.url, more="    strict: true\n", exotic=f"  holdfast: {{monitorUrl: '{monitor({'sync_always': True})}'}}\n").start()
    g.wait_for_bus()
    arrives(g, "1")
    assert [m.body["id"] for m in messages_of(server)] == ["1"]
