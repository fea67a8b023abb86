/* Bitbucket Data Center, once Bitbucket Server: facts argo-events 1.6. */
#include "gateway/sources/bitbucketserver.h"

#include "base/mem.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/refs_changed.h"

#define AT(member) offsetof(struct bitbucketserver_settings, member)

/* clang-format off */
static const struct field repository_rows[] = {
	{ .key = "projectKey", .type = FIELD_STRING, .offset = offsetof(struct bitbucketserver_repository, project_key), .meaning = "The project." },
	{ .key = "repositorySlug", .type = FIELD_STRING, .offset = offsetof(struct bitbucketserver_repository, slug), .meaning = "The repository in it." },
};
static const struct field_table repository_table = { .rows = repository_rows, .count = ARRAY_LEN(repository_rows) };

static const struct field tls_rows[] = {
	{ .key = "caCertSecret", .type = FIELD_SECRET, .offset = AT(tls.ca) - AT(tls), .meaning = "Authority that signed Bitbucket's certificate (PEM)." },
	{ .key = "clientCertSecret", .type = FIELD_SECRET, .offset = AT(tls.cert) - AT(tls), .meaning = "Certificate to show to Bitbucket." },
	{ .key = "clientKeySecret", .type = FIELD_SECRET, .offset = AT(tls.key) - AT(tls), .meaning = "Its key." },
	{ .key = "insecureSkipVerify", .type = FIELD_BOOL, .offset = AT(tls.insecure) - AT(tls), .meaning = "Take any certificate." },
	{ .key = "enabled", .type = FIELD_BOOL, .offset = AT(tls.enabled) - AT(tls), .meaning = "TLS without any of these." },
};
static const struct field_table tls_table = { .rows = tls_rows, .count = ARRAY_LEN(tls_rows) };

static const struct field fields[] = {
	{ .key = "projectKey", .type = FIELD_STRING, .offset = AT(project_key), .meaning = "With `repositorySlug`: one more of `repositories` (an older way to write it)." },
	{ .key = "repositorySlug", .type = FIELD_STRING, .offset = AT(repository_slug), .meaning = "See `projectKey`." },
	{ .key = "projects", .type = FIELD_LIST, .offset = AT(projects), .meaning = "Projects whose repositories all have a managed hook." },
	{ .key = "repositories", .type = FIELD_TABLES, .offset = AT(repositories), .table = &repository_table, .item_size = sizeof(struct bitbucketserver_repository) },
	{ .key = "events", .type = FIELD_LIST, .offset = AT(events), .meaning = "What a managed hook delivers: Bitbucket's event keys." },
	{ .key = "skipBranchRefsChangedOnOpenPR", .type = FIELD_BOOL, .offset = AT(skip_on_open_pr),
	  .meaning = "Of a push, leave out changes of branches whose newest commit is in an open pull request; asks Bitbucket with `accessToken`." },
	{ .key = "oneEventPerChange", .type = FIELD_BOOL, .offset = AT(one_event_per_change), .meaning = "A push becomes one event for each changed ref." },
	{ .key = "accessToken", .type = FIELD_SECRET, .offset = AT(access_token), .meaning = "Token to ask Bitbucket and to manage hooks with." },
	{ .key = "webhookSecret", .type = FIELD_SECRET, .offset = AT(webhook_secret), .meaning = "The hook's secret: requests must be signed with it." },
	{ .key = "bitbucketserverBaseURL", .type = FIELD_STRING, .offset = AT(base_url), .missing = "bitbucket server base url can't be empty",
	  .fix = "add `bitbucketserverBaseURL: https://.../rest`", .meaning = "Where Bitbucket's REST API is, `/rest` included." },
	{ .key = "deleteHookOnFinish", .type = FIELD_BOOL, .offset = AT(delete_hook_on_finish), .meaning = "A managed hook is deleted when the gateway ends." },
	{ .key = "tls", .type = FIELD_TABLE, .offset = AT(tls), .table = &tls_table },
	{ .key = "checkInterval", .type = FIELD_TIME, .offset = AT(check_interval_ms), .min = 1000, .dflt = 60000, .meaning = "How often managed hooks are looked after." },
	{ .key = "enableSSLVerification", .type = FIELD_ANY, .dflt_text = "none", .meaning = "Accepted; not used." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Bitbucket Data Center: requests signed with `webhookSecret`; `X-Request-Id` is the event's id.",
};

static const struct source_secret secrets[] = {
	[BITBUCKETSERVER_WEBHOOK_SECRET] = { "webhookSecret", AT(webhook_secret) },
	[BITBUCKETSERVER_ACCESS_TOKEN] = { "accessToken", AT(access_token) },
	{ NULL },
};
static const char *const masked[] = { "X-Hub-Signature", NULL };

static bool manages_hooks(const struct route_config *route)
{
	const struct bitbucketserver_settings *s = route->settings;

	return provider_has_url(route) && s->access_token.path &&
	       (s->projects.count || s->repositories.count || (s->project_key && s->repository_slug));
}

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct bitbucketserver_settings *s = route->settings;

	if (manages_hooks(route) && !s->events.count)
		problem_at(m->problems, m->file, event, "add `events: [\"repo:refs_changed\"]`, or remove webhook.url",
			   "events must be defined to create a bitbucket server webhook");
	if (s->skip_on_open_pr && !s->access_token.path)
		problem_at(m->problems, m->file, node_get(event, "skipBranchRefsChangedOnOpenPR"), "add accessToken",
			   "Bitbucket is asked for pull requests with accessToken, and there is none");
	if (!s->tls.cert.path != !s->tls.key.path)
		problem_at(m->problems, m->file, node_get(event, "tls"), "give both", "a certificate needs its key");
}

/* ---- request --------------------------------------------------------------------------------------------------------- */

static bool event_is(const struct exchange *x, const char *key)
{
	return str_is(http_field(x->request, STR("X-Event-Key"), NULL), key);
}

/* "Test connection" in Bitbucket's settings, which it does not sign. The answer is all there is to it. */
static bool is_unsigned_ping(const struct exchange *x)
{
	return event_is(x, "diagnostics:ping") && !http_field(x->request, STR("X-Hub-Signature"), NULL).p;
}

#define REFUSAL "failed to validate bitbucketserver webhook request: "

static void on_head(struct exchange *x)
{
	if (!provider_has_secret(x, BITBUCKETSERVER_WEBHOOK_SECRET))
		return;
	if (is_unsigned_ping(x))
		exchange_reply_text(x, STR("success"));
	else if (!provider_field(x, "X-Hub-Signature").n)
		provider_refuse(x, ANSWER_SIGNATURE, STR(REFUSAL "missing signature header"));
}

static bool verified(struct exchange *x)
{
	return !provider_has_secret(x, BITBUCKETSERVER_WEBHOOK_SECRET) ||
	       provider_verify_body(x, BITBUCKETSERVER_WEBHOOK_SECRET, provider_field(x, "X-Hub-Signature"),
				    1u << SIGNATURE_SHA256, STR(REFUSAL "hmac verification failed"));
}

static void on_end(struct exchange *x)
{
	const struct bitbucketserver_settings *s = x->route->config->settings;

	if (!verified(x))
		return;
	if ((s->one_event_per_change || s->skip_on_open_pr) && event_is(x, "repo:refs_changed"))
		refs_changed(x);
	else
		provider_emit_body(x, provider_id(x, "X-Request-Id"));
}

const struct source_ops source_bitbucketserver = {
	.kind = "bitbucketserver",
	.type = "bitbucketserver",
	.settings = &settings,
	.settings_size = sizeof(struct bitbucketserver_settings),
	.secrets = secrets,
	.masked = masked,
	.not_json = "invalid event",
	.deadline_ms = 8000, /* Bitbucket waits 10 s or longer */
	.too_large = ANSWER_TOO_LARGE_READ,
	.check = check,
	.on_head = on_head,
	.on_body = exchange_collect,
	.on_end = on_end,
};
