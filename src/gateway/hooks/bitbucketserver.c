/*
 * Bitbucket Data Center: hooks of repositories, and of all repositories of a project. Facts argo-events 1.6; "REST API of
 * Bitbucket Data Center", webhooks. Hooks show their secret, unless a release hides it.
 */
#include "gateway/sources/bitbucketserver.h"
#include "gateway/hooks/rest.h"

#define FIRST "limit=100&start=0"

static const struct bitbucketserver_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

static unsigned secret_differs(const struct hook *h, struct str shown)
{
	if (h->secret.path && shown.n && str_find(shown, '*') == shown.n)
		return str_eq_secret(shown, buf_view(&h->secret_now)) ? 0 : HOOK_SECRET;
	return hook_secret_differs(h, shown.n > 0);
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
	differs |= secret_differs(h, text_of(json_member_raw(item, "configuration"), "secret", arena));
	hook_saw(h, text_of(item, "id", arena), differs);
}

/* {"isLastPage":false,"nextPageStart":100}. */
static void turn_page(struct hook *h, const struct hook_answer *a)
{
	struct buf arena = { 0 }, query = { 0 };
	struct str start;

	if (text_flag(a->body, "isLastPage") || !buf_reserve(&arena, a->body.n + 1))
		return;
	start = text_of(a->body, "nextPageStart", &arena);
	if (start.n) {
		buf_lit(&query, "limit=100&start=");
		text_encode(&query, start);
		hook_more(h, buf_view(&query));
	}
	buf_release(&arena);
	buf_release(&query);
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	turn_page(h, a);
	return rest_each(h, json_member_raw(a->body, "values"), see, why);
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	rest_write(h, id, "PUT", r);
	buf_lit(&r->body, "{\"name\":\"Argo Events\",\"url\":");
	buf_json(&r->body, str_of(h->url));
	rest_flag(r, "active", true);
	buf_lit(&r->body, ",\"events\":");
	text_list_json(&r->body, &settings_of(h)->events);
	if (h->secret_now.n) {
		buf_lit(&r->body, ",\"configuration\":{\"secret\":");
		buf_json(&r->body, buf_view(&h->secret_now));
		buf_char(&r->body, '}');
	}
	buf_char(&r->body, '}');
}

static const struct hook_provider provider = {
	.name = "bitbucketserver",
	.interval_ms = 60000,
	.first = FIRST,
	.list = rest_list,
	.read = read,
	.write = write,
	.made = rest_made,
	.remove = rest_remove,
};

/* ---- projects ----------------------------------------------------------------------------------------------------------- */

#define PROJECT    "/api/1.0/projects/*/repos"
#define REPOSITORY PROJECT "/*/webhooks"
#define PLACE      "*/*"

static void see_repository(struct hook *h, struct str item, struct buf *arena)
{
	const struct str names[] = { str_of(h->place), text_of(item, "slug", arena) };
	struct buf path = { 0 }, place = { 0 };

	if (!names[1].n || memchr(names[1].p, '\0', names[1].n))
		return;
	hook_plan_fill(&path, REPOSITORY, names, /* encode= */ true);
	hook_plan_fill(&place, PLACE, names, /* encode= */ false);
	if (path.err == E_OK && place.err == E_OK)
		hook_add_place(h, buf_view(&path), buf_view(&place));
	else
		h->added.err = E_NOMEM;
	buf_release(&path);
	buf_release(&place);
}

static enum err read_project(struct hook *h, const struct hook_answer *a, struct why *why)
{
	turn_page(h, a);
	return rest_each(h, json_member_raw(a->body, "values"), see_repository, why);
}

static const struct hook_provider project_provider = {
	.name = "bitbucketserver",
	.interval_ms = 60000,
	.expands = &provider,
	.first = FIRST,
	.list = rest_list,
	.read = read_project,
};

static void add(struct hook_plan *p, const char *project, const char *slug)
{
	hook_plan_add(p, &provider, REPOSITORY, PLACE, project, slug);
}

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct bitbucketserver_settings *s = route->settings;
	const struct bitbucketserver_repository *items = s->repositories.items;

	if (!s->access_token.path)
		return;
	p->login.kind = LOGIN_BEARER;
	p->login.first = &s->access_token;
	p->login.ca_path = s->tls.ca.path ? s->tls.ca.path : p->login.ca_path;
	p->login.cert_path = s->tls.cert.path;
	p->login.key_path = s->tls.key.path;
	p->login.insecure = s->tls.insecure;
	p->secret = &s->webhook_secret;
	p->delete_on_finish = s->delete_hook_on_finish;
	p->interval_ms = s->check_interval_ms;
	hook_plan_base(p, s->base_url);
	for (size_t i = 0; i < s->repositories.count; i++)
		add(p, items[i].project_key, items[i].slug);
	add(p, s->project_key, s->repository_slug);
	for (size_t i = 0; i < s->projects.count; i++)
		hook_plan_add(p, &project_provider, PROJECT, "*", s->projects.items[i], NULL);
}

const struct hook_kind hook_kind_bitbucketserver = { "bitbucketserver", plan };
