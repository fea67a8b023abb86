/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "backend/object_yaml.h"
#include "base/mem.h"

static void read_as(const char *yaml, const char *json)
{
	struct why why = { 0 };
	json_object *tree = NULL;
	CLEANUP(buf_release) struct buf text = { 0 };

	if (yaml_read(str_of(yaml), &why, &tree) != E_OK)
		fail_msg("%s: %s", yaml, why.text);
	assert_int_equal(tree_write(tree, &text, NULL), E_OK);
	if (!str_is(buf_view(&text), json))
		fail_msg("%s is %.*s, not %s", yaml, STR_ARG(buf_view(&text)), json);
	json_object_put(tree);
}

/* As sigs.k8s.io/yaml reads them. */
static void plain_scalars_mean_what_they_mean_to_kubernetes(void **state)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "", "null" },
		{ "~", "null" },
		{ "NULL", "null" },
		{ "nUll", "\"nUll\"" },
		{ "true", "true" },
		{ "yes", "true" },
		{ "On", "true" },
		{ "y", "true" },
		{ "no", "false" },
		{ "OFF", "false" },
		{ "1", "1" },
		{ "-1", "-1" },
		{ "+1", "1" },
		{ "1_000", "1000" },
		{ "0x1F", "31" },
		{ "-0x1f", "-31" },
		{ "0b101", "5" },
		{ "0o17", "15" },
		{ "017", "15" },
		{ "0", "0" },
		{ "00", "0" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "18446744073709551616", "18446744073709551616" },
		{ "0xFFFFFFFFFFFFFFFFFF", "\"0xFFFFFFFFFFFFFFFFFF\"" },
		{ "1.50", "1.50" },
		{ "1e5", "1e5" },
		{ ".5", "0.5" },
		{ "1.", "1.0" },
		{ "+1.5", "1.5" },
		{ "1.2.3", "\"1.2.3\"" },
		{ "v1", "\"v1\"" },
		{ "-", "[null]" },
		{ "1e", "\"1e\"" },
		{ "2026-11-21", "\"2026-11-21\"" },
		{ "12:30", "\"12:30\"" },
		{ "\"1\"", "\"1\"" },
		{ "'yes'", "\"yes\"" },
		{ "|\n    two\n    lines", "\"two\\nlines\\n\"" },
		{ ">\n    folded\n    line", "\"folded line\\n\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char yaml[200];
		char json[200];

		snprintf(yaml, sizeof(yaml), "k:%s%s\n", rows[i].yaml[0] == '-' && !rows[i].yaml[1] ? "\n" : " ",
			 rows[i].yaml);
		snprintf(json, sizeof(json), "{\"k\":%s}", rows[i].json);
		read_as(yaml, json);
	}
}

static void what_a_stranger_may_not_write_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *yaml;
		enum err err;
		const char *says;
	} rows[] = {
		{ "", E_MALFORMED, "empty" },
		{ "# nothing\n", E_MALFORMED, "empty" },
		{ "~", E_MALFORMED, "empty" },
		{ "a: &x 1", E_MALFORMED, "line 1: anchors" },
		{ "a: 1\nb: *x", E_MALFORMED, "line 2: anchors" },
		{ "&a [*a]", E_MALFORMED, "line 1: anchors" },
		{ "a: !!str 1", E_MALFORMED, "tags" },
		{ "!x {}", E_MALFORMED, "tags" },
		{ "<<: {a: 1}", E_MALFORMED, "merge keys" },
		{ "a: 1\n\na: 2", E_MALFORMED, "line 3: the key \"a\" stands twice" },
		{ "{a: 1, \"a\": 2}", E_MALFORMED, "stands twice" },
		{ "? [a]\n: b", E_MALFORMED, "a key is a map or a list" },
		{ "a: .inf", E_MALFORMED, "no such number" },
		{ "a: -.Inf", E_MALFORMED, "no such number" },
		{ "a: .NaN", E_MALFORMED, "no such number" },
		{ "a: 1\n--- \nb: 2", E_MALFORMED, "second document" },
		{ "a: [1", E_MALFORMED, "line 2: did not find" },
		{ "a:\n\t- 1", E_MALFORMED, "line 2" },
		{ "\"a\\0b\": 1", E_MALFORMED, "NUL" },
		{ "a: \xff", E_MALFORMED, "line" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		json_object *tree = NULL;

		if (yaml_read(str_of(rows[i].yaml), &why, &tree) != rows[i].err || !strstr(why.text, rows[i].says))
			fail_msg("%s: %s", rows[i].yaml, why.text);
	}
}

static void depth_is_limited(void **state)
{
	char text[2 * OBJECT_DEPTH_MAX + 3] = { 0 };
	json_object *tree = NULL;

	(void)state;
	memset(text, '[', OBJECT_DEPTH_MAX);
	memset(text + OBJECT_DEPTH_MAX, ']', OBJECT_DEPTH_MAX);
	assert_int_equal(yaml_read(str_of(text), NULL, &tree), E_OK);
	json_object_put(tree);
	memset(text, '[', OBJECT_DEPTH_MAX + 1);
	assert_int_equal(yaml_read(str_of(text), NULL, &tree), E_LIMIT);
}

static void the_number_of_values_is_limited(void **state)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	struct why why = { 0 };
	json_object *tree = NULL;

	(void)state;
	for (size_t i = 1; i < OBJECT_VALUES_MAX; i++)
		buf_lit(&text, "- 0\n");
	assert_int_equal(yaml_read(buf_view(&text), NULL, &tree), E_OK);
	json_object_put(tree);
	buf_lit(&text, "- word\n");
	assert_int_equal(yaml_read(buf_view(&text), &why, &tree), E_LIMIT);
	assert_string_equal(why.text, "more than 100000 values");
}

static void any_text_is_written_so_that_it_comes_back(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"yes",
		"no",
		"n",
		"null",
		"~",
		"1",
		"1.5",
		"0x1",
		"<<",
		"=",
		"- a",
		"a: b",
		"a #b",
		"#a",
		"&a",
		"*a",
		"!a",
		"%a",
		"@a",
		"`a",
		"'a",
		"\"a",
		"{a",
		"[a",
		"---",
		"...",
		"? a",
		"a\nb",
		"a\n",
		"\na",
		"a\n\n",
		" a\nb",
		"a \nb",
		"a\n b",
		"a\r\nb",
		"\t",
		"a\tb",
		"a\tb\nc",
		"\x01",
		"\x7f",
		"\xc2\x85",
		"\xe2\x80\xa8",
		("\xef\xbb\xbf"
		 "a"),
		"\xc3\xa4",
		"\xf0\x9f\x98\x80",
		"a\n\tb",
		"\n",
		"\n\n",
		"2026-11-21",
		"12:30",
		".inf",
		"1_000",
		"-",
		":",
		"a:",
		",",
		"|",
		">\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_object *tree = json_object_new_object();
		json_object *again = NULL;
		struct buf text = { 0 };
		struct why why = { 0 };
		CLEANUP(buf_release) struct buf a = { 0 };
		CLEANUP(buf_release) struct buf b = { 0 };

		json_object_object_add(tree, texts[i], json_object_new_string(texts[i]));
		json_object_object_add(tree, "list of it", json_object_new_array());
		json_object_array_add(tree_get(tree, "list of it", NULL), json_object_new_string(texts[i]));
		assert_int_equal(yaml_write(tree, &text, &why), E_OK);
		if (yaml_read(buf_view(&text), &why, &again) != E_OK)
			fail_msg("%.*s: %s", STR_ARG(buf_view(&text)), why.text);
		assert_int_equal(tree_write(tree, &a, NULL), E_OK);
		assert_int_equal(tree_write(again, &b, NULL), E_OK);
		if (!str_eq(buf_view(&a), buf_view(&b)))
			fail_msg("%.*s came back as %.*s", STR_ARG(buf_view(&a)), STR_ARG(buf_view(&b)));
		json_object_put(tree);
		json_object_put(again);
		buf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_mean_what_they_mean_to_kubernetes),
		cmocka_unit_test(what_a_stranger_may_not_write_is_refused_with_its_line),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(the_number_of_values_is_limited),
		cmocka_unit_test(any_text_is_written_so_that_it_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
