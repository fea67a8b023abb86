#include "daemon/quiet.h"

bool quiet_ask(struct quiet *q, uint64_t now_ms, uint64_t *ret_unsaid)
{
	uint64_t wait_ms;

	if (q->rate.per_minute == 0)
		rate_init(&q->rate, QUIET_PER_MINUTE, QUIET_BURST, now_ms);
	if (!rate_take(&q->rate, now_ms, &wait_ms)) {
		q->unsaid++;
		return false;
	}
	*ret_unsaid = q->unsaid;
	q->unsaid = 0;
	return true;
}
