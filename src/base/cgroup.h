/*
 * cgroup.h -- what the control groups of this process grant it: a container's limits, which the machine's own numbers do not show.
 *
 * Shape     the limit of every group counts, from ours up to the outermost that can be seen; the tightest is the answer.
 * Errors    what cannot be read is no limit.
 * Source    cgroups(7), proc(5); the kernel's cgroup-v2 (cpu.max, memory.max), sched-bwc (cpu.cfs_quota_us), cgroup-v1 (memory.limit_in_bytes)
 */
#pragma once

#include <stdint.h>

/* Thousandths of a processor; 0: there is no limit. `root` stands in front of every path that is read: "", unless a test has files of its own. */
uint64_t cgroup_cpu_milli(const char *root);

/* The same for memory, in bytes. */
uint64_t cgroup_memory_bytes(const char *root);
