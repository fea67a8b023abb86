#include "machine.h"

#include "base/cpus.h"
#include "base/mem.h"

#define FILES_MAX 6

/* Mounts of a container and of a machine, as mountinfo shows them. */
#define OVERLAY   "612 480 0:52 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l/A:/l/B\n"
#define V2        "33 24 0:29 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"
#define V1        "36 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V1_MEMORY "37 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define V1_OTHERS "38 31 0:33 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
#define V1_POD    "36 31 0:31 /kubepods/p /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
#define V1_POD_S  "36 31 0:31 /kubepods/pod /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
#define V2_BIND   "39 24 0:29 /../.. /host/cgroup ro - cgroup2 cgroup rw\n"
#define CPU       "sys/fs/cgroup/cpu"
#define BOTH      "sys/fs/cgroup/cpu,cpuacct"

static const struct {
	const char *name;
	const char *mounts;
	const char *groups;
	struct file files[FILES_MAX];
	uint64_t quota_milli;
	unsigned usable; /* where there are so many; 0: all */
} rows[] = {
	{ "no files at all", NULL, NULL, { { 0 } }, 0, 0 },
	{ "nothing mounted", OVERLAY, "0::/\n", { { SYS "/cpu.max", "5000 100000\n" } }, 0, 0 },
	{ "version 2 without a limit", V2, "0::/a\n", { { SYS "/a/cpu.max", "max 100000\n" } }, 0, 0 },
	{ "the outermost group has no file", V2, "0::/\n", { { 0 } }, 0, 0 },
	{ "a limit of 50m", OVERLAY V2, "0::/\n", { { SYS "/cpu.max", "5000 100000\n" } }, 50, 1 },
	{ "one processor exactly", V2, "0::/\n", { { SYS "/cpu.max", "100000 100000\n" } }, 1000, 1 },
	{ "a bit more than one is two", V2, "0::/\n", { { SYS "/cpu.max", "100001 100000\n" } }, 1001, 2 },
	{ "one and a half", V2, "0::/\n", { { SYS "/cpu.max", "75000 50000\n" } }, 1500, 2 },
	{ "more than there are", V2, "0::/\n", { { SYS "/cpu.max", "99999900000 100000\n" } }, 999999000, 999999 },
	{ "the group above is tighter",
	  V2,
	  "0::/system.slice/holdfast.service\n",
	  { { SYS "/system.slice/holdfast.service/cpu.max", "300000 100000\n" },
	    { SYS "/system.slice/cpu.max", "200000 100000\n" } },
	  2000,
	  2 },
	{ "our own is tighter",
	  V2,
	  "0::/a/b\n",
	  { { SYS "/a/b/cpu.max", "100000 100000\n" }, { SYS "/a/cpu.max", "200000 100000\n" } },
	  1000,
	  1 },
	{ "only the outermost has one", V2, "0::/a/b\n", { { SYS "/cpu.max", "100000 100000\n" } }, 1000, 1 },
	{ "a group beside ours is not ours", V2, "0::/a\n", { { SYS "/b/cpu.max", "100000 100000\n" } }, 0, 0 },
	{ "a group outside of our namespace", V2, "0::/../b\n", { { SYS "/cpu.max", "100000 100000\n" } }, 1000, 1 },
	{ "version 1",
	  V1_MEMORY V1_OTHERS V1,
	  "9:memory:/m\n8:cpuset:/\n4:cpu,cpuacct:/a\n1:name=systemd:/s\n0::/u\n",
	  { { BOTH "/a/cpu.cfs_quota_us", "150000\n" }, { BOTH "/a/cpu.cfs_period_us", "100000\n" } },
	  1500,
	  2 },
	{ "version 1 without a limit",
	  V1,
	  "4:cpu,cpuacct:/a\n",
	  { { BOTH "/a/cpu.cfs_quota_us", "-1\n" }, { BOTH "/a/cpu.cfs_period_us", "100000\n" } },
	  0,
	  0 },
	{ "version 1, the group above",
	  V1,
	  "4:cpu,cpuacct:/a/b\n",
	  { { BOTH "/a/b/cpu.cfs_quota_us", "-1\n" },
	    { BOTH "/a/b/cpu.cfs_period_us", "100000\n" },
	    { BOTH "/a/cpu.cfs_quota_us", "5000\n" },
	    { BOTH "/a/cpu.cfs_period_us", "100000\n" } },
	  50,
	  1 },
	{ "version 1 in a container that shows its own group alone",
	  V1_POD,
	  "2:cpu:/kubepods/p/c\n",
	  { { CPU "/c/cpu.cfs_quota_us", "-1\n" },
	    { CPU "/c/cpu.cfs_period_us", "100000\n" },
	    { CPU "/cpu.cfs_quota_us", "200000\n" },
	    { CPU "/cpu.cfs_period_us", "100000\n" } },
	  2000,
	  2 },
	{ "a group whose name begins with ours is another",
	  V1_POD_S,
	  "2:cpu:/kubepods/pods/c\n",
	  { { CPU "/s/c/cpu.cfs_quota_us", "200000\n" }, { CPU "/s/c/cpu.cfs_period_us", "100000\n" } },
	  0,
	  0 },
	{ "both versions, the limit is in the first",
	  V2 V1,
	  "4:cpu,cpuacct:/a\n0::/a\n",
	  { { BOTH "/a/cpu.cfs_quota_us", "100000\n" }, { BOTH "/a/cpu.cfs_period_us", "100000\n" } },
	  1000,
	  1 },
	{ "another place of the tree is mounted as well",
	  V2_BIND V2,
	  "0::/\n",
	  { { SYS "/cpu.max", "300000 100000\n" }, { "host/cgroup/x/cpu.max", "100000 100000\n" } },
	  3000,
	  3 },
	{ "no period", V2, "0::/\n", { { SYS "/cpu.max", "5000\n" } }, 0, 0 },
	{ "a period of nothing", V2, "0::/\n", { { SYS "/cpu.max", "5000 0\n" } }, 0, 0 },
	{ "an empty file", V2, "0::/\n", { { SYS "/cpu.max", "" } }, 0, 0 },
	{ "numbers that do not fit", V2, "0::/\n", { { SYS "/cpu.max", "99999999999999999999 100000\n" } }, 0, 0 },
	{ "half a line of mounts", "33 24 0:29", "0::/\n", { { SYS "/cpu.max", "5000 100000\n" } }, 0, 0 },
};

static void make(size_t row)
{
	machine_make(rows[row].mounts, rows[row].groups, rows[row].files, FILES_MAX);
}

static void the_quota_of_every_kind_of_control_group_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned most = rows[i].usable;
		struct cpus c;

		make(i);
		c = cpus_find(machine);
		if (c.quota_milli != rows[i].quota_milli)
			fail_msg("%s: %lu thousandths, not %lu", rows[i].name, c.quota_milli, rows[i].quota_milli);
		assert_true(c.allowed >= 1);
		if (c.usable != (most && most < c.allowed ? most : c.allowed))
			fail_msg("%s: %u of %u", rows[i].name, c.usable, c.allowed);
		machine_unmake();
	}
}

/* What cannot be read is no limit. */
static void without_memory_there_is_no_limit_and_at_least_one_processor(void **state)
{
	size_t row = 4;
	struct cpus c;

	(void)state;
	assert_int_equal(rows[row].quota_milli, 50);
	make(row);
	for (long n = 1, count = n; count >= n; n++) {
		mem_fail_at(n);
		c = cpus_find(machine);
		count = mem_count();
		assert_true(c.usable >= 1);
	}
	mem_fail_at(0);
	assert_int_equal(c.usable, 1);
	machine_unmake();
}

static void this_machine_has_at_least_one(void **state)
{
	struct cpus c = cpus_find("");

	(void)state;
	assert_true(c.usable >= 1 && c.usable <= c.allowed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_quota_of_every_kind_of_control_group_is_found),
		cmocka_unit_test(without_memory_there_is_no_limit_and_at_least_one_processor),
		cmocka_unit_test(this_machine_has_at_least_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
