/*
 * directory_pool.h -- threads that work on files, so that the loop never waits for a disk.
 *
 * Shape     jobs in the order given; a thread takes its share of what waits, up to JOB_BATCH, and does the writes of it as one
 *           batch. A finished job is posted to the loop.
 * Threads   pool_put() from the loop's.
 */
#pragma once

#include <pthread.h>

#include "backend/directory_job.h"

struct directory_pool {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct directory_job *first, **last;
	size_t waiting;
	bool stopping;
	struct loop *loop;
	int root;
	const char *path;
	char token[17];
	pthread_t *threads;
	unsigned count;
};

/* `root`, and the `path` that led to it, are borrowed. */
enum err directory_pool_init(struct directory_pool *p, struct loop *loop, int root, const char *path, unsigned threads,
			     struct why *why);

/* Ends what waits, then the threads. */
void directory_pool_release(struct directory_pool *p);

/* job->task.run is called in the loop when it is done. */
void pool_put(struct directory_pool *p, struct directory_job *job);
