"""Start, reload and end: signals, the service manager, sockets it hands over, the file that tells commands where we are."""

import fcntl
import json
import os
import queue
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading

import pytest
import requests
from conftest import HOLDFAST, wait_until
from load import Load, judge, metric, wait_for_events
from rawhttp import Peer, refuses, request


def post(body=b"{}", path=b"/hook"):
    """The bytes of a request: its head, its body."""
    head, end, rest = request(path=path, body=body).partition(b"\r\n\r\n")
    return head + end, rest


def reload_counts(g):
    text = requests.get(g.admin + "/metrics", timeout=90).text
    return tuple(int(next((line.rsplit(" ", 1)[1] for line in text.splitlines() if
                           line.startswith(f'holdfast_config_reloads_total{{outcome="{outcome}"}}')), 0))
                 for outcome in ("ok", "refused"))


def begin(p, body=b"{}", path=b"/hook"):
    """Sends the head of a request and waits for the word that it is read; returns the body, which is due."""
    head, rest = post(body, path)
    p.send(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert p.answer()[0] == 100
    return rest


def reload(g, text):
    """Writes the manifest, sends SIGHUP, waits until it is taken or refused; the (taken, refused) counts."""
    before = reload_counts(g)
    g.file.write_text(text)
    g.process.send(signal.SIGHUP)
    return wait_until(lambda: (now := reload_counts(g)) != before and now, "the reload is over")


def test_a_reload_that_lets_new_events_overtake_says_so(gateway, free_port):
    bus = f"""\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec: {{jetstreamExotic: {{url: "nats://127.0.0.1:{free_port()}"}}}}
"""
    g = gateway(bus=bus).start()
    text = g.file.read_text()
    to_bus = text.replace("  holdfast:\n", "  holdfast:\n    ack: bus\n", 1)
    assert reload(g, to_bus)[0] == 1 and reload(g, text)[0] == 2
    assert "overtake" not in g.process.output(), "nothing waits"
    assert g.post("{}").status_code == 200
    assert reload(g, to_bus)[0] == 3
    wait_until(lambda: "new events of this route overtake those that wait in the store" in g.process.output(), "it is said")
    assert g.post("{}").status_code == 500


# ---- who started it ------------------------------------------------------------------------------------------------------

def test_standard_streams_that_are_closed_are_nobody_elses(gateway):
    """The next socket or pipe would be number 2, and get the log."""
    g = gateway().start(preexec_fn=lambda: [os.close(number) for number in (0, 1, 2)])
    assert [os.readlink(f"/proc/{g.process.pid}/fd/{number}") for number in (0, 1, 2)] == ["/dev/null"] * 3
    assert g.post("{}").status_code == 200
    assert g.process.stop() == 0


def test_a_log_that_nobody_reads_holds_nothing_up(gateway):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"-" * 4096)
    g = gateway().start(preexec_fn=lambda: os.dup2(writer, 2))
    assert g.post("{}").status_code == 200
    assert len(os.read(reader, 8192)) == 4096
    g.process.send(signal.SIGHUP)
    said = wait_until(lambda: os.read(reader, 8192).decode(), "it goes on")
    assert "lines were lost" in said.splitlines()[0]
    assert g.process.stop() == 0


# ---- the end --------------------------------------------------------------------------------------------------------------

def test_sigterm_answers_what_is_in_flight_and_ends_with_0(gateway):
    g = gateway(holdfast="    limits: {drainTimeout: 10m}\n").start()
    head, body = post(b'"in flight"')
    begun, unborn, new, idle = [Peer(g.port) for _ in range(8)], Peer(g.port), Peer(g.port), Peer(g.port)
    for p in begun:
        p.send(begin(p, b'"in flight"')[:3])
    unborn.send(head[:10])
    idle.send(head, body)
    assert idle.answer()[0] == 200
    wait_until(lambda: metric(g, "holdfast_store_events_total") == 1 and metric(g, "holdfast_gateway_connections") == 11, "served")

    g.process.send(signal.SIGTERM)
    assert idle.ended(), "a connection between two requests ends at once"
    new.send(head, body)
    assert new.answer()[0] == 200, "who has connected is heard: there may be no second try"
    assert new.ended()
    wait_until(lambda: refuses(g.port), "no new connections")
    ready = requests.get(g.admin + "/readyz", timeout=90)
    assert ready.status_code == 503 and "draining" in ready.text
    # A loop that had nothing to finish has ended by now; the heart still beats for the others.
    wait_until(lambda: metric(g, "holdfast_ready") == 0, "a heartbeat later")
    assert requests.get(g.admin + "/healthz", timeout=90).status_code == 200

    unborn.send(head[10:], body)
    status, fields, _ = unborn.answer()
    assert (status, fields["connection"]) == (200, "close")
    for p in begun:
        p.send(body[3:])
        status, fields, _ = p.answer()
        assert (status, fields["connection"]) == (200, "close")
        assert p.ended()
    unborn.close()
    assert g.process.wait() == 0
    assert len(g.events()) == 11


def test_who_was_started_with_signals_blocked_hears_them(gateway):
    """A mask goes from parent to child, and not every parent clears it."""
    g = gateway().start(preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()))
    assert g.process.stop(limit_s=60) == 0


def test_at_sigterm_who_waits_to_be_accepted_is_heard(gateway):
    g = gateway(holdfast="    limits: {drainTimeout: 10m}\n").start()
    g.process.send(signal.SIGSTOP)
    crowd = [Peer(g.port) for _ in range(400)]  # several turns of a loop
    for p in crowd:
        p.send(*post())
    g.process.send(signal.SIGTERM)
    g.process.send(signal.SIGCONT)
    assert {p.answer()[0] for p in crowd} == {200}
    assert g.process.wait() == 0
    for p in crowd:
        p.close()


def test_who_has_connected_and_says_nothing_does_not_hold_up_the_end(gateway):
    g = gateway().start()
    with Peer(g.port) as silent:
        wait_until(lambda: metric(g, "holdfast_gateway_connections") == 1, "accepted")
        g.process.send(signal.SIGTERM)
        assert silent.ended()
    assert g.process.wait() == 0
    assert "the drain timeout is over" not in g.process.output()


def test_sigterm_under_load_loses_nothing_that_was_answered(gateway, spawn, tmp_path):
    g = gateway().start()
    load = Load(spawn, "load", g.url, tmp_path / "ids")
    for _ in range(5):
        wait_for_events(g, 200)
        assert g.process.stop() == 0
        log = g.data / "spool.db-wal"
        assert not log.exists() or log.stat().st_size == 0, "a clean end leaves nothing to read at the next start"
        g.start()
    load.stop()
    assert load.statuses() <= {503}
    judge(g, [load.ids])


def test_who_never_finishes_is_cut_after_the_drain_timeout(gateway):
    g = gateway(holdfast="    limits: {drainTimeout: 300ms}\n").start()
    head, body = post()
    with Peer(g.port) as never:
        never.send(begin(never)[:1])
        with Peer(g.port) as p:  # the same loop or another one: both are served
            p.send(head, body)
            assert p.answer()[0] == 200
        g.process.send(signal.SIGTERM)
        assert never.ended()
    assert g.process.wait() == 0
    assert "the drain timeout is over" in g.process.output()
    assert len(g.events()) == 1


def test_a_second_sigterm_changes_nothing(gateway):
    g = gateway().start()
    with Peer(g.port) as p:
        body = begin(p)
        p.send(body[:1])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            g.process.send(number)
        wait_until(lambda: refuses(g.port), "no new connections")
        p.send(body[1:])
        assert p.answer()[0] == 200
    assert g.process.wait() == 0


# ---- reload ---------------------------------------------------------------------------------------------------------------

def with_route(g, name, port=None):
    """The manifest with one more route, /name."""
    route = f'    {name}: {{port: "{port or g.port}", endpoint: /{name}, method: POST}}\n'
    return g.first.replace("  webhook:\n", "  webhook:\n" + route)


@pytest.fixture
def served(gateway):
    g = gateway()
    g.first = g.file.read_text()
    return g.start()


def status_of(g, path, port=None):
    return requests.post(f"http://127.0.0.1:{port or g.port}{path}", data="{}", timeout=90).status_code


def test_20_reloads_under_load_fail_no_request_and_cut_no_connection(served, spawn, tmp_path):
    g = served
    load = Load(spawn, "load", g.url, tmp_path / "ids", connections=16)
    wait_for_events(g, 100)
    for n in range(10):
        assert reload(g, with_route(g, f"new{n}")) == (2 * n + 1, 0)
        wait_until(lambda n=n: status_of(g, f"/new{n}") == 200, "the new route")
        assert reload(g, g.first) == (2 * n + 2, 0)
        wait_until(lambda n=n: status_of(g, f"/new{n}") == 404, "the route is gone")
        wait_for_events(g, 20)
    counts = load.stop()
    assert (counts["refused"], counts["unanswered"], counts["opened"]) == (0, 0, 16), counts
    assert counts["acked"] == counts["sent"] > 200
    judge_names(g, load)


def judge_names(g, load):
    """Everything the load sent is there; what else the test posted has other names."""
    out = subprocess.run([HOLDFAST, "tail", "--data-dir", g.data, "--name", "example", "--data"], check=True,
                         capture_output=True, timeout=60).stdout
    stored = [json.loads(line)["body"]["id"].encode() for line in out.splitlines()]
    assert len(stored) == len(set(stored)) and set(stored) == set(load.outcomes())


def test_a_bad_configuration_is_refused_and_the_old_one_goes_on(served):
    g = served
    for bad in ("no: manifest\n", "{", g.first.replace("method: POST", "methud: POST"), with_route(g, "x", port=99999),
                with_route(g, "x").replace("endpoint: /x", "endpoint: /hook")):
        assert reload(g, bad)[0] == 0, bad
        assert status_of(g, "/hook") == 200
    assert reload_counts(g) == (0, 5)
    assert len([m for m in g.log() if m["msg"].startswith("the new configuration was refused")]) == 5
    named = [m for m in g.log() if m["msg"] == "the manifests have a problem"]
    assert len(named) >= 5 and all(m["problem"].startswith(f"{g.file}:") for m in named), "each problem with its place"
    assert all(line.startswith("{") for line in g.process.output().splitlines()), "the log is JSON, problems included"
    assert reload(g, with_route(g, "x")) == (1, 5)
    wait_until(lambda: status_of(g, "/x") == 200, "a good one is taken after all")


BUS = """\
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {name: default}
spec:
  jetstreamExotic: {url: "nats://127.0.0.1:1"}
"""


def test_what_can_be_read_only_once_refuses_the_reload(gateway, tmp_path):
    """As its events would be gone with it."""
    g = gateway()
    text = g.file.read_text()
    script = 'exec "$0" gateway -f "$1" -f - -f <(cat "$3") < "$2"'
    more = [tmp_path / "second.yaml", tmp_path / "third.yaml"]
    for n, file in enumerate(more):
        file.write_text(f"apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {{name: more-{n}}}\n"
                        f'spec: {{webhook: {{more-{n}: {{endpoint: /more-{n}, port: "{g.port}", method: POST}}}}}}\n')
    g.process = g.spawn("bash", ["bash", "-c", script, HOLDFAST, g.file, *more])
    wait_until(lambda: requests.get(g.admin + "/readyz", timeout=90).status_code == 200, "ready")
    assert reload(g, text) == (0, 1)
    assert g.process.output().count("was read to its end at the start") == 2
    for n in (0, 1):
        assert requests.post(f"http://127.0.0.1:{g.port}/more-{n}", json={}, timeout=90).status_code == 200


def test_a_bus_that_came_with_a_reload_acknowledges_nothing_before_it_is_there(served):
    g = served
    assert reload(g, g.first + "    ack: bus\n" + BUS) == (0, 1)
    assert "ack: bus needs a bus, and this process started without one: restart it" in g.process.output()
    assert g.post("{}").status_code == 200
    assert len(g.events()) == 1


def test_a_bus_that_came_with_a_reload_lets_nothing_go_that_is_read_from_here(gateway):
    g = gateway("    limits: {storeSize: 4MiB}\n").start()
    large = json.dumps("x" * 100_000)
    for _ in range(25):
        assert g.post(large).status_code == 200  # more than half of the store
    assert reload(g, g.file.read_text() + BUS) == (1, 0)
    assert "this change takes effect at the next start" in g.process.output()
    assert g.post(large).status_code == 200
    assert len(g.events()) == 26


def test_after_reloads_the_admin_address_still_knows_its_store_and_its_token(gateway, tmp_path):
    """What was opened at the start stays as it was then, also when the first configuration is long gone."""
    g = gateway("      tokenFile: {}\n".format(tmp_path / "the-first-token"))
    (tmp_path / "the-first-token").write_text("first\n")
    g.first = g.file.read_text()
    g.start()
    assert g.post("{}").status_code == 200
    for n in range(2):
        assert reload(g, with_route(g, f"new{n}")) == (n + 1, 0)
    assert "at the next start" not in g.process.output()
    elsewhere = tmp_path / "elsewhere"
    assert reload(g, g.first.replace(f"dataDir: {g.data}", f"dataDir: {elsewhere}").replace("first-token", "other") + BUS) == (3, 0)
    for key in ("spec.holdfast.dataDir", "EventBus", "spec.holdfast.admin.tokenFile"):
        assert f'"key":"{key}"' in g.process.output()
    status, events = (requests.get(g.admin + path, timeout=90, headers={"Authorization": "Bearer first"})
                      for path in ("/status", "/events"))
    assert events.status_code == 200 and len(events.text.splitlines()) == 1
    assert (status.json()["store"]["dir"], status.json()["bus"]["name"]) == (str(g.data), "embedded")
    drop = subprocess.run([HOLDFAST, "dead", "drop", "--all", "--data-dir", g.data], capture_output=True, text=True, timeout=60)
    assert drop.stdout == "0 dead letters dropped\n", drop.stderr
    assert reload(g, g.first) == (4, 0)
    assert g.process.output().count("at the next start") == 3, "nothing differs any more"


def test_ports_come_and_go(served, free_port):
    g, port = served, free_port()
    with Peer(g.port) as old:
        head, body = post()
        old.send(head, body)
        assert old.answer()[0] == 200
        assert refuses(port)
        assert reload(g, with_route(g, "more", port)) == (1, 0)
        wait_until(lambda: status_of(g, "/more", port) == 200, "the new port")
        begun = Peer(port)
        rest = begin(begun, path=b"/more")
        begun.send(rest[:1])

        assert reload(g, g.first) == (2, 0)
        wait_until(lambda: refuses(port), "the port is closed")
        begun.send(rest[1:])
        status, fields, _ = begun.answer()
        assert (status, fields["connection"]) == (200, "close"), "what began on the old port is finished"
        head, body = post()
        old.send(head, body)
        assert old.answer()[0] == 200, "connections of the other port live on"


def test_a_port_that_is_taken_refuses_the_reload(served, free_port):
    with socket.create_server(("127.0.0.1", free_port())) as taken:  # none of those that clients get: it is used again below
        port = taken.getsockname()[1]
        assert reload(served, with_route(served, "more", port)) == (0, 1)
    assert f"listen on port {port}" in served.process.output() and "Address already in use" in served.process.output()
    assert status_of(served, "/hook") == 200
    assert reload(served, with_route(served, "more", port)) == (1, 1)
    wait_until(lambda: status_of(served, "/more", port) == 200, "free now")


def test_two_gateways_never_share_a_port(served, gateway):
    other = gateway(name="other")
    other.file.write_text(other.file.read_text().replace(f'"{other.port}"', f'"{served.port}"'))
    second = served.spawn("second", [HOLDFAST, "gateway", "-f", other.file])
    assert second.wait() == 1
    assert f"listen on port {served.port}: bind: Address already in use" in second.output()
    other.file.write_text(other.file.read_text().replace(f'"{served.port}"', f'"{other.port}"'))
    other.start()
    assert reload(other, with_route(served, "more").replace(str(served.data), str(other.data))
                  .replace(str(served.admin_port), str(other.admin_port))) == (0, 1)
    assert all(status_of(served, "/hook") == 200 for _ in range(8))


def test_a_port_that_was_given_up_is_not_shared_with_who_has_it_now(served, gateway, free_port):
    g, port = served, free_port()
    assert reload(g, with_route(g, "more", port)) == (1, 0)
    assert reload(g, g.first) == (2, 0)
    wait_until(lambda: refuses(port), "the port is closed")
    other = gateway(name="other")
    other.file.write_text(other.file.read_text().replace(f'"{other.port}"', f'"{port}"'))
    other.start()
    assert reload(g, with_route(g, "more", port)) == (2, 1)
    assert all(status_of(g, "/hook", port) == 200 for _ in range(8)), "all reach the other"
    assert other.process.stop() == 0
    assert reload(g, with_route(g, "more", port)) == (3, 1)


def test_another_certificate_file_resets_nobody_who_connects_meanwhile(gateway, tmp_path):
    for name in ("one", "two"):
        secret = tmp_path / "secrets" / name
        secret.mkdir(parents=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-keyout", secret / "key", "-out", secret / "crt"], check=True, capture_output=True)
    g = gateway(holdfast=f"    secretsDir: {tmp_path}/secrets\n")

    def manifest(name):
        tls = f'serverCertSecret: {{name: {name}, key: crt}}\n      serverKeySecret: {{name: {name}, key: key}}\n'
        return plain.replace("endpoint: /hook\n", "endpoint: /hook\n      " + tls)

    plain = g.file.read_text()
    g.file.write_text(manifest("one"))
    g.start()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    head, body = post()
    done, failures, statuses = threading.Event(), [], []

    def connect():
        while not done.is_set():
            try:
                with Peer(g.port, tls=context) as p:
                    p.send(head, body)
                    statuses.append(p.answer()[0])
            except (OSError, TypeError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(6):
        certificate = (tmp_path / "secrets" / ("two", "one")[n % 2] / "crt").read_text()
        assert reload(g, manifest(("two", "one")[n % 2])) == (n + 1, 0)
        wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", g.port)) == certificate, "the new certificate")
    done.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200} and not failures, failures[:5]


# ---- the service manager --------------------------------------------------------------------------------------------------

def test_systemd_hears_of_start_reload_and_end(gateway, manager):
    g = gateway()
    process = g.process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file], env={"NOTIFY_SOCKET": str(manager.path)})
    assert manager.hear() == {"READY": "1", "STATUS": "running"}
    assert g.post("{}").status_code == 200 and g.ready(), "READY means that it serves"

    process.send(signal.SIGHUP)
    reloading = manager.hear()
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert manager.hear() == {"READY": "1", "STATUS": "running"}

    good = g.file.read_text()
    g.file.write_text("{")
    process.send(signal.SIGHUP)
    assert "RELOADING" in manager.hear()
    refused = manager.hear()
    assert refused["READY"] == "1" and "refused" in refused["STATUS"], "else systemd would wait for the end of the reload"
    g.file.write_text(good)

    process.send(signal.SIGTERM)
    assert manager.hear() == {"STOPPING": "1"}
    assert process.wait() == 0


def test_the_watchdog_hears_from_a_loop_that_turns(gateway, manager):
    g = gateway()
    g.process = g.spawn(g.name, [HOLDFAST, "gateway", "-f", g.file],
                        env={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000"})
    assert manager.hear()["READY"] == "1"
    for _ in range(3):
        manager.hear_watchdog()
    g.process.send(signal.SIGSTOP)
    with pytest.raises(queue.Empty):
        while True:  # what was on its way
            manager.next(limit_s=0.4)
    g.process.send(signal.SIGCONT)
    manager.hear_watchdog()


LAUNCHER = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="hooks")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation_keeps_connections_while_the_program_is_replaced(gateway):
    g = gateway()
    with socket.create_server(("127.0.0.1", g.port)) as listening:
        def start():
            number = listening.fileno()
            g.process = g.spawn(g.name, [sys.executable, "-c", LAUNCHER, number, HOLDFAST, "gateway", "-f", g.file],
                                pass_fds=[number])
            wait_until(g.ready, f"ready:\n{g.process.output()}")

        early = Peer(g.port)  # nobody is there yet: the connection waits
        head, body = post(b'"early"')
        early.send(head, body)
        start()
        assert early.answer()[0] == 200

        for end in ("stop", "kill"):
            getattr(g.process, end)()
            waiting = [Peer(g.port) for _ in range(8)]
            for p in waiting:
                p.send(*post(b'"waited"'))
            start()
            assert [p.answer()[0] for p in waiting] == [200] * 8
        assert len(g.events()) == 17
        assert g.process.stop() == 0


def test_a_socket_that_no_endpoint_has_is_named_in_the_log(gateway):
    """Whoever connects to it waits in vain: at the start and at each reload the log says which one."""
    g = gateway()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        g.process = g.spawn(g.name, [sys.executable, "-c", LAUNCHER, number, HOLDFAST, "gateway", "-f", g.file], pass_fds=[number])
        wait_until(g.ready, f"ready:\n{g.process.output()}")

        def told():
            lines = [line for line in g.log() if "a port that no endpoint has" in line["msg"]]
            assert all((m["port"], m["socket"]) == (listening.getsockname()[1], "hooks") for m in lines)
            return len(lines)

        assert told() == 1
        assert reload(g, g.file.read_text().replace(f'"{g.port}"', f'"{listening.getsockname()[1]}"'))[0] == 1
        assert told() == 1 and status_of(g, "/hook", listening.getsockname()[1]) == 200


# ---- admin.json -----------------------------------------------------------------------------------------------------------

def test_the_description_for_commands_is_private_and_goes_with_the_gateway(gateway):
    g = gateway().start()
    path = g.data / "admin.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) & 0o077 for p in [g.data, *g.data.iterdir()]} == {0}
    described = json.loads(path.read_text())
    assert described["address"] == g.admin and len(described["token"]) >= 32
    assert requests.get(g.admin + "/status", timeout=90).status_code == 401
    answer = requests.get(g.admin + "/status", headers={"Authorization": "Bearer " + described["token"]}, timeout=90)
    assert answer.json()["ready"] is True
    assert described["token"] not in g.process.output()

    assert g.process.stop() == 0
    assert not path.exists()
    g.start()
    assert json.loads(path.read_text())["token"] != described["token"], "a token lives as long as its gateway"
