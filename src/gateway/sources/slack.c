/*
 * Slack: the Events API, slash commands and interactions. Facts argo-events 1.8.
 *
 * Every request is verified before anything in it is looked at. An event's id is its event_id; what has none and is never
 * sent again by Slack (commands, interactions) is known by its signature, so that a repeated request is the same event.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "gateway/payload.h"
#include "gateway/sources/claims.h"
#include "gateway/sources/provider.h"

struct slack_settings {
	struct secret_ref signing_secret;
	struct secret_ref token;
};

enum { SIGNING_SECRET, TOKEN };

enum mode { MODE_EVENT, MODE_FORM };

#define AT(member) offsetof(struct slack_settings, member)

/* clang-format off */
static const struct field fields[] = {
	{ .key = "signingSecret", .type = FIELD_SECRET, .offset = AT(signing_secret), .missing = "signingSecret not provided",
	  .fix = "add `signingSecret: {name: ..., key: ...}`", .meaning = "The app's signing secret; every request is verified with it." },
	{ .key = "token", .type = FIELD_SECRET, .offset = AT(token), .missing = "token not provided",
	  .fix = "add `token: {name: ..., key: ...}`", .meaning = "The app's verification token, which events carry as well." },
};
static const struct source_secret secrets[] = {
	[SIGNING_SECRET] = { .key = "signingSecret", .offset = AT(signing_secret) },
	[TOKEN] = { .key = "token", .offset = AT(token) },
	{ 0 },
};
/* clang-format on */

static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Events API, slash commands and interactions of a Slack app.",
};

/* Upstream answers 500 to whatever it cannot read. */
static void refuse(struct exchange *x, struct str upstream, struct str ours)
{
	bool strict = x->route->config->compat_strict;

	exchange_refuse(x, strict ? ANSWER_BUS_FAILED : ANSWER_MALFORMED, strict ? upstream : ours);
}

/* ---- the signature ---------------------------------------------------------------------------------------------------- */

/* 401 in both modes, and never what would have been right. */
static bool forged(struct exchange *x, const char *strict)
{
	struct str text = x->route->config->compat_strict ? str_of(strict) : STR("");

	exchange_refuse(x, ANSWER_AUTH_WRONG, text.n ? text : STR("the request is not signed by Slack for this app"));
	return false;
}

static bool judge(struct exchange *x, enum err err, const char *strict)
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
	if (!judge(x, provider_match(x, SIGNING_SECRET, signature_check, &claim), "signature validation failed"))
		return false;
	if (claims_fresh(claims, clock_wall_ms() / 1000, CLAIMS_TOLERANCE))
		return true;
	exchange_refuse(x, ANSWER_AUTH_WRONG, STR("cannot create secrets verifier, timestamp is too old"));
	return false;
}

/* ---- forms ------------------------------------------------------------------------------------------------------------ */

/* The id of a request that has none. */
static void emit_signed(struct exchange *x, const struct claims *claims)
{
	static const char digits[] = "0123456789abcdef";
	char id[2 * SIGNATURE_MAX];
	const struct signature *s = &claims->hmac[0];

	for (size_t i = 0; i < s->n; i++) {
		id[2 * i] = digits[s->bytes[i] >> 4];
		id[2 * i + 1] = digits[s->bytes[i] & 0xf];
	}
	if (exchange_charge(x))
		exchange_emit(x, (struct str){ id, 2 * s->n });
}

/* Refuses what is no JSON object. The payload is the interaction as Slack sent it. */
static void interaction(struct exchange *x, struct str payload, const struct claims *claims)
{
	struct why why = { 0 };
	char space[640];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	enum err err = json_compact(payload, /* plain= */ false, &x->payload, &why);

	if (err == E_OK && x->payload.p[0] == '{') {
		x->mode = MODE_FORM;
		emit_signed(x, claims);
	} else if (err == E_OK || err == E_MALFORMED) {
		buf_addf(&text, "failed to parse interaction event, %s",
			 err == E_OK ? "it is not an object" : why.text);
		refuse(x, buf_view(&text), buf_view(&text));
	} else {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	}
}

/* Of a slash command, in the order of upstream's struct. */
static const struct command_field {
	const char *name;
	enum { TEXT, TEXT_IF_ANY, FLAG } kind;
} command_fields[] = {
	{ "token", TEXT },
	{ "team_id", TEXT },
	{ "team_domain", TEXT },
	{ "enterprise_id", TEXT_IF_ANY },
	{ "enterprise_name", TEXT_IF_ANY },
	{ "is_enterprise_install", FLAG },
	{ "channel_id", TEXT },
	{ "channel_name", TEXT },
	{ "user_id", TEXT },
	{ "user_name", TEXT },
	{ "command", TEXT },
	{ "text", TEXT },
	{ "response_url", TEXT },
	{ "trigger_id", TEXT },
	{ "api_app_id", TEXT },
};

static enum err write_field(const struct command_field *f, struct str form, struct buf *json)
{
	struct buf value = { 0 };
	enum err err = payload_form_field(form, str_of(f->name), &value);

	if ((err == E_OK || err == E_NOT_FOUND) && (f->kind != TEXT_IF_ANY || value.n)) {
		buf_addf(json, "%s\"%s\":", f == command_fields ? "{" : ",", f->name);
		if (f->kind == FLAG)
			buf_str(json, str_is(buf_view(&value), "true") ? STR("true") : STR("false"));
		else
			json_write_string(json, buf_view(&value));
	}
	buf_release(&value);
	return err == E_NOT_FOUND ? E_OK : err;
}

static void command(struct exchange *x, const struct claims *claims)
{
	enum err err = E_OK;

	for (size_t i = 0; i < ARRAY_LEN(command_fields) && err == E_OK; i++)
		err = write_field(&command_fields[i], buf_view(&x->body), &x->payload);
	buf_char(&x->payload, '}');
	if (err == E_OK) {
		x->mode = MODE_FORM;
		emit_signed(x, claims);
	} else {
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	}
}

/* Slack looks at a command's endpoint now and then: nothing to store. */
static bool is_probe(const struct exchange *x)
{
	struct buf value = { 0 };
	bool probe = payload_form_field(buf_view(&x->body), STR("ssl_check"), &value) == E_OK &&
		     str_is(buf_view(&value), "1");

	buf_release(&value);
	return probe;
}

static void no_form(struct exchange *x, enum err err)
{
	struct str text = STR("could not determine slack type from form parameters");

	if (err == E_NOMEM || err == E_LIMIT)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else if (err == E_NOT_FOUND && is_probe(x))
		exchange_reply(x, &(struct http_response){ .status = 200 });
	else
		refuse(x, text, text);
}

static void form(struct exchange *x, const struct claims *claims)
{
	struct buf value = { 0 };
	enum err err = payload_form_field(buf_view(&x->body), STR("payload"), &value);

	if (err == E_OK && value.n) {
		interaction(x, buf_view(&value), claims);
	} else if (err == E_OK || err == E_NOT_FOUND) {
		err = payload_form_field(buf_view(&x->body), STR("command"), &value);
		if (err == E_OK && value.n)
			command(x, claims);
		else
			no_form(x, err == E_OK ? E_NOT_FOUND : err);
	} else {
		no_form(x, err);
	}
	buf_release(&value);
}

/* ---- events ----------------------------------------------------------------------------------------------------------- */

/* The members of the outer object, decoded. */
struct envelope {
	struct str type;
	struct str token;
	struct str challenge;
	struct str event_id;
	struct str event; /* raw */
	struct buf arena;
};

static void refuse_event(struct exchange *x, const char *reason)
{
	char space[640];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	buf_addf(&text, "failed to extract event, %s", reason);
	refuse(x, buf_view(&text), buf_view(&text));
}

static enum err read_envelope(struct str json, struct envelope *e)
{
	struct json_member m[] = { { .name = "type" },
				   { .name = "token" },
				   { .name = "challenge" },
				   { .name = "event_id" },
				   { .name = "event" } };
	struct str *texts[] = { &e->type, &e->token, &e->challenge, &e->event_id };

	if (json_members(json, m, ARRAY_LEN(m)) == E_MALFORMED)
		return E_MALFORMED;
	if (!buf_reserve(&e->arena, json.n))
		return E_NOMEM;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!json_member_text(&m[i], &e->arena, texts[i]))
			return E_MALFORMED;
	e->event = m[ARRAY_LEN(m) - 1].raw;
	return E_OK;
}

/* {"type":<the event's>,"Data":<the event>}: what upstream's struct makes of it, with nothing lost. */
static void emit_event(struct exchange *x, const struct envelope *e)
{
	struct json_member type = { .name = "type" };

	if (json_members(e->event, &type, 1) == E_MALFORMED || !str_starts(type.raw, STR("\""))) {
		refuse_event(x, "the inner event or its type is missing");
		return;
	}
	buf_clear(&x->body); /* verified and read: its memory takes the payload */
	buf_lit(&x->body, "{\"type\":");
	buf_str(&x->body, type.raw);
	buf_lit(&x->body, ",\"Data\":");
	buf_str(&x->body, e->event);
	buf_char(&x->body, '}');
	provider_take_body(x);
	if (exchange_charge(x))
		exchange_emit(x, provider_id_text(e->event_id));
}

/* The challenge alone: upstream adds "success" to it, which Slack does not take. */
static void answer_challenge(struct exchange *x, struct str challenge)
{
	if (challenge.n)
		exchange_reply(x, &(struct http_response){ .status = 200,
							   .content_type = STR("text/plain; charset=utf-8"),
							   .headers = STR("X-Content-Type-Options: nosniff\r\n"),
							   .body = challenge });
	else
		refuse_event(x, "the challenge is missing");
}

static void dispatch(struct exchange *x, const struct envelope *e)
{
	static const struct http_response noted = { .status = 200,
						    .content_type = { "text/plain; charset=utf-8", 25 },
						    .body = { "success", 7 } };

	if (str_is(e->type, "url_verification"))
		answer_challenge(x, e->challenge);
	else if (str_is(e->type, "event_callback"))
		emit_event(x, e);
	else if (str_is(e->type, "app_rate_limited") || x->route->config->compat_strict)
		exchange_reply(x, &noted); /* Slack's word about itself, no event */
	else
		refuse_event(x, "its type is not known: nothing was stored");
}

static enum err is_token(void *ctx, struct str secret)
{
	return str_eq_secret(*(const struct str *)ctx, secret) ? E_OK : E_UNAUTHENTICATED;
}

static bool has_token(struct exchange *x, struct envelope *e)
{
	enum err err = provider_match(x, TOKEN, is_token, &e->token);
	struct str text = STR("failed to extract event, invalid verification token");

	if (err != E_UNAUTHENTICATED)
		return judge(x, err, "");
	exchange_refuse(x, x->route->config->compat_strict ? ANSWER_BUS_FAILED : ANSWER_AUTH_WRONG, text);
	return false;
}

static void event(struct exchange *x)
{
	struct envelope e = { 0 };
	struct why why = { 0 };
	enum err err = json_compact(buf_view(&x->body), /* plain= */ false, &x->payload, &why);

	if (err == E_MALFORMED) {
		refuse_event(x, why.text);
		return;
	}
	if (err == E_OK)
		err = read_envelope(buf_view(&x->payload), &e);
	if (err == E_MALFORMED)
		refuse_event(x, "it is not an object with a type");
	else if (err != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else if (has_token(x, &e))
		dispatch(x, &e);
	buf_release(&e.arena);
}

/* ---- the request ------------------------------------------------------------------------------------------------------- */

static void on_head(struct exchange *x)
{
	x->mode = MODE_EVENT;
}

static void on_body(struct exchange *x, struct str chunk)
{
	exchange_collect(x, chunk);
}

/* Upstream takes the bare media type only. */
static bool is_form(const struct exchange *x)
{
	struct str type = http_field(x->request, STR("Content-Type"), NULL);

	return x->route->config->compat_strict ? str_is(type, "application/x-www-form-urlencoded")
					       : provider_media_type(type, "application/x-www-form-urlencoded");
}

static void on_end(struct exchange *x)
{
	struct claims claims;

	if (!is_signed(x, &claims))
		return;
	if (is_form(x))
		form(x, &claims);
	else
		event(x);
}

/* Slack shows the words of an answer to a command to the user: none is right. */
static void on_stored(struct exchange *x, struct http_response *response)
{
	if (x->mode == MODE_FORM && !x->route->config->compat_strict)
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
	.on_body = on_body,
	.on_end = on_end,
	.on_stored = on_stored,
};
