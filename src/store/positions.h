/*
 * positions.h -- how far each bus has taken the spool.
 *
 * Shape     a short list, changed in memory at any time and written with the next group: lazily durable. Beside the position of
 *           a bus stand the routes that it does not hold for, all in one transaction.
 * Threads   any; a mutex inside, held for a few instructions, or the statements of the changed buses: one per exception and two.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "store/spool_sql.h"
#include "store/store.h"

struct held {
	struct held *next;
	struct store_held is; /* its names are in `text` */
	char text[];
};

struct position {
	struct position *next;
	uint64_t pos;
	struct held *held;
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

/* As positions_set() with its exceptions, and backward, too. */
bool positions_set_but(struct positions *p, const char *bus, uint64_t pos, const struct store_held *held, size_t n);

/* Every exception of `bus`, under the mutex. */
enum err positions_each_held(struct positions *p, const char *bus,
			     enum err (*on_held)(void *ctx, const struct store_held *held), void *ctx);

bool positions_dirty(struct positions *p);

/* Inside a transaction: write what changed. */
enum err positions_write(struct positions *p, struct db *db, struct why *why);

/* After that transaction failed: all of it has to be written again. */
void positions_unwritten(struct positions *p);

/* Everything up to here was taken by all buses in use, exceptions included; 0 when there is none. */
uint64_t positions_forwarded(struct positions *p);
