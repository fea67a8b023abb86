"""The demo keeps its promise, and would notice a broken one."""

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import HOLDFAST, ROOT

TABLE = ["sent", "acknowledged (200)", "refused", "cut off by a kill, fate open", "stored", "duplicates", "kills (SIGKILL)",
         "events/s, restarts included", "latency p50 / p99"]


sys.path.insert(0, str(ROOT / "scripts"))  # what the scripts import


def load(name):
    """A script as a module."""
    loader = importlib.machinery.SourceFileLoader("demo", str(ROOT / "scripts" / name))
    spec = importlib.util.spec_from_loader("demo", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run(name, *arguments, scratch):
    return subprocess.run([ROOT / "scripts" / name, *arguments], capture_output=True, text=True, timeout=150,
                          env={"HOLDFAST_BIN": HOLDFAST, "TMPDIR": str(scratch), "PATH": "/usr/bin:/bin"})


@pytest.fixture
def demo():
    return load("demo")


def table(text):
    """{name: value} of the table in the output."""
    return {name: match[1] for name in TABLE if (match := re.search(rf"^  {re.escape(name)}  +(.+)$", text, re.M))}


def test_the_demo_ends_with_its_table_and_0(tmp_path):
    done = run("demo", "--events", "2000", "--kills", "2", scratch=tmp_path)
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


# ---- part 2: the sites ----

SITES = {"berlin", "lagos", "osaka"}


def test_the_sites_demo_ends_with_all_sites_equal_and_0(tmp_path):
    done = run("demo-sync", "--apps", "60", "--seconds", "8", scratch=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {words[0]: words[1:] for line in done.stdout.splitlines() if (words := line.split()) and words[0] in SITES}
    assert set(rows) == SITES
    for there, copies, equal, back, *_ in rows.values():
        assert there == copies == back and int(there) > 0 and equal == "yes"
    assert done.stdout.count("\n  kept  ") == 3 and "BROKEN" not in done.stdout
    assert re.search(r"[1-9]\d* edits, .*, 6 kills \(SIGKILL\)", done.stdout)
    assert list(tmp_path.iterdir()) == [], "it cleans up"


@pytest.fixture
def sites(tmp_path, monkeypatch):
    """A demo in which all sites are equal to the source, made by hand: no process runs."""
    module = load("demo-sync")
    monkeypatch.setattr(module.Demo, "make_certificates", lambda self: None)
    demo = module.Demo(tmp_path, 6)
    for site in module.SITES:
        for name in demo.truth[site]:
            text = module.APPLICATION.format(name=name, site=site, revision=1) + f"{module.SOURCE_UID}: uid-1\n"
            module.write(demo.copy(site, name), text)
            module.write(demo.original(site, name, status=True), module.STATUS.format(revision=1))
    demo.recreated["lagos", "app-000"] = "uid-0"
    monkeypatch.setattr(demo, "numbers", lambda: dict.fromkeys(module.SITES, {"resent": 0, "lag_p50_ms": 1, "lag_p99_ms": 2}))
    return demo


def one_more(demo):
    path = demo.copy("lagos", "app-000")
    path.with_name("invented.yaml").write_bytes(path.read_bytes())


def keep_identity(demo):
    demo.recreated["lagos", "app-000"] = "uid-1"


def want_newer(demo):
    demo.truth["lagos"]["app-000"] = 2


FAILURES = [
    # what goes wrong -> the promises that are broken
    (lambda demo: None, []),
    (lambda demo: demo.copy("lagos", "app-001").unlink(), ["a site differs from the source"]),
    (one_more, ["a site differs from the source"]),
    (want_newer, ["a site differs from the source", "status is missing or old"]),
    (lambda demo: demo.original("osaka", "app-001", status=True).unlink(), ["status is missing or old"]),
    (keep_identity, ["an object that was made again kept its old identity"]),
]


@pytest.mark.parametrize("failure, broken", FAILURES)
def test_the_report_notices_a_site_that_differs(sites, capsys, failure, broken):
    failure(sites)
    assert sites.report(1.0) is (not broken)
    assert re.findall(r"^  BROKEN  (.*)$", capsys.readouterr().out, re.M) == broken


def test_the_report_shows_no_lag_where_nothing_was_measured(sites, capsys, monkeypatch):
    """All of a site was in step before the principal's last start."""
    numbers = sites.numbers() | {"lagos": {"resent": 0, "lag_p50_ms": 0, "lag_p99_ms": 0}}
    monkeypatch.setattr(sites, "numbers", lambda: numbers)
    sites.report(1.0)
    assert re.findall(r"^  (?:berlin|lagos) .*?(1 / 2 ms|no change)$", capsys.readouterr().out, re.M) == ["1 / 2 ms", "no change"]


@pytest.mark.parametrize("name, said", [("demo", r"the gateway does not start; its log: (\S+)"),
                                        ("demo-sync", r"demo: \S+ pki init .*failed()")])
def test_a_program_that_cannot_start_is_said(tmp_path, name, said):
    done = subprocess.run([ROOT / "scripts" / name], capture_output=True, text=True, timeout=60,
                          env={"HOLDFAST_BIN": "/bin/false", "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 1
    log = re.search(said, done.stderr)[1]
    assert not log or Path(log).exists()
    assert f"kept in {tmp_path}/" in done.stdout


@pytest.mark.skipif(subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0,
                    reason="no right to a network of its own")
@pytest.mark.parametrize("name", ["demo", "demo-sync"])
def test_a_machine_without_loopback_is_said(tmp_path, name):
    done = subprocess.run(["unshare", "--net", ROOT / "scripts" / name], capture_output=True, text=True, timeout=60,
                          env={"HOLDFAST_BIN": "/bin/false", "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 1
    assert f"{name}: no connection over 127.0.0.1: [Errno 101] Network is unreachable; is the loopback interface up?" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_site_that_cannot_come_says_why(sites, capsys):
    log = sites.agents["lagos"].log
    log.write(b'{"level":"info","msg":"running"}\n{"level":"warn","msg":"no connection"}\n{"level":"info","msg":"stopped"}\n')
    log.flush()
    sites.last_words()
    assert capsys.readouterr().err == '  lagos: {"level":"warn","msg":"no connection"}\n'
