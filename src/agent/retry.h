/*
 * retry.h -- when an agent connects again.
 *
 * Shape     pure: waits grow with each attempt that came to nothing, with full jitter (agents that were cut off together do not come
 *           back together). A stream that lived as long as the wait before it, or for RETRY_STEADY_MS, was worth that wait: the next
 *           one is the shortest again. So a connection that breaks now and then is back within a second, and a principal
 *           that lets agents in and breaks at once is left in peace more and more.
 * Units     ms.
 * Source    argocd-agent facts 9.4; delivery/backoff.h
 */
#pragma once

#include <stdint.h>

#include "delivery/backoff.h"

#define RETRY_FLOOR_MS  50
#define RETRY_BASE_MS   1000
#define RETRY_CAP_MS    60000
#define RETRY_STEADY_MS 5000

struct retry {
	struct backoff backoff;
	uint64_t waited_ms; /* before the last attempt */
};

void retry_init(struct retry *r);

/* It is over. `open_ms`: how long there was a stream, 0 when there was none. The wait until the next attempt. */
uint64_t retry_next(struct retry *r, uint64_t open_ms, uint64_t random);
