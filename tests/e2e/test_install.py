"""make install: what arrives, and whether a program can be built on it."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

PROGRAM = r"""
#include <stdio.h>
#include <string.h>

#include <holdfast/store.h>

static bool show(void *ctx, const struct hf_record *record)
{
	size_t size;
	const char *data = hf_event_data(record->event, NULL, &size);
	(void)ctx;
	printf("%llu %s %.*s\n", (unsigned long long)record->position, hf_event_get(record->event, "type"), (int)size, data);
	return true;
}

int main(int argc, char **argv)
{
	struct hf_why why;
	struct hf_store *store;
	struct hf_event *event = hf_event_new();
	struct hf_entry entry = { "app", "orders", NULL, event };
	struct hf_stored stored;

	if (argc != 2 || !event || hf_event_set(event, "id", "1") || hf_event_set(event, "source", "/app") ||
	    hf_event_set(event, "type", "order.paid") || hf_event_set_data(event, HF_DATA_JSON, "{\"n\":1}", 7))
		return 2;
	if (hf_store_open(argv[1], NULL, &why, &store) ||
	    hf_store_append(store, &entry, 1, &why, &stored) ||
	    hf_store_read(store, stored.position, 0, show, NULL, &why)) {
		fprintf(stderr, "%s (%s)\n", why.text, hf_strerror(why.error));
		return 1;
	}
	hf_store_close(store);
	hf_event_free(event);
	return 0;
}
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A tree as `make install DESTDIR=... PREFIX=/usr` leaves it. `make uninstall` still removes what was installed before the tests."""
    log = ROOT / "build/release/meson-logs/install-log.txt"
    before = log.read_bytes() if log.exists() else b""
    tree = tmp_path_factory.mktemp("stage")
    subprocess.run(["make", "install", "DEPS=no", f"DESTDIR={tree}", "PREFIX=/usr"], cwd=ROOT, check=True,
                   capture_output=True, timeout=300)
    yield tree
    log.write_bytes(before)


def pkg_config(stage, *options):
    libdir = stage / "usr/lib/pkgconfig"
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(stage),
           "PKG_CONFIG_PATH": str(libdir)}
    return subprocess.run(["pkg-config", *options, "holdfast"], env=env, check=True, capture_output=True,
                          text=True).stdout.split()


def libdir(stage):
    return next((stage / "usr/lib").rglob("libholdfast.so")).parent


def test_everything_is_installed(stage):
    for path in ["usr/bin/holdfast", "usr/include/holdfast/holdfast.h", "usr/include/holdfast/event.h",
                 "usr/include/holdfast/outbox.h", "usr/include/holdfast/store.h", "usr/share/man/man1/holdfast.1",
                 "usr/share/bash-completion/completions/holdfast"]:
        assert (stage / path).stat().st_size > 0, path
    libraries = {p.name for p in libdir(stage).glob("libholdfast*")}
    assert libraries == {"libholdfast.a", "libholdfast.so", "libholdfast.so.0", "libholdfast.so.0.1.0"}


def test_nothing_else_is_installed(stage):
    files = {str(p.relative_to(stage)) for p in stage.rglob("*") if p.is_file()}
    assert all("holdfast" in f for f in files), files


def test_the_installed_program_runs(stage):
    out = subprocess.run([stage / "usr/bin/holdfast", "version"], check=True, capture_output=True, text=True).stdout
    assert pkg_config(stage, "--modversion")[0] in out


WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]


def build(program, *flags):
    """`program`.c against the staged library, without a warning."""
    subprocess.run(["/usr/bin/gcc", "-std=c11", *WARNINGS, "-o", program, f"{program}.c", *flags], check=True)


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_a_program_built_with_pkg_config_stores_and_reads(stage, tmp_path, static):
    (tmp_path / "app.c").write_text(PROGRAM)
    flags = pkg_config(stage, "--cflags", "--libs", *(["--static"] if static else []))
    if static:
        flags = [str(libdir(stage) / "libholdfast.a") if f == "-lholdfast" else f for f in flags]
    build(tmp_path / "app", *flags)
    env = {**os.environ, "LD_LIBRARY_PATH": str(libdir(stage))}
    for position in [1, 2]:
        out = subprocess.run([tmp_path / "app", tmp_path / "data"], env=env, check=True, capture_output=True, text=True)
        assert out.stdout == f'{position} order.paid {{"n":1}}\n'


def test_the_programs_of_the_guide_do_what_it_says(stage, tmp_path):
    programs = re.findall(r"```c\n(.*?)```", (ROOT / "docs/guide/library.md").read_text(), re.DOTALL)
    outputs = []
    for n, text in enumerate(programs):
        (tmp_path / f"app{n}.c").write_text(text)
        build(tmp_path / f"app{n}", *pkg_config(stage, "--cflags", "--libs"))
        outputs.append(subprocess.run([tmp_path / f"app{n}"], env={**os.environ, "LD_LIBRARY_PATH": str(libdir(stage))}, cwd=tmp_path,
                                      check=True, capture_output=True, text=True).stdout)
    assert outputs == ["", 'order.paid: {"order":7}\n', "3 are stored\n", "hall/lamp 2: off\n"]
    again = [subprocess.run([tmp_path / f"app{n}"], env={**os.environ, "LD_LIBRARY_PATH": str(libdir(stage))}, cwd=tmp_path,
                            check=True, capture_output=True, text=True).stdout for n in (0, 1)]
    assert again == ["", ""]  # it is the same event, and was passed on
    out = subprocess.run([stage / "usr/bin/holdfast", "tail", "--data-dir", tmp_path / "data", "--data"], check=True,
                         capture_output=True, text=True).stdout
    assert out == '{"order":7}\n'


@pytest.mark.parametrize("compiler", [["/usr/bin/g++", "-std=c++17"], ["/usr/bin/clang", "-x", "c++", "-std=c++11"]], ids=["g++", "clang++"])
def test_the_headers_are_c_plus_plus_too(stage, compiler):
    for header in ["holdfast.h", "event.h", "outbox.h", "store.h"]:
        subprocess.run([*compiler, "-fsyntax-only", *WARNINGS, "-I", stage / "usr/include", "-x", "c++", "-"],
                       input=f"#include <holdfast/{header}>\n", text=True, check=True)


def test_an_error_that_nobody_looks_at_is_a_warning(stage, tmp_path):
    (tmp_path / "app.c").write_text('#include <holdfast/event.h>\nint main(void) { hf_event_set(0, "id", "1"); return 0; }\n')
    out = subprocess.run(["/usr/bin/gcc", "-c", "-o", "/dev/null", tmp_path / "app.c", *pkg_config(stage, "--cflags")], capture_output=True, text=True)
    assert "-Wunused-result" in out.stderr


LOADER = r"""
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <holdfast/store.h>

static unsigned entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* Loads the library, opens and closes a store, and lets the library go. */
static int round_trip(const char *library, const char *path)
{
	enum hf_error (*open_store)(const char *, const struct hf_store_options *, struct hf_why *, struct hf_store **);
	void (*close_store)(struct hf_store *);
	void *handle = dlopen(library, RTLD_NOW), *function;
	struct hf_store *store;

	if (!handle || !(function = dlsym(handle, "hf_store_open")))
		return 1;
	memcpy(&open_store, &function, sizeof(function));
	if (!(function = dlsym(handle, "hf_store_close")))
		return 1;
	memcpy(&close_store, &function, sizeof(function));
	if (open_store(path, NULL, NULL, &store))
		return 1;
	close_store(store);
	return dlclose(handle);
}

int main(int argc, char **argv)
{
	unsigned threads = entries("/proc/self/task"), files = entries("/proc/self/fd");

	for (int i = 0; i < 20; i++)
		if (argc != 3 || round_trip(argv[1], argv[2]))
			return 1;
	return threads != entries("/proc/self/task") || files != entries("/proc/self/fd");
}
"""


def test_a_library_that_is_loaded_and_let_go_leaves_nothing(stage, tmp_path):
    (tmp_path / "app.c").write_text(LOADER)
    build(tmp_path / "app", *pkg_config(stage, "--cflags"))
    out = subprocess.run([tmp_path / "app", libdir(stage) / "libholdfast.so.0", tmp_path / "data"], check=True, capture_output=True)
    assert out.stdout == b"" and out.stderr == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_what_root_builds_for_an_install_stays_the_owners_of_the_tree(tmp_path):
    """`sudo make install` in a user's tree: else the user's next make ends with "Error writing to build log"."""
    (tmp_path / "scripts").mkdir()
    for words, path in [("mkdir -p build/release", "scripts/configure"), ("touch build/release/.ninja_log", "meson")]:
        (tmp_path / path).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / path).chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.chown(tmp_path, 54321, 54322)
    subprocess.run(["make", "install", "DEPS=no", f"DESTDIR={tmp_path}"], cwd=tmp_path, check=True, timeout=90,
                   env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    for path in ("build", "build/release/.ninja_log"):
        assert ((tmp_path / path).stat().st_uid, (tmp_path / path).stat().st_gid) == (54321, 54322)


def test_nothing_that_was_installed_is_left(stage):
    """The last test here: the others use what it removes."""
    subprocess.run(["make", "uninstall"], cwd=ROOT, check=True, capture_output=True, timeout=90)
    assert [p for p in stage.rglob("*") if not p.is_dir()] == []
