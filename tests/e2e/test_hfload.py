"""The load generator against a server that misbehaves on purpose: its record must say what really happened."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import ROOT, wait_until

HFLOAD = os.environ.get("HFLOAD_BIN", str(ROOT / "build/release/bench/hfload"))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
CLOSING = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class Server:
    """Calls `behave(number, send, close)` for each request it has read whole; keeps the ids in order of arrival."""

    def __init__(self, behave, port=0):
        self.behave, self.ids, self.lock = behave, [], threading.Lock()
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        data = b""
        with connection:
            while True:
                head, end, rest = data.partition(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                if end and len(rest) >= int(length[1]):
                    data = rest[int(length[1]):]
                    with self.lock:
                        self.ids.append(json.loads(rest[:int(length[1])])["id"])
                        number = len(self.ids)
                    if self.behave(number, connection.sendall) == "close":
                        return
                    continue
                try:
                    more = connection.recv(65536)
                except OSError:
                    return
                if not more:
                    return
                data += more

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)  # close alone would leave accept() waiting, and the port open
        self.socket.close()


def answer(text):
    return lambda number, send: send(text)


def command(server, ids, *options):
    return [HFLOAD, "-j", "-q", "--ids", str(ids), *map(str, options), f"http://127.0.0.1:{server.port}/example"]


def hfload(server, tmp_path, *options):
    """Runs it; returns its JSON and its record as {id: [outcomes]}."""
    done = subprocess.run(command(server, tmp_path / "ids", *options), capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout), record(tmp_path / "ids")


def record(path):
    outcomes = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            kind, identity, *status = line.split()
            outcomes.setdefault(identity, []).append(" ".join([kind, *status]))
    return outcomes


def test_every_answered_id_is_recorded_once(tmp_path):
    with Server(answer(OK)) as server:
        result, ids = hfload(server, tmp_path, "-n", 500, "-c", 7)
    assert (result["sent"], result["acked"], result["refused"], result["unanswered"]) == (500, 500, 0, 0)
    assert sorted(ids) == sorted(server.ids) and set(map(tuple, ids.values())) == {("A",)}


def test_ids_of_one_connection_rise_and_threads_share_the_work(tmp_path):
    with Server(answer(OK)) as server:
        result, ids = hfload(server, tmp_path, "-n", 600, "-c", 6, "-t", 3)
    assert result["acked"] == 600 and len(ids) == 600
    for connection in range(6):
        own = [i for i in server.ids if f"-{connection:05d}-" in i]
        assert own and own == [f"{result['run']}-{connection:05d}-{n:010d}" for n in range(len(own))]


def test_a_refusal_is_recorded_with_its_status(tmp_path):
    with Server(lambda n, send: send(FULL if n % 2 else OK)) as server:
        result, ids = hfload(server, tmp_path, "-n", 20, "-c", 1)
    assert result["statuses"] == {"200": 10, "503": 10} and result["refused"] == 10
    assert [ids[i] for i in server.ids] == [["R 503"], ["A"]] * 10


def test_a_cut_connection_leaves_its_request_unknown_and_it_goes_on(tmp_path):
    def behave(number, send):
        if number % 3 == 0:
            return "close"
        send(OK)

    with Server(behave) as server:
        result, ids = hfload(server, tmp_path, "-n", 30, "-c", 2)
    assert (result["sent"], result["acked"], result["unanswered"]) == (30, 20, 10)
    assert [ids[i] for i in server.ids] == [["U"] if n % 3 == 0 else ["A"] for n in range(1, 31)]


def test_retry_sends_an_unanswered_request_again_with_its_id(tmp_path):
    seen = []

    def behave(number, send):
        seen.append(number)
        if number in (2, 3):
            return "close"
        send(OK)

    with Server(behave) as server:
        result, ids = hfload(server, tmp_path, "-n", 4, "-c", 1, "--retry")
    assert len(server.ids) == 6 and len(set(server.ids)) == 4
    assert server.ids[1] == server.ids[2] == server.ids[3] and ids[server.ids[1]] == ["U", "U", "A"]
    assert (result["sent"], result["acked"], result["retried"]) == (4, 4, 2)


@pytest.mark.parametrize("behave", [
    pytest.param(lambda n, send: [send(OK[i:i + 1]) for i in range(len(OK))] and None, id="a byte at a time"),
    pytest.param(lambda n, send: send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), id="after 100 Continue"),
    pytest.param(lambda n, send: send(CLOSING) or "close", id="closing each time"),
    pytest.param(lambda n, send: send(OK.replace(b"7", b"70000", 1).replace(b"success", b"s" * 70000)), id="long body"),
])
def test_an_unusual_answer_is_understood(tmp_path, behave):
    with Server(behave) as server:
        result, ids = hfload(server, tmp_path, "-n", 10, "-c", 2)
    assert (result["acked"], result["unanswered"]) == (10, 0) and len(ids) == 10


@pytest.mark.parametrize("bad", [
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="no length"),
    pytest.param(b"nonsense\r\n\r\n", id="not HTTP"),
    pytest.param(b"x" * 5000, id="endless header"),
    pytest.param(OK + OK, id="two answers"),
])
def test_an_answer_that_is_not_clear_is_no_acknowledgement(tmp_path, bad):
    with Server(answer(bad)) as server:
        result, ids = hfload(server, tmp_path, "-n", 3, "-c", 1)
    assert (result["acked"], result["unanswered"]) == (0, 3)
    assert set(map(tuple, ids.values())) == {("U",)}


def test_a_stall_shows_in_the_latencies_of_all_that_were_due_meanwhile(tmp_path):
    """One answer of a hundred is 500 ms late; half of the requests were due while it stalled."""
    def behave(number, send):
        if number == 20:
            time.sleep(0.5)
        send(OK)

    with Server(behave) as server:
        result, _ = hfload(server, tmp_path, "-r", 100, "-n", 100, "-c", 1)
    assert result["acked"] == 100
    assert result["latency_us"]["max"] >= 490_000
    assert result["latency_us"]["p90"] >= 350_000, "the stall was hidden"


def test_what_was_due_and_never_sent_is_counted_and_counts_as_slow(tmp_path):
    def behave(number, send):
        time.sleep(0.2)
        send(OK)

    with Server(behave) as server:
        result, ids = hfload(server, tmp_path, "-r", 100, "-d", 1, "-c", 1)
    assert result["sent"] + result["unsent"] == 100 and result["unsent"] > 80
    assert len(ids) == result["sent"] == result["acked"]
    assert result["latency_us"]["p50"] >= 250_000


def test_a_request_without_an_answer_in_time_is_unknown(tmp_path):
    with Server(lambda n, send: None) as server:
        result, ids = hfload(server, tmp_path, "-n", 2, "-c", 2, "--timeout", 0.3)
    assert (result["acked"], result["unanswered"]) == (0, 2)
    assert result["latency_us"]["p50"] >= 300000, "what was given up has waited at least so long"
    assert set(map(tuple, ids.values())) == {("U",)}


def sleeps(pid):
    """It has begun to wait for its connections: each thread sleeps, one of them in epoll."""
    process = Path(f"/proc/{pid}")
    tasks = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in (process / "task").iterdir()]
    return set(tasks) == {"S"} and "anon_inode:[eventpoll]" in {os.readlink(fd) for fd in (process / "fd").iterdir()}


def test_it_waits_for_a_server_that_starts_later(free_port):
    port = free_port()
    child = subprocess.Popen([HFLOAD, "-j", "-q", "-n", "50", "-c", "2", f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE)
    wait_until(lambda: sleeps(child.pid), "it has found nobody there")
    with Server(answer(OK), port):
        result = json.loads(child.communicate(timeout=90)[0])
    assert result["acked"] == 50


def test_it_gives_up_when_no_server_ever_comes(tmp_path, free_port):
    with Server(answer(OK), free_port()) as server:
        pass
    result, ids = hfload(server, tmp_path, "-n", 5, "--give-up", 0.3)
    assert (result["sent"], ids) == (0, {})


def test_a_signal_ends_it_with_a_complete_record(tmp_path):
    with Server(answer(OK)) as server:
        child = subprocess.Popen(command(server, tmp_path / "ids", "-d", 60, "-c", 4), stdout=subprocess.PIPE)
        while len(server.ids) < 100:
            assert child.poll() is None
            time.sleep(0.001)
        child.send_signal(signal.SIGTERM)
        result = json.loads(child.communicate(timeout=90)[0])
    assert child.returncode == 0
    assert set(record(tmp_path / "ids")) == set(server.ids) and result["sent"] == len(server.ids)


@pytest.mark.parametrize("options, message", [
    (["-c", "0", "http://x/"], "--connections 0: expected a number from 1"),
    (["ftp://x/"], "expected http://host:port/path"),
    ([], "--url is missing"),
    (["-d", "soon", "http://x/"], "--duration soon: expected seconds"),
    (["-s", "10", "http://127.0.0.1:1/"], "more than 10"),
    (["-b", "@/does/not/exist", "http://127.0.0.1:1/"], "No such file"),
    (["--run", "short", "http://127.0.0.1:1/"], "expected 8 characters"),
])
def test_a_mistake_on_the_command_line_is_explained(options, message):
    done = subprocess.run([HFLOAD, *options], capture_output=True, text=True, timeout=90)
    assert done.returncode == 2 and message in done.stderr
