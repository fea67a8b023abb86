#include "gateway/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"

/* ---- OpenSSL's memory ------------------------------------------------------------------------------------------------ */

static bool no_memory;

static void *give(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return no_memory ? NULL : malloc(n);
}

static void *give_more(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return no_memory ? NULL : realloc(p, n);
}

static void take_back(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

/* Before anything else asks for a signature: what OpenSSL makes once is there, what we make once is not. */
static void the_first_signature_without_memory_is_not_the_last(void **state)
{
	struct str text = STR("text");
	struct signature s;

	(void)state;
	EVP_MAC_free(EVP_MAC_fetch(NULL, "HMAC", NULL));
	EVP_MD_free(EVP_MD_fetch(NULL, "SHA256", NULL));
	no_memory = true;
	assert_int_equal(signature_hmac(SIGNATURE_SHA256, STR("key"), &text, 1, &s), E_NOMEM);
	no_memory = false;
	assert_int_equal(signature_hmac(SIGNATURE_SHA256, STR("key"), &text, 1, &s), E_OK);
}

/* ---- signatures ------------------------------------------------------------------------------------------------------- */

static void to_hex(const struct signature *s, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < s->n; i++) {
		*ret_hex++ = digits[s->bytes[i] >> 4];
		*ret_hex++ = digits[s->bytes[i] & 0xf];
	}
	*ret_hex = '\0';
}

static const struct {
	const char *what;
	enum signature_hash hash;
	const char *key;
	const char *text;
	const char *hex;
} vectors[] = {
	{ "GitHub's documentation", SIGNATURE_SHA256, "It's a Secret to Everybody", "Hello, World!",
	  "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" },
	{ "RFC 2202 case 2", SIGNATURE_SHA1, "Jefe", "what do ya want for nothing?",
	  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "RFC 4231 case 2", SIGNATURE_SHA256, "Jefe", "what do ya want for nothing?",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "RFC 4231 case 2", SIGNATURE_SHA512, "Jefe", "what do ya want for nothing?",
	  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a"
	  "6b4b636e070a38bce737" },
	{ "Slack's documentation", SIGNATURE_SHA256, "8f742231b10e8888abcd99yyyzzz85a5",
	  "v0:1531420618:token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
	  "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url="
	  "https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id="
	  "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
	  "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503" },
};

static void published_vectors_come_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct str text = str_of(vectors[i].text);
		struct str pieces[] = { str_sub(text, 0, 5), { 0 }, str_sub(text, 5, text.n) };
		char hex[2 * SIGNATURE_MAX + 1];
		struct signature s;

		assert_int_equal(signature_hmac(vectors[i].hash, str_of(vectors[i].key), &text, 1, &s), E_OK);
		assert_int_equal(s.n, signature_size(vectors[i].hash));
		to_hex(&s, hex);
		assert_string_equal(hex, vectors[i].hex);
		assert_int_equal(signature_hmac(vectors[i].hash, str_of(vectors[i].key), pieces, 3, &s), E_OK);
		to_hex(&s, hex);
		assert_string_equal(hex, vectors[i].hex);
	}
}

static enum err check(const char *secret, const char *text, const struct signature *given, size_t count)
{
	struct str piece = str_of(text);
	struct signature_claim claim = { SIGNATURE_SHA256, &piece, 1, given, count };

	return signature_check(&claim, str_of(secret));
}

static void a_claim_holds_when_one_of_its_signatures_fits(void **state)
{
	struct signature right, wrong, both[2];
	struct str text = STR("text");

	(void)state;
	assert_int_equal(signature_hmac(SIGNATURE_SHA256, STR("secret"), &text, 1, &right), E_OK);
	wrong = right;
	wrong.bytes[31] ^= 1;
	both[0] = wrong;
	both[1] = right;
	assert_int_equal(check("secret", "text", &right, 1), E_OK);
	assert_int_equal(check("secret", "text", both, 2), E_OK);
	assert_int_equal(check("secret", "text", both, 1), E_UNAUTHENTICATED);
	assert_int_equal(check("secret", "text", &right, 0), E_UNAUTHENTICATED);
	assert_int_equal(check("secret", "texts", &right, 1), E_UNAUTHENTICATED);
	assert_int_equal(check("secre", "text", &right, 1), E_UNAUTHENTICATED);
	right.n = 31; /* a cut one is a wrong one */
	assert_int_equal(check("secret", "text", &right, 1), E_UNAUTHENTICATED);
}

/* HMAC takes an empty key; whoever knows that no secret is set could sign with it. */
static void an_empty_secret_signs_nothing(void **state)
{
	struct str text = STR("text");
	struct signature s = { .n = 32 };

	(void)state;
	assert_int_equal(signature_hmac(SIGNATURE_SHA256, STR(""), &text, 1, &s), E_UNAUTHENTICATED);
	assert_int_equal(check("", "text", &s, 1), E_UNAUTHENTICATED);
}

static void every_flipped_bit_is_another_signature(void **state)
{
	struct str text = STR("text");
	struct signature s;

	(void)state;
	assert_int_equal(signature_hmac(SIGNATURE_SHA256, STR("secret"), &text, 1, &s), E_OK);
	for (size_t bit = 0; bit < 8 * s.n; bit++) {
		s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_equal(check("secret", "text", &s, 1), E_UNAUTHENTICATED);
		s.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_equal(check("secret", "text", &s, 1), E_OK);
}

static void hex_is_exactly_as_long_as_the_hash(void **state)
{
	static const struct {
		const char *hex;
		bool good;
	} rows[] = {
		{ "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", true },
		{ "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79", true },
		{ "effcdf6ae5eb2fa2d27416d5f184df9c259a7c7", false },
		{ "effcdf6ae5eb2fa2d27416d5f184df9c259a7c7900", false },
		{ "effcdf6ae5eb2fa2d27416d5f184df9c259a7c7g", false },
		{ "gffcdf6ae5eb2fa2d27416d5f184df9c259a7c79", false },
		{ " ffcdf6ae5eb2fa2d27416d5f184df9c259a7c79", false },
		{ "effcdf6ae5eb2fa2d27416d5f184df9c259a7c\xb1\xb0", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct signature s = { .n = 7 };

		assert_int_equal(signature_from_hex(str_of(rows[i].hex), SIGNATURE_SHA1, &s), rows[i].good);
		assert_int_equal(s.n, rows[i].good ? 20 : 7);
	}
}

static void base64_is_exactly_as_long_as_the_hash(void **state)
{
	(void)state;
	for (enum signature_hash hash = 0; hash < SIGNATURE_HASHES; hash++) {
		struct str text = STR("text");
		struct buf base64 = { 0 };
		struct signature s, read = { 0 };

		assert_int_equal(signature_hmac(hash, STR("secret"), &text, 1, &s), E_OK);
		base64_write((struct str){ (char *)s.bytes, s.n }, &base64);
		assert_true(signature_from_base64(buf_view(&base64), hash, &read));
		assert_int_equal(read.n, s.n);
		assert_memory_equal(read.bytes, s.bytes, s.n);
		assert_false(signature_from_base64(str_sub(buf_view(&base64), 0, base64.n - 4), hash, &read));
		buf_lit(&base64, "AAAA");
		assert_false(signature_from_base64(buf_view(&base64), hash, &read));
		base64.n -= 4;
		base64.p[0] = '*';
		assert_false(signature_from_base64(buf_view(&base64), hash, &read));
		assert_false(signature_from_base64(STR(""), hash, &read));
		buf_release(&base64);
	}
}

static void hashes_have_the_names_that_senders_write(void **state)
{
	enum signature_hash hash;

	(void)state;
	assert_true(signature_hash_named(STR("sha1"), &hash) && hash == SIGNATURE_SHA1);
	assert_true(signature_hash_named(STR("sha256"), &hash) && hash == SIGNATURE_SHA256);
	assert_true(signature_hash_named(STR("sha512"), &hash) && hash == SIGNATURE_SHA512);
	assert_false(signature_hash_named(STR("SHA256"), &hash));
	assert_false(signature_hash_named(STR("md5"), &hash));
	assert_false(signature_hash_named(STR(""), &hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_signature_without_memory_is_not_the_last), /* the first of all */
		cmocka_unit_test(published_vectors_come_out),
		cmocka_unit_test(a_claim_holds_when_one_of_its_signatures_fits),
		cmocka_unit_test(an_empty_secret_signs_nothing),
		cmocka_unit_test(every_flipped_bit_is_another_signature),
		cmocka_unit_test(hex_is_exactly_as_long_as_the_hash),
		cmocka_unit_test(base64_is_exactly_as_long_as_the_hash),
		cmocka_unit_test(hashes_have_the_names_that_senders_write),
	};

	if (CRYPTO_set_mem_functions(give, give_more, take_back) != 1)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
