"""The tree's own checks must be able to fail."""

import importlib.machinery
import importlib.util
import subprocess
import sys

import pytest

from conftest import ROOT

MESON = "".join(f"subdir('src/{layer}')\n" for layer in
                ["base", "event", "config", "net", "store", "delivery", "bus", "gateway", "lib", "cli"])


def layers(tree):
    return subprocess.run(["/usr/bin/python3", ROOT / "tests/layers.py", tree], capture_output=True, text=True)


@pytest.mark.parametrize("path, line, complaint", [
    ("src/base/a.c", '#include "event/event.h"', "base lies below event"),
    ("src/store/a.c", '#include "gateway/config.h"', "store lies below gateway"),
    ("src/delivery/a.c", '#include "store/store.h"', "delivery knows only base, event"),
    ("src/lib/a.c", '#include "net/loop.h"', "lib knows only base, delivery, event, store"),
    ("src/nowhere/a.c", "", "no subdir() line"),
    ("src/base/a.c", '#include "nowhere/a.h"', "is no layer"),
    ("src/net/a.c", "\tchar *p = malloc(3);", "allocate through base/mem.h"),
    ("src/net/a.c", "\treturn strdup(text);", "allocate through base/mem.h"),
    ("include/holdfast/a.h", "#include <sqlite3/sqlite3.h>", "a public header includes"),
    ("include/holdfast/a.h", '#include "base/str.h"', "a public header includes"),
])
def test_a_violation_of_the_layers_is_found(tmp_path, path, line, complaint):
    (tmp_path / "meson.build").write_text(MESON)
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(f"/* a comment */\n{line}\n")
    found = layers(tmp_path)
    assert found.returncode == 1
    assert complaint in found.stdout
    assert found.stdout.startswith(path + ":")


@pytest.mark.parametrize("path, line", [
    ("src/event/a.c", '#include "base/str.h"'),
    ("src/gateway/a.c", '#include "store/store.h"'),
    ("src/base/mem.c", "\treturn malloc(size);"),
    ("src/base/a.c", '/* not malloc(3) */ x("malloc(3)"); /* strdup() */'),
])
def test_what_follows_the_layers_passes(tmp_path, path, line):
    (tmp_path / "meson.build").write_text(MESON)
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(line + "\n")
    assert layers(tmp_path).returncode == 0, layers(tmp_path).stdout


@pytest.mark.parametrize("source, complaint", [
    ("int hf_version(void) { return 0; } int other(void) { return 0; }", "exports other"),
    ("int hf_version(void) { return 0; }", "lacks hf_strerror"),
])
def test_a_wrong_export_is_found(tmp_path, source, complaint):
    (tmp_path / "x.c").write_text(source)
    library = tmp_path / "libx.so"
    subprocess.run(["/usr/bin/gcc", "-shared", "-fPIC", "-o", library, tmp_path / "x.c"], check=True)
    found = subprocess.run(["/usr/bin/python3", ROOT / "tests/exports.py", library], capture_output=True, text=True)
    assert found.returncode == 1
    assert complaint in found.stdout


@pytest.mark.parametrize("call", ["strcpy(a, b)", "sprintf(a, b)", "strtok(a, b)", "atoi(a)"])
def test_a_banned_function_does_not_compile(tmp_path, call):
    (tmp_path / "x.c").write_text(f"void f(char *a, const char *b);\nvoid f(char *a, const char *b) {{ (void)b; {call}; }}\n")
    for compiler in ["/usr/bin/gcc", "/usr/bin/clang"]:
        made = subprocess.run([compiler, "-std=gnu17", "-O2", "-D_FORTIFY_SOURCE=2", "-include", ROOT / "src/base/banned.h",
                               "-c", "-o", "/dev/null", tmp_path / "x.c"], capture_output=True, text=True)
        assert made.returncode != 0
        assert "poisoned" in made.stderr


# ---- what scripts/check says at its end -----------------------------------------------------------------------------------

FAILING = r"""
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void waits(void **state) { fail_msg("waited too long; seen so far:\n%s", "+ a 1\n= synced\n"); }
static void compares(void **state) { assert_int_equal(1, 2); }
static void passes(void **state) { }
static void hangs(void **state) { if (!getenv("ENDS")) pause(); assert(getenv("HOME")); }

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(waits), cmocka_unit_test(compares), cmocka_unit_test(passes),
					    cmocka_unit_test(hangs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
"""


@pytest.fixture
def check(monkeypatch):
    """The script as a module."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])  # what it imports
    loader = importlib.machinery.SourceFileLoader("check", str(ROOT / "scripts/check"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def failing(tmp_path):
    (tmp_path / "x.c").write_text(FAILING)
    subprocess.run(["/usr/bin/gcc", "-o", tmp_path / "x", tmp_path / "x.c", "-lcmocka"], check=True)
    return tmp_path / "x"


SAID = """
    [  FAILED  ] waits
    [  FAILED  ] compares
    {}ERROR: waited too long; seen so far:
    + a 1
    = synced
    [  ERROR   ] --- [   LINE   ] --- {x}.c:10: error: Failure!
    [  ERROR   ] --- 0x1 != 0x2
    [   LINE   ] --- {x}.c:11: error: Failure!"""


def test_the_end_says_what_failed_and_which_function_hung(check, failing):
    child = subprocess.Popen([failing], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = ""
    while "hangs" not in out:
        out += child.stdout.readline()
    child.kill()
    test = {"stdout": out, "stderr": child.communicate()[1]}
    assert check.failed_functions(test) == SAID.format("hangs did not end\n    ", x=failing)


def test_the_end_says_which_assertion_failed_in_which_function(check, failing):
    done = subprocess.run([failing], env={"ENDS": "1"}, capture_output=True, text=True)
    said = check.failed_functions({"stdout": done.stdout, "stderr": done.stderr}).splitlines()
    assert "    hangs did not end" in said and said[-1].endswith("hangs: Assertion `getenv(\"HOME\")' failed.")
    done = subprocess.run([failing], env={"ENDS": "1", "HOME": "/"}, capture_output=True, text=True)
    assert check.failed_functions({"stdout": done.stdout, "stderr": done.stderr}) == SAID.format("", x=failing)
    assert check.failed_functions({"stdout": "one\n\ntwo\n"}) == "\n    one\n    two"


def test_only_what_fresh_seeds_deliver_counts(check):
    said = "39 runs of listed seeds: 178005 deliveries, 7 ms\n22 runs from seed 300: 101000 deliveries, 9 steps, 7 ms\n"
    assert check.fresh_deliveries({"stdout": said}) == 101000
    assert check.fresh_deliveries({}) == 0


def test_the_end_says_which_step_failed_and_why(check, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(check, "LOGS", tmp_path)
    assert check.run("good", ["true"]) == ""
    assert check.run("bad", ["sh", "-c", "echo 'FAILED: x.o'; echo 'x.c:1:2: error: no'; echo end; exit 3"]) == \
        "bad: exit status 3; bad.log has\n    FAILED: x.o\n    x.c:1:2: error: no"
    assert check.run("slow", ["sleep", "60"], limit_s=0.1) == "slow: exit status none after 0.1 s; slow.log has"
    count = check.Count()
    monkeypatch.setattr(check, "run", lambda name, command: f"{name} failed")
    assert not check.build(count, "debug") and (count.failed, count.failures) == (1, ["debug-configure failed"])
