/*
 * turns.h -- who is next when many wait: addresses take turns.
 *
 * Shape     a line for each address, first come first served, and a ring of lines. Who asks a thousand times waits behind itself;
 *           everybody else waits for one of its questions. An IPv6 network of 64 bits is one address: whoever has one has all.
 *           Past the limit, the last of the longest line gives way.
 * Owner     waiters are the caller's; one that goes away takes itself out.
 * Threads   one.
 */
#pragma once

#include "base/map.h"

struct turns_line;

/* Embedded in what waits. Zeroed: it does not. */
struct turns_waiter {
	struct turns_waiter *prev, *next;
	struct turns_line *line;
};

struct turns {
	struct map lines;
	struct turns_line *next; /* in the ring; NULL: nobody waits */
	size_t n;
	size_t max;
};

void turns_init(struct turns *t, size_t max);

/* Nobody may be waiting. */
void turns_release(struct turns *t);

/* `ret_dropped`: who gave way, maybe `w` itself; NULL: nobody. E_NOMEM: `w` does not wait. */
enum err turns_put(struct turns *t, const char *address, struct turns_waiter *w, struct turns_waiter **ret_dropped);

/* The next one, who then waits no more; NULL: nobody does. */
struct turns_waiter *turns_take(struct turns *t);

/* Waits no more; nothing happens when it does not wait. */
void turns_remove(struct turns *t, struct turns_waiter *w);
