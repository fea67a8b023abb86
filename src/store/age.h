/*
 * age.h -- the time by which old things are forgotten.
 *
 * Shape     pure: the wall clock, but for a step ahead. Such a step is believed when it has stood for AGE_BELIEVE_MS, counted from
 *           the last step: a clock that was wrong for a while lets no event go, and no repeat pass. A step back makes everything
 *           younger, and is believed at once. A store begins with the time of its newest event.
 * Units     ms
 */
#pragma once

#include <stdint.h>

#define AGE_STEP_MS    60000
#define AGE_BELIEVE_MS 3600000

struct age {
	int64_t wall_ms; /* what was believed last */
	uint64_t mono_ms;
	int64_t ahead_wall_ms;  /* what the clock stepped ahead to, */
	uint64_t ahead_mono_ms; /* and when; UINT64_MAX: it is not ahead */
};

void age_init(struct age *a, int64_t wall_ms, uint64_t mono_ms);

/* Now. */
int64_t age_now(struct age *a, int64_t wall_ms, uint64_t mono_ms);
