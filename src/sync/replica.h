/*
 * replica.h -- one peer, as the end sees it that holds copies of the peer's objects: events are applied, and what others do
 * to the copies is undone.
 *
 * Shape     one slot per object here. In a slot one thing happens at a time: an event of the peer's is applied, or a change made by
 *           somebody else is reverted; the rest waits. What to write is decided by rules (roles.h) that see the object as it is,
 *           the record of what was applied last, and the event.
 *
 *               IDLE --event, or drift--> PLANNED --backend--> WRITTEN --journal--> durable: the peer gets its answer
 *                 ^                          |  ^                                      |
 *                 +------- refused ----------+  +--- somebody was faster: plan again   |
 *                 +--------------------------------------------------------------------+
 *
 * Units     ms of the caller's monotonic clock.
 * Owner     backend, journal and peer are borrowed and live longer; objects are referenced.
 * Errors    a write that may succeed later is answered as a retryable rejection, everything else as a final one; a peer of upstream's
 *           dialect hears nothing, or "processed" (wire/ack.h)
 * Source    docs/delivery.md "The receiver"; argocd-agent facts 3.5, 4.3, 4.5 (Reverts)
 */
#pragma once

#include "backend/backend.h"
#include "sync/digest.h"
#include "sync/journal.h"
#include "sync/peer.h"
#include "sync/room.h"

/* What was applied last: kept on disk. */
struct replica_record {
	struct object *object; /* as the source wants it here, for reverting; NULL: nothing is reverted */
	bool asked;            /* loaded, and the last that came asked for something: a command, or a refresh */
};

/* Where an event belongs here. */
struct replica_place {
	enum object_kind kind;
	char namespace[OBJECT_NAME_MAX + 1];
	char name[OBJECT_NAME_MAX + 1];
};

/* False: there is no such place: no kind, no name, or one that is too long. */
bool replica_place_set(struct replica_place *ret_place, enum object_kind kind, struct str namespace, struct str name);

/* What the rules see. */
struct replica_case {
	const struct wire_event *event; /* NULL: nobody sent anything, it is about drift */
	json_object *incoming;          /* the event's object; the case's owner's */
	const struct replica_place *place;
	const struct object *local;          /* NULL: there is none */
	const struct object *last;           /* of drift: as it was before it went; NULL: unknown */
	const struct replica_record *record; /* NULL: nothing of the peer's was applied here */
	uint64_t came;                       /* of the event: how many had come with it (inbox_work.number) */
	bool again;                          /* the event is of the version that was applied last */
};

/* What the peer itself says of a part: it need not be told. */
struct replica_said {
	bool is; /* false: nothing, it stays as it was */
	struct digest digest;
};

#define REPLICA_STEPS 3

/* What they decide. */
struct replica_plan {
	enum { REPLICA_WRITE, REPLICA_REFUSE } what; /* WRITE without steps: nothing to do, and that is right */
	struct {
		enum backend_verb verb;
		struct object *object;
	} steps[REPLICA_STEPS]; /* in order; taken over */
	size_t step_count;
	bool early;            /* more is known soon: plan again a few times before the steps are done */
	bool unready;          /* with `early`: and what is not known by then comes again later */
	bool again;            /* decide once more when the steps are done */
	bool record_removed;   /* the record goes */
	struct object *record; /* what to revert to from now on; NULL: as before. Taken over */
	bool retryable;        /* of REFUSE */
	char reason[DELIVERY_REASON_MAX];
	char complaint[DELIVERY_REASON_MAX]; /* an error event to the peer; "": none */
	bool untold; /* the peer knows without being told that there is nothing to tell of what is made */
	bool gone;   /* tell the peer that it is deleted here (facts 10, #1056) */
	bool known;  /* the peer makes what is here already: what it has of it may be older than what it was told */
	struct replica_said operation, terminate;
	const char *note; /* what was decided, for the log; static */
};

struct replica_rules {
	/* Where does it belong? An error other than E_NOMEM: nowhere, ever. `*ret_incoming` is the caller's. */
	enum err (*locate)(void *ctx, const struct wire_event *e, struct replica_place *ret_place,
			   json_object **ret_incoming, struct why *why);
	/* `plan` is zeroed. An error other than E_NOMEM refuses for good. */
	enum err (*apply)(void *ctx, const struct replica_case *c, struct replica_plan *plan, struct why *why);
	/* Somebody changed or deleted (`local` NULL) what has a record. A plan without steps: nothing to undo. NULL: others may. */
	enum err (*revert)(void *ctx, const struct replica_case *c, struct replica_plan *plan, struct why *why);
	/* A step of the plan is done: `result` is what is there now, and is reported next. */
	void (*written)(void *ctx, const struct replica_plan *plan, enum backend_verb verb,
			const struct object *result);
	/* Does an object without a record say of itself that it is a copy of the peer's? No: it is nobody's business. NULL: none is. */
	enum err (*is_copy)(void *ctx, const struct object *local, bool *ret_is);
	void *ctx;
};

/* What the owner is told. */
struct replica_events {
	/* An event was dealt with; for log and metrics. `note` or the reason. */
	void (*on_applied)(void *ctx, const struct delivery_event *event, const struct replica_place *place,
			   enum delivery_outcome outcome, bool retryable, const char *text);
	/* Something others did was undone, or could not be (`err`). */
	void (*on_reverted)(void *ctx, const struct replica_place *place, enum err err, const char *text);
	/* The peer waits to hear that this is gone here. */
	void (*on_gone)(void *ctx, const struct delivery_event *event);
	/* The peer made what was here already (replica_plan.known). */
	void (*on_known)(void *ctx, const struct replica_place *place);
	/* What the peer, which calls it so, wanted to have here was refused for good because of what was here; that has gone. */
	void (*on_out_of_the_way)(void *ctx, enum object_kind kind, struct str namespace, struct str name);
	/* Outside of the owner's turn: there are rows to flush, or replica_due() is another. */
	void (*on_wake)(void *ctx);
	void *ctx;
};

struct replica_options {
	const char *name; /* of the peer, in the ledger's rows; borrowed for ever */
	struct peer *peer;
	struct journal *journal;
	struct backend *backend;
	struct room *room; /* of copies, and of what the peer writes into objects of ours; borrowed */
	struct replica_rules rules;
	struct replica_events events;
	uint64_t seed; /* of the jitter of retries */
};

struct replica;

struct replica *replica_new(const struct replica_options *options);

/*
 * No more work is begun; freed when replica_is_idle(), or when backend and journal are gone: what was being done is forgotten then.
 */
void replica_stop(struct replica *r);
bool replica_is_idle(const struct replica *r);
void replica_free(struct replica *r); /* takes NULL */

/* It is idle, and is freed next: the ledger forgets all that it keeps of this peer; what there is no memory for stays. */
enum err replica_forget(struct replica *r);

/* From the ledger, before anything else. */
enum err replica_load(struct replica *r, const struct ledger_row *row);

/* The backend reports: an object is there; it is gone; all have been reported (what is recorded and missing is made again). */
enum err replica_local(struct replica *r, struct object *o, uint64_t now_ms);
void replica_local_gone(struct replica *r, struct object *last, uint64_t now_ms);
void replica_complete(struct replica *r, uint64_t now_ms);

/* The object here, as far as reported; NULL: none. */
const struct object *replica_object(const struct replica *r, const struct replica_place *place);

/* Is this what an event that is being applied has just made, with replica_plan.untold? */
bool replica_made_untold(const struct replica *r, const struct object *o);

/* An event for it, from peer_next(): the answer goes to the peer by itself. */
void replica_apply(struct replica *r, struct inbox_work *work, const struct wire_event *e, uint64_t now_ms);

/* A problem of the backend is over: the peer is told that what was refused for now because of one may come again. */
void replica_recovered(struct replica *r);

/* Walk what has a record: begin with *cursor = NULL. Do not change the replica meanwhile. */
bool replica_next(const struct replica *r, const void **cursor, struct replica_place *ret_place,
		  const struct replica_record **ret_record);

/* A copy of the peer's: by its record, or, when that was lost, because it says so itself. */
struct replica_copy {
	struct replica_place place;
	const struct object *object; /* as it is here, else as it was recorded; borrowed */
	const char *source_uid;
	struct str version; /* that was applied last; empty: not known */
	bool recorded;      /* false: its record was lost, and `object` may be anything that somebody made of it */
};

/* The copy here. And walk them all: as replica_next(). E_NOT_FOUND: there is none, or no more. E_NOMEM: nobody can tell. */
enum err replica_copy(const struct replica *r, const struct replica_place *place, struct replica_copy *ret_copy);
enum err replica_next_copy(const struct replica *r, const void **cursor, struct replica_copy *ret_copy);

/* Retries that are due; and when the next one is (UINT64_MAX: none). */
void replica_run(struct replica *r, uint64_t now_ms);
uint64_t replica_due(const struct replica *r);

struct replica_stats {
	uint64_t slots; /* that there are: no more copies than this */
	uint64_t records;
	uint64_t busy;    /* slots in which something happens now */
	uint64_t applied; /* since the start, as all below */
	uint64_t refused;
	uint64_t reverted;
	uint64_t conflicts; /* planned again */
};

void replica_stats(const struct replica *r, struct replica_stats *ret_stats);
