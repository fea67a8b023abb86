/*
 * lanes_read.c -- what is read goes into the lanes, for the first and for the second time.
 */
#include "bus/lanes_impl.h"

static void note_passed(struct lanes *l, struct lane *lane, uint64_t behind, uint64_t n)
{
	if (!lane->passed)
		lane->read_pos = behind;
	lane->passed += n;
	l->passed += n;
}

static void note_found(struct lanes *l, struct lane *lane, uint64_t n)
{
	lane->passed -= n;
	l->passed -= n;
}

enum err lanes_hold(struct lanes *l, struct str source, struct str name, uint64_t forwarded, uint64_t waiting)
{
	struct lane *lane = lane_of(l, source, name);

	if (!lane)
		return E_NOMEM;
	if (lane->state == LANE_OPEN)
		lane_move(l, lane, LANE_DRAINING);
	note_passed(l, lane, forwarded, waiting ? waiting : 1);
	if (forwarded < lane->read_pos) /* twice: the store is damaged */
		lane->read_pos = forwarded;
	return E_OK;
}

enum err lanes_append(struct lanes *l, uint64_t pos, int64_t stored_ms, struct str source, struct str name,
		      struct entry **ret_entry)
{
	struct lane *lane = lane_of(l, source, name);
	struct entry *e = NULL;

	assert(pos > l->read_pos);
	if (!lane)
		return E_NOMEM;
	if (!sends_at_once(lane))
		note_passed(l, lane, pos - 1, 1);
	else if (!(e = entry_new(l, lane, pos, stored_ms)))
		return E_NOMEM;
	l->read_pos = pos;
	*ret_entry = e;
	return E_OK;
}

/* ---- again ----------------------------------------------------------------------------------------------------------- */

/* What waits goes first. */
static bool reads_again(const struct lane *lane)
{
	return lane->state == LANE_DRAINING && lane->passed && !lane->waiting;
}

/* It does, and nothing of it is left out by who reads what is behind this position. */
static bool takes_part(const struct lane *lane, uint64_t behind)
{
	return reads_again(lane) && lane->read_pos >= behind;
}

struct lane *lanes_to_read_again(const struct lanes *l)
{
	struct lane *lane = l->trouble;

	while (lane && !reads_again(lane))
		lane = lane->next;
	return lane;
}

bool lanes_share(const struct lanes *l, const struct lane *lane, uint64_t reach)
{
	for (const struct lane *other = l->trouble; other; other = other->next)
		if (other != lane && takes_part(other, lane->read_pos) && other->read_pos - lane->read_pos <= reach)
			return true;
	return false;
}

enum err lanes_append_again(struct lanes *l, uint64_t behind, uint64_t pos, int64_t stored_ms, struct str source,
			    struct str name, struct entry **ret_entry)
{
	struct lane *lane = lane_of(l, source, name);
	struct entry *e = NULL;

	assert(pos <= l->read_pos);
	if (!lane)
		return E_NOMEM;
	if (takes_part(lane, behind) && pos > lane->read_pos) {
		e = entry_new(l, lane, pos, stored_ms);
		if (!e)
			return E_NOMEM;
		lane->read_pos = pos;
		note_found(l, lane, lane->passed > 1); /* it counts as waiting until it has looked everywhere */
	}
	*ret_entry = e;
	return E_OK;
}

static void has_read_again(struct lanes *l, struct lane *lane, uint64_t pos)
{
	if (lane->read_pos < pos)
		lane->read_pos = pos;
	if (lane->read_pos >= l->read_pos)
		note_found(l, lane, lane->passed);
	lane_land_if_drained(l, lane);
}

void lanes_have_read_again(struct lanes *l, struct lane *lane, uint64_t behind, uint64_t pos)
{
	struct lane *next;

	lane_to_the_end(l, lane);
	for (lane = l->trouble; lane; lane = next) {
		next = lane->next;
		if (takes_part(lane, behind))
			has_read_again(l, lane, pos);
	}
}
