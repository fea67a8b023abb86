#include "wire/members.h"

#include "event/base64.h"
#include "event/json_text.h"
#include "event/json_walk.h"

enum err members_open(struct str json, struct buf *arena, struct str *ret_object, struct why *why)
{
	size_t from;
	enum err err;

	/* The text, its strings decoded, and bytes decoded from some of those. */
	if (json.n > SIZE_MAX / 4 || !buf_reserve(arena, json.n * 3 + 16))
		return why_set(why, arena->err ? arena->err : E_LIMIT, "no room for its data");
	from = arena->n;
	if (json.n == 0)
		json = STR("{}");
	err = json_compact(json, /* plain= */ true, arena, why);
	if (err != E_OK)
		return err;
	*ret_object = str_sub(buf_view(arena), from, arena->n);
	if (ret_object->p[0] != '{')
		return why_set(why, E_MALFORMED, "its data is no JSON object");
	return E_OK;
}

/* Names have no escapes; a key that has some is decoded nowhere, so it is none of them unless it spells them plainly. */
static bool is_key(struct str raw, const char *name)
{
	return str_eq_nocase(str_sub(raw, 1, raw.n - 2), str_of(name));
}

bool members_raw(struct str object, const char *name, struct str *ret_raw)
{
	struct json_walk w = json_walk(object);
	bool found = false;

	json_walk_enter(&w);
	while (object.n && json_walk_next(&w)) {
		struct str key = json_walk_key(&w);
		struct str value = json_walk_value(&w);

		if (!is_key(key, name))
			continue;
		found = true;
		*ret_raw = str_is(value, "null") ? (struct str){ 0 } : value;
	}
	return found;
}

enum err members_object(struct str object, const char *name, struct str *ret_object, struct why *why)
{
	struct str raw = { 0 };

	if (members_raw(object, name, &raw) && raw.n && raw.p[0] != '{')
		return why_set(why, E_MALFORMED, "%s is no object", name);
	*ret_object = raw;
	return E_OK;
}

enum err members_text(struct str object, const char *name, struct buf *arena, struct str *ret_text, struct why *why)
{
	struct str raw = { 0 };

	if (!members_raw(object, name, &raw) || raw.n == 0) {
		*ret_text = (struct str){ 0 };
		return E_OK;
	}
	if (raw.p[0] != '"' || !json_decode(raw, arena, ret_text) || !str_is_utf8(*ret_text))
		return why_set(why, E_MALFORMED, "%s is no text", name);
	return arena->err;
}

enum err members_bytes(struct str object, const char *name, struct buf *arena, struct str *ret_bytes, struct why *why)
{
	struct str text;
	size_t from;
	enum err err = members_text(object, name, arena, &text, why);

	if (err != E_OK)
		return err;
	from = arena->n;
	if (!base64_read(text, arena))
		return why_set(why, E_MALFORMED, "%s is no base64", name);
	*ret_bytes = str_sub(buf_view(arena), from, arena->n);
	return arena->err;
}
