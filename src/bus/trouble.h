/*
 * trouble.h -- why a bus is down: what was said last, for its log and for `holdfast status`.
 *
 * Threads   set and clear in the bus's thread, write in any.
 */
#pragma once

#include <pthread.h>

#include "base/buf.h"
#include "base/why.h"

struct trouble {
	pthread_mutex_t lock;
	struct why last; /* E_OK: none since it was up */
};

void trouble_init(struct trouble *t);
void trouble_release(struct trouble *t);

/* False: the same was said last, so it is no news. */
bool trouble_set(struct trouble *t, const struct why *why);
void trouble_clear(struct trouble *t);

/* Appends it; nothing when there is none. */
void trouble_write(struct trouble *t, struct buf *ret_text);
