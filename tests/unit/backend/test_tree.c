/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "backend/object.h"
#include "base/mem.h"

static json_object *parsed(const char *text)
{
	struct why why = { 0 };
	json_object *tree = NULL;

	if (tree_parse(str_of(text), &why, &tree) != E_OK)
		fail_msg("%s: %s", text, why.text);
	return tree;
}

static void what_is_read_is_written_as_it_was(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"[1,-1,0,9223372036854775807,-9223372036854775808,18446744073709551615]",
		"[18446744073709551616,-9223372036854775809,123456789012345678901234567890]",
		"[1.0,1e5,-0,-0.0,0.1,1E400,3.14159265358979323846]",
		"[true,false,null,\"\",\"null\"]",
		"{\"a\":{\"b\":[{\"c\":\"/\xc3\xa4\\u0001\\n\\\"\\\\\"}]},\"z\":1,\"y\":null}",
		"[\"\\u0000\"]",
		"[\"&<>\xe2\x80\xa8\x7f longer than a run of sixteen bytes \\b\\f\\r\\t\\u001f then \\\\ and more\"]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_object *tree = parsed(rows[i]);
		CLEANUP(buf_release) struct buf text = { 0 };

		assert_int_equal(tree_write(tree, &text, NULL), E_OK);
		if (!str_is(buf_view(&text), rows[i]))
			fail_msg("%s became %.*s", rows[i], STR_ARG(buf_view(&text)));
		assert_string_equal(
			json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			rows[i]);
		json_object_put(tree);
	}
}

static void what_is_no_strict_json_is_refused(void **state)
{
	static const struct {
		struct str text;
		const char *says;
	} rows[] = {
		{ STR(""), "unexpected end" },
		{ STR("{"), "unexpected end" },
		{ STR("{\"a\":1,}"), "invalid character" },
		{ STR("[1] [2]"), "after top-level value" },
		{ STR("[NaN]"), "invalid character" },
		{ STR("[01]"), "invalid character" },
		{ STR("['a']"), "invalid character" },
		{ STR("[1] // c"), "invalid character" },
		{ STR("{\"a\":1,\"b\":2,\"a\":3}"), "\"a\" stands twice" },
		{ STR("{\"a\":1,\"\\u0061\":3}"), "\"a\" stands twice" },
		{ STR("{\"a\\u0000b\":1}"), "NUL" },
		{ STR("[\"\\ud800\"]"), "surrogate" },
		{ STR("[\"\xff\"]"), "UTF-8" },
		{ STR("\xef\xbb\xbf{}"), "invalid character" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct why why = { 0 };
		json_object *tree;

		assert_int_equal(tree_parse(rows[i].text, &why, &tree), E_MALFORMED);
		if (!strstr(why.text, rows[i].says))
			fail_msg("%s: %s", rows[i].text.p, why.text);
	}
}

static char *nested(unsigned levels)
{
	char *text = mem_alloc(2 * levels + 1);

	memset(text, '[', levels);
	memset(text + levels, ']', levels);
	return text;
}

static void depth_is_limited(void **state)
{
	char *just = nested(OBJECT_DEPTH_MAX);
	char *over = nested(OBJECT_DEPTH_MAX + 1);
	json_object *tree = parsed(just);
	json_object *outer = json_object_new_array();
	struct why why = { 0 };
	CLEANUP(buf_release) struct buf text = { 0 };

	(void)state;
	assert_int_equal(tree_write(tree, &text, NULL), E_OK);
	json_object_array_add(outer, tree);
	assert_int_equal(tree_write(outer, &text, &why), E_LIMIT);
	assert_int_equal(tree_parse(str_of(over), &why, &tree), E_LIMIT);
	json_object_put(outer);
	mem_free(just);
	mem_free(over);
}

static void size_is_limited(void **state)
{
	size_t n = OBJECT_MAX + 1;
	char *text = mem_alloc(n);
	json_object *tree;

	(void)state;
	memset(text, ' ', n);
	text[0] = '1';
	assert_int_equal(tree_parse((struct str){ text, n }, NULL, &tree), E_LIMIT);
	assert_int_equal(tree_parse((struct str){ text, n - 1 }, NULL, &tree), E_OK);
	json_object_put(tree);
	mem_free(text);
}

/* A list of this many zeros in brackets; mem_free() it. */
static char *zeros(size_t n)
{
	char *text = mem_alloc(2 * n + 2);

	for (size_t i = 0; i < n; i++)
		memcpy(text + 2 * i, ",0", 2);
	text[0] = '[';
	text[2 * n] = ']';
	return text;
}

static void the_number_of_values_is_limited(void **state)
{
	char *just = zeros(OBJECT_VALUES_MAX - 1), *over = zeros(OBJECT_VALUES_MAX);
	json_object *tree = parsed(just);
	struct why why = { 0 };
	CLEANUP(buf_release) struct buf text = { 0 };

	(void)state;
	assert_int_equal(tree_write(tree, &text, NULL), E_OK);
	json_object_array_add(tree, NULL);
	assert_int_equal(tree_write(tree, &text, &why), E_LIMIT);
	assert_string_equal(why.text, "more than 100000 values");
	json_object_put(tree);
	assert_int_equal(tree_parse(str_of(over), &why, &tree), E_LIMIT);
	mem_free(just);
	mem_free(over);
}

static void what_was_written_is_the_same_tree_again(void **state)
{
	json_object *tree = parsed("{\"a\":[1,1.50,{\"b\\u0001\":\"\\n\"}],\"c\":null}"), *again;
	CLEANUP(buf_release) struct buf text = { 0 }, second = { 0 };

	(void)state;
	assert_int_equal(tree_write(tree, &text, NULL), E_OK);
	again = tree_again(buf_view(&text));
	assert_int_equal(json_object_equal(tree, again), 1);
	assert_int_equal(tree_write(again, &second, NULL), E_OK);
	assert_true(str_eq(buf_view(&text), buf_view(&second)));
	json_object_put(tree);
	json_object_put(again);
}

static void members_are_found_on_a_path(void **state)
{
	json_object *tree = parsed("{\"a\":{\"b\":{\"c\":7}},\"n\":null,\"l\":[1]}");

	(void)state;
	assert_int_equal(json_object_get_int(tree_get(tree, "a", "b", "c", NULL)), 7);
	assert_ptr_equal(tree_get(tree, NULL), tree);
	assert_null(tree_get(tree, "a", "x", "c", NULL));
	assert_null(tree_get(tree, "l", "b", NULL));
	assert_null(tree_get(tree, "n", "b", NULL));
	assert_null(tree_get(NULL, "n", NULL));
	json_object_put(tree);
}

static void metadata_is_read_and_changed(void **state)
{
	json_object *tree = parsed("{}");

	(void)state;
	assert_string_equal(tree_meta(tree, "name"), "");
	assert_int_equal(tree_meta_set(tree, "name", "a"), E_OK);
	assert_string_equal(tree_meta(tree, "name"), "a");
	assert_int_equal(tree_meta_set(tree, "name", NULL), E_OK);
	assert_string_equal(tree_meta(tree, "name"), "");
	assert_int_equal(tree_mark_set(tree, "labels", "l", NULL), E_OK);
	assert_int_equal(tree_mark_set(tree, "annotations", "k", "v"), E_OK);
	assert_int_equal(tree_mark_set(tree, "annotations", "k2", "v2"), E_OK);
	assert_string_equal(tree_mark(tree, "annotations", "k"), "v");
	assert_string_equal(tree_mark(tree, "labels", "k"), "");
	assert_int_equal(tree_mark_set(tree, "annotations", "k", NULL), E_OK);
	assert_non_null(tree_get(tree, "metadata", "annotations", NULL));
	assert_int_equal(tree_mark_set(tree, "annotations", "k2", NULL), E_OK);
	assert_null(tree_get(tree, "metadata", "annotations", NULL)); /* the last one takes its map along */
	json_object_put(tree);
}

static void what_is_in_the_way_of_metadata_is_not_replaced(void **state)
{
	json_object *tree = parsed("{\"metadata\":[1]}");
	json_object *array = parsed("[]");

	(void)state;
	assert_int_equal(tree_meta_set(tree, "name", "a"), E_MALFORMED);
	assert_int_equal(tree_meta_set(tree, "name", NULL), E_OK);
	assert_int_equal(tree_mark_set(tree, "labels", "a", "b"), E_MALFORMED);
	assert_int_equal(tree_mark_set(tree, "labels", "a", NULL), E_OK);
	assert_int_equal(tree_meta_set(array, "name", "a"), E_MALFORMED);
	assert_int_equal(tree_mark_set(array, "labels", "a", NULL), E_MALFORMED);
	json_object_put(tree);
	json_object_put(array);
}

static void each_allocation_may_fail(void **state)
{
	static const char text[] = "{\"a\\n\":[1,2.5,\"x\\t\",{\"b\":true}]}";
	long points;

	(void)state;
	mem_fail_at(0);
	json_object_put(parsed(text));
	points = mem_count();
	assert_true(points > 3);
	for (long n = 1; n <= points; n++) {
		json_object *tree = NULL;

		mem_fail_at(n);
		assert_int_equal(tree_parse(str_of(text), NULL, &tree), E_NOMEM);
	}
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_written_as_it_was),
		cmocka_unit_test(what_is_no_strict_json_is_refused),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(the_number_of_values_is_limited),
		cmocka_unit_test(what_was_written_is_the_same_tree_again),
		cmocka_unit_test(members_are_found_on_a_path),
		cmocka_unit_test(metadata_is_read_and_changed),
		cmocka_unit_test(what_is_in_the_way_of_metadata_is_not_replaced),
		cmocka_unit_test(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
