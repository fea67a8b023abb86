"""The benchmark runner: that its floors run, and that a missed target and a broken promise are said aloud."""
import json
import os
import subprocess
import sys
import types

import pytest
import requests
from conftest import HOLDFAST, ROOT

BENCH = ROOT / "bench"
BUILD = os.environ.get("BENCH_BUILD", str(ROOT / "build/release"))
sys.path.insert(0, str(BENCH))
from harness import processes, providers, report, series  # noqa: E402
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


def test_the_ceiling_is_what_all_cores_could_do_at_these_costs():
    row = {**http_row("bus", 64, 20000), **dict.fromkeys(("p50_us", "p99_us", "half_p50_us", "half_p99_us", "anon_kb"), 1),
           "cpu_us": 20, "bus_cpu_us": 20, "generator_cpu_us": 10}
    assert "40,000" in report.http_table([row], cores=2)[1]


def test_fewer_stored_than_acknowledged_fails_the_round_and_only_that():
    setup = series.Setup(None, None, quick=True, say=lambda text: None)
    with pytest.raises(BenchError, match="10 events were acknowledged and 9 are stored"):
        series.check_stored("x", lambda: 9, 10)
    assert setup.attempt("x", lambda s: series.check_stored("x", lambda: 9, 10)) == []
    assert setup.attempt("y", lambda s: "figures") == ["figures"]
    assert len(setup.failed) == 1 and setup.failed[0].startswith("x: ")


def test_pushes_are_as_long_as_they_say_and_every_route_takes_and_stores_them(tmp_path):
    body = providers.push()
    assert len(body) == providers.SIZE == 4096 and json.loads(body)["ref"] == "refs/heads/main"
    programs = types.SimpleNamespace(gateway=HOLDFAST)
    with processes.Gateway(programs, tmp_path, "spool", manifest=providers.manifest(tmp_path)) as g:
        for number, route in enumerate(providers.ROUTES):
            fields = dict(field.replace("{id}", f"d-{number}").split(": ", 1) for field in providers.headers(body))
            url = f"http://127.0.0.1:{g.port}/{route}"
            assert requests.post(url, data=body, headers=fields, timeout=90).text == "success"
            assert g.stored() == number + 1, f"the filter of {route} holds it back"
            if "signed" in route:
                assert requests.post(url, data=body + b" ", headers=fields, timeout=90).status_code == 401


def test_the_ratio_to_the_webhook_is_taken_round_by_round():
    def figures(rate, cpu_us):
        return {"rate": rate, "cpu_us": cpu_us, "p50_us": 1, "p99_us": 1}

    rounds = [{route: figures(100, 10) if route == "webhook" else figures(50, 30) for route in providers.ROUTES},
              {route: figures(10, 20) if route == "webhook" else figures(5, 60) for route in providers.ROUTES}]
    rows = {row["route"]: row for row in providers.compared(rounds, "spool")}
    assert (rows["webhook"]["rate_ratio"], rows["webhook"]["more_cpu_us"]) == (1, 0)
    assert (rows["github-signed"]["rate_ratio"], rows["github-signed"]["more_cpu_us"]) == (0.5, 30)
    text = report.text({"machine": {"cores": 1, "cpu": "x", "kernel": "y"}, "providers": {"routes": list(rows.values()), "hmac_us": 15},
                        "skipped": {}, "failed": []})
    assert "spool github-signed" in text and "50%" in text and "+30.0" in text


def test_without_a_gateway_the_floors_are_measured_and_the_exit_status_says_so(tmp_path):
    command = [BENCH / "run", "--quick", "--only", "disk", "--only", "nats", "--build", BUILD, "--gateway", tmp_path / "none",
               "--out", tmp_path / "out.json", "--scratch", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "is not there: run make" in done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    assert [g["group"] for g in result["disk"]] == [1, 5, 64]
    assert all(g["records_s"] > 0 for g in result["disk"])
    assert [w["window"] for w in result["nats"]] == [5, 64, 1000]
    assert all(w["messages_s"] > 0 for w in result["nats"])
    assert list(result["skipped"]) == ["gateway"]
