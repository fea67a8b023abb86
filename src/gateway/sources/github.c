/* GitHub: facts argo-events 1.3. */
#include "gateway/sources/github.h"

#include "base/mem.h"
#include "event/json_text.h"
#include "gateway/payload.h"
#include "gateway/sources/github_body.h"
#include "gateway/sources/provider.h"

#define ACCEPT_POST "Accept-Post: application/json, " PROVIDER_FORM "\r\n"

#define AT(member)  offsetof(struct github_settings, member)

/* clang-format off */
static const struct field repository_rows[] = {
	{ .key = "owner", .type = FIELD_STRING, .offset = offsetof(struct github_repository, owner), .meaning = "A user or organization." },
	{ .key = "names", .type = FIELD_LIST, .offset = offsetof(struct github_repository, names), .meaning = "Repositories of it." },
};
static const struct field_table repository_table = { .rows = repository_rows, .count = ARRAY_LEN(repository_rows) };

static const struct field app_rows[] = {
	{ .key = "privateKey", .type = FIELD_SECRET, .offset = AT(app.private_key) - AT(app), .meaning = "Its private key (PEM)." },
	{ .key = "appID", .type = FIELD_INT, .offset = AT(app.app_id) - AT(app), .meaning = "Its number." },
	{ .key = "installationID", .type = FIELD_INT, .offset = AT(app.installation_id) - AT(app), .meaning = "The installation in the organization or account." },
};
static const struct field_table app_table = { .rows = app_rows, .count = ARRAY_LEN(app_rows) };

static const struct field fields[] = {
	{ .key = "id", .type = FIELD_ANY, .dflt_text = "none", .meaning = "Accepted; not used." },
	{ .key = "owner", .type = FIELD_STRING, .offset = AT(owner), .meaning = "With `repository`: one more of `repositories` (an older way to write it)." },
	{ .key = "repository", .type = FIELD_STRING, .offset = AT(repository), .meaning = "See `owner`." },
	{ .key = "repositories", .type = FIELD_TABLES, .offset = AT(repositories), .table = &repository_table, .item_size = sizeof(struct github_repository) },
	{ .key = "organizations", .type = FIELD_LIST, .offset = AT(organizations), .meaning = "Organizations with a hook of their own, instead of `repositories`." },
	{ .key = "events", .type = FIELD_LIST, .offset = AT(events), .meaning = "What a managed hook delivers: GitHub's event names, or `*`." },
	{ .key = "apiToken", .type = FIELD_SECRET, .offset = AT(api_token), .meaning = "Token to manage hooks with." },
	{ .key = "githubApp", .type = FIELD_TABLE, .offset = AT(app), .table = &app_table },
	{ .key = "webhookSecret", .type = FIELD_SECRET, .offset = AT(webhook_secret), .meaning = "The hook's secret: requests must be signed with it." },
	{ .key = "insecure", .type = FIELD_BOOL, .offset = AT(insecure), .meaning = "A managed hook does not verify our certificate." },
	{ .key = "active", .type = FIELD_BOOL, .offset = AT(active), .meaning = "A managed hook delivers." },
	{ .key = "contentType", .type = FIELD_STRING, .offset = AT(content_type), .dflt_text = "GitHub's: form", .meaning = "`json` or `form`: what a managed hook sends. Requests may have either." },
	{ .key = "githubBaseURL", .type = FIELD_STRING, .offset = AT(base_url), .dflt_text = "github.com", .meaning = "GitHub Enterprise: where its API is." },
	{ .key = "githubUploadURL", .type = FIELD_STRING, .offset = AT(upload_url), .meaning = "GitHub Enterprise: where its uploads go." },
	{ .key = "deleteHookOnFinish", .type = FIELD_BOOL, .offset = AT(delete_hook_on_finish), .meaning = "A managed hook is deleted when the gateway ends." },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "GitHub: requests signed with `webhookSecret`; `X-GitHub-Delivery` is the event's id.",
};

enum { WEBHOOK_SECRET };
static const struct source_secret secrets[] = {
	[WEBHOOK_SECRET] = { "webhookSecret", AT(webhook_secret) },
	{ NULL },
};
static const char *const masked[] = { "X-Hub-Signature", "X-Hub-Signature-256", NULL };

/* ---- manifest -------------------------------------------------------------------------------------------------------- */

static void check_hooks(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct github_settings *s = route->settings;

	if (provider_has_url(route) && (s->api_token.path || s->app.private_key.path) && !s->events.count)
		problem_at(m->problems, m->file, event, "add `events: [\"*\"]`, or remove webhook.url",
			   "events must be defined to create a github webhook");
	if (s->content_type && !str_is(str_of(s->content_type), "json") && !str_is(str_of(s->content_type), "form") &&
	    *s->content_type)
		problem_at(m->problems, m->file, node_get(event, "contentType"), "write json or form",
			   "content type must be \"json\" or \"form\"");
	if (s->upload_url && !s->base_url)
		problem_at(m->problems, m->file, event, "add githubBaseURL",
			   "githubBaseURL is required when githubUploadURL is set");
	if (s->base_url && !s->upload_url)
		problem_at(m->problems, m->file, event, "add githubUploadURL",
			   "githubUploadURL is required when githubBaseURL is set");
}

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct github_settings *s = route->settings;
	bool repositories = s->repositories.count || (s->owner && s->repository);

	if (!repositories && !s->organizations.count)
		problem_at(m->problems, m->file, event, "add repositories: [{owner: ..., names: [...]}]",
			   "either repositories or organizations is required");
	if (repositories && s->organizations.count)
		problem_at(m->problems, m->file, node_get(event, "organizations"), "write two events",
			   "only one of repositories and organizations is allowed");
	check_hooks(m, event, route);
}

/* ---- request --------------------------------------------------------------------------------------------------------- */

enum mode { MODE_JSON, MODE_FORM };

static void refuse_media_type(struct exchange *x, struct str type)
{
	char space[384];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	struct str essence = str_trim(str_cut(&type, ';'));

	if (!x->route->config->compat_strict)
		buf_lit(&text, "send application/json, or " PROVIDER_FORM " with the JSON in its field payload");
	else if (essence.n == 0)
		buf_lit(&text, "mime: no media type");
	else
		buf_lit(&text, "webhook request has unsupported Content-Type ");
	if (x->route->config->compat_strict && essence.n)
		buf_json(&text, str_sub(essence, 0, 60));
	exchange_refuse_more(x, ANSWER_MEDIA_TYPE,
			     &(struct answer_more){ .headers = STR(ACCEPT_POST), .detail = buf_view(&text) });
}

/*
 * The field that counts: SHA-1 alone is taken from senders that know nothing better, but never where SHA-256 stands too.
 * A field that stands twice counts as one that is wrong.
 */
static struct str signature_of(const struct exchange *x, unsigned *ret_hashes)
{
	unsigned strong = 1u << SIGNATURE_SHA256 | 1u << SIGNATURE_SHA512;

	if (http_field(x->request, STR("X-Hub-Signature-256"), NULL).p) {
		*ret_hashes = strong;
		return provider_field(x, "X-Hub-Signature-256");
	}
	*ret_hashes = strong | 1u << SIGNATURE_SHA1;
	return provider_field(x, "X-Hub-Signature");
}

static void on_head(struct exchange *x)
{
	struct str type = http_field(x->request, STR("Content-Type"), NULL);
	unsigned hashes;

	x->mode = provider_media_type(type, PROVIDER_FORM) ? MODE_FORM : MODE_JSON;
	if (x->mode == MODE_JSON && !provider_media_type(type, "application/json"))
		refuse_media_type(x, type);
	else if (provider_has_secret(x, WEBHOOK_SECRET) && !signature_of(x, &hashes).n)
		provider_refuse(x, ANSWER_SIGNATURE, STR("missing signature"));
}

static bool verified(struct exchange *x)
{
	unsigned hashes;
	struct str signature = signature_of(x, &hashes);

	return !provider_has_secret(x, WEBHOOK_SECRET) ||
	       provider_verify_body(x, WEBHOOK_SECRET, signature, hashes, STR("payload signature check failed"));
}

/* The JSON text inside the request: the body, or the field of a form, which is decoded into `space`. */
static bool find_json(struct exchange *x, struct buf *space, struct str *ret_json)
{
	enum err err;

	*ret_json = buf_view(&x->body);
	if (x->mode == MODE_JSON)
		return true;
	err = payload_form_field(buf_view(&x->body), STR("payload"), space);
	*ret_json = buf_view(space);
	if (err == E_MALFORMED)
		exchange_refuse(x, ANSWER_MALFORMED, STR("the form has a bad % escape or a ';'"));
	else if (err != E_OK && err != E_NOT_FOUND) /* without the field it is an empty text, which is no JSON */
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	return err == E_OK || err == E_NOT_FOUND;
}

static bool refuse_no_object(struct exchange *x, char first)
{
	const char *kind = first == '['                   ? "array"
			   : first == '"'                 ? "string"
			   : first == 't' || first == 'f' ? "bool"
			   : first == 'n'                 ? "null"
							  : "number";

	if (x->route->config->compat_strict)
		exchange_refusef(x, ANSWER_MALFORMED,
				 "json: cannot unmarshal %s into Go value of type map[string]interface {}", kind);
	else
		exchange_refuse(x, ANSWER_MALFORMED, STR("the body must be a JSON object"));
	return false;
}

static void write_member(struct exchange *x, const char *name)
{
	buf_addf(&x->payload, "\"%s\":", name);
	json_write_string(&x->payload, http_field(x->request, str_of(name), NULL));
}

/* The body with the two fields of the head that upstream adds to it; the rest as sent. */
static bool write_body(struct exchange *x, struct str json)
{
	size_t at = x->payload.n;

	if (!provider_json(x, json))
		return false;
	if (x->payload.p[at] != '{')
		return refuse_no_object(x, x->payload.p[at]);
	if (github_drop_ours(&x->payload, at) != E_OK) {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return false;
	}
	if (x->payload.n > at + 1)
		buf_char(&x->payload, ',');
	write_member(x, "X-GitHub-Delivery");
	buf_char(&x->payload, ',');
	write_member(x, "X-GitHub-Event");
	buf_char(&x->payload, '}');
	return true;
}

static void on_end(struct exchange *x)
{
	struct buf form = { .max = x->body.n + 1 };
	struct str json;

	if (verified(x) && find_json(x, &form, &json)) {
		provider_open(x);
		if (write_body(x, json))
			provider_emit(x, provider_id(x, "X-GitHub-Delivery"));
	}
	buf_release(&form);
}

const struct source_ops source_github = {
	.kind = "github",
	.type = "github",
	.settings = &settings,
	.settings_size = sizeof(struct github_settings),
	.secrets = secrets,
	.masked = masked,
	.deadline_ms = 8000, /* GitHub waits 10 s */
	.too_large = ANSWER_TOO_LARGE_READ,
	.check = check,
	.on_head = on_head,
	.on_body = exchange_collect,
	.on_end = on_end,
};
