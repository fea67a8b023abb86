/*
 * GitLab: hooks of projects and groups. Facts argo-events 1.4; "Project webhooks API". The token is never shown: one that was
 * changed while no gateway ran is written by `holdfast hooks apply --rewrite`.
 */
#include "gateway/sources/gitlab.h"
#include "base/mem.h"
#include "gateway/hooks/rest.h"

/* How GitLab calls what the manifest calls PushEvents. */
static const struct {
	const char *name;
	const char *member;
} events[] = {
	{ "PushEvents", "push_events" },
	{ "TagPushEvents", "tag_push_events" },
	{ "IssuesEvents", "issues_events" },
	{ "ConfidentialIssuesEvents", "confidential_issues_events" },
	{ "MergeRequestsEvents", "merge_requests_events" },
	{ "NoteEvents", "note_events" },
	{ "ConfidentialNoteEvents", "confidential_note_events" },
	{ "JobEvents", "job_events" },
	{ "PipelineEvents", "pipeline_events" },
	{ "WikiPageEvents", "wiki_page_events" },
	{ "EmojiEvents", "emoji_events" },
};

static const struct gitlab_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

static bool is_wanted(const struct gitlab_settings *s, const char *event)
{
	for (size_t i = 0; i < s->events.count; i++)
		if (str_is(str_of(event), s->events.items[i]))
			return true;
	return false;
}

static void see(struct hook *h, struct str item, struct buf *arena)
{
	const struct gitlab_settings *s = settings_of(h);
	unsigned differs = 0;

	if (!hook_is_ours(h, text_of(item, "url", arena)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (text_flag(item, events[i].member) != is_wanted(s, events[i].name))
			differs |= HOOK_EVENTS;
	if (text_flag(item, "enable_ssl_verification") != s->enable_ssl_verification)
		differs |= HOOK_TLS;
	differs |= hook_secret_differs(h, /* has= */ true);
	hook_saw(h, text_of(item, "id", arena), differs);
}

static enum err read(struct hook *h, const struct hook_answer *a, struct why *why)
{
	struct str next = text_next_query(a->link);
	struct buf query = { 0 };

	/* Some instances stand behind a proxy that takes Link away. */
	if (!next.n && a->next_page.n) {
		buf_lit(&query, "per_page=100&page=");
		text_encode(&query, a->next_page);
		next = buf_view(&query);
	}
	hook_more(h, next);
	buf_release(&query);
	return rest_each(h, a->body, see, why);
}

static void write(const struct hook *h, struct str id, struct hook_request *r)
{
	const struct gitlab_settings *s = settings_of(h);

	rest_write(h, id, "PUT", r);
	buf_lit(&r->body, "{\"url\":");
	buf_json(&r->body, str_of(h->url));
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		rest_flag(r, events[i].member, is_wanted(s, events[i].name));
	rest_flag(r, "enable_ssl_verification", s->enable_ssl_verification);
	if (h->secret_now.n)
		rest_text(r, "token", buf_view(&h->secret_now));
	buf_char(&r->body, '}');
}

static const struct hook_provider provider = {
	.name = "gitlab",
	.interval_ms = 60000,
	.first = "per_page=100",
	.list = rest_list,
	.read = read,
	.write = write,
	.made = rest_made,
	.remove = rest_remove,
};

static void add_project(struct hook_plan *p, const char *id)
{
	hook_plan_add(p, &provider, "/projects/*/hooks", "*", id, NULL);
}

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct gitlab_settings *s = route->settings;

	p->login.kind = LOGIN_PRIVATE_TOKEN;
	p->login.first = &s->access_token;
	p->secret = &s->secret_token;
	p->delete_on_finish = s->delete_hook_on_finish;
	hook_plan_base(p, s->base_url);
	if (!str_ends(buf_view(&p->login.base), STR("/api/v4")))
		buf_lit(&p->login.base, "/api/v4");
	for (size_t i = 0; i < s->projects.count; i++)
		add_project(p, s->projects.items[i]);
	add_project(p, s->project_id);
	for (size_t i = 0; i < s->groups.count; i++)
		hook_plan_add(p, &provider, "/groups/*/hooks", "*", s->groups.items[i], NULL);
}

const struct hook_kind hook_kind_gitlab = { "gitlab", plan };
