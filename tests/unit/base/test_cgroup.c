#include "machine.h"

#include "base/cgroup.h"
#include "base/mem.h"

/* The quota of processors, and every way in which groups are mounted: test_cpus.c. */

#define FILES_MAX 3

#define V2        "33 24 0:29 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"
#define V1        "37 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define V1_CPU    "36 31 0:31 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"

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

static void the_memory_that_a_group_grants_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		machine_make(rows[i].mounts, rows[i].groups, rows[i].files, FILES_MAX);
		if (cgroup_memory_bytes(machine) != rows[i].bytes)
			fail_msg("%s: %lu bytes, not %lu", rows[i].name, cgroup_memory_bytes(machine), rows[i].bytes);
		machine_unmake();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_memory_that_a_group_grants_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
