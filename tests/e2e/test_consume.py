"""examples/consume: a command for each event, in order and at least once, whoever dies when."""

import os
import shutil
import signal
import socket
import subprocess

import pytest
from conftest import ROOT, wait_until
from test_docs import blocks, shell  # noqa: F401

MANIFEST = """apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {{name: hooks}}
spec:
  webhook:
    push: {{port: "{port}", endpoint: /push, method: POST}}
  holdfast: {{dataDir: ./data, deadline: 60s, admin: {{address: "127.0.0.1:{admin}", tokenFile: ./token}}}}
"""

COMMAND = r"""#!/bin/sh
body=$(jq -c .body)
echo "$HOLDFAST_POSITION $HOLDFAST_ID $HOLDFAST_SOURCE/$HOLDFAST_SUBJECT $body" >> seen
if [ -e fail ]; then exit 3; fi
if [ -e die ]; then rm die; kill -9 "$PPID"; fi
"""


class Site:
    """A gateway, a command that notes what it is given, and the script between them."""

    def __init__(self, sh):
        self.sh, self.process = sh, None
        (sh.directory / "token").write_text("a token")
        (sh.directory / "hooks.yaml").write_text(MANIFEST.format(port=sh.port, admin=sh.admin))
        command = sh.directory / "command"
        command.write_text(COMMAND)
        command.chmod(0o755)
        sh.serve("holdfast gateway -f hooks.yaml &")

    def post(self, number):
        assert self.sh.run(f"curl -s --json '{{\"n\":{number}}}' http://localhost:{self.sh.port}/push") == "success"

    def start(self):
        self.process = subprocess.Popen([ROOT / "examples/consume", "data", "position", "./command"], cwd=self.sh.directory,
                                        env=self.sh.env, start_new_session=True)

    def end(self):
        """The whole group, as systemd ends a service."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None

    def file(self, name):
        return self.sh.directory / name

    def seen(self):
        return [line.split() for line in self.file("seen").read_text().splitlines()] if self.file("seen").exists() else []

    def calls(self):
        return len(self.file("calls").read_text().splitlines()) if self.file("calls").exists() else 0

    def saved(self):
        return int(self.file("position").read_text()) if self.file("position").exists() else 1


@pytest.fixture
def site(shell):  # noqa: F811
    s = Site(shell)
    yield s
    s.end()


def test_each_event_is_given_once_and_in_order(site):
    for number in range(1, 4):
        site.post(number)
    site.start()
    wait_until(lambda: site.saved() == 4, "three are done")
    site.post(4)
    wait_until(lambda: site.saved() == 5, "the one that came meanwhile is done")
    site.end()
    site.start()
    site.post(5)
    wait_until(lambda: site.saved() == 6, "it goes on behind what was done")
    seen = site.seen()
    assert [int(position) for position, *_ in seen] == [1, 2, 3, 4, 5]
    assert [body for *_, body in seen] == [f'{{"n":{number}}}' for number in range(1, 6)]
    assert {name for _, _, name, _ in seen} == {"hooks/push"} and len({id for _, id, *_ in seen}) == 5
    assert site.file("position.data").stat().st_mode & 0o077 == 0


def test_an_event_whose_command_failed_is_given_again(site):
    site.post(1)
    site.post(2)
    site.file("fail").touch()
    site.start()
    assert site.process.wait(timeout=60) == 3
    site.file("fail").unlink()
    assert site.saved() == 1
    site.start()
    wait_until(lambda: site.saved() == 3, "both are done")
    assert [int(position) for position, *_ in site.seen()] == [1, 1, 2]


def test_dying_between_the_command_and_the_saved_position_repeats_the_event(site):
    site.post(1)
    site.post(2)
    site.file("die").touch()
    site.start()
    wait_until(lambda: site.process.poll() is not None, "the script was killed")
    site.end()
    assert site.saved() == 1
    site.start()
    wait_until(lambda: site.saved() == 3, "both are done")
    first, again, second = site.seen()
    assert first == again and int(second[0]) == 2


def test_a_position_of_a_newer_copy_of_the_store_ends_it(site):
    site.post(1)
    site.file("position").write_text("3\n")
    site.start()
    assert site.process.wait(timeout=60) == 1
    assert site.saved() == 3 and site.seen() == []


LOSING = r"""#!/bin/sh
# From the second call on the event at position 1 is gone.
echo >> calls
[ "$(wc -l < calls)" -gt 1 ] || exec "$HOLDFAST" "$@"
for word; do
	shift
	[ "$before $word" != "--from 1" ] || word=2
	before=$word
	set -- "$@" "$word"
done
exec "$HOLDFAST" "$@"
"""


@pytest.fixture
def losing(site):
    """A site whose store lets go of the first event once it was read."""
    shim = site.file("shim") / "holdfast"
    shim.parent.mkdir()
    shim.write_text(LOSING)
    shim.chmod(0o755)
    site.sh.env |= {"HOLDFAST": shutil.which("holdfast", path=site.sh.env["PATH"]), "PATH": f"{shim.parent}:{site.sh.env['PATH']}"}
    return site


def test_an_event_that_retention_takes_meanwhile_does_not_give_its_name_to_the_next_one(losing):
    losing.post(1)
    losing.post(2)
    losing.start()
    wait_until(lambda: losing.saved() == 3, "what is there is done")
    assert [(int(position), body) for position, *_, body in losing.seen()] == [(2, '{"n":2}')]


def test_when_retention_takes_the_last_event_meanwhile_the_next_one_is_waited_for(losing):
    losing.post(1)
    losing.start()
    wait_until(lambda: losing.calls() > 2 or losing.process.poll() is not None, "it has looked again")
    losing.post(2)
    wait_until(lambda: losing.saved() == 3 or losing.process.poll() is not None, "the next one is done")
    assert [(int(position), body) for position, *_, body in losing.seen()] == [(2, '{"n":2}')]


# ---- the programs of the guide ----------------------------------------------------------------------------------------


@pytest.fixture(params=["tail", "http"])
def program(site, request):
    """start() runs a program of docs/guide/reading.md; it notes its work in `work`, and what it misses in `missed`."""
    pipe, http = blocks("docs/guide/reading.md", "python")
    site.file("program.py").write_text(pipe if request.param == "tail" else http)
    words = ["data", "place"] if request.param == "tail" else [f"http://127.0.0.1:{site.sh.admin}", "a token", "place"]

    def start():
        with site.file("work").open("ab") as work, site.file("missed").open("ab") as missed:
            site.process = subprocess.Popen(["/usr/bin/python3", "program.py", *words], cwd=site.sh.directory, env=site.sh.env,
                                            stdout=work, stderr=missed, start_new_session=True)

    return start


def worked(site):
    return [int(line.split()[0]) for line in site.file("work").read_text().splitlines()] if site.file("work").exists() else []


def place(site):
    return int(site.file("place").read_text()) if site.file("place").exists() else 0


def test_a_program_of_the_guide_reads_each_event_whoever_dies(site, program):
    for number in range(1, 4):
        site.post(number)
    program()
    wait_until(lambda: place(site) == 3, "three are read")
    site.sh.end()
    site.sh.serve("holdfast gateway -f hooks.yaml &")
    site.post(4)
    wait_until(lambda: place(site) == 4, "it goes on with the gateway")
    site.end()
    site.post(5)
    site.file("place").write_text("3")  # it died between the work and the place
    program()
    wait_until(lambda: place(site) == 5, "it goes on")
    assert worked(site) == [1, 2, 3, 4, 4, 5] and site.file("missed").read_text() == ""


def test_a_program_of_the_guide_says_what_it_missed(site, program):
    for number in range(1, 4):
        site.post(number)
    manifest = site.file("hooks.yaml")
    manifest.write_text(manifest.read_text().replace("deadline: 60s", "deadline: 60s, limits: {retainAge: 1ms}"))
    site.sh.end()
    site.sh.serve("holdfast gateway -f hooks.yaml &")
    wait_until(lambda: site.sh.run("holdfast tail --data-dir data") == "", "all have gone")
    manifest.write_text(manifest.read_text().replace("1ms", "1h"))
    site.sh.end()
    site.sh.serve("holdfast gateway -f hooks.yaml &")
    site.post(4)
    program()
    wait_until(lambda: place(site) == 4, "it reads what there is")
    assert worked(site) == [4] and "missed: retention was faster" in site.file("missed").read_text()


def test_a_program_of_the_guide_does_not_pass_over_events_of_an_older_copy(site, program):
    site.post(1)
    site.file("place").write_text("7")
    program()
    assert site.process.wait(timeout=60) == 1
    assert worked(site) == [] and "the last position in this store is 1" in site.file("missed").read_text()


def test_the_program_over_http_takes_half_an_answer_for_none(site):
    site.file("program.py").write_text(blocks("docs/guide/reading.md", "python")[1])
    row = '{"position":1,"event":{"id":"a"}}\n'
    with socket.create_server(("127.0.0.1", 0)) as server, site.file("work").open("wb") as work:
        server.settimeout(60)
        words = ["/usr/bin/python3", "program.py", f"http://127.0.0.1:{server.getsockname()[1]}", "a token", "place"]
        site.process = subprocess.Popen(words, cwd=site.sh.directory, stdout=work, start_new_session=True)
        for length in (2 * len(row), len(row)):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nHoldfast-Next-After: 1\r\nContent-Length: {length}\r\n\r\n"
                connection.sendall((head + row).encode())
        wait_until(lambda: place(site) == 1, "the whole answer is read")
    assert worked(site) == [1]
