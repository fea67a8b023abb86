"""Flags and variables of argocd-agent: each does what docs/reference/argocd-agent.md says of it."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import HOLDFAST, ROOT, wait_until
from synced import run

PAGE = (ROOT / "docs/reference/argocd-agent.md").read_text()
ROWS = {program: re.findall(r"^\| `--([a-z0-9-]+)` \| (?:`(\w+)`)? \| (served|no effect|refused)(?:: (.*))? \|$",
                            PAGE.split(f"## `holdfast {program}`")[1].split("\n## ")[0], re.M) for program in ("principal", "agent")}
VARIABLES = re.findall(r"^\| `(ARGOCD_\w+)` \| no effect: (.*) \|$", PAGE, re.M)
ENOUGH = {"principal": ("--insecure-plaintext", "--insecure-jwt-generate", "--auth", "header:x-agent:(.+)"),
          "agent": ("--insecure-plaintext", "--server-address", "localhost", "--creds", "header:")}
STRINGS = {"tls-min-version": "tls1.2", "tls-max-version": "tls1.3", "log-level": "info", "log-format": "json",
           "agent-mode": "managed", "source-uid-mismatch-policy": "upsert", "on-application-recreate": "resync",
           "adoption-policy": "never", "keep-alive-ping-interval": "30s", "heartbeat-interval": "30s",
           "grpc-max-message-size": "1048576"}


def start(program, tmp_path, *words, **env):
    """What it says when it cannot go further than its options: its backend is a file."""
    (tmp_path / "backend").touch()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARGOCD_", "REDIS_"))}
    done = subprocess.run([HOLDFAST, program, "--backend", f"directory:{tmp_path}/backend", "--data-dir", tmp_path / "data",
                           *ENOUGH[program], "--metrics-port", "0", "--healthz-port", "0", *words],
                          env={**clean, **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90, check=False)
    return done.returncode, done.stdout


def read_log(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def plain(text):
    return text.replace("`", "")


def named(program, kind):
    return [row for row in ROWS[program] if row[2] == kind]


def is_switch(program, name):
    """Does the program take it without a value?"""
    return "needs" not in start_alone(program, f"--{name}")


def start_alone(program, word):
    return subprocess.run([HOLDFAST, program, word], capture_output=True, text=True, timeout=90, check=False).stderr


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_the_page_and_the_help_know_the_same_options(program):
    text = run(program, "--help")
    rows = "".join((ROOT / "src/cli" / file).read_text() for file in ("sync_args.h", f"cmd_{program}.c"))
    for kind, word in ("no effect", "IGNORED"), ("refused", "REFUSED"):
        assert {row[0] for row in named(program, kind)} == set(re.findall(rf'\{{ "([a-z0-9-]+)", 0, OPTION_{word},', rows))
    for name, variable, _, _ in named(program, "served"):
        assert re.search(rf"^ +(-\w, )?--{name}\b", text, re.M), name
        assert name in ("log-level", "log-format") or not variable or f"[{variable}]" in re.sub(r"\s+", " ", text), name


@pytest.mark.parametrize("program", ["principal", "agent"])
@pytest.mark.parametrize("how", ["flags", "variables"])
def test_what_has_no_effect_is_said_once_each_and_stops_nobody(program, how, tmp_path):
    rows = named(program, "no effect")
    switches = {row[0] for row in rows if is_switch(program, row[0])}
    if how == "flags":
        words = [f"--{name}" if name in switches else f"--{name}=1" for name, *_ in rows]
        code, text = start(program, tmp_path, *words, *words)
    else:
        code, text = start(program, tmp_path, **{variable: "true" if name in switches else "1" for name, variable, *_ in rows})
    assert code == 1, text
    said = [line for line in read_log(text) if line["msg"] == "an option has no effect here"]
    assert all(line["level"] == "warn" for line in said)
    assert {(line["option"], line["variable"], line["reason"]) for line in said} == {
        (name, variable, plain(reason)) for name, variable, _, reason in rows}
    assert len(said) == len(rows)


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_variables_without_a_flag_are_said_too(program, tmp_path):
    code, text = start(program, tmp_path, **{name: "5" for name, _ in VARIABLES})
    assert code == 1
    said = [line for line in read_log(text) if line["msg"] == "a variable has no effect here"]
    assert [(line["variable"], line["reason"]) for line in said] == [(name, plain(reason)) for name, reason in VARIABLES]
    assert len(said) == 4


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_what_is_refused_says_what_to_do_and_off_is_no_wish(program, tmp_path):
    for name, variable, _, reason in named(program, "refused"):
        value = "true" if is_switch(program, name) else "x"
        code, text = start(program, tmp_path, f"--{name}={value}")
        assert code == 2 and plain(reason) in text, name
        if variable:
            code, text = start(program, tmp_path, **{variable: value})
            assert code == 2 and variable in text and plain(reason) in text, name
            code, text = start(program, tmp_path, **{variable: "false" if value == "true" else ""})
            assert code == 1, text


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_what_is_served_is_taken_from_its_variable(program, tmp_path):
    """A value that makes no sense is refused by the variable's name where there are such values; a good one is not."""
    for name, variable, _, _ in named(program, "served"):
        if name not in STRINGS or name in ("log-level", "log-format"):
            continue
        code, text = start(program, tmp_path, **{variable: STRINGS[name]})
        assert code == 1, (name, text)
        code, text = start(program, tmp_path, **{variable: "nonsense"})
        assert code == 2 and (variable in text or f"--{name}" in text), (name, text)


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_a_log_level_is_the_same_word_as_a_flag_and_as_a_variable(program, tmp_path):
    for word, warned in (("trace", True), ("warning", True), ("WARN", True), ("info,part=debug", True), ("fatal", False), ("panic", False)):
        for words, env in ((("--log-level", word), {}), ((), {f"ARGOCD_{program.upper()}_LOG_LEVEL": word})):
            code, text = start(program, tmp_path, "--log-format=json", "--full-detail=x", *words, **env)
            assert code == 1, (word, text)
            assert any(line["level"] == "warn" for line in read_log(text)) == warned, (word, env, text)


def hangup_is_pending(pid):
    """SIGHUP is bit 0 of what was sent to the process and not taken yet (proc_pid_status(5))."""
    return int(re.search(r"^ShdPnd:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1], 16) & 1


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_a_reload_while_it_starts_does_not_end_it(program, tmp_path, free_port):
    """Between the first file of the ledger and the first turn of the loop, again and again."""
    for attempt in range(10):
        data = tmp_path / f"data-{attempt}"
        process = subprocess.Popen([HOLDFAST, program, "--backend", f"directory:{tmp_path}/backend", "--data-dir", data, *ENOUGH[program],
                                    "--metrics-port", "0", "--healthz-port", "0", "--log-level", "error",
                                    *(("--listen-port", str(free_port())) if program == "principal" else ())])
        try:
            while not (data / "ledger.lock").exists():
                assert process.poll() is None
            for _ in range(5):
                process.send_signal(signal.SIGHUP)
                wait_until(lambda: process.poll() is not None or not hangup_is_pending(process.pid), "the signal was taken")
                assert process.poll() is None, "it lives"
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("program", ["principal", "agent"])
def test_where_the_resources_are_is_said_by_what_the_command_line_has_of_a_cluster(program, tmp_path):
    """Upstream's programs know no other place: a Deployment that was theirs has no --backend."""
    def outcome(*words, **env):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARGOCD_", "KUBE"))}
        done = subprocess.run([HOLDFAST, program, *ENOUGH[program], "--data-dir", tmp_path / "data", *words], text=True, timeout=90,
                              env={**clean, "HOME": str(tmp_path), **env}, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    gone = str(tmp_path / "gone")
    for words, env, code, part in (
            ((), {}, 2, "--backend directory:PATH or --backend kubernetes"),
            (("--kubeconfig", gone), {}, 1, f"kubernetes: read {gone}: No such file"), (("--kubecontext", "x"), pod, 1, "no API server is known"),
            ((), pod, 1, "this pod has no token"), (("--backend", "kubernetes"), {"KUBECONFIG": gone}, 1, "$KUBECONFIG: no file there"),
            (("--backend", "memory:", "--kubeconfig", gone), {}, 2, "--kubeconfig is for --backend kubernetes, not for memory:"),
            (("--backend", "memory:", "--kubecontext", "x"), pod, 2, "--kubecontext is for --backend kubernetes"),
            (("--backend", "kube"), {}, 1, "'kube' is no backend: write directory:PATH or kubernetes")):
        assert outcome(*words, **env)[0] == code and part in outcome(*words, **env)[1], (words, outcome(*words, **env))


def test_labels_of_namespaces_are_keys_and_values(tmp_path):
    for text in ("team", "=x", "a=b,,c=d"):
        code, said = start("principal", tmp_path, f"--namespace-create-labels={text}")
        assert code == 2 and "is not KEY=VALUE" in said, said
    assert start("principal", tmp_path, "--namespace-create-labels=a=b,c=")[0] == 1


def test_a_pattern_of_namespaces_is_a_regular_expression(tmp_path):
    code, said = start("principal", tmp_path, "--namespace-create-pattern=(a")
    assert code == 2 and "--namespace-create-pattern" in said, said
    assert start("principal", tmp_path, "--namespace-create-pattern=^site-")[0] == 1


def test_an_authority_in_a_secret_is_not_replaced_by_those_of_the_system(tmp_path):
    words = ("--server-address", "localhost", "--creds", "header:", "--backend", f"directory:{tmp_path}/b", "--root-ca-secret-name", "ours")
    done = subprocess.run([HOLDFAST, "agent", *words], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 2 and "--root-ca-path" in done.stderr


@pytest.mark.parametrize("program, names", [("principal", ("tls-secret-name", "tls-ca-secret-name", "jwt-secret-name")), ("agent", ("tls-secret-name",))])
def test_secrets_have_no_effect_over_directories(program, names, tmp_path):
    code, text = start(program, tmp_path, *(f"--{name}=mine" for name in names))
    assert code == 1, text
    assert [(line["option"], line["reason"]) for line in read_log(text) if line["msg"] == "an option has no effect here"] == [
        (name, "Secrets are read with --backend kubernetes") for name in names]
