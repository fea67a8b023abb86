#include "base/mem.h"
#include "sync/source_impl.h"

/* ---- entries ---------------------------------------------------------------------------------------------------- */

static struct entry *entry_new(enum object_kind kind, const char *namespace, const char *name, struct str key)
{
	size_t namespace_n = strlen(namespace) + 1, name_n = strlen(name) + 1;
	struct entry *e = mem_alloc(sizeof(*e) + key.n + namespace_n + name_n);

	if (!e)
		return NULL;
	e->kind = kind;
	e->key_n = key.n;
	memcpy(e->key, key.p, key.n);
	e->namespace = memcpy(e->key + key.n, namespace, namespace_n);
	e->name = memcpy(e->namespace + namespace_n, name, name_n);
	return e;
}

struct entry *source_entry(struct source *s, enum object_kind kind, const char *namespace, const char *name, bool make)
{
	char text[OBJECT_KEY_MAX];
	struct str key = object_key(kind, namespace, name, text);
	struct entry *e = map_get(&s->entries, key);

	if (e || !make)
		return e;
	e = entry_new(kind, namespace, name, key);
	if (!e || map_put(&s->entries, (struct str){ e->key, e->key_n }, e) != E_OK) {
		mem_free(e);
		return NULL;
	}
	list_put_last(&s->all, &e->in_all);
	return e;
}

static void count(struct source *s, struct entry *e)
{
	bool behind = source_is_behind(e);

	s->objects -= e->has;
	s->behind -= e->behind;
	e->has = e->truth != NULL;
	e->behind = behind;
	s->objects += e->has;
	s->behind += e->behind;
}

void source_settle(struct source *s, struct entry *e)
{
	count(s, e);
	if (e->truth || e->copies)
		return;
	s->held -= e->held;
	(void)map_remove(&s->entries, (struct str){ e->key, e->key_n });
	list_remove(&e->in_all);
	list_remove(&e->in_later);
	mem_free(e);
}

/* ---- copies ----------------------------------------------------------------------------------------------------- */

struct copy *source_copy_of(const struct entry *e, const char *uid)
{
	for (struct copy *c = e->copies; c; c = c->next)
		if (strcmp(c->uid, uid) == 0)
			return c;
	return NULL;
}

static void append(struct copy **list, struct copy *c)
{
	while (*list)
		list = &(*list)->next;
	*list = c;
}

struct copy *source_copy_add(struct source *s, struct entry *e, struct str uid)
{
	size_t name_n = strlen(e->name);
	struct copy *c = mem_alloc(sizeof(*c) + name_n + uid.n + 2);

	if (!c)
		return NULL;
	/* The resource id "<name>_<uid>" (wire/ids.h): the UID is its end. */
	memcpy(c->resource_id, e->name, name_n);
	c->resource_id[name_n] = '_';
	c->uid = c->resource_id + name_n + 1;
	memcpy(c->uid, uid.p, uid.n);
	c->entry = e;
	c->number = ++s->copied;
	if (map_get(&s->copies, str_of(c->resource_id)) || map_put(&s->copies, str_of(c->resource_id), c) != E_OK) {
		mem_free(c);
		return NULL;
	}
	append(&e->copies, c);
	return c;
}

static struct room_share share_of(const struct copy *c)
{
	return (struct room_share){ .objects = source_copy_is_learned(c) };
}

void source_copy_version(struct source *s, struct copy *c, const char *version)
{
	str_copy(str_of(version), c->version, sizeof(c->version));
	room_set(s->o.room, &c->share, share_of(c));
}

bool source_copy_is_learned(const struct copy *c)
{
	return strcmp(c->version, SOURCE_LEARNED) == 0;
}

void source_copy_force(struct copy *c)
{
	c->forced = !digest_is_empty(&c->entry->state.desired);
	c->forced_status = !digest_is_empty(&c->entry->state.status);
}

void source_copy_drop(struct source *s, struct copy *c)
{
	struct copy **at = &c->entry->copies;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	while (c->commands)
		source_command_drop(c, c->commands);
	(void)map_remove(&s->copies, str_of(c->resource_id));
	room_set(s->o.room, &c->share, (struct room_share){ 0 });
	mem_free(c->offered_desired);
	mem_free(c->offered_status);
	mem_free(c->remembered);
	mem_free(c);
}
