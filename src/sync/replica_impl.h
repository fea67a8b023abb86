/*
 * replica_impl.h -- the inside of a replica, shared by its files.
 *
 * Shape     replica.c        life, slots, what the backend reports, what is asked of it
 *           replica_rows.c   the row of a slot in the ledger: its record and the ids of what was applied
 *           replica_room.c   what slots take of the peer's room
 *           replica_job.c    one thing that happens in a slot, from its plan to its answer
 *           replica_drift.c  what others did to an object here, and whether to undo it
 */
#pragma once

#include "base/heap.h"
#include "base/map.h"
#include "delivery/backoff.h"
#include "delivery/list.h"
#include "sync/replica.h"

#define REPLICA_TRIES    8                 /* plans for one event, when somebody is faster each time */
#define REPLICA_COMMANDS DELIVERY_COMMANDS /* ids of commands remembered, as the inbox does */

/* One thing that happens in a slot: an event of the peer's, or (work NULL) drift. */
struct job {
	struct link in_slot; /* waiting */
	struct slot *slot;
	struct inbox_work *work;
	struct wire_event event;
	json_object *incoming; /* until there is a plan */
	struct replica_plan plan;
	size_t step;
	unsigned tries;
	bool stale;   /* is planned again: when the backend reports what somebody else did, or soon */
	bool keeping; /* its row is on its way */
	char expect_uid[OBJECT_NAME_MAX + 1];
	char expect_version[OBJECT_NAME_MAX + 1];
	struct backend_write write;
};

/* Ids of what was applied last, for the inbox after a restart. Empty texts: none. */
struct applied {
	char *state; /* "<type> <event id>": create, spec-update, delete */
	char *status;
	char *commands; /* "<type> <event id> ..." */
};

struct slot {
	struct replica *replica;
	enum object_kind kind;
	char *namespace, *name; /* behind key */
	struct object *local;
	struct replica_record record;
	struct applied applied;
	bool recorded;
	bool unsaved; /* its row says something older: the job has not ended, or there was no memory to write it */
	bool missing; /* recorded, and not here although the backend has reported all */
	bool settled; /* there is nothing to revert in `local`: it was looked at, or is what was written for the record */
	struct job *job; /* that happens now */
	struct link waiting;
	struct heap_node retry; /* of drift, or of a stale job */
	struct backoff backoff; /* of reverting */
	uint64_t calm_ms;       /* nothing is reverted before */
	struct object *last;    /* as it was before it went */
	char *wanted; /* "NAMESPACE/NAME", as the peer says it: was refused for good because of what is here; or NULL */
	struct digest *made; /* what the backend made of the record when it was put back; NULL: that is not known */
	struct room_share share;
	size_t key_n;
	char key[];
};

struct replica {
	struct replica_options o;
	struct journal_listener listener;
	struct map slots;
	struct heap retries;
	uint64_t seed;
	uint64_t now_ms;
	bool complete;
	bool stopping;
	bool turned_away; /* the backend refused something for now, and the peer was not told that it may come again */
	struct replica_stats stats;
};

/* replica.c */
struct slot *replica_slot(struct replica *r, const struct replica_place *place, bool make);

/* Where it is, for others. */
struct replica_place replica_place_of(const struct slot *s);

/* Of the create or spec that was applied last. */
struct str replica_applied_version(const struct slot *s);

/* Free it when nothing is left of it. */
void replica_settle(struct slot *s);
uint64_t replica_random(struct replica *r);

/* replica_rows.c */

/* Write or remove the slot's row, in the batch of this turn. */
enum err replica_write_row(struct slot *s);

/* What was applied, so that a repetition after a restart is known (docs/delivery.md "What must be on disk"). */
enum err replica_note(struct slot *s, const struct delivery_event *e);

/* replica_room.c */

/* What is here takes the peer's room; while a job runs, what that is going to write does. */
void replica_weigh(struct slot *s);

/* Is there room for what an event wants to write? False: it was counted as refused. */
bool replica_take_room(struct job *j);

/* replica_job.c */

void replica_job_free(struct job *j); /* takes NULL; it is in no list */

/* Begin it, or put it behind what happens there. */
void replica_job_start(struct job *j);

/* Plan it, and begin with its steps; the job may have ended afterwards, and the slot may be gone. */
void replica_job_run(struct job *j);

/* Is `o`, which is here (NULL: nothing is), something else than what the job planned with, or has written? */
bool replica_job_is_overtaken(const struct job *j, const struct object *o);

/* Ask the rules what to do with the object as it is now. Releases what was planned before. */
enum err replica_make_plan(struct job *j, struct why *why);

/* Look at the slot again at that time. */
void replica_retry_at(struct slot *s, uint64_t due_ms);
void replica_on_durable(struct journal_listener *l, struct str tag);

/* replica_drift.c */

/* What is here now is what the backend made of what we wrote. */
void replica_note_made(struct slot *s, bool put_back);

/*
 * Something about the object here was reported, or a job ended: look whether somebody changed it; nothing happens while a job runs.
 * The slot may be gone afterwards.
 */
void replica_drift(struct slot *s);
