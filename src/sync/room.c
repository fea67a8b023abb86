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
static bool is_close(uint64_t held, uint64_t max)
{
	return max && held > max - (max + 9) / 10;
}

static bool is_tight(const struct room *r)
{
	return is_close(r->objects, r->objects_max) || is_close(r->bytes, r->bytes_max) || (r->all && is_tight(r->all));
}

static size_t bytes_in(const struct room *r, const struct room_share *share)
{
	return share->bytes + share->objects * r->object_bytes;
}

void room_set(struct room *r, struct room_share *share, struct room_share next)
{
	for (struct room *at = r; at; at = at->all) {
		at->objects += next.objects - share->objects;
		at->bytes += bytes_in(at, &next) - bytes_in(at, share);
	}
	*share = next;
	if (!is_tight(r))
		set_full(r, false);
}

static bool has_room(uint64_t held, uint64_t max, size_t before, size_t next)
{
	return next <= before || max == 0 || held - before + next <= max;
}

static bool fits(const struct room *r, const struct room_share *share, const struct room_share *next)
{
	return has_room(r->objects, r->objects_max, share->objects, next->objects) &&
	       has_room(r->bytes, r->bytes_max, bytes_in(r, share), bytes_in(r, next)) &&
	       (!r->all || fits(r->all, share, next));
}

bool room_take(struct room *r, struct room_share *share, struct room_share next)
{
	if (!fits(r, share, &next)) {
		r->refused++;
		set_full(r, true);
		return false;
	}
	room_set(r, share, next);
	return true;
}
