"""A TLS listener: the same answers as without, and nothing for those who do not speak it well."""

import json
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest
import requests
from conftest import HOLDFAST, wait_until
from load import metric
from pki import Authority
from rawhttp import Peer, chunk, chunked, refuses, request

GOOD = b'{"n": "good"}'

MANIFEST = """\
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: webhook}}
spec:
  webhook:
    hook: {{port: "{port}", endpoint: /hook, method: POST, serverCertSecret: {{name: tls, key: crt}}, serverKeySecret: {{name: tls, key: key}}}}
    plain: {{port: "{plain}", endpoint: /hook, method: POST}}
  holdfast:
    dataDir: {data}
    secretsDir: {secrets}
    deadline: 60s
    limits: {{headerTimeout: {patience}, drainTimeout: 10m}}
    admin: {{address: "127.0.0.1:{admin}"}}
"""


def make_certificate(directory, name="localhost"):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", directory / "key.new", "-out", directory / "crt.new"], check=True, capture_output=True)
    (directory / "key.new").rename(directory / "key")
    (directory / "crt.new").rename(directory / "crt")


@pytest.fixture
def patience():
    """How long a handshake may take."""
    return "60s"


in_a_hurry = pytest.mark.parametrize("patience", ["1500ms"])


@pytest.fixture
def served(gateway, free_port, tmp_path, patience):
    secrets = tmp_path / "secrets" / "tls"
    secrets.mkdir(parents=True)
    make_certificate(secrets)
    g = gateway()
    g.plain_port, g.secrets = free_port(), secrets
    g.file.write_text(MANIFEST.format(port=g.port, plain=g.plain_port, data=g.data, admin=g.admin_port, secrets=tmp_path / "secrets",
                                      patience=patience))
    return g.start()


def client(g, **options):
    context = ssl.create_default_context(cafile=g.secrets / "crt")
    for name, value in options.items():
        setattr(context, name, value)
    return context


def is_served(g):
    with Peer(g.port, tls=client(g)) as p:
        p.send(request(body=b'"served"'))
        answer = p.answer()
        return answer is not None and answer[0] == 200


def bodies(g):
    return [json.loads(event)["body"] for event in g.events()]


def test_requests_over_tls_are_requests(served):
    with Peer(served.port, tls=client(served)) as p:
        assert p.socket.version() == "TLSv1.3"
        p.send(request(body=GOOD), request(path=b"/none"), chunked(chunk(GOOD)))
        assert [p.answer()[0] for _ in range(3)] == [200, 404, 200]
        whole = request(body=GOOD)
        p.send(*(whole[i:i + 1] for i in range(len(whole))))  # a record for each byte
        assert p.answer()[0] == 200
        p.send(request(body=b'"' + b"x" * 500_000 + b'"'))
        assert p.answer()[0] == 200
        p.send(b"x\r\n\r\n" + request(body=b'"smuggled"'))
        assert p.answer()[0] == 400 and p.ended()
    assert bodies(served) == [{"n": "good"}] * 3 + ["x" * 500_000]


def test_curl_is_served_by_http_1_1_and_1_2_and_1_3_of_tls(served):
    for options in (["--tlsv1.3"], ["--tls-max", "1.2"], ["--http2"], ["--http1.0"]):
        out = subprocess.run(["curl", "-sS", "--cacert", served.secrets / "crt", *options, "-d", GOOD, "-H", "Content-Type: application/json",
                              "-w", " %{http_code} %{http_version}", f"https://localhost:{served.port}/hook"],
                             check=True, capture_output=True, text=True)
        assert out.stdout in ("success 200 1.1", "success 200 1"), options
    assert bodies(served) == [{"n": "good"}] * 4


@in_a_hurry
def test_plain_http_on_the_tls_port_gets_no_answer_and_harms_nobody(served):
    for data in (request(), b"GET / HTTP/1.1\r\n\r\n", b"\r\n", b"\x00" * 1000, b"\x16\x03\x01\xff\xff" + b"\xff" * 2000,
                 b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x00\x10" + b"a" * 16):
        with Peer(served.port) as p:
            p.send(data)
            p.gone()
            assert b"HTTP" not in p.kept, data
        wait_until(lambda: is_served(served), "others are served")
    assert bodies(served) == ["served"] * 8 and served.process.running()


def test_a_certificate_that_has_expired_is_said_at_a_reload_and_by_check_config(served, tmp_path):
    def expires():
        page = requests.get(served.admin + "/metrics", timeout=90).text
        return float(re.search(r"^holdfast_certificate_expires_timestamp_seconds (\S+)$", page, re.M)[1])

    assert time.time() < expires() < time.time() + 3 * 86400
    authority = Authority(tmp_path / "pki", past_days=30)
    pair = authority.issue("localhost", hosts=["localhost"])
    pair.key.rename(served.secrets / "key")
    pair.cert.rename(served.secrets / "crt")
    served.process.send(signal.SIGHUP)
    wait_until(lambda: served.says("the configuration was reloaded"), "it is read again")
    warned = [line["problem"] for line in served.log() if line["msg"] == "the manifests have a problem"]
    assert len(warned) == 1 and f"{served.secrets}/crt expired at 20" in warned[0] and "renew it" in warned[0]
    done = subprocess.run([HOLDFAST, "check-config", served.file], capture_output=True, text=True, timeout=60)
    assert time.time() - 31 * 86400 < expires() < time.time()
    assert done.returncode == 0 and "expired at 20" in done.stdout, "senders that do not verify are still served"


def test_tls_on_the_plain_port_is_refused(served):
    with pytest.raises(ssl.SSLError):
        Peer(served.plain_port, tls=client(served))
    with Peer(served.plain_port) as p:
        p.send(request(body=GOOD))
        assert p.answer()[0] == 200


@in_a_hurry
def test_a_handshake_that_stalls_ends_in_time(served):
    greeting = hello(served)
    for data in (b"", greeting[:1], greeting[:100], greeting):
        begun = time.monotonic()
        with Peer(served.port) as p:
            p.send(data)
            wait_until(lambda: is_served(served), "others are served")
            p.gone()
            assert 1 < time.monotonic() - begun < 9  # it is 10 s when nothing is said


def hello(g):
    """What a client says first."""
    to_server = ssl.MemoryBIO()
    session = client(g).wrap_bio(ssl.MemoryBIO(), to_server, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return to_server.read()


def test_handshakes_cut_at_every_byte_harm_nobody(served):
    greeting = hello(served)
    for at in range(0, len(greeting), 7):
        with Peer(served.port) as p:
            p.send(greeting[:at])
            p.end()
            p.gone()
        p = Peer(served.port)
        p.send(greeting[:at], bytes([greeting[at] ^ 0x40]), greeting[at + 1:])
        p.reset()
    assert is_served(served)


def openssl_client(g, *options):
    out = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{g.port}", *options], input="", capture_output=True, text=True,
                         timeout=90)
    return out.stdout + out.stderr


def test_a_stop_finishes_handshakes_and_takes_the_request_behind_them(served):
    """A delivery of GitHub, which does not try again: a new connection, some round trips before its first byte."""
    with Peer(served.port) as begun, Peer(served.port, tls=client(served)) as shaken:
        wait_until(lambda: metric(served, "holdfast_gateway_connections") == 2, "both are accepted")
        served.process.send(signal.SIGTERM)
        wait_until(lambda: refuses(served.port), "no new connections")
        begun.socket = client(served).wrap_socket(begun.socket, server_hostname="localhost")
        for p in (begun, shaken):
            p.send(request(body=GOOD))
            assert p.answer()[0] == 200
    assert served.process.wait() == 0
    assert bodies(served) == [{"n": "good"}] * 2


def test_old_versions_and_weak_ciphers_are_refused(served):
    for options in (["-tls1"], ["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"], ["-tls1_2", "-cipher", "AES256-GCM-SHA384"],
                    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"], ["-alpn", "h2"]):
        text = openssl_client(served, "-cipher", "ALL@SECLEVEL=0", *options) if "-cipher" not in options else openssl_client(served, *options)
        assert "alert" in text and "Cipher is (NONE)" in text, (options, text)
    for options in (["-tls1_2"], ["-tls1_3"], ["-alpn", "h2,http/1.1"]):
        assert re.search(r"Cipher is (TLS_|ECDHE-)", openssl_client(served, *options)), options
    assert is_served(served)


def test_who_does_not_get_through_is_counted(served):
    def failures():
        page = requests.get(served.admin + "/metrics", timeout=90).text
        return int(re.search(r"^holdfast_gateway_tls_failures_total (\d+)$", page, re.M)[1])

    assert is_served(served) and failures() == 0
    with pytest.raises(ssl.SSLCertVerificationError):
        Peer(served.port, tls=ssl.create_default_context())
    wait_until(lambda: failures() == 1, "a client that does not trust the certificate says so")
    openssl_client(served, "-alpn", "h2")
    wait_until(lambda: failures() == 2, "one that speaks another protocol")
    with Peer(served.port) as p:
        p.end()
        assert p.ended()
    assert failures() == 2, "one that only looks whether the port is open is none"


def test_a_client_may_not_renegotiate(served):
    context = client(served, maximum_version=ssl.TLSVersion.TLSv1_2)
    with Peer(served.port, tls=context) as p:
        assert p.socket.version() == "TLSv1.2"
    # "R" on a line of its own makes s_client renegotiate.
    child = subprocess.run(["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{served.port}"], input="R\n", capture_output=True,
                           text=True, timeout=90)
    assert "no renegotiation" in child.stdout + child.stderr
    assert is_served(served)


def test_cut_without_a_goodbye_nothing_half_is_stored(served):
    with Peer(served.port, tls=client(served)) as p:
        p.send(request(body=GOOD)[:-1])
        raw = p.socket.detach()
    with socket.socket(fileno=raw) as s:
        s.shutdown(socket.SHUT_WR)
        s.settimeout(60)
        while s.recv(4096):
            pass
    assert is_served(served)
    assert bodies(served) == ["served"]


def serial(g):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Peer(g.port, tls=context) as p:
        return p.socket.getpeercert(binary_form=True)


def test_a_new_certificate_is_served_after_sighup_and_old_connections_live_on(served):
    before = serial(served)
    with Peer(served.port, tls=client(served)) as p:
        p.send(request(body=GOOD))
        assert p.answer()[0] == 200
        make_certificate(served.secrets)
        served.process.send(signal.SIGHUP)
        wait_until(lambda: serial(served) != before, "the new certificate")
        p.send(request(body=GOOD))
        assert p.answer()[0] == 200
    after = serial(served)
    (served.secrets / "crt").write_text("no certificate")
    served.process.send(signal.SIGHUP)
    wait_until(lambda: "the certificate was not replaced" in served.process.output(), "it is reported")
    assert serial(served) == after


@in_a_hurry
def test_100_idle_tls_connections_do_not_outlive_their_handshake_time(served):
    silent = [Peer(served.port) for _ in range(100)]
    start = time.monotonic()
    for p in silent:
        p.gone()
        p.close()
    assert time.monotonic() - start < 9
    wait_until(lambda: is_served(served), "who is not idle is served")
