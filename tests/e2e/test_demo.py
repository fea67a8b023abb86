"""The demo keeps its promise, and would notice a broken one."""

import importlib.machinery
import importlib.util
import re
import subprocess
from collections import Counter

import pytest
from conftest import HOLDFAST, ROOT

TABLE = ["sent", "acknowledged (200)", "refused", "cut off by a kill, fate open", "stored", "duplicates", "kills (SIGKILL)",
         "events/s, restarts included", "latency p50 / p99"]


@pytest.fixture
def demo():
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("demo", str(ROOT / "scripts/demo"))
    spec = importlib.util.spec_from_loader("demo", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def table(text):
    """{name: value} of the table in the output."""
    return {name: match[1] for name in TABLE if (match := re.search(rf"^  {re.escape(name)}  +(.+)$", text, re.M))}


def test_the_demo_ends_with_its_table_and_0(tmp_path):
    done = subprocess.run([ROOT / "scripts/demo", "--events", "2000", "--kills", "2"], capture_output=True, text=True,
                          timeout=120, env={"HOLDFAST_BIN": HOLDFAST, "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stdout + done.stderr
    values = table(done.stdout)
    assert list(values) == TABLE
    sent, acknowledged, refused, cut, stored, duplicates, kills = (int(values[name]) for name in TABLE[:7])
    assert sent == 2000 == acknowledged + refused + cut
    assert acknowledged <= stored <= sent and acknowledged > 1500
    assert (duplicates, kills) == (0, 2)
    assert done.stdout.count("\n  kept  ") == 3 and "BROKEN" not in done.stdout
    assert list(tmp_path.iterdir()) == [], "it cleans up"


def run_of(demo):
    """Three events: one acknowledged, one refused, one cut off."""
    run = demo.Run(3)
    for kind, event in ((run.acknowledged, "a"), (run.refused, "r"), (run.unanswered, "u")):
        run.settle(kind, event, 0.001)
    return run


REPORTS = [
    # stored -> the promise that is broken
    (["a"], None),
    (["a", "u"], None),
    (["a", "r", "u"], None),
    (["u", "r"], "1 acknowledged events are lost: ['a']"),
    ([], "1 acknowledged events are lost: ['a']"),
    (["a", "a"], "1 events are there more than once"),
    (["a", "u", "u", "u"], "2 events are there more than once"),
    (["a", "x"], "1 events were invented: ['x']"),
]


@pytest.mark.parametrize("stored, broken", REPORTS)
def test_the_report_notices_a_broken_promise(demo, capsys, stored, broken):
    kept = demo.report(run_of(demo), Counter(stored), 1, 1.0)
    text = capsys.readouterr().out
    assert kept is (broken is None)
    assert text.count("BROKEN") == (broken is not None)
    if broken:
        assert "BROKEN  " + broken in text


def test_a_gateway_that_cannot_start_is_said(demo, tmp_path):
    demo.HOLDFAST = "/bin/false"
    with pytest.raises(SystemExit) as failure:
        demo.Gateway(tmp_path).start()
    assert "the gateway does not start; its log: " in str(failure.value)
