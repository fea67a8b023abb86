/* Gerrit, its webhooks plugin: facts argo-events 1.7. */
#include "gateway/sources/gerrit.h"

#include "base/mem.h"
#include "gateway/sources/provider.h"

#define AT(member) offsetof(struct gerrit_settings, member)

/* clang-format off */
static const struct field auth_rows[] = {
	{ .key = "username", .type = FIELD_SECRET, .offset = AT(auth.username) - AT(auth), .missing = "username and password can't be empty",
	  .fix = "add `username: {name: ..., key: ...}`", .meaning = "Name to manage hooks with." },
	{ .key = "password", .type = FIELD_SECRET, .offset = AT(auth.password) - AT(auth), .missing = "username and password can't be empty",
	  .fix = "add `password: {name: ..., key: ...}`", .meaning = "Its HTTP password." },
};
static const struct field_table auth_table = { .rows = auth_rows, .count = ARRAY_LEN(auth_rows) };

static const struct field fields[] = {
	{ .key = "hookName", .type = FIELD_STRING, .offset = AT(hook_name), .meaning = "The managed hook's name: a remote of the plugin." },
	{ .key = "projects", .type = FIELD_LIST, .offset = AT(projects), .missing = "projects cannot be empty", .fix = "add `projects: [name]`",
	  .meaning = "Projects with a managed hook." },
	{ .key = "events", .type = FIELD_LIST, .offset = AT(events), .missing = "events can't be empty", .fix = "add `events: [patchset-created]`",
	  .meaning = "What a managed hook delivers: Gerrit's stream events." },
	{ .key = "auth", .type = FIELD_TABLE, .offset = AT(auth), .table = &auth_table },
	{ .key = "gerritBaseURL", .type = FIELD_STRING, .offset = AT(base_url), .missing = "gerrit base url can't be empty",
	  .fix = "add `gerritBaseURL: https://...`", .meaning = "Where Gerrit is." },
	{ .key = "deleteHookOnFinish", .type = FIELD_BOOL, .offset = AT(delete_hook_on_finish), .meaning = "A managed hook is deleted when the gateway ends." },
	{ .key = "sslVerify", .type = FIELD_BOOL, .offset = AT(ssl_verify), .meaning = "A managed hook verifies our certificate." },
	{ .key = "maxTries", .type = FIELD_INT, .offset = AT(max_tries), .dflt_text = "Gerrit's own", .meaning = "How often a managed hook tries to deliver." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Gerrit's webhooks plugin, which neither signs nor numbers its requests: keep the endpoint out of "
		 "reach of others.",
};

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct gerrit_settings *s = route->settings;

	/* With an `auth` in place the rows have said it. */
	if (!s->auth.username.path && node_is_null(node_get(event, "auth")))
		problem_at(m->problems, m->file, event, "add `auth: {username: ..., password: ...}`",
			   "username and password can't be empty");
}

static void on_end(struct exchange *x)
{
	provider_emit_chunks(x, /* id= */ STR(""));
}

const struct source_ops source_gerrit = {
	.kind = "gerrit",
	.type = "gerrit",
	.settings = &settings,
	.settings_size = sizeof(struct gerrit_settings),
	.not_json = "invalid event",
	.deadline_ms = 4000, /* the plugin waits 5 s */
	.too_large = ANSWER_TOO_LARGE_READ,
	.check = check,
	.on_head = provider_open,
	.on_body = provider_chunk,
	.on_end = on_end,
};
