#include "gateway/signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"

static const struct {
	const char *name;   /* as senders write it */
	const char *digest; /* as OpenSSL does */
	size_t size;
} hashes[] = {
	[SIGNATURE_SHA1] = { "sha1", "SHA1", 20 },
	[SIGNATURE_SHA256] = { "sha256", "SHA256", 32 },
	[SIGNATURE_SHA512] = { "sha512", "SHA512", 64 },
};

/* Contexts without a key, made once: a request copies one and looks nothing up. */
static EVP_MAC_CTX *keyless[SIGNATURE_HASHES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static EVP_MAC_CTX *keyless_new(enum signature_hash hash)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)hashes[hash].digest, 0),
		OSSL_PARAM_construct_end(),
	};

	EVP_MAC_free(hmac);
	if (ctx && EVP_MAC_CTX_set_params(ctx, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

static void make_keyless(void)
{
	for (enum signature_hash i = 0; i < SIGNATURE_HASHES; i++)
		keyless[i] = keyless_new(i);
}

static void ctx_freep(EVP_MAC_CTX **ctx)
{
	EVP_MAC_CTX_free(*ctx);
}

enum err signature_hmac(enum signature_hash hash, struct str key, const struct str *pieces, size_t count,
			struct signature *ret_signature)
{
	CLEANUP(ctx_freep) EVP_MAC_CTX *ctx = NULL;

	if (key.n == 0)
		return E_UNAUTHENTICATED;
	(void)pthread_once(&once, make_keyless);
	ctx = keyless[hash] ? EVP_MAC_CTX_dup(keyless[hash]) : keyless_new(hash); /* there was no memory for it then */
	if (!ctx || EVP_MAC_init(ctx, (const unsigned char *)key.p, key.n, NULL) != 1)
		return E_NOMEM;
	for (size_t i = 0; i < count; i++)
		if (EVP_MAC_update(ctx, (const unsigned char *)pieces[i].p, pieces[i].n) != 1)
			return E_NOMEM;
	if (EVP_MAC_final(ctx, ret_signature->bytes, &ret_signature->n, sizeof(ret_signature->bytes)) != 1)
		return E_NOMEM;
	return E_OK;
}

static struct str text_of(const struct signature *s)
{
	return (struct str){ (const char *)s->bytes, s->n };
}

enum err signature_check(void *claim, struct str secret)
{
	const struct signature_claim *c = claim;
	struct signature right;
	enum err err = signature_hmac(c->hash, secret, c->pieces, c->piece_count, &right);
	bool same = false;

	if (err != E_OK)
		return err;
	for (size_t i = 0; i < c->given_count; i++)
		same |= str_eq_secret(text_of(&right), text_of(&c->given[i]));
	explicit_bzero(&right, sizeof(right));
	return same ? E_OK : E_UNAUTHENTICATED;
}

bool signature_from_hex(struct str text, enum signature_hash hash, struct signature *ret_signature)
{
	struct signature s = { .n = hashes[hash].size };

	if (text.n != 2 * s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		s.bytes[i] = (unsigned char)(high << 4 | low);
	}
	*ret_signature = s;
	return true;
}

bool signature_from_base64(struct str text, enum signature_hash hash, struct signature *ret_signature)
{
	struct signature s = { .n = hashes[hash].size };
	char space[SIGNATURE_MAX + 3]; /* whole groups of three */
	struct buf bytes = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	if (text.n != (s.n + 2) / 3 * 4 || !base64_read(text, &bytes) || bytes.err != E_OK || bytes.n != s.n)
		return false;
	memcpy(s.bytes, bytes.p, s.n);
	*ret_signature = s;
	return true;
}

bool signature_hash_named(struct str name, enum signature_hash *ret_hash)
{
	for (enum signature_hash i = 0; i < SIGNATURE_HASHES; i++) {
		if (!str_is(name, hashes[i].name))
			continue;
		*ret_hash = i;
		return true;
	}
	return false;
}

size_t signature_size(enum signature_hash hash)
{
	return hashes[hash].size;
}
