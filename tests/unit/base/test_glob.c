#include "base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

static const struct row {
	const char *glob;
	const char *text;
	bool match;
} rows[] = {
	{ "", "", true },
	{ "", "a", false },
	{ "a", "a", true },
	{ "a", "b", false },
	{ "a", "ab", false },
	{ "*", "", true },
	{ "*", "any/thing", true },
	{ "**", "a", true },
	{ "team-*", "team-", true },
	{ "team-*", "team-a/b", true },
	{ "team-*", "teams", false },
	{ "*-prod", "a-prod-prod", true },
	{ "*a*b*", "xxaxxbxx", true },
	{ "*a*b*", "xxbxxaxx", false },
	{ "site?", "site1", true },
	{ "site?", "site", false },
	{ "site?", "site12", false },
	{ "[a-c]x", "bx", true },
	{ "[a-c]x", "dx", false },
	{ "[!a-c]x", "dx", true },
	{ "[^a-c]x", "ax", false },
	{ "[a-]", "-", true },
	{ "[\\]]", "]", true },
	{ "[a-c,_]", ",", true },
	{ "{eu,us}-*", "us-1", true },
	{ "{eu,us}-*", "ap-1", false },
	{ "{eu,us}-*", "eu", false },
	{ "{a,b{c,d}}e", "bde", true },
	{ "{a,b{c,d}}e", "be", false },
	{ "{a,}b", "b", true },
	{ "{*,x}{*,y}z", "qqz", true },
	{ "a,b", "a,b", true },
	{ "\\*", "*", true },
	{ "\\*", "a", false },
	{ "{\\,,x}", ",", true },
	{ "{[,}],x}", "}", true },
};

static void each_form_matches_what_it_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (glob_matches(str_of(rows[i].glob), str_of(rows[i].text)) != rows[i].match)
			fail_msg("%s against %s", rows[i].glob, rows[i].text);
		assert_true(glob_ok(str_of(rows[i].glob)));
	}
}

static void what_is_not_closed_matches_nothing(void **state)
{
	static const char *const bad[] = { "[",  "[a", "[]",     "[!]", "[b-a]", "{",
					   "{a", "a}", "{a,{b}", "\\",  "[\\",   "[a-\\" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(glob_ok(str_of(bad[i])));
		assert_false(glob_matches(str_of(bad[i]), str_of(bad[i])));
	}
}

static void the_longest_glob_is_taken_and_one_byte_more_is_not(void **state)
{
	char text[GLOB_MAX + 1];

	(void)state;
	memset(text, '{', sizeof(text));
	assert_false(glob_ok((struct str){ text, GLOB_MAX }));
	memset(text, '*', sizeof(text));
	assert_true(glob_matches((struct str){ text, GLOB_MAX }, STR("abc")));
	assert_false(glob_matches((struct str){ text, GLOB_MAX + 1 }, STR("abc")));
	memset(text, '{', GLOB_MAX / 2);
	memset(text + GLOB_MAX / 2, '}', GLOB_MAX / 2);
	assert_true(glob_matches((struct str){ text, GLOB_MAX }, STR("")));
}

static void no_pattern_makes_it_explode(void **state)
{
	char glob[GLOB_MAX], text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(glob); i++)
		glob[i] = "{*,a*}"[i % 6];
	memset(text, 'a', sizeof(text));
	assert_true(glob_matches((struct str){ glob, GLOB_MAX / 6 * 6 - 6 }, STR("")));
	text[sizeof(text) - 1] = 'b';
	glob[GLOB_MAX / 6 * 6 - 6] = 'c';
	assert_false(glob_matches((struct str){ glob, GLOB_MAX / 6 * 6 - 5 }, (struct str){ text, sizeof(text) }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_matches_what_it_means),
		cmocka_unit_test(what_is_not_closed_matches_nothing),
		cmocka_unit_test(the_longest_glob_is_taken_and_one_byte_more_is_not),
		cmocka_unit_test(no_pattern_makes_it_explode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
