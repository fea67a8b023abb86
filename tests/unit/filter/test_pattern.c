/* Regular expressions: over the event of evaluate.h. The results were compared with those of upstream's library. */
#include "evaluate.h"

/* clang-format off */
static const struct row rows[] = {
	{ "body.ref matches \"^refs/heads/(main|master)$\"", "true" },
	{ "body.ref not matches \"^refs/tags/\"", "true" },
	{ "body.ref matches body.num", "false" },
	{ "len(filter(body.commits, {.message matches \"^(fix|feat):\"})) >= 2", "true" },
	{ "\"a\" matches \"(?i)A\"", "true" },
	{ "\"foobar\" matches \"o+b\"", "true" },
	{ "\"a\\nb\" matches \"^b\"", "false" },
	{ "\"a\\nb\" matches \"(?m)^b\"", "true" },
	{ "\"a\\n\" matches \"a$\"", "false" },
	{ "\"a\\n\" matches \"(?m)a$\"", "true" },
	{ "\"aaa\" matches \"a{2}\"", "true" },
	{ "\"x\" matches \"a{2\"", "false" },
	{ "\"a1\" matches \"\\\\d\"", "true" },
	{ "\"a_\" matches \"\\\\w\\\\w\"", "true" },
	{ "\"é\" matches \"^.$\"", "true" },
	{ "\"é\" matches \"\\\\pL\"", "true" },
	{ "\"ab\" matches \"(?P<n>a)b\"", "true" },
	{ "\"a+b\" matches \"a\\\\+b\"", "true" },
	{ "\"a.b\" matches \"\\\\Qa.b\\\\E\"", "true" },
	{ "\"]\" matches \"[]]\"", "true" },
	{ "\"-\" matches \"[a-]\"", "true" },
	{ "\"b\" matches \"[[:alpha:]]\"", "true" },
	{ "\"b\" matches \"[^[:alpha:]]\"", "false" },
	{ "\"\" matches \"\"", "true" },
	{ "\"abc\" matches \"(a|b|c){3}\"", "true" },
	{ "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa\" matches \"(a+)+b\"", "false" },
	{ "\"foo\" matches \"(?i:FOO)\"", "true" },
	{ "\"foo\" matches \"\\\\bfoo\\\\b\"", "true" },
	{ "\"\\x0b\" matches \"\\\\s\"", "false" },
	{ "\"a\" matches \"\\\\z\"", "true" },
	{ "\"x\" matches \"\\\\x{78}\"", "true" },
	{ "\"x\" matches \"\\\\x78\"", "true" },
};
/* clang-format on */

static void each_pattern_matches_as_RE2_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_pattern_matches_as_RE2_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
