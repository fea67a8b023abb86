/*
 * inbox_impl.h -- the inside of an inbox, shared by its files.
 *
 * Shape     inbox.c         life, work and answers
 *           inbox_put.c     what comes
 *           inbox_memory.c  what was applied, per resource
 */
#pragma once

#include "base/map.h"
#include "delivery/inbox.h"
#include "delivery/list.h"

/* An event id and its type, as 128 bits; zero: none. */
struct mark {
	uint64_t bits[2];
};

#define MEMORY_COMMANDS DELIVERY_COMMANDS

/* What was applied of one resource, and what is in progress. */
struct memory {
	struct link in_use; /* inbox: least recently used first; not while in progress */
	struct mark state;  /* create, spec or delete */
	struct mark status;
	struct mark commands[MEMORY_COMMANDS];
	uint32_t next_command;
	uint32_t in_progress; /* parcels that hold it */
	uint64_t epoch;       /* of `order` */
	uint64_t order;       /* the newest that came */
	size_t id_n;
	char id[];
};

/* One event from its coming to the writing of its answer; or only an answer. */
struct parcel {
	struct inbox_work work; /* first: what the applier holds is the parcel */
	struct link in_queue;   /* of its ordering key */
	struct link in_ready;   /* inbox: first of its key and not yet being applied */
	struct link in_answers;
	struct link in_unsaid; /* inbox: the peer was not told yet that we have it */
	struct queue *queue;   /* NULL: done */
	struct memory *memory;
	struct mark mark;
	enum delivery_outcome outcome; /* RECEIVED until it is done */
	bool retryable;
	char *reason;
	char text[]; /* kind, namespace, name, resource id, event id */
};

struct queue {
	struct link parcels;
	size_t key_n;
	char key[];
};

struct inbox {
	struct inbox_options options;
	struct map queues;   /* by ordering key */
	struct map memories; /* by resource id */
	struct link in_use;
	struct link ready;
	struct link answers;
	struct link unsaid;  /* in the order of their coming */
	struct parcel *lent; /* the last answer that was given out */
	uint64_t keys[2][2]; /* of the marks */
	uint64_t epoch;
	struct inbox_stats stats;
};

/* inbox.c */

void parcel_free(struct parcel *p); /* takes NULL */
struct parcel *queue_first(const struct queue *q);

/* Its answer is written in its turn, once. */
void parcel_answer(struct inbox *i, struct parcel *p);

/* inbox_memory.c */

/* The mark of an event in this inbox. */
struct mark memory_mark(const struct inbox *i, const struct delivery_event *e);

static inline bool mark_eq(struct mark a, struct mark b)
{
	return a.bits[0] == b.bits[0] && a.bits[1] == b.bits[1];
}

/* The memory of a resource, made when there is none; NULL without memory. */
struct memory *memory_get(struct inbox *i, struct str resource_id);

/* In use by one more or one less parcel: what is in progress is never forgotten. */
void memory_hold(struct memory *m);
void memory_let_go(struct inbox *i, struct memory *m);

/* It was applied: later repetitions are known by it. */
void memory_note(struct memory *m, enum delivery_type type, struct mark mark);

/* One of this type is in progress: what was applied last is not what holds behind it, and comes again in its own right. */
void memory_overtake(struct memory *m, enum delivery_type type);

/* The last of its type was this one. */
bool memory_knows(const struct memory *m, enum delivery_type type, struct mark mark);

/* A newer event of the resource came in this stream before this one. */
bool memory_is_outdated(const struct memory *m, uint64_t epoch, uint64_t order);
