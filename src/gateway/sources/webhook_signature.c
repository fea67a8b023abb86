#include "base/mem.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/standard_webhooks.h"
#include "gateway/sources/webhook.h"

#define AT(member)   offsetof(struct webhook_settings, member)
#define HMAC(member) (AT(hmac.member) - AT(hmac))

static const char *const schemes[] = { "none", "standardWebhooks", "hmac", NULL };
static const char *const hashes[] = {
	[SIGNATURE_SHA1] = "sha1", [SIGNATURE_SHA256] = "sha256", [SIGNATURE_SHA512] = "sha512", NULL
};
static const char *const encodings[] = { "hex", "base64", NULL };

/* clang-format off */
static const struct field hmac_fields[] = {
	{ .key = "header", .type = FIELD_STRING, .offset = HMAC(header), .meaning = "The field with the signature of the body; needed with `signature: hmac`." },
	{ .key = "algorithm", .type = FIELD_WORD, .offset = HMAC(hash), .words = hashes, .dflt = SIGNATURE_SHA256, .meaning = "The hash." },
	{ .key = "encoding", .type = FIELD_WORD, .offset = HMAC(encoding), .words = encodings, .meaning = "How the signature is written." },
	{ .key = "prefix", .type = FIELD_STRING, .offset = HMAC(prefix), .meaning = "What stands before it in the field, such as `sha256=`." },
};
static const struct field_table hmac_table = { .rows = hmac_fields, .count = ARRAY_LEN(hmac_fields) };

static const struct field fields[] = {
	{ .key = "signature", .type = FIELD_WORD, .offset = AT(signature), .words = schemes,
	  .meaning = "Requests must be signed: as [Standard Webhooks](https://www.standardwebhooks.com) says, or with an HMAC of the body in a field." },
	{ .key = "signingSecrets", .type = FIELD_SECRETS, .offset = AT(signing_secrets),
	  .meaning = "Any of them must have signed: `whsec_...` or `whpk_...` for Standard Webhooks, the plain key for `hmac`." },
	{ .key = "signatureTolerance", .type = FIELD_TIME, .offset = AT(tolerance_ms), .min = 1000, .max = 86400000,
	  .dflt = 1000ull * CLAIMS_TOLERANCE, .meaning = "How far the time of a Standard Webhooks signature may be from now." },
	{ .key = "hmac", .type = FIELD_TABLE, .offset = AT(hmac), .table = &hmac_table },
	{ .key = "idHeader", .type = FIELD_STRING, .offset = AT(id_header), .dflt_text = "none; `webhook-id` with Standard Webhooks",
	  .meaning = "A field with the sender's id of the event: the same id again is the same event." },
};
/* clang-format on */
const struct field_table webhook_own_settings = { .rows = fields, .count = ARRAY_LEN(fields) };

const struct source_secret webhook_secrets[] = {
	{ .key = "signingSecrets", .offset = AT(signing_secrets), .list = true },
	{ 0 },
};

static const struct webhook_settings *settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}

/* ---- the manifest -------------------------------------------------------------------------------------------------------- */

/* Does the query stand for the body, in some request at least? Nobody signs that. */
static bool may_lack_body(struct str method)
{
	return str_is(method, "GET") || str_is(method, "HEAD") || str_is(method, "DELETE");
}

void webhook_signature_check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	const struct webhook_settings *s = route->settings;
	const struct node *ours = node_get(event, "holdfast");

	if (s->signature != WEBHOOK_UNSIGNED && may_lack_body(str_of(route->method)))
		problem_at(m->problems, m->file, node_get(ours, "signature"), "write `method: POST`, or use authSecret",
			   "a signature covers the body, and the event of a %s is its query", route->method);
	if (s->signature != WEBHOOK_UNSIGNED && s->signing_secrets.count == 0)
		problem_at(m->problems, m->file, node_get(ours, "signature"),
			   "add `signingSecrets: [{name: ..., key: ...}]`", "nothing to verify signatures with");
	if (s->signature == WEBHOOK_UNSIGNED && s->signing_secrets.count)
		problem_at(m->problems, m->file, node_get(ours, "signingSecrets"),
			   "add `signature: standardWebhooks` or `signature: hmac`",
			   "how requests are signed is not said");
	if (s->signature == WEBHOOK_HMAC && !s->hmac.header)
		problem_at(m->problems, m->file, node_get(ours, "signature"), "add `hmac: {header: X-Signature}`",
			   "in which field the signature stands is not said");
	if (s->signature != WEBHOOK_HMAC && node_get(ours, "hmac"))
		problem_at(m->problems, m->file, node_get(ours, "hmac"), "add `signature: hmac`", "is not used");
}

/* ---- the request --------------------------------------------------------------------------------------------------------- */

bool webhook_is_signed(const struct exchange *x)
{
	return settings_of(x)->signature != WEBHOOK_UNSIGNED;
}

static bool read_hmac(const struct exchange *x, enum signature_hash hash, struct signature *ret_given)
{
	const struct webhook_settings *s = settings_of(x);
	struct str value = provider_field(x, s->hmac.header), prefix = str_of(s->hmac.prefix);

	if (!str_starts(value, prefix))
		return false;
	value = str_sub(value, prefix.n, value.n);
	return s->hmac.encoding ? signature_from_base64(value, hash, ret_given)
				: signature_from_hex(value, hash, ret_given);
}

static bool verify_hmac(struct exchange *x)
{
	struct str body = buf_view(&x->body);
	struct signature given;
	struct signature_claim claim = { (enum signature_hash)settings_of(x)->hmac.hash, &body, 1, &given, 1 };

	if (read_hmac(x, claim.hash, &given))
		return provider_verify(x, 0, signature_check, &claim, STR(""));
	provider_refuse(x, ANSWER_SIGNATURE, STR(""));
	return false;
}

bool webhook_verify(struct exchange *x, struct str *ret_id)
{
	const struct webhook_settings *s = settings_of(x);

	*ret_id = s->id_header ? provider_id(x, s->id_header) : STR("");
	switch (s->signature) {
	case WEBHOOK_STANDARD:
		return standard_webhooks_verify(x, 0, s->tolerance_ms / 1000, ret_id);
	case WEBHOOK_HMAC:
		return verify_hmac(x);
	default:
		return true;
	}
}

void webhook_masked(const struct exchange *x, const char *ret_names[static WEBHOOK_MASKED_MAX])
{
	static const char *const standard[] = { STANDARD_WEBHOOKS_MASKED };
	size_t n = 0;

	if (x->route->config->mask_secrets && settings_of(x)->signature == WEBHOOK_STANDARD)
		for (; n < ARRAY_LEN(standard); n++)
			ret_names[n] = standard[n];
	else if (x->route->config->mask_secrets && settings_of(x)->signature == WEBHOOK_HMAC)
		ret_names[n++] = settings_of(x)->hmac.header;
	ret_names[n] = NULL;
}
