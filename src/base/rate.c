#include "base/rate.h"

#define TOKEN 60000ULL /* one token: so that per_minute tokens are per_minute units a ms */

void rate_init(struct rate *r, uint32_t per_minute, uint32_t burst, uint64_t now_ms)
{
	*r = (struct rate){ .per_minute = per_minute, .burst = burst ? burst : 1, .at_ms = now_ms };
	r->level = r->burst * TOKEN;
}

static void refill(struct rate *r, uint64_t now_ms)
{
	uint64_t full = r->burst * TOKEN, elapsed = now_ms > r->at_ms ? now_ms - r->at_ms : 0;

	r->at_ms = now_ms;
	if (elapsed > full / r->per_minute || r->level + elapsed * r->per_minute > full)
		r->level = full;
	else
		r->level += elapsed * r->per_minute;
}

bool rate_take(struct rate *r, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	if (r->per_minute == 0)
		return true;
	refill(r, now_ms);
	if (r->level < TOKEN) {
		if (ret_wait_ms)
			*ret_wait_ms = (TOKEN - r->level + r->per_minute - 1) / r->per_minute;
		return false;
	}
	r->level -= TOKEN;
	return true;
}
