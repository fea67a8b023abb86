/*
 * missed.h -- objects of the backend whose report had no memory: they are looked at again a second later.
 *
 * Shape     a chain through the objects, so that keeping takes no memory; who waits longest is first, so that one for which there
 *           never is any holds up no other. What is reported meanwhile is newer: missed_forget().
 * Units     ms of the caller's monotonic clock.
 * Owner     keeps a reference to each object. A zeroed struct is empty.
 */
#pragma once

#include "backend/object.h"

struct missed {
	struct object *first, *last;
	size_t n;
	uint64_t due_ms; /* of all; when there are any */
};

void missed_add(struct missed *m, struct object *o, uint64_t now_ms);

/* The object of this kind and name was reported again, or is gone. */
void missed_forget(struct missed *m, const struct object *o);

/* How many are to be taken now: what is added while they are looked at waits for the next time. 0: none is due. */
size_t missed_begin(struct missed *m, uint64_t now_ms);

/* The one that waits longest, with its reference, which is the caller's from now on; NULL: there is none. */
struct object *missed_take(struct missed *m);

/* When they are due; UINT64_MAX: never. */
uint64_t missed_due(const struct missed *m);

void missed_release(struct missed *m);
