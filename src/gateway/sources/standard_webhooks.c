#include "gateway/sources/standard_webhooks.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/sources/provider.h"

#define KEY_MAX     1024
#define PUBLIC_SIZE 32 /* bytes of an ed25519 public key */

/* ---- one secret --------------------------------------------------------------------------------------------------------- */

static void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static bool fits(EVP_PKEY *key, const struct signature *s, struct str text)
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, s->bytes, s->n, (const unsigned char *)text.p, text.n) == 1;
}

/* ed25519 wants the text in one piece. */
static enum err check_public(const struct standard_webhook *w, struct str key)
{
	CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;
	const struct claims *c = w->claims;
	struct buf text = { 0 };
	enum err err = E_UNAUTHENTICATED;

	if (key.n != PUBLIC_SIZE)
		return E_CONFIG;
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)key.p, key.n);
	if (!pkey)
		return E_CONFIG;
	buf_addf(&text, "%.*s.%.*s.", STR_ARG(c->id), STR_ARG(c->time));
	buf_str(&text, w->body);
	if (text.err != E_OK)
		err = text.err;
	for (size_t i = 0; i < c->ed25519_count && err == E_UNAUTHENTICATED; i++)
		if (fits(pkey, &c->ed25519[i], buf_view(&text)))
			err = E_OK;
	buf_release(&text);
	return err;
}

static enum err check_shared(const struct standard_webhook *w, struct str key)
{
	const struct claims *c = w->claims;
	struct str pieces[] = { c->id, STR("."), c->time, STR("."), w->body };
	struct signature_claim claim = { SIGNATURE_SHA256, pieces, ARRAY_LEN(pieces), c->hmac, c->hmac_count };

	return key.n ? signature_check(&claim, key) : E_CONFIG;
}

enum err standard_webhook_check(void *webhook, struct str secret)
{
	char space[KEY_MAX];
	struct buf key = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	bool public = str_starts(secret, STR("whpk_"));
	enum err err;

	if (public || str_starts(secret, STR("whsec_")))
		secret = str_sub(secret, public ? 5 : 6, secret.n);
	if (!base64_read(str_trim(secret), &key) || key.err != E_OK)
		return E_CONFIG;
	err = public ? check_public(webhook, buf_view(&key)) : check_shared(webhook, buf_view(&key));
	explicit_bzero(space, sizeof(space));
	return err;
}

/* ---- the request --------------------------------------------------------------------------------------------------------- */

/* All three under one name or the other. */
static bool read_claims(const struct exchange *x, struct claims *claims)
{
	if (provider_field(x, "webhook-id").p)
		return claims_standard(provider_field(x, "webhook-id"), provider_field(x, "webhook-timestamp"),
				       provider_field(x, "webhook-signature"), claims);
	return claims_standard(provider_field(x, "svix-id"), provider_field(x, "svix-timestamp"),
			       provider_field(x, "svix-signature"), claims);
}

bool standard_webhooks_verify(struct exchange *x, size_t secret, uint64_t tolerance_s, struct str *ret_id)
{
	struct claims claims;
	struct standard_webhook w = { &claims, buf_view(&x->body) };

	if (!read_claims(x, &claims)) {
		provider_refuse(x, ANSWER_SIGNATURE, STR(""));
		return false;
	}
	if (!provider_verify(x, secret, standard_webhook_check, &w, STR("")))
		return false;
	if (!claims_fresh(&claims, clock_wall_ms() / 1000, tolerance_s)) {
		exchange_refuse(x, ANSWER_SIGNATURE, STR("the signature is too old, or a clock is wrong"));
		return false;
	}
	*ret_id = provider_id_text(claims.id);
	return true;
}
