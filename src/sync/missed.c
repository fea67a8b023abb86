#include "sync/missed.h"

#include "base/mem.h"

#define AGAIN_MS 1000

void missed_add(struct missed *m, struct object *o, uint64_t now_ms)
{
	missed_forget(m, o);
	if (m->last) {
		m->last->missed_next = object_ref(o);
	} else {
		m->first = object_ref(o);
		m->due_ms = now_ms + AGAIN_MS;
	}
	m->last = o;
	m->n++;
}

static bool is_same(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->namespace, b->namespace) == 0;
}

/* Take out the one behind `before`; NULL: the first. */
static struct object *unchain(struct missed *m, struct object *before)
{
	struct object **at = before ? &before->missed_next : &m->first, *o = *at;

	*at = TAKE(o->missed_next);
	if (m->last == o)
		m->last = before;
	m->n--;
	return o;
}

void missed_forget(struct missed *m, const struct object *o)
{
	struct object *before = NULL, *at = m->first;

	while (at && !is_same(at, o)) {
		before = at;
		at = at->missed_next;
	}
	if (at)
		object_unref(unchain(m, before));
}

size_t missed_begin(struct missed *m, uint64_t now_ms)
{
	if (now_ms < missed_due(m))
		return 0;
	m->due_ms = now_ms + AGAIN_MS;
	return m->n;
}

struct object *missed_take(struct missed *m)
{
	return m->first ? unchain(m, NULL) : NULL;
}

uint64_t missed_due(const struct missed *m)
{
	return m->first ? m->due_ms : UINT64_MAX;
}

void missed_release(struct missed *m)
{
	while (m->first)
		object_unref(unchain(m, NULL));
}
