/*
 * wake.h -- one thread sleeps until others have something for it.
 *
 * Shape     a word and futex(2). A signal while nobody sleeps costs one atomic exchange: under load the sleeper is busy
 *           with a sync when the next request comes. Looking before sleeping was left out on purpose: on two cores it
 *           takes the time of whoever would bring the next request.
 * Units     ms
 * Threads   wake_signal() from any, wake_wait() from one.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct wake {
	_Atomic uint32_t word;
};

#define WAKE_FOREVER UINT32_MAX

void wake_init(struct wake *w);

/* Whoever waits, or waits next, returns. */
void wake_signal(struct wake *w);

/* Returns after a signal, after `timeout_ms`, or now and then for no reason. */
void wake_wait(struct wake *w, uint32_t timeout_ms);
