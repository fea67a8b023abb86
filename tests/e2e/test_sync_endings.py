"""What the principal says when a stream ends: who, why, once, and as loud as it deserves."""

import signal
import struct
import subprocess
import time

import pytest
from conftest import wait_until
from netcut import Proxy
from synced import add_user, net, sync_pki  # noqa: F401  (fixtures)

SITE = "site-1"


class Link:
    """A principal and an agent without TLS, and a proxy between them that can add bytes of its own."""

    def __init__(self, net):
        users, creds = net.directory / "users", net.directory / "creds"
        add_user(users, SITE, "secret")
        creds.write_text(f"{SITE}:secret\n")
        self.creds = f"userpass:{creds}"
        self.principal = net.principal("--insecure-plaintext", "--insecure-jwt-generate", "--auth", f"userpass:{users}", auth="")
        self.proxy = Proxy(net.free_port(), self.principal.port)
        self.agent = self.join(net, SITE, self.proxy.port)
        self.principal.wait_connected(SITE)

    def join(self, net, name, port):
        return net.agent(name, port, "--insecure-plaintext", "--creds", self.creds, creds="").wait_connected()

    def to_principal(self):
        with self.proxy.changed:
            return next(s for s in self.proxy.sockets if s.getpeername()[1] == self.principal.port)

    def add(self, *frames):
        self.to_principal().sendall(b"".join(frames))

    def ended(self):
        """The one line about it."""
        wait_until(lambda: self.principal.log("an agent is disconnected"), "the end is logged")
        return self.principal.log("an agent is disconnected")[0]


@pytest.fixture
def link(net):
    made = Link(net)
    yield made
    made.proxy.close()


def frame(kind, payload, stream=0):
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + stream.to_bytes(4, "big") + payload


def goes_away(link):
    link.add(frame(7, struct.pack(">II", 0, 11) + b"too hot"))
    link.proxy.cut()


@pytest.mark.parametrize(("what", "level", "reason"), [
    (lambda link: link.agent.kill(), "info", "the peer closed the connection"),
    (lambda link: link.agent.stop(), "info", "the peer closed the connection: GOAWAY NO_ERROR"),
    (goes_away, "info", "the peer closed the connection: GOAWAY ENHANCE_YOUR_CALM: too hot"),
    (lambda link: link.add(*[frame(6, bytes(8))] * 3000), "warn", "too many PING frames"),
    (lambda link: link.add(frame(0, b"data of no call")), "warn", "the peer broke HTTP/2"),
    (lambda link: link.principal.stop(), "info", "the principal stops: come again"),
], ids=["killed", "stopped", "goaway", "flood", "nonsense", "drain"])
def test_the_end_of_a_stream_has_a_reason(link, what, level, reason):
    what(link)
    ended = link.ended()
    assert (ended["level"], ended["agent"], ended["reason"]) == (level, SITE, reason)


def test_a_newer_stream_ends_the_older_one(net, link):
    link.join(net, "again", link.principal.port)
    ended = link.ended()
    assert (ended["level"], ended["agent"], ended["reason"]) == ("info", SITE, "a newer stream of this agent is there")


def test_what_tls_has_to_say_stands_in_the_log(net):
    principal = net.principal()
    proxy = Proxy(net.free_port(), principal.port)
    net.agent(SITE, proxy.port).wait_connected()
    with proxy.changed:
        next(s for s in proxy.sockets if s.getpeername()[1] == principal.port).sendall(b"\x17\x03\x03\x00\x14" + bytes(20))
    wait_until(lambda: principal.log("an agent is disconnected"), "the end is logged")
    ended = principal.log("an agent is disconnected")[0]
    assert ended["level"] == "warn" and ended["reason"].startswith("TLS failed: TLS: ")
    proxy.close()


def test_a_certificate_of_ours_that_is_over_is_told_at_the_start_and_at_a_reload(net):
    key, cert = net.directory / "old.key", net.directory / "old.crt"
    asked = subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key],
                           check=True, capture_output=True).stdout
    subprocess.run(["openssl", "x509", "-req", "-signkey", key, "-days", "-1", "-out", cert], input=asked, check=True, capture_output=True)
    over = "our certificate has expired: whoever checks it refuses to talk to us"
    principal = net.principal("--tls-cert", cert, "--tls-key", key)
    assert principal.log(over)[0]["file"] == str(cert)
    assert 0 < principal.metrics()["holdfast_certificate_expires_timestamp_seconds"] < time.time()
    principal.process.send(signal.SIGHUP)
    wait_until(lambda: len(principal.log(over)) == 2, "it is said again")
    agent = net.agent(SITE, principal, "--tls-client-cert", cert, "--tls-client-key", key)
    assert agent.log(over)[0]["level"] == "error"
