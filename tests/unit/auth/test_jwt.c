#include "auth/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "auth/jwt_keys.h"
#include "auth/pki.h"
#include "base/base64.h"
#include "base/mem.h"
#include "scratch.h"

#define NOW_S 1800000000LL
#define NOW   (NOW_S * 1000)

static const struct agent_name agent = { "agent-1" };
static const unsigned char random_bytes[JWT_ID_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
							  0xff, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static struct jwt_keys *keys;

static int begin(void **state)
{
	return scratch_begin(state) == 0 && jwt_keys_generate(NULL, &keys) == E_OK ? 0 : 1;
}

static int end(void **state)
{
	jwt_keys_free(keys);
	return scratch_end(state);
}

static struct buf issue(enum jwt_use use, int64_t now_ms)
{
	struct buf token = { 0 };

	assert_int_equal(E_OK, jwt_issue(keys, use, &agent, AGENT_MANAGED, now_ms, random_bytes, &token));
	return token;
}

/* A part of a token, decoded. */
static struct buf part(struct str token, unsigned n)
{
	struct buf json = { 0 };
	struct str text = str_cut(&token, '.');

	for (; n; n--)
		text = str_cut(&token, '.');
	assert_true(base64url_read(text, &json));
	return json;
}

static void a_token_says_what_upstream_says(void **state)
{
	struct buf token = issue(JWT_REFRESH, NOW + 999), header, payload;

	(void)state;
	header = part(buf_view(&token), 0);
	payload = part(buf_view(&token), 1);
	assert_string_equal("{\"alg\":\"RS512\",\"typ\":\"JWT\"}", buf_cstr(&header));
	assert_string_equal("{\"iss\":\"argocd-agent-server\","
			    "\"sub\":\"{\\\"clientID\\\":\\\"agent-1\\\",\\\"mode\\\":\\\"managed\\\"}\","
			    "\"aud\":[\"argocd-agent-server-refresh\"],"
			    "\"exp\":1800086400,\"nbf\":1800000000,\"iat\":1800000000,"
			    "\"jti\":\"00112233-4455-4677-bf99-aabbccddeeff\"}",
			    buf_cstr(&payload));
	buf_release(&token);
	buf_release(&header);
	buf_release(&payload);
}

static void a_token_is_good_for_its_use_and_its_time(void **state)
{
	static const struct {
		enum jwt_use issued, asked;
		int64_t at_ms;
		const char *story; /* NULL: good */
	} rows[] = {
		{ JWT_ACCESS, JWT_ACCESS, NOW, NULL },
		{ JWT_REFRESH, JWT_REFRESH, NOW, NULL },
		{ JWT_ACCESS, JWT_REFRESH, NOW,
		  "token: made for 'argocd-agent-server-access', not for 'argocd-agent-server-refresh'" },
		{ JWT_REFRESH, JWT_ACCESS, NOW,
		  "token: made for 'argocd-agent-server-refresh', not for 'argocd-agent-server-access'" },
		{ JWT_ACCESS, JWT_ACCESS, NOW + JWT_ACCESS_MS + JWT_LEEWAY_MS - 1, NULL },
		{ JWT_ACCESS, JWT_ACCESS, NOW + JWT_ACCESS_MS + JWT_LEEWAY_MS, "token: expired 10 s ago" },
		{ JWT_REFRESH, JWT_REFRESH, NOW + JWT_REFRESH_MS + JWT_LEEWAY_MS - 1, NULL },
		{ JWT_REFRESH, JWT_REFRESH, NOW + JWT_REFRESH_MS + JWT_LEEWAY_MS, "token: expired 10 s ago" },
		{ JWT_ACCESS, JWT_ACCESS, NOW - JWT_LEEWAY_MS, NULL },
		{ JWT_ACCESS, JWT_ACCESS, NOW - JWT_LEEWAY_MS - 1, "token: not valid yet" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf token = issue(rows[i].issued, NOW);
		struct jwt_claims c = { 0 };
		struct why why = { 0 };
		enum err err = jwt_verify(keys, buf_view(&token), rows[i].asked, rows[i].at_ms, &why, &c);

		if (err != (rows[i].story ? E_UNAUTHENTICATED : E_OK))
			fail_msg("row %zu: %s", i, why.text);
		assert_string_equal("agent-1", c.agent.text); /* for the log, refused or not */
		if (rows[i].story) {
			assert_string_equal(rows[i].story, why.text);
		} else {
			assert_int_equal(AGENT_MANAGED, c.mode);
			assert_int_equal(rows[i].asked, c.use);
			assert_int_equal(NOW, c.issued_ms);
			assert_string_equal("00112233-4455-4677-bf99-aabbccddeeff", c.id);
		}
		buf_release(&token);
	}
}

/* Signed by our own key, whatever it says. */
static struct buf signed_token(const char *header, const char *payload)
{
	EVP_PKEY *pkey = jwt_keys_signer(keys);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t n = sizeof(signature);
	struct buf token = { 0 };

	base64url_write(str_of(header), &token);
	buf_char(&token, '.');
	base64url_write(str_of(payload), &token);
	assert_int_equal(1, EVP_DigestSignInit(ctx, NULL, EVP_sha512(), NULL, pkey));
	assert_int_equal(1, EVP_DigestSign(ctx, signature, &n, (unsigned char *)token.p, token.n));
	buf_char(&token, '.');
	base64url_write((struct str){ (char *)signature, n }, &token);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return token;
}

#define HEADER "{\"alg\":\"RS512\",\"typ\":\"JWT\"}"
#define ISS    "\"iss\":\"argocd-agent-server\""
#define SUB    "\"sub\":\"{\\\"clientID\\\":\\\"agent-1\\\",\\\"mode\\\":\\\"managed\\\"}\""
#define AUD    "\"aud\":[\"argocd-agent-server-access\"]"
#define TIMES  "\"exp\":1800000300,\"nbf\":1800000000,\"iat\":1800000000"

static void even_with_our_signature_the_claims_must_be_right(void **state)
{
	static const struct {
		const char *header, *payload;
		bool ok;
	} rows[] = {
		{ HEADER, "{" ISS "," SUB "," AUD "," TIMES "}", true },
		{ HEADER, " { " ISS " , " SUB "," AUD ", " TIMES ",\"x\":{\"exp\":1}} ", true },
		{ "{\"alg\":\"RS512\"}", "{" ISS "," SUB "," AUD "," TIMES "}", true },
		{ HEADER, "{" ISS "," SUB ",\"aud\":\"argocd-agent-server-access\"," TIMES "}", true },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":1800000300.5}", true },
		{ HEADER, "{\"is\\u0073\":\"argocd-agent-server\"," SUB "," AUD "," TIMES "}", true },
		{ "{\"alg\":\"none\"}", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "{\"alg\":\"RS256\"}", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "{\"alg\":\"rs512\"}", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "{\"alg\":512}", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "{}", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "{\"alg\":\"none\",\"alg\":\"RS512\"}", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "[]", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ "x", "{" ISS "," SUB "," AUD "," TIMES "}", false },
		{ HEADER, "{" SUB "," AUD "," TIMES "}", false },
		{ HEADER, "{\"iss\":\"other\"," SUB "," AUD "," TIMES "}", false },
		{ HEADER, "{\"iss\":[\"argocd-agent-server\"]," SUB "," AUD "," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB "," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB ",\"aud\":[]," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB ",\"aud\":[\"argocd-agent-server-access\",\"x\"]," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB ",\"aud\":[\"x\",\"argocd-agent-server-access\"]," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB ",\"aud\":[[\"argocd-agent-server-access\"]]," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB ",\"aud\":[\"argocd-agent-server-resource-proxy\"]," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB "," AUD "," AUD "," TIMES "}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"iat\":1800000000}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":\"1800000300\"}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":-1}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":1.8e99}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":99999999999999999999}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":null}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":1800000300,\"nbf\":1800000100}", false },
		{ HEADER, "{" ISS "," SUB "," AUD ",\"exp\":1800000300,\"iat\":1800000100}", false },
		{ HEADER, "{" ISS ",\"sub\":\"agent-1\"," AUD "," TIMES "}", false },
		{ HEADER, "{" ISS ",\"sub\":\"{}\"," AUD "," TIMES "}", false },
		{ HEADER, "{" ISS ",\"sub\":{\"clientID\":\"agent-1\",\"mode\":\"managed\"}," AUD "," TIMES "}",
		  false },
		{ HEADER, "{" ISS ",\"sub\":\"{\\\"clientID\\\":\\\"agent-1\\\"}\"," AUD "," TIMES "}", false },
		{ HEADER,
		  "{" ISS ",\"sub\":\"{\\\"clientID\\\":\\\"agent-1\\\",\\\"mode\\\":\\\"root\\\"}\"," AUD "," TIMES
		  "}",
		  false },
		{ HEADER,
		  "{" ISS ",\"sub\":\"{\\\"clientID\\\":\\\"../x\\\",\\\"mode\\\":\\\"managed\\\"}\"," AUD "," TIMES
		  "}",
		  false },
		{ HEADER,
		  "{" ISS ",\"sub\":\"{\\\"clientID\\\":\\\"a\\\\u0000b\\\",\\\"mode\\\":\\\"managed\\\"}\"," AUD
		  "," TIMES "}",
		  false },
		{ HEADER, "{" ISS "," SUB "," AUD "," TIMES, false },
		{ HEADER, "[" ISS "]", false },
		{ HEADER, "null", false },
		{ HEADER, "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf token = signed_token(rows[i].header, rows[i].payload);
		struct jwt_claims c = { 0 };
		struct why why = { 0 };
		enum err err = jwt_verify(keys, buf_view(&token), JWT_ACCESS, NOW, &why, &c);

		if (err != (rows[i].ok ? E_OK : E_UNAUTHENTICATED))
			fail_msg("row %zu, %s: %s", i, rows[i].payload, why.text);
		assert_true(!rows[i].ok || strcmp(c.agent.text, "agent-1") == 0);
		buf_release(&token);
	}
}

static void refuse(struct str token)
{
	struct jwt_claims c = { 0 };
	struct why why = { 0 };

	if (jwt_verify(keys, token, JWT_ACCESS, NOW, &why, &c) != E_UNAUTHENTICATED || c.agent.text[0])
		fail_msg("accepted: %.*s", STR_ARG(token));
}

static void a_changed_bit_anywhere_is_refused(void **state)
{
	struct buf token = issue(JWT_ACCESS, NOW);
	struct jwt_claims c;

	(void)state;
	for (size_t i = 0; i < token.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			token.p[i] = (char)(token.p[i] ^ 1 << bit);
			refuse(buf_view(&token));
			token.p[i] = (char)(token.p[i] ^ 1 << bit);
		}
	}
	assert_int_equal(E_OK, jwt_verify(keys, buf_view(&token), JWT_ACCESS, NOW, NULL, &c));
	for (size_t n = 0; n < token.n; n++)
		refuse((struct str){ token.p, n });
	buf_char(&token, 'A');
	refuse(buf_view(&token));
	buf_release(&token);
}

static void put_hs512(struct buf *token, const unsigned char *key, size_t n)
{
	unsigned char mac[64];

	base64url_write(STR("{\"alg\":\"HS512\",\"typ\":\"JWT\"}"), token);
	buf_char(token, '.');
	base64url_write(STR("{" ISS "," SUB "," AUD "," TIMES "}"), token);
	HMAC(EVP_sha512(), key, (int)n, (unsigned char *)token->p, token->n, mac, NULL);
	buf_char(token, '.');
	base64url_write((struct str){ (char *)mac, sizeof(mac) }, token);
}

static void the_known_tricks_do_not_work(void **state)
{
	EVP_PKEY *pkey = jwt_keys_signer(keys);
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(pkey, &der);
	struct buf token = { 0 };
	struct jwt_keys *mine = keys, *other;

	(void)state;
	put_hs512(&token, der, (size_t)n); /* our public key as a shared secret */
	refuse(buf_view(&token));
	buf_clear(&token);
	put_hs512(&token, (const unsigned char *)"", 0);
	refuse(buf_view(&token));
	buf_clear(&token);
	base64url_write(STR("{\"alg\":\"none\"}"), &token);
	buf_char(&token, '.');
	base64url_write(STR("{" ISS "," SUB "," AUD "," TIMES "}"), &token);
	refuse(buf_view(&token));
	buf_char(&token, '.');
	refuse(buf_view(&token));
	buf_release(&token);
	assert_int_equal(E_OK, jwt_keys_generate(NULL, &other));
	keys = other;
	token = issue(JWT_ACCESS, NOW);
	keys = mine;
	refuse(buf_view(&token)); /* well made, by somebody else */
	buf_release(&token);
	jwt_keys_free(other);
	EVP_PKEY_free(pkey);
	OPENSSL_free(der);
}

static void what_is_no_token_is_refused(void **state)
{
	static const char *const texts[] = { "",         ".",        "..",       "...",
					     "a",        "a.b",      "a.b.c",    "a.b.c.d",
					     "e30.e30.", ".e30.e30", "e30..e30", "Bearer e30.e30.e30" };
	char *huge = mem_alloc(1 << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		refuse(str_of(texts[i]));
	refuse((struct str){ 0 });
	memset(huge, '.', 1 << 20);
	refuse((struct str){ huge, 1 << 20 });
	memset(huge, 'A', 1 << 20);
	refuse((struct str){ huge, 1 << 20 });
	huge[100] = huge[200] = '.';
	refuse((struct str){ huge, JWT_TOKEN_MAX });
	refuse((struct str){ huge, JWT_TOKEN_MAX + 1 });
	mem_free(huge);
}

static const char *key_file(const char *name)
{
	struct buf pem = { 0 };
	const char *path;

	assert_int_equal(E_OK, pki_make_rsa(2048, NULL, &pem));
	path = scratch_file(name, buf_cstr(&pem));
	buf_release(&pem);
	return path;
}

static void tokens_of_a_replaced_key_are_good_until_they_are_over(void **state)
{
	struct jwt_keys *mine = keys, *k;
	struct buf old, fresh;
	struct jwt_claims c;

	(void)state;
	assert_int_equal(E_OK, jwt_keys_open(&(struct pem){ key_file("jwt.key") }, NULL, &k));
	keys = k;
	old = issue(JWT_REFRESH, NOW);
	assert_int_equal(E_OK, jwt_keys_reload(k, NOW, NULL)); /* the same key */
	assert_int_equal(1, k->n);
	(void)key_file("jwt.key");
	assert_int_equal(E_OK, jwt_keys_reload(k, NOW, NULL));
	fresh = issue(JWT_REFRESH, NOW);
	assert_false(str_eq(buf_view(&old), buf_view(&fresh)));
	assert_int_equal(E_OK, jwt_verify(k, buf_view(&old), JWT_REFRESH, NOW + JWT_REFRESH_MS, NULL, &c));
	assert_int_equal(E_OK, jwt_verify(k, buf_view(&fresh), JWT_REFRESH, NOW, NULL, &c));
	assert_int_equal(E_UNAUTHENTICATED,
			 jwt_verify(k, buf_view(&old), JWT_REFRESH, NOW + JWT_REFRESH_MS + JWT_LEEWAY_MS, NULL, &c));
	for (unsigned i = 2; i <= JWT_KEYS_MAX; i++) {
		(void)key_file("jwt.key");
		assert_int_equal(E_OK, jwt_keys_reload(k, NOW, NULL));
	}
	assert_int_equal(JWT_KEYS_MAX, k->n);
	assert_int_equal(E_UNAUTHENTICATED, jwt_verify(k, buf_view(&old), JWT_REFRESH, NOW, NULL, &c));
	(void)key_file("jwt.key");
	assert_int_equal(E_OK, jwt_keys_reload(k, NOW + 2 * JWT_REFRESH_MS, NULL));
	assert_int_equal(2, k->n);
	keys = mine;
	jwt_keys_free(k);
	buf_release(&old);
	buf_release(&fresh);
}

static void a_key_that_came_back_is_there_once(void **state)
{
	struct buf first = { 0 };
	struct jwt_keys *k;

	(void)state;
	assert_int_equal(E_OK, pki_make_rsa(2048, NULL, &first));
	assert_int_equal(E_OK, jwt_keys_open(&(struct pem){ scratch_file("jwt.key", buf_cstr(&first)) }, NULL, &k));
	(void)key_file("jwt.key");
	assert_int_equal(E_OK, jwt_keys_reload(k, NOW, NULL));
	(void)scratch_file("jwt.key", buf_cstr(&first));
	assert_int_equal(E_OK, jwt_keys_reload(k, NOW, NULL));
	assert_int_equal(2, k->n);
	jwt_keys_free(k);
	buf_release(&first);
}

static void what_is_no_key_is_refused_and_the_old_one_signs_on(void **state)
{
	const struct pki_request request = { .role = PKI_AUTHORITY, .name = "x", .days = 1 };
	struct pki_pair ec = { 0 };
	struct jwt_keys *k;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(E_OK, pki_make_authority(&request, NOW, NULL, &ec));
	assert_int_equal(E_OK, jwt_keys_open(&(struct pem){ key_file("jwt.key") }, NULL, &k));
	(void)scratch_file("jwt.key", "");
	assert_int_equal(E_CONFIG, jwt_keys_reload(k, NOW, &why));
	(void)scratch_file("jwt.key", buf_cstr(&ec.key));
	assert_int_equal(E_CONFIG, jwt_keys_reload(k, NOW, &why));
	assert_non_null(strstr(why.text, "not an RSA key; RS512 needs one"));
	(void)scratch_file("jwt.key", buf_cstr(&ec.cert));
	assert_int_equal(E_CONFIG, jwt_keys_reload(k, NOW, &why));
	assert_int_equal(1, k->n);
	jwt_keys_free(k);
	assert_int_equal(E_CONFIG, jwt_keys_open(&(struct pem){ scratch_path("none") }, &why, &k));
	assert_int_equal(E_OK, jwt_keys_reload(keys, NOW, NULL)); /* generated: nothing to read */
	pki_pair_release(&ec);
}

static void the_bearer_reads_a_token_without_a_key(void **state)
{
	static const struct {
		const char *header, *payload, *agent;
		int64_t expires_ms;
	} rows[] = {
		{ HEADER, "{" ISS "," SUB "," AUD "," TIMES "}", "agent-1", 1800000300000 },
		{ "{\"alg\":\"ES256\"}", "{" SUB "}", "agent-1", 0 },
		{ HEADER, "{\"sub\":\"{\\\"clientID\\\":\\\"two\\\"}\",\"exp\":5}", "two", 5000 },
		{ HEADER, "{\"sub\":\"two\"}", NULL, 0 },
		{ HEADER, "{}", NULL, 0 },
		{ "x", "{" SUB "}", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf token = signed_token(rows[i].header, rows[i].payload);
		struct jwt_claims c = { 0 };
		struct why why = { 0 };

		assert_int_equal(rows[i].agent ? E_OK : E_MALFORMED, jwt_peek(buf_view(&token), &why, &c));
		assert_string_equal(rows[i].agent ? rows[i].agent : "", c.agent.text);
		assert_int_equal(rows[i].expires_ms, c.expires_ms);
		buf_release(&token);
	}
}

static void a_failing_allocation_is_an_error(void **state)
{
	struct buf token = { 0 };
	struct jwt_claims c;
	long n = 1;
	enum err err;

	(void)state;
	do {
		mem_fail_at(n++);
		err = jwt_issue(keys, JWT_ACCESS, &agent, AGENT_MANAGED, NOW, random_bytes, &token);
		mem_fail_at(0);
		if (err != E_OK) {
			assert_int_equal(E_NOMEM, err);
			assert_int_equal(0, token.n);
			buf_clear(&token);
		}
	} while (err != E_OK);
	assert_true(n > 3);
	n = 1;
	do {
		mem_fail_at(n++);
		err = jwt_verify(keys, buf_view(&token), JWT_ACCESS, NOW, NULL, &c);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
	} while (err != E_OK);
	assert_true(n > 6);
	buf_release(&token);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_says_what_upstream_says),
		cmocka_unit_test(a_token_is_good_for_its_use_and_its_time),
		cmocka_unit_test(even_with_our_signature_the_claims_must_be_right),
		cmocka_unit_test(a_changed_bit_anywhere_is_refused),
		cmocka_unit_test(the_known_tricks_do_not_work),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(tokens_of_a_replaced_key_are_good_until_they_are_over),
		cmocka_unit_test(a_key_that_came_back_is_there_once),
		cmocka_unit_test(what_is_no_key_is_refused_and_the_old_one_signs_on),
		cmocka_unit_test(the_bearer_reads_a_token_without_a_key),
		cmocka_unit_test(a_failing_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
