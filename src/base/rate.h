/*
 * rate.h -- a token bucket.
 *
 * Shape     pure: the time is an argument. `burst` tokens at most, refilled evenly.
 * Units     monotonic ms; tokens per minute.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rate {
	uint32_t per_minute; /* 0: no limit */
	uint32_t burst;
	uint64_t level; /* tokens times 60000 */
	uint64_t at_ms; /* when `level` was true */
};

void rate_init(struct rate *r, uint32_t per_minute, uint32_t burst, uint64_t now_ms);

/* Takes a token. False: none left; *ret_wait_ms (or NULL) is when the next one comes. */
bool rate_take(struct rate *r, uint64_t now_ms, uint64_t *ret_wait_ms);
