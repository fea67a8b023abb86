#include "store/age.h"

#include <stdlib.h>

void age_init(struct age *a, int64_t wall_ms, uint64_t mono_ms)
{
	*a = (struct age){ .wall_ms = wall_ms, .mono_ms = mono_ms, .ahead_mono_ms = UINT64_MAX };
}

/* Where the clock would be, had it gone on since it said `then_ms`. */
static int64_t gone_on(int64_t then_ms, uint64_t passed_ms)
{
	return then_ms + (int64_t)passed_ms;
}

/* Each step begins anew, also one that leaves it ahead by less. */
static void note_step(struct age *a, int64_t wall_ms, uint64_t mono_ms)
{
	if (a->ahead_mono_ms != UINT64_MAX &&
	    llabs(wall_ms - gone_on(a->ahead_wall_ms, mono_ms - a->ahead_mono_ms)) < AGE_STEP_MS)
		return;
	a->ahead_wall_ms = wall_ms;
	a->ahead_mono_ms = mono_ms;
}

int64_t age_now(struct age *a, int64_t wall_ms, uint64_t mono_ms)
{
	int64_t due_ms = gone_on(a->wall_ms, mono_ms - a->mono_ms);

	if (wall_ms - due_ms >= AGE_STEP_MS) {
		note_step(a, wall_ms, mono_ms);
		if (mono_ms - a->ahead_mono_ms < AGE_BELIEVE_MS)
			return due_ms;
	}
	age_init(a, wall_ms, mono_ms);
	return wall_ms;
}
