/*
 * wake.h -- how other threads end the sleep of one.
 *
 * Shape     an eventfd that is written only while the thread sleeps, so that a busy thread costs its callers nothing.
 * Threads   wake_up() from any; the rest from the one that sleeps: announce, look at everything once more, sleep, clear.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/why.h"

struct wake {
	int fd;
	_Atomic bool asleep;
};

enum err wake_init(struct wake *w, struct why *why);
void wake_release(struct wake *w);

/* What was put before this call is seen by the thread before it sleeps, or ends its sleep. */
void wake_up(struct wake *w);

/* "About to sleep": what is put after this writes to the fd. */
void wake_announce(struct wake *w);

/* Awake again. */
void wake_clear(struct wake *w);
