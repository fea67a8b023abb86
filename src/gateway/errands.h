/*
 * errands.h -- what has to be asked of the world before a request can be answered, away from the loops.
 *
 * Shape     one thread that runs errands one after another, so that two requests that need the same thing fetch it once;
 *           it starts with the first errand. Behind ERRANDS_MAX that wait, further ones are refused.
 * Owner     an errand is embedded in its user and belongs to the queue from errands_give() until `back` runs.
 * Threads   errands_give() from any; run() in the errands' thread, where it may block for seconds; back.run() in the loop's.
 * Errors    E_BUSY         too many wait
 *           E_UNAVAILABLE  no thread could be started
 */
#pragma once

#include <pthread.h>

#include "net/loop.h"

#define ERRANDS_MAX 64

struct errand {
	void (*run)(struct errand *e);
	struct loop *loop;
	struct loop_task back; /* back.run is set by whoever gives the errand */
	struct errand *next;
};

struct errands {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct errand *first;
	struct errand **last;
	size_t waiting;
	pthread_t thread;
	bool started;
	bool stopping;
};

void errands_init(struct errands *q);

/* On an error nothing was begun, and back.run() is not called. */
enum err errands_give(struct errands *q, struct errand *e);

/* Runs what still waits, ends the thread. Nothing may be given any more, and the loops must still take tasks. */
void errands_release(struct errands *q);
