/*
 * retry.h -- when a file that the disk failed is opened again.
 *
 * Shape     20 ms after the first failure, then twice as long each time, up to 10 s. What came back proves itself by a
 *           commit; until then a failure goes on where the last one stopped.
 * Units     ms of the monotonic clock
 */
#pragma once

#include <stdint.h>

struct retry {
	uint32_t backoff_ms; /* 0: proved */
	uint64_t due_mono;
};

/* It failed. */
void retry_failed(struct retry *r, uint64_t now_mono);

/* A commit shows that it works. */
static inline void retry_proved(struct retry *r)
{
	r->backoff_ms = 0;
}
