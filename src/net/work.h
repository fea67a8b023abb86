/*
 * work.h -- what takes too long for a loop: password hashes, signatures, questions to other servers.
 *
 * Shape     a few threads and one bounded queue, served in order; the end of each piece of work is a task of the loop that
 *           asked for it. A thread starts when there is work and nobody is free: a pool without work has none.
 * Owner     work is embedded in its user and belongs to the pool from work_start() until on_done() is called, once.
 * Threads   work_start() from any; run() in a worker, where it may block; on_done() in the loop's.
 * Errors    E_BUSY         the queue is full: the peer may come again later
 *           E_UNAVAILABLE  no thread could be started
 */
#pragma once

#include "base/why.h"
#include "net/loop.h"

struct work {
	void (*run)(struct work *work);
	/* `err`: E_OK, or E_CANCELLED when the pool ended before run() began. */
	void (*on_done)(struct work *work, enum err err);

	/* The pool's. */
	struct loop *loop;
	struct loop_task task;
	struct work *next;
	enum err err;
};

struct work_pool;

/* `threads` at most; `queue_max` pieces of work wait, those that run not counted. E_NOMEM. */
enum err work_pool_new(unsigned threads, unsigned queue_max, struct why *why, struct work_pool **ret_pool);

/*
 * Waits for what is running and cancels what waits. The loops must still take tasks, and must run them afterwards
 * (loop_release() does). Takes NULL.
 */
void work_pool_free(struct work_pool *pool);

/* `run` and `on_done` are set. On an error nothing was begun, and on_done() is not called. */
enum err work_start(struct work_pool *pool, struct loop *loop, struct work *work);
