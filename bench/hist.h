/*
 * hist.h -- how long things took, in constant memory.
 *
 * Shape     a log-linear histogram: each power of two is cut into 128 slots, so that a value is known to 0.8 %.
 *           Percentiles are the upper edge of their slot: never better than what was measured.
 * Units     any; the load generator records ns.
 * Owner     a value of about 60 KB; zeroed is empty.
 * Source    the idea of HdrHistogram (Gil Tene)
 */
#pragma once

#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_SLOTS    ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t n;   /* values recorded */
	uint64_t sum; /* of all values; wraps after 584 years of ns */
	uint64_t max;
	uint64_t slots[HIST_SLOTS];
};

void hist_add(struct hist *h, uint64_t value);

/* Everything recorded in `from` is recorded in `into` as well. */
void hist_merge(struct hist *into, const struct hist *from);

/* The value that `percent` (0 to 100) of all values do not exceed; 0 when empty. */
uint64_t hist_at(const struct hist *h, double percent);

/* The mean; 0 when empty. */
uint64_t hist_mean(const struct hist *h);
