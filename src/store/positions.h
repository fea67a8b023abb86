/*
 * positions.h -- how far each bus has taken the spool.
 *
 * Shape     a short list, changed in memory at any time and written with the next group: lazily durable.
 * Threads   any; a mutex inside, held for a few instructions, or one statement per changed bus.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "store/spool_sql.h"

struct position {
	struct position *next;
	uint64_t pos;
	bool dirty;  /* not on disk yet */
	bool in_use; /* by this process: what retention waits for */
	char bus[];
};

struct positions {
	pthread_mutex_t lock;
	struct position *first;
	bool dirty;
};

void positions_init(struct positions *p);
void positions_release(struct positions *p);

/* Read the table, at open. A position after `last` is a damaged one: it counts as `last`. */
enum err positions_load(struct positions *p, struct db *db, uint64_t last, struct why *why);

/* The position of `bus`, 0 when new; from now on retention waits for it. */
enum err positions_get(struct positions *p, const char *bus, uint64_t *ret_pos);

/* Forward only. True when nothing was waiting to be written before. Without memory for a new bus nothing changes. */
bool positions_set(struct positions *p, const char *bus, uint64_t pos);

bool positions_dirty(struct positions *p);

/* Inside a transaction: write what changed. */
enum err positions_write(struct positions *p, struct db *db, struct why *why);

/* After that transaction failed: all of it has to be written again. */
void positions_unwritten(struct positions *p);

/* The smallest position of the buses in use; 0 when there is none. */
uint64_t positions_forwarded(struct positions *p);
