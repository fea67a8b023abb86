/*
 * wake.h -- one thread sleeps until others have something for it.
 *
 * Shape     a word and futex(2). A signal while nobody sleeps costs one atomic exchange. The sleeper first looks for a
 *           short while: below a certain load two system calls per hand-over cost more than the look. It learns whether
 *           that pays: each look that finds nothing makes the next ones rarer.
 * Units     ms
 * Threads   wake_signal() from any, wake_wait() from one.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct wake {
	_Atomic uint32_t word;
	uint32_t spins; /* rounds of the next look; the sleeper's */
};

#define WAKE_FOREVER UINT32_MAX

void wake_init(struct wake *w);

/* Whoever waits, or waits next, returns. */
void wake_signal(struct wake *w);

/* Returns after a signal, after `timeout_ms`, or now and then for no reason. */
void wake_wait(struct wake *w, uint32_t timeout_ms);
