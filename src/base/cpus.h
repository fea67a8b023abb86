/*
 * cpus.h -- how many processors this process can keep busy: those that it may run on, and no more than its control groups grant.
 *
 * Shape     a container's CPU limit is a quota of time for each period, not fewer processors: on 64 of them with a limit of 0.05,
 *           64 threads only wait for each other.
 * Units     thousandths of a processor.
 */
#pragma once

#include <stdint.h>

struct cpus {
	unsigned usable;      /* threads that compute and are worth having, at least 1: the quota, rounded up */
	unsigned allowed;     /* processors that this process may run on */
	uint64_t quota_milli; /* what the tightest of its control groups grants; 0: there is no limit */
};

/* As of now. `root` stands in front of every path that is read: "", unless a test has files of its own. */
struct cpus cpus_find(const char *root);
