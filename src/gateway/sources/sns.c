/*
 * Amazon SNS: facts argo-events 1.2.
 *
 *   message -- its topic, its addresses --> [certificate known? else an errand] -- signature --> notification: stored
 *                                                                                          +---> confirmation: an errand
 *
 * Nothing outside is asked but the one host of the topic's region (or the endpoint in the manifest), by https.
 */
#include "gateway/sources/sns.h"

#include <string.h>

#include "base/mem.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/sns_case.h"

#define AT(member) offsetof(struct sns_settings, member)

/* clang-format off */
static const struct field fields[] = {
	{ .key = "topicArn", .type = FIELD_STRING, .offset = AT(topic_arn), .missing = "must specify topic arn",
	  .fix = "add `topicArn: arn:aws:sns:...`", .meaning = "The topic; messages of others are refused." },
	{ .key = "region", .type = FIELD_STRING, .offset = AT(region), .missing = "must specify region",
	  .fix = "add `region: us-east-1`", .meaning = "The topic's region: certificates come from `sns.<region>.amazonaws.com` and nowhere else." },
	{ .key = "accessKey", .type = FIELD_SECRET, .offset = AT(access_key),
	  .meaning = "Access key id. With `secretKey` a subscription is confirmed through Amazon's API, else through its SubscribeURL." },
	{ .key = "secretKey", .type = FIELD_SECRET, .offset = AT(secret_key), .meaning = "Its secret access key." },
	{ .key = "roleARN", .type = FIELD_STRING, .offset = AT(role_arn), .meaning = "A role that the keys take on to subscribe to the topic (`webhook.url`). Confirmation needs none: it then goes through the SubscribeURL." },
	{ .key = "validateSignature", .type = FIELD_BOOL, .offset = AT(validate_signature),
	  .meaning = "Verify the signature of every message (version 1 and 2)." },
	{ .key = "endpoint", .type = FIELD_STRING, .offset = AT(endpoint), .dflt_text = "`https://sns.<region>.amazonaws.com`",
	  .meaning = "Another server in place of Amazon's, `https://host[:port]`: certificates and confirmations come from there." },
};
static const struct field own_fields[] = {
	{ .key = "endpointCA", .type = FIELD_PATH, .offset = AT(endpoint_ca), .dflt_text = "the system's",
	  .meaning = "Who may sign the certificate of `endpoint` (PEM)." },
	{ .key = "moreTopics", .type = FIELD_LIST, .offset = AT(more_topics), .dflt_text = "none",
	  .meaning = "ARNs of further topics whose messages are taken." },
};
/* clang-format on */
static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Messages of an Amazon SNS topic.",
};
static const struct field_table own_settings = { .rows = own_fields, .count = ARRAY_LEN(own_fields) };

/* In the order of enum sns_secret. */
static const struct source_secret secrets[] = {
	{ .key = "accessKey", .offset = AT(access_key) },
	{ .key = "secretKey", .offset = AT(secret_key) },
	{ 0 },
};

/* ---- the manifest ------------------------------------------------------------------------------------------------------ */

void sns_write_base(const struct sns_settings *s, struct buf *ret_base)
{
	struct str base = str_of(s->endpoint);

	if (s->endpoint)
		buf_str(ret_base, str_sub(base, 0, str_ends(base, STR("/")) ? base.n - 1 : base.n));
	else
		buf_addf(ret_base, "https://sns.%s.amazonaws.com%s", s->region,
			 str_starts(str_of(s->region), STR("cn-")) ? ".cn" : "");
}

static bool is_region(const char *s)
{
	for (; *s; s++)
		if ((*s < 'a' || *s > 'z') && (*s < '0' || *s > '9') && *s != '-')
			return false;
	return true;
}

/* "https://host[:port]", nothing behind it but perhaps a slash. */
static bool is_endpoint(struct str s)
{
	struct str rest = str_starts(s, STR("https://"))  ? str_sub(s, 8, s.n)
			  : str_starts(s, STR("http://")) ? str_sub(s, 7, s.n)
							  : STR("");
	size_t slash = str_find(rest, '/');

	for (size_t i = 0; i < rest.n; i++)
		if (rest.p[i] <= ' ' || rest.p[i] >= 0x7f || rest.p[i] == '@' || rest.p[i] == '?' || rest.p[i] == '#')
			return false;
	return slash > 0 && slash + 1 >= rest.n;
}

static void check_endpoint(const struct fields_ctx *m, const struct node *event, const struct sns_settings *s)
{
	const struct node *n = node_get(event, "endpoint");

	if (!s->endpoint)
		return;
	if (!is_endpoint(str_of(s->endpoint)))
		problem_at(m->problems, m->file, n, "write https://host or https://host:port", "is not an endpoint");
	else if (s->validate_signature && !str_starts(str_of(s->endpoint), STR("https://")))
		problem_at(m->problems, m->file, n, "write https://",
			   "certificates that come without TLS could be anybody's, and validateSignature wants them");
}

/* arn:aws:sns:<region>:... */
static struct str region_of(struct str arn)
{
	for (size_t i = 0; i < 3; i++)
		(void)str_cut(&arn, ':');
	return str_cut(&arn, ':');
}

/* A topic is subscribed to with the keys of the manifest, or by hand. */
static void check_login(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct sns_settings *s = route->settings;

	if (s->role_arn && *s->role_arn && !str_starts(str_of(s->role_arn), STR("arn:")))
		problem_at(m->problems, m->file, node_get(event, "roleARN"), "write arn:aws:iam::...:role/...",
			   "\"%.60s\" is not the ARN of a role", s->role_arn);
	if (!s->access_key.path != !s->secret_key.path)
		problem_at(m->problems, m->file, event, "give both, or none", "accessKey and secretKey go together");
	else if (!s->access_key.path && provider_has_url(route) && route->hooks.manage)
		warning_at(m->problems, m->file, event,
			   "subscribe the topic to this endpoint by hand, which needs no key here to be confirmed",
			   "without accessKey and secretKey the topic is not subscribed to: credentials and roles of "
			   "the environment are not used");
}

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct sns_settings *s = route->settings;

	if (s->region && !is_region(s->region))
		problem_at(m->problems, m->file, node_get(event, "region"), "write it as in us-east-1",
			   "\"%.40s\" is not a region", s->region);
	else if (s->region && s->topic_arn && str_starts(str_of(s->topic_arn), STR("arn:")) &&
		 !str_is(region_of(str_of(s->topic_arn)), s->region))
		warning_at(m->problems, m->file, node_get(event, "region"), "take the region of the topic",
			   "is not the region of topicArn: its messages could not be verified");
	check_login(m, event, route);
	if (!s->validate_signature && !route->auth.path)
		warning_at(m->problems, m->file, event, "add `validateSignature: true`",
			   "signatures are not verified: anybody can send messages");
	check_endpoint(m, event, s);
}

/* ---- the request ------------------------------------------------------------------------------------------------------- */

static void on_end(struct exchange *x)
{
	if (provider_chunks_end(x))
		sns_case_begin(x);
}

const struct source_ops source_sns = {
	.kind = "sns",
	.type = "sns",
	.settings = &settings,
	.settings_size = sizeof(struct sns_settings),
	.holdfast = &own_settings,
	.secrets = secrets,
	.head_key = "header",
	.deadline_ms = 12000,
	.too_large = ANSWER_TOO_LARGE_READ,
	.check = check,
	.on_head = provider_open,
	.on_body = provider_chunk,
	.on_end = on_end,
};
