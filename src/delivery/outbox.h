/*
 * outbox.h -- what one peer still has to confirm.
 *
 * Shape     one line per ordering key, in order, with at most its first event in flight; lines that may send stand in one
 *           ring per lane and take turns. Behind the event in flight there is at most one unsent spec and one unsent
 *           status of a resource: the newest. Control messages (ACKs, heartbeats) have a queue of their own in front of
 *           everything and are never tracked. Pure: time and randomness are arguments.
 *
 *               WAITING -----take-----> TAKEN ---sent---> SENT ---received---> RECEIVED
 *                 ^  ^                    |                |                      |
 *                 |  +--- disconnected ---+--- timer* -----+--- disconnected -----+      * of SENT only
 *                 |                       |                |                      |
 *                 +--- time is up --- RETRYING <------- rejected, retryable ------+
 *                                         |                |                      |
 *                                    QUARANTINED <----- rejected for good --------+
 *
 *           What is applied after it was rejected takes two of the RETRYING along, those that wait longest.
 *           A newer version lets its own go, but for a status; a spec the create before it.
 *           From every state to GONE: applied, replaced by a newer version, or made pointless by a delete.
 * Turns     of any 8 payload events taken in a row, lanes that have something ready all the while get at least: commands
 *           and deletes 5, desired state 2, status 1; what a lane leaves goes to the most urgent other. A line has the
 *           lane of the most urgent event it holds, so no command waits for its own resource's place in a lower lane.
 *           Control comes first, always: there is no more of it than answers to what the peer itself sent.
 * Units     ms of the caller's monotonic clock; sizes in bytes.
 * Owner     add() takes a reference to the bytes; take() lends them until the next call, blob_ref() keeps them.
 * Cost      O(1) for each event, O(log n) for timers of n in flight or held back; disconnecting is O(in flight). Nothing
 *           depends on what waits.
 * Errors    E_LIMIT      the outbox holds its configured entries or bytes; nothing was added, and it was counted
 *           E_MALFORMED  an empty or over-long id, or a resource id that waits under another ordering key; as above
 *           E_NOMEM      as above. Only add() and control() allocate what they cannot do without.
 * Source    argocd-agent PR 225, facts 3.2 and 8.1; docs/delivery.md
 */
#pragma once

#include "base/err.h"
#include "delivery/delivery.h"
#include "delivery/lag.h"

/*    name            type      min  max            default      unit      meaning */
#define OUTBOX_LIMITS(X)                                                                                               \
	X(window_events, uint32_t, 1, 1000000, 256, "events", "In flight at most; the peer may grant less or more.")   \
	X(window_bytes, uint64_t, 1, 1ULL << 40, 16 << 20, "bytes", "In flight at most; one larger event goes alone.") \
	X(entries_max, uint64_t, 1, 100000000, 1000000, "events", "Held at most, in flight and quarantined included.") \
	X(bytes_max, uint64_t, 1, 1ULL << 44, 1ULL << 30, "bytes",                                                     \
	  "Held at most; a newer version may pass it by growth.")                                                      \
	X(control_max, uint32_t, 1, 1000000, 4096, "messages", "ACKs and heartbeats that wait to be written.")         \
	X(rate_per_minute, uint32_t, 0, 100000000, 0, "events", "Payload taken a minute; 0: no limit.")                \
	X(rate_burst, uint32_t, 1, 100000000, 1000, "events", "Taken at once after a pause.")                          \
	X(resend_base_ms, uint32_t, 1, 3600000, 5000, "ms", "The first wait is drawn up to this.")                     \
	X(resend_factor, uint32_t, 1, 100, 4, "", "Each further wait is drawn up to this many times more.")            \
	X(resend_cap_ms, uint32_t, 1, 3600000, 120000, "ms", "No wait is longer.")                                     \
	X(resend_floor_ms, uint32_t, 0, 3600000, 1000, "ms", "No wait is shorter: an answer needs a round trip.")

struct outbox_options {
#define X(name, type, min, max, default_, unit, meaning) type name;
	OUTBOX_LIMITS(X)
#undef X
};

extern const struct outbox_options outbox_defaults;

struct outbox;

/* What goes over the wire next. Borrowed until the next call of any function of this outbox. */
struct outbox_frame {
	bool control;
	enum delivery_type type; /* of payload, as all below */
	uint64_t order;          /* rises with every frame of payload; name it to outbox_sent() */
	uint32_t attempt;        /* 1: the first since the connection was made */
	uint64_t epoch;
	struct str resource_id;
	struct str event_id;
	struct blob *bytes;
};

/* What an answer did. */
enum outbox_effect {
	OUTBOX_NOTHING,     /* not what is in flight: old, repeated or made up */
	OUTBOX_HELD,        /* received: no more sending until the outcome comes */
	OUTBOX_CONFIRMED,   /* applied: the entry is gone */
	OUTBOX_AGAIN,       /* rejected, comes again later */
	OUTBOX_QUARANTINED, /* rejected for good, kept with its reason */
	OUTBOX_REFUSED, /* rejected for good and gone: a request has its answer so, a newer version waits, or too many deletions are kept */
};

struct outbox_stats {
	uint64_t waiting; /* now: entries, held back ones included */
	uint64_t held_back;
	uint64_t in_flight;
	uint64_t quarantined;
	uint64_t control;
	uint64_t bytes;
	uint64_t in_flight_bytes;
	uint64_t oldest_ms; /* since when the oldest that is not quarantined has been here; UINT64_MAX: none */
	uint64_t added;     /* since the start: events, as all below */
	uint64_t coalesced; /* replaced by a newer version, or made pointless by a delete */
	uint64_t repeats;   /* added again while the same version was here already */
	uint64_t refused;   /* E_LIMIT, E_MALFORMED, E_NOMEM */
	uint64_t taken;
	uint64_t resent; /* taken more than once in one connection, or again in the next */
	uint64_t confirmed;
	uint64_t rejected_retryable;
	uint64_t rejected;
	uint64_t answers_ignored;
};

struct outbox_quarantined {
	enum delivery_type type;
	struct str resource_id; /* borrowed until the outbox changes, as all texts */
	struct str event_id;
	struct str reason;
	uint64_t since_ms; /* when it was set aside */
};

/* An empty outbox without a connection; options as they come are forced into their ranges. NULL without memory. */
struct outbox *outbox_new(const struct outbox_options *options, uint64_t now_ms);

/* Takes NULL. */
void outbox_free(struct outbox *o);

DEFINE_FREEP(outbox, struct outbox, outbox_free)

/* Hold `e` until the peer has confirmed it. `e->order` is ignored. */
enum err outbox_add(struct outbox *o, const struct delivery_event *e, uint64_t now_ms);

/*
 * Send `bytes` once, before everything else. E_UNAVAILABLE: no connection, so there is nobody to answer. E_LIMIT: the peer
 * does not read its answers; stop reading from it until some have left.
 */
enum err outbox_control(struct outbox *o, struct blob *bytes);

/* A new stream, numbered higher than every earlier one; what was in flight goes again at once. E_CANCELLED: an older stream. */
enum err outbox_connected(struct outbox *o, uint64_t epoch);

/* The stream ended: what was in flight waits again, control messages are dropped (the peer will ask again). */
void outbox_disconnected(struct outbox *o);

/* What the peer grants from now on, instead of the options. */
void outbox_window(struct outbox *o, uint32_t events, uint64_t bytes);

/* What to write next; false: nothing now, outbox_due() says when. */
bool outbox_take(struct outbox *o, uint64_t now_ms, struct outbox_frame *ret_frame);

/* The bytes of all frames up to `order` have left: their timers start, each with a wait drawn from `random`. */
void outbox_sent(struct outbox *o, uint64_t order, uint64_t now_ms, uint64_t random);

/*
 * The peer answered on the stream `epoch`. `*ret_type` (may be NULL) is the type of what was answered, unless the effect
 * is OUTBOX_NOTHING. An answer counts only for what was sent: same resource id, same event id, and same order when it
 * names one.
 */
enum outbox_effect outbox_answer(struct outbox *o, uint64_t epoch, const struct delivery_answer *a, uint64_t now_ms,
				 uint64_t random, enum delivery_type *ret_type);

/* What the peer rejected for now may go again: of what is held back the `most` that were rejected first. */
void outbox_hurry(struct outbox *o, uint64_t most);

/* When outbox_take() will have something without anything else happening: `now_ms` or before: at once; UINT64_MAX: never. */
uint64_t outbox_due(const struct outbox *o, uint64_t now_ms);

void outbox_stats(const struct outbox *o, struct outbox_stats *ret_stats);

/* From adding to confirmation; a version that replaced an unsent one waits since that one came. */
const struct lag *outbox_lag(const struct outbox *o);

/* What the last answer that had an effect was about: for metrics. */
struct outbox_answered {
	struct str kind;    /* of its ordering key; borrowed until the next answer */
	uint64_t waited_ms; /* from its adding to its first sending */
	uint64_t out_ms;    /* from there to the answer */
};

void outbox_answered(const struct outbox *o, struct outbox_answered *ret_answered);

/* What is in flight is added to `p`, each since its first sending. O(in flight). */
void outbox_progress(const struct outbox *o, uint64_t now_ms, struct delivery_progress *p);

/* Walk what is quarantined, oldest first: begin with *cursor = NULL. Do not change the outbox meanwhile. */
bool outbox_quarantine_next(const struct outbox *o, const void **cursor, struct outbox_quarantined *ret_entry);
