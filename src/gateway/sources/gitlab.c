/* GitLab: facts argo-events 1.4. */
#include "gateway/sources/gitlab.h"

#include "base/mem.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/standard_webhooks.h"

#define AT(member) offsetof(struct gitlab_settings, member)

/* clang-format off */
static const struct field fields[] = {
	{ .key = "projectID", .type = FIELD_STRING, .offset = AT(project_id), .meaning = "One more of `projects` (an older way to write it)." },
	{ .key = "projects", .type = FIELD_LIST, .offset = AT(projects), .meaning = "Projects with a managed hook: `group/name` or a number." },
	{ .key = "groups", .type = FIELD_LIST, .offset = AT(groups), .meaning = "Groups with a managed hook." },
	{ .key = "events", .type = FIELD_LIST, .offset = AT(events), .missing = "events can't be empty", .fix = "add `events: [PushEvents]`",
	  .meaning = "What a managed hook delivers: `PushEvents`, `TagPushEvents`, `MergeRequestsEvents` ..." },
	{ .key = "accessToken", .type = FIELD_SECRET, .offset = AT(access_token), .missing = "access token can't be nil",
	  .fix = "add `accessToken: {name: ..., key: ...}`", .meaning = "Token to manage hooks with." },
	{ .key = "gitlabBaseURL", .type = FIELD_STRING, .offset = AT(base_url), .missing = "gitlab base url can't be empty",
	  .fix = "add `gitlabBaseURL: https://gitlab.com`", .meaning = "Where GitLab is." },
	{ .key = "secretToken", .type = FIELD_SECRET, .offset = AT(secret_token), .meaning = "The hook's secret token: requests must carry it." },
	{ .key = "enableSSLVerification", .type = FIELD_BOOL, .offset = AT(enable_ssl_verification), .meaning = "A managed hook verifies our certificate." },
	{ .key = "deleteHookOnFinish", .type = FIELD_BOOL, .offset = AT(delete_hook_on_finish), .meaning = "A managed hook is deleted when the gateway ends." },
};

static const struct field ours[] = {
	{ .key = "signingToken", .type = FIELD_SECRET, .offset = AT(signing_token),
	  .meaning = "The hook's signing token (`whsec_...`): requests must be signed with it, as Standard Webhooks says; their `webhook-id` is then the event's id." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "GitLab: requests carry `secretToken`; `Idempotency-Key` is the event's id.",
};
static const struct field_table holdfast = { .rows = ours, .count = ARRAY_LEN(ours) };

enum { SECRET_TOKEN, SIGNING_TOKEN };
static const struct source_secret secrets[] = {
	[SECRET_TOKEN] = { "secretToken", AT(secret_token) },
	[SIGNING_TOKEN] = { "signingToken", AT(signing_token) },
	{ NULL },
};
static const char *const masked[] = { "X-Gitlab-Token", STANDARD_WEBHOOKS_MASKED, NULL };

/* In the order of GitLab's documentation. */
static const char *const events[] = {
	"PushEvents",
	"TagPushEvents",
	"IssuesEvents",
	"ConfidentialIssuesEvents",
	"MergeRequestsEvents",
	"NoteEvents",
	"ConfidentialNoteEvents",
	"JobEvents",
	"PipelineEvents",
	"WikiPageEvents",
	"EmojiEvents",
	NULL,
};

static bool is_event(const char *name)
{
	for (size_t i = 0; events[i]; i++)
		if (str_is(str_of(name), events[i]))
			return true;
	return false;
}

/* Only a managed hook needs to know them. */
static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct gitlab_settings *s = route->settings;

	for (size_t i = 0; provider_has_url(route) && i < s->events.count; i++)
		if (!is_event(s->events.items[i]))
			problem_at(m->problems, m->file, node_get(event, "events"),
				   "write PushEvents, TagPushEvents, MergeRequestsEvents ...", "unknown event %.60s",
				   s->events.items[i]);
}

/* Before the body: who has no token need not send one. */
static void on_head(struct exchange *x)
{
	if (provider_has_secret(x, SECRET_TOKEN) &&
	    !provider_verify_token(x, SECRET_TOKEN, provider_field(x, "X-Gitlab-Token"), STR("token mismatch")))
		return;
	if (!provider_has_secret(x, SIGNING_TOKEN))
		provider_open(x);
}

/* A signature covers the raw body, which is kept for it; else the body is read as it comes. */
static void on_body(struct exchange *x, struct str chunk)
{
	if (provider_has_secret(x, SIGNING_TOKEN))
		exchange_collect(x, chunk);
	else
		provider_chunk(x, chunk);
}

/* X-Gitlab-Event-UUID is no id of an event: hooks that a hook caused, and all of one request to GitLab, share it. */
static void on_end(struct exchange *x)
{
	struct str id;

	if (!provider_has_secret(x, SIGNING_TOKEN))
		provider_emit_chunks(x, provider_id(x, "Idempotency-Key"));
	else if (standard_webhooks_verify(x, SIGNING_TOKEN, CLAIMS_TOLERANCE, &id))
		provider_emit_body(x, id);
}

const struct source_ops source_gitlab = {
	.kind = "gitlab",
	.type = "gitlab",
	.settings = &settings,
	.settings_size = sizeof(struct gitlab_settings),
	.holdfast = &holdfast,
	.secrets = secrets,
	.masked = masked,
	.not_json = "invalid event",
	.deadline_ms = 8000, /* GitLab waits 10 s */
	.too_large = ANSWER_TOO_LARGE_READ,
	.check = check,
	.on_head = on_head,
	.on_body = on_body,
	.on_end = on_end,
};
