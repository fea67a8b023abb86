/*
 * hooks.h -- the gateway's hooks at providers, looked after while it runs.
 *
 * Shape     a thread with an engine (engine.h). It begins with the first configuration that wants a hook; nothing in it holds up
 *           a loop, and a loop waits for nothing in it.
 * Owner     embedded in the process.
 * Threads   called from the main thread.
 */
#pragma once

#include <pthread.h>

#include "base/metrics.h"
#include "gateway/config.h"

struct engine;

struct hooks {
	pthread_mutex_t lock;
	pthread_t thread;
	bool started;
	void *multi; /* CURLM */
	struct metrics *metrics;
	int again_ms;                /* after there was no memory for a configuration; a test is less patient */
	struct gateway_config *next; /* to be taken over; a reference */
	bool stopping;
	uint64_t stop_ms; /* when it must be over, monotonic */
};

void hooks_init(struct hooks *h, struct metrics *metrics);

/* Look after the hooks of this configuration from now on; also of the first one. */
void hooks_apply(struct hooks *h, struct gateway_config *config);

/* Begin to take away what the manifests want taken away at the end. Returns at once. */
void hooks_stop(struct hooks *h);

/* Waits for that, ten seconds after hooks_stop() at most. */
void hooks_release(struct hooks *h);
