#include "sync/room.h"

static void set_full(struct room *r, bool full)
{
	if (r->full == full)
		return;
	r->full = full;
	if (r->on_full)
		r->on_full(r->ctx, r);
}

/* Is less than a tenth free? */
static bool is_tight(uint64_t held, uint64_t max)
{
	return max && held > max - (max + 9) / 10;
}

void room_set(struct room *r, struct room_share *share, struct room_share next)
{
	r->objects += next.objects - share->objects;
	r->bytes += next.bytes - share->bytes;
	*share = next;
	if (!is_tight(r->objects, r->objects_max) && !is_tight(r->bytes, r->bytes_max))
		set_full(r, false);
}

static bool fits(uint64_t held, uint64_t max, size_t before, size_t next)
{
	return next <= before || max == 0 || held - before + next <= max;
}

bool room_take(struct room *r, struct room_share *share, struct room_share next)
{
	if (!fits(r->objects, r->objects_max, share->objects, next.objects) ||
	    !fits(r->bytes, r->bytes_max, share->bytes, next.bytes)) {
		r->refused++;
		set_full(r, true);
		return false;
	}
	room_set(r, share, next);
	return true;
}
