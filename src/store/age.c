#include "store/age.h"

void age_init(struct age *a, int64_t wall_ms, uint64_t mono_ms)
{
	*a = (struct age){ wall_ms, mono_ms, UINT64_MAX };
}

int64_t age_now(struct age *a, int64_t wall_ms, uint64_t mono_ms)
{
	int64_t due_ms = a->wall_ms + (int64_t)(mono_ms - a->mono_ms);

	if (wall_ms - due_ms >= AGE_STEP_MS) {
		if (a->ahead_since_ms == UINT64_MAX)
			a->ahead_since_ms = mono_ms;
		if (mono_ms - a->ahead_since_ms < AGE_BELIEVE_MS)
			return due_ms;
	}
	age_init(a, wall_ms, mono_ms);
	return wall_ms;
}
