"""holdfast pki: what it makes is judged by openssl, by Python's TLS and by python3-jwt; their tokens are judged by ours."""

import os
import pty
import re
import signal
import socket
import ssl
import subprocess
import termios
import threading
import time
from pathlib import Path

import jwt
import pytest
from conftest import HOLDFAST
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from smalldisk import small_disk  # noqa: F401  (a fixture)

AUTHTEST = os.environ.get("AUTHTEST_BIN", str(Path(HOLDFAST).parents[2] / "tests/tools/authtest"))
ISSUER, ACCESS, REFRESH = "argocd-agent-server", "argocd-agent-server-access", "argocd-agent-server-refresh"


def pki(directory, *words, text=None, code=0):
    """One command in `directory`; the output it is meant for."""
    done = subprocess.run([HOLDFAST, "pki", *words], cwd=directory, input=text or "", capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == code, done
    return done.stdout if code == 0 else done.stderr


def openssl(directory, *words):
    done = subprocess.run(["openssl", *words], cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return done.stdout


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A directory with an authority, a principal's certificate and an agent's."""
    directory = tmp_path_factory.mktemp("pki")
    pki(directory, "init", "--jwt-bits", "2048")
    pki(directory, "issue", "--server", "localhost", "--san", "127.0.0.1", "--san", "spiffe://example.org/principal")
    pki(directory, "issue", "--agent", "site-1", "--san", "uri:spiffe://example.org/agent/site-1")
    return directory


# ---- certificates ----------------------------------------------------------------------------------------------------


def test_openssl_accepts_the_chain_for_its_purpose_only(made):
    for name, purpose, other in [("localhost", "sslserver", "sslclient"), ("site-1", "sslclient", "sslserver")]:
        verify = ["verify", "-x509_strict", "-CAfile", "pki/ca.crt", "-purpose"]
        assert "OK" in openssl(made, *verify, purpose, f"pki/{name}.crt")
        wrong = subprocess.run(["openssl", *verify, other, f"pki/{name}.crt"], cwd=made, capture_output=True, text=True)
        assert wrong.returncode != 0 and "purpose" in wrong.stderr
        public = openssl(made, "pkey", "-in", f"pki/{name}.key", "-pubout")
        assert public == openssl(made, "x509", "-in", f"pki/{name}.crt", "-noout", "-pubkey")


def test_keys_are_for_their_owner_and_certificates_for_everybody(made):
    for path in (made / "pki").iterdir():
        assert mode(path) == (0o600 if path.suffix == ".key" else 0o644), path
        if path.suffix == ".key":
            assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert mode(made / "pki") == 0o700


def test_the_certificates_say_who_they_are(made):
    cert = x509.load_pem_x509_certificate((made / "pki/site-1.crt").read_bytes())
    assert cert.subject.rfc4514_string() == "CN=site-1"
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://example.org/agent/site-1"]
    assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    ca = x509.load_pem_x509_certificate((made / "pki/ca.crt").read_bytes())
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert cert.issuer == ca.subject
    assert [(c.not_valid_after - c.not_valid_before).days for c in (cert, ca)] == [365, 3650]


def test_principal_and_agent_meet_over_mutual_tls(made):
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made / "pki/ca.crt")
    server.load_cert_chain(made / "pki/localhost.crt", made / "pki/localhost.key")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=made / "pki/ca.crt")
    client.load_cert_chain(made / "pki/site-1.crt", made / "pki/site-1.key")
    seen = []

    def serve(listener):
        with listener.accept()[0] as plain, server.wrap_socket(plain, server_side=True) as tls:
            seen.append(dict(pair[0] for pair in tls.getpeercert()["subject"]))
            tls.sendall(b"hello")

    for host in ["localhost", "127.0.0.1"]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=[listener])
            thread.start()
            with socket.create_connection(listener.getsockname(), timeout=90) as plain, \
                    client.wrap_socket(plain, server_hostname=host) as tls:
                assert tls.recv(5) == b"hello"
            thread.join(60)
    assert seen == [{"commonName": "site-1"}] * 2


def test_rsa_is_possible_everywhere(tmp_path):
    pki(tmp_path, "init", "--key-type", "rsa", "--jwt-bits", "2048", "--name", "Sites of Ä", "--days", "30")
    pki(tmp_path, "issue", "--agent", "a", "--key-type", "rsa", "--days", "365")
    assert "OK" in openssl(tmp_path, "verify", "-x509_strict", "-CAfile", "pki/ca.crt", "pki/a.crt")
    ca, leaf = (x509.load_pem_x509_certificate((tmp_path / "pki" / name).read_bytes()) for name in ("ca.crt", "a.crt"))
    assert leaf.not_valid_after == ca.not_valid_after
    assert leaf.public_key().key_size == 3072


# ---- files -----------------------------------------------------------------------------------------------------------


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_nothing_is_replaced_without_force(tmp_path):
    pki(tmp_path, "init", "--jwt-bits", "2048")
    pki(tmp_path, "issue", "--agent", "a")
    before = contents(tmp_path / "pki")
    assert "pki/ca.key exists; --force replaces it" in pki(tmp_path, "init", code=1)
    assert "pki/a.key exists; --force replaces it" in pki(tmp_path, "issue", "--agent", "a", code=1)
    (tmp_path / "pki/a.key").unlink()
    assert "pki/a.crt exists; --force replaces it" in pki(tmp_path, "issue", "--agent", "a", code=1)
    (tmp_path / "pki/a.key").write_bytes(before["a.key"])
    assert contents(tmp_path / "pki") == before
    pki(tmp_path, "issue", "--agent", "a", "--force")
    after = contents(tmp_path / "pki")
    assert [name for name in sorted(before) if before[name] != after[name]] == ["a.crt", "a.key"]
    assert "OK" in openssl(tmp_path, "verify", "-CAfile", "pki/ca.crt", "pki/a.crt")


@pytest.mark.parametrize("fault", ["link:error=ENOSPC", "fsync:error=EIO", "link:signal=KILL"])
def test_what_did_not_come_to_its_end_is_as_if_it_had_not_begun(tmp_path, fault):
    """Of the second of three files, which leaves the most, and of each of the two of a certificate."""
    (tmp_path / "pki").mkdir()
    for words, names in ((["init", "--jwt-bits", "2048"], {"ca.crt", "ca.key", "jwt.key"}), (["issue", "--agent", "a"], {"a.crt", "a.key"})):
        before = {path.name for path in tmp_path.glob("pki/*")}
        for n in [2] if "ca.key" in names else [1, 2]:
            strace = ["strace", "-q", "-o", tmp_path / "calls", "-e", "trace=link,fsync", "-e", f"inject={fault}:when={n}"]
            done = subprocess.run([*strace, HOLDFAST, "pki", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
            if "INJECTED" not in (tmp_path / "calls").read_text() and "killed" not in (tmp_path / "calls").read_text():
                pytest.skip("strace cannot do this here: " + done.stderr)
            assert done.returncode != 0
            if "error" in fault:
                assert "holdfast pki " in done.stderr and ": write pki/" in done.stderr
                assert {path.name for path in tmp_path.glob("pki/*")} == before
        pki(tmp_path, *words)
        assert {path.name for path in tmp_path.glob("pki/*")} == before | names
    assert "OK" in openssl(tmp_path, "verify", "-CAfile", "pki/ca.crt", "pki/a.crt")


def test_a_full_disk_leaves_nothing_of_an_authority(small_disk, tmp_path):  # noqa: F811
    disk = small_disk(tmp_path / "disk")
    directory = disk.directory
    disk.fill()
    assert "No space left on device" in pki(directory, "init", "--jwt-bits", "2048", code=1)
    assert not list(directory.glob("pki/*"))
    disk.free()
    pki(directory, "init", "--jwt-bits", "2048")


def test_a_timer_renews_near_the_end_and_keeps_the_key(tmp_path):
    pki(tmp_path, "init", "--jwt-bits", "2048")
    assert "certificate of the agent" in pki(tmp_path, "issue", "--agent", "a", "--renew", "30", "--days", "60")
    before = contents(tmp_path / "pki")
    assert "nothing was done" in pki(tmp_path, "issue", "--agent", "a", "--renew", "30")
    assert contents(tmp_path / "pki") == before
    assert "SIGHUP" in pki(tmp_path, "issue", "--agent", "a", "--renew", "61")
    after = contents(tmp_path / "pki")
    assert [name for name in sorted(before) if before[name] != after[name]] == ["a.crt"]
    old, new = (x509.load_pem_x509_certificate(c["a.crt"]) for c in (before, after))
    assert old.public_key().public_numbers() == new.public_key().public_numbers()
    assert old.serial_number != new.serial_number


def test_who_is_renewed_keeps_its_names_unless_others_are_given(tmp_path):
    def names():
        cert = x509.load_pem_x509_certificate((tmp_path / "pki/hub.crt").read_bytes())
        return [str(name.value) for name in cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value]

    pki(tmp_path, "init", "--jwt-bits", "2048")
    pki(tmp_path, "issue", "--server", "hub", "--san", "10.0.0.5", "--san", "*.hub.example.org", "--days", "60")
    pki(tmp_path, "issue", "--server", "hub", "--renew", "90", "--days", "60")
    assert names() == ["hub", "10.0.0.5", "*.hub.example.org"]
    pki(tmp_path, "issue", "--server", "hub", "--renew", "90", "--san", "10.0.0.6")
    assert names() == ["hub", "10.0.0.6"]


@pytest.mark.parametrize("words, code, story", [
    (["issue"], 2, "give either --server NAME or --agent NAME"),
    (["issue", "--server", "a", "--agent", "b"], 2, "give either --server NAME or --agent NAME"),
    (["issue", "--agent", "a", "--renew", "3", "--force"], 2, "--renew keeps the key, --force replaces it"),
    (["issue", "--agent", "a", "--dir", "none"], 1, "no authority in 'none', 'holdfast pki init' makes one"),
    (["issue", "--agent", "ca", "--force"], 1, "'ca' would name a file of the authority"),
    (["issue", "--agent", "../a"], 1, "would name a file of the authority, or none"),
    (["issue", "--agent", "A"], 1, "'A' is no name of an agent"),
    (["issue", "--server", "a", "--san", "b c"], 1, "'b c' is no DNS name, no address and no URI"),
    (["issue", "--agent", "a", "--days", "99999"], 2, "--days: '99999' is not within 1 and 36500"),
    (["init", "--dir", "x", "--jwt-bits", "2049"], 1, "a key of 2049 bits: 2048, 3072 and 4096 are possible"),
    (["init", "--dir", "x", "--jwt-bits", "4294970368"], 2, "--jwt-bits: '4294970368' is not within 2048 and 4096"),
    (["user", "a", "--cost", "260"], 2, "--cost: '260' is not within 4 and 16"),
    (["init", "--dir", "/dev/null/x"], 1, "make the directory /dev/null/x: Not a directory"),
])
def test_what_cannot_be_done_is_said(made, words, code, story):
    before = contents(made / "pki")
    assert story in pki(made, *words, code=code)
    assert contents(made / "pki") == before and not (made / "x").exists()


# ---- tokens ----------------------------------------------------------------------------------------------------------


def authtest(*words, text=""):
    return subprocess.run([AUTHTEST, *map(str, words)], input=text, capture_output=True, text=True, timeout=60)


def now_ms():
    return time.time_ns() // 1_000_000


def key_of(made):
    return serialization.load_pem_private_key((made / "pki/jwt.key").read_bytes(), None)


def test_python_accepts_our_tokens(made):
    for use, audience, life in [("access", ACCESS, 300), ("refresh", REFRESH, 24 * 3600)]:
        token = authtest("issue", made / "pki/jwt.key", use, "site-1", "managed", now_ms()).stdout.strip()
        claims = jwt.decode(token, key_of(made).public_key(), algorithms=["RS512"], audience=audience, issuer=ISSUER,
                            options={"require": ["exp", "iat", "nbf", "jti", "sub", "aud", "iss"]})
        assert claims["sub"] == '{"clientID":"site-1","mode":"managed"}'
        assert claims["aud"] == [audience]
        assert claims["exp"] - claims["iat"] == life and claims["nbf"] == claims["iat"]
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", claims["jti"])
        assert jwt.get_unverified_header(token) == {"alg": "RS512", "typ": "JWT"}


def claims_of(**changed):
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": '{"clientID":"site-1","mode":"autonomous"}', "aud": [ACCESS], "exp": now + 300,
              "nbf": now, "iat": now, "jti": "x", **changed}
    return {k: v for k, v in claims.items() if v is not None}


def test_we_accept_tokens_of_python(made):
    token = jwt.encode(claims_of(), key_of(made), "RS512")
    done = authtest("verify", made / "pki/jwt.key", "access", now_ms(), text=token)
    assert done.stdout.split()[:2] == ["site-1", "autonomous"]
    assert authtest("peek", text=token).stdout == done.stdout
    assert authtest("peek", text=jwt.encode(claims_of(), "a secret", "HS256")).stdout.split()[0] == "site-1"


def test_we_refuse_what_only_looks_like_one(made, tmp_path):
    public = key_of(made).public_key().public_bytes(serialization.Encoding.DER,
                                                    serialization.PublicFormat.SubjectPublicKeyInfo)
    now = int(time.time())
    pki(tmp_path, "init", "--jwt-bits", "2048")
    hostile = {
        "none": jwt.encode(claims_of(), None, "none"),
        "the public key as a secret": jwt.encode(claims_of(), public, "HS512"),
        "another hash": jwt.encode(claims_of(), key_of(made), "RS256"),
        "another padding": jwt.encode(claims_of(), key_of(made), "PS512"),
        "another key": jwt.encode(claims_of(), key_of(tmp_path), "RS512"),
        "another audience": jwt.encode(claims_of(aud=[REFRESH]), key_of(made), "RS512"),
        "two audiences": jwt.encode(claims_of(aud=[ACCESS, REFRESH]), key_of(made), "RS512"),
        "another issuer": jwt.encode(claims_of(iss="me"), key_of(made), "RS512"),
        "over": jwt.encode(claims_of(exp=now - 60), key_of(made), "RS512"),
        "without end": jwt.encode(claims_of(exp=None), key_of(made), "RS512"),
        "not yet": jwt.encode(claims_of(nbf=now + 60), key_of(made), "RS512"),
        "no agent": jwt.encode(claims_of(sub="site-1"), key_of(made), "RS512"),
        "huge": jwt.encode(claims_of(x="x" * 100_000), key_of(made), "RS512"),
        "nothing": "",
    }
    for what, token in hostile.items():
        done = authtest("verify", made / "pki/jwt.key", "access", now_ms(), text=token)
        assert done.returncode == 1 and done.stdout.startswith("refused: "), what


# ---- users -----------------------------------------------------------------------------------------------------------


def test_a_user_gets_a_password_and_a_new_one(tmp_path):
    users = tmp_path / "users"
    assert "users: a new user site-1" in pki(tmp_path, "user", "site-1", "--cost", "4", text="first\n")
    assert mode(users) == 0o600
    pki(tmp_path, "user", "site-2", "--cost", "4", text="pass:word with spaces")
    users.write_text("# ours\n" + users.read_text())
    users.chmod(0o640)
    assert "a new password for site-1" in pki(tmp_path, "user", "site-1", "--cost", "4", text="second\r\n")
    assert mode(users) == 0o640
    lines = users.read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["# ours", "site-1", "site-2"]
    for name, password, answer in [("site-1", "second", "ok"), ("site-1", "first", "refused"),
                                   ("site-2", "pass:word with spaces", "ok"), ("site-3", "second", "refused")]:
        assert authtest("password", users, name, text=password).stdout.strip() == answer, (name, password)


def test_what_is_no_password_changes_nothing(tmp_path):
    pki(tmp_path, "user", "a", "--cost", "4", text="x\n")
    before = (tmp_path / "users").read_bytes()
    for text in ["", "\n", "x" * 73 + "\n"]:
        assert "a password has 1 to 72 bytes" in pki(tmp_path, "user", "a", text=text, code=1)
    assert "--cost: '17' is not within 4 and 16" in pki(tmp_path, "user", "a", "--cost", "17", text="x", code=2)
    assert "'A' is no name of an agent" in pki(tmp_path, "user", "A", text="x", code=2)
    assert "No such file" in pki(tmp_path, "user", "a", "--file", "none/users", text="x", code=1)
    assert (tmp_path / "users").read_bytes() == before


def typed(directory, lines):
    """The command on a terminal: what it shows, and its exit code."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([HOLDFAST, "pki", "user", "a", "--cost", "4"], cwd=directory, stdin=theirs,
                             stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    for line, prompt in zip(lines, [b"Password: ", b"Again: "]):
        while not shown.endswith(prompt):
            shown += os.read(ours, 100)
        os.write(ours, line + b"\n")
    code = child.wait(60)
    while True:
        try:
            shown += os.read(ours, 1000)
        except OSError:  # the other end is closed
            os.close(ours)
            return shown, code


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(tmp_path):
    shown, code = typed(tmp_path, [b"secret", b"secret"])
    assert code == 0 and b"secret" not in shown
    assert authtest("password", tmp_path / "users", "a", text="secret").stdout == "ok\n"
    shown, code = typed(tmp_path, [b"one", b"two"])
    assert code == 1 and b"these were two different passwords" in shown
    assert authtest("password", tmp_path / "users", "a", text="secret").stdout == "ok\n"


def test_ctrl_c_at_the_question_leaves_a_terminal_that_shows_what_is_typed(tmp_path):
    ours, theirs = pty.openpty()
    child = subprocess.Popen([HOLDFAST, "pki", "user", "a"], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
    shown = b""
    while not shown.endswith(b"Password: "):
        shown += os.read(ours, 100)
    assert not termios.tcgetattr(theirs)[3] & termios.ECHO
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 1
    assert termios.tcgetattr(theirs)[3] & termios.ECHO
    while b"interrupted" not in shown:
        shown += os.read(ours, 1000)
    assert not (tmp_path / "users").exists()
    os.close(theirs)
    os.close(ours)
