"""The command line: help, usage errors, and what reads and tends a store, on real stores and beside a real gateway."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
import requests

from conftest import BUS, HOLDFAST, ROOT, wait_until
from natsio import Nats

STOREFILL = str(Path(HOLDFAST).parents[2] / "tests/tools/storefill")

COMMANDS = ["gateway", "eventsource-service", "principal", "agent", "check-config", "status", "release", "forget", "tail", "replay", "dead list", "dead retry", "dead drop", "store check",
            "store dump", "store export", "store vacuum", "store rename", "hooks plan", "hooks apply", "hooks delete", "pki init", "pki issue", "pki user", "help", "version"]


def run(*words, env=None, **options):
    """One command; never inherits HOLDFAST_* or LOG_LEVEL."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_") and k != "LOG_LEVEL"}
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([HOLDFAST, *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**clean, **(env or {})}, **options)


def ok(*words, **options):
    """The standard output of a command that must succeed and have nothing to complain about."""
    done = run(*words, **options)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


class Filler:
    """A process that holds a store open for writing and does as it is told."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.child = subprocess.Popen([STOREFILL, self.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, text=True)
        assert self.child.stdout.readline() == "open\n", self.child.stderr.read()

    def tell(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        assert answer, self.child.stderr.read()
        return answer

    def put(self, data='{"n":1}', source="github", name="push", id=None, kind="json"):
        self.count = getattr(self, "count", 0) + 1
        return int(self.tell(f"put {source} {name} {id or f'id-{self.count}'} {kind} {data}"))

    def close(self):
        if self.child.poll() is None:
            self.child.stdin.close()
            assert self.child.wait(60) == 0, self.child.stderr.read()


@pytest.fixture
def filler(tmp_path):
    """filler(): a Filler on tmp_path/data; closed at the end of the test."""
    started = []

    def make(name="data"):
        started.append(Filler(tmp_path / name))
        return started[-1]

    yield make
    for f in started:
        if f.child.poll() is None:
            f.close()


@pytest.fixture
def data(filler):
    """The directory of a closed store with five events of three routes: JSON, text, binary, none."""
    f = filler()
    f.put('{"a": 1.50, "a":2}')
    f.put("hello world", source="slack", name="msg", kind="text")
    f.put("[]", source="slack", name="cmd")
    f.put("x\x01y", source="raw", name="bytes", kind="binary")
    f.put("", source="github", name="ping", kind="none")
    f.close()
    return f.dir


# ---- help and usage ---------------------------------------------------------------------------------------------------


def test_without_a_word_it_says_what_it_is_and_what_it_can_do():
    text = ok()
    assert text == ok("--help") == ok("help") == ok("-h")
    listed = re.findall(r"^  ([a-z][a-z-]*(?: [a-z]+)?)(?:  +[A-Z]|$)", text, re.MULTILINE)
    assert listed == COMMANDS
    assert "First steps:" in text


def test_the_version_is_that_of_the_build():
    expected = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    assert ok("--version") == ok("version") == ok("-V") == f"holdfast {expected}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_each_command(command):
    text = ok(*command.split(), "--help")
    assert text == ok("help", *command.split())
    assert text.startswith(f"Usage: holdfast {command} [OPTIONS]")
    assert "--log-level" in text and "Exit status:" in text
    assert max(map(len, text.splitlines())) <= 80
    if command not in ("version", "eventsource-service"):
        assert f"holdfast {command}" in text.split("Examples:")[1]


def test_the_reference_in_the_docs_is_what_help_prints():
    page = (ROOT / "docs/reference/cli.md").read_text()
    for command in COMMANDS:
        assert f"```\n{ok(*command.split(), '--help')}```\n" in page, f"{command}: run tests/tools/cli_reference"


def test_a_group_lists_its_commands():
    text = ok("store", "--help")
    assert text == ok("help", "store")
    for command in ("check", "dump", "export", "vacuum"):
        assert f"  store {command}" in text
    done = run("dead")
    assert done.returncode == 2
    assert "which of its commands?" in done.stderr and "dead list" in done.stderr


def complete(program, line):
    script = """compopt() { :; }; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _holdfast; echo "${COMPREPLY[@]}" """
    words = [ROOT / "docs/man/holdfast.bash", program, *line.split(" ")]
    return subprocess.run(["bash", "-c", script, *map(str, words)], check=True, capture_output=True, text=True, timeout=90)


@pytest.mark.parametrize("line, offered", [
    ("st", ["status", "store"]),
    ("help st", ["status", "store"]),
    ("store v", ["vacuum"]),
    ("tail --f", ["--follow", "--from"]),
    ("pki issue --key-type ", ["ec", "rsa"]),
    ("principal --tls-min-version ", ["tls1.2", "tls1.3"]),
    ("store check --log-format ", ["auto", "json", "text"]),
    ("tail --data-dir ", []),
])
def test_the_shell_completes_commands_options_and_their_words(line, offered):
    done = complete(HOLDFAST, line)
    assert (done.stdout.split(), done.stderr) == (offered, "")


@pytest.mark.parametrize("line", ["principal --data-dir ", "principal --data-dir --l"])
def test_completion_runs_nothing_but_help(tmp_path, line):
    program = tmp_path / "holdfast"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    program.chmod(0o755)
    complete(program, line)
    assert (tmp_path / "asked").read_text() == "principal --help\n"


@pytest.mark.parametrize("words, said", [
    (["tial"], "unknown command 'tial'; did you mean 'tail'?"),
    (["checkconfig"], "unknown command 'checkconfig'; did you mean 'check-config'?"),
    (["frobnicate"], "unknown command 'frobnicate'\n"),
    (["store", "chekc"], "unknown command 'chekc'; did you mean 'store check'?"),
    (["help", "tial"], "unknown command 'tial'; did you mean 'tail'?"),
    (["--data-dir", "x", "tail"], "options stand behind the command"),
    (["tail", "--folow"], "unknown option '--folow'; did you mean '--follow'?"),
    (["tail", "-z"], "unknown option '-z'"),
    (["tail", "--from"], "--from needs POS"),
    (["tail", "--from", "yesterday"], "--from: 'yesterday' is neither a position (1200), a time"),
    (["tail", "--limit", "many"], "--limit: 'many' is not a number"),
    (["tail", "--limit", "0"], "--limit: '0' is not within 1 and"),
    (["tail", "--json", "--data"], "--json and --data exclude each other"),
    (["tail", "extra"], "'extra' is too much"),
    (["tail", "--log-level", "loud"], "--log-level: 'loud' is none of debug|info|warn|error"),
    (["tail", "--log"], "ambiguous option '--log'"),
    (["gateway"], "no configuration: give -f FILE or set HOLDFAST_CONFIG; there is no /etc/holdfast/config.yaml"),
    (["check-config"], "no configuration"),
    (["store", "export"], "FILE is missing"),
    (["store", "export", "a", "b"], "'b' is too much"),
    (["dead", "drop"], "give either positions or --all"),
    (["dead", "drop", "1", "--all"], "give either positions or --all"),
    (["dead", "retry", "x"], "'x' is not a position"),
    (["dead", "drop", "0"], "'0' is not a position"),
    (["hooks", "delete"], "the hooks of which manifests? Give -f FILE"),
    (["hooks", "plan", "--timeout", "0"], "--timeout: '0' is not within 1 and 86400"),
    (["replay", "--from", "1"], "no configuration"),
])
def test_a_usage_error_says_what_is_wrong_and_where_help_is(words, said):
    if said.startswith("no configuration") and Path("/etc/holdfast/config.yaml").exists():
        pytest.skip("this machine has a configuration")
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Try 'holdfast " in done.stderr
    assert done.stdout == ""


def test_a_bad_environment_is_named():
    done = run("tail", env={"LOG_LEVEL": "loud"})
    assert done.returncode == 2
    assert "environment variable: LOG_LEVEL: 'loud' is none of" in done.stderr


# ---- check-config -----------------------------------------------------------------------------------------------------


def test_check_config_reports_every_problem_with_its_place(tmp_path, gateway):
    good = gateway()
    assert ok("check-config", good.file).startswith("ok: 1 endpoint")
    assert ok("check-config", env={"HOLDFAST_CONFIG": str(good.file)}).startswith("ok: 1 endpoint")
    assert ok("check-config", "-", input=good.file.read_text(), stdin=None).startswith("ok: 1 endpoint")

    bad = tmp_path / "bad.yaml"
    bad.write_text(good.file.read_text().replace("endpoint: /hook", "endpiont: /hook").replace(str(good.port), "99999"))
    done = run("check-config", bad)
    assert done.returncode == 1
    assert re.search(rf"^{bad}:8: spec\.webhook\.example\.port: .*\(.*\)$", done.stdout, re.MULTILINE)
    assert re.search(rf"^{bad}:9: spec\.webhook\.example\.endpiont: .*did you mean", done.stdout, re.MULTILINE)
    assert re.search(r"^\d+ errors in 1 file; the gateway would not start$", done.stdout, re.MULTILINE)

    refused = run("gateway", "-f", bad)
    assert refused.returncode != 0 and f"{bad}:8: " in refused.stderr


def test_the_configuration_of_the_machine_is_the_default(tmp_path, gateway):
    script = 'mount -t tmpfs none /etc; mkdir /etc/holdfast; cp "$0" /etc/holdfast/config.yaml; exec "$@"'
    inside = ["unshare", "--mount", "sh", "-ec", script]
    if os.geteuid() != 0 or subprocess.run([*inside, "/dev/null", "true"], capture_output=True, timeout=90).returncode:
        pytest.skip("nothing can be mounted here")
    words = [*inside, gateway().file, HOLDFAST, "check-config"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    assert done.stdout.startswith("ok: 1 endpoint"), done

    cp = 'cp "$0" /etc/holdfast/config.yaml'
    loop = [str(word).replace(cp, "ln -s config.yaml /etc/holdfast/config.yaml") for word in words]  # there, and not readable
    done = subprocess.run(loop, capture_output=True, text=True, timeout=90)
    assert "/etc/holdfast/config.yaml: cannot be read: Too many levels of symbolic links" in done.stdout, done


def test_check_config_explains_every_key():
    text = ok("check-config", "--explain")
    for key in ("dataDir", "ack", "storeSize", "headerTimeout", "endpoint"):
        assert key in text


# ---- tail -------------------------------------------------------------------------------------------------------------


def test_tail_prints_lines_for_people(data):
    lines = ok("tail", "--data-dir", data).splitlines()
    assert len(lines) == 5
    assert re.fullmatch(r' {7}1  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z +github/push  id-1  {"a": 1.50, "a":2}', lines[0])
    assert lines[1].endswith("slack/msg  id-2  hello world")
    assert lines[3].endswith("x\\x01y")  # nothing that a terminal obeys
    assert lines == ok("tail", env={"HOLDFAST_DATA_DIR": str(data)}).splitlines()


def test_tail_json_is_one_cloudevent_a_line_with_its_data_untouched(data):
    lines = ok("tail", "-D", data, "--json").splitlines()
    for position, line in enumerate(lines, 1):
        row = json.loads(line)
        assert list(row) == ["position", "stored", "event"]
        assert row["position"] == position and row["event"]["id"] == f"id-{position}"
    assert '"data":{"a": 1.50, "a":2}' in lines[0]
    assert json.loads(lines[1])["event"]["data"] == "hello world"
    assert json.loads(lines[3])["event"]["data_base64"] == "eAF5"
    assert "data" not in json.loads(lines[4])["event"]


def test_tail_data_is_the_bytes_and_a_line_feed(data):
    assert ok("tail", "-D", data, "--data") == '{"a": 1.50, "a":2}\nhello world\n[]\nx\x01y\n\n'


@pytest.mark.parametrize("options, positions", [
    (["--from", "start"], [1, 2, 3, 4, 5]),
    (["--from", "3"], [3, 4, 5]),
    (["--from", "end"], []),
    (["--from", "6"], []),
    (["--from", "1h"], [1, 2, 3, 4, 5]),
    (["--from", "2000-01-01T00:00:00Z"], [1, 2, 3, 4, 5]),
    (["--from", "2200-01-01T00:00:00+02:00"], []),
    (["--limit", "2"], [1, 2]),
    (["--from", "2", "-n", "2"], [2, 3]),
    (["--source", "slack"], [2, 3]),
    (["--name", "ping"], [5]),
    (["--source", "slack", "--name", "cmd"], [3]),
    (["--source", "slack", "--limit", "1", "--from", "3"], [3]),
    (["--source", "nobody"], []),
])
def test_tail_selects(data, options, positions):
    lines = ok("tail", "-D", data, "--json", *options).splitlines()
    assert [json.loads(line)["position"] for line in lines] == positions


def test_tail_from_a_time_begins_at_the_first_event_stored_then(data):
    stored = [json.loads(line)["stored"] for line in ok("tail", "-D", data, "--json").splitlines()]
    first = json.loads(ok("tail", "-D", data, "--json", "--from", stored[2]).splitlines()[0])
    assert first["stored"] == stored[2]


@pytest.mark.parametrize("options", [[], ["--follow"], ["--limit", "1"]])
def test_a_position_behind_the_next_one_is_refused(data, options):
    done = run("tail", "-D", data, "--from", "7", *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--from 7 lies ahead: the last position in this store is 5" in done.stderr


def test_without_a_store_it_says_what_to_do(tmp_path):
    done = run("tail", "-D", tmp_path / "nothing")
    assert done.returncode == 1
    assert f"there is no store in {tmp_path}/nothing: give --data-dir, or start the gateway first" in done.stderr


def test_the_default_directory_is_in_the_home_of_the_user(data):
    nobody = 65534 if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as home:  # pytest's own directories are closed to others
        shutil.copytree(data, f"{home}/.local/state/holdfast")
        shutil.copytree(data, f"{home}/xdg/holdfast")
        subprocess.run(["chmod", "-R", "a+rwX", home], check=True)
        binary = shutil.copy(HOLDFAST, home)

        def command(*words, **env):
            return subprocess.run([binary, *words], env=env, user=nobody, capture_output=True, text=True, timeout=90)

        def tail(**env):
            return command("tail", "--limit", "1", "--data", **env)

        first = '{"a": 1.50, "a":2}\n'
        assert tail(HOME=home).stdout == first
        shutil.rmtree(f"{home}/.local")
        assert tail(HOME=home, XDG_STATE_HOME=f"{home}/xdg").stdout == first
        assert f"there is no store in {home}/.local/state/holdfast" in tail(HOME=home, XDG_STATE_HOME="xdg").stderr
        assert "HOME is not set" in tail().stderr
        assert "no gateway runs" in command("status", XDG_STATE_HOME=f"{home}/xdg").stdout
        for name in ("agent-berlin", "principal"):  # as the units have them
            os.makedirs(f"{home}/{name}/holdfast/{name}")
            Path(f"{home}/{name}/holdfast/{name}/ledger.db").touch()
            for words in (["status"], ["release", "site"]):
                said = command(*words, XDG_STATE_HOME=f"{home}/{name}").stderr
                assert f"agent runs on {home}/{name}/holdfast/{name}" in said, said
        shutil.copytree(f"{home}/principal/holdfast/principal", f"{home}/xdg/holdfast/principal")
        assert "no gateway runs" in command("status", XDG_STATE_HOME=f"{home}/xdg").stdout
        assert f"agent runs on {home}/xdg/holdfast/principal" in command("release", "site", XDG_STATE_HOME=f"{home}/xdg").stderr
        shutil.copytree(f"{home}/principal/holdfast/principal", f"{home}/xdg/holdfast/agent")
        said = command("release", "site", XDG_STATE_HOME=f"{home}/xdg").stderr
        assert f"{home}/xdg/holdfast/agent" in said and f"{home}/xdg/holdfast/principal" in said and "? Give --data-dir" in said, said
        if nobody:
            os.chmod(f"{home}/xdg/holdfast", 0o700)
            assert "this user may not read it: use sudo" in tail(HOLDFAST_DATA_DIR=f"{home}/xdg/holdfast").stderr


def test_a_reader_that_goes_away_is_no_failure(filler):
    f = filler()
    f.tell("fill 20000 200")
    tail = subprocess.Popen([HOLDFAST, "tail", "-D", f.dir, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert json.loads(tail.stdout.readline())["position"] == 1
    tail.stdout.close()
    assert tail.wait(60) == 0
    assert tail.stderr.read() == b""


def test_a_reader_that_goes_away_ends_who_waits_for_events(data):
    tail = subprocess.Popen([HOLDFAST, "tail", "-D", data, "--json", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for position in range(1, 6):
        assert json.loads(tail.stdout.readline())["position"] == position
    tail.stdout.close()
    assert tail.wait(60) == 0
    assert tail.stderr.read() == b""


PRINTING = ["help", "version", "check-config --explain", "status", "status --json", "tail", "store check", "store dump", "dead drop --all"]


def into(out, command, data):
    env = {**os.environ, "HOLDFAST_DATA_DIR": str(data)}
    return subprocess.run([HOLDFAST, *command.split()], stdout=out, stderr=subprocess.PIPE, text=True, env=env, timeout=90)


@pytest.mark.parametrize("command", PRINTING)
def test_nobody_needs_to_read_what_is_printed(data, command):
    reader, writer = os.pipe()
    os.close(reader)
    done = into(writer, command, data)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", PRINTING)
def test_a_closed_output_is_a_failure(data, command):
    env = {**os.environ, "HOLDFAST_DATA_DIR": str(data)}
    done = subprocess.run(f"'{HOLDFAST}' {command} >&-", shell=True, stderr=subprocess.PIPE, text=True, env=env, timeout=90)
    assert done.returncode == 1
    assert "write to standard output: Bad file descriptor" in done.stderr


@pytest.mark.parametrize("command", [*PRINTING, "status --watch"])
def test_a_full_disk_behind_the_output_is_a_failure(data, command):
    with open("/dev/full", "wb") as full:
        done = into(full, command, data)
    assert done.returncode == 1
    assert "write to standard output: No space left on device" in done.stderr


class Follower:
    """tail --follow in the background; its lines as they come."""

    def __init__(self, directory, *options):
        self.child = subprocess.Popen([HOLDFAST, "tail", "-D", str(directory), "--follow", "--json", *options],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.rows = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.child.stdout:
            self.rows.append(json.loads(line))

    def positions(self):
        return [row["position"] for row in self.rows]

    def interrupt(self):
        self.child.send_signal(signal.SIGINT)
        code = self.child.wait(60)
        self.thread.join(60)
        return code, self.child.stderr.read()


@pytest.fixture
def follow():
    started = []

    def start(*words):
        started.append(Follower(*words))
        return started[-1]

    yield start
    for f in started:
        f.child.kill()
        f.child.wait()


def watching(follower):
    """It has its watch and sleeps: what is stored from now on is new to it."""
    process = Path(f"/proc/{follower.child.pid}")
    has_watch = any(os.readlink(fd) == "anon_inode:inotify" for fd in (process / "fd").iterdir())
    return has_watch and (process / "stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_follow_shows_events_of_another_process_as_they_are_stored(filler, follow):
    f = filler()
    f.put()
    tail = follow(f.dir)
    wait_until(lambda: tail.positions() == [1], "the first event")
    for n in range(2, 30):
        assert f.put() == n
        wait_until(lambda: tail.positions() == list(range(1, n + 1)), f"event {n}")
    assert f.tell("fill 3000 50") == "3029"
    wait_until(lambda: len(tail.rows) == 3029, "all of a burst")
    assert tail.positions() == list(range(1, 3030))
    assert tail.interrupt() == (0, "")


def test_follow_from_the_end_shows_only_what_is_new(filler, follow):
    f = filler()
    f.put()
    tail = follow(f.dir, "--from", "end", "--source", "slack")
    wait_until(lambda: watching(tail), "watching")
    f.put()
    f.put(source="slack", id="mine")
    wait_until(lambda: tail.rows, "the new one")
    assert [row["event"]["id"] for row in tail.rows] == ["mine"]
    assert tail.interrupt() == (0, "")


def test_follow_waits_for_a_store_that_is_made_later(tmp_path, filler, follow):
    tail = follow(tmp_path / "a/b/data", "--from", "end")
    wait_until(lambda: watching(tail), "watching")
    (tmp_path / "a/b").mkdir(parents=True)
    f = filler("a/b/data")
    f.put()
    wait_until(lambda: tail.positions() == [1], "the first event of the new store")
    assert tail.interrupt() == (0, f"holdfast tail: there is no store in {tmp_path}/a/b/data yet: waiting for one\n")


def test_follow_ends_after_its_limit(filler, follow):
    f = filler()
    f.put()
    tail = follow(f.dir, "--limit", "2")
    f.put()
    assert tail.child.wait(60) == 0
    tail.thread.join(60)
    assert tail.positions() == [1, 2]


def test_follow_goes_on_when_the_writer_is_replaced(filler, follow):
    first = filler()
    first.put()
    tail = follow(first.dir)
    first.close()
    second = filler()
    second.put(id="after")
    wait_until(lambda: tail.positions() == [1, 2], "the event of the second writer")
    second.child.kill()
    second.child.wait()
    third = filler()
    third.put(id="again")
    wait_until(lambda: tail.positions() == [1, 2, 3], "the event of the third writer")
    assert tail.interrupt() == (0, "")


def test_a_slow_reader_is_told_what_went_while_it_slept(filler):
    f = filler()
    f.tell("fill 3000 1000")
    tail = subprocess.Popen([HOLDFAST, "tail", "-D", f.dir, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    read = [json.loads(tail.stdout.readline())["position"]]
    f.close()
    with contextlib.closing(sqlite3.connect(f.dir / "spool.db")) as db, db:  # as retention does
        db.execute("DELETE FROM events WHERE pos <= 2500")
        db.execute("INSERT OR REPLACE INTO settings VALUES('removed_pos', 2500)")
    read += [json.loads(line)["position"] for line in tail.stdout]
    said = tail.stderr.read()
    assert tail.wait(60) == 0
    gap, = ((before, after) for before, after in zip(read, read[1:]) if after != before + 1)
    assert gap[0] < 2500 and gap[1] == 2501 and read[-1] == 3000
    assert said.decode().count("events up to position 2500 that were asked for are no longer in the store") == 1


def test_follow_says_that_an_older_copy_has_taken_the_place_of_the_store(filler, follow, tmp_path):
    f = filler()
    f.put()
    f.close()
    shutil.copy(f.dir / "spool.db", tmp_path / "copy")
    f = filler()
    f.put(id="second")
    tail = follow(f.dir)
    wait_until(lambda: tail.positions() == [1, 2], "both events")
    f.close()
    os.rename(tmp_path / "copy", f.dir / "spool.db")
    filler()  # what it stores lies before the place where tail reads
    assert tail.child.wait(60) == 1
    assert "--from 3 lies ahead: the last position in this store is 1" in tail.child.stderr.read()


def test_follow_says_that_the_store_was_removed(filler, follow):
    f = filler()
    f.put()
    tail = follow(f.dir)
    wait_until(lambda: tail.positions() == [1], "the first event")
    shutil.rmtree(f.dir)
    assert tail.child.wait(60) == 1
    assert "was removed" in tail.child.stderr.read()
    f.child.kill()
    f.child.wait()


def test_follow_costs_nothing_while_nothing_happens(filler, follow):
    f = filler()
    f.put()
    f.close()
    tail = follow(f.dir)
    wait_until(lambda: tail.positions() == [1], "the first event")

    def switches():
        status = Path(f"/proc/{tail.child.pid}/status").read_text()
        return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", status))

    def is_quiet():
        before = switches()
        time.sleep(1.2)  # longer than the longest pause between two looks
        return switches() == before

    wait_until(is_quiet, "no wake-up for 1.2 s")
    assert tail.interrupt() == (0, "")


# ---- store ------------------------------------------------------------------------------------------------------------


def test_dump_is_all_events_as_json_lines(data):
    assert ok("store", "dump", "-D", data) == ok("tail", "--json", "-D", data)


def test_export_while_writing_is_a_consistent_copy(filler, tmp_path):
    f = filler()
    f.tell("fill 5000 300")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            f.tell("fill 200 300")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        said = ok("store", "export", "-D", f.dir, tmp_path / "copy.db")
    finally:
        stop.set()
        writer.join()
    assert re.fullmatch(rf"wrote {tmp_path}/copy\.db, [\d.]+ MiB\n", said)
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(tmp_path / "copy.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count, first, last = db.execute("SELECT count(*), min(pos), max(pos) FROM events").fetchone()
    assert count >= 5000 and (first, last) == (1, count)

    (tmp_path / "restored").mkdir()
    (tmp_path / "copy.db").rename(tmp_path / "restored/spool.db")
    assert len(ok("tail", "-D", tmp_path / "restored", "--data").splitlines()) == count
    assert ok("store", "check", "-D", tmp_path / "restored") == f"ok: {count} events, positions 1 to {count}\n"


def test_export_never_overwrites(data, tmp_path):
    (tmp_path / "copy.db").write_text("precious")
    done = run("store", "export", "-D", data, tmp_path / "copy.db")
    assert done.returncode == 1 and "copy.db" in done.stderr
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_check_of_a_whole_store_counts_it(data):
    assert ok("store", "check", "-D", data) == "ok: 5 events, positions 1 to 5\n"


def test_check_finds_flipped_bytes(filler):
    f = filler()
    f.tell("fill 2000 300")
    f.close()
    file = f.dir / "spool.db"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = file.read_bytes()
    page = 16384
    assert len(whole) > 30 * page
    for at in (page * 20, page * 20 + 3, page * 20 + 40):  # a leaf's kind, its number of cells, its cells' places
        file.write_bytes(whole[:at] + bytes(b ^ 0xFF for b in whole[at:at + 64]) + whole[at + 64:])
        done = run("store", "check", "-D", f.dir)
        assert done.returncode == 1, f"byte {at}"
        assert done.stdout.strip() or "corrupt" in done.stderr or "damaged" in done.stderr or "malformed" in done.stderr


def test_vacuum_makes_the_file_small(filler):
    f = filler()
    f.tell("fill 5000 500")
    f.close()
    with sqlite3.connect(f.dir / "spool.db") as db:
        db.execute("DELETE FROM events WHERE pos <= 4990")
    before = (f.dir / "spool.db").stat().st_size
    said = ok("store", "vacuum", "-D", f.dir)
    assert re.fullmatch(r"the file had [\d.]+ MiB and has [\d.]+ [KM]iB\n", said)
    assert (f.dir / "spool.db").stat().st_size < before / 4
    assert [json.loads(line)["position"] for line in ok("tail", "--json", "-D", f.dir).splitlines()] == list(
        range(4991, 5001))


def test_vacuum_beside_a_writer_is_refused(filler):
    f = filler()
    f.put()
    done = run("store", "vacuum", "-D", f.dir)
    assert done.returncode == 1
    assert "stop the gateway first" in done.stderr


@pytest.mark.parametrize("command", ["check", "dump", "vacuum", "export copy", "rename a b"])
def test_store_commands_say_when_there_is_no_store(tmp_path, command):
    for directory in (tmp_path, tmp_path / "nothing"):
        done = run("store", *command.split(), "-D", directory, cwd=tmp_path)
        assert done.returncode == 1
        assert f"there is no store in {directory}: give --data-dir, or start the gateway first" in done.stderr
    assert not list(tmp_path.iterdir()), "it is not ours to write into"


# ---- dead letters and status ------------------------------------------------------------------------------------------


@pytest.fixture
def letters(filler):
    """A closed store with three events, the last two of them dead letters."""
    f = filler()
    for _ in range(3):
        f.put()
    f.tell("dead 2 nats larger than max_payload (1048576 bytes)")
    f.tell("dead 3 nats subject not possible")
    f.close()
    return f.dir


def test_dead_list_says_what_was_set_aside_and_why(letters):
    lines = ok("dead", "list", "-D", letters).splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r" {7}2  \S+Z +nats  github/push  id-2  larger than max_payload \(1048576 bytes\)", lines[0])
    rows = [json.loads(line) for line in ok("dead", "list", "--json", "-D", letters).splitlines()]
    assert [(r["position"], r["bus"], r["id"], r["reason"]) for r in rows] == [
        (2, "nats", "id-2", "larger than max_payload (1048576 bytes)"), (3, "nats", "id-3", "subject not possible")]


def test_dead_drop_without_a_gateway(letters):
    assert ok("dead", "drop", "2", "-D", letters) == "1 dead letter dropped\n"
    assert len(ok("dead", "list", "-D", letters).splitlines()) == 1
    done = run("dead", "drop", "3", "1", "-D", letters)
    assert done.returncode == 1 and "no dead letters: 1 of 2 positions ('holdfast dead list' shows all there are); 1 dropped" in done.stderr
    assert ok("dead", "list", "-D", letters) == ""
    assert ok("dead", "drop", "--all", "-D", letters) == "0 dead letters dropped\n"
    assert len(ok("tail", "-D", letters).splitlines()) == 3  # the events themselves stay


def test_a_position_with_dead_letters_of_two_buses_stands_for_no_other(gateway, filler):
    f = filler("gateway-data")
    for n in (1, 2):
        f.put()
        f.tell(f"dead {n} old too large")
        f.tell(f"dead {n} nats too large")
    f.close()
    said = "no dead letters: 1 of 2 positions ('holdfast dead list' shows all there are); 2 dropped"
    assert said in run("dead", "drop", "1", "3", "-D", f.dir).stderr
    g = gateway().start()
    assert said in run("dead", "drop", "2", "3", "-D", g.data).stderr


def test_a_drop_that_the_store_fails_is_said(gateway, filler):
    f = filler("gateway-data")
    f.put()
    f.tell("dead 1 embedded why not")
    f.close()
    g = gateway().start()
    spool = g.data / "spool.db"
    shutil.copy(spool, g.data / "copy")
    os.rename(g.data / "copy", spool)  # the writer sees it with its next group
    done = run("dead", "drop", "1", "-D", g.data)
    assert done.returncode == 1 and "0 dropped, 1 failed: see the gateway's log" in done.stderr, done


def test_dead_drop_without_a_gateway_forgets_no_id_of_a_longer_window(letters):
    five_days_ago = int((time.time() - 5 * 86400) * 1000)
    with contextlib.closing(sqlite3.connect(letters / "spool.db")) as db, db:
        db.execute("INSERT INTO dedup_gens(gen, first_ms, last_ms) VALUES(1, ?, ?)", (five_days_ago, five_days_ago))
    assert ok("dead", "drop", "2", "-D", letters) == "1 dead letter dropped\n"
    with contextlib.closing(sqlite3.connect(letters / "spool.db")) as db:
        assert db.execute("SELECT gen FROM dedup_gens").fetchall() == [(1,)]


def test_dead_retry_needs_a_gateway(letters):
    done = run("dead", "retry", "--all", "-D", letters)
    assert done.returncode == 1
    assert "only a running gateway is connected to the bus" in done.stderr
    assert len(ok("dead", "list", "-D", letters).splitlines()) == 2


def test_dead_drop_beside_another_writer_is_refused(filler, letters):
    f = filler()
    done = run("dead", "drop", "--all", "-D", f.dir)
    assert done.returncode == 1 and "another process writes" in done.stderr


def test_dead_letters_of_a_running_gateway_are_its_own_to_change(gateway, filler):
    f = filler("gateway-data")
    for _ in range(3):
        f.put()
    f.tell("dead 2 embedded why not")
    f.tell("dead 3 embedded why not")
    f.close()
    g = gateway().start()
    assert ok("dead", "drop", "2", "-D", g.data) == "1 dead letter dropped\n"
    retry = run("dead", "retry", "--all", "-D", g.data)
    assert retry.returncode == 1 and "0 taken by the bus, 1 refused again" in retry.stderr, "the store is no bus for them"
    assert len(ok("dead", "list", "-D", g.data).splitlines()) == 1


def test_all_dead_letters_are_all(gateway, filler, nats):
    """However many there are, and however many of the first are refused again."""
    bus = nats("max_payload: 2048")
    f = filler("gateway-data")
    f.tell("fill 300 3000")
    f.tell("fill 20 100")
    for n in range(1, 321):
        f.tell(f"dead {n} default too large")
    f.close()
    g = gateway(bus=BUS.format(url=bus.url)).start()
    wait_until(lambda: "is up" in requests.get(g.admin + "/readyz", timeout=90).text, "the bus is there")
    done = run("dead", "retry", "--all", "-D", g.data)
    assert done.returncode == 1 and "20 taken by the bus, 300 refused again: see" in done.stderr, done
    assert len(ok("dead", "list", "-D", g.data).splitlines()) == 300

    assert ok("dead", "drop", "--all", "-D", g.data) == "300 dead letters dropped\n"


def test_a_bus_that_is_away_is_asked_once(gateway, filler, free_port):
    f = filler("gateway-data")
    f.tell("fill 3 100")
    for n in (1, 2, 3):
        f.tell(f"dead {n} default too large")
    f.close()
    g = gateway(bus=BUS.format(url=f"nats://127.0.0.1:{free_port()}")).start()
    for which in (["--all"], ["1", "2", "3"]):
        done = run("dead", "retry", *which, "-D", g.data)
        assert done.returncode == 1 and "0 taken by the bus, 1 refused again, those behind not tried" in done.stderr, done
    assert len(ok("dead", "list", "-D", g.data).splitlines()) == 3


def test_a_killed_gateway_does_not_stand_in_the_way(gateway, filler):
    g = gateway().start()
    g.process.kill()
    assert (g.data / "admin.json").exists()
    assert ok("dead", "drop", "--all", "-D", g.data) == "0 dead letters dropped\n"
    assert "no gateway runs" in ok("status", "-D", g.data)


def test_status_of_a_running_gateway(gateway):
    g = gateway().start()
    assert g.post(b"{}").status_code == 200
    text = ok("status", "-D", g.data)
    assert "ready: yes" in text and "last: 1" in text
    lines = ok("status", "--json", "-D", g.data).splitlines()
    status = json.loads(lines[0])
    assert len(lines) == 1 and status["ready"] is True and status["store"]["last"] == 1
    assert (g.data / "admin.json").stat().st_mode & 0o777 == 0o600


def test_status_without_a_gateway_reads_the_store(letters, tmp_path):
    text = ok("status", "-D", letters)
    assert "no gateway runs" in text and "last: 3" in text and "dead: 2" in text
    assert json.loads(ok("status", "--json", "-D", letters))["store"]["events"] == 3
    done = run("status", "-D", tmp_path / "nothing")
    assert done.returncode == 1 and "there is no store in it" in done.stderr


def test_a_gateway_that_ends_before_it_answers_runs_no_longer(letters):
    with socket.create_server(("127.0.0.1", 0)) as server:
        (letters / "admin.json").write_text(json.dumps({"address": "http://127.0.0.1:%d" % server.getsockname()[1], "token": "t"}))

        def end():
            connection = server.accept()[0]
            server.close()
            connection.close()

        thread = threading.Thread(target=end)
        thread.start()
        assert "no gateway runs" in ok("status", "-D", letters)
        thread.join()


def test_a_gateway_that_does_not_like_the_token_is_said(gateway):
    g = gateway().start()
    admin = json.loads((g.data / "admin.json").read_text())
    (g.data / "admin.json").write_text(json.dumps({**admin, "token": "wrong"}))
    done = run("status", "-D", g.data)
    assert done.returncode == 1 and "did not take the token" in done.stderr


def test_a_release_at_a_gateway_says_that_it_is_none_of_its_own(gateway):
    g = gateway().start()
    done = run("release", "berlin", "-D", g.data)
    assert done.returncode == 1
    assert "the process of this data directory cannot do this: give another --data-dir" in done.stderr


def test_a_broken_description_of_the_gateway_is_no_gateway(letters):
    for text in ("", "{", "[]", '{"address":1,"token":2}', "\0" * 5000):
        (letters / "admin.json").write_text(text)
        assert "no gateway runs" in ok("status", "-D", letters)


# ---- replay -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def jetstream(tmp_path, nats):
    """(server, file): a nats-server, and a manifest that names it as the bus."""
    server = nats()
    file = tmp_path / "bus.yaml"
    file.write_text(f"""\
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata:
  name: default
spec:
  jetstreamExotic:
    url: {server.url}
""")
    return server, file


def test_replay_sends_a_range_and_says_how_much(data, jetstream, gateway):
    server, bus = jetstream
    g = gateway()

    def ids():
        with Nats(server.port) as client:
            return [m.event["id"] for m in client.messages()] if client.stream() else []

    words = ["replay", "-f", bus, "-f", g.file, "-D", data, "--log-level", "error"]
    assert "would send 5 of positions 1 to 5 to bus default" in ok(*words, "--from", "start", "--dry-run")
    assert "would send 2 of positions 1 to 5" in ok(*words, "--from", "start", "--source", "slack", "--dry-run")
    assert ids() == []

    for times in (1, 2):
        assert ok(*words, "--from", "2", "--to", "4") == "sent 3 of positions 2 to 4 to bus default\n"
        assert ids() == ["id-2", "id-3", "id-4"] * times
    for _ in range(2):
        assert ok(*words, "--from", "1", "--to", "1", "--keep-ids") == "sent 1 of positions 1 to 1 to bus default\n"
    assert ids()[6:] == ["id-1"], "the same id is taken once"
    assert ok(*words, "--from", "end") == "nothing to send: the range is empty\n"
    assert ok(*words, "--from", "6") == "nothing to send: the range is empty\n"
    assert "positions 1 to 5" in ok(*words, "--from", "1h", "--to", "2200-01-01T00:00:00Z", "--dry-run")
    assert ok(*words, "--from", "1", "--to", "1h") == "nothing to send: the range is empty\n"


def test_what_a_damaged_store_holds_is_sent_as_the_guide_says(filler, jetstream, gateway):
    f = filler()
    f.tell("fill 2000 300")
    f.close()
    with contextlib.closing(sqlite3.connect(f.dir / "spool.db")) as db:
        page, = db.execute("SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path LIMIT 1 OFFSET 9").fetchone()
    with (f.dir / "spool.db").open("r+b") as file:
        file.seek((page - 1) * 16384)
        file.write(b"broken")
    words = ["replay", "-f", jetstream[1], "-f", gateway().file, "-D", f.dir, "--log-level", "error"]
    failed = run(*words, "--from", "1")
    n = int(re.search(r"events behind position (\d+): ", failed.stderr)[1])
    assert failed.returncode == 1 and f"{n} sent" in failed.stderr
    guide = (ROOT / "docs/guide/operation.md").read_text()
    steps = re.search(r"```sh\n(from=.*?)```", guide, re.DOTALL)[1]
    steps = steps.replace("N + 1", f"{n} + 1").replace("sudo holdfast", str(HOLDFAST)).replace("/var/lib/holdfast.old", str(f.dir))
    found = int(subprocess.run(["sh", "-c", steps + "echo $from"], check=True, capture_output=True, text=True).stdout.split()[-1])
    assert n < found < n + 100
    assert f"sent {2001 - found} of positions {found} to 2000" in ok(*words, "--from", str(found))


@pytest.mark.parametrize("first, last", [("3", "2"), ("start", "start"), ("2h", "start"), ("1h", "2h"), ("1h", "1h"), ("1", "0")])
def test_a_range_that_can_hold_nothing_is_a_usage_error(jetstream, first, last):
    done = run("replay", "-f", jetstream[1], "--from", first, "--to", last)
    assert done.returncode == 2 and f"nothing can lie between --from {first} and --to {last}" in done.stderr


def test_a_replay_from_ahead_of_the_store_is_refused(data, jetstream, gateway):
    done = run("replay", "-f", jetstream[1], "-f", gateway().file, "-D", data, "--from", "7")
    assert done.returncode == 1 and "--from 7 lies ahead: the last position in this store is 5" in done.stderr
    assert "go on with" not in done.stderr


def test_replay_to_the_embedded_bus_is_refused(gateway):
    done = run("replay", "-f", gateway().file, "--from", "1")
    assert done.returncode == 1
    assert "the bus of these manifests is the store itself" in done.stderr


def test_replay_needs_a_beginning_and_a_good_configuration(tmp_path, jetstream):
    done = run("replay", "-f", jetstream[1])
    assert done.returncode == 2 and "--from is missing" in done.stderr
    (tmp_path / "bad.yaml").write_text("kind: EventSource\n")
    done = run("replay", tmp_path / "bad.yaml", "--from", "1")
    assert done.returncode == 1 and "nothing was sent" in done.stderr


def minds_interrupts(pid):
    """Does it have a handler for SIGINT?"""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s+([0-9a-f]+)", status)[1], 16) >> (signal.SIGINT - 1) & 1


def test_an_interrupted_replay_says_where_to_go_on(filler, jetstream, gateway):
    server, bus = jetstream
    f = filler()
    f.put()
    f.put()
    f.close()
    server.kill()
    child = subprocess.Popen([HOLDFAST, "replay", "-f", bus, "-f", gateway().file, "-D", f.dir, "--from", "2"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: minds_interrupts(child.pid), "a handler for Ctrl-C")
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 1
    assert "interrupted; 0 sent; go on with --from 2" in child.stderr.read()


# ---- on a terminal ----------------------------------------------------------------------------------------------------


def on_terminal(*words):
    """What a command shows on a terminal of 60 columns."""
    child, fd = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm"
        os.execv(HOLDFAST, [HOLDFAST, *map(str, words)])
    shown = b""
    try:
        while chunk := os.read(fd, 4096):
            shown += chunk
    except OSError:
        pass  # EIO: the last one has closed it
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_on_a_terminal_lines_fit_and_quick_tasks_draw_nothing(filler):
    f = filler()
    f.put("x" * 500, kind="text")
    f.close()
    code, shown = on_terminal("tail", "-D", f.dir)
    assert code == 0
    assert len(shown.rstrip("\r\n")) <= 80 and shown.rstrip().endswith("...")
    assert on_terminal("store", "check", "-D", f.dir) == (0, "ok: 1 event, positions 1 to 1\r\n")
