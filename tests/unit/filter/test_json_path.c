/* Jsonpath(): over the event of evaluate.h. The results were compared with those of upstream's library. */
#include "evaluate.h"

/* clang-format off */
static const struct row rows[] = {
	{ "jsonpath(toJson(body),\"$.id\")", "4" },
	{ "jsonpath(toJson(body),\"$..id\")", "[4,\"a\",\"b\",\"c\"]" },
	{ "jsonpath(toJson(body),\"$.commits[?(@.n>1)].id\")", "[\"a\",\"c\"]" },
	{ "jsonpath(toJson(body),\"$.commits[*].id\")", "[\"a\",\"b\",\"c\"]" },
	{ "jsonpath(toJson(body),\"$.commits[0,2].id\")", "[\"a\",\"c\"]" },
	{ "jsonpath(toJson(body),\"$.commits[-1].id\")", "\"c\"" },
	{ "jsonpath(toJson(body),\"$.commits[*].nope\")", "[]" },
	{ "jsonpath(toJson(body),\"$.commits[0:2].id\")", "[\"a\",\"b\"]" },
	{ "jsonpath(toJson(body),\"$.commits[::-1].id\")", "[\"c\",\"b\",\"a\"]" },
	{ "jsonpath(toJson(body),\"$.commits.length\")", "3" },
	{ "jsonpath(toJson(body),\"$['o']['k']\")", "\"v\"" },
	{ "jsonpath(toJson(body),\"$.commits[(@.length-1)].id\")", "\"c\"" },
	{ "jsonpath(toJson(body),\"$.commits[?(@.message == 'docs')].n\")", "[2]" },
	{ "jsonpath(toJson(body),\"$.commits[?(@.added)].id\")", "[\"a\"]" },
	{ "jsonpath(toJson(body),\"$.o.*\")", "[\"v\",{\"z\":1}]" },
	{ "jsonpath(toJson(body),\"$.list[?(@ > 1 && @ < 3)]\")", "[2,2]" },
	{ "jsonpath(toJson(body),\"$\")  == body", "true" },
};
/* clang-format on */

static void each_path_finds_what_the_library_of_upstream_finds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_finds_what_the_library_of_upstream_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
