#include "wire/event.h"

#include "base/mem.h"
#include "wire/event_impl.h"

static const struct type_row {
	struct str text;
	enum wire_role role;
	enum delivery_type delivered;
} types[WIRE_TYPE_COUNT] = { [WIRE_UNKNOWN_TYPE] = { .role = WIRE_PAYLOAD, .delivered = DELIVERY_REQUEST },
#define X(name, text, role, delivered) \
	[WIRE_##name] = { { text, sizeof(text) - 1 }, WIRE_##role, DELIVERY_##delivered },
			     WIRE_TYPES(X)
#undef X
};

static const struct target_row {
	struct str text;
	struct str kind;
} targets[WIRE_TARGET_COUNT] = {
#define X(name, text, kind) [WIRE_TO_##name] = { { text, sizeof(text) - 1 }, { kind, sizeof(kind) - 1 } },
	WIRE_TARGETS(X)
#undef X
};

const struct str wire_outcomes[WIRE_REJECTED + 1] = {
	[WIRE_NO_OUTCOME] = { "", 0 },
	[WIRE_RECEIVED] = { "received", 8 },
	[WIRE_APPLIED] = { "applied", 7 },
	[WIRE_REJECTED] = { "rejected", 8 },
};

static bool is_type(enum wire_type type)
{
	return (unsigned)type < WIRE_TYPE_COUNT;
}

struct str wire_type_text(enum wire_type type)
{
	return is_type(type) ? types[type].text : (struct str){ 0 };
}

struct str wire_target_text(enum wire_target target)
{
	return (unsigned)target < WIRE_TARGET_COUNT ? targets[target].text : (struct str){ 0 };
}

const char *wire_type_name(enum wire_type type)
{
	struct str text = wire_type_text(type);
	const char *dot = text.n ? strrchr(text.p, '.') : NULL;

	if (text.n == 0)
		return "unknown";
	return dot ? dot + 1 : text.p;
}

enum wire_type wire_type_of(struct str text)
{
	for (int type = WIRE_UNKNOWN_TYPE + 1; type < WIRE_TYPE_COUNT; type++)
		if (str_eq(text, types[type].text))
			return (enum wire_type)type;
	return WIRE_UNKNOWN_TYPE;
}

enum wire_target wire_target_of(struct str text)
{
	for (int target = WIRE_UNKNOWN_TARGET + 1; target < WIRE_TARGET_COUNT; target++)
		if (str_eq(text, targets[target].text))
			return (enum wire_target)target;
	return WIRE_UNKNOWN_TARGET;
}

enum wire_role wire_role_of(enum wire_type type)
{
	return is_type(type) ? types[type].role : WIRE_PAYLOAD;
}

enum delivery_type wire_delivered_as(enum wire_type type)
{
	return is_type(type) ? types[type].delivered : DELIVERY_REQUEST;
}

struct str wire_kind_of(enum wire_target target)
{
	return (unsigned)target < WIRE_TARGET_COUNT ? targets[target].kind : (struct str){ 0 };
}

enum wire_target wire_target_of_kind(struct str kind)
{
	for (int target = WIRE_UNKNOWN_TARGET + 1; target < WIRE_TARGET_COUNT && kind.n; target++)
		if (str_eq(kind, targets[target].kind))
			return (enum wire_target)target;
	return WIRE_UNKNOWN_TARGET;
}
