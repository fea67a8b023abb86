/*
 * outage.h -- which failures of a row are worth a line: each way to fail once.
 *
 * Shape     attempts that go on failing as they did before are only counted, however many they are; another reason is news, also
 *           after hours (the principal is back, but refuses our version). Beyond OUTAGE_WAYS ways nothing is news any more.
 */
#pragma once

#include "base/str.h"

#define OUTAGE_WAYS 8

/* Zeroed: there is none. */
struct outage {
	uint64_t attempts; /* that failed, in a row */
	uint64_t ways[OUTAGE_WAYS];
	size_t count;
};

/* One more failed, at `step`, for this reason. True: no other of this outage failed so. */
bool outage_failed(struct outage *o, const char *step, struct str reason);

/* It is over. Returns how many had failed. */
uint64_t outage_end(struct outage *o);
