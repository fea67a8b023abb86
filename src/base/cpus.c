#include "base/cpus.h"

#include <sched.h>
#include <unistd.h>

#include "base/cgroup.h"

static unsigned allowed(void)
{
	cpu_set_t set;
	long n;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	n = sysconf(_SC_NPROCESSORS_ONLN); /* more than a set can hold */
	return n > 0 ? (unsigned)n : 1;
}

struct cpus cpus_find(const char *root)
{
	struct cpus c = { .allowed = allowed(), .quota_milli = cgroup_cpu_milli(root) };
	uint64_t granted = (c.quota_milli + 999) / 1000;

	c.usable = granted && granted < c.allowed ? (unsigned)granted : c.allowed;
	return c;
}
