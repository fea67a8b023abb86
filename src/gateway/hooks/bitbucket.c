/*
 * Bitbucket Cloud: hooks of repositories. Facts argo-events 1.5; "The Bitbucket Cloud REST API", webhooks. The secret is never
 * shown, only that there is one.
 */
#include "gateway/sources/bitbucket.h"
#include "gateway/hooks/rest.h"

static const struct bitbucket_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

static void see(struct hook *h, struct str item, struct buf *arena)
{
	unsigned differs = 0;

	if (!hook_is_ours(h, text_of(item, "url", arena)))
		return;
	if (!text_same_set(json_member_raw(item, "events"), &settings_of(h)->events, NULL, arena))
		differs |= HOOK_EVENTS;
	if (!text_flag(item, "active"))
		differs |= HOOK_ACTIVE;
	differs |= hook_secret_differs(h, text_flag(item, "secret_set"));
	hook_saw(h, text_of(item, "uuid", arena), differs);
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	struct buf arena = { 0 };

	if (!buf_reserve(&arena, a->body.n + 1))
		return why_set(why, E_NOMEM, "no memory for the list");
	hook_more(h, text_query(text_of(a->body, "next", &arena)));
	buf_release(&arena);
	return rest_each(h, json_member_raw(a->body, "values"), see, why);
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	rest_write(h, id, "PUT", r);
	buf_lit(&r->body, "{\"description\":\"webhook managed by Argo-Events\",\"url\":");
	buf_json(&r->body, str_of(h->url));
	rest_flag(r, "active", true);
	buf_lit(&r->body, ",\"events\":");
	text_list_json(&r->body, &settings_of(h)->events);
	if (h->secret_now.n)
		rest_text(r, "secret", buf_view(&h->secret_now));
	buf_char(&r->body, '}');
}

static struct str made(const struct hook_answer *a, struct buf *arena)
{
	return text_of(a->body, "uuid", arena);
}

static const struct hook_provider provider = {
	.name = "bitbucket",
	.interval_ms = 600000,
	.first = "pagelen=100",
	.list = rest_list,
	.read = read,
	.write = write,
	.made = made,
	.remove = rest_remove,
};

static void add(struct hook_plan *p, const char *owner, const char *slug)
{
	hook_plan_add(p, &provider, "/repositories/*/*/hooks", "*/*", owner, slug);
}

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct bitbucket_settings *s = route->settings;
	const struct bitbucket_repository *items = s->repositories.items;

	if (s->oauth_token.path) {
		p->login.kind = LOGIN_BEARER;
		p->login.first = &s->oauth_token;
	} else if (s->basic.username.path && s->basic.password.path) {
		p->login.kind = LOGIN_BASIC;
		p->login.first = &s->basic.username;
		p->login.second = &s->basic.password;
	} else {
		return;
	}
	p->secret = &s->webhook_secret;
	p->delete_on_finish = s->delete_hook_on_finish;
	hook_plan_base(p, "https://api.bitbucket.org/2.0");
	for (size_t i = 0; i < s->repositories.count; i++)
		add(p, items[i].owner, items[i].slug);
	add(p, s->owner, s->repository_slug);
}

const struct hook_kind hook_kind_bitbucket = { "bitbucket", plan };
