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
	expect_headers((const struct header_row[]){ { 0 } }, "{}");
}

static void the_authorization_header_is_masked(void **state)
{
	(void)state;
	expect_headers((const struct header_row[]){ { "authorization", "Bearer a" }, { "Authorization", "b" }, { 0 } },
		       "{\"Authorization\":[\"*** Masked Auth Secret ***\"]}");
	expect_headers((const struct header_row[]){ { "Authorization", "" }, { 0 } }, "{\"Authorization\":[\"\"]}");
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
		cmocka_unit_test(values_are_escaped_as_go_does),
		cmocka_unit_test(pragma_no_cache_brings_cache_control),
		cmocka_unit_test(a_form_becomes_a_sorted_map_of_arrays),
		cmocka_unit_test(a_form_without_memory_is_an_error),
		cmocka_unit_test(metadata_stands_last_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
