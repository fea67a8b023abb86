"""What `holdfast status` shows of a principal and an agent, on terminals and without one, and when something is wrong."""

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pytest
from conftest import HOLDFAST, wait_until
from synced import application, net, run, sync_pki  # noqa: F401  (fixtures)

HEAD = "peer    mode        connected  objects   behind  waiting  in flight  oldest    re-sent  lag p50   lag p99   applied"


def on_terminal(columns, rows, *words, until):
    """What the words draw on a terminal, read until that stands there."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    text = b""
    with subprocess.Popen([HOLDFAST, "status", *words], stdin=writer, stdout=writer, stderr=writer) as process:
        os.close(writer)
        while until not in text:
            text += os.read(reader, 65536)
        process.terminate()
    os.close(reader)
    return text.decode().replace("\r", "")


def said(principal):
    return run("status", "--data-dir", principal.data, check=False).stdout


@pytest.mark.parametrize(("columns", "shown"), [(130, HEAD), (80, HEAD[:76]), (40, "peer    connected   behind  oldest")])
def test_a_terminal_gets_the_columns_that_fit(net, columns, shown):
    principal = net.principal()
    net.agent("site-1", principal).wait_connected()
    text = on_terminal(columns, 24, "--data-dir", principal.data, until=b"site-1  ")
    assert [line.rstrip() for line in text.splitlines() if line.startswith("peer")] == [shown.rstrip()]
    assert HEAD in said(principal), "no terminal, everything"


def test_a_page_that_is_watched_fits_the_terminal(net):
    principal = net.principal(start=False)
    for n in range(30):
        principal.tree(f"agent-{n}").put("app", application(name="app"))
    principal.start().ready()
    text = on_terminal(80, 12, "--watch", "--data-dir", principal.data, until=b"lines more")
    page = text.split("\x1b[2J")[1].splitlines()
    assert len(page) == 11 and page[-1].startswith("... and 23 lines more") and page[3].startswith("agent-0 ")
    assert said(principal).count("\nagent-") == 30


def test_what_is_wrong_at_the_principal_is_told(net):
    principal = net.principal()
    assert "no agent is known yet" in said(principal)
    principal.tree("site-1").put("bad", "a: [\n")
    wait_until(lambda: "the backend has 1 problem, named in the log\n" in said(principal), "a file that cannot be read")
    principal.tree("site-1").remove("bad")
    wait_until(lambda: "problem" not in said(principal), "it is gone")
    admin = principal.data / "admin.json"
    admin.write_text(admin.read_text().replace('"token":"', '"token":"0'))
    assert "did not take the token" in said(principal)
    principal.kill()
    assert "neither a principal nor an agent runs on" in said(principal)


def test_who_does_not_connect_and_why_is_told_at_both_ends(net):
    principal = net.principal()
    agent = net.agent("site-1", principal, "--version-string", "9.9.9")
    wait_until(lambda: "  no connection: Authenticate: version mismatch\n" in said(agent), "the agent says where it failed")
    assert " ago: site-1 of 127.0.0.1: " in said(principal) and "9.9.9" in said(principal)
    agent.stop()
    principal.stop()
    assert "neither a principal nor an agent runs on" in said(principal)
    again = net.agent("site-2", principal)
    wait_until(lambda: "  no connection: connection: localhost port " in said(again), "nobody listens")
    principal.start().ready()
    again.wait_connected()
    assert "no connection" not in said(again)


def test_two_agents_of_one_name_are_told(net):
    principal = net.principal()
    agent = net.agent("site-1", principal).wait_connected()
    pair = "--tls-client-cert", net.pki / "site-1.crt", "--tls-client-key", net.pki / "site-1.key"
    other = net.agent("site-2", principal, *pair)
    wait_until(lambda: "have two agents this name, or is its network cut?" in said(principal), "the principal says so")
    assert any("no connection: the stream ended: a newer stream of this agent is there" in said(end) for end in (agent, other))


def test_a_site_that_has_no_room_says_so(net):
    principal = net.principal()
    agent = net.agent("site-1", principal, "--peer-objects", "1").wait_connected()
    for n in range(3):
        principal.tree("site-1").put(f"app-{n}", application(name=f"app-{n}"))
    wait_until(lambda: "  it has more than it may here, and the rest waits there" in said(agent), "it is full")


def test_a_certificate_that_expires_soon_is_told(net):
    """Of an authority of its own: that of the others stays."""
    pki = net.directory / "short"
    run("pki", "init", "--dir", pki, "--jwt-bits", "2048", "--days", "3")
    run("pki", "issue", "--dir", pki, "--server", "localhost")
    principal = net.principal("--tls-cert", pki / "localhost.crt", "--tls-key", pki / "localhost.key")
    assert "the certificate of this end expires in 2 d: renew it" in said(principal)
