/*
 * missed.h -- objects of the backend whose report had no memory: they are looked at again a second later.
 *
 * Shape     a chain through the objects, so that keeping takes no memory. What is reported meanwhile is newer: missed_forget().
 * Units     ms of the caller's monotonic clock.
 * Owner     keeps a reference to each object. A zeroed struct is empty.
 */
#pragma once

#include "backend/object.h"

struct missed {
	struct object *first;
	uint64_t due_ms; /* of all; when there are any */
};

void missed_add(struct missed *m, struct object *o, uint64_t now_ms);

/* The object of this kind and name was reported again, or is gone. */
void missed_forget(struct missed *m, const struct object *o);

/* One that is due, the caller's from now on; NULL: none. */
struct object *missed_take(struct missed *m, uint64_t now_ms);

/* When the next one is due; UINT64_MAX: none is kept. */
uint64_t missed_due(const struct missed *m);

void missed_release(struct missed *m);
