#include "backend/kubernetes_secrets.h"

#include "backend/kubernetes_impl.h"
#include "backend/object.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/rand.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "event/json_walk.h"

#define LOGGER     "kubernetes"
#define ANSWER_MAX ((size_t)2 << 20) /* a Secret has at most 1 MiB, which is a third more in base64 */
#define LIST_MS    30000
#define WATCH_S    300   /* a watch lasts so long, and up to twice that */
#define GRACE_MS   30000 /* and then it is cut */
#define CALM_MS    30000 /* one that lasted so long is nobody's who ends each at once */

struct watched {
	struct kubernetes_secrets *all;
	struct kubernetes_secret *secret;
	bool watching;    /* else it is listed */
	bool running;     /* the fetch is the client's */
	bool open;        /* the head of the watch has come */
	bool known;       /* it was listed */
	bool lacks;       /* something that is wanted, when it was listed last */
	enum err problem; /* said; E_OK: none */
	unsigned failures;
	uint64_t since_ms;  /* of the watch */
	struct buf version; /* of the list */
	struct buf seen;    /* of the Secret in it, as it stands there; nothing: it was not there */
	struct buf target, bearer;
	struct buf answer; /* of the list */
	struct http_fetch fetch;
	struct loop_timer retry;
};

struct kubernetes_secrets {
	struct loop *loop;
	struct kubernetes_config *config;
	struct http_client *client;
	const char *namespace;
	void (*on_ready)(void *ctx, const struct why *why);
	void (*on_change)(void *ctx);
	void *ctx;
	enum { READING, READ, REFUSED } state; /* what on_ready() has said */
	bool closing;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
	size_t count;
	struct watched watched[];
};

/* ---- what is said of it ----------------------------------------------------------------------------------------------- */

static const char *kind_of(const struct watched *w)
{
	return w->secret->is_map ? "ConfigMap" : "Secret";
}

static enum err add_where(const struct watched *w, struct why *why)
{
	return why_add(why, "%s %s/%s", kind_of(w), w->all->namespace, w->secret->name);
}

/* Once for each reason, not for each try. */
static void say_problem(struct watched *w, const struct why *why)
{
	if (w->problem == why->err)
		return;
	w->problem = why->err;
	log_warn(LOGGER,
		 w->known ? "what is in the cluster cannot be read: what was there before is used"
			  : "what is in the cluster cannot be read yet: it is tried again until it can",
		 LOG_WHY(why));
}

static void say_good(struct watched *w)
{
	if (w->problem == E_OK)
		return;
	w->problem = E_OK;
	log_info(LOGGER, "what is in the cluster is read again", LOG_S("kind", kind_of(w)),
		 LOG_S("name", w->secret->name));
}

static enum err lacks_secret(const struct watched *w, struct why *why)
{
	const struct kubernetes_secret *s = w->secret;
	const char *joint = s->any ? " or " : " and ", *second = s->keys[1];

	return why_set(why, E_NOT_FOUND, "it is not there: create it, with %s%s%s, or %s", s->keys[0],
		       second ? joint : "", second ? second : "", s->instead);
}

static enum err lacks_key(const struct watched *w, const char *key, struct why *why)
{
	const struct kubernetes_secret *s = w->secret;
	bool several = s->any && s->keys[1];

	return why_set(why, E_NOT_FOUND, "it has no %s%s%s, or nothing in it: add that, or %s", key,
		       several ? " and no " : "", several ? s->keys[1] : "", s->instead);
}

/* ---- what it says ----------------------------------------------------------------------------------------------------- */

/* What a member of `data` says, appended; nothing: it is not there, or empty. */
static enum err add_text(struct str data, const char *key, struct why *why, struct buf *ret_text)
{
	struct str raw = json_member_raw(data, key);

	if (!raw.p || str_is(raw, "null"))
		return E_OK;
	if (raw.p[0] != '"' || !base64_read(str_sub(raw, 1, raw.n - 2), ret_text))
		return why_set(why, E_MALFORMED, "%s is not base64", key);
	return ret_text->err == E_OK ? E_OK : why_set(why, E_NOMEM, "no memory");
}

/* All behind each other, but what two of them say once. */
static enum err add_any(const struct watched *w, struct str data, struct why *why, struct buf *ret_text)
{
	const char *const *keys = w->secret->keys;
	struct str first = { 0 };
	enum err err = E_OK;

	for (size_t i = 0; i < KUBERNETES_SECRET_KEYS && keys[i] && err == E_OK; i++) {
		struct str raw = json_member_raw(data, keys[i]);

		if (i > 0 && str_eq(raw, first))
			continue;
		first = raw;
		err = add_text(data, keys[i], why, ret_text);
		if (ret_text->n)
			buf_char(ret_text, '\n');
	}
	if (err == E_OK && ret_text->n == 0)
		return lacks_key(w, keys[0], why);
	return err;
}

/* Kubernetes has none that JSON would escape. */
static enum err add_names(struct str data, struct why *why, struct buf *ret_text)
{
	struct json_walk j = json_walk(data);

	if (json_walk_peek(&j) != '{')
		return E_OK;
	json_walk_enter(&j);
	while (json_walk_next(&j)) {
		struct str key = json_walk_key(&j);

		(void)json_walk_value(&j);
		buf_str(ret_text, str_sub(key, 1, key.n - 2));
		buf_char(ret_text, '\n');
	}
	return ret_text->err == E_OK ? E_OK : why_set(why, E_NOMEM, "no memory");
}

static enum err add_each(const struct watched *w, struct str data, struct why *why, struct buf *ret_texts)
{
	const char *const *keys = w->secret->keys;
	enum err err = E_OK;

	for (size_t i = 0; i < KUBERNETES_SECRET_KEYS && keys[i] && err == E_OK; i++) {
		err = add_text(data, keys[i], why, &ret_texts[i]);
		if (err == E_OK && ret_texts[i].n == 0)
			err = lacks_key(w, keys[i], why);
	}
	return err;
}

/* Whether these are others than before. */
static bool take_texts(struct kubernetes_secret *s, struct buf *fresh)
{
	bool changed = false;

	for (size_t i = 0; i < KUBERNETES_SECRET_KEYS; i++) {
		struct buf before = s->texts[i];

		changed |= !str_eq(buf_view(&before), buf_view(&fresh[i]));
		s->texts[i] = fresh[i];
		fresh[i] = before;
	}
	return changed;
}

static enum err take_secret(struct watched *w, struct str item, struct why *why, bool *ret_changed)
{
	struct str data = json_member_raw(item, "data");
	struct buf fresh[KUBERNETES_SECRET_KEYS] = { 0 };
	enum err err = E_OK;

	/* Room for all, so that none grows and leaves a part of it behind. */
	for (size_t i = 0; i < KUBERNETES_SECRET_KEYS; i++)
		if (!buf_reserve(&fresh[i], data.n + KUBERNETES_SECRET_KEYS))
			err = why_set(why, E_NOMEM, "no memory");
	if (err == E_OK)
		err = w->secret->is_map ? add_names(data, why, &fresh[0])
		      : w->secret->any  ? add_any(w, data, why, &fresh[0])
					: add_each(w, data, why, fresh);
	if (err == E_OK)
		*ret_changed = take_texts(w->secret, fresh);
	for (size_t i = 0; i < KUBERNETES_SECRET_KEYS; i++)
		buf_wipe(&fresh[i]);
	return err;
}

/* Where to watch from: of the list, as that of the Secret may be older than what the server remembers. */
static enum err take_version(struct watched *w, struct str metadata)
{
	struct json_member m = { .name = "resourceVersion", .raw = json_member_raw(metadata, "resourceVersion") };
	CLEANUP(buf_release) struct buf arena = { 0 };
	struct str version;

	(void)buf_reserve(&arena, m.raw.n + 1);
	if (arena.err != E_OK || !json_member_text(&m, &arena, &version) || version.n == 0)
		return E_MALFORMED;
	buf_clear(&w->version);
	kube_escape(&w->version, version);
	return buf_cstr(&w->version) ? E_OK : E_NOMEM;
}

/* Nothing: there is none. */
static struct str first_of(struct str items)
{
	struct json_walk w = json_walk(items);

	if (json_walk_peek(&w) != '[')
		return (struct str){ 0 };
	json_walk_enter(&w);
	return json_walk_next(&w) ? json_walk_value(&w) : (struct str){ 0 };
}

/* A watch that ended with news did what it is for. */
static void note_seen(struct watched *w, struct str version)
{
	if (str_eq(buf_view(&w->seen), version))
		return;
	buf_clear(&w->seen);
	buf_str(&w->seen, version);
	w->failures = 0;
}

static enum err take_list(struct watched *w, struct str answer, struct why *why, bool *ret_changed)
{
	struct json_member m[] = { { .name = "metadata" }, { .name = "items" } };
	CLEANUP(buf_wipe) struct buf text = { 0 };
	struct str item;
	enum err err;

	(void)buf_reserve(&text, answer.n + 1);
	err = json_compact(answer, /* plain= */ true, &text, why);
	if (err == E_OK)
		err = json_members(buf_view(&text), m, ARRAY_LEN(m));
	if (err == E_OK)
		err = take_version(w, m[0].raw);
	if (err != E_OK)
		return why_set(why, err == E_NOMEM ? err : E_UNAVAILABLE, "the answer is not a list");
	item = first_of(m[1].raw);
	note_seen(w, json_member_raw(json_member_raw(item, "metadata"), "resourceVersion"));
	if (item.n || w->secret->is_map)
		return take_secret(w, item, why, ret_changed);
	/* One that need not be there, and was, is missed as any other. */
	return w->secret->optional && !w->secret->texts[0].n ? E_OK : lacks_secret(w, why);
}

/* ---- one request after the other -------------------------------------------------------------------------------------- */

static void ask(struct watched *w);

static void on_retry(struct loop_timer *timer)
{
	ask(CONTAINER_OF(timer, struct watched, retry));
}

static void ask_later(struct watched *w)
{
	uint64_t wait_ms = kube_backoff_ms(w->failures++, w->fetch.retry_after_ms);

	if (loop_timer_start(w->all->loop, &w->retry, wait_ms) != E_OK)
		ask(w); /* no memory for a timer: the request takes its time, too */
}

static bool is_for_good(enum err err)
{
	return err == E_NOT_FOUND || err == E_FORBIDDEN || err == E_CONFIG || err == E_MALFORMED;
}

static void tell(struct kubernetes_secrets *k, const struct why *why)
{
	k->state = why->err == E_OK ? READ : REFUSED;
	k->on_ready(k->ctx, why);
}

static void failed(struct watched *w, struct why *why)
{
	struct kubernetes_secrets *k = w->all;

	if (w->fetch.status == 401 || w->fetch.status == 403)
		(void)why_add(why, "whom the API server takes this program for must be allowed to list and watch it");
	(void)add_where(w, why);
	if (k->state == READING && !w->known && is_for_good(why->err)) {
		tell(k, why);
		return;
	}
	say_problem(w, why);
	ask_later(w);
}

static void tell_change(const struct watched *w)
{
	log_info(LOGGER, "what is in the cluster has changed", LOG_S("kind", kind_of(w)),
		 LOG_S("name", w->secret->name));
	w->all->on_change(w->all->ctx);
}

static bool all_known(const struct kubernetes_secrets *k)
{
	size_t i = 0;

	while (i < k->count && k->watched[i].known)
		i++;
	return i == k->count;
}

/* What it lacks may come: that is watched, too. */
static void listed(struct watched *w, bool changed, struct why *why)
{
	struct kubernetes_secrets *k = w->all;

	w->lacks = why->err != E_OK;
	if (w->lacks) {
		(void)add_where(w, why);
		say_problem(w, why);
	}
	w->known = w->watching = true;
	ask(w);
	if (k->state == READING && all_known(k))
		tell(k, &(struct why){ 0 });
	else if (k->state == READ && changed)
		tell_change(w);
}

static void list_done(struct watched *w, enum err err, struct why *why)
{
	bool changed = false;

	if (err == E_OK)
		err = take_list(w, buf_view(&w->answer), why, &changed);
	if (w->answer.p)
		explicit_bzero(w->answer.p, w->answer.n);
	buf_release(&w->answer);
	why->err = err;
	if (err == E_OK || (w->known && is_for_good(err) && w->fetch.status == 200))
		listed(w, changed, why);
	else
		failed(w, why);
}

static void watch_done(struct watched *w, enum err err, struct why *why)
{
	w->watching = false;
	if (!w->open && err != E_OK) {
		failed(w, why);
		return;
	}
	if (w->all->loop->now_ms - w->since_ms >= CALM_MS)
		w->failures = 0;
	if (w->failures)
		ask_later(w);
	else
		ask(w);
	w->failures++;
}

static void end_client(struct kubernetes_secrets *k);

static void on_done(struct http_fetch *f)
{
	struct watched *w = CONTAINER_OF(f, struct watched, fetch);
	struct why why = { 0 };
	enum err err = kube_outcome(f, &why);

	w->running = false;
	if (w->all->closing)
		end_client(w->all);
	else if (w->watching)
		watch_done(w, err, &why);
	else
		list_done(w, err, &why);
}

static enum err on_list(struct http_fetch *f, struct str piece)
{
	struct watched *w = CONTAINER_OF(f, struct watched, fetch);

	buf_str(&w->answer, piece);
	return w->answer.err;
}

/* It may be long until something happens. */
static void on_watch(struct http_fetch *f)
{
	struct watched *w = CONTAINER_OF(f, struct watched, fetch);

	w->open = true;
	if (!w->lacks)
		say_good(w);
}

/* Whatever it is: how it is now is asked for. */
static enum err on_news(struct http_fetch *f, struct str piece)
{
	(void)f;
	(void)piece;
	return E_CANCELLED;
}

static uint64_t write_target(struct watched *w)
{
	unsigned seconds = WATCH_S + (unsigned)(rand_u64() % WATCH_S);

	buf_clear(&w->target);
	buf_addf(&w->target, "/api/v1/namespaces/%s/%s?fieldSelector=metadata.name%%3D", w->all->namespace,
		 w->secret->is_map ? "configmaps" : "secrets");
	kube_escape(&w->target, str_of(w->secret->name));
	(void)buf_cstr(&w->target);
	if (!w->watching)
		return LIST_MS;
	buf_addf(&w->target, "&watch=1&timeoutSeconds=%u&resourceVersion=%s", seconds, buf_cstr(&w->version));
	return (uint64_t)seconds * 1000 + GRACE_MS;
}

/* NULL: nobody in particular. A token that cannot be read is none: the server says what it thinks of that. */
static const char *write_bearer(struct watched *w)
{
	struct why why = { 0 };

	buf_wipe(&w->bearer);
	if (kubernetes_config_token(w->all->config, &why, &w->bearer) != E_OK)
		log_warn(LOGGER, "the token cannot be read", LOG_WHY(&why));
	return w->bearer.n ? buf_cstr(&w->bearer) : NULL;
}

static void ask(struct watched *w)
{
	uint64_t timeout_ms = write_target(w);

	w->open = false;
	w->since_ms = w->all->loop->now_ms;
	if (!w->watching)
		(void)buf_reserve(&w->answer, ANSWER_MAX);
	w->fetch = (struct http_fetch){ .method = "GET",
					.target = buf_cstr(&w->target),
					.bearer = write_bearer(w),
					.timeout_ms = timeout_ms,
					.answer_max = ANSWER_MAX,
					.on_piece = w->watching ? on_news : on_list,
					.on_head = w->watching ? on_watch : NULL,
					.on_done = on_done };
	w->running = true;
	http_client_start(w->all->client, &w->fetch);
}

/* ---- life ------------------------------------------------------------------------------------------------------------- */

static void release(struct kubernetes_secrets *k)
{
	for (size_t i = 0; i < k->count; i++) {
		struct watched *w = &k->watched[i];

		loop_timer_stop(k->loop, &w->retry);
		buf_release(&w->version);
		buf_release(&w->seen);
		buf_release(&w->target);
		buf_wipe(&w->bearer);
		buf_wipe(&w->answer);
		for (size_t j = 0; j < KUBERNETES_SECRET_KEYS; j++)
			buf_wipe(&w->secret->texts[j]);
	}
	kubernetes_config_free(k->config);
	mem_free(k);
}

static void on_client_closed(void *ctx)
{
	struct kubernetes_secrets *k = ctx;
	void (*on_closed)(void *ctx) = k->on_closed;
	void *closed_ctx = k->closed_ctx;

	release(k);
	on_closed(closed_ctx);
}

static void end_client(struct kubernetes_secrets *k)
{
	for (size_t i = 0; i < k->count; i++)
		if (k->watched[i].running)
			return;
	http_client_close(k->client, on_client_closed, k);
}

void kubernetes_secrets_close(struct kubernetes_secrets *k, void (*on_closed)(void *ctx), void *ctx)
{
	k->closing = true;
	k->on_closed = on_closed;
	k->closed_ctx = ctx;
	for (size_t i = 0; i < k->count; i++) {
		loop_timer_stop(k->loop, &k->watched[i].retry);
		if (k->watched[i].running)
			http_client_cancel(k->client, &k->watched[i].fetch);
	}
	end_client(k);
}

enum err kubernetes_secrets_open(struct loop *loop, const struct kubernetes_secrets_options *o, struct why *why,
				 struct kubernetes_secrets **ret_secrets)
{
	struct kubernetes_secrets *k = mem_alloc(sizeof(*k) + o->count * sizeof(k->watched[0]));
	enum err err;

	if (!k) {
		kubernetes_config_free(o->config);
		return why_set(why, E_NOMEM, "no memory");
	}
	k->loop = loop;
	k->config = o->config;
	k->namespace = o->namespace;
	k->on_ready = o->on_ready;
	k->on_change = o->on_change;
	k->ctx = o->ctx;
	err = kube_client_new(loop, k->config, (unsigned)o->count + 1, why, &k->client);
	if (err != E_OK) {
		release(k);
		return err;
	}
	k->count = o->count;
	for (size_t i = 0; i < k->count; i++) {
		k->watched[i] = (struct watched){ .all = k, .secret = &o->secrets[i], .retry.on_due = on_retry };
		k->watched[i].answer.max = ANSWER_MAX;
		ask(&k->watched[i]);
	}
	*ret_secrets = k;
	return E_OK;
}
