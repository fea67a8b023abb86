#include "principal/hub_impl.h"

#include <stdio.h>

#include "base/mem.h"
#include "sync/project.h"

/* ---- what there is ---------------------------------------------------------------------------------------------- */

static struct bucket *bucket_of(struct hub *h, struct str name)
{
	struct bucket *b = map_get(&h->buckets, name);

	if (b)
		return b;
	b = mem_alloc(sizeof(*b) + name.n + 1);
	if (!b)
		return NULL;
	list_init(&b->objects);
	b->name_n = name.n;
	memcpy(b->name, name.p, name.n);
	if (map_put(&h->buckets, (struct str){ b->name, name.n }, b) == E_OK)
		return b;
	mem_free(b);
	return NULL;
}

static void bucket_settle(struct hub *h, struct bucket *b)
{
	if (!list_empty(&b->objects))
		return;
	(void)map_remove(&h->buckets, (struct str){ b->name, b->name_n });
	mem_free(b);
}

/*
 * Whom it concerns: the agent that owns an application, or in whose namespace it lies; everybody for the rest. Into
 * `ret_name`; and why an application is nobody's: an autonomous agent's copy is that agent's. E_NOMEM.
 */
static enum err concerns(const struct hub *h, const struct object *o, char ret_name[static OBJECT_NAME_MAX + 1],
			 enum mapping_reason *ret_reason)
{
	bool app = o->kind == OBJECT_APPLICATION;
	json_object *tree = app ? object_tree(o) : NULL;
	const char *owner = app ? o->namespace : "";
	enum mapping_reason reason = tree ? mapping_owner(&h->o.mapping, tree, &owner) : MAPPING_OK;

	if (app && !tree)
		return E_NOMEM;
	(void)snprintf(ret_name, OBJECT_NAME_MAX + 1, "%s", owner);
	json_object_put(tree);
	*ret_reason = o->source_uid[0] ? MAPPING_OK : reason;
	return E_OK;
}

static struct known_object *known_new(struct hub *h, struct object *o)
{
	char text[OBJECT_KEY_MAX];
	struct str key = object_key(o->kind, o->namespace, o->name, text);
	struct known_object *k = mem_alloc(sizeof(*k) + key.n);

	if (!k)
		return NULL;
	k->key_n = key.n;
	memcpy(k->key, key.p, key.n);
	if (map_put(&h->objects, (struct str){ k->key, k->key_n }, k) != E_OK) {
		mem_free(k);
		return NULL;
	}
	k->copy = hub_is_copy(o);
	h->kinds[o->kind]++;
	h->reasons[k->reason]++;
	return k;
}

static void known_free(struct hub *h, struct known_object *k)
{
	(void)map_remove(&h->objects, (struct str){ k->key, k->key_n });
	list_remove(&k->in_bucket);
	list_remove(&k->in_untold);
	if (k->bucket)
		bucket_settle(h, k->bucket);
	h->kinds[k->object->kind]--;
	h->reasons[k->reason]--;
	object_unref(k->object);
	mem_free(k);
}

/* All at once: taking them out of the map one by one would look through its beginning again for each. */
void hub_forget_objects(struct hub *h)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&h->objects, &at))) {
		struct known_object *k = e->value;

		object_unref(k->object);
		mem_free(k);
	}
	at = 0;
	while ((e = map_next(&h->buckets, &at)))
		mem_free(e->value);
	missed_release(&h->missed);
	map_release(&h->objects);
	map_release(&h->buckets);
}

/* ---- telling the agents ----------------------------------------------------------------------------------------- */

/* Is it an agent's, and no copy of an agent's own? Not everything that lies in some namespace makes an agent of it. */
static bool is_owned(const struct known_object *k)
{
	return !k->object->source_uid[0] && k->reason == MAPPING_OK;
}

uint64_t hub_owned(const struct hub_agent *agent)
{
	const struct bucket *b = map_get(&agent->hub->buckets, str_of(agent->name.text));
	uint64_t n = 0;

	for (const struct link *l = b ? b->objects.next : NULL; b && l != &b->objects; l = l->next)
		n += is_owned(CONTAINER_OF(l, struct known_object, in_bucket));
	return n;
}

/* The agent of an object, NULL when it is nobody's; made when an application belongs to one that was never heard of. E_NOMEM */
static enum err agent_of(struct hub *h, const struct known_object *k, struct hub_agent **ret_agent)
{
	struct str name = { k->bucket->name, k->bucket->name_n };

	*ret_agent = hub_find(h, name);
	if (h->stopping || !is_owned(k))
		return E_OK;
	*ret_agent = hub_agent(h, name, AGENT_MODE_NONE);
	return *ret_agent ? E_OK : E_NOMEM;
}

/* As hub_next(): those whose copy it may be; their names, and a dash, stand in front of its own (mapping_prefixed()). */
static struct hub_agent *next_of_copy(const struct hub *h, struct str name, size_t *at)
{
	struct hub_agent *a = NULL;

	while (!a && ++*at < name.n)
		if (name.p[*at] == '-')
			a = hub_find(h, str_sub(name, 0, *at));
	return a;
}

/* Who hears of what is nobody's alone. Of a copy that was never anything else the others have heard nothing. */
static struct hub_agent *next_told(const struct hub *h, const struct object *o, bool copy, size_t *at)
{
	return copy ? next_of_copy(h, str_of(o->name), at) : hub_next(h, at);
}

static void report_shared(struct hub *h, struct known_object *k)
{
	bool copy = k->copy && hub_is_copy(k->object);
	struct hub_agent *a;
	size_t at = 0;

	while ((a = next_told(h, k->object, copy, &at)))
		hub_report(a, k->object);
	k->copy = hub_is_copy(k->object);
}

static void miss(struct hub *h, struct object *o)
{
	missed_add(&h->missed, o, h->o.now_ms(h->o.events.ctx));
	if (!h->turning)
		h->o.events.on_wake(h->o.events.ctx);
}

static void report(struct hub *h, struct known_object *k)
{
	struct hub_agent *a = NULL;

	if (k->bucket->name_n == 0)
		report_shared(h, k);
	else if (agent_of(h, k, &a) != E_OK)
		miss(h, k->object);
	else if (a)
		hub_report(a, k->object);
}

/* What names a project in known_object: nobody gains by two that are the same. */
static uint64_t project_number(const char *name)
{
	static const uint64_t key[2] = { 0 };

	return siphash(key, str_of(name)) | 1;
}

/* Repositories go where their project goes: when that has changed, so may they. */
static void report_repositories(struct hub *h, const struct object *project)
{
	uint64_t number = project_number(project->name);
	struct bucket *shared = map_get(&h->buckets, (struct str)STR(""));

	for (struct link *l = shared ? shared->objects.next : NULL; shared && l != &shared->objects; l = l->next) {
		struct known_object *k = CONTAINER_OF(l, struct known_object, in_bucket);

		if (k->project == number)
			report_shared(h, k);
	}
}

static void report_bucket(struct hub_agent *agent, struct str name)
{
	struct bucket *b = map_get(&agent->hub->buckets, name);

	for (struct link *l = b ? b->objects.next : NULL; b && l != &b->objects; l = l->next) {
		struct object *o = CONTAINER_OF(l, struct known_object, in_bucket)->object;

		if (hub_concerns(agent, o))
			hub_report(agent, o);
	}
}

static void complete(struct hub_agent *agent)
{
	const struct hub *h = agent->hub;

	agent->complete = true;
	session_synced(agent->session, h->o.now_ms(h->o.events.ctx), h->o.wall_ns(h->o.events.ctx));
	hub_ready(agent);
}

void hub_report_all(struct hub_agent *agent)
{
	report_bucket(agent, (struct str)STR(""));
	report_bucket(agent, str_of(agent->name.text));
	/* What there was no memory to tell of is not gone: all is told again first. */
	if (agent->hub->state == HUB_SYNCED && !agent->stale_ms)
		complete(agent);
}

enum err hub_project_goes(void *hub, const char *project, const char *agent)
{
	struct hub *h = hub;
	char text[OBJECT_KEY_MAX];
	struct known_object *k = map_get(&h->objects,
					 object_key(OBJECT_APPPROJECT, h->o.mapping.namespace, project, text));
	enum mapping_reason reason;
	json_object *tree;
	enum err err;

	if (!k) /* it may be among those that had no memory */
		return missed_due(&h->missed) == UINT64_MAX ? E_NOT_FOUND : E_NOMEM;
	tree = object_tree(k->object);
	err = tree ? project_reaches(tree, agent, h->o.mapping.by_destination, &reason) : E_NOMEM;
	json_object_put(tree);
	return err != E_OK ? err : reason == MAPPING_OK ? E_OK : E_NOT_FOUND;
}

/* ---- what the backend says -------------------------------------------------------------------------------------- */

static void note_reason(struct hub *h, struct known_object *k, enum mapping_reason reason)
{
	if (k->reason == reason)
		return;
	h->reasons[k->reason]--;
	h->reasons[reason]++;
	k->reason = reason;
	if (reason != MAPPING_OK && h->o.events.on_unowned)
		h->o.events.on_unowned(h->o.events.ctx, k->object, reason);
}

static void note_change(struct hub *h, enum object_kind kind, enum hub_change change)
{
	if (h->state != HUB_LISTING && h->o.events.on_change)
		h->o.events.on_change(h->o.events.ctx, kind, change);
}

/* What it follows, when it is a repository. E_NOMEM */
static enum err note_project(struct known_object *k)
{
	char name[OBJECT_NAME_MAX + 1];
	enum mapping_reason reason;
	json_object *tree;
	enum err err;

	if (k->object->kind != OBJECT_REPOSITORY)
		return E_OK;
	tree = object_tree(k->object);
	err = tree ? project_of_repository(tree, name, &reason) : E_NOMEM;
	if (err == E_OK)
		k->project = reason == MAPPING_OK ? project_number(name) : 0;
	json_object_put(tree);
	return err;
}

/* Put it where it belongs now. The bucket it came from is returned when it is another one, and still there. */
static enum err place(struct hub *h, struct known_object *k, char ret_before[static OBJECT_NAME_MAX + 1])
{
	char name[OBJECT_NAME_MAX + 1];
	struct bucket *now, *before = k->bucket;
	enum mapping_reason reason;

	ret_before[0] = 0;
	if (concerns(h, k->object, name, &reason) != E_OK || note_project(k) != E_OK)
		return E_NOMEM;
	note_reason(h, k, reason);
	now = bucket_of(h, str_of(name));
	if (!now)
		return E_NOMEM;
	if (now == before)
		return E_OK;
	if (before)
		(void)snprintf(ret_before, OBJECT_NAME_MAX + 1, "%s", before->name);
	list_remove(&k->in_bucket);
	list_put_last(&now->objects, &k->in_bucket);
	k->bucket = now;
	if (before)
		bucket_settle(h, before);
	return E_OK;
}

static void on_object(void *ctx, struct object *o)
{
	struct hub *h = ctx;
	char text[OBJECT_KEY_MAX], before[OBJECT_NAME_MAX + 1];
	struct known_object *k = map_get(&h->objects, object_key(o->kind, o->namespace, o->name, text));
	enum hub_change change = k ? HUB_UPDATED : HUB_CREATED;
	struct hub_agent *old;

	missed_forget(&h->missed, o);
	if (!k && !(k = known_new(h, o))) {
		miss(h, o);
		return;
	}
	object_unref(k->object);
	k->object = object_ref(o);
	if (place(h, k, before) != E_OK) {
		if (!k->bucket)
			known_free(h, k); /* else it is still known whose it was */
		miss(h, o);
		return;
	}
	note_change(h, o->kind, change);
	list_remove(&k->in_untold);
	if (h->state == HUB_LISTING) { /* whose repository it is, say, is known when all projects are */
		if (k->bucket->name_n) {
			(void)agent_of(h, k, &old); /* without memory later, when it is told */
			list_put_last(&h->untold, &k->in_untold);
		}
		return;
	}
	/* It moved from one agent to another: the old one hears first (facts 4.4). */
	if (before[0] && (old = hub_find(h, str_of(before))))
		hub_report(old, o);
	report(h, k);
	if (o->kind == OBJECT_APPPROJECT)
		report_repositories(h, o);
}

void hub_look_again(struct hub *h, uint64_t now_ms)
{
	struct object *o;

	for (size_t n = missed_begin(&h->missed, now_ms); n && (o = missed_take(&h->missed)); n--) {
		on_object(h, o);
		object_unref(o);
	}
}

static void tell_gone(struct hub_agent *a, struct object *last)
{
	struct hub *h = a->hub;

	session_object_gone(a->session, last, h->o.now_ms(h->o.events.ctx), h->o.wall_ns(h->o.events.ctx));
	hub_ready(a);
}

static void on_gone(void *ctx, struct object *last)
{
	struct hub *h = ctx;
	char text[OBJECT_KEY_MAX];
	struct known_object *k = map_get(&h->objects, object_key(last->kind, last->namespace, last->name, text));
	struct hub_agent *a;
	bool shared = last->kind != OBJECT_APPLICATION, copy = k && k->copy && hub_is_copy(last);
	char name[OBJECT_NAME_MAX + 1] = "";
	size_t at = 0;

	missed_forget(&h->missed, last);
	if (k) {
		(void)snprintf(name, sizeof(name), "%s", k->bucket->name);
		known_free(h, k);
		note_change(h, last->kind, HUB_DELETED);
	}
	if (!shared && (a = hub_find(h, str_of(name))))
		tell_gone(a, last);
	while (shared && (a = next_told(h, last, copy, &at)))
		tell_gone(a, last);
	if (last->kind == OBJECT_APPPROJECT)
		report_repositories(h, last);
}

static struct hub_agent *incomplete(const struct hub *h)
{
	struct hub_agent *a;
	size_t at = 0;

	while ((a = hub_next(h, &at)) && a->complete)
		;
	return a;
}

/* Who was not told of all for want of memory must not take the rest for gone: it is tried again a little later. */
static bool lacks_memory(const struct hub *h)
{
	const struct hub_agent *a = incomplete(h);

	return missed_due(&h->missed) != UINT64_MAX || (a && a->stale_ms);
}

bool hub_is_telling(const struct hub *h)
{
	return h->state == HUB_TELLING && !h->stopping && (!list_empty(&h->untold) || !lacks_memory(h));
}

void hub_tell(struct hub *h)
{
	struct hub_agent *a;
	struct link *first;

	if (!hub_is_telling(h))
		return;
	for (size_t n = 0; n < HUB_TELL_MAX && (first = list_first(&h->untold)); n++) {
		struct known_object *k = CONTAINER_OF(first, struct known_object, in_untold);

		list_remove(first);
		report(h, k);
	}
	if (!list_empty(&h->untold) || lacks_memory(h))
		return;
	if ((a = incomplete(h)))
		complete(a); /* which looks at all that it has: one in a turn */
	if (incomplete(h))
		return;
	h->state = HUB_SYNCED;
	h->o.events.on_synced(h->o.events.ctx);
}

static void on_synced(void *ctx)
{
	struct hub *h = ctx;
	struct bucket *shared = map_get(&h->buckets, (struct str)STR(""));

	h->state = HUB_TELLING;
	for (struct link *l = shared ? shared->objects.next : NULL; shared && l != &shared->objects; l = l->next)
		report_shared(h, CONTAINER_OF(l, struct known_object, in_bucket));
	hub_tell(h);
	if (!h->turning)
		h->o.events.on_wake(h->o.events.ctx);
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct hub *h = ctx;
	struct hub_agent *a;
	size_t at = 0;

	h->o.events.on_problem(h->o.events.ctx, why, bad);
	while (!bad && (a = hub_next(h, &at))) {
		session_recovered(a->session);
		hub_ready(a);
	}
}

const struct backend_watcher hub_watcher = {
	.on_object = on_object, .on_gone = on_gone, .on_synced = on_synced, .on_problem = on_problem
};
