#include <stdio.h>

#include "backend/apply.h"
#include "sim_sync_people.h"

/* ---- trees ----------------------------------------------------------------------------------------------------- */

json_object *ensure(json_object *tree, const char *key)
{
	json_object *member = NULL;

	if (!json_object_object_get_ex(tree, key, &member) || !json_object_is_type(member, json_type_object)) {
		member = json_object_new_object();
		(void)json_object_object_add(tree, key, member);
	}
	return member;
}

void set_text(json_object *tree, const char *key, const char *value)
{
	if (value)
		(void)json_object_object_add(tree, key, json_object_new_string(value));
	else
		json_object_object_del(tree, key);
}

const char *text_at(json_object *tree, const char *a, const char *b, const char *c)
{
	json_object *value = tree_get(tree, a, b, c, NULL);

	return value ? json_object_get_string(value) : "";
}

void set_finalizers(json_object *tree, unsigned n)
{
	static const char *const names[] = { "resources-finalizer.argocd.argoproj.io", "example.com/somebody" };
	json_object *meta = ensure(tree, "metadata"), *array = json_object_new_array();

	json_object_object_del(meta, "finalizers");
	for (unsigned i = 0; i < n; i++)
		(void)json_object_array_add(array, json_object_new_string(names[i]));
	if (n)
		(void)json_object_object_add(meta, "finalizers", array);
	else
		json_object_put(array);
}

struct object *still_there(const struct end *e, const struct object *o)
{
	return memory_store_get(e->store, o->kind, o->namespace, o->name);
}

/* `before`: a reference; NULL: it is new. */
static void note_undo(struct end *e, struct object *before)
{
	struct undo *u = &e->undos[e->edits++ % SIM_UNDOS];
	const struct object *now = before ? still_there(e, before) : NULL;

	object_unref(u->before);
	u->before = before;
	str_copy(str_of(now ? now->version : NULL), u->version, sizeof(u->version));
}

/* Somebody has done something after which it is no longer there. */
static void note_gone(struct end *e, const struct object *o)
{
	if (!e->agent && end_is_up(e) && !hub_is_synced(e->hub))
		watch_seen_gone(e->sim, o);
}

void people_edit(struct end *e, enum object_kind kind, json_object *tree, const char *what)
{
	struct object *o = NULL, *before, *now;
	struct why why;

	if (object_from_tree(kind, tree, &why, &o) != E_OK)
		sim_broken(e->sim, "%s", why.text);
	sim_trace(e->sim, "%-9s somebody: %s %s/%s", end_name(e), what, o->namespace, o->name);
	before = memory_store_get(e->store, kind, o->namespace, o->name);
	before = before ? object_ref(before) : NULL;
	if (memory_store_edit(e->store, o) != E_OK)
		sim_broken(e->sim, "no memory");
	now = still_there(e, o);
	if (now)
		late_by_hand(e, now);
	else
		note_gone(e, o); /* it was being deleted, and nothing holds it any more */
	if (now && !e->agent)
		watch_edit(e->sim, o);
	note_undo(e, before);
	object_unref(o);
	json_object_put(tree);
}

void people_delete(struct end *e, const struct object *o)
{
	struct object *kept = object_ref((struct object *)o), *now;

	sim_trace(e->sim, "%-9s somebody: delete %s/%s", end_name(e), kept->namespace, kept->name);
	(void)memory_store_remove(e->store, kept->kind, kept->namespace, kept->name);
	now = still_there(e, kept);
	if (now != kept) /* else it was on its way out already */
		late_by_hand(e, now ? now : kept);
	if (!now)
		note_gone(e, kept);
	object_unref(kept);
}

void people_drop(struct end *e, const struct object *o)
{
	CLEANUP(object_unref_freep) struct object *kept = object_ref((struct object *)o), *free_of_all = NULL;
	json_object *tree = object_tree_own(kept);

	set_finalizers(tree, 0);
	if (object_from_tree(kept->kind, tree, NULL, &free_of_all) != E_OK ||
	    memory_store_edit(e->store, free_of_all) != E_OK)
		sim_broken(e->sim, "no memory");
	json_object_put(tree);
	(void)memory_store_remove(e->store, kept->kind, kept->namespace, kept->name);
}

char *number_text(struct sim *s, char *text, size_t n, const char *prefix)
{
	(void)snprintf(text, n, "%s%llu", prefix, (unsigned long long)++s->next_number);
	return text;
}

/* ---- what there is --------------------------------------------------------------------------------------------- */

struct object *people_any(struct sim *s, const struct memory_store *store, const char *namespace)
{
	size_t at = 0, n = memory_store_count(store), skip = n ? sim_below(s, n) : 0;
	struct object *o = NULL;

	while ((o = memory_store_next(store, &at)))
		if (skip-- == 0)
			return strcmp(o->namespace, namespace) == 0 || !namespace[0] ? o : NULL;
	return NULL;
}

size_t people_applications(const struct memory_store *store, struct object *ret_all[static APPLICATIONS_MAX])
{
	struct object *o;
	size_t at = 0, n = 0;

	while ((o = memory_store_next(store, &at)) && n < APPLICATIONS_MAX)
		if (o->kind == OBJECT_APPLICATION)
			ret_all[n++] = object_ref(o);
	return n;
}

/* ---- as it was before ------------------------------------------------------------------------------------------ */

/* Of operations something else is promised, and what is going stays gone. */
static bool may_be_undone(const struct object *o)
{
	json_object *tree = object_tree(o);
	bool may = o->kind == OBJECT_APPLICATION && !tree_get(tree, "operation", NULL) && !apply_is_going(tree);

	json_object_put(tree);
	return may;
}

void people_undo(struct end *e)
{
	for (size_t i = 0; i < SIM_UNDOS; i++) {
		struct object *before = e->undos[i].before, *there = NULL;

		if (before)
			there = memory_store_get(e->store, before->kind, before->namespace, before->name);
		if (!there || strcmp(there->version, e->undos[i].version) != 0 ||
		    strcmp(there->uid, before->uid) != 0 || !may_be_undone(there) || !may_be_undone(before))
			continue;
		sim_trace(e->sim, "%-9s somebody: undo %s/%s", end_name(e), before->namespace, before->name);
		if (memory_store_edit(e->store, before) != E_OK)
			sim_broken(e->sim, "no memory");
	}
	people_forget_undos(e);
}

void people_forget_undos(struct end *e)
{
	for (size_t i = 0; i < SIM_UNDOS; i++)
		object_unref(TAKE(e->undos[i].before));
}
