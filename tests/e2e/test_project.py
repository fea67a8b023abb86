"""The tree's own checks must be able to fail."""

import subprocess

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
