#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"

static void appends_follow_one_another(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_lit(&b, "a\0b");
	buf_str(&b, STR("c"));
	buf_str(&b, (struct str){ 0 });
	buf_char(&b, 'd');
	buf_u64(&b, 0);
	buf_u64(&b, UINT64_MAX);
	buf_addf(&b, "%s-%d", "e", -1);
	assert_int_equal(b.err, E_OK);
	assert_true(str_eq(buf_view(&b), STR("a\0bcd018446744073709551615e--1")));
	assert_int_equal(strlen(buf_cstr(&b) + 3), b.n - 3); /* past the zero of the content */
	buf_clear(&b);
	assert_int_equal(b.n, 0);
	assert_string_equal(buf_cstr(&b), "");
	buf_release(&b);
	assert_null(b.p);
}

static void large_contents_arrive_whole(void **state)
{
	struct buf b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		buf_char(&b, (char)i);
	for (unsigned i = 0; i < 100000; i++)
		assert_int_equal(b.p[i], (char)i);
	buf_release(&b);
}

static void the_ceiling_holds_to_the_byte_and_the_error_sticks(void **state)
{
	struct buf b = { .max = 10 };

	(void)state;
	buf_lit(&b, "0123456789");
	assert_int_equal(b.err, E_OK);
	buf_char(&b, 'x');
	assert_int_equal(b.err, E_LIMIT);
	buf_lit(&b, "");
	assert_null(buf_reserve(&b, 0));
	assert_null(buf_cstr(&b));
	assert_true(str_is(buf_view(&b), "0123456789"));
	buf_clear(&b);
	buf_lit(&b, "again");
	assert_string_equal(buf_cstr(&b), "again");
	buf_release(&b);
	assert_int_equal(b.max, 10);
}

static void what_is_too_large_adds_nothing(void **state)
{
	struct buf b = { .max = 10 };

	(void)state;
	buf_lit(&b, "12345");
	buf_lit(&b, "678901");
	assert_int_equal(b.err, E_LIMIT);
	assert_true(str_is(buf_view(&b), "12345"));
	buf_clear(&b);
	buf_addf(&b, "%s", "01234567890");
	assert_int_equal(b.err, E_LIMIT);
	assert_int_equal(b.n, 0);
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(b.err, E_LIMIT);
	buf_release(&b);
}

static void without_memory_it_keeps_what_it_has(void **state)
{
	struct buf b = { 0 };

	(void)state;
	buf_lit(&b, "here");
	mem_fail_at(1);
	assert_null(buf_reserve(&b, 100000));
	mem_fail_at(0);
	assert_int_equal(b.err, E_NOMEM);
	buf_lit(&b, "more");
	assert_true(str_is(buf_view(&b), "here"));
	buf_release(&b);
}

static void a_buffer_on_the_stack_is_never_grown(void **state)
{
	char space[8];
	struct buf b = { .p = space, .cap = sizeof(space), .max = sizeof(space) };

	(void)state;
	buf_lit(&b, "12345678");
	assert_int_equal(b.err, E_OK);
	assert_ptr_equal(b.p, space);
	buf_char(&b, '9');
	assert_int_equal(b.err, E_LIMIT);
	assert_ptr_equal(b.p, space);
}

static void json_strings_are_escaped(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ { NULL, 0 }, "\"\"" },
		{ STR("plain /"), "\"plain /\"" },
		{ STR("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
		{ STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"" },
		{ STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ STR("\xc2\x9b[2J\xc2\xa0"), "\"\\u009b[2J\xc2\xa0\"" }, /* a terminal's escape in one character */
		{ STR("a\xff"
		      "b"),
		  "\"a\xef\xbf\xbd"
		  "b\"" },
		{ STR("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ STR("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ STR("\xf0\x9f\x98"
		      "a"),
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
		  "a\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };

		buf_json(&b, rows[i].in);
		assert_string_equal(buf_cstr(&b), rows[i].out);
		assert_true(str_is_utf8(buf_view(&b)));
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_follow_one_another),
		cmocka_unit_test(large_contents_arrive_whole),
		cmocka_unit_test(the_ceiling_holds_to_the_byte_and_the_error_sticks),
		cmocka_unit_test(what_is_too_large_adds_nothing),
		cmocka_unit_test(without_memory_it_keeps_what_it_has),
		cmocka_unit_test(a_buffer_on_the_stack_is_never_grown),
		cmocka_unit_test(json_strings_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
