/*
 * desk.h -- an outbox on a virtual clock, and what it did as text.
 *
 * Shape     events are named in two characters or more: the letter of the type (c create, s spec, t status, d delete,
 *           o operation, q request) and a version. A resource is a letter: lower case is the first object of the name,
 *           upper case its successor with another UID: "a" and "A" share an ordering key.
 */
#pragma once

#include "base/buf.h"
#include "delivery/outbox.h"

struct desk {
	struct outbox *o;
	uint64_t now;
	uint64_t epoch;
	uint64_t order; /* the last that was taken */
	struct buf text;
};

/* With `options` (NULL: the defaults), connected, at 0 ms. */
void desk_open(struct desk *d, const struct outbox_options *options);
void desk_close(struct desk *d);

/* Add event `what` ("s1") of resource `who` ("a") with `bytes` bytes. */
enum err desk_add_bytes(struct desk *d, const char *who, const char *what, size_t bytes);
enum err desk_add(struct desk *d, const char *who, const char *what);

/* Take one frame, write it down, and let its bytes leave. False: there was none. */
bool desk_send(struct desk *d);

/* Until there is none, or `max` were sent; how many. */
size_t desk_send_all(struct desk *d, size_t max);

enum outbox_effect desk_answer(struct desk *d, const char *who, const char *what, enum delivery_outcome outcome,
			       bool retryable, const char *reason);
enum outbox_effect desk_ack(struct desk *d, const char *who, const char *what);

void desk_reconnect(struct desk *d);

/* The clock goes on; what becomes due is sent at its exact time. */
void desk_wait(struct desk *d, uint64_t ms);

/* What happened since the last look is exactly this. */
void desk_expect(struct desk *d, const char *text);

struct outbox_stats desk_stats(const struct desk *d);
