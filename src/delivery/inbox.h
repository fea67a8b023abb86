/*
 * inbox.h -- what one peer sent and we have not answered yet.
 *
 * Shape     one queue per ordering key: its first event is with the one who applies, the rest waits behind it, so
 *           different keys go in parallel and one key strictly in order. A memory per resource of what was applied last
 *           makes every repetition harmless: it is answered again and not applied again. Pure: no clock, no I/O.
 *
 *               inbox_put() --> QUEUED ---inbox_next()---> APPLYING ---inbox_done()---> answered, remembered
 *                 |  |  |
 *                 |  |  +--- in progress already: nothing, or "received"
 *                 |  +--- applied already: "applied" again
 *                 +--- older than what came after it: counted, no answer
 *
 * Received  said only of what takes longer than `receipt_ms`: what is done sooner has one answer, its outcome.
 * Repeats   an event is known by type, resource id and event id: an operation and the state it belongs to carry the same
 *           ids. Remembered per resource: the last create, spec or delete; the last status; the last eight commands and
 *           requests; none that is versionless. The memory holds `resources_max` resources, least recently used ones go first; what was forgotten is
 *           applied again, which receivers must survive anyway (facts 11.14). Only what a peer may not know as answered
 *           yet can be repeated, so the memory need not grow with all that ever came: 300 bytes each.
 * Units     sizes in bytes; ms of the caller's clock; ids of 128 bits stand for texts.
 * Owner     put() takes a reference to the bytes; the work belongs to the inbox from next() to done().
 * Errors    E_LIMIT      more than the window, or nobody reads the answers: take nothing more from the peer for now
 *           E_CANCELLED  from a stream that a newer one has replaced
 *           E_MALFORMED  an empty or over-long id
 *           E_NOMEM      nothing was taken; the peer will send it again
 * Source    argocd-agent facts 3.5, 11.9, 11.13, 11.14; docs/delivery.md
 */
#pragma once

#include "base/err.h"
#include "delivery/delivery.h"

/*    name           type      min  max           default    unit         meaning */
#define INBOX_LIMITS(X)                                                                                             \
	X(window_events, uint32_t, 1, 1000000, 256, "events", "Not answered at most; granted to the peer.")         \
	X(window_bytes, uint64_t, 1, 1ULL << 40, 16 << 20, "bytes", "Not answered at most; one larger goes alone.") \
	X(parallel_max, uint32_t, 1, 100000, 64, "events", "Being applied at the same time.")                       \
	X(answers_max, uint32_t, 1, 1000000, 4096, "answers", "Waiting to be written; then nothing more is taken.") \
	X(resources_max, uint32_t, 1, 100000000, 4096, "resources", "Remembered, for repetitions.")                 \
	X(receipt_ms, uint32_t, 0, 1000, 200, "ms", "What is not done by then is answered with \"received\" first.")

struct inbox_options {
#define X(name, type, min, max, default_, unit, meaning) type name;
	INBOX_LIMITS(X)
#undef X
	bool two_step; /* the peer understands "received" */
};

extern const struct inbox_options inbox_defaults;

struct inbox;

/* One event that is being applied. */
struct inbox_work {
	struct delivery_event event; /* borrowed until inbox_done(); begun_ms is for the one who applies it to set */
	uint64_t epoch;              /* the stream it came on first */
	uint64_t number;             /* rises with each event accepted: inbox_stats.accepted at that time */
};

struct inbox_stats {
	uint64_t queued; /* now */
	uint64_t applying;
	uint64_t answers;
	uint64_t bytes;
	uint64_t older; /* of queued and applying: came on an earlier stream */
	uint64_t remembered;
	uint64_t accepted; /* since the start, as all below */
	uint64_t applied;
	uint64_t rejected_retryable;
	uint64_t rejected;
	uint64_t repeats;   /* came again, and were not applied again */
	uint64_t outdated;  /* overtaken by a newer event of their resource */
	uint64_t refused;   /* every error of put() */
	uint64_t forgotten; /* resources that left the memory */
};

/* Empty, without a stream. NULL without memory. */
struct inbox *inbox_new(const struct inbox_options *options);

/* Takes NULL; work that is being applied is gone with it. */
void inbox_free(struct inbox *i);

DEFINE_FREEP(inbox, struct inbox, inbox_free)

/*
 * A new stream, numbered higher than every earlier one. What came on the old one is still applied, and its answer goes out
 * on the new stream; the peer sending it again is a repetition. E_CANCELLED: an older stream.
 */
enum err inbox_connected(struct inbox *i, uint64_t epoch);

/* Does the peer of the stream that is opened next understand "received"? In place of the option. */
void inbox_two_step(struct inbox *i, bool two_step);

/* Remember from the durable store that this was applied, before the first connection. E_NOMEM, E_MALFORMED. */
enum err inbox_remember(struct inbox *i, const struct delivery_event *e);

/* An event came on the stream `epoch`, at its `came_ms`. On success it is ours, or was answered as a repetition. */
enum err inbox_put(struct inbox *i, uint64_t epoch, const struct delivery_event *e);

/* The next event to apply, or NULL: none, or `parallel_max` are being applied. */
struct inbox_work *inbox_next(struct inbox *i);

/* It was applied or rejected (`outcome` is not RECEIVED); when it was applied that is durable. `work` is gone. */
void inbox_done(struct inbox *i, struct inbox_work *work, enum delivery_outcome outcome, bool retryable,
		struct str reason);

/* The next answer to write; false: none. Borrowed until the next call of inbox_answer(). */
bool inbox_answer(struct inbox *i, uint64_t now_ms, struct delivery_answer *ret_answer);

/* When there will be an answer to write though nothing happens; 0: there is one; UINT64_MAX: never. */
uint64_t inbox_due(const struct inbox *i);

void inbox_stats(const struct inbox *i, struct inbox_stats *ret_stats);

/* What is being applied is added to `p`. O(in the window). */
void inbox_progress(const struct inbox *i, uint64_t now_ms, struct delivery_progress *p);
