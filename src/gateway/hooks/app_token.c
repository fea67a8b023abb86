#include "gateway/hooks/app_token.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "gateway/hooks/text.h"

#define SKEW_S      60  /* GitHub's clock may be behind ours */
#define GOOD_S      540 /* it takes ten minutes at most */
#define TOKEN_S     3600
#define SIGNED_MAX  1024
#define TOKEN_BYTES 4096

static void pkey_freep(EVP_PKEY **pkey)
{
	EVP_PKEY_free(*pkey);
}

static void md_freep(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static EVP_PKEY *read_key(struct str pem)
{
	BIO *bio = pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t) "") : NULL;

	BIO_free(bio);
	if (pkey && EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	return pkey;
}

static bool sign(EVP_PKEY *pkey, struct str text, struct buf *ret_jwt)
{
	CLEANUP(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char signature[SIGNED_MAX];
	size_t n = sizeof(signature);

	if (!md || EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, pkey) != 1 ||
	    EVP_DigestSign(md, signature, &n, (const unsigned char *)text.p, text.n) != 1)
		return false;
	buf_str(ret_jwt, text);
	buf_char(ret_jwt, '.');
	base64url_write((struct str){ (const char *)signature, n }, ret_jwt);
	return ret_jwt->err == E_OK;
}

enum err app_token_sign(struct str pem, int64_t app_id, int64_t now_s, struct buf *ret_jwt, struct why *why)
{
	CLEANUP(pkey_freep) EVP_PKEY *pkey = read_key(pem);
	struct buf claims = { 0 }, text = { 0 };
	bool ok;

	if (!pkey)
		return why_set(why, E_CONFIG, "the app's private key is no RSA key in PEM");
	buf_addf(&claims, "{\"iat\":%" PRId64 ",\"exp\":%" PRId64 ",\"iss\":\"%" PRId64 "\"}", now_s - SKEW_S,
		 now_s + GOOD_S, app_id);
	base64url_write(STR("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"), &text);
	buf_char(&text, '.');
	base64url_write(buf_view(&claims), &text);
	ok = claims.err == E_OK && text.err == E_OK && sign(pkey, buf_view(&text), ret_jwt);
	buf_release(&claims);
	buf_release(&text);
	return ok ? E_OK : why_set(why, E_NOMEM, "the app's statement cannot be signed");
}

enum err app_token_read(struct str answer, int64_t now_s, struct buf *ret_token, int64_t *ret_until_s, struct why *why)
{
	struct buf arena = { 0 };
	struct str token, until;
	int64_t until_ns;

	buf_clear(ret_token);
	if (!buf_reserve(&arena, 2 * answer.n + 1))
		return why_set(why, E_NOMEM, "no memory for the token");
	token = text_of(answer, "token", &arena);
	until = text_of(answer, "expires_at", &arena);
	if (token.n && token.n <= TOKEN_BYTES) {
		buf_str(ret_token, token);
		*ret_until_s = clock_parse_rfc3339(until, &until_ns) ? until_ns / 1000000000 : now_s + TOKEN_S;
	}
	buf_wipe(&arena);
	if (ret_token->err != E_OK)
		return why_set(why, E_NOMEM, "no memory for the token");
	return ret_token->n ? E_OK : why_set(why, E_MALFORMED, "the answer holds no token");
}
