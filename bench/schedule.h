/*
 * schedule.h -- when each request is meant to leave.
 *
 * Shape     open loop: request k is due at start + k / rate, whatever became of the ones before it, so that a stalled
 *           server cannot hide its stall from the latencies. Closed loop (rate 0): the next one is always due.
 *           Several threads share one schedule by each taking every step-th request.
 * Units     ns of the monotonic clock; rate in requests a second.
 * Owner     a value; no clock of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_NEVER UINT64_MAX

struct schedule {
	uint64_t start_ns;
	uint64_t end_ns;   /* nothing is due at or after this time; SCHEDULE_NEVER: no end */
	uint64_t rate;     /* of the whole schedule; 0: closed loop */
	uint64_t next;     /* the request this thread takes next, from 0 */
	uint64_t step;     /* number of threads */
	uint64_t requests; /* of the whole schedule; 0: no limit */
};

/* When the next request of this thread is due (at most `now_ns` when it may leave at once), or SCHEDULE_NEVER: no more. */
uint64_t schedule_due(const struct schedule *s, uint64_t now_ns);

/* Takes the next request if it is due; its time goes to `ret_intended_ns`. */
bool schedule_take(struct schedule *s, uint64_t now_ns, uint64_t *ret_intended_ns);

/* Requests of this thread that were due before `now_ns` and not taken: what a slow server left unsent. Open loop only. */
uint64_t schedule_late(const struct schedule *s, uint64_t now_ns);
