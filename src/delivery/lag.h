/*
 * lag.h -- how long changes take until they are confirmed: quantiles in a few bytes for each peer.
 *
 * Shape     a histogram of fixed bounds, 1, 2, 5, 10 ... ms to 1000 s. When it has counted LAG_FULL observations all counts are
 *           halved, so that it speaks of the present.
 * Units     ms.
 */
#pragma once

#include <stdint.h>

#define LAG_BOUNDS 19
#define LAG_FULL   4096

/* Rising, ended by 0. */
extern const int64_t lag_bounds[LAG_BOUNDS + 1];

/* Zeroed before. */
struct lag {
	uint32_t counts[LAG_BOUNDS + 1]; /* the last: above all bounds */
	uint32_t total;
	uint64_t last_ms; /* the latest observation */
};

void lag_note(struct lag *l, uint64_t ms);

/* Below this are `permille` of a thousand, interpolated within its bucket; 0 before the first observation. */
uint64_t lag_quantile(const struct lag *l, unsigned permille);
