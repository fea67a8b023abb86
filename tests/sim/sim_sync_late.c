#include "base/mem.h"
#include "delivery/list.h"
#include "sim_sync.h"

#define LATE_MAX_MS 2000

/* What a process has not been told yet. */
struct report {
	struct link in_late;
	uint64_t number;
	struct object *object;
	bool gone;
};

/*
 * What was done before the first report is part of that, and that is whole. Another object in the place of one that is gone must not be
 * taken for it: each is kept.
 */
void late_by_hand(struct end *e, const struct object *o)
{
	struct object **at = &e->by_hand[e->by_hands++ % ARRAY_LEN(e->by_hand)];

	object_unref(*at);
	*at = e->listed ? object_ref((struct object *)o) : NULL;
}

static bool was_by_hand(struct end *e, const struct object *o)
{
	for (size_t i = 0; i < ARRAY_LEN(e->by_hand); i++)
		if (e->by_hand[i] == o) {
			object_unref(TAKE(e->by_hand[i]));
			return true;
		}
	return false;
}

static void tell(struct end *e, struct object *o, bool gone)
{
	sim_enter(e->sim);
	(gone ? e->watcher.on_gone : e->watcher.on_object)(e->watcher.ctx, o);
	sim_leave();
}

static void report_free(struct report *r)
{
	list_remove(&r->in_late);
	object_unref(r->object);
	mem_free(r);
}

static bool same_name(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && strcmp(a->namespace, b->namespace) == 0 && strcmp(a->name, b->name) == 0;
}

/* What is still to be said of this object, up to report `number`. */
static void tell_earlier(struct end *e, const struct object *o, uint64_t number)
{
	for (struct link *l = e->late.next, *next; l != &e->late; l = next) {
		struct report *r = CONTAINER_OF(l, struct report, in_late);

		next = l->next;
		if (!same_name(r->object, o) || r->number > number)
			continue;
		tell(e, r->object, r->gone);
		report_free(r);
	}
}

static void on_late(struct sim *s, struct happening *h)
{
	struct end *e = h->end;

	(void)s;
	for (struct link *l = e->late.next; l != &e->late; l = l->next) {
		struct report *r = CONTAINER_OF(l, struct report, in_late);

		if (r->number != h->number)
			continue;
		CLEANUP(object_unref_freep) struct object *o = object_ref(r->object);

		tell_earlier(e, o, h->number);
		return;
	}
}

void late_report(struct end *e, struct object *o, bool gone)
{
	struct sim *s = e->sim;
	SIM_OWN;

	if (!s->late || s->healed || !was_by_hand(e, o)) {
		tell_earlier(e, o, UINT64_MAX);
		tell(e, o, gone);
		return;
	}
	struct report *r = sim_alloc(s, sizeof(*r));

	*r = (struct report){ .number = ++s->order, .object = object_ref(o), .gone = gone };
	list_put_last(&e->late, &r->in_late);
	sim_later(s, sim_below(s, sim_once_in(s, 5) ? LATE_MAX_MS : 20),
		  &(struct happening){ .run = on_late, .end = e, .life = e->life, .number = r->number });
}

void late_start(struct end *e)
{
	list_init(&e->late);
	late_forget(e);
	e->listed = false;
}

void late_listed(struct end *e)
{
	e->listed = true;
}

void late_forget(struct end *e)
{
	while (e->late.next && !list_empty(&e->late))
		report_free(CONTAINER_OF(e->late.next, struct report, in_late));
	for (size_t i = 0; i < ARRAY_LEN(e->by_hand); i++)
		object_unref(TAKE(e->by_hand[i]));
}
