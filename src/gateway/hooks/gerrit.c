/*
 * Gerrit: remotes of its webhooks plugin, each at an address of its own: nothing can be made twice. Facts argo-events 1.7;
 * the plugin's "REST API".
 */
#include "gateway/sources/gerrit.h"
#include "gateway/hooks/rest.h"

static const struct gerrit_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	const struct gerrit_settings *s = settings_of(h);
	struct str tries = json_member_raw(a->body, "maxTries");
	struct buf arena = { 0 }, wanted = { 0 };
	unsigned differs = 0;

	if (!a->body.n || a->body.p[0] != '{')
		return why_set(why, E_MALFORMED, "the answer is not a remote of the webhooks plugin");
	if (!buf_reserve(&arena, 4 * a->body.n + 1))
		return why_set(why, E_NOMEM, "no memory for the answer");
	if (!hook_is_ours(h, text_of(a->body, "url", &arena)))
		differs |= HOOK_ADDRESS;
	if (!text_same_set(json_member_raw(a->body, "events"), &s->events, NULL, &arena))
		differs |= HOOK_EVENTS;
	if (text_flag(a->body, "sslVerify") != s->ssl_verify)
		differs |= HOOK_TLS;
	buf_addf(&wanted, "%lld", (long long)s->max_tries);
	if (s->max_tries > 0 && !str_eq(tries, buf_view(&wanted)))
		differs |= HOOK_TRIES;
	hook_saw(h, STR("remote"), differs);
	buf_release(&arena);
	buf_release(&wanted);
	return E_OK;
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	const struct gerrit_settings *s = settings_of(h);

	(void)id;
	r->method = "PUT";
	buf_str(&r->path, str_of(h->path));
	buf_lit(&r->body, "{\"url\":");
	buf_json(&r->body, str_of(h->url));
	buf_lit(&r->body, ",\"events\":");
	text_list_json(&r->body, &s->events);
	rest_flag(r, "sslVerify", s->ssl_verify);
	if (s->max_tries > 0)
		buf_addf(&r->body, ",\"maxTries\":%lld", (long long)s->max_tries);
	buf_char(&r->body, '}');
}

static void remove_it(const struct hook *h, struct str id, struct hook_request *r)
{
	(void)id;
	r->method = "DELETE";
	buf_str(&r->path, str_of(h->path));
}

static const struct hook_provider provider = {
	.name = "gerrit",
	.interval_ms = 60000,
	.missing_is_404 = true,
	.list = rest_list,
	.read = read,
	.write = write,
	.remove = remove_it,
};

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct gerrit_settings *s = route->settings;
	const char *name = s->hook_name && *s->hook_name ? s->hook_name : route->event_name;

	p->login.kind = LOGIN_BASIC;
	p->login.first = &s->auth.username;
	p->login.second = &s->auth.password;
	p->delete_on_finish = s->delete_hook_on_finish;
	hook_plan_base(p, s->base_url);
	for (size_t i = 0; i < s->projects.count; i++)
		hook_plan_add(p, &provider, "/a/config/server/webhooks~projects/*/remotes/*/", "*",
			      s->projects.items[i], name);
}

const struct hook_kind hook_kind_gerrit = { "gerrit", plan };
