#include "event/json_members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static void wanted_members_are_found_and_others_passed_over(void **state)
{
	static const struct {
		const char *object;
		enum err err;
		const char *a, *b; /* NULL: absent */
	} rows[] = {
		{ "{}", E_OK, NULL, NULL },
		{ "{\"a\":1}", E_OK, "1", NULL },
		{ "{\"b\":{\"a\":2},\"a\":\"x,}\"}", E_OK, "\"x,}\"", "{\"a\":2}" },
		{ "{\"c\":[{\"a\":1}],\"b\":null}", E_OK, NULL, "null" },
		{ "{\"\\u0061\":true}", E_OK, "true", NULL },
		{ "{\"A\":1,\"aa\":2,\"\":3}", E_OK, NULL, NULL },
		{ "{\"\\ud800\":1,\"a\":2}", E_OK, "2", NULL },
		{ "{\"a\":1,\"a\":2}", E_EXISTS, "2", NULL },
		{ "{\"a\":1,\"\\u0061\":2,\"b\":3}", E_EXISTS, "2", "3" },
		{ "{\"c\":1,\"c\":2}", E_OK, NULL, NULL },
		{ "[]", E_MALFORMED, NULL, NULL },
		{ "null", E_MALFORMED, NULL, NULL },
		{ "\"a\"", E_MALFORMED, NULL, NULL },
		{ "", E_MALFORMED, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_member m[] = { { .name = "a" }, { .name = "b" } };

		assert_int_equal(json_members(str_of(rows[i].object), m, ARRAY_LEN(m)), rows[i].err);
		assert_true(str_eq(m[0].raw, str_of(rows[i].a)));
		assert_true(str_eq(m[1].raw, str_of(rows[i].b)));
	}
}

static void a_long_name_is_nobodys(void **state)
{
	struct json_member m[] = { { .name = "a" } };
	struct buf object = { 0 };

	(void)state;
	buf_lit(&object, "{\"");
	for (size_t i = 0; i < 2000; i++)
		buf_char(&object, 'a');
	buf_lit(&object, "\":1,\"a\":2}");
	assert_int_equal(json_members(buf_view(&object), m, 1), E_OK);
	assert_true(str_is(m[0].raw, "2"));
	buf_release(&object);
}

static void a_members_text_is_decoded(void **state)
{
	static const struct {
		const char *object;
		bool ok;
		const char *text;
	} rows[] = {
		{ "{}", true, "" },
		{ "{\"a\":null}", true, "" },
		{ "{\"a\":\"\"}", true, "" },
		{ "{\"a\":\"x\\ny\\u003c\"}", true, "x\ny<" },
		{ "{\"a\":1}", false, "" },
		{ "{\"a\":{}}", false, "" },
		{ "{\"a\":\"\\ud83d\"}", false, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_member m = { .name = "a" };
		struct buf arena = { 0 };
		struct str text;

		assert_int_equal(json_members(str_of(rows[i].object), &m, 1), E_OK);
		assert_int_equal(json_member_text(&m, &arena, &text), rows[i].ok);
		if (rows[i].ok)
			assert_true(str_is(text, rows[i].text));
		buf_release(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wanted_members_are_found_and_others_passed_over),
		cmocka_unit_test(a_long_name_is_nobodys),
		cmocka_unit_test(a_members_text_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
