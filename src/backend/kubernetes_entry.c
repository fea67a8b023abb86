#include "backend/kubernetes_impl.h"

/* ---- the table ------------------------------------------------------------------------------------------------------ */

struct kube_entry *kube_entry_make(struct kubernetes *k, enum object_kind kind, const char *namespace, const char *name)
{
	char text[OBJECT_KEY_MAX];
	struct str key = object_key(kind, namespace, name, text);
	struct kube_entry *e = map_get(&k->entries, key);

	if (e)
		return e;
	e = mem_alloc(sizeof(*e) + key.n + 1);
	if (!e)
		return NULL;
	e->kube = k;
	e->held_end = &e->held;
	memcpy(e->key, key.p, key.n);
	if (map_put(&k->entries, (struct str){ e->key, key.n }, e) == E_OK)
		return e;
	mem_free(e);
	return NULL;
}

static void set_object(struct kube_entry *e, struct object *o)
{
	metric_add(e->kube->objects, (o ? 1 : 0) - (e->object ? 1 : 0));
	object_unref(e->object);
	e->object = o ? object_ref(o) : NULL;
}

static void unbury(struct kube_entry *e)
{
	object_unref(TAKE(e->buried));
}

void kube_entry_drop_held(struct kube_entry *e)
{
	while (e->held) {
		struct kube_held *held = e->held;

		e->held = held->next;
		object_unref(held->object);
		mem_free(held);
	}
	e->held_end = &e->held;
}

static void release(struct kube_entry *e)
{
	kube_entry_drop_held(e);
	set_object(e, NULL);
	unbury(e);
	mem_free(e);
}

void kube_entry_rest(struct kube_entry *e)
{
	if (e->object || e->buried || e->first || e->held || e->broken)
		return;
	map_remove(&e->kube->entries, str_of(e->key));
	release(e);
}

void kube_entries_release(struct kubernetes *k)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&k->entries, &at)))
		release(entry->value);
	map_release(&k->entries);
}

/* ---- what is there -------------------------------------------------------------------------------------------------- */

/* Versions are numbers that rise (Kubernetes "API concepts", resource version semantics): longer is newer. */
bool kube_is_older(const char *a, const char *b)
{
	uint64_t of_a, of_b;

	return str_to_u64(str_of(a), UINT64_MAX, &of_a) && str_to_u64(str_of(b), UINT64_MAX, &of_b) && of_a < of_b;
}

static bool is_same_uid(const struct object *a, const struct object *b)
{
	return a && b && strcmp(a->uid, b->uid) == 0;
}

static void report(struct kube_entry *e, struct object *o, bool gone)
{
	const struct backend_watcher *w = &e->kube->watcher;

	if (!e->kube->watching)
		return;
	if (gone)
		w->on_gone(w->ctx, o);
	else
		w->on_object(w->ctx, o);
}

static void mend(struct kube_entry *e)
{
	struct why why = { 0 };

	if (!e->broken)
		return;
	e->broken = false;
	metric_add(e->kube->broken, -1);
	(void)why_set(&why, E_OK, "%s", e->key + 2);
	kube_problem(e->kube, /* bad= */ false, &why);
}

static void take_gone(struct kube_entry *e, const struct object *o)
{
	struct object *last = e->object;

	/* Of one that was there before, or of a state before the one that is known. */
	if (!is_same_uid(o, last) || kube_is_older(o->version, last->version))
		return;
	object_ref(last);
	set_object(e, NULL);
	report(e, last, /* gone= */ true);
	object_unref(last);
}

static void take_there(struct kube_entry *e, struct object *o)
{
	const struct object *known = e->object;

	if (known && (strcmp(o->version, known->version) == 0 || kube_is_older(o->version, known->version)))
		return;
	/* Deleted and made again, and the news of the first half was lost. */
	if (known && !is_same_uid(o, known))
		take_gone(e, known);
	set_object(e, o);
	report(e, o, /* gone= */ false);
}

/* Of what was buried, or of one that had its name before. */
static bool is_late(const struct kube_entry *e, const struct object *o)
{
	return e->buried && (is_same_uid(e->buried, o) || kube_is_older(o->version, e->buried->version));
}

void kube_entry_take(struct kube_entry *e, struct object *o, bool gone)
{
	if (is_late(e, o)) {
		if (gone && is_same_uid(e->buried, o))
			unbury(e);
		return;
	}
	mend(e);
	if (gone)
		take_gone(e, o);
	else
		take_there(e, o);
}

void kube_entry_bury(struct kube_entry *e)
{
	struct object *last = e->object ? object_ref(e->object) : NULL;

	if (!last)
		return;
	take_gone(e, last);
	unbury(e);
	e->buried = last;
	e->buried_at = e->kube->rounds;
}

void kube_entry_broken(struct kube_entry *e, const struct why *why)
{
	if (e->broken)
		return;
	e->broken = true;
	metric_inc(e->kube->broken);
	kube_problem(e->kube, /* bad= */ true, why);
}

/* ---- what is held back ---------------------------------------------------------------------------------------------- */

enum err kube_entry_hear(struct kube_entry *e, struct object *o, bool gone)
{
	struct kube_held *held;

	if (!e->first) {
		kube_entry_take(e, o, gone);
		return E_OK;
	}
	held = mem_alloc(sizeof(*held));
	if (!held)
		return E_NOMEM;
	held->object = object_ref(o);
	held->gone = gone;
	*e->held_end = held;
	e->held_end = &held->next;
	return E_OK;
}

enum err kube_entry_lost(struct kube_entry *e)
{
	if (e->object)
		return kube_entry_hear(e, e->object, /* gone= */ true);
	mend(e);
	return E_OK;
}

void kube_entry_unhold(struct kube_entry *e)
{
	while (e->held) {
		struct kube_held *held = e->held;

		e->held = held->next;
		if (!e->held)
			e->held_end = &e->held;
		kube_entry_take(e, held->object, held->gone);
		object_unref(held->object);
		mem_free(held);
	}
}
