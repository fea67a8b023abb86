#include "base/re2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

/* clang-format off */
static const struct {
	const char *pattern;
	const char *captures; /* for pcre2_match() */
	const char *none;     /* for pcre2_dfa_match(); NULL: the same */
} rows[] = {
	{ "abc", "abc", NULL },
	{ "a b-\xc3\xa9", "a\\x{20}b\\-\xc3\xa9", NULL },
	{ "a$", "a\\z", NULL },
	{ "(?m)a$", "(?m)a$", NULL },
	{ "(?m:a$)b$", "(?m:a$)b\\z", NULL },
	{ "((?m)a$)b$", "((?m)a$)b\\z", "(?:(?m)a$)b\\z" },
	{ "(?-m)a$", "(?-m)a\\z", NULL },
	{ "(a)(?:b)(?P<n>c)(?<m>d)", "(a)(?:b)(c)(d)", "(?:a)(?:b)(?:c)(?:d)" },
	{ "x+y+?", "x+y+?", "xx*yy*?" },
	{ "[a-c]+(a)+", "[a-c]+(a)+", "[a-c][a-c]*(?:a)+" },
	{ "a{2}b{2,}c{2,3}d{e", "a{2}b{2,}c{2,3}d\\{e", NULL },
	{ "\\s[\\s]\\S", "[\\t\\n\\f\\r ][\\t\\n\\f\\r ][^\\t\\n\\f\\r ]", NULL },
	{ "[]a-]", "[\\]a\\-]", NULL },
	{ "[^]a]", "[^\\]a]", NULL },
	{ "[[:alpha:][:^digit:]]", "[[:alpha:][:^digit:]]", NULL },
	{ "\\Qa.b\\E.", "a\\.b.", NULL },
	{ "\\x41\\x{1F600}\\101", "\\x{41}\\x{1f600}\\x{41}", NULL },
	{ "\\pL\\p{Greek}\\PN", "\\pL\\p{Greek}\\PN", NULL },
	{ "", "", NULL },
};

static const struct {
	const char *pattern, *story;
} refused[] = {
	{ "a(?=b)", "byte 2: there is no such group: neither look-around nor atomic groups nor conditions" },
	{ "(?<!b)a", "byte 1: there is no such group: neither look-around nor atomic groups nor conditions" },
	{ "(?P=a)", "byte 1: there is no such group: neither look-around nor atomic groups nor conditions" },
	{ "(?P<>a)", "byte 1: a group's name was expected" },
	{ "(a)\\1", "byte 6: there are no back references" },
	{ "\\C", "byte 3: there is no such escape" },
	{ "(*UTF)a", "byte 1: a group begins with a repetition" },
	{ "a++", "byte 3: a repetition of a repetition" },
	{ "a{1001}", "byte 2: at most 1000 times, and not fewer at most than at least" },
	{ "a{3,2}", "byte 2: at most 1000 times, and not fewer at most than at least" },
	{ "[a", "byte 3: the class has no ]" },
	{ "a\\", "byte 2: a backslash ends it" },
	{ "\\x{110000}", "byte 10: the code of a character was expected" },
	{ "\\p{", "byte 3: the name of a class was expected" },
};
/* clang-format on */

static void expect(const char *pattern, bool captures, const char *expected)
{
	struct buf out = { 0 };
	struct why why = { 0 };

	if (re2_translate(str_of(pattern), captures, &out, &why) != E_OK)
		fail_msg("%s: %s", pattern, why.text);
	if (!str_is(buf_view(&out), expected))
		fail_msg("%s: %.*s", pattern, STR_ARG(buf_view(&out)));
	buf_release(&out);
}

static void a_pattern_is_spelt_for_PCRE2(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		expect(rows[i].pattern, /* captures= */ true, rows[i].captures);
		expect(rows[i].pattern, /* captures= */ false, rows[i].none ? rows[i].none : rows[i].captures);
	}
}

static void what_RE2_does_not_have_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct buf out = { 0 };
		struct why why = { 0 };

		assert_int_equal(E_MALFORMED, re2_translate(str_of(refused[i].pattern), false, &out, &why));
		buf_release(&out);
		if (!strstr(why.text, refused[i].story))
			fail_msg("%s: %s", refused[i].pattern, why.text);
	}
}

static void as_many_groups_open_as_the_longest_pattern_has_bytes(void **state)
{
	static char pattern[RE2_MAX + 1];
	struct buf out = { 0 };

	(void)state;
	memset(pattern, '(', sizeof(pattern));
	assert_int_equal(E_OK, re2_translate((struct str){ pattern, RE2_MAX }, true, &out, NULL));
	assert_int_equal(RE2_MAX, out.n);
	assert_int_equal(E_LIMIT, re2_translate((struct str){ pattern, RE2_MAX + 1 }, true, &out, NULL));
	assert_int_equal(E_MALFORMED, re2_translate(STR("a\xff"), true, &out, NULL));
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pattern_is_spelt_for_PCRE2),
		cmocka_unit_test(what_RE2_does_not_have_is_refused_with_its_place),
		cmocka_unit_test(as_many_groups_open_as_the_longest_pattern_has_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
