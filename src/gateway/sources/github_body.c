#include "gateway/sources/github_body.h"

#include "event/json_walk.h"

static bool is_ours(struct str key, struct buf *arena)
{
	struct str name;

	buf_clear(arena);
	if (!buf_reserve(arena, key.n) || !json_decode(key, arena, &name))
		return false;
	return str_is(name, "X-GitHub-Event") || str_is(name, "X-GitHub-Delivery");
}

/* What is kept moves to the front, never past the cursor. */
enum err github_drop_ours(struct buf *payload, size_t at)
{
	struct json_walk walk = json_walk((struct str){ payload->p + at, payload->n - at });
	struct buf arena = { 0 };
	size_t to = at + 1;
	enum err err;

	for (json_walk_enter(&walk); json_walk_next(&walk) && arena.err == E_OK;) {
		struct str key = json_walk_key(&walk), value = json_walk_value(&walk);
		size_t n = (size_t)(value.p + value.n - key.p);

		if (is_ours(key, &arena))
			continue;
		if (to > at + 1)
			payload->p[to++] = ',';
		if (payload->p + to != key.p)
			memmove(payload->p + to, key.p, n);
		to += n;
	}
	payload->n = to;
	err = arena.err;
	buf_release(&arena);
	return err;
}
