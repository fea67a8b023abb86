#include "event/json_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

static const char text[] = "{\"a\":[1,\"]}\\\"\",{}],\"b\\\\\":-1.5e3,\"\":{\"c\":null},\"d\":true}";

/* "key=value" of each member, raw, one a line. */
static struct buf members(struct str json)
{
	struct json_walk w = json_walk(json);
	struct buf lines = { 0 };

	json_walk_enter(&w);
	while (json_walk_next(&w)) {
		buf_str(&lines, json_walk_key(&w));
		buf_char(&lines, '=');
		buf_str(&lines, json_walk_value(&w));
		buf_char(&lines, '\n');
	}
	return lines;
}

static void members_are_sliced_raw_and_in_order(void **state)
{
	struct buf lines = members(str_of(text));

	(void)state;
	assert_string_equal(buf_cstr(&lines), "\"a\"=[1,\"]}\\\"\",{}]\n"
					      "\"b\\\\\"=-1.5e3\n"
					      "\"\"={\"c\":null}\n"
					      "\"d\"=true\n");
	buf_release(&lines);
}

static void elements_are_stepped_through_and_empty_brackets_have_none(void **state)
{
	struct json_walk w = json_walk(STR("[1,[2],\"3\"]")), none = json_walk(STR("[]"));

	(void)state;
	assert_int_equal(json_walk_peek(&w), '[');
	json_walk_enter(&w);
	assert_true(json_walk_next(&w));
	assert_true(str_is(json_walk_value(&w), "1"));
	assert_true(json_walk_next(&w));
	assert_true(str_is(json_walk_value(&w), "[2]"));
	assert_true(json_walk_next(&w));
	assert_int_equal(json_walk_peek(&w), '"');
	assert_true(str_is(json_walk_value(&w), "\"3\""));
	assert_false(json_walk_next(&w));
	assert_int_equal(json_walk_peek(&w), '\0');
	json_walk_enter(&none);
	assert_false(json_walk_next(&none));
}

/* The promise is only about the end; what is sliced from half a text has no meaning. */
static void the_end_is_never_passed_whatever_the_text_is(void **state)
{
	(void)state;
	for (size_t n = 1; n < sizeof(text); n++) {
		char *cut = malloc(n);
		struct buf lines;

		memcpy(cut, text, n);
		lines = members((struct str){ cut, n });
		assert_true(lines.n <= 3 * n);
		buf_release(&lines);
		free(cut);
	}
}

static const struct {
	const char *raw;
	const char *text; /* NULL: refused */
} strings[] = {
	{ "\"\"", "" },
	{ "\"plain\"", "plain" },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
	{ "\"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00\\uffff\"", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf" },
	{ "\"\\uDBFF\\udfff\"", "\xf4\x8f\xbf\xbf" },
	{ "\"x\\ud800\"", NULL },
	{ "\"\\ud800x\"", NULL },
	{ "\"\\ud800\\n12345\"", NULL },
	{ "\"\\ud800\\ud800\"", NULL },
	{ "\"\\udc00\"", NULL },
	{ "\"\\udc00\\udc00\"", NULL },
};

static void strings_say_what_they_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct buf arena = { 0 };
		struct str said = { 0 };
		bool ok = json_decode(str_of(strings[i].raw), &arena, &said);

		assert_int_equal(ok, strings[i].text != NULL);
		if (ok)
			assert_true(str_is(said, strings[i].text));
		buf_release(&arena);
	}
}

static void a_string_without_escapes_is_not_copied(void **state)
{
	static const char raw[] = "\"plain\"";
	struct buf arena = { 0 };
	struct str said;

	(void)state;
	assert_true(json_decode(str_of(raw), &arena, &said));
	assert_ptr_equal(said.p, raw + 1);
	assert_null(arena.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_sliced_raw_and_in_order),
		cmocka_unit_test(elements_are_stepped_through_and_empty_brackets_have_none),
		cmocka_unit_test(the_end_is_never_passed_whatever_the_text_is),
		cmocka_unit_test(strings_say_what_they_say),
		cmocka_unit_test(a_string_without_escapes_is_not_copied),
	};

	return cmocka_run_group_tests_name("json_walk", tests, NULL, NULL);
}
