#include "event/json_members.h"

#include "event/json_walk.h"

#define NAME_MAX_BYTES 512 /* of a raw name: six for each byte of one that is wanted */

static struct json_member *find(struct str raw_name, struct json_member *members, size_t count)
{
	char space[NAME_MAX_BYTES];
	struct buf arena = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	struct str name;

	if (raw_name.n > sizeof(space) || !json_decode(raw_name, &arena, &name))
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (str_is(name, members[i].name))
			return &members[i];
	return NULL;
}

enum err json_members(struct str object, struct json_member *members, size_t count)
{
	struct json_walk w;
	enum err err = E_OK;

	for (size_t i = 0; i < count; i++)
		members[i].raw = (struct str){ 0 };
	if (!str_starts(object, STR("{")))
		return E_MALFORMED;
	w = json_walk(object);
	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		struct json_member *m = find(json_walk_key(&w), members, count);
		struct str value = json_walk_value(&w);

		if (!m)
			continue;
		if (m->raw.p)
			err = E_EXISTS;
		m->raw = value;
	}
	return err;
}

struct str json_member_raw(struct str object, const char *name)
{
	struct json_member m = { .name = name };

	(void)json_members(object, &m, 1);
	return m.raw;
}

bool json_member_text(const struct json_member *m, struct buf *arena, struct str *ret_text)
{
	*ret_text = (struct str){ 0 };
	if (!m->raw.p || str_is(m->raw, "null"))
		return true;
	return m->raw.p[0] == '"' && json_decode(m->raw, arena, ret_text);
}
