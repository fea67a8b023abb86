#include "auth/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_list_matches_what_one_of_it_matches(void **state)
{
	static const struct {
		const char *list, *text;
		bool match;
	} rows[] = {
		{ "*", "", true },
		{ "a", "a", true },
		{ "a", "ab", false },
		{ "0.8.*", "0.8.1", true },
		{ "0.8.*", "0.9.0", false },
		{ "0.?.0", "0.9.0", true },
		{ "a,b", "b", true },
		{ " a , b ", "a", true },
		{ "v{1,2}.*,x", "v2.0", true },
		{ "v{1,2}.*,x", "x", true },
		{ "v{1,2}.*,x", "2}.*", false },
		{ "/^v[0-9]{1,3}$/", "v12", true },
		{ "/^v[0-9]{1,3}$/", "v1234", false },
		{ "/^v[0-9]{1,3}$/,b", "b", true },
		{ "a,/x/y/", "x/y", true },
		{ "/x,y/ , b", "x,y", true },
		{ "/x,y/ , b", "b", true },
		{ "/X/", "x", false },
		{ "a\\,b", "a,b", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct patterns *p = NULL;
		struct why why = { 0 };

		if (patterns_new(str_of(rows[i].list), &why, &p) != E_OK)
			fail_msg("'%s': %s", rows[i].list, why.text);
		if (patterns_match(p, str_of(rows[i].text)) != rows[i].match)
			fail_msg("'%s' on '%s'", rows[i].list, rows[i].text);
		patterns_free(p);
	}
	assert_false(patterns_match(NULL, STR("a")));
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *list, *story;
	} rows[] = {
		{ "", "a pattern is empty" },
		{ ",a", "a pattern is empty" },
		{ "a,,b", "a pattern is empty" },
		{ "/a", "'/a': the slash at the end is missing" },
		{ "//", "the expression is empty" },
		{ "/a(/", "'a(': the regular expression is not valid: missing closing parenthesis" },
		{ "a[", "'a[': a bracket or a brace is not closed, or it is too long" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct patterns *p = NULL;
		struct why why = { 0 };

		assert_int_equal(E_CONFIG, patterns_new(str_of(rows[i].list), &why, &p));
		assert_null(p);
		assert_string_equal(rows[i].story, why.text);
	}
}

static void a_failing_allocation_is_an_error(void **state)
{
	struct patterns *p = NULL;
	long n = 1;
	enum err err;

	(void)state;
	do {
		mem_fail_at(n++);
		err = patterns_new(STR("a,/b/"), NULL, &p);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
	} while (err != E_OK);
	assert_true(n > 4);
	patterns_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_matches_what_one_of_it_matches),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(a_failing_allocation_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
