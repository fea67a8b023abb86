#include "gateway/sources/provider.h"

#include "event/json_text.h"
#include "gateway/payload.h"
#include "gateway/worker.h"

#define ID_MAX 200 /* longer than any provider's */

void provider_refuse(struct exchange *x, enum answer answer, struct str strict)
{
	exchange_refuse(x, answer, x->route->config->compat_strict ? strict : STR(""));
}

struct str provider_field(const struct exchange *x, const char *name)
{
	size_t count = 0;
	struct str value = http_field(x->request, str_of(name), &count);

	return count == 1 ? value : (struct str){ 0 };
}

/* ---- secrets -------------------------------------------------------------------------------------------------------- */

bool provider_has_secret(const struct exchange *x, size_t secret)
{
	return x->route->secrets[secret].count != 0;
}

/* One file that cannot be read must not hide that another has the right secret; but then nobody can say "wrong". */
enum err provider_match(struct exchange *x, size_t secret, enum err (*check)(void *ctx, struct str secret), void *ctx)
{
	const struct route_secret *s = &x->route->secrets[secret];
	enum err all = E_UNAUTHENTICATED;

	for (size_t i = 0; i < s->count; i++) {
		enum err err = secret_file_match(&s->files[i], x->worker->loop.now_ms, check, ctx);

		if (err == E_OK)
			return E_OK;
		if (err != E_UNAUTHENTICATED)
			all = err;
	}
	return all;
}

bool provider_verify(struct exchange *x, size_t secret, enum err (*check)(void *ctx, struct str secret), void *ctx,
		     struct str strict)
{
	switch (provider_match(x, secret, check, ctx)) {
	case E_OK:
		return true;
	case E_UNAUTHENTICATED:
		provider_refuse(x, ANSWER_SIGNATURE, strict);
		return false;
	case E_NOMEM:
		provider_refuse(x, ANSWER_OVERLOAD, STR(""));
		return false;
	default:
		provider_refuse(x, ANSWER_SECRET_UNREADABLE, STR(""));
		return false;
	}
}

enum err provider_check_token(void *token, struct str secret)
{
	return str_eq_secret(*(const struct str *)token, secret) ? E_OK : E_UNAUTHENTICATED;
}

bool provider_verify_token(struct exchange *x, size_t secret, struct str token, struct str strict)
{
	return provider_verify(x, secret, provider_check_token, &token, strict);
}

bool provider_verify_body(struct exchange *x, size_t secret, struct str value, unsigned hashes, struct str strict)
{
	struct str body = buf_view(&x->body), hex = value, name = str_cut(&hex, '=');
	struct signature given;
	struct signature_claim claim = { .pieces = &body, .piece_count = 1, .given = &given, .given_count = 1 };

	if (!signature_hash_named(name, &claim.hash) || !(hashes & 1u << claim.hash) ||
	    !signature_from_hex(hex, claim.hash, &given)) {
		provider_refuse(x, ANSWER_SIGNATURE, strict);
		return false;
	}
	return provider_verify(x, secret, signature_check, &claim, strict);
}

/* ---- payload -------------------------------------------------------------------------------------------------------- */

void provider_open(struct exchange *x)
{
	const struct route_config *config = x->route->config;

	buf_addf(&x->payload, "{\"%s\":", config->ops->head_key ? config->ops->head_key : "headers");
	payload_headers(x->request, config->mask_secrets ? config->ops->masked : NULL, &x->payload);
	buf_lit(&x->payload, ",\"body\":");
	json_scan_init(&x->scan);
}

/* Where it goes wrong and what to do. */
static void refuse_json(struct exchange *x)
{
	struct str upstream = str_of(x->route->config->ops->not_json);
	char space[384];
	struct buf text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	if (!x->route->config->compat_strict) {
		buf_lit(&text, "the body must be one JSON value: ");
		json_explain(&x->scan, &text);
		buf_addf(&text, " (byte %zu)", x->scan.offset);
	} else {
		buf_str(&text, upstream);
		if (!upstream.n || str_ends(upstream, STR(": ")))
			json_explain(&x->scan, &text);
	}
	exchange_refuse(x, ANSWER_MALFORMED, buf_view(&text));
}

static bool scanned(struct exchange *x, enum err err)
{
	if (err == E_OK)
		return exchange_charge(x);
	if (err == E_MALFORMED)
		refuse_json(x);
	else
		provider_refuse(x, ANSWER_OVERLOAD, STR(""));
	return false;
}

void provider_chunk(struct exchange *x, struct str chunk)
{
	(void)scanned(x, json_scan_feed(&x->scan, chunk, &x->payload));
}

bool provider_chunks_end(struct exchange *x)
{
	return scanned(x, json_scan_finish(&x->scan, &x->payload));
}

bool provider_json(struct exchange *x, struct str text)
{
	enum err err;

	json_scan_init(&x->scan);
	err = json_scan_feed(&x->scan, text, &x->payload);
	if (err == E_OK)
		err = json_scan_finish(&x->scan, &x->payload);
	return scanned(x, err);
}

void provider_take_body(struct exchange *x)
{
	struct buf payload = x->payload;

	x->payload = x->body;
	x->body = payload;
}

void provider_close(struct exchange *x)
{
	payload_metadata(x->route->config, &x->payload);
	buf_char(&x->payload, '}');
}

void provider_emit(struct exchange *x, struct str id)
{
	provider_close(x);
	if (exchange_charge(x))
		exchange_emit(x, id);
}

void provider_emit_body(struct exchange *x, struct str id)
{
	provider_open(x);
	if (provider_json(x, buf_view(&x->body)))
		provider_emit(x, id);
}

void provider_emit_chunks(struct exchange *x, struct str id)
{
	if (provider_chunks_end(x))
		provider_emit(x, id);
}

/* ---- what stands in a request --------------------------------------------------------------------------------------- */

struct str provider_id_text(struct str id)
{
	if (id.n > ID_MAX)
		return (struct str){ 0 };
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= ' ' || id.p[i] >= 0x7f)
			return (struct str){ 0 };
	return id;
}

struct str provider_id(const struct exchange *x, const char *name)
{
	return provider_id_text(provider_field(x, name));
}

bool provider_has_url(const struct route_config *route)
{
	return route->url && *route->url;
}

bool provider_media_type(struct str value, const char *type)
{
	struct str essence = str_trim(str_cut(&value, ';'));

	return str_eq_nocase(essence, str_of(type));
}

bool provider_is_form(const struct exchange *x)
{
	struct str type = http_field(x->request, STR("Content-Type"), NULL);

	return x->route->config->compat_strict ? str_is(type, PROVIDER_FORM) : provider_media_type(type, PROVIDER_FORM);
}
