/* Bitbucket Cloud: facts argo-events 1.5. */
#include "gateway/sources/bitbucket.h"

#include "base/mem.h"
#include "gateway/sources/provider.h"

#define AT(member) offsetof(struct bitbucket_settings, member)

/* clang-format off */
static const struct field repository_rows[] = {
	{ .key = "owner", .type = FIELD_STRING, .offset = offsetof(struct bitbucket_repository, owner), .meaning = "The workspace." },
	{ .key = "repositorySlug", .type = FIELD_STRING, .offset = offsetof(struct bitbucket_repository, slug), .meaning = "The repository." },
};
static const struct field_table repository_table = { .rows = repository_rows, .count = ARRAY_LEN(repository_rows) };

static const struct field basic_rows[] = {
	{ .key = "username", .type = FIELD_SECRET, .offset = AT(basic.username) - AT(basic), .meaning = "User to manage hooks as." },
	{ .key = "password", .type = FIELD_SECRET, .offset = AT(basic.password) - AT(basic), .meaning = "Its password or app password." },
};
static const struct field_table basic_table = { .rows = basic_rows, .count = ARRAY_LEN(basic_rows) };

static const struct field auth_rows[] = {
	{ .key = "basic", .type = FIELD_TABLE, .offset = AT(basic), .table = &basic_table },
	{ .key = "oauthToken", .type = FIELD_SECRET, .offset = AT(oauth_token), .meaning = "Bearer token to manage hooks with, instead of `basic`." },
};
static const struct field_table auth_table = { .rows = auth_rows, .count = ARRAY_LEN(auth_rows) };

static const struct field fields[] = {
	{ .key = "owner", .type = FIELD_STRING, .offset = AT(owner), .meaning = "With `repositorySlug`: one more of `repositories` (an older way to write it)." },
	{ .key = "projectKey", .type = FIELD_STRING, .offset = AT(project_key), .meaning = "Accepted; not used." },
	{ .key = "repositorySlug", .type = FIELD_STRING, .offset = AT(repository_slug), .meaning = "See `owner`." },
	{ .key = "repositories", .type = FIELD_TABLES, .offset = AT(repositories), .table = &repository_table, .item_size = sizeof(struct bitbucket_repository) },
	{ .key = "events", .type = FIELD_LIST, .offset = AT(events), .meaning = "What a managed hook delivers: Bitbucket's event keys." },
	{ .key = "auth", .type = FIELD_TABLE, .table = &auth_table },
	{ .key = "deleteHookOnFinish", .type = FIELD_BOOL, .offset = AT(delete_hook_on_finish), .meaning = "A managed hook is deleted when the gateway ends." },
};

static const struct field ours[] = {
	{ .key = "webhookSecret", .type = FIELD_SECRET, .offset = AT(webhook_secret), .meaning = "The hook's secret: requests must be signed with it." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Bitbucket Cloud: requests signed with `holdfast.webhookSecret`; `X-Request-UUID` is the event's id.",
};
static const struct field_table holdfast = { .rows = ours, .count = ARRAY_LEN(ours) };

enum { WEBHOOK_SECRET };
static const struct source_secret secrets[] = { [WEBHOOK_SECRET] = { "webhookSecret", AT(webhook_secret) }, { NULL } };
static const char *const masked[] = { "X-Hub-Signature", NULL };

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct bitbucket_settings *s = route->settings;
	bool login = s->oauth_token.path || (s->basic.username.path && s->basic.password.path);

	if (!s->repositories.count && !(s->owner && s->repository_slug))
		problem_at(m->problems, m->file, event, "add repositories: [{owner: ..., repositorySlug: ...}]",
			   "at least one repository is required");
	if (provider_has_url(route) && login && !s->events.count)
		problem_at(m->problems, m->file, event, "add `events: [\"repo:push\"]`, or remove webhook.url",
			   "events must be defined to create a bitbucket webhooks");
}

/* A signature covers the raw body, which is kept for it; else the body is read as it comes. */
static void on_head(struct exchange *x)
{
	if (!provider_has_secret(x, WEBHOOK_SECRET))
		provider_open(x);
	else if (!provider_field(x, "X-Hub-Signature").n)
		provider_refuse(x, ANSWER_SIGNATURE, STR("missing signature"));
}

static void on_body(struct exchange *x, struct str chunk)
{
	if (provider_has_secret(x, WEBHOOK_SECRET))
		exchange_collect(x, chunk);
	else
		provider_chunk(x, chunk);
}

static void on_end(struct exchange *x)
{
	struct str id = provider_id(x, "X-Request-UUID");

	if (!provider_has_secret(x, WEBHOOK_SECRET))
		provider_emit_chunks(x, id);
	else if (provider_verify_body(x, WEBHOOK_SECRET, provider_field(x, "X-Hub-Signature"), 1u << SIGNATURE_SHA256,
				      STR("signature check failed")))
		provider_emit_body(x, id);
}

const struct source_ops source_bitbucket = {
	.kind = "bitbucket",
	.type = "bitbucket",
	.settings = &settings,
	.settings_size = sizeof(struct bitbucket_settings),
	.holdfast = &holdfast,
	.secrets = secrets,
	.masked = masked,
	.not_json = "invalid event",
	.deadline_ms = 8000, /* Bitbucket waits 10 s */
	.too_large = ANSWER_TOO_LARGE_READ,
	.check = check,
	.on_head = on_head,
	.on_body = on_body,
	.on_end = on_end,
};
