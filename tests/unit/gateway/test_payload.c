#include "gateway/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

struct header_row {
	const char *name, *value;
};

static void expect_headers(const struct header_row *rows, const char *json)
{
	static struct http_request r;
	struct buf b = { 0 };

	r.field_count = 0;
	for (; rows->name; rows++)
		r.fields[r.field_count++] = (struct http_field){ str_of(rows->name), str_of(rows->value) };
	payload_headers(&r, /* masked= */ NULL, &b);
	assert_int_equal(b.err, E_OK);
	assert_string_equal(buf_cstr(&b), json);
	buf_release(&b);
}

/* Facts argo-events 1.0 "Header map rules". */
static void headers_are_canonical_sorted_arrays(void **state)
{
	(void)state;
	expect_headers((const struct header_row[]){ { "x-foo-bar", "1" }, { "ACCEPT", "*/*" }, { "Host", "a" }, { 0 } },
		       "{\"Accept\":[\"*/*\"],\"X-Foo-Bar\":[\"1\"]}");
	expect_headers((const struct header_row[]){ { "x_under", "1" }, { "X-GitHub-Event", "push" }, { 0 } },
		       "{\"X-Github-Event\":[\"push\"],\"X_under\":[\"1\"]}");
	expect_headers((const struct header_row[]){ { "x-a", "2" }, { "X-b", "x" }, { "X-A", "1" }, { 0 } },
		       "{\"X-A\":[\"2\",\"1\"],\"X-B\":[\"x\"]}");
	expect_headers(
		(const struct header_row[]){ { "Transfer-Encoding", "chunked" }, { "Content-Length", "2" }, { 0 } },
		"{\"Content-Length\":[\"2\"]}");
	expect_headers((const struct header_row[]){ { "Trailer", "X-T" }, { "Content-Length", "2" }, { 0 } },
		       "{\"Content-Length\":[\"2\"],\"Trailer\":[\"X-T\"]}");
	expect_headers((const struct header_row[]){ { "Trailer", "X-T" }, { "Transfer-Encoding", "chunked" }, { 0 } },
		       "{}");
	expect_headers(
		(const struct header_row[]){
			{ "a-b", "1" }, { "a_b", "2" }, { "aB", "3" }, { "AB", "4" }, { "a", "5" }, { 0 } },
		"{\"A\":[\"5\"],\"A-B\":[\"1\"],\"A_b\":[\"2\"],\"Ab\":[\"3\",\"4\"]}");
	expect_headers(
		(const struct header_row[]){ { "b-z", "1" }, { "b-_", "2" }, { "b^", "3" }, { "bz", "4" }, { 0 } },
		"{\"B-Z\":[\"1\"],\"B-_\":[\"2\"],\"B^\":[\"3\"],\"Bz\":[\"4\"]}");
	expect_headers((const struct header_row[]){ { "r&d-x&Y", "1" }, { 0 } }, "{\"R\\u0026d-X\\u0026y\":[\"1\"]}");
	expect_headers((const struct header_row[]){ { 0 } }, "{}");
}

static void the_authorization_header_is_masked(void **state)
{
	(void)state;
	expect_headers((const struct header_row[]){ { "authorization", "Bearer a" }, { "Authorization", "b" }, { 0 } },
		       "{\"Authorization\":[\"*** Masked Auth Secret ***\"]}");
	expect_headers((const struct header_row[]){ { "Authorization", "" }, { 0 } }, "{\"Authorization\":[\"\"]}");
}

static void fields_with_secrets_are_masked_when_listed(void **state)
{
	static const char *const masked[] = { "X-Hub-Signature", "X-Gitlab-Token", NULL };
	static struct http_request r;
	struct buf b = { 0 };

	(void)state;
	r.fields[0] = (struct http_field){ STR("x-hub-signature"), STR("") };
	r.fields[1] = (struct http_field){ STR("X-Hub-Signature"), STR("sha1=a") };
	r.fields[2] = (struct http_field){ STR("X-HUB-SIGNATURE-256"), STR("sha256=a") };
	r.fields[3] = (struct http_field){ STR("X-Gitlab-Token"), STR("t") };
	r.field_count = 4;
	payload_headers(&r, masked, &b);
	assert_string_equal(buf_cstr(&b), "{\"X-Gitlab-Token\":[\"*** Masked Auth Secret ***\"],"
					  "\"X-Hub-Signature\":[\"*** Masked Auth Secret ***\"],"
					  "\"X-Hub-Signature-256\":[\"sha256=a\"]}");
	buf_release(&b);
}

static void values_are_escaped_as_go_does(void **state)
{
	(void)state;
	expect_headers((const struct header_row[]){ { "a", "<b>&\"\\" }, { "B", "\xff" }, { 0 } },
		       "{\"A\":[\"\\u003cb\\u003e\\u0026\\\"\\\\\"],\"B\":[\"\\ufffd\"]}");
}

static void pragma_no_cache_brings_cache_control(void **state)
{
	(void)state;
	expect_headers((const struct header_row[]){ { "Pragma", "no-cache" }, { "A", "1" }, { "X", "2" }, { 0 } },
		       "{\"A\":[\"1\"],\"Cache-Control\":[\"no-cache\"],\"Pragma\":[\"no-cache\"],\"X\":[\"2\"]}");
	expect_headers((const struct header_row[]){ { "Pragma", "no-cache" }, { "cache-control", "a" }, { 0 } },
		       "{\"Cache-Control\":[\"a\"],\"Pragma\":[\"no-cache\"]}");
}

/* Facts argo-events 1.1. */
static void a_form_becomes_a_sorted_map_of_arrays(void **state)
{
	static const struct {
		const char *form;
		bool lenient;
		const char *json; /* NULL: refused */
	} rows[] = {
		{ "aaa=b%20b&ccc=d%20d", false, "{\"aaa\":[\"b b\"],\"ccc\":[\"d d\"]}" },
		{ "", false, "{}" },
		{ "c=1&a=2&c=3&b", false, "{\"a\":[\"2\"],\"b\":[\"\"],\"c\":[\"1\",\"3\"]}" },
		{ "a+b=c%2Bd", false, "{\"a b\":[\"c+d\"]}" },
		{ "&&a=1&", false, "{\"a\":[\"1\"]}" },
		{ "a=b=c", false, "{\"a\":[\"b=c\"]}" },
		{ "=v", false, "{\"\":[\"v\"]}" },
		{ "a=%3c", false, "{\"a\":[\"\\u003c\"]}" },
		{ "a=%zz", false, NULL },
		{ "a=1;b=2", false, NULL },
		{ "a=%4", false, NULL },
		{ "a=%zz&b=1;2&c=3", true, "{\"c\":[\"3\"]}" },
		{ "%=1&b=2", true, "{\"b\":[\"2\"]}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		enum err err = payload_form(str_of(rows[i].form), rows[i].lenient, &b);

		assert_int_equal(err, rows[i].json ? E_OK : E_MALFORMED);
		if (rows[i].json)
			assert_string_equal(buf_cstr(&b), rows[i].json);
		buf_release(&b);
	}
}

static void one_field_of_a_form_is_decoded(void **state)
{
	static const struct {
		const char *form;
		enum err err;
		const char *value;
	} rows[] = {
		{ "payload=%7B%22a%22%3A1%7D", E_OK, "{\"a\":1}" },
		{ "a=1&payload=x+y%2B&b=2", E_OK, "x y+" },
		{ "payload=1&payload=2", E_OK, "1" },
		{ "pay%6Coad=1", E_OK, "1" },
		{ "payload", E_OK, "" },
		{ "payload=", E_OK, "" },
		{ "payload=a=b", E_OK, "a=b" },
		{ "&&payload=1&&", E_OK, "1" },
		{ "Payload=1", E_NOT_FOUND, NULL },
		{ "", E_NOT_FOUND, NULL },
		{ "payload=%", E_MALFORMED, NULL },
		{ "payload=1&a=%z1", E_MALFORMED, NULL },
		{ "%=1&payload=1", E_MALFORMED, NULL },
		{ "payload=1;a=2", E_MALFORMED, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		assert_int_equal(payload_form_field(str_of(rows[i].form), STR("payload"), &b), rows[i].err);
		assert_true(str_eq(buf_view(&b), str_of(rows[i].value)));
		buf_release(&b);
	}
}

static void a_form_without_memory_is_an_error(void **state)
{
	(void)state;
	for (long n = 1; n <= 3; n++) {
		struct buf b = { 0 };

		mem_fail_at(n);
		assert_int_equal(payload_form(STR("a=1&b=2"), false, &b), E_NOMEM);
		mem_fail_at(0);
		buf_release(&b);
	}
}

static void metadata_stands_last_or_not_at_all(void **state)
{
	struct text_pair entries[] = { { (char *)"a", (char *)"1" }, { (char *)"k", (char *)"<v>" } };
	struct route_config config = { 0 };
	struct buf b = { 0 };

	(void)state;
	payload_metadata(&config, &b);
	assert_int_equal(b.n, 0);
	config.metadata = entries;
	config.metadata_count = 2;
	payload_metadata(&config, &b);
	assert_string_equal(buf_cstr(&b), ",\"metadata\":{\"a\":\"1\",\"k\":\"\\u003cv\\u003e\"}");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_canonical_sorted_arrays),
		cmocka_unit_test(the_authorization_header_is_masked),
		cmocka_unit_test(fields_with_secrets_are_masked_when_listed),
		cmocka_unit_test(values_are_escaped_as_go_does),
		cmocka_unit_test(one_field_of_a_form_is_decoded),
		cmocka_unit_test(pragma_no_cache_brings_cache_control),
		cmocka_unit_test(a_form_becomes_a_sorted_map_of_arrays),
		cmocka_unit_test(a_form_without_memory_is_an_error),
		cmocka_unit_test(metadata_stands_last_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
