#include "agent/retry.h"

void retry_init(struct retry *r)
{
	*r = (struct retry){ .backoff = { .base_ms = RETRY_BASE_MS, .factor = 2, .cap_ms = RETRY_CAP_MS } };
}

uint64_t retry_next(struct retry *r, uint64_t open_ms, uint64_t random)
{
	if (open_ms && (open_ms >= r->waited_ms || open_ms >= RETRY_STEADY_MS))
		backoff_reset(&r->backoff);
	r->waited_ms = RETRY_FLOOR_MS + backoff_next(&r->backoff, random);
	return r->waited_ms;
}
