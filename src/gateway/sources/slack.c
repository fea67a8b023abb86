/*
 * Slack: the Events API, slash commands and interactions. Facts argo-events 1.8.
 *
 * Every request is verified before anything in it is looked at. An event's id is its event_id; what has none and is never
 * sent again by Slack (commands, interactions) is known by its signature, so that a repeated request is the same event.
 */
#include "gateway/sources/slack.h"

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/sources/provider.h"

struct slack_settings {
	struct secret_ref signing_secret;
	struct secret_ref token;
};

#define AT(member) offsetof(struct slack_settings, member)

/* clang-format off */
static const struct field fields[] = {
	{ .key = "signingSecret", .type = FIELD_SECRET, .offset = AT(signing_secret), .missing = "signingSecret not provided",
	  .fix = "add `signingSecret: {name: ..., key: ...}`", .meaning = "The app's signing secret; every request is verified with it." },
	{ .key = "token", .type = FIELD_SECRET, .offset = AT(token), .missing = "token not provided",
	  .fix = "add `token: {name: ..., key: ...}`", .meaning = "The app's verification token, which events carry as well." },
};
static const struct source_secret secrets[] = {
	[SLACK_SIGNING_SECRET] = { .key = "signingSecret", .offset = AT(signing_secret) },
	[SLACK_TOKEN] = { .key = "token", .offset = AT(token) },
	{ 0 },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Events API, slash commands and interactions of a Slack app.",
};

enum answer slack_refusal(const struct exchange *x)
{
	return x->route->config->compat_strict ? ANSWER_BUS_FAILED : ANSWER_MALFORMED;
}

/* ---- the signature ---------------------------------------------------------------------------------------------------- */

/* 401 in both modes, and never what would have been right. */
static bool forged(struct exchange *x, const char *strict)
{
	struct str text = x->route->config->compat_strict ? str_of(strict) : STR("");

	exchange_refuse(x, ANSWER_AUTH_WRONG, text.n ? text : STR("the request is not signed by Slack for this app"));
	return false;
}

bool slack_judge(struct exchange *x, enum err err, const char *strict)
{
	switch (err) {
	case E_OK:
		return true;
	case E_UNAUTHENTICATED:
		return forged(x, strict);
	case E_NOMEM:
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
		return false;
	default:
		exchange_refuse(x, ANSWER_SECRET_UNREADABLE, STR(""));
		return false;
	}
}

/* Too old is said only to who has the secret: a forger learns nothing from the clock. */
static bool is_signed(struct exchange *x, struct claims *claims)
{
	struct str signature = provider_field(x, "X-Slack-Signature"),
		   time = provider_field(x, "X-Slack-Request-Timestamp");
	struct str pieces[] = { STR("v0:"), time, STR(":"), buf_view(&x->body) };
	struct signature_claim claim = { SIGNATURE_SHA256, pieces, ARRAY_LEN(pieces), claims->hmac, 1 };

	if (!signature.n || !time.n)
		return forged(x, "cannot create secrets verifier, missing headers");
	if (!claims_slack(signature, time, claims))
		return forged(x, "signature validation failed");
	if (!slack_judge(x, provider_match(x, SLACK_SIGNING_SECRET, signature_check, &claim),
			 "signature validation failed"))
		return false;
	if (claims_fresh(claims, clock_wall_ms() / 1000, CLAIMS_TOLERANCE))
		return true;
	exchange_refuse(x, ANSWER_AUTH_WRONG, STR("cannot create secrets verifier, timestamp is too old"));
	return false;
}

/* ---- the request ------------------------------------------------------------------------------------------------------- */

static void on_head(struct exchange *x)
{
	x->mode = SLACK_EVENT;
}

static void on_end(struct exchange *x)
{
	struct claims claims;

	if (!is_signed(x, &claims))
		return;
	if (provider_is_form(x))
		slack_form(x, &claims);
	else
		slack_event(x);
}

/* Slack shows the words of an answer to a command to the user: none is right. */
static void on_stored(struct exchange *x, struct http_response *response)
{
	if (x->mode == SLACK_FORM && !x->route->config->compat_strict)
		return;
	response->content_type = STR("text/plain; charset=utf-8");
	response->body = STR("success");
}

const struct source_ops source_slack = {
	.kind = "slack",
	.type = "slack",
	.settings = &settings,
	.settings_size = sizeof(struct slack_settings),
	.secrets = secrets,
	.deadline_ms = 2400,
	.too_large = ANSWER_TOO_LARGE_READ,
	.on_head = on_head,
	.on_body = exchange_collect,
	.on_end = on_end,
	.on_stored = on_stored,
};
