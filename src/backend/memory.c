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

/* ---- writes --------------------------------------------------------------------------------------------------------- */

static enum err put(struct memory_store *s, struct backend_write *w, struct object *current, bool *ret_changed,
		    struct object **ret_object)
{
	struct memory_ids ids;
	struct object *o = NULL;
	enum err err;

	next_ids(s, current, &ids);
	err = apply_merge(w, current, &(struct apply_ids){ ids.uid, ids.version }, &w->why, &o, ret_changed);
	if (err == E_OK && *ret_changed)
		err = set(s, o);
	if (err == E_OK && *ret_changed)
		s->version++;
	if (err == E_OK)
		*ret_object = object_ref(*ret_changed ? o : current);
	object_unref(o);
	return err;
}

enum err memory_perform(struct memory_store *s, struct backend_write *w, bool *ret_changed, struct object **ret_object)
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
	if (w->verb != BACKEND_DELETE)
		return put(s, w, current, ret_changed, ret_object);
	*ret_object = take(s, o->kind, o->namespace, o->name);
	*ret_changed = true;
	return E_OK;
}

/* ---- by hand -------------------------------------------------------------------------------------------------------- */

enum err memory_store_edit(struct memory_store *s, struct object *o)
{
	const struct object *current = memory_store_get(s, o->kind, o->namespace, o->name);
	json_object *given = object_tree(o), *tree = given ? tree_fork(given) : NULL;
	struct object *stamped = NULL;
	struct memory_ids ids;
	enum err err = tree ? E_OK : E_NOMEM;

	next_ids(s, current, &ids);
	if (err == E_OK)
		err = tree_meta_set(tree, "uid", !current && o->uid[0] ? o->uid : ids.uid);
	if (err == E_OK)
		err = tree_meta_set(tree, "resourceVersion", ids.version);
	if (err == E_OK)
		err = object_from_tree(o->kind, tree, NULL, &stamped);
	json_object_put(tree);
	json_object_put(given);
	if (err == E_OK)
		err = set(s, stamped);
	if (err == E_OK) {
		s->version++;
		err = memory_report_later(s, stamped, /* gone= */ false);
	}
	object_unref(stamped);
	return err;
}

enum err memory_store_remove(struct memory_store *s, enum object_kind kind, const char *namespace, const char *name)
{
	struct object *last = take(s, kind, namespace, name);
	enum err err;

	if (!last)
		return E_NOT_FOUND;
	err = memory_report_later(s, last, /* gone= */ true);
	object_unref(last);
	return err;
}
