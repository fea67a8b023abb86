"""A process that writes to a directory backend is killed with SIGKILL at random moments, again and again: what it acknowledged is
there, never half a file, and an object keeps its UID as long as it was not deleted.

HOLDFAST_KILL_ROUNDS and HOLDFAST_KILL_SEED change how often and which.
"""

import os
import random
import subprocess
import threading
from pathlib import Path

from conftest import HOLDFAST

DIRTOOL = os.environ.get("DIRTOOL_BIN", str(Path(HOLDFAST).parents[2] / "tests/tools/dirtool"))
ROUNDS = int(os.environ.get("HOLDFAST_KILL_ROUNDS", "15"))
SEED = int(os.environ.get("HOLDFAST_KILL_SEED", random.randrange(10**6)))


def write_until_killed(place, seed, lines):
    """Starts the writer and kills it after so many lines; returns all of them, in order."""
    child = subprocess.Popen([DIRTOOL, "write", str(place / "root"), str(place / "data"), str(seed)],
                             stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(60, child.kill)  # a writer that hangs has too few lines then
    timer.start()
    said = []
    for line in child.stdout:
        said.append(line.split())
        if len(said) == lines:
            child.kill()
    child.wait()
    timer.cancel()
    assert len(said) >= lines, f"the writer ended by itself: {child.returncode}"
    return said


def listed(place):
    done = subprocess.run([DIRTOOL, "list", str(place / "root"), str(place / "data")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name: (int(spec), None if status == "null" else int(status), uid)
            for name, spec, status, uid in map(str.split, done.stdout.splitlines())}


def check(said, there, before):
    """Of each object nothing was under way but what comes after the last line about it."""
    for name in {name for name, _ in said}:
        mine = [what for other, what in said if other == name]
        values = [int(what) for what in mine if what not in "~-"]
        if mine[-1] not in "~-":
            assert name in there, (name, mine[-3:])
            v = values[-1]  # and then PUT and STATUS of the next value, one after the other
            assert there[name][:2] in ((v, v), (v + 1, v), (v + 1, v + 1)), (name, v, there[name])
        elif mine[-1] == "~" and name in there:
            assert there[name][:2] == (values[-1], values[-1]), (name, there[name])
        elif mine[-1] == "-" and name in there and values:
            assert there[name][0] == values[-1] + 1, (name, there[name])
        if name in there and name in before and "~" not in mine:
            assert there[name][2] == before[name][2], (name, "another UID without a delete")
    silent = set(before) - {name for name, _ in said}
    assert silent <= set(there)  # nobody said that they would be deleted
    assert all(there[name][2] == before[name][2] for name in silent)


def test_what_was_acknowledged_survives_sigkill(tmp_path):
    dice = random.Random(SEED)
    before = {}
    print(f"seed {SEED}")
    for round_ in range(ROUNDS):
        said = write_until_killed(tmp_path, round_, dice.randrange(1, 1500))  # later rounds have larger values
        there = listed(tmp_path)  # and no file is half of one: that would be a problem, and status 1
        check(said, there, before)
        assert not list((tmp_path / "root").rglob(".holdfast-*"))  # what the killed one had begun is removed
        before = there
