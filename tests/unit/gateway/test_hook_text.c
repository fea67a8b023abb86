/* What is read out of providers' answers: text.h, pace.h, app_token.h, aws_role.h. */
#include "gateway/hooks/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "base/mem.h"
#include "gateway/hooks/app_token.h"
#include "gateway/hooks/aws_role.h"
#include "gateway/hooks/pace.h"

static void the_next_page_is_the_query_of_the_next_link(void **state)
{
	static const struct {
		const char *link;
		const char *query;
	} rows[] = {
		{ "<https://api.github.com/x?page=2>; rel=\"next\", <https://api.github.com/x?page=9>; rel=\"last\"",
		  "page=2" },
		{ "<https://x/?a=1>; rel=\"prev\", <https://x/?a=3&b=c>; rel=\"next\"", "a=3&b=c" },
		{ "<https://x/?a=1,2>;rel=next", "a=1,2" },
		{ "<https://x/?a=1#f>; title=\"t\"; REL = \"first NEXT\"", "a=1" },
		{ "<https://x/>; rel=\"next\"", "" },
		{ "<https://x/?a=1>; rel=\"last\"", "" },
		{ "<https://x/?a=1>; rel=\"nextish\"", "" },
		{ "<https://x/?a=1; rel=\"next\"", "" },
		{ "rel=\"next\"", "" },
		{ "<", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str query = text_next_query(str_of(rows[i].link));

		assert_true(str_is(query, rows[i].query));
	}
}

static void everything_but_what_is_unreserved_is_encoded(void **state)
{
	struct buf b = { 0 };

	(void)state;
	text_encode(&b, (struct str){ "aZ09-._~/?#%&+ {\xc3\xa4\0", 19 });
	assert_string_equal(buf_cstr(&b), "aZ09-._~%2F%3F%23%25%26%2B%20%7B%C3%A4%00");
	buf_release(&b);
}

static void sets_are_the_same_in_any_order(void **state)
{
	char a[] = "a", b[] = "b", star[] = "*";
	char *ab[] = { a, b, a }, *with_star[] = { star, a };
	const struct text_list want = { ab, 3 }, all = { with_star, 2 };
	static const struct {
		const char *array;
		bool same;
		bool same_all; /* as `all`, in which "*" is everything */
	} rows[] = {
		{ "[\"a\",\"b\"]", true, false },
		{ "[\"b\",\"a\",\"b\"]", true, false },
		{ "[\"a\"]", false, false },
		{ "[\"a\",\"b\",\"c\"]", false, false },
		{ "[]", false, false },
		{ "[\"*\"]", false, true },
		{ "[\"x\",\"*\"]", false, true },
		{ "[\"a\",\"b\",1]", false, false },
		{ "{\"a\":\"b\"}", false, false },
		{ "", false, false },
		{ "[\"\\u0061\",\"b\"]", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf arena = { 0 };

		assert_non_null(buf_reserve(&arena, 256));
		assert_int_equal(text_same_set(str_of(rows[i].array), &want, "*", &arena), rows[i].same);
		assert_int_equal(text_same_set(str_of(rows[i].array), &all, "*", &arena), rows[i].same_all);
		buf_release(&arena);
	}
}

static void elements_come_one_after_the_other(void **state)
{
	struct str xml = STR("<r><m>a&lt;&amp;b</m><n/><m></m><mm>x</mm><m>c<m></r>");
	struct buf plain = { 0 };
	size_t at = 0;

	(void)state;
	text_from_xml(&plain, text_element(xml, "m", &at));
	assert_string_equal(buf_cstr(&plain), "a<&b");
	assert_non_null(text_element(xml, "m", &at).p);
	assert_null(text_element(xml, "m", &at).p);
	buf_clear(&plain);
	text_xml(&plain, STR("a<&\"'>b"));
	assert_string_equal(buf_cstr(&plain), "a&lt;&amp;&quot;&apos;&gt;b");
	buf_release(&plain);
}

static void complaints_are_found_where_providers_put_them(void **state)
{
	static const struct {
		const char *body;
		const char *line;
	} rows[] = {
		{ "{\"message\":\"Bad credentials\",\"errors\":[]}", "Bad credentials" },
		{ "{\"type\":\"error\",\"error\":{\"message\":\"no\\nsuch\\u001b[1m\"}}", "no?such?[1m" },
		{ "{\"errors\":[{\"message\":\"first\"},{\"message\":\"second\"}]}", "first" },
		{ "{\"error\":\"invalid_token\"}", "invalid_token" },
		{ "<ErrorResponse><Error><Message>denied</Message></Error></ErrorResponse>", "denied" },
		{ "{\"message\":{\"text\":\"x\"}}", "" },
		{ "[]", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf line = { 0 };

		text_complaint(str_of(rows[i].body), &line);
		assert_true(str_is(buf_view(&line), rows[i].line));
		buf_release(&line);
	}
}

static void an_answer_says_when_to_ask_again(void **state)
{
	static const struct {
		unsigned status;
		uint64_t retry_after_s;
		const char *remaining;
		const char *reset;
		enum pace pace;
		uint64_t wait_ms;
	} rows[] = {
		{ 200, 0, "4999", "1700000100", PACE_GOOD, 0 },
		{ 200, 0, "0", "1700000100", PACE_GOOD, 101000 },
		{ 204, 0, "", "", PACE_GOOD, 0 },
		{ 404, 0, "", "", PACE_GOOD, 0 },
		{ 410, 0, "", "", PACE_GOOD, 0 },
		{ 429, 0, "", "", PACE_LIMITED, 60000 },
		{ 429, 7, "0", "1700000100", PACE_LIMITED, 7000 },
		{ 429, 0, "0", "30", PACE_LIMITED, 31000 },
		{ 403, 0, "0", "1700000010", PACE_LIMITED, 11000 },
		{ 403, 0, "0", "1600000000", PACE_LIMITED, 1000 },
		{ 403, 0, "0", "9999999999999", PACE_LIMITED, PACE_WAIT_MAX_MS },
		{ 403, 5, "", "", PACE_LIMITED, 5000 },
		{ 403, 0, "12", "1700000010", PACE_REFUSED, 0 },
		{ 403, 0, "x", "y", PACE_REFUSED, 0 },
		{ 401, 0, "", "", PACE_REFUSED, 0 },
		{ 422, 0, "", "", PACE_REFUSED, 0 },
		{ 301, 0, "", "", PACE_REFUSED, 0 },
		{ 408, 0, "", "", PACE_LATER, 0 },
		{ 500, 0, "", "", PACE_LATER, 0 },
		{ 503, 120, "", "", PACE_LATER, 120000 },
		{ 503, UINT64_MAX / 1000, "", "", PACE_LATER, PACE_WAIT_MAX_MS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pace_fields f = { rows[i].retry_after_s, str_of(rows[i].remaining),
					       str_of(rows[i].reset) };
		uint64_t wait_ms;

		assert_int_equal(pace_judge(rows[i].status, &f, 1700000000, &wait_ms), rows[i].pace);
		assert_int_equal(wait_ms, rows[i].wait_ms);
	}
}

/* ---- GitHub Apps -------------------------------------------------------------------------------------------------------- */

static void pem_of(EVP_PKEY *pkey, struct buf *ret_pem)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_get_mem_data(bio, &text);
	buf_add(ret_pem, text, (size_t)n);
	BIO_free(bio);
}

static bool verifies(EVP_PKEY *pkey, struct str text, struct str signature)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, pkey) == 1 &&
		    EVP_DigestVerify(md, (const unsigned char *)signature.p, signature.n, (const unsigned char *)text.p,
				     text.n) == 1;

	EVP_MD_CTX_free(md);
	return good;
}

static void an_app_says_who_it_is_and_until_when(void **state)
{
	EVP_PKEY *pkey = EVP_RSA_gen(2048);
	struct buf pem = { 0 }, jwt = { 0 }, claims = { 0 }, signature = { 0 };
	struct str rest, head, body;

	(void)state;
	pem_of(pkey, &pem);
	assert_int_equal(app_token_sign(buf_view(&pem), 7, 1700000000, &jwt, NULL), E_OK);
	rest = buf_view(&jwt);
	head = str_cut(&rest, '.');
	body = str_cut(&rest, '.');
	assert_true(base64url_read(body, &claims) && base64url_read(rest, &signature));
	assert_string_equal(buf_cstr(&claims), "{\"iat\":1699999940,\"exp\":1700000540,\"iss\":\"7\"}");
	assert_true(verifies(pkey, str_sub(buf_view(&jwt), 0, head.n + 1 + body.n), buf_view(&signature)));
	assert_int_equal(app_token_sign(STR("no key"), 7, 1700000000, &jwt, NULL), E_CONFIG);
	EVP_PKEY_free(pkey);
	buf_release(&pem);
	buf_release(&jwt);
	buf_release(&claims);
	buf_release(&signature);
}

static void an_installation_token_is_good_as_long_as_github_says(void **state)
{
	static const struct {
		const char *answer;
		const char *token; /* "": none */
		int64_t until_s;
	} rows[] = {
		{ "{\"token\":\"ghs_x\",\"expires_at\":\"2023-11-14T23:13:20Z\"}", "ghs_x", 1700003600 },
		{ "{\"token\":\"ghs_x\"}", "ghs_x", 1700003600 },
		{ "{\"token\":\"\"}", "", 0 },
		{ "{\"token\":null}", "", 0 },
		{ "{}", "", 0 },
		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf token = { 0 };
		int64_t until_s = 0;
		enum err err = app_token_read(str_of(rows[i].answer), 1700000000, &token, &until_s, NULL);

		assert_int_equal(err, rows[i].token[0] ? E_OK : E_MALFORMED);
		assert_true(str_is(buf_view(&token), rows[i].token));
		assert_int_equal(until_s, rows[i].until_s);
		buf_release(&token);
	}
}

#define ROLE(id, secret, token)                                                                                        \
	"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" id "</AccessKeyId><SecretAccessKey>" secret \
	"</SecretAccessKey><SessionToken>" token "</SessionToken>"

static void the_keys_of_a_role_are_whole_or_none(void **state)
{
	static const struct {
		const char *answer;
		const char *keys; /* "": none */
		int64_t until_s;
	} rows[] = {
		{ ROLE("AS", "a/+=", " t ") "<Expiration>2023-11-14T23:13:20Z</Expiration></Credentials>",
		  "AS\na/+=\nt\n", 1700003600 },
		{ ROLE("AS", "k", "t") "<Expiration>soon</Expiration></Credentials>", "AS\nk\nt\n", 1700003600 },
		{ ROLE("AS", "k", "t") "</Credentials>", "AS\nk\nt\n", 1700003600 },
		{ ROLE("AS", "k", "t"), "", 0 },
		{ ROLE("", "k", "t") "</Credentials>", "", 0 },
		{ ROLE("AS", "", "t") "</Credentials>", "", 0 },
		{ ROLE("AS", "k", "") "</Credentials>", "", 0 },
		{ ROLE("AS", "k", "a\nX-Evil: 1") "</Credentials>", "", 0 },
		{ ROLE("AS", "k", "a b") "</Credentials>", "", 0 },
		{ ROLE("AS", "k", "&#10;") "</Credentials>", "", 0 },
		{ "<Credentials/>", "", 0 },
		{ "{}", "", 0 },
		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf keys = { 0 };
		int64_t until_s = 0;
		enum err err = aws_role_read(str_of(rows[i].answer), 1700000000, &keys, &until_s, NULL);

		assert_int_equal(err, rows[i].keys[0] ? E_OK : E_MALFORMED);
		assert_true(str_is(buf_view(&keys), rows[i].keys));
		assert_int_equal(until_s, rows[i].until_s);
		buf_release(&keys);
	}
	mem_fail_at(1);
	assert_int_equal(aws_role_read(str_of(rows[0].answer), 0, &(struct buf){ 0 }, &(int64_t){ 0 }, NULL), E_NOMEM);
	mem_fail_at(0);
}

static void a_role_is_asked_for_where_the_keys_belong(void **state)
{
	static const struct {
		const char *region, *named, *base;
	} rows[] = {
		{ "eu-west-1", NULL, "https://sts.eu-west-1.amazonaws.com" },
		{ "cn-north-1", NULL, "https://sts.cn-north-1.amazonaws.com.cn" },
		{ "eu-west-1", "https://localstack:4566", "https://localstack:4566" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct login login = { .region = rows[i].region,
				       .named = rows[i].named,
				       .role_arn = "arn:aws:iam::1:role/a b" };
		struct hook_request r;
		struct buf base = { 0 };

		buf_str(&login.base, str_of(rows[i].named ? rows[i].named : "https://sns"));
		aws_role_base(&login, &base);
		assert_string_equal(buf_cstr(&base), rows[i].base);
		aws_role_request(&login, &r);
		assert_string_equal(buf_cstr(&r.body),
				    "Action=AssumeRole&Version=2011-06-15&RoleSessionName=holdfast&RoleArn="
				    "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b");
		buf_release(&base);
		buf_release(&login.base);
		hook_request_release(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_page_is_the_query_of_the_next_link),
		cmocka_unit_test(everything_but_what_is_unreserved_is_encoded),
		cmocka_unit_test(sets_are_the_same_in_any_order),
		cmocka_unit_test(elements_come_one_after_the_other),
		cmocka_unit_test(complaints_are_found_where_providers_put_them),
		cmocka_unit_test(an_answer_says_when_to_ask_again),
		cmocka_unit_test(an_app_says_who_it_is_and_until_when),
		cmocka_unit_test(an_installation_token_is_good_as_long_as_github_says),
		cmocka_unit_test(the_keys_of_a_role_are_whole_or_none),
		cmocka_unit_test(a_role_is_asked_for_where_the_keys_belong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
