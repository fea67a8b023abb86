/*
 * GitHub: hooks of repositories and organizations. Facts argo-events 1.3; "REST API endpoints for repository webhooks".
 * The secret is never shown, only that there is one.
 */
#include "gateway/sources/github.h"
#include "gateway/hooks/rest.h"

static const struct github_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

/* What GitHub makes of a hook that does not say. */
static struct str content_type(const struct hook *h)
{
	const char *type = settings_of(h)->content_type;

	return type && *type ? str_of(type) : STR("form");
}

static void see(struct hook *h, struct str item, struct buf *arena)
{
	const struct github_settings *s = settings_of(h);
	struct str config = json_member_raw(item, "config"), type = text_of(config, "content_type", arena);
	unsigned differs = 0;

	if (!hook_is_ours(h, text_of(config, "url", arena)))
		return;
	if (!text_same_set(json_member_raw(item, "events"), &s->events, "*", arena))
		differs |= HOOK_EVENTS;
	if (text_flag(item, "active") != s->active)
		differs |= HOOK_ACTIVE;
	if (!str_eq(type.n ? type : STR("form"), content_type(h)))
		differs |= HOOK_FORMAT;
	if (str_is(text_of(config, "insecure_ssl", arena), "1") != s->insecure)
		differs |= HOOK_TLS;
	differs |= hook_secret_differs(h, text_of(config, "secret", arena).n > 0);
	hook_saw(h, text_of(item, "id", arena), differs);
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	hook_more(h, text_next_query(a->link));
	return rest_each(h, a->body, see, why);
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	const struct github_settings *s = settings_of(h);

	rest_write(h, id, "PATCH", r);
	buf_str(&r->body, id.n ? STR("{\"active\":") : STR("{\"name\":\"web\",\"active\":"));
	buf_str(&r->body, s->active ? STR("true,\"events\":") : STR("false,\"events\":"));
	text_list_json(&r->body, &s->events);
	buf_lit(&r->body, ",\"config\":{\"url\":");
	buf_json(&r->body, str_of(h->url));
	rest_text(r, "content_type", content_type(h));
	rest_text(r, "insecure_ssl", s->insecure ? STR("1") : STR("0"));
	if (h->secret_now.n)
		rest_text(r, "secret", buf_view(&h->secret_now));
	buf_lit(&r->body, "}}");
}

static const struct hook_provider provider = {
	.name = "github",
	.interval_ms = 60000,
	.often = 10,
	.first = "per_page=100",
	.list = rest_list,
	.read = read,
	.write = write,
	.made = rest_made,
	.remove = rest_remove,
};

/* ---- the manifest ------------------------------------------------------------------------------------------------------ */

/* GitHub Enterprise has its API below /api/v3, unless the host is one for it. */
static void set_base(struct hook_plan *p, const char *base)
{
	struct str host;

	hook_plan_base(p, base && *base ? base : "https://api.github.com");
	host = buf_view(&p->login.base);
	host = str_sub(host, str_find(host, ':') + 3, host.n);
	host = str_cut(&host, '/');
	if (str_ends(buf_view(&p->login.base), STR("/api/v3")) || str_starts(host, STR("api.")))
		return;
	for (size_t i = 0; i < host.n; i++)
		if (str_starts(str_sub(host, i, host.n), STR(".api.")))
			return;
	buf_lit(&p->login.base, "/api/v3");
}

static void add_repository(struct hook_plan *p, const char *owner, const char *name)
{
	hook_plan_add(p, &provider, "/repos/*/*/hooks", "*/*", owner, name);
}

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct github_settings *s = route->settings;
	const struct github_repository *items = s->repositories.items;

	if (!s->api_token.path && !s->app.private_key.path)
		return;
	p->login.kind = s->api_token.path ? LOGIN_BEARER : LOGIN_APP;
	p->login.first = s->api_token.path ? &s->api_token : &s->app.private_key;
	p->login.app_id = s->app.app_id;
	p->login.installation_id = s->app.installation_id;
	p->secret = &s->webhook_secret;
	p->delete_on_finish = s->delete_hook_on_finish;
	set_base(p, s->base_url);
	for (size_t i = 0; i < s->repositories.count; i++)
		for (size_t k = 0; k < items[i].names.count; k++)
			add_repository(p, items[i].owner, items[i].names.items[k]);
	add_repository(p, s->owner, s->repository);
	for (size_t i = 0; i < s->organizations.count; i++)
		hook_plan_add(p, &provider, "/orgs/*/hooks", "*", s->organizations.items[i], NULL);
}

const struct hook_kind hook_kind_github = { "github", plan };
