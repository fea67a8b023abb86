#include "sync/excerpt.h"

#include "event/json_walk.h"

static bool stays(struct str key, bool top)
{
	return top ? !str_is(key, "\"status\"") && !str_is(key, "\"operation\"") : !str_is(key, "\"managedFields\"");
}

static void members(struct json_walk *w, bool top, struct buf *out)
{
	const char *separator = "";

	json_walk_enter(w);
	buf_char(out, '{');
	while (json_walk_next(w)) {
		struct str key = json_walk_key(w);

		if (!stays(key, top)) {
			(void)json_walk_value(w);
			continue;
		}
		buf_str(out, str_of(separator));
		buf_str(out, key);
		buf_char(out, ':');
		if (top && str_is(key, "\"metadata\"") && json_walk_peek(w) == '{')
			members(w, /* top= */ false, out);
		else
			buf_str(out, json_walk_value(w));
		separator = ",";
	}
	buf_char(out, '}');
}

void excerpt_desired(struct str json, struct buf *out)
{
	struct json_walk w = json_walk(json);

	members(&w, /* top= */ true, out);
}
