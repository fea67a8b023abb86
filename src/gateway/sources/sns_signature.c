/* The signature of a message, with a certificate that may have to be fetched. */
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/sources/provider.h"
#include "gateway/sources/sns_case.h"
#include "gateway/worker.h"

static void forged(struct exchange *x, const char *strict)
{
	provider_refuse(x, ANSWER_SIGNATURE, str_of(strict));
}

static void md_ctx_freep(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static bool fits(const struct sns_message *m, EVP_PKEY *key, struct str signature)
{
	CLEANUP(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const EVP_MD *md = str_is(m->version, "2") ? EVP_sha256() : EVP_sha1();
	struct str pieces[SNS_PIECES];
	size_t n = sns_message_signed(m, pieces);

	if (!ctx || EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestVerifyUpdate(ctx, pieces[i].p, pieces[i].n) != 1)
			return false;
	return EVP_DigestVerifyFinal(ctx, (const unsigned char *)signature.p, signature.n) == 1;
}

static void verify(struct exchange *x, EVP_PKEY *key)
{
	const struct sns_case *c = x->own;
	struct buf signature = { .max = 4096 };
	bool good = base64_read(c->message.signature, &signature) && signature.err == E_OK &&
		    fits(&c->message, key, buf_view(&signature));

	buf_release(&signature);
	if (good)
		sns_case_proceed(x);
	else
		forged(x, "message signature check error, crypto/rsa: verification error");
}

static void run_certificate(struct exchange *x)
{
	struct sns_case *c = x->own;

	c->err = certificates_fetch(&x->worker->gateway->certificates, c->url, sns_settings_of(x)->endpoint_ca,
				    clock_mono_ms(), &c->why);
}

static void certificate_fetched(struct exchange *x)
{
	const struct sns_case *c = x->own;
	EVP_PKEY *key = certificates_find(&x->worker->gateway->certificates, c->message.cert_url, clock_mono_ms());

	if (key)
		verify(x, key);
	else
		sns_case_refuse(x, "the signing certificate cannot be had");
	EVP_PKEY_free(key);
}

/* Without a signature that could be right nothing is fetched. */
static bool is_plausible(const struct sns_case *c)
{
	const struct sns_message *m = &c->message;

	return (str_is(m->version, "1") || str_is(m->version, "2")) && m->signature.n && base64_ok(m->signature);
}

void sns_verify(struct exchange *x)
{
	struct sns_case *c = x->own;
	EVP_PKEY *key;

	if (!is_plausible(c)) {
		forged(x, "message signature check error, the signature is missing or malformed");
		return;
	}
	if (!str_starts(buf_view(&c->base), STR("https://")) ||
	    !sns_is_cert_url(c->message.cert_url, buf_view(&c->base))) {
		forged(x, "failed to verify SigningCertURL");
		return;
	}
	key = certificates_find(&x->worker->gateway->certificates, c->message.cert_url, clock_mono_ms());
	if (key) {
		verify(x, key);
	} else {
		c->url = str_dup(c->message.cert_url);
		if (c->url)
			exchange_errand(x, run_certificate, certificate_fetched);
		else
			exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	}
	EVP_PKEY_free(key);
}
