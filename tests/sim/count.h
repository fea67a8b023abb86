/*
 * count.h -- what an outbox or an inbox says of itself, counted anew: totals, lists, heaps and maps must agree.
 *
 * Shape     slow, and it looks inside. NULL: all is as it should be; else the condition that does not hold.
 */
#pragma once

#include "delivery/inbox.h"
#include "delivery/outbox.h"

#define HOLDS(condition)                   \
	do {                               \
		if (!(condition))          \
			return #condition; \
	} while (0)

const char *count_outbox(const struct outbox *o);
const char *count_inbox(const struct inbox *i);

/* Something of this type is held of this resource, in whatever state; of this event alone when one is named. */
bool count_holds(const struct outbox *o, struct str resource_id, enum delivery_type type, struct str event_id);

/* Requests that are held, of which both ids are the same. */
uint64_t count_requests(const struct outbox *o);
