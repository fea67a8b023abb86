#include "daemon/quiet.h"

#include <stdio.h>
#include <string.h>

bool quiet_ask(struct quiet *q, uint64_t now_ms, uint64_t *ret_unsaid)
{
	if (q->rate.per_minute == 0)
		rate_init(&q->rate, QUIET_PER_MINUTE, QUIET_BURST, now_ms);
	if (!rate_take(&q->rate, now_ms, /* ret_wait_ms= */ NULL)) {
		q->unsaid++;
		return false;
	}
	*ret_unsaid = q->unsaid;
	q->unsaid = 0;
	return true;
}

/* The row of `address`, else one that is free or whose time is over; QUIET_ADDRESSES: none. */
static size_t row_of(const struct quiet_addresses *q, const char *address, uint64_t now_ms)
{
	size_t spare = QUIET_ADDRESSES;

	for (size_t i = 0; i < QUIET_ADDRESSES; i++) {
		if (q->rows[i].used && strcmp(q->rows[i].address, address) == 0)
			return i;
		if (!q->rows[i].used || now_ms - q->rows[i].said_ms >= QUIET_ADDRESS_MS)
			spare = i;
	}
	return spare;
}

bool quiet_ask_address(struct quiet_addresses *q, const char *address, uint64_t now_ms, uint64_t *ret_unsaid)
{
	size_t i = row_of(q, address, now_ms);
	bool known;

	if (i == QUIET_ADDRESSES)
		return false;
	known = q->rows[i].used && strcmp(q->rows[i].address, address) == 0;
	if (known && now_ms - q->rows[i].said_ms < QUIET_ADDRESS_MS) {
		q->rows[i].unsaid++;
		return false;
	}
	*ret_unsaid = known ? q->rows[i].unsaid : 0;
	q->rows[i].used = true;
	q->rows[i].said_ms = now_ms;
	q->rows[i].unsaid = 0;
	(void)snprintf(q->rows[i].address, sizeof(q->rows[i].address), "%s", address);
	return true;
}
