#include "wire/members.h"

#include "event/json_members.h"
#include "event/json_text.h"

enum err members_open(struct str json, struct buf *arena, struct str *ret_object, struct why *why)
{
	size_t from;
	enum err err;

	if (json.n > MEMBERS_TEXT_MAX)
		return why_set(why, E_MALFORMED, "its data is larger than %u MiB", MEMBERS_TEXT_MAX >> 20);
	/* The text, its strings decoded, and bytes decoded from some of those. */
	if (!buf_reserve(arena, json.n * 3 + 16))
		return why_set(why, arena->err, "no room for its data");
	from = arena->n;
	if (json.n == 0)
		json = STR("{}");
	err = json_compact(json, /* plain= */ true, arena, why);
	if (err != E_OK)
		return err;
	*ret_object = str_sub(buf_view(arena), from, arena->n);
	return str_starts(*ret_object, STR("{")) ? E_OK : why_set(why, E_MALFORMED, "its data is no JSON object");
}

enum err members_read(struct str object, const struct member *members, size_t count, struct buf *arena, struct why *why)
{
	struct json_member found[MEMBERS_MAX];

	for (size_t i = 0; i < count; i++)
		found[i] = (struct json_member){ .name = members[i].name };
	if (object.n)
		(void)json_members(object, found, count); /* a name that stands twice: the last */
	for (size_t i = 0; i < count; i++) {
		struct str text;

		if (!json_member_text(&found[i], arena, &text) || !str_is_utf8(text))
			return why_set(why, E_MALFORMED, "%s is no text", members[i].name);
		*members[i].ret_text = text;
	}
	return arena->err;
}

struct str members_object(struct str object, const char *name)
{
	struct json_member member = { .name = name };

	if (object.n)
		(void)json_members(object, &member, 1);
	return member.raw.n && member.raw.p[0] == '{' ? member.raw : (struct str){ 0 };
}
