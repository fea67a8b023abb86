/*
 * lanes_send.c -- what is sent again, and what comes back from the bus.
 */
#include "bus/lanes_impl.h"

static bool may_send(const struct lane *lane, uint64_t now_ms)
{
	if (lane->state == LANE_HELD)
		return lane->flying == 0 && lane->held_until_ms <= now_ms;
	return lane->state == LANE_DRAINING && lane->waiting;
}

/* When a lane sends again, all behind its first that waits does so, too. */
static struct entry *take_waiting(struct lanes *l, struct lane *lane)
{
	struct entry *e = lane->waiting;

	lane->waiting = e->next;
	assert(!e->next || !e->next->flying);
	entry_take_off(l, e);
	return e;
}

struct entry *lanes_resend(struct lanes *l, uint64_t now_ms)
{
	struct lane *lane = l->trouble;
	struct entry *e;

	while (lane && !may_send(lane, now_ms))
		lane = lane->next;
	if (!lane)
		return NULL;
	e = take_waiting(l, lane);
	lane_to_the_end(l, lane);
	if (lane->state == LANE_HELD)
		lane_move(l, lane, LANE_PROBING);
	lane_land_if_drained(l, lane);
	return e;
}

bool lanes_done(struct lanes *l, struct entry *e)
{
	struct lane *lane = e->lane;
	bool recovered = lane->state == LANE_PROBING;

	entry_land(l, e);
	entry_drop(l, e);
	if (recovered) {
		backoff_reset(&lane->backoff);
		lane_move(l, lane, LANE_DRAINING);
		lane_land_if_drained(l, lane);
	}
	lane_open_if_landed(l, lane);
	return recovered;
}

bool lanes_failed(struct lanes *l, struct entry *e, uint64_t now_ms, uint64_t random)
{
	struct lane *lane = e->lane;
	bool was_well = lane->state != LANE_HELD && lane->state != LANE_PROBING;

	entry_land(l, e);
	if (!lane->waiting || e->pos < lane->waiting->pos)
		lane->waiting = e;
	if (lane->state != LANE_HELD) {
		lane->held_until_ms = now_ms + backoff_next(&lane->backoff, random);
		lane_move(l, lane, LANE_HELD);
	}
	return was_well;
}

void lanes_retry_all(struct lanes *l, uint64_t now_ms)
{
	for (struct lane *lane = l->trouble; lane; lane = lane->next) {
		backoff_reset(&lane->backoff);
		lane->held_until_ms = now_ms;
	}
}

uint64_t lanes_next_ms(const struct lanes *l)
{
	uint64_t next = UINT64_MAX;

	for (const struct lane *lane = l->trouble; lane; lane = lane->next) {
		if (lane->state == LANE_DRAINING)
			return 0;
		if (lane->state == LANE_HELD && lane->flying == 0 && lane->held_until_ms < next)
			next = lane->held_until_ms;
	}
	return next;
}
