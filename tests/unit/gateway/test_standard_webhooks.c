#include "gateway/sources/standard_webhooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "base/mem.h"

/* The specification's own example. */
#define ID        "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define TIME      "1614265330"
#define BODY      "{\"test\": 2432232314}"
#define SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define KEY       "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static enum err check(const char *signatures, const char *body, const char *secret)
{
	struct claims claims;
	struct standard_webhook w = { &claims, str_of(body) };

	assert_true(claims_standard(STR(ID), STR(TIME), str_of(signatures), &claims));
	return standard_webhook_check(&w, str_of(secret));
}

static void the_specifications_example_passes_and_nothing_near_it(void **state)
{
	static const struct {
		const char *signatures, *body, *secret;
		enum err err;
	} rows[] = {
		{ SIGNATURE, BODY, "whsec_" KEY, E_OK },
		{ SIGNATURE, BODY, KEY, E_OK },
		{ SIGNATURE, BODY, "whsec_" KEY " ", E_OK },
		{ "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= " SIGNATURE, BODY, KEY, E_OK },
		{ SIGNATURE, BODY " ", KEY, E_UNAUTHENTICATED },
		{ SIGNATURE, "", KEY, E_UNAUTHENTICATED },
		{ SIGNATURE, BODY, "whsec_AAAA", E_UNAUTHENTICATED },
		{ SIGNATURE, BODY, "", E_CONFIG },
		{ SIGNATURE, BODY, "whsec_", E_CONFIG },
		{ SIGNATURE, BODY, "whsec_not base64", E_CONFIG },
		{ SIGNATURE, BODY, "whsk_" KEY, E_CONFIG },
		{ SIGNATURE, BODY, "whpk_" KEY, E_CONFIG },
		{ SIGNATURE, BODY, "whpk_", E_CONFIG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(check(rows[i].signatures, rows[i].body, rows[i].secret), rows[i].err);
}

static void sign(EVP_PKEY *key, const char *text, struct buf *ret_signatures)
{
	unsigned char signature[64];
	size_t n = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	buf_lit(ret_signatures, "v1a,");
	base64_write((struct str){ (const char *)signature, n }, ret_signatures);
}

static void public_text(EVP_PKEY *key, struct buf *ret_secret)
{
	unsigned char raw[32];
	size_t n = sizeof(raw);

	assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &n), 1);
	buf_lit(ret_secret, "whpk_");
	base64_write((struct str){ (const char *)raw, n }, ret_secret);
}

static void a_public_key_verifies_and_no_other(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct buf signatures = { 0 }, secret = { 0 }, another = { 0 };
	struct claims claims;
	struct standard_webhook w = { &claims, STR(BODY) };

	(void)state;
	sign(key, ID "." TIME "." BODY, &signatures);
	public_text(key, &secret);
	public_text(other, &another);
	assert_int_equal(check(buf_cstr(&signatures), BODY, buf_cstr(&secret)), E_OK);
	assert_int_equal(check(buf_cstr(&signatures), BODY "x", buf_cstr(&secret)), E_UNAUTHENTICATED);
	assert_int_equal(check(buf_cstr(&signatures), BODY, buf_cstr(&another)), E_UNAUTHENTICATED);
	assert_int_equal(check(buf_cstr(&signatures), BODY, KEY), E_UNAUTHENTICATED);
	assert_int_equal(check(SIGNATURE, BODY, buf_cstr(&secret)), E_UNAUTHENTICATED);

	/* Each bit of the signature counts. */
	for (unsigned bit = 0; bit < 64 * 8; bit++) {
		assert_true(claims_standard(STR(ID), STR(TIME), buf_view(&signatures), &claims));
		claims.ed25519[0].bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_int_equal(standard_webhook_check(&w, buf_view(&secret)), E_UNAUTHENTICATED);
	}

	/* Without memory nobody gets in. */
	assert_true(claims_standard(STR(ID), STR(TIME), buf_view(&signatures), &claims));
	mem_fail_at(1);
	assert_int_equal(standard_webhook_check(&w, buf_view(&secret)), E_NOMEM);
	mem_fail_at(0);
	buf_release(&signatures);
	buf_release(&secret);
	buf_release(&another);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_specifications_example_passes_and_nothing_near_it),
		cmocka_unit_test(a_public_key_verifies_and_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
