#include <stdio.h>

#include "backend/kubernetes_impl.h"
#include "base/rand.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "event/json_walk.h"

#define WATCH_LINE_MAX ((size_t)2 * OBJECT_MAX) /* of a watch: an object and what surrounds it */
#define WATCH_S        300                      /* a watch lasts so long, and up to twice that: not all end at once */
#define WATCH_GRACE_MS 30000                    /* and then it is cut */
#define PAGE_SHRINK    8 /* a page that was too large, or took too long, is tried again with fewer objects */

static void start_fetch(struct kube_scope *s);

/* ---- problems ------------------------------------------------------------------------------------------------------- */

static const char *where(const struct kube_scope *s)
{
	return s->namespace[0] ? s->namespace : "all namespaces";
}

static void tell_good(struct kube_scope *s)
{
	struct why why = { 0 };

	if (s->problem == E_OK)
		return;
	s->problem = E_OK;
	(void)why_set(&why, E_OK, "%ss of %s", object_kind_name(s->kind), where(s));
	kube_problem(s->kube, /* bad= */ false, &why);
}

/* Once, and again when it is another one: a server that is there, but lets us see nothing, is not the one that was away. */
static void tell_problem(struct kube_scope *s, enum err err, struct why *why)
{
	if (s->problem == err)
		return;
	tell_good(s);
	s->problem = err;
	why_add(why, "%ss of %s", object_kind_name(s->kind), where(s));
	kube_problem(s->kube, /* bad= */ true, why);
}

/* ---- objects -------------------------------------------------------------------------------------------------------- */

/* Something that is no object to us: its last good state stays for as long as it is there. */
static enum err take_broken(struct kube_scope *s, json_object *tree, bool gone, struct why *why)
{
	const char *namespace = tree_meta(tree, "namespace"), *name = tree_meta(tree, "name");
	struct kube_entry *e;
	enum err err = E_OK;

	if (!object_name_ok(str_of(name)))
		return E_OK;
	e = kube_entry_make(s->kube, s->kind, namespace, name);
	if (!e)
		return E_NOMEM;
	e->seen = s->round;
	if (gone) {
		err = kube_entry_lost(e);
	} else {
		why_add(why, "%s %s/%s", object_kind_name(s->kind), namespace, name);
		kube_entry_broken(e, why);
	}
	kube_entry_rest(e);
	return err;
}

/* The same, where there is not even a tree. */
static enum err take_unreadable(struct kube_scope *s, struct str object, bool gone, struct why *why)
{
	json_object *name = NULL;
	enum err err = kube_name_alone(object, &name);

	if (err == E_OK)
		err = take_broken(s, name, gone, why);
	json_object_put(name);
	return err == E_NOMEM ? err : E_OK;
}

/* Not E_OK: it could not be taken, and the list has to come again. */
static enum err take_tree(struct kube_scope *s, json_object *tree, bool gone, struct why *why)
{
	struct object *o = NULL;
	enum err err = kube_object(s->kind, tree, why, &o);
	struct kube_entry *e;

	if (kube_is_broken(err))
		return take_broken(s, tree, gone, why);
	if (err != E_OK)
		return err;
	e = kube_entry_make(s->kube, o->kind, o->namespace, o->name);
	err = e ? E_OK : E_NOMEM;
	if (e) {
		e->seen = s->round;
		err = kube_entry_hear(e, o, gone);
		kube_entry_rest(e);
	}
	object_unref(o);
	return err;
}

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

static bool is_of(const struct kube_scope *s, const struct kube_entry *e)
{
	char text[OBJECT_KEY_MAX];
	struct str begin = object_key(s->kind, s->namespace, "", text);

	if (!s->namespace[0])
		begin.n--; /* of any namespace: the kind alone */
	return str_starts(str_of(e->key), begin);
}

/* What the list did not have is gone, unless it was made after it; and what was heard of it before the list is none any more. */
static enum err compare_entry(struct kube_scope *s, struct kube_entry *e)
{
	if (!is_of(s, e))
		return E_OK;
	if (e->seen != s->round)
		kube_entry_drop_held(e);
	if (e->buried && e->buried_at < s->round && !e->held)
		object_unref(TAKE(e->buried));
	if (e->seen == s->round || (e->object && kube_is_older(buf_cstr(&s->version), e->object->version)))
		return E_OK;
	return kube_entry_lost(e);
}

/* The watcher may write, and so make entries: the walk is over a copy. */
static enum err compare_all(struct kube_scope *s)
{
	struct kubernetes *k = s->kube;
	struct kube_entry **entries = mem_array(k->entries.n + 1, sizeof(struct kube_entry *));
	const struct map_entry *entry;
	size_t at = 0, n = 0;
	enum err err = entries ? E_OK : E_NOMEM;

	while (entries && (entry = map_next(&k->entries, &at)))
		entries[n++] = entry->value;
	for (size_t i = 0; i < n && err == E_OK; i++) {
		err = compare_entry(s, entries[i]);
		kube_entry_rest(entries[i]);
	}
	mem_free(entries);
	return err;
}

static enum err take_items(struct kube_scope *s, struct json_walk *w, struct why *why)
{
	enum err err = E_OK;

	if (json_walk_peek(w) == 'n')
		return E_OK; /* null: there are none */
	if (json_walk_peek(w) != '[')
		return why_set(why, E_MALFORMED, "the answer has no items");
	json_walk_enter(w);
	while (err == E_OK && json_walk_next(w)) {
		struct str item = json_walk_value(w);
		json_object *tree = NULL;

		err = tree_parse(item, why, &tree);
		if (err == E_OK)
			err = take_tree(s, tree, /* gone= */ false, why);
		else if (kube_is_broken(err))
			err = take_unreadable(s, item, /* gone= */ false, why);
		json_object_put(tree);
	}
	return err;
}

/* Of the list itself: where to watch from, and how to go on. */
static enum err take_list_meta(struct kube_scope *s, struct str raw)
{
	struct json_member m[] = { { .name = "resourceVersion" }, { .name = "continue" } };
	CLEANUP(buf_release) struct buf arena = { 0 };
	struct str version, more;

	(void)buf_reserve(&arena, raw.n + 1);
	if (arena.err != E_OK || json_members(raw, m, ARRAY_LEN(m)) != E_OK ||
	    !json_member_text(&m[0], &arena, &version) || !json_member_text(&m[1], &arena, &more))
		return E_MALFORMED;
	buf_clear(&s->version);
	buf_str(&s->version, version);
	buf_clear(&s->more);
	buf_str(&s->more, more);
	if (!buf_cstr(&s->version) || !buf_cstr(&s->more))
		return E_NOMEM;
	return version.n ? E_OK : E_MALFORMED;
}

static enum err take_page(struct kube_scope *s, struct str answer, struct why *why)
{
	struct json_member m[] = { { .name = "metadata" }, { .name = "items" } };
	CLEANUP(buf_release) struct buf text = { 0 };
	struct json_walk items;
	enum err err = json_compact(answer, /* plain= */ true, &text, why);

	if (err == E_OK)
		err = json_members(buf_view(&text), m, ARRAY_LEN(m));
	if (err == E_OK)
		err = take_list_meta(s, m[0].raw);
	if (err != E_OK)
		return why_set(why, err, "the answer is not a list");
	items = json_walk(m[1].raw);
	return take_items(s, &items, why);
}

static void list_again(struct kube_scope *s)
{
	s->state = KUBE_LISTING;
	buf_clear(&s->more);
}

static enum err list_done(struct kube_scope *s, struct why *why)
{
	enum err err = take_page(s, buf_view(&s->fetch.answer), why);

	if (err == E_OK && s->more.n)
		return E_OK;
	if (err == E_OK)
		err = compare_all(s);
	if (err != E_OK) {
		list_again(s);
		return why_add(why, "list");
	}
	s->synced = true;
	s->state = KUBE_WATCHING;
	s->page = KUBERNETES_PAGE;
	kube_look(s->kube);
	return E_OK;
}

/* ---- watches -------------------------------------------------------------------------------------------------------- */

static enum err take_event(struct kube_scope *s, const char *type, json_object *tree, struct why *why)
{
	const char *version = tree_meta(tree, "resourceVersion");
	bool gone = strcmp(type, "DELETED") == 0;
	enum err err = E_OK;

	if (strcmp(type, "ERROR") == 0) {
		s->expired = true; /* 410 Gone, nearly always */
		return E_OK;
	}
	if (!version[0])
		return E_OK;
	buf_clear(&s->version);
	buf_str(&s->version, str_of(version));
	if (!buf_cstr(&s->version))
		return E_NOMEM;
	if (gone || strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0)
		err = take_tree(s, tree, gone, why);
	return err;
}

/* What follows can still be understood. */
static enum err take_broken_line(struct kube_scope *s, struct str line, struct why *why)
{
	struct json_member m[] = { { .name = "type" }, { .name = "object" } };
	CLEANUP(buf_release) struct buf text = { 0 };
	enum err err = json_compact(line, /* plain= */ true, &text, NULL);

	if (err == E_OK)
		err = json_members(buf_view(&text), m, ARRAY_LEN(m));
	if (err != E_OK)
		return err == E_NOMEM ? err : E_OK;
	s->news = true;
	return take_unreadable(s, m[1].raw, str_is(m[0].raw, "\"DELETED\""), why);
}

static enum err take_line(struct kube_scope *s, struct str line, struct why *why)
{
	json_object *tree = NULL, *object, *type;
	enum err err = tree_parse(line, why, &tree);

	object = tree_member(tree, "object");
	type = tree_member(tree, "type");
	if (err == E_OK && type && json_object_is_type(object, json_type_object)) {
		s->news = true;
		err = take_event(s, json_object_get_string(type), object, why);
	} else if (kube_is_broken(err)) {
		err = take_broken_line(s, line, why);
	}
	json_object_put(tree);
	return err;
}

/* Up to the next line's end, or all of it. */
static enum err take_some(struct kube_scope *s, struct str *rest)
{
	size_t n = str_find(*rest, '\n');
	bool whole = n < rest->n;
	struct why why = { 0 };
	enum err err = E_OK;

	if (!s->skipping)
		buf_str(&s->line, str_sub(*rest, 0, n));
	*rest = str_sub(*rest, n + 1, rest->n);
	if (s->line.err == E_NOMEM)
		return E_NOMEM;
	if (s->line.err == E_LIMIT)
		s->skipping = true;
	if (!whole)
		return E_OK;
	if (!s->skipping && s->line.n)
		err = take_line(s, buf_view(&s->line), &why);
	s->skipping = false;
	buf_clear(&s->line);
	return err;
}

static enum err on_piece(struct http_fetch *f, struct str piece)
{
	struct kube_scope *s = CONTAINER_OF(f, struct kube_scope, fetch);
	enum err err = E_OK;

	while (piece.n && err == E_OK && !s->expired)
		err = take_some(s, &piece);
	if (err != E_OK)
		s->expired = true;
	return s->expired ? E_CANCELLED : E_OK;
}

/* It may be long until something happens. */
static void on_head(struct http_fetch *f)
{
	struct kube_scope *s = CONTAINER_OF(f, struct kube_scope, fetch);

	s->open = true;
	tell_good(s);
}

/* ---- one request after the other ------------------------------------------------------------------------------------- */

static void add_query(struct kube_scope *s)
{
	const char *selector = kube_selector(s->kind);

	buf_clear(&s->target);
	kube_path(&s->target, s->kind, s->namespace, NULL);
	buf_addf(&s->target, "?%s%s", selector, selector[0] ? "&" : "");
}

static void list_target(struct kube_scope *s)
{
	add_query(s);
	buf_addf(&s->target, "limit=%u", s->page);
	if (!s->more.n)
		return;
	buf_lit(&s->target, "&continue=");
	kube_escape(&s->target, buf_view(&s->more));
}

static uint64_t watch_target(struct kube_scope *s)
{
	unsigned seconds = WATCH_S + (unsigned)(rand_u64() % WATCH_S);

	add_query(s);
	buf_addf(&s->target, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%u&resourceVersion=%s", seconds,
		 buf_cstr(&s->version));
	return (uint64_t)seconds * 1000 + WATCH_GRACE_MS;
}

static void on_done(struct http_fetch *f);

static void start_fetch(struct kube_scope *s)
{
	struct kubernetes *k = s->kube;
	bool watch = s->state == KUBE_WATCHING;
	uint64_t timeout_ms = KUBERNETES_WRITE_MS;

	if (watch) {
		timeout_ms = watch_target(s);
	} else {
		if (!s->more.n) {
			s->round = ++k->rounds;
			metric_inc(k->lists);
		}
		list_target(s);
	}
	s->open = s->news = s->expired = s->skipping = false;
	buf_clear(&s->line);
	metric_inc(k->requests);
	s->fetch = (struct http_fetch){ .method = "GET",
					.target = buf_cstr(&s->target),
					.bearer = kube_bearer(k, &s->bearer),
					.timeout_ms = timeout_ms,
					.answer_max = KUBERNETES_LIST_MAX,
					.on_piece = watch ? on_piece : NULL,
					.on_head = watch ? on_head : NULL,
					.on_done = on_done };
	s->running = true;
	http_client_start(k->client, &s->fetch);
}

static void on_retry(struct loop_timer *timer)
{
	start_fetch(CONTAINER_OF(timer, struct kube_scope, retry));
}

static void wait_and_retry(struct kube_scope *s)
{
	uint64_t step_ms = kube_backoff_ms(s->failures++, s->fetch.retry_after_ms);

	if (loop_timer_start(s->kube->loop, &s->retry, step_ms) != E_OK)
		start_fetch(s); /* no memory for a timer: the request takes its time, too */
}

/* The answer had begun. A server that says nothing at all in time is away, and would be as slow with less. */
static bool is_too_much(const struct kube_scope *s)
{
	const struct http_fetch *f = &s->fetch;

	return s->state == KUBE_LISTING && s->page > 1 && f->status == 200 &&
	       (f->err == E_LIMIT || f->err == E_TIMEOUT);
}

static void failed(struct kube_scope *s, enum err err, struct why *why)
{
	metric_inc(s->kube->failures);
	if (s->fetch.status == 401)
		kube_forget_token(s->kube);
	/* The rest of a list is forgotten after minutes. */
	if (s->fetch.status == 410)
		list_again(s);
	if (is_too_much(s)) {
		s->page = s->page / PAGE_SHRINK ? s->page / PAGE_SHRINK : 1;
		why_add(why, "asking for pages of %u", s->page);
		list_again(s);
	}
	tell_problem(s, err, why);
	wait_and_retry(s);
}

static void watch_ended(struct kube_scope *s, enum err err, struct why *why)
{
	if (s->expired || s->fetch.status == 410) {
		list_again(s);
		wait_and_retry(s);
		return;
	}
	if (err != E_OK && !s->open) {
		failed(s, err, why);
		return;
	}
	/* Servers, and what lies between, end a watch when they like; one that ends each at once is not asked again at once. */
	if (s->news)
		s->failures = 0;
	if (s->news || !s->failures++)
		start_fetch(s);
	else
		wait_and_retry(s);
}

static void on_done(struct http_fetch *f)
{
	struct kube_scope *s = CONTAINER_OF(f, struct kube_scope, fetch);
	struct why why = { 0 };
	enum err err = kube_outcome(f, &why);

	s->running = false;
	if (!s->kube->watching) {
		kube_look(s->kube);
		return;
	}
	if (s->state == KUBE_WATCHING) {
		watch_ended(s, err, &why);
		return;
	}
	if (err == E_OK)
		err = list_done(s, &why);
	if (err != E_OK) {
		failed(s, err, &why);
		return;
	}
	s->failures = 0;
	tell_good(s);
	start_fetch(s);
}

/* ---- scopes --------------------------------------------------------------------------------------------------------- */

static enum err scope_add(struct kubernetes *k, enum object_kind kind, const char *namespace)
{
	size_t n = strlen(namespace);
	struct kube_scope *s = mem_alloc(sizeof(*s) + n + 1);

	if (!s)
		return E_NOMEM;
	memcpy(s->name, namespace, n + 1);
	s->kube = k;
	s->kind = kind;
	s->namespace = s->name;
	s->page = KUBERNETES_PAGE;
	s->line.max = WATCH_LINE_MAX;
	s->retry.on_due = on_retry;
	s->next = k->scopes;
	k->scopes = s;
	return E_OK;
}

static bool has_scope(const struct kubernetes *k, enum object_kind kind, const char *namespace)
{
	const struct kube_scope *s = k->scopes;

	while (s && (s->kind != kind || strcmp(s->namespace, namespace) != 0))
		s = s->next;
	return s != NULL;
}

static enum err add_one(struct kubernetes *k, struct str namespace)
{
	char name[OBJECT_NAME_MAX + 1];

	str_copy(namespace, name, sizeof(name));
	return has_scope(k, OBJECT_APPLICATION, name) ? E_OK : scope_add(k, OBJECT_APPLICATION, name);
}

/* A pattern may mean any of them; what is left of one that a comma cut is no name, either. */
static bool needs_all(const struct kubernetes_options *o)
{
	for (size_t i = 0; i < o->namespace_count; i++)
		for (struct str rest = str_of(o->namespaces[i]); rest.n;)
			if (!object_name_ok(str_trim(str_cut(&rest, ','))))
				return true;
	return o->everywhere;
}

static enum err add_applications(struct kubernetes *k, const struct kubernetes_options *o)
{
	enum err err;

	if (needs_all(o))
		return scope_add(k, OBJECT_APPLICATION, "");
	err = scope_add(k, OBJECT_APPLICATION, o->namespace);
	for (size_t i = 0; i < o->namespace_count; i++)
		for (struct str rest = str_of(o->namespaces[i]); rest.n && err == E_OK;)
			err = add_one(k, str_trim(str_cut(&rest, ',')));
	return err;
}

enum err kube_scopes_make(struct kubernetes *k, const struct kubernetes_options *o)
{
	static const enum object_kind others[] = { OBJECT_APPPROJECT, OBJECT_REPOSITORY, OBJECT_GPGKEY };
	enum err err = add_applications(k, o);

	for (size_t i = 0; i < ARRAY_LEN(others) && err == E_OK; i++)
		err = scope_add(k, others[i], o->namespace);
	return err;
}

bool kube_scopes_cover(const struct kubernetes *k, const struct object *o)
{
	return has_scope(k, o->kind, o->namespace) || has_scope(k, o->kind, "");
}

void kube_scopes_start(struct kubernetes *k)
{
	for (struct kube_scope *s = k->scopes; s; s = s->next)
		start_fetch(s);
}

void kube_scopes_stop(struct kubernetes *k)
{
	for (struct kube_scope *s = k->scopes; s; s = s->next) {
		loop_timer_stop(k->loop, &s->retry);
		if (s->running)
			http_client_cancel(k->client, &s->fetch);
	}
}

bool kube_scopes_idle(const struct kubernetes *k)
{
	const struct kube_scope *s = k->scopes;

	while (s && !s->running)
		s = s->next;
	return !s;
}

bool kube_scopes_synced(const struct kubernetes *k)
{
	const struct kube_scope *s = k->scopes;

	while (s && s->synced)
		s = s->next;
	return !s;
}

void kube_scopes_release(struct kubernetes *k)
{
	while (k->scopes) {
		struct kube_scope *s = k->scopes;

		k->scopes = s->next;
		loop_timer_stop(k->loop, &s->retry);
		buf_release(&s->target);
		buf_wipe(&s->bearer);
		buf_release(&s->line);
		buf_release(&s->version);
		buf_release(&s->more);
		mem_free(s);
	}
}
