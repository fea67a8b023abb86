#include "gateway/hooks/rest.h"

#include "event/json_walk.h"

void rest_list(const struct hook *h, struct str cursor, struct hook_request *r)
{
	const char *first = h->provider->first;

	buf_str(&r->path, str_of(h->path));
	if (!first)
		return;
	buf_char(&r->path, '?');
	buf_str(&r->path, cursor.n ? cursor : str_of(first));
}

void rest_write(const struct hook *h, struct str id, const char *method, struct hook_request *r)
{
	r->method = id.n ? method : "POST";
	buf_str(&r->path, str_of(h->path));
	if (!id.n)
		return;
	buf_char(&r->path, '/');
	text_encode(&r->path, id);
}

void rest_remove(const struct hook *h, struct str id, struct hook_request *r)
{
	rest_write(h, id, "DELETE", r);
}

struct str rest_made(const struct hook_answer *a, struct buf *arena)
{
	return text_of(a->body, "id", arena);
}

enum err rest_each(struct hook *h, struct str array, void (*see)(struct hook *h, struct str item, struct buf *arena),
		   struct why *why)
{
	struct json_walk w;
	struct buf arena = { 0 };

	if (array.n == 0 || array.p[0] != '[')
		return why_set(why, E_MALFORMED, "the answer is not a list of hooks");
	if (!buf_reserve(&arena, 4 * array.n + 1)) /* no text of an item is read more than four times */
		return why_set(why, E_NOMEM, "no memory for the list");
	w = json_walk(array);
	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		see(h, json_walk_value(&w), &arena);
		buf_clear(&arena);
	}
	buf_release(&arena);
	return E_OK;
}

void rest_text(struct hook_request *r, const char *name, struct str text)
{
	buf_addf(&r->body, ",\"%s\":", name);
	buf_json(&r->body, text);
}

void rest_flag(struct hook_request *r, const char *name, bool value)
{
	buf_addf(&r->body, ",\"%s\":%s", name, value ? "true" : "false");
}
