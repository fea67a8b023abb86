#include "sync/missed.h"

#include "base/mem.h"

#define AGAIN_MS 1000

void missed_add(struct missed *m, struct object *o, uint64_t now_ms)
{
	missed_forget(m, o);
	o->missed_next = m->first;
	m->first = object_ref(o);
	m->due_ms = now_ms + AGAIN_MS;
}

static bool is_same(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->namespace, b->namespace) == 0;
}

/* Take out the one that `at` leads to. */
static struct object *unchain(struct object **at)
{
	struct object *o = *at;

	*at = TAKE(o->missed_next);
	return o;
}

void missed_forget(struct missed *m, const struct object *o)
{
	struct object **at = &m->first;

	while (*at && !is_same(*at, o))
		at = &(*at)->missed_next;
	if (*at)
		object_unref(unchain(at));
}

struct object *missed_take(struct missed *m, uint64_t now_ms)
{
	return m->first && now_ms >= m->due_ms ? unchain(&m->first) : NULL;
}

uint64_t missed_due(const struct missed *m)
{
	return m->first ? m->due_ms : UINT64_MAX;
}

void missed_release(struct missed *m)
{
	while (m->first)
		object_unref(unchain(&m->first));
}
