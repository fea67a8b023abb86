#include "backend/memory.h"

#include <assert.h>
#include <stdio.h>

#include "backend/memory_impl.h"

struct memory_entry {
	struct object *object;
	char key[OBJECT_KEY_MAX];
};

struct memory_ids {
	char uid[64];
	char version[24];
};

/* ---- the store ------------------------------------------------------------------------------------------------------ */

struct memory_store *memory_store_new(uint64_t seed)
{
	struct memory_store *s = mem_alloc(sizeof(*s));

	if (s)
		s->seed = seed;
	return s;
}

static void entry_free(struct memory_entry *e)
{
	object_unref(e->object);
	mem_free(e);
}

void memory_store_free(struct memory_store *s)
{
	const struct map_entry *entry;
	size_t at = 0;

	if (!s)
		return;
	assert(!s->backend);
	while ((entry = map_next(&s->entries, &at)))
		entry_free(entry->value);
	map_release(&s->entries);
	mem_free(s);
}

static struct memory_entry *find(const struct memory_store *s, enum object_kind kind, const char *namespace,
				 const char *name)
{
	char key[OBJECT_KEY_MAX];

	return map_get(&s->entries, object_key(kind, namespace, name, key));
}

struct object *memory_store_get(const struct memory_store *s, enum object_kind kind, const char *namespace,
				const char *name)
{
	struct memory_entry *e = find(s, kind, namespace, name);

	return e ? e->object : NULL;
}

struct object *memory_store_next(const struct memory_store *s, size_t *at)
{
	const struct map_entry *entry = map_next(&s->entries, at);

	return entry ? ((struct memory_entry *)entry->value)->object : NULL;
}

size_t memory_store_count(const struct memory_store *s)
{
	return s->entries.n;
}

void memory_store_delay(struct memory_store *s, uint64_t delay_ms)
{
	s->delay_ms = delay_ms;
}

void memory_store_fail(struct memory_store *s, enum err err, unsigned times)
{
	s->fail_err = err;
	s->fail_times = times;
}

/* Put `o` in, a reference of it. */
static enum err set(struct memory_store *s, struct object *o)
{
	struct memory_entry *e = find(s, o->kind, o->namespace, o->name);

	if (e) {
		object_unref(e->object);
		e->object = object_ref(o);
		return E_OK;
	}
	e = mem_alloc(sizeof(*e));
	if (!e)
		return E_NOMEM;
	if (map_put(&s->entries, object_key(o->kind, o->namespace, o->name, e->key), e) != E_OK) {
		mem_free(e);
		return E_NOMEM;
	}
	e->object = object_ref(o);
	return E_OK;
}

/* Take it out; the reference is the caller's. */
static struct object *take(struct memory_store *s, enum object_kind kind, const char *namespace, const char *name)
{
	struct memory_entry *e = find(s, kind, namespace, name);
	struct object *o;

	if (!e)
		return NULL;
	map_remove(&s->entries, str_of(e->key));
	o = TAKE(e->object);
	entry_free(e);
	return o;
}

/* UID and version of the next object, which takes the place of `current`; s->version moves when it is really put. */
static void next_ids(struct memory_store *s, const struct object *current, struct memory_ids *ret_ids)
{
	uint64_t bits[2] = { s->seed, ++s->ids << 8 }; /* past the bits that say which variant of UID it is */

	if (current)
		(void)snprintf(ret_ids->uid, sizeof(ret_ids->uid), "%s", current->uid);
	else
		uuid_write((const unsigned char *)bits, ret_ids->uid);
	(void)snprintf(ret_ids->version, sizeof(ret_ids->version), "%llu", (unsigned long long)s->version + 1);
}

/* An object of `tree`, which is changed, with these ids. */
static enum err stamp(enum object_kind kind, json_object *tree, const char *uid, const struct memory_ids *ids,
		      struct object **ret_object)
{
	enum err err = tree_meta_set(tree, "uid", uid);

	if (err == E_OK)
		err = tree_meta_set(tree, "resourceVersion", ids->version);
	return err == E_OK ? object_from_tree(kind, tree, NULL, ret_object) : err;
}

/* The newest change: `o` is there, or was this when it went. */
static enum err change(struct memory_store *s, struct object *o, bool gone)
{
	enum err err = E_OK;

	if (gone)
		object_unref(take(s, o->kind, o->namespace, o->name));
	else
		err = set(s, o);
	if (err == E_OK)
		s->version++;
	return err;
}

/* ---- deletion: what has finalizers stays until somebody has taken them away ------------------------------------------ */

#define DELETED_AT "2000-01-01T00:00:00Z" /* there is no clock here */

/* Its tree when it is being deleted; NULL: it is not, or is not there. */
static enum err tree_of_going(const struct object *o, json_object **ret_tree)
{
	bool may_be = o && str_contains(blob_view(o->json), (struct str)STR("\"deletionTimestamp\""));
	json_object *tree = may_be ? object_tree(o) : NULL;

	*ret_tree = tree && apply_is_going(tree) ? json_object_get(tree) : NULL;
	json_object_put(tree);
	return may_be && !tree ? E_NOMEM : E_OK;
}

/* What `wanted` can be in the place of `there`, a reference. `ret_gone`: nothing holds it any more. */
static enum err fit(const struct object *there, struct object *wanted, struct object **ret_object, bool *ret_gone)
{
	json_object *going, *given, *tree;
	enum err err = tree_of_going(there, &going);

	*ret_gone = false;
	if (!going) {
		*ret_object = err == E_OK ? object_ref(wanted) : NULL;
		return err;
	}
	given = object_tree(wanted);
	tree = given ? tree_fork(given) : NULL;
	err = tree ? apply_to_going(going, tree) : E_NOMEM;
	*ret_gone = apply_is_held(going) && !apply_is_held(tree);
	if (err == E_OK)
		err = object_from_tree(wanted->kind, tree, NULL, ret_object);
	json_object_put(tree);
	json_object_put(given);
	json_object_put(going);
	return err;
}

static enum err mark(struct memory_store *s, const struct object *o, json_object *there, struct object **ret_object)
{
	json_object *tree = tree_fork(there);
	enum err err = tree ? tree_meta_set(tree, "deletionTimestamp", DELETED_AT) : E_NOMEM;
	struct memory_ids ids;

	next_ids(s, o, &ids);
	if (err == E_OK)
		err = stamp(o->kind, tree, ids.uid, &ids, ret_object);
	json_object_put(tree);
	return err == E_OK ? change(s, *ret_object, /* gone= */ false) : err;
}

static enum err remove_object(struct memory_store *s, struct object *o, struct memory_outcome *ret_outcome)
{
	json_object *there = object_tree(o);
	enum err err = there ? E_OK : E_NOMEM;

	if (there && !apply_is_held(there)) {
		ret_outcome->object = take(s, o->kind, o->namespace, o->name);
		ret_outcome->changed = ret_outcome->gone = true;
	} else if (there && apply_is_going(there)) {
		ret_outcome->object = object_ref(o);
	} else if (there) {
		err = mark(s, o, there, &ret_outcome->object);
		ret_outcome->changed = err == E_OK;
	}
	json_object_put(there);
	return err;
}

/* ---- writes --------------------------------------------------------------------------------------------------------- */

static enum err merge(struct memory_store *s, const struct backend_write *w, struct object *current, struct why *why,
		      struct memory_outcome *ret_outcome)
{
	struct memory_ids ids;
	struct object *o = NULL;
	enum err err;

	next_ids(s, current, &ids);
	err = apply_merge(w, current, &(struct apply_ids){ ids.uid, ids.version }, why, &o, &ret_outcome->changed);
	if (err == E_OK && ret_outcome->changed)
		err = change(s, o, ret_outcome->gone);
	if (err == E_OK)
		ret_outcome->object = object_ref(ret_outcome->changed ? o : current);
	object_unref(o);
	return err;
}

static enum err put(struct memory_store *s, struct backend_write *w, struct object *current,
		    struct memory_outcome *ret_outcome)
{
	struct backend_write fitted = { .verb = w->verb };
	enum err err = fit(current, w->object, &fitted.object, &ret_outcome->gone);

	if (err == E_OK)
		err = merge(s, &fitted, current, &w->why, ret_outcome);
	object_unref(fitted.object);
	return err;
}

enum err memory_perform(struct memory_store *s, struct backend_write *w, struct memory_outcome *ret_outcome)
{
	const struct object *o = w->object;
	struct object *current = memory_store_get(s, o->kind, o->namespace, o->name);
	enum err err;

	if (s->fail_times) {
		s->fail_times--;
		return why_set(&w->why, s->fail_err, "told to fail");
	}
	err = apply_check(w, current, &w->why);
	if (err != E_OK)
		return err;
	switch (w->verb) {
	case BACKEND_PUT:
		return put(s, w, current, ret_outcome);
	case BACKEND_STATUS:
		return merge(s, w, current, &w->why, ret_outcome);
	case BACKEND_DELETE:
		break;
	}
	return remove_object(s, current, ret_outcome);
}

/* ---- by hand -------------------------------------------------------------------------------------------------------- */

static enum err edit(struct memory_store *s, const struct object *current, const struct object *o, bool gone)
{
	json_object *given = object_tree(o), *tree = given ? tree_fork(given) : NULL;
	struct object *stamped = NULL;
	struct memory_ids ids;
	enum err err = tree ? E_OK : E_NOMEM;

	next_ids(s, current, &ids);
	if (err == E_OK)
		err = stamp(o->kind, tree, !current && o->uid[0] ? o->uid : ids.uid, &ids, &stamped);
	json_object_put(tree);
	json_object_put(given);
	if (err == E_OK)
		err = change(s, stamped, gone);
	if (err == E_OK)
		err = memory_report_later(s, stamped, gone);
	object_unref(stamped);
	return err;
}

enum err memory_store_edit(struct memory_store *s, struct object *o)
{
	const struct object *current = memory_store_get(s, o->kind, o->namespace, o->name);
	struct object *fitted = NULL;
	bool gone;
	enum err err = fit(current, o, &fitted, &gone);

	if (err == E_OK)
		err = edit(s, current, fitted, gone);
	object_unref(fitted);
	return err;
}

enum err memory_store_remove(struct memory_store *s, enum object_kind kind, const char *namespace, const char *name)
{
	struct object *o = memory_store_get(s, kind, namespace, name);
	struct memory_outcome outcome = { 0 };
	enum err err = o ? remove_object(s, o, &outcome) : E_NOT_FOUND;

	if (err == E_OK && outcome.changed)
		err = memory_report_later(s, outcome.object, outcome.gone);
	object_unref(outcome.object);
	return err;
}
