#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "gateway/hooks/engine_impl.h"

#define BACKOFF_MS     1000
#define BACKOFF_MAX_MS 300000

static void add(struct engine *e, struct hook *h)
{
	struct hook **last = &e->hooks;

	while (*last)
		last = &(*last)->next;
	*last = h;
	h->backoff = (struct backoff){ .base_ms = BACKOFF_MS, .factor = 2, .cap_ms = BACKOFF_MAX_MS };
	h->goal = e->options.goal;
	engine_count(e, h, 1);
}

static struct account *account_of(struct engine *e, struct login *login)
{
	struct account *a = e->accounts;

	while (a && !account_is(a, login))
		a = a->next;
	if (a)
		return a;
	a = account_new(e->config, login, e->multi);
	if (a) {
		a->next = e->accounts;
		e->accounts = a;
	}
	return a;
}

static struct hook *make(struct engine *e, const struct route_config *route, const struct hook_plan *p,
			 const struct hook_plan_place *place, struct account *a)
{
	struct hook *h = hook_new(e->config, route, place->provider, str_of(place->path), str_of(place->place));
	struct buf url = { 0 };

	if (!h)
		return NULL;
	h->account = a;
	h->delete_on_finish = p->delete_on_finish;
	h->interval_ms = route->hooks.interval_ms ? route->hooks.interval_ms : p->interval_ms;
	if (p->secret && p->secret->path)
		secret_file_init(&h->secret, p->secret->path);
	h->url = hook_plan_url(route, &url) ? str_dup(buf_view(&url)) : NULL;
	h->broken = p->problem ? str_dup(str_of(p->problem)) : NULL;
	buf_release(&url);
	if (h->url && (h->broken || !p->problem))
		return h;
	hook_free(h);
	return NULL;
}

static enum err add_route(struct engine *e, const struct route_config *route)
{
	struct hook_plan p;
	struct account *a = NULL;
	enum err err;

	hook_plan_route(route, &p);
	err = p.err;
	if (err == E_OK && p.count)
		a = account_of(e, &p.login);
	for (size_t i = 0; i < p.count && err == E_OK; i++) {
		struct hook *h = a ? make(e, route, &p, &p.places[i], a) : NULL;

		err = h ? E_OK : E_NOMEM;
		if (h) {
			add(e, h);
			engine_tell_broken(e, h);
		}
	}
	hook_plan_release(&p);
	return err;
}

enum err engine_new(struct gateway_config *config, const struct engine_options *options, CURLM *multi,
		    struct engine **ret_engine)
{
	struct engine *e = mem_alloc(sizeof(*e));
	enum err err = E_OK;

	if (!e)
		return E_NOMEM;
	*e = (struct engine){ .options = *options, .multi = multi, .config = gateway_config_ref(config) };
	rand_bytes(e->mark_key, sizeof(e->mark_key));
	for (size_t i = 0; i < config->route_count && err == E_OK; i++)
		err = add_route(e, &config->routes[i]);
	if (err != E_OK)
		engine_free(e);
	else
		*ret_engine = e;
	return err;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (struct account *a = e->accounts, *next; a; a = next) {
		next = a->next;
		account_free(a);
	}
	for (struct hook *h = e->hooks, *next; h; h = next) {
		next = h->next;
		engine_count(e, h, -1);
		hook_free(h);
	}
	gateway_config_unref(e->config);
	mem_free(e);
}

struct hook *engine_find(const struct engine *e, const struct hook *like)
{
	for (struct hook *h = e->hooks; h; h = h->next)
		if (h->provider == like->provider && str_eq(str_of(h->path), str_of(like->path)) &&
		    str_eq(str_of(h->url), str_of(like->url)) &&
		    str_eq(buf_view(&h->account->login.base), buf_view(&like->account->login.base)))
			return h;
	return NULL;
}

/* ---- reload ------------------------------------------------------------------------------------------------------------- */

static void inherit_accounts(struct engine *e, const struct engine *before)
{
	for (struct account *a = e->accounts; a; a = a->next)
		for (const struct account *b = before->accounts; b; b = b->next)
			if (account_is(b, &a->login))
				a->free_ms = b->free_ms;
}

static void inherit(struct engine *e, struct hook *h, const struct hook *b)
{
	memcpy(h->mine, b->mine, sizeof(h->mine));
	memcpy(h->once, b->once, sizeof(h->once));
	h->given_mark = b->given_mark;
	h->told = b->told;
	h->failing = b->failing;
	h->why = b->why;
	if (b->in_place) {
		engine_count(e, h, -1);
		h->in_place = true;
		engine_count(e, h, 1);
	}
}

/* The children of an expansion are known before they are listed again, so that what leaves is not taken for gone. */
static void inherit_children(struct engine *e, const struct hook *parent, struct hook *h)
{
	buf_clear(&h->added);
	for (const struct hook *c = parent->next; c; c = c->next)
		if (c->parent == parent)
			hook_add_place(h, str_of(c->path), str_of(c->place));
	engine_expand(e, h, clock_mono_ms());
}

void engine_inherit(struct engine *e, const struct engine *before)
{
	memcpy(e->mark_key, before->mark_key, sizeof(e->mark_key));
	inherit_accounts(e, before);
	for (const struct hook *b = before->hooks; b; b = b->next) {
		struct hook *h = engine_find(e, b);

		if (!h)
			continue;
		inherit(e, h, b);
		if (h->provider->expands)
			inherit_children(e, b, h);
	}
}

/* ---- expansion ---------------------------------------------------------------------------------------------------------- */

static struct hook *child_of(const struct engine *e, const struct hook *parent, struct str path)
{
	for (struct hook *h = e->hooks; h; h = h->next)
		if (h->account == parent->account && h->provider == parent->provider->expands &&
		    str_eq(str_of(h->path), path) && str_eq(str_of(h->url), str_of(parent->url)))
			return h;
	return NULL;
}

static enum err add_child(struct engine *e, struct hook *parent, struct str path, struct str place, uint64_t now_ms)
{
	struct hook *h = hook_new(e->config, parent->route, parent->provider->expands, path, place);

	if (!h)
		return E_NOMEM;
	h->url = str_dup(str_of(parent->url));
	if (!h->url) {
		hook_free(h);
		return E_NOMEM;
	}
	h->parent = parent;
	h->account = parent->account;
	h->delete_on_finish = parent->delete_on_finish;
	h->interval_ms = parent->interval_ms;
	h->due_ms = now_ms;
	if (parent->secret.path)
		secret_file_init(&h->secret, parent->secret.path);
	add(e, h);
	h->goal = parent->goal;
	return E_OK;
}

static void drop_stale(struct engine *e, const struct hook *parent)
{
	for (struct hook **at = &e->hooks; *at;) {
		struct hook *h = *at;

		if (h->parent != parent || !h->stale) {
			at = &h->next;
			continue;
		}
		*at = h->next;
		engine_count(e, h, -1);
		hook_free(h);
	}
}

/* Nothing of this account is under way: its one request was the listing. */
void engine_expand(struct engine *e, struct hook *parent, uint64_t now_ms)
{
	struct str rest = buf_view(&parent->added);

	for (struct hook *h = e->hooks; h; h = h->next)
		h->stale = h->parent == parent;
	while (rest.n) {
		struct str path = str_cut(&rest, '\0'), place = str_cut(&rest, '\0');
		struct hook *h = child_of(e, parent, path);

		if (h)
			h->stale = false;
		else if (add_child(e, parent, path, place, now_ms) != E_OK)
			log_error("hooks", "no memory for another hook", LOG_STRN("place", place));
	}
	drop_stale(e, parent);
	buf_clear(&parent->added);
}
