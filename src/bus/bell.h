/*
 * bell.h -- how other threads end the sleep of one.
 *
 * Shape     an eventfd that is written only while the thread sleeps, so that a busy thread costs its callers nothing.
 * Threads   bell_ring() from any; the rest from the one that sleeps: announce, look at everything once more, sleep, clear.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/why.h"

struct bell {
	int fd;
	_Atomic bool asleep;
};

enum err bell_init(struct bell *b, struct why *why);
void bell_release(struct bell *b);

/* What was put before this call is seen by the thread before it sleeps, or ends its sleep. */
void bell_ring(struct bell *b);

/* "About to sleep": what is put after this writes to the fd. */
void bell_announce(struct bell *b);

/* Awake again. */
void bell_clear(struct bell *b);
