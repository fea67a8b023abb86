/* Expressions that do not fit the event of evaluate.h. Upstream fails on each of them, too, and drops the event. */
#include "evaluate.h"

/* clang-format off */
static const struct row rows[] = {
	{ "7%0", "column 2: division by zero" },
	{ "body.id % 2", "column 9: % goes with integers, not float and int: numbers of an event are floats, int() makes integers" },
	{ "body.name + 1", "column 11: + does not go with string and int" },
	{ "body.name < 1", "column 11: < does not go with string and int" },
	{ "not body.name", "column 10: true or false is wanted here, not string" },
	{ "body.fa or body.n", "column 17: true or false is wanted here, not nil" },
	{ "body.n and true", "column 6: true or false is wanted here, not nil" },
	{ "body.zzz.y", "column 10: nil has no members: ?. passes over what is not there" },
	{ "header[\"X-Nope\"][0]", "column 17: nil has no members: ?. passes over what is not there" },
	{ "body.list[9]", "column 10: the array has 4 elements, none at this place" },
	{ "body.list[-9]", "column 10: the array has 4 elements, none at this place" },
	{ "body.list[body.id]", "column 10: the array has 4 elements, none at this place" },
	{ "body.list[\"a\"]", "column 10: array has no member under a key that is string" },
	{ "body.name[\"a\"]", "column 10: string has no member under a key that is string" },
	{ "body.n contains \"x\"", "column 8: contains does not go with nil and string" },
	{ "len(body.n)", "column 1: len(v): nil has no length" },
	{ "len(body.id)", "column 1: len(v): float has no length" },
	{ "reduce(body.el, #acc + #)", "column 1: reduce: the array is empty and there is no first value" },
	{ "any(body.name, true)", "column 10: any(array, predicate): argument 1 is string, not array" },
	{ "any(body.o, true)", "column 10: any(array, predicate): argument 1 is map, not array" },
	{ "any(body.n, true)", "column 10: any(array, predicate): argument 1 is nil, not array" },
	{ "any(body.list, #)", "column 16: true or false is wanted here, not float" },
	{ "body.id ? 1 : 2", "column 6: true or false is wanted here, not float" },
	{ "trim(body.n)", "column 11: trim(str[, chars]): argument 1 is nil, not string" },
	{ "repeat(\"Hi\", -1)", "column 1: repeat: less than no times" },
	{ "join(body.list, \",\")", "column 1: join: element 0 is float, not string" },
	{ "max(body.name, 1)", "column 10: max(n, ...): argument 1 is string, not number" },
	{ "sum(body.names)", "column 1: sum(array): element 0 is string, not a number" },
	{ "sort(body.names, \"up\")", "column 1: sort: the order is \"asc\" or \"desc\"" },
	{ "sort([1,\"a\"])", "column 1: sort: int and string have no order" },
	{ "int(\"x\")", "column 1: int(v): the string is no whole number of 64 bits" },
	{ "int(nil)", "column 1: int(v): the nil is no whole number of 64 bits" },
	{ "fromJSON(\"x\")", "column 1: fromJSON(str): the string is no JSON" },
	{ "fromBase64(\"!!\")", "column 1: fromBase64(str): the string is no base64" },
	{ "date(\"nope\")", "column 1: date(str): the string is no time in a known layout" },
	{ "date(\"2023-02-30\")", "column 1: date(str): the string is no time in a known layout" },
	{ "sprig.mod(7,0)", "column 7: mod(a, b): division by zero" },
	{ "jsonpath(toJson(body),\"$.nope\")", "column 1: jsonpath(json, path): there is nothing at this path" },
	{ "jsonpath(toJson(body),\"$.commits[5].id\")", "column 1: jsonpath(json, path): there is nothing at this path" },
	{ "jsonpath(\"x\",\"$.id\")", "column 1: jsonpath(json, path): the first string is no JSON: toJson() makes one of a value" },
	{ "foo.bar", "column 5: nil has no members: ?. passes over what is not there" },
	{ "body..x", "column 5: .. does not go with map and nil" },
	{ "-body.name", "column 1: - does not go with string" },
	{ "body.names contains \"bob\"", "column 12: contains does not go with array and string" },
	{ "body.num * 2", "column 10: * does not go with string and int" },
	{ "body.n + 1", "column 8: + does not go with nil and int" },
	{ "take(body.list, -1)", "column 1: take(array, n): n is below 0" },
	{ "duration(\"x\")", "column 1: duration(str): the string is no duration such as \"1h30m\"" },
};
/* clang-format on */

static void each_fails_with_the_place_and_says_nothing_of_what_the_event_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fails_with_the_place_and_says_nothing_of_what_the_event_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
