#include "sync/missed.h"

#define AGAIN_MS 1000

bool missed_add(struct missed *m, struct object *o, uint64_t now_ms)
{
	missed_forget(m, o);
	if (m->n == MISSED_MAX)
		return false;
	m->objects[m->n++] = object_ref(o);
	m->due_ms = now_ms + AGAIN_MS;
	return true;
}

static bool is_same(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->namespace, b->namespace) == 0;
}

void missed_forget(struct missed *m, const struct object *o)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!is_same(m->objects[i], o))
			continue;
		object_unref(m->objects[i]);
		m->objects[i] = m->objects[--m->n];
		return;
	}
}

struct object *missed_take(struct missed *m, uint64_t now_ms)
{
	return m->n && now_ms >= m->due_ms ? m->objects[--m->n] : NULL;
}

uint64_t missed_due(const struct missed *m)
{
	return m->n ? m->due_ms : UINT64_MAX;
}

void missed_release(struct missed *m)
{
	while (m->n)
		object_unref(m->objects[--m->n]);
}
