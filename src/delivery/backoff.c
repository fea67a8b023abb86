#include "delivery/backoff.h"

uint64_t backoff_step(const struct backoff *b)
{
	uint64_t step = b->base_ms;

	for (uint32_t i = 0; i < b->attempts && step < b->cap_ms; i++)
		step *= b->factor;
	return step < b->cap_ms ? step : b->cap_ms;
}

uint64_t backoff_next(struct backoff *b, uint64_t random)
{
	uint64_t step = backoff_step(b);

	b->attempts++;
	return step ? 1 + random % step : 0;
}

void backoff_reset(struct backoff *b)
{
	b->attempts = 0;
}
