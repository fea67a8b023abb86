/*
 * Stripe: facts argo-events 1.10. Upstream never looks at Stripe-Signature; here it is verified as soon as a signing secret
 * is given.
 */
#include "gateway/sources/stripe.h"

#include "base/clock.h"
#include "base/mem.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "event/json_walk.h"
#include "gateway/sources/claims.h"
#include "gateway/sources/provider.h"

#define AT(member) offsetof(struct stripe_settings, member)

/* clang-format off */
static const struct field fields[] = {
	{ .key = "createWebhook", .type = FIELD_BOOL, .offset = AT(create_webhook),
	  .meaning = "Register the endpoint at Stripe; needs `apiKey` and `webhook.url`." },
	{ .key = "apiKey", .type = FIELD_SECRET, .offset = AT(api_key), .meaning = "Key of Stripe's API, for `createWebhook`." },
	{ .key = "eventFilter", .type = FIELD_LIST, .offset = AT(event_filter), .dflt_text = "all",
	  .meaning = "Types of events that are stored; others are answered 200 and let go." },
	{ .key = "namespace", .type = FIELD_ANY, .meaning = "Not used: examples of upstream still have it." },
};
static const struct field own_fields[] = {
	{ .key = "signingSecrets", .type = FIELD_SECRETS, .offset = AT(signing_secrets), .dflt_text = "none: signatures are not verified",
	  .meaning = "Signing secrets of the endpoint (`whsec_...`); one of them must have signed." },
	{ .key = "signatureTolerance", .type = FIELD_TIME, .offset = AT(tolerance_ms), .min = 1000, .max = 86400000,
	  .dflt = 1000ull * CLAIMS_TOLERANCE, .meaning = "How far the time of a signature may be from now." },
};
static const struct source_secret secrets[] = {
	{ .key = "signingSecrets", .offset = AT(signing_secrets), .list = true },
	{ 0 },
};
/* clang-format on */
static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Events of a Stripe account.",
};
static const struct field_table own_settings = { .rows = own_fields, .count = ARRAY_LEN(own_fields) };
static const char *const masked[] = { "Stripe-Signature", NULL };

static const struct stripe_settings *settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct stripe_settings *s = route->settings;

	if (s->create_webhook && !s->api_key.path)
		problem_at(m->problems, m->file, event, "add `apiKey: {name: ..., key: ...}`",
			   "api key K8s secret selector not provided");
	if (s->signing_secrets.count == 0 && !route->auth.path)
		warning_at(m->problems, m->file, event, "add holdfast.signingSecrets",
			   "Stripe's signature is not verified: anybody can send events");
}

/* ---- the signature ---------------------------------------------------------------------------------------------------- */

static bool is_signed(struct exchange *x)
{
	struct claims claims;
	struct str pieces[] = { { 0 }, STR("."), buf_view(&x->body) };
	struct signature_claim claim = { SIGNATURE_SHA256, pieces, ARRAY_LEN(pieces), claims.hmac, 0 };

	if (!provider_has_secret(x, 0))
		return true;
	if (!claims_stripe(provider_field(x, "Stripe-Signature"), &claims)) {
		provider_refuse(x, ANSWER_SIGNATURE, STR(""));
		return false;
	}
	pieces[0] = claims.time;
	claim.given_count = claims.hmac_count;
	if (!provider_verify(x, 0, signature_check, &claim, STR("")))
		return false;
	if (claims_fresh(&claims, clock_wall_ms() / 1000, settings_of(x)->tolerance_ms / 1000))
		return true;
	exchange_refuse(x, ANSWER_SIGNATURE, STR("the signature is too old, or a clock is wrong"));
	return false;
}

/* ---- the event -------------------------------------------------------------------------------------------------------- */

/* A member that a Sensor always found upstream, and what it was when Stripe did not send it. */
struct always {
	const char *name;
	const char *otherwise;
};

#define ALWAYS_MAX 8
static const struct always event_members[ALWAYS_MAX] = {
	{ "account", "\"\"" },   { "created", "0" },          { "data", "null" },    { "id", "\"\"" },
	{ "livemode", "false" }, { "pending_webhooks", "0" }, { "request", "null" }, { "type", "\"\"" },
};
static const struct always data_members[] = { { "previous_attributes", "null" }, { "object", "null" } };

/* The object with what is always there added where it is missing; nothing that Stripe sent is lost. */
static void write_object(struct str object, const struct always *always, size_t count, struct buf *json,
			 void (*write_value)(struct str name, struct str value, struct buf *json))
{
	struct json_member found[ALWAYS_MAX];
	struct json_walk w = json_walk(object);
	const char *before = "{";

	for (size_t i = 0; i < count; i++)
		found[i].name = always[i].name;
	(void)json_members(object, found, count);
	for (size_t i = 0; i < count; i++) {
		if (found[i].raw.p)
			continue;
		buf_addf(json, "%s\"%s\":%s", before, always[i].name, always[i].otherwise);
		before = ",";
	}
	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		struct str name = json_walk_key(&w), value = json_walk_value(&w);

		buf_str(json, str_of(before));
		before = ",";
		buf_str(json, name);
		buf_char(json, ':');
		write_value(name, value, json);
	}
	buf_str(json, *before == '{' ? STR("{}") : STR("}"));
}

static void write_plain(struct str name, struct str value, struct buf *json)
{
	(void)name;
	buf_str(json, value);
}

static void write_member(struct str name, struct str value, struct buf *json)
{
	if (str_is(name, "\"data\"") && value.p[0] == '{')
		write_object(value, data_members, ARRAY_LEN(data_members), json, write_plain);
	else
		buf_str(json, value);
}

static bool is_wanted(const struct exchange *x, struct str type)
{
	const struct text_list *filter = &settings_of(x)->event_filter;

	for (size_t i = 0; i < filter->count; i++)
		if (str_is(type, filter->items[i]))
			return true;
	return filter->count == 0;
}

/* Upstream answers 400, and Stripe sends the event again for days. */
static void let_go(struct exchange *x)
{
	metric_inc(x->route->metrics.filtered);
	if (x->route->config->compat_strict)
		exchange_refuse(x, ANSWER_MALFORMED, STR("invalid event"));
	else
		exchange_reply_text(x, STR("success"));
}

static void emit(struct exchange *x, struct str json, struct str id)
{
	buf_clear(&x->body); /* verified and read: its memory takes the payload */
	buf_lit(&x->body, "{\"event\":");
	write_object(json, event_members, ARRAY_LEN(event_members), &x->body, write_member);
	provider_take_body(x);
	provider_emit(x, provider_id_text(id));
}

/* `json` is the whole body, compacted. */
static void handle(struct exchange *x, struct str json, struct buf *arena)
{
	struct json_member m[] = { { .name = "id" }, { .name = "type" } };
	struct str id, type;

	if (json_members(json, m, ARRAY_LEN(m)) == E_MALFORMED || !json_member_text(&m[0], arena, &id) ||
	    !json_member_text(&m[1], arena, &type))
		provider_refuse(x, ANSWER_MALFORMED, STR("failed to parse the event"));
	else if (is_wanted(x, type))
		emit(x, json, id);
	else
		let_go(x);
}

static void on_head(struct exchange *x)
{
	(void)x;
}

static void refuse_json(struct exchange *x, const struct why *why)
{
	if (x->route->config->compat_strict)
		exchange_refuse(x, ANSWER_MALFORMED, STR("failed to parse the event"));
	else
		exchange_refusef(x, ANSWER_MALFORMED, "failed to parse the event: %s", why->text);
}

static void on_end(struct exchange *x)
{
	struct buf arena = { 0 };
	struct why why = { 0 };
	enum err err;

	if (!is_signed(x))
		return;
	err = json_compact(buf_view(&x->body), /* plain= */ false, &x->payload, &why);
	if (err == E_MALFORMED)
		refuse_json(x, &why);
	else if (err != E_OK || !buf_reserve(&arena, x->payload.n))
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else
		handle(x, buf_view(&x->payload), &arena);
	buf_release(&arena);
}

const struct source_ops source_stripe = {
	.kind = "stripe",
	.type = "stripe",
	.settings = &settings,
	.settings_size = sizeof(struct stripe_settings),
	.holdfast = &own_settings,
	.secrets = secrets,
	.masked = masked,
	.check = check,
	.too_large = ANSWER_TOO_LARGE_503,
	.on_head = on_head,
	.on_body = exchange_collect,
	.on_end = on_end,
};
