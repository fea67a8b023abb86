"""The benchmark runner: that its floors run, and that a missed target and a broken promise are said aloud."""
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

BENCH = ROOT / "bench"
BUILD = os.environ.get("BENCH_BUILD", str(ROOT / "build/release"))
sys.path.insert(0, str(BENCH))
from harness import report, series  # noqa: E402
from harness.processes import BenchError  # noqa: E402


def http_row(kind, connections, rate, peak_kb=1024):
    return {"kind": kind, "connections": connections, "rate": rate, "peak_kb": peak_kb}


def missed(result):
    return [what for what, _, _, met in report.judge(result) if not met]


@pytest.mark.parametrize("result, expected", [
    ({"http": [http_row("bare", 64, 120000), http_row("spool", 64, 60000)]}, []),
    ({"http": [http_row("bare", 64, 120002), http_row("spool", 64, 60000)]}, ["spool, 64 connections: of the bare responder"]),
    ({"http": [http_row("spool", 5, 29999)]}, ["spool, 5 connections: stored events/s"]),
    ({"http": [http_row("bus", 64, 45000, peak_kb=20481)]}, ["bus, 64 connections: peak memory, MiB"]),
    ({"box": [{"kind": "bare", "rate": 1}, {"kind": "spool", "rate": 2000}]}, ["box, spool: stored events/s"]),
    ({"backlog": [{"level": 0, "rate": 1000}, {"level": 100000, "rate": 900}, {"level": 1000000, "rate": 899}]},
     ["1,000,000 waiting: of the rate with none"]),
    ({"backlog": [{"level": 100000, "rate": 1000}, {"level": 1000000, "rate": 1}]}, []),
    ({}, []),
])
def test_each_target_is_judged(result, expected):
    assert missed(result) == expected


def test_the_median_of_the_rounds_counts():
    assert series.summary([{"rate": 1}, {"rate": 900}, {"rate": 2}], kind="x")["rate"] == 2


def test_fewer_stored_than_acknowledged_fails_the_round_and_only_that():
    setup = series.Setup(None, None, quick=True, say=lambda text: None)
    with pytest.raises(BenchError, match="10 events were acknowledged and 9 are stored"):
        series.check_stored("x", lambda: 9, 10)
    assert setup.attempt("x", lambda s: series.check_stored("x", lambda: 9, 10)) == []
    assert setup.attempt("y", lambda s: "figures") == ["figures"]
    assert len(setup.failed) == 1 and setup.failed[0].startswith("x: ")


def test_without_a_gateway_the_floors_are_measured_and_the_exit_status_says_so(tmp_path):
    command = [BENCH / "run", "--quick", "--only", "disk", "--build", BUILD, "--gateway", tmp_path / "none",
               "--out", tmp_path / "out.json", "--scratch", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "is not there: run make" in done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    assert [g["group"] for g in result["disk"]] == [1, 5, 64]
    assert all(g["records_s"] > 0 for g in result["disk"])
    assert list(result["skipped"]) == ["gateway"]
