#include <stdio.h>

#include "sim_sync_people.h"

/* ---- another place --------------------------------------------------------------------------------------------- */

/* What a managed agent had in many namespaces: people_original() says why. */
static void remove_namesakes(struct agent *a)
{
	struct object *all[APPLICATIONS_MAX];
	size_t n = people_applications(a->end.store, all);

	for (size_t k = 0; k < n; k++) {
		if (people_original(a->end.sim, a, all[k]->name) != all[k])
			people_drop(&a->end, all[k]);
		object_unref(all[k]);
	}
}

void people_part_with(struct agent *a)
{
	struct end *ends[] = { &a->end, &a->end.sim->principal };
	struct object *o;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		for (size_t at = 0; (o = memory_store_next(ends[i]->store, &at));)
			story_unwanted(a->end.sim, o);
	people_forget_undos(&a->end);
	if (a->mode == AGENT_AUTONOMOUS)
		remove_namesakes(a);
}

/* ---- a bad restore --------------------------------------------------------------------------------------------- */

static struct object *stash[SIM_NAMES + 2];
static size_t stashed;

/* The objects come back as they were. */
void people_good_restore(struct sim *s)
{
	for (size_t i = 0; i < stashed; i++) {
		const struct object *o = stash[i];

		if (!memory_store_get(s->principal.store, o->kind, o->namespace, o->name)) {
			sim_trace(s, "principal restores %s/%s", o->namespace, o->name);
			if (memory_store_edit(s->principal.store, stash[i]) != E_OK)
				sim_broken(s, "no memory");
			watch_edit(s, o);
		}
		object_unref(stash[i]);
	}
	stashed = 0;
}

static void on_restore(struct sim *s, struct happening *h)
{
	(void)h;
	people_good_restore(s);
}

void people_bad_restore(struct sim *s)
{
	struct agent *a = &s->agents[sim_below(s, SIM_AGENTS)];
	char name[32];

	if (a->mode != AGENT_MANAGED || stashed)
		return;
	sim_trace(s, "principal a bad restore: nothing of %s is left", a->name);
	for (unsigned i = 0; i < SIM_NAMES; i++) {
		struct object *o;

		(void)snprintf(name, sizeof(name), "%s-app%u", s->by_destination ? a->name : "an", i);
		o = memory_store_get(s->principal.store, OBJECT_APPLICATION, people_namespace(s, a), name);
		if (!o)
			continue;
		stash[stashed++] = object_ref(o);
		story_unwanted(s, o);
		people_drop(&s->principal, o);
	}
	sim_later(s, 3000 + sim_below(s, 20000), &(struct happening){ .run = on_restore });
}

/* ---- objects as they were -------------------------------------------------------------------------------------- */

void object_list_release(struct object_list *l)
{
	while (l->n)
		object_unref(l->all[--l->n]);
}

void people_save(struct end *e)
{
	struct object *o;

	object_list_release(&e->saved);
	for (size_t at = 0; (o = memory_store_next(e->store, &at)) && e->saved.n < SIM_OBJECTS;)
		e->saved.all[e->saved.n++] = object_ref(o);
}

static bool is_saved(const struct end *e, const struct object *o)
{
	for (size_t i = 0; i < e->saved.n; i++)
		if (strcmp(e->saved.all[i]->uid, o->uid) == 0)
			return true;
	return false;
}

/* What is not in the backup goes, and so may what it was copied to; nothing is promised of operations. */
static void remove_newer(struct end *e)
{
	struct object *all[SIM_OBJECTS], *o;
	size_t n = 0;

	for (size_t at = 0; (o = memory_store_next(e->store, &at)) && n < SIM_OBJECTS;)
		all[n++] = object_ref(o);
	while (n) {
		story_unwanted(e->sim, all[--n]);
		if (!is_saved(e, all[n]))
			people_drop(e, all[n]);
		object_unref(all[n]);
	}
}

void people_rewind(struct end *e)
{
	sim_trace(e->sim, "%-9s has %zu objects as they were", end_name(e), e->saved.n);
	remove_newer(e);
	for (size_t i = 0; i < e->saved.n; i++) {
		struct object *o = e->saved.all[i], *there = still_there(e, o);
		bool same = there && strcmp(there->version, o->version) == 0;

		story_unwanted(e->sim, o);
		if (there && !same)
			people_drop(e, there);
		if (!same && memory_store_edit(e->store, o) != E_OK)
			sim_broken(e->sim, "no memory");
		if (!e->agent)
			watch_edit(e->sim, o);
	}
	people_forget_undos(e);
}

/* ---- another start --------------------------------------------------------------------------------------------- */

void people_pick(struct sim *s)
{
	struct object *o;

	s->picks = !s->picks;
	sim_trace(s, "principal is to have %s selector", s->picks ? "a" : "no");
	for (size_t at = 0; (o = memory_store_next(s->principal.store, &at));)
		story_unwanted(s, o);
}

/* Another object of this name, as it would be made from a repository. */
static void make_again(struct end *e, const struct object *o)
{
	json_object *tree = object_tree_own(o), *meta = ensure(tree, "metadata");

	story_unwanted(e->sim, o);
	people_drop(e, o);
	set_text(meta, "uid", NULL);
	set_text(meta, "deletionTimestamp", NULL);
	set_text(tree, "status", NULL);
	set_text(tree, "operation", NULL);
	people_edit(e, OBJECT_APPLICATION, tree, "create again");
}

void people_rebuild(struct sim *s)
{
	struct object *all[APPLICATIONS_MAX];
	size_t n = people_applications(s->principal.store, all);

	for (size_t k = 0; k < n; k++) {
		if (!all[k]->source_uid[0])
			make_again(&s->principal, all[k]);
		object_unref(all[k]);
	}
}
