#include "delivery/delivery.h"

static const struct {
	const char *name;
	enum delivery_lane lane;
} types[DELIVERY_TYPE_COUNT] = {
#define X(name, text, lane, meaning) [DELIVERY_##name] = { text, LANE_##lane },
	DELIVERY_TYPES(X)
#undef X
};

const char *delivery_type_name(enum delivery_type type)
{
	return type < DELIVERY_TYPE_COUNT ? types[type].name : "unknown";
}

enum delivery_lane delivery_lane_of(enum delivery_type type)
{
	return types[type].lane;
}

static bool has_zero(struct str s)
{
	return str_find(s, '\0') < s.n;
}

bool delivery_event_ok(const struct delivery_event *e)
{
	if ((unsigned)e->type >= DELIVERY_TYPE_COUNT)
		return false;
	if (e->resource_id.n == 0 || e->resource_id.n > DELIVERY_TEXT_MAX)
		return false;
	if (e->event_id.n == 0 || e->event_id.n > DELIVERY_TEXT_MAX)
		return false;
	if (e->kind.n > DELIVERY_TEXT_MAX || e->namespace.n > DELIVERY_TEXT_MAX || e->name.n > DELIVERY_TEXT_MAX)
		return false;
	if (e->kind.n + e->namespace.n + e->name.n + 2 > DELIVERY_TEXT_MAX)
		return false;
	return !has_zero(e->kind) && !has_zero(e->namespace) && !has_zero(e->name);
}

struct str delivery_reason_cut(struct str reason)
{
	if (reason.n <= DELIVERY_REASON_MAX)
		return reason;
	reason.n = DELIVERY_REASON_MAX;
	while (reason.n > DELIVERY_REASON_MAX - 4 && ((unsigned char)reason.p[reason.n] & 0xc0) == 0x80)
		reason.n--;
	return reason;
}

static char *append(char *to, struct str s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

struct str delivery_key(const struct delivery_event *e, char *ret_key)
{
	char *end = append(ret_key, e->kind);

	*end++ = '\0';
	end = append(end, e->namespace);
	*end++ = '\0';
	end = append(end, e->name);
	return (struct str){ ret_key, (size_t)(end - ret_key) };
}
