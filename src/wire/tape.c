#include "wire/tape.h"

#include "base/mem.h"
#include "event/json_text.h"
#include "event/json_walk.h"
#include "wire/go_string.h"

static struct tape_node *new_node(struct tape *t)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct tape_node *nodes = mem_realloc(t->nodes, cap * sizeof(*nodes));

		if (!nodes)
			return NULL;
		t->nodes = nodes;
		t->cap = cap;
	}
	return &t->nodes[t->n++];
}

/* Most keys stand in the text as they are. */
static struct str key_of(struct tape *t, struct str raw)
{
	size_t from = t->keys.n;

	if (go_string_is_plain(raw))
		return str_sub(raw, 1, raw.n - 2);
	go_string_decode(raw, &t->keys);
	return str_sub(buf_view(&t->keys), from, t->keys.n);
}

static enum err read_value(struct tape *t, struct json_walk *w, struct str key, unsigned depth)
{
	size_t at = t->n;
	struct tape_node *node = new_node(t);
	char kind = json_walk_peek(w);
	enum err err = E_OK;

	if (!node)
		return E_NOMEM;
	if (depth > TAPE_DEPTH_MAX)
		return E_LIMIT;
	*node = (struct tape_node){ .key = key, .raw = { w->p, 1 } };
	if (kind != '{' && kind != '[') {
		node->raw = json_walk_value(w);
	} else {
		json_walk_enter(w);
		while (err == E_OK && json_walk_next(w)) {
			key = kind == '{' ? key_of(t, json_walk_key(w)) : (struct str){ 0 };
			err = read_value(t, w, key, depth + 1);
		}
	}
	t->nodes[at].end = t->n;
	return err;
}

enum err tape_read(struct tape *t, struct str json, struct why *why)
{
	struct json_walk w;
	enum err err = json_compact(json, /* plain= */ true, &t->text, why);

	if (err != E_OK)
		return err;
	/* Room for all keys at once: they are lent as they are read, and must not move. */
	if (!go_string_is_plain(buf_view(&t->text)) && !buf_reserve(&t->keys, t->text.n * 3))
		return why_set(why, E_NOMEM, "%s", err_text(E_NOMEM));
	w = json_walk(buf_view(&t->text));
	err = read_value(t, &w, (struct str){ 0 }, 1);
	if (err == E_LIMIT)
		return why_set(why, err, "nested deeper than %d levels", TAPE_DEPTH_MAX);
	return err == E_OK ? E_OK : why_set(why, err, "%s", err_text(err));
}

size_t tape_member(const struct tape *t, size_t node, struct str key)
{
	size_t found = 0;

	if (!tape_is_object(t, node))
		return 0;
	for (size_t i = node + 1; i < t->nodes[node].end; i = t->nodes[i].end)
		if (str_eq(t->nodes[i].key, key))
			found = i;
	return found;
}

void tape_release(struct tape *t)
{
	buf_release(&t->text);
	buf_release(&t->keys);
	mem_free(t->nodes);
	*t = (struct tape){ 0 };
}
