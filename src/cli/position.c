#include "cli/position.h"

#include "base/clock.h"

#define NS_PER_MS 1000000

/* "90s", "15m", "2h", "3d": how long ago. */
static bool parse_ago(struct str text, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	uint64_t n;

	if (text.n < 2 || !str_to_u64(str_sub(text, 0, text.n - 1), 100000000, &n))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text.p[text.n - 1] == units[i].unit) {
			*ret_ms = (int64_t)n * units[i].ms;
			return true;
		}
	}
	return false;
}

enum err position_parse(const char *option, const char *text, int64_t now_ms, struct why *why,
			struct position *ret_position)
{
	struct position p = { .kind = POSITION_AT };
	int64_t ns, ago_ms;

	if (strcmp(text, "start") == 0) {
		p.pos = 0;
	} else if (strcmp(text, "end") == 0) {
		p.kind = POSITION_END;
	} else if (str_to_u64(str_of(text), INT64_MAX, &p.pos)) {
		p.kind = POSITION_AT;
	} else if (clock_parse_rfc3339(str_of(text), &ns)) {
		p.kind = POSITION_TIME;
		p.wall_ms = ns / NS_PER_MS + (ns % NS_PER_MS > 0);
	} else if (parse_ago(str_of(text), &ago_ms)) {
		p.kind = POSITION_TIME;
		p.wall_ms = now_ms - ago_ms;
	} else {
		return why_set(why, E_MALFORMED,
			       "%s: '%s' is neither a position (1200), a time (2024-05-01T12:00:00Z), how long ago "
			       "(90s, 15m, 2h, 3d), 'start' nor 'end'",
			       option, text);
	}
	*ret_position = p;
	return E_OK;
}

enum err position_find(const struct position *position, struct store_reader *reader, struct why *why, uint64_t *ret_pos)
{
	switch (position->kind) {
	case POSITION_AT:
		*ret_pos = position->pos;
		return E_OK;
	case POSITION_TIME:
		return store_pos_at(reader, position->wall_ms, ret_pos, why);
	case POSITION_END:
		return store_end(reader, ret_pos, why);
	}
	return E_INTERNAL;
}

bool position_reversed(const struct position *from, const struct position *to)
{
	if (to->kind == POSITION_AT)
		return to->pos == 0 || (from->kind == POSITION_AT && from->pos > to->pos);
	return to->kind == POSITION_TIME && from->kind == POSITION_TIME && from->wall_ms >= to->wall_ms;
}

enum err position_check_ahead(uint64_t from, struct store_reader *reader, struct why *why)
{
	uint64_t end = 0;
	enum err err = store_end(reader, &end, why);

	if (err != E_OK || from <= end)
		return err;
	return why_set(why, E_MALFORMED,
		       "--from %" PRIu64 " lies ahead: the last position in this store is %" PRIu64
		       " (was an older copy restored?)",
		       from, end - 1);
}
