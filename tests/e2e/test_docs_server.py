"""The guides of a server of one's own and of its operation, and places within pages that links name."""

import contextlib
import re
import sqlite3
import subprocess

import pytest
import yaml
from conftest import HOLDFAST, ROOT
from test_docs import blocks, shell  # noqa: F401

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]


def test_the_manifest_of_the_server_guide_passes_check_config(tmp_path):
    manifest = blocks("docs/guide/server.md", "yaml")[0]
    (tmp_path / "secrets/github").mkdir(parents=True)
    (tmp_path / "secrets/github/webhook").write_text("a secret\n")
    (tmp_path / "config.yaml").write_text(manifest.replace("/var/lib/holdfast", "data").replace("/etc/holdfast/", ""))
    done = subprocess.run([HOLDFAST, "check-config", "config.yaml"], cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert done.stdout == "ok: 1 endpoint, bus embedded, data in data\n", done.stdout


def test_every_file_that_the_server_guide_installs_is_there():
    shown = "".join(blocks("docs/guide/server.md", "sh"))
    named = set(re.findall(r"(?<!/)\b(?:deploy|examples)/[\w./-]+", shown))
    assert len(named) >= 5
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_alert_asks_for_metrics_that_there_are_and_has_its_line_in_the_operations_guide():
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    known = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/metrics.md").read_text(), re.M))
    for rule in rules:
        asked = set(re.findall(r"\b(?:holdfast|argocd|argo)_\w+", rule["expr"]))
        assert asked <= known and (asked or rule["expr"].startswith("up{")), (rule["alert"], asked - known)
    table = re.findall(r"^\| (`Holdfast.*?) \|", (ROOT / "docs/guide/operation.md").read_text(), re.M)
    assert sorted(name for cell in table for name in re.findall(r"`(\w+)`", cell)) == sorted(rule["alert"] for rule in rules)


def test_every_metric_that_a_page_names_is_in_the_reference():
    reference = ROOT / "docs/reference/metrics.md"
    known = set(re.findall(r"`(\w+)", reference.read_text()))
    named = {(page.relative_to(ROOT), name) for page in PAGES if page != reference
             for name in re.findall(r"\b(?:holdfast|argocd|argo_events)_[a-z_]*[a-z]\b", page.read_text())}
    assert len(named) > 5
    assert {(page, name) for page, name in named if not {name, re.sub(r"_(bucket|sum|count)$", "", name)} & known} == set()


@pytest.mark.parametrize("consumed, then", [("6", "4"), ("2", "2")])
def test_a_copy_is_restored_as_the_operations_guide_shows(shell, gateway, consumed, then):  # noqa: F811
    g = gateway().start()
    for n in range(3):
        assert g.post(f'{{"ref": "{n}"}}').status_code == 200
    keep, restore = blocks("docs/guide/operation.md", "console")[0], blocks("docs/guide/operation.md", "sh")[0]
    shell.run("\n".join(line[2:] for line in keep.splitlines()[:3]).replace("DIR", str(g.data)))
    assert g.post("{}").status_code == 200
    g.process.stop()
    (g.data / "consumed").write_text(consumed + "\n")
    for name, script in (("sudo", 'exec "$@"'), ("systemctl", 'echo "$@" >> systemctl.log')):
        (shell.directory / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (shell.directory / "bin" / name).chmod(0o755)
    shell.env["HOLDFAST_DATA_DIR"] = str(g.data)
    shell.run(restore.replace("-o holdfast ", "").replace("/var/lib/holdfast", str(g.data)))
    assert (g.data / "consumed").read_text() == then + "\n"
    assert len(shell.run("holdfast tail").splitlines()) == 3
    stop, start = (shell.directory / "systemctl.log").read_text().splitlines()
    assert stop.replace("stop", "start") == start

    query = re.search(r"spool.db \"(SELECT .*?)\"", (ROOT / "docs/reference/store.md").read_text())[1]
    with contextlib.closing(sqlite3.connect(f"file:{g.data}/spool.db?mode=ro", uri=True)) as db:
        assert db.execute(query).fetchall() == [(1, "0"), (2, "1"), (3, "2")]
        assert len(db.execute("SELECT * FROM readable ORDER BY pos DESC LIMIT 3").fetchall()) == 3


def anchors(page):
    """The places of a page, as they are named on the web: `## A bus, or two` is `a-bus-or-two`."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def test_every_place_within_a_page_that_a_link_names_is_there():
    seen = 0
    for page in PAGES:
        for target, place in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            there = page.parent / target if target else page
            assert place in anchors(there), f"{page.relative_to(ROOT)}: {target}#{place}"
            seen += 1
    assert seen > 10


def test_every_page_is_found_from_the_readme():
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", page.read_text()):
            there = (page.parent / target).resolve()
            if there not in found and there not in waiting:
                waiting.append(there)
    assert {page.relative_to(ROOT) for page in PAGES} == {page.relative_to(ROOT) for page in found}


LAYERS = "|".join(sorted(path.name for path in (ROOT / "src").iterdir() if path.is_dir()))


def named_files(text):
    """Files of the tree that a page names between backquotes: whole paths, files of a layer, tests by name, headers alone."""
    yield from re.findall(r"`((?:src|tests|bench|scripts|deploy|examples|include|proto)/[\w./*-]*\w)`", text)
    yield from (f"src/{path}" for path in re.findall(rf"`((?:{LAYERS})/\w+\.[ch])`", text))
    yield from (f"**/{name}.*" for name in re.findall(r"`((?:test|sim|fuzz|bench)_\w+)`", text))
    yield from (f"**/{name}" for name in re.findall(r"`(\w+\.[ch])`", text))


def test_every_file_that_a_page_names_is_there():
    named = {(page.relative_to(ROOT), path) for page in PAGES for path in named_files(page.read_text())}
    tree = [f"/{path}" for path in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()]
    assert len(named) > 100

    def is_there(path):
        pattern = re.escape(path).replace(r"\*\*/", "").replace(r"\*", r"[^/]*")
        return any(re.search(rf"/{pattern}(/|\.\w+)?($|(?<=/))", file) for file in tree)

    assert sorted(item for item in named if not is_there(item[1])) == []


def test_every_variable_of_ours_that_a_page_names_is_read():
    sources = [*ROOT.glob("src/**/*.[ch]"), *ROOT.glob("examples/consume"), *ROOT.glob("deploy/argo-events/entrypoint")]
    read = set(re.findall(r"\bHOLDFAST_[A-Z_]+", "".join(path.read_text() for path in sources)))
    named = {name for page in PAGES for name in re.findall(r"\b(HOLDFAST_[A-Z_]+)\b", page.read_text())}
    assert len(named) > 10 and named <= read, named - read
