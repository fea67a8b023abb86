/*
 * backoff.h -- how long to wait before trying again.
 *
 * Shape     pure: exponential, capped, full jitter (the wait is drawn up to the step; randomness is an argument).
 * Units     ms.
 * Source    docs/delivery.md "Sending again"; full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter" (2015)
 */
#pragma once

#include <stdint.h>

struct backoff {
	uint32_t base_ms;
	uint32_t factor;
	uint32_t cap_ms;
	uint32_t attempts; /* failures so far */
};

/* The step of the next failure, before jitter: base * factor^attempts, at most cap. */
uint64_t backoff_step(const struct backoff *b);

/* Counts a failure; the wait before the next try: 1 .. step, from `random`. */
uint64_t backoff_next(struct backoff *b, uint64_t random);

/* It worked: start again from base. */
void backoff_reset(struct backoff *b);
