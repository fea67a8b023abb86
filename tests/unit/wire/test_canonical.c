#include "wire/canonical.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/go_double.h"

/* What Go 1.26's encoding/json writes after reading with integers preserved. */
static const struct {
	const char *json, *canonical;
} rows[] = {
	{ "{\"b\":1,\"a\":2,\"A\":3,\"\":4,\"\xc3\xa4\":5,\"aa\":6}",
	  "{\"\":4,\"A\":3,\"a\":2,\"aa\":6,\"b\":1,\"\xc3\xa4\":5}" },
	{ "{\"a\":1,\"a\":{\"x\":1},\"a\":{\"y\":2}}", "{\"a\":{\"y\":2}}" },
	{ "[0,-0,-0.0,1.0,1.50,1e2,0.1,123456789012345678,9223372036854775807,-9223372036854775808]",
	  "[0,0,-0,1,1.5,100,0.1,123456789012345678,9223372036854775807,-9223372036854775808]" },
	{ "[9223372036854775808,18446744073709551616,-9223372036854775809,1e20,1e21,123456789012345678901234567890]",
	  "[9223372036854776000,18446744073709552000,-9223372036854776000,100000000000000000000,1e+21,1."
	  "2345678901234568e+29]" },
	{ "[1e-6,9.99e-7,1e-7,1.5e-10,5e-324,1.7976931348623157e308,0.000001234]",
	  "[0.000001,9.99e-7,1e-7,1.5e-10,5e-324,1.7976931348623157e+308,0.000001234]" },
	{ "[5.684341886080802e-14,9007199254740993,4.35,0.30000000000000004,2.5e-1,100000000000000000000,"
	  "999999999999999900000,1e22]",
	  "[5.684341886080802e-14,9007199254740993,4.35,0.30000000000000004,0.25,100000000000000000000,"
	  "999999999999999900000,1e+22]" },
	{ "[\"<a href=\\\"x\\\">&amp;</a>\",\"\\u2028\\u2029\",\"  "
	  "\",\"\\u003c\",\"\\/\",\"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\",\"\\\\\\\"\"]",
	  "[\"\\u003ca href=\\\"x\\\"\\u003e\\u0026amp;\\u003c/a\\u003e\",\"\\u2028\\u2029\",\"  "
	  "\",\"\\u003c\",\"/\",\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\",\"\\\\\\\"\"]" },
	{ "[\"\\ud800\",\"\\udc00\",\"\\ud83d\\ude00\",\"\\ud800\\ud800\\udc00\",\"\\ud800x\",\"\\ud800\\u0041\","
	  "\"\xf0\x9f\x98\x80\",\"\\u00e4\"]",
	  "[\"\xef\xbf\xbd\",\"\xef\xbf\xbd\",\"\xf0\x9f\x98\x80\",\"\xef\xbf\xbd\xf0\x90\x80\x80\",\"\xef\xbf\xbdx\","
	  "\"\xef\xbf\xbd"
	  "A\",\"\xf0\x9f\x98\x80\",\"\xc3\xa4\"]" },
	{ "{\"\\u0062\":1,\"a\":2,\"\\ud800\":3,\"c\\n\":4}", "{\"a\":2,\"b\":1,\"c\\n\":4,\"\xef\xbf\xbd\":3}" },
	{ "{\"sp\\u0065c\":1,\"a\":[],\"b\":{},\"c\":null,\"d\":true,\"e\":false,\"f\":\"\"}",
	  "{\"a\":[],\"b\":{},\"c\":null,\"d\":true,\"e\":false,\"f\":\"\",\"spec\":1}" },
	{ "[[[]],[{}],{\"z\":{\"y\":{\"x\":[1,{\"b\":1,\"a\":2}]}}}]",
	  "[[[]],[{}],{\"z\":{\"y\":{\"x\":[1,{\"a\":2,\"b\":1}]}}}]" },
	{ "\"top\"", "\"top\"" },
	{ "12", "12" },
	{ "[\"\xff\",\"a\xc3\",\"\xe2\x80\",\"\xed\xa0\x80\",{\"k\xff\":1,\"k\xfe\":2}]",
	  "[\"\xef\xbf\xbd\",\"a\xef\xbf\xbd\",\"\xef\xbf\xbd\xef\xbf\xbd\",\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",{"
	  "\"k\xef\xbf\xbd\":2}]" },
};

static void it_is_what_go_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };

		assert_int_equal(canonical_write(str_of(rows[i].json), &text, NULL), E_OK);
		assert_string_equal(buf_cstr(&text), rows[i].canonical);
		buf_release(&text);
	}
}

static const struct {
	double value;
	const char *text;
} doubles[] = {
	{ 0.0, "0" },
	{ -0.0, "-0" },
	{ 1e-6, "0.000001" },
	{ 9.999999999999997e-7, "9.999999999999997e-7" },
	{ 1e21, "1e+21" },
	{ 999999999999999900000.0, "999999999999999900000" },
	{ 0x1p-44, "5.684341886080802e-14" }, /* the nearest 16 digits miss it, the next ones up do not */
	{ 0x1p-1074, "5e-324" },
	{ 0x1.fffffffffffffp+1023, "1.7976931348623157e+308" },
	{ 0x1p-1022, "2.2250738585072014e-308" },
	{ 9.5367431640625e-7, "9.5367431640625e-7" },
	{ -123.456, "-123.456" },
	{ 1e-9, "1e-9" },
	{ 100, "100" },
	{ 0.5, "0.5" },
	{ 2251799813685249.5, "2251799813685249.5" },
};

static void doubles_have_the_shortest_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
		struct buf text = { 0 };

		go_double_write(doubles[i].value, &text);
		assert_string_equal(buf_cstr(&text), doubles[i].text);
		buf_release(&text);
	}
}

static void every_power_of_two_reads_back(void **state)
{
	(void)state;
	for (int e = -1074; e < 1024; e++) {
		double value = __builtin_ldexp(1, e);
		struct buf text = { 0 };

		go_double_write(value, &text);
		assert_true(strtod(buf_cstr(&text), NULL) == value);
		assert_true(text.n <= 24);
		buf_release(&text);
	}
}

static void a_member_can_stay_behind_at_the_top_only(void **state)
{
	struct tape t = { 0 };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(tape_read(&t, STR("{\"x\":{\"x\":1},\"\\u0078\":2,\"a\":{\"x\":3}}"), NULL), E_OK);
	assert_int_equal(canonical_node(&t, 0, STR("x"), &text, NULL), E_OK);
	assert_string_equal(buf_cstr(&text), "{\"a\":{\"x\":3}}");
	tape_release(&t);
	buf_release(&text);
}

static void the_last_member_of_a_name_is_found(void **state)
{
	struct tape t = { 0 };

	(void)state;
	assert_int_equal(tape_read(&t, STR("{\"spec\":1,\"b\":[{\"spec\":3}],\"sp\\u0065c\":2}"), NULL), E_OK);
	assert_true(str_is(t.nodes[tape_member(&t, 0, STR("spec"))].raw, "2"));
	assert_int_equal(tape_member(&t, 0, STR("c")), 0);
	assert_int_equal(tape_member(&t, 1, STR("spec")), 0);
	tape_release(&t);
}

static void assert_fails(struct str json, enum err expected)
{
	struct buf text = { 0 };
	struct why why = { 0 };

	assert_int_equal(canonical_write(json, &text, &why), expected);
	assert_true(why.text[0] != '\0');
	buf_release(&text);
}

static void what_go_would_not_read_is_malformed(void **state)
{
	static const char *const texts[] = { "", "{", "{\"a\":1,}", "nul", "[1e999]", "[-1e400]", "1 2", "{\"a\":01}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_fails(str_of(texts[i]), E_MALFORMED);
}

static void the_depth_is_bounded(void **state)
{
	struct buf json = { 0 }, text = { 0 };

	(void)state;
	for (int i = 0; i < TAPE_DEPTH_MAX; i++)
		buf_char(&json, '[');
	for (int i = 0; i < TAPE_DEPTH_MAX; i++)
		buf_char(&json, ']');
	assert_int_equal(canonical_write(buf_view(&json), &text, NULL), E_OK);
	assert_true(str_eq(buf_view(&json), buf_view(&text)));
	json.p[TAPE_DEPTH_MAX - 1] = '[';
	json.p[TAPE_DEPTH_MAX] = '[';
	buf_lit(&json, "]]");
	assert_fails(buf_view(&json), E_LIMIT);
	buf_release(&json);
	buf_release(&text);
}

static void any_missing_memory_is_an_error_and_leaks_nothing(void **state)
{
	static const char json[] = "{\"b\\n\":[1,2.5,\"\\u00e4\"],\"a\":{\"c\":{}}}";
	enum err err = E_NOMEM;

	(void)state;
	for (long at = 1; err != E_OK; at++) {
		struct buf text = { 0 };

		mem_fail_at(at);
		err = canonical_write(str_of(json), &text, NULL);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		if (err == E_OK)
			assert_string_equal(buf_cstr(&text), "{\"a\":{\"c\":{}},\"b\\n\":[1,2.5,\"\xc3\xa4\"]}");
		buf_release(&text);
		assert_true(at < 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_what_go_writes),
		cmocka_unit_test(doubles_have_the_shortest_text),
		cmocka_unit_test(every_power_of_two_reads_back),
		cmocka_unit_test(a_member_can_stay_behind_at_the_top_only),
		cmocka_unit_test(the_last_member_of_a_name_is_found),
		cmocka_unit_test(what_go_would_not_read_is_malformed),
		cmocka_unit_test(the_depth_is_bounded),
		cmocka_unit_test(any_missing_memory_is_an_error_and_leaks_nothing),
	};

	return cmocka_run_group_tests_name("wire canonical", tests, NULL, NULL);
}
