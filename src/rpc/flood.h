/*
 * flood.h -- how much of something a peer may send: so many a second, ten seconds' worth at once.
 *
 * Shape     a token bucket in thousandths. A zeroed struct flood is full.
 * Units     ms of the caller's clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FLOOD_BURST_S 10

struct flood {
	uint64_t spent;   /* thousandths of one; flows off at the rate */
	uint64_t seen_ms; /* when it was last looked at */
};

/* One more at `now_ms`. False: too many. */
static inline bool flood_take(struct flood *f, uint32_t per_s, uint64_t now_ms)
{
	uint64_t passed = now_ms - f->seen_ms;
	uint64_t off = passed < FLOOD_BURST_S * 1000ull ? passed * per_s : FLOOD_BURST_S * 1000ull * per_s;

	f->spent = f->spent > off ? f->spent - off : 0;
	f->seen_ms = now_ms;
	f->spent += 1000;
	return f->spent <= FLOOD_BURST_S * 1000ull * per_s;
}
