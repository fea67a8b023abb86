#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/dir.h"
#include "base/mem.h"

/* The quota of processors, and every way in which groups are mounted: test_cpus.c. */

#define FILES_MAX 3

#define V2        "33 24 0:29 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"
#define V1        "37 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define V1_CPU    "36 31 0:31 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
#define SYS       "sys/fs/cgroup"

struct file {
	const char *path;
	const char *text;
};

static const struct {
	const char *name;
	const char *mounts;
	const char *groups;
	struct file files[FILES_MAX];
	uint64_t bytes;
} rows[] = {
	{ "no files at all", NULL, NULL, { { 0 } }, 0 },
	{ "a pod's 64Mi", V2, "0::/\n", { { SYS "/memory.max", "67108864\n" } }, 67108864 },
	{ "version 2 without a limit", V2, "0::/\n", { { SYS "/memory.max", "max\n" } }, 0 },
	{ "the group above is tighter",
	  V2,
	  "0::/a/b\n",
	  { { SYS "/a/b/memory.max", "3000000\n" }, { SYS "/a/memory.max", "2000000\n" } },
	  2000000 },
	{ "a quota of processors is none of memory", V2, "0::/\n", { { SYS "/cpu.max", "5000 100000\n" } }, 0 },
	{ "version 1",
	  V1_CPU V1,
	  "9:memory:/m\n4:cpu,cpuacct:/a\n",
	  { { SYS "/memory/m/memory.limit_in_bytes", "52428800\n" },
	    { SYS "/memory/memory.limit_in_bytes", "9223372036854771712\n" },
	    { SYS "/cpu/a/memory.limit_in_bytes", "1\n" } },
	  52428800 },
	{ "version 1 without a limit",
	  V1,
	  "9:memory:/m\n",
	  { { SYS "/memory/m/memory.limit_in_bytes", "9223372036854771712\n" } },
	  0 },
	{ "an empty file", V2, "0::/\n", { { SYS "/memory.max", "" } }, 0 },
};

static char scratch[] = "/tmp/test_cgroup.XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void write_file(const char *path, const char *text)
{
	char whole[PATH_MAX];
	int n = snprintf(whole, sizeof(whole), "%s/%s", scratch, path);
	char *slash = strrchr(whole, '/');
	FILE *f;

	assert_true(n > 0 && (size_t)n < sizeof(whole));
	*slash = '\0';
	assert_int_equal(dir_make(whole, 0700), 0);
	*slash = '/';
	f = fopen(whole, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void the_memory_that_a_group_grants_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(scratch, "/tmp/test_cgroup.XXXXXX", sizeof(scratch));
		assert_non_null(mkdtemp(scratch));
		if (rows[i].mounts)
			write_file("proc/self/mountinfo", rows[i].mounts);
		if (rows[i].groups)
			write_file("proc/self/cgroup", rows[i].groups);
		for (size_t k = 0; k < FILES_MAX && rows[i].files[k].path; k++)
			write_file(rows[i].files[k].path, rows[i].files[k].text);
		if (cgroup_memory_bytes(scratch) != rows[i].bytes)
			fail_msg("%s: %lu bytes, not %lu", rows[i].name, cgroup_memory_bytes(scratch), rows[i].bytes);
		assert_int_equal(nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_memory_that_a_group_grants_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
