/*
 * checkpointer.h -- copies the log's pages into the database file while the writer goes on.
 *
 * Shape     a thread with a connection of its own. It also syncs what it copied: the writer's own checkpoint, which alone
 *           can let the log begin anew, then has little left to do, and no commit waits for megabytes.
 * Owner     embedded in struct wal, which must not move while it runs. A zeroed one is stopped.
 * Threads   the functions are the writer's.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "store/db.h"
#include "store/wake.h"

struct checkpointer {
	struct db db;
	struct wake *writer;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;
	bool stopping; /* under the lock */
	_Atomic bool busy;

	/* of the last copy; its thread's while it is busy */
	enum err err;       /* after an error pages may be lost that look copied */
	struct why failure; /* its story */
	bool held_back;     /* a reader stands in the middle of the log */
	int copied;         /* pages of the log that are in the database file */
};

/* For the database at `path`, in WAL mode. `writer` is woken after each copy. E_UNAVAILABLE: no thread; or as db_open(). */
enum err checkpointer_start(struct checkpointer *c, const char *path, struct wake *writer, struct why *why);

/* Waits for a copy under way. */
void checkpointer_stop(struct checkpointer *c);

/* Copy what the log holds now. Only when it is not busy. */
void checkpointer_ask(struct checkpointer *c);

bool checkpointer_is_busy(const struct checkpointer *c);

/* Until it is not busy, at most so long. True: it is not. */
bool checkpointer_wait(struct checkpointer *c, uint32_t ms);
