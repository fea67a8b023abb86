/* Expressions that are none, each refused when it is compiled. Upstream refuses them, too, or they could never give a value there. */
#include "evaluate.h"

/* clang-format off */
static const struct row rows[] = {
	{ "\"a\" < 1", "column 5: < does not go with string and int" },
	{ "body.zzz ?? \"d\" == \"d\"", "column 17: == beside ??: put one of them in parentheses" },
	{ "body.ref matches \"[\"", "column 18: the regular expression is not valid at byte 2: the class has no ]" },
	{ "sprig.nope(1)", "column 7: there is no function sprig.nope" },
	{ "jsonpath(toJson(body),\"id\")", "column 23: the JSONPath is not valid at byte 1: it begins with $" },
	{ "foo(1)", "column 1: there is no function foo" },
	{ "len()", "column 1: len(v) does not take 0 arguments" },
	{ "len(1,2)", "column 1: len(v) does not take 2 arguments" },
	{ "#", "column 1: # stands for an element, and only inside a predicate: any(list, # ...)" },
	{ ".x", "column 1: a leading . stands for an element, and only inside a predicate: any(list, .field ...)" },
	{ "1 +", "column 4: the expression ends too early: a value was expected" },
	{ "(1", "column 3: the expression ends too early: an opening parenthesis has no closing one" },
	{ "[1", "column 3: the expression ends too early: elements are separated by commas, and ] ends them" },
	{ "{a", "column 3: the expression ends too early: a : stands between a key and its value" },
	{ "\"abc", "column 1: the string has no end" },
	{ "'a", "column 1: the string has no end" },
	{ "body.", "column 6: the expression ends too early: a . is followed by a name; other keys go in brackets: [\"X-Key\"]" },
	{ "let x = 1", "column 10: the expression ends too early: a ; ends the value of let" },
	{ "let = 1; 2", "column 5: unexpected '=': let is followed by a name" },
	{ "1 2", "column 3: unexpected '2': an operator or the end was expected" },
	{ "body.name == \"John\" &&", "column 23: the expression ends too early: a value was expected" },
	{ "not in [1]", "column 5: unexpected 'in': a value was expected" },
	{ "1 not 2", "column 3: unexpected 'not': an operator or the end was expected" },
	{ "any(body.list)", "column 1: any(array, predicate) does not take 1 argument" },
	{ "any(body.list, )", "column 16: unexpected ')': a value was expected" },
	{ "map(body.list, {#}", "column 19: the expression ends too early: arguments are separated by commas, and ) ends them" },
	{ "@", "column 1: '@' means nothing here" },
	{ "a ? b", "column 6: the expression ends too early: a ? is followed by two values with a : between them" },
	{ "x = 1", "column 3: unexpected '=': an operator or the end was expected" },
	{ "1 in {\"a\":1}", "column 3: in does not go with int and map" },
	{ "1.5 % 2", "column 5: % goes with integers: int() makes them" },
	{ "\"5\" * 2", "column 5: * does not go with string and int" },
	{ "true == 1", "column 6: == does not go with bool and int" },
	{ "nil < 1", "column 5: < does not go with nil and int" },
	{ "nil + 1", "column 5: + does not go with nil and int" },
	{ "max(1, \"a\")", "column 8: max(n, ...): argument 2 is string, not number" },
	{ "max()", "column 1: max(n, ...) does not take 0 arguments" },
	{ "min([1,2])", "column 5: min(n, ...): argument 1 is array, not number" },
	{ "round(\"1\")", "column 7: round(n): argument 1 is string, not number" },
	{ "9223372036854775808", "column 1: 9223372036854775808 is no number of 64 bits" },
	{ "1e400", "column 1: 1e400 is no number of 64 bits" },
	{ "sprig.upper", "column 12: the expression ends too early: the arguments of a function stand in parentheses" },
	{ "\"ab\" matches \"a(?=b)\"", "column 14: the regular expression is not valid at byte 2: there is no such group: neither look-around nor atomic groups nor conditions" },
	{ "\"aa\" matches \"(a)\\\\1\"", "column 14: the regular expression is not valid at byte 6: there are no back references" },
	{ "\"foo\" matches \"*\"", "column 15: the regular expression is not valid: quantifier does not follow a repeatable item" },
	{ "\"foo\" matches \"a**\"", "column 15: the regular expression is not valid at byte 3: a repetition of a repetition" },
};
/* clang-format on */

static void each_is_refused_with_the_place_and_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_refused(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_refused_with_the_place_and_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
