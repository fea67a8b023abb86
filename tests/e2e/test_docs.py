"""The examples of the documents are run, and the reference lists what there is. UPDATE_DOCS=1 rewrites its tables."""

import json
import os
import re
import subprocess
import urllib.request

import pytest
import requests
from conftest import HOLDFAST, ROOT, wait_until

ANSWERS = ROOT / "docs/reference/answers.md"
METRICS = ROOT / "docs/reference/metrics.md"


# ---- examples --------------------------------------------------------------------------------------------------------


def blocks(page, language):
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)


def localised(text, port, admin):
    """The same example on ports that are free here."""
    text = text.replace("12000", str(port)).replace("build/release/src/cli/holdfast", HOLDFAST)
    own = ["dataDir: ./data", "deadline: 60s", f'admin: {{address: "127.0.0.1:{admin}"}}']
    text = text.replace("{dataDir: ./data}", "{" + ", ".join(own) + "}")
    return re.sub(r"^( +)dataDir: (\./data|holdfast-data)$",
                  lambda line: "\n".join(line[1] + key.replace("./data", line[2]) for key in own), text, flags=re.M)


class Shell:
    """A directory in which examples run, with `holdfast` on the path; what they leave running ends with the test."""

    def __init__(self, directory, port, admin):
        self.directory, self.port, self.admin = directory, port, admin
        (directory / "bin").mkdir()
        (directory / "bin/holdfast").symlink_to(HOLDFAST)
        self.env = {**os.environ, "PATH": f"{directory / 'bin'}:{os.environ['PATH']}"}
        self.gateway = None

    def serve(self, command):
        words = localised(command, self.port, self.admin).rstrip("& ").split()
        self.gateway = subprocess.Popen(words, cwd=self.directory, env=self.env, stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_until(lambda: requests.get(f"http://127.0.0.1:{self.admin}/readyz", timeout=90).status_code == 200,
                   "the gateway of the example is ready")

    def run(self, command):
        done = subprocess.run(["bash", "-ec", localised(command, self.port, self.admin)], cwd=self.directory, env=self.env,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout

    def paste(self, commands):
        """All at once, as somebody who pastes them: the next command does not wait for the one with `&`."""
        return self.run("trap 'kill %1 && wait' EXIT; " + commands)

    def end(self):
        if self.gateway:
            self.gateway.kill()
            self.gateway.wait()


@pytest.fixture
def shell(tmp_path, free_port):
    s = Shell(tmp_path, free_port(), free_port())
    yield s
    s.end()


def test_the_readme_does_what_it_shows(shell):
    use = next(block for block in blocks("README.md", "sh") if "hooks.yaml" in block)
    said = shell.paste(use)
    assert said.startswith("success") and '"body":{"hello":"world"}' in said


def test_the_first_steps_do_what_they_show(shell):
    manifest = blocks("docs/guide/first-steps.md", "yaml")[0]
    (shell.directory / "hooks.yaml").write_text(localised(manifest, shell.port, shell.admin))
    posts, reads = blocks("docs/guide/first-steps.md", "console")[:2]
    for line in posts.strip().split("\n"):
        if not line.startswith("$ "):
            assert shell.out == line
        elif line.endswith("&"):
            shell.serve(line[2:])
        else:
            shell.out = shell.run(line[2:]).strip()
    for line in reads.strip().split("\n"):
        command = line[2:].split("#")[0].replace("--follow", "")
        assert '"header"' in shell.run(command), command


def test_the_cloudevents_guide_does_what_it_shows(shell):
    page = "docs/guide/cloudevents.md"
    (shell.directory / "events.yaml").write_text(localised(blocks(page, "yaml")[0], shell.port, shell.admin))
    shell.serve("holdfast gateway -f events.yaml &")
    for block in blocks(page, "sh"):
        assert shell.run(block).strip() == "success", block
    events = [json.loads(line)["event"] for line in shell.run("holdfast tail --data-dir ./data --json").splitlines()]
    assert [event["id"] for event in events] == ["r-1", "r-2", "r-3", "r-4"]


def test_the_providers_guide_does_what_it_shows(shell):
    page = "docs/guide/providers.md"
    (shell.directory / "hosts.yaml").write_text(localised(blocks(page, "yaml")[0], shell.port, shell.admin))
    secret, start, push, tail = blocks(page, "sh")
    shell.run(secret)
    check, gateway = start.strip().split("\n")
    assert "ok: 1 endpoint" in shell.run(check)
    shell.serve(gateway)
    assert shell.run(push) == "success"
    assert '"zen":"Keep it logically awesome."' in shell.run(tail)
    assert shell.run(push.replace("logically", "Logically", 1).replace("awesome", "awful", 1).replace("d-1", "d-2")) == "success"
    assert shell.run(push.replace("'keep it long", "'guess it long")).startswith("the request is not signed")
    events = [json.loads(line)["event"] for line in shell.run("holdfast tail --data-dir ./data --json").splitlines()]
    assert [event["id"] for event in events] == ["hosts/push d-1", "hosts/push d-2"]


def test_every_piece_of_a_manifest_in_the_providers_guide_passes_check_config(tmp_path):
    """Pieces begin with the type of a source, as they stand under spec; one is a `holdfast` of the piece before it."""
    whole, *pieces = blocks("docs/guide/providers.md", "yaml")
    kinds = set()
    for piece in pieces:
        if not piece.startswith("  "):
            piece = "\n".join("  " + line for line in piece.splitlines()) + "\n"
        if piece.strip().startswith("holdfast:"):
            piece = "  webhook:\n    e:\n      endpoint: /e\n      port: \"1\"\n      method: POST\n" + piece
        file = tmp_path / "piece.yaml"
        file.write_text(whole.partition("  github:")[0] + piece)
        done = subprocess.run([HOLDFAST, "check-config", file], cwd=tmp_path, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, piece + done.stdout
        kinds.add(piece.split(":")[0].strip())
    assert {"github", "bitbucket", "stripe", "sns", "webhook"} <= kinds


def check_elsewhere(file, directory):
    done = subprocess.run([HOLDFAST, "check-config", "--elsewhere", file], cwd=directory, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_passes_check_config(example, tmp_path):
    check_elsewhere(example, tmp_path)


@pytest.mark.parametrize("name, stored", [("webhook", "webhook/example"), ("cloudevents", '{"n":1}')])
def test_the_head_of_an_example_shows_how_to_use_it(shell, name, stored):
    text = (ROOT / f"examples/{name}.yaml").read_text()
    start, send, *look = re.findall(r"^#   (\S(?:.*\\\n#)*.*)$", text, re.M)
    (shell.directory / "examples").mkdir()
    (shell.directory / f"examples/{name}.yaml").write_text(localised(text, shell.port, shell.admin))
    shell.serve(start)
    assert shell.run(send.replace("\n#", "\n")).strip() == "success"
    assert stored in shell.run("\n".join(look) or "holdfast tail --data-dir holdfast-data")


def test_what_the_first_steps_add_to_their_manifest_and_the_filters_guide_pass_check_config(tmp_path):
    whole, token, bus = blocks("docs/guide/first-steps.md", "yaml")
    more = whole.partition("    example:")[0] + token + "---\n" + bus
    for manifest in (more, blocks("docs/guide/filters.md", "yaml")[0]):
        (tmp_path / "manifest.yaml").write_text(manifest)
        check_elsewhere("manifest.yaml", tmp_path)


def documents():
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]


def test_every_link_between_documents_leads_somewhere():
    for page in documents():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


# ---- reference --------------------------------------------------------------------------------------------------------


def table(rows):
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def compare(page, header, rows):
    """The page's table holds exactly these rows; with UPDATE_DOCS it is written."""
    expected = table([header, ["---"] * len(header), *rows])
    text = page.read_text()
    found = re.search(r"^\|(?:.*\n\|)*.*\n", text, re.M)
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(text.replace(found.group(0), expected))
    else:
        assert found.group(0) == expected, f"{page.name} is behind: run this test with UPDATE_DOCS=1"


def test_every_row_of_a_table_has_the_cells_of_its_head():
    wrong = []
    for page in documents():
        head = None
        text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), page.read_text(), flags=re.M | re.S)
        for number, line in enumerate(text.splitlines(), 1):
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            head = cells and (head or cells)
            if cells and (cells != head or not line.endswith("|")):
                wrong.append(f"{page.relative_to(ROOT)}:{number}: {line}")
    assert not wrong, "\n".join(wrong)


def answer_rows():
    source = (ROOT / "src/gateway/answer.h").read_text().replace("\\\n", "")
    pattern = r'X\((\w+),\s*(\d+),\s*"((?:[^"\\]|\\.)*)",\s*(\d+),\s*"((?:[^"\\]|\\.)*)",\s*(\d+)\)'
    return [(name, status, text.replace("\\n", ""), strict, strict_text.replace("\\n", ""), retry)
            for name, status, text, strict, strict_text, retry in re.findall(pattern, source)]


def test_the_reference_lists_every_answer():
    rows = answer_rows()
    assert len(rows) > 15
    compare(ANSWERS, ["status", "text", "`compat: strict`", "its text", "Retry-After"],
            [[status, f"`{text}`", strict, f"`{strict_text}`" if strict_text else "none", f"{retry} s" if retry != "0" and status in ("503", "429") else ""]
             for _, status, text, strict, strict_text, retry in rows])


def test_the_reference_lists_every_key():
    page = ROOT / "docs/reference/gateway-config.md"
    head, mark, keys = page.read_text().partition("## Every key\n\n")
    explained = subprocess.run([HOLDFAST, "check-config", "--explain"], check=True, capture_output=True, text=True).stdout
    assert mark and "| `spec.webhook.<event>.endpoint` |" in explained
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(head + mark + explained)
    else:
        assert keys == explained, "gateway-config.md is behind: run this test with UPDATE_DOCS=1"


def test_the_providers_guide_has_the_deadline_of_each_source():
    table = (ROOT / "docs/guide/providers.md").read_text().partition("| masked | deadline |")[2].partition("\n\n")[0]
    shown = {name: float(s) for name, s in re.findall(r"^\| `(\w+)` .* ([\d.]+) s \|$", table, re.M)}
    sources = [path.read_text() for path in (ROOT / "src/gateway/sources").glob("*.c")]
    rows = [row for text in sources for row in re.findall(r"^const struct source_ops \w+ = \{\n(.*?)^\};", text, re.M | re.S)]
    kinds = {re.search(r'\.kind = "(\w+)"', row)[1]: re.search(r"\.deadline_ms = (\d+)", row) for row in rows}
    assert shown == {kind: int(ms[1]) / 1000 if ms else 2 for kind, ms in kinds.items() if kind != "cloudevents"}


def scrape(g):
    with urllib.request.urlopen(g.admin + "/metrics", timeout=90) as answer:
        return answer.read().decode()


def test_the_reference_lists_every_metric(gateway, nats):
    server = nats()
    g = gateway(bus=f"""---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {{name: default}}
spec:
  jetstreamExotic: {{url: "{server.url}"}}
""").start()
    assert g.post("{}").status_code == 200
    wait_until(lambda: "bus jetstream is up" in requests.get(g.admin + "/readyz", timeout=90).text, "the bus is up")
    text = scrape(g)
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.M))
    labels = {}
    for name, fields in re.findall(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.*?)\} ", text, re.M):
        labels.setdefault(name, re.findall(r"(\w+)=", fields))
    compare(METRICS, ["metric", "type", "labels", "meaning"],
            [[f"`{name}`", kinds[name], ", ".join(f"`{l}`" for l in labels.get(name, []) if l != "le"),
              re.sub(r" https://\S+", "", meaning)]
             for name, meaning in sorted(re.findall(r"^# HELP (\S+) (.*)$", text, re.M))])
