#include "sync/excerpt.h"

#include "event/json_walk.h"
#include "sync/marks.h"

/* What it is an excerpt for, and where it goes. */
struct excerpt {
	const char *namespace; /* of a report; NULL: what is desired */
	struct buf *out;
	bool told; /* a status or an operation was left out */
};

static bool is_told(struct str key)
{
	return str_is(key, "\"status\"") || str_is(key, "\"operation\"");
}

static bool names_it(struct str key)
{
	return str_is(key, "\"apiVersion\"") || str_is(key, "\"kind\"") || str_is(key, "\"metadata\"");
}

static bool stays(const struct excerpt *x, struct str key, bool top)
{
	if (!top)
		return !str_is(key, "\"managedFields\"") && !(x->namespace && str_is(key, "\"namespace\""));
	return x->namespace ? is_told(key) || names_it(key) : !is_told(key);
}

static void members(struct excerpt *x, struct json_walk *w, bool top)
{
	const char *separator = "";
	struct buf *out = x->out;

	json_walk_enter(w);
	buf_char(out, '{');
	while (json_walk_next(w)) {
		struct str key = json_walk_key(w);

		if (!stays(x, key, top)) {
			x->told |= top && is_told(key);
			(void)json_walk_value(w);
			continue;
		}
		buf_str(out, str_of(separator));
		buf_str(out, key);
		buf_char(out, ':');
		if (top && str_is(key, "\"metadata\"") && json_walk_peek(w) == '{')
			members(x, w, /* top= */ false);
		else
			buf_str(out, json_walk_value(w));
		separator = ",";
	}
	if (!top && x->namespace) {
		buf_str(out, str_of(separator));
		buf_lit(out, "\"namespace\":");
		buf_json(out, str_of(x->namespace));
	}
	buf_char(out, '}');
}

bool excerpt_desired(struct str json, struct buf *out)
{
	struct json_walk w = json_walk(json);
	struct excerpt x = { .out = out };

	members(&x, &w, /* top= */ true);
	return !x.told;
}

void excerpt_reported(struct str json, const char *namespace, struct buf *out)
{
	struct json_walk w = json_walk(json);

	members(&(struct excerpt){ .namespace = namespace, .out = out }, &w, /* top= */ true);
}

static bool is_bare_metadata(struct json_walk *w)
{
	bool bare = true;

	json_walk_enter(w);
	while (json_walk_next(w)) {
		struct str key = json_walk_key(w), value = json_walk_value(w);

		bare = bare && !str_is(key, "\"labels\"") && !mark_may_wish(value);
	}
	return bare;
}

bool excerpt_is_bare(struct str json)
{
	struct json_walk w = json_walk(json);
	bool bare = true;

	json_walk_enter(&w);
	while (bare && json_walk_next(&w)) {
		struct str key = json_walk_key(&w);

		if (str_is(key, "\"metadata\""))
			bare = is_bare_metadata(&w);
		else
			bare = json_walk_value(&w).n && !is_told(key);
	}
	return bare;
}
