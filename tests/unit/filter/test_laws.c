/* Laws that hold whatever the values are: random expressions, one side of the law against the other. */
#include <stdlib.h>

#include "evaluate.h"

#define ROUNDS 3000

static uint64_t seed;

static unsigned any(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

#define ONE_OF(b, words) buf_str((b), str_of((words)[any(ARRAY_LEN(words))]))

static void add_value(struct buf *b)
{
	static const char *const values[] = { "body.id", "body.name", "body.list[0]", "nil",    "1",         "2.5",
					      "\"a\"",   "body.o.k",  "body.zzz",     "body.n", "body.list", "[]",
					      "body.f",  "body.es",   "body.names",   "{a: 1}", "len(body)", "body.t" };

	ONE_OF(b, values);
}

/* Something true or false, or that fails. */
static void add_truth(struct buf *b, unsigned depth)
{
	static const char *const simple[] = { "true", "false", "body.t", "body.fa", "body.n" };
	static const char *const relations[] = { " == ", " != ", " < ", " in ", " contains ", " >= " };
	static const char *const logic[] = { " && ", " || ", " and ", " or " };
	unsigned form = depth ? any(6) : any(2);

	if (form == 0) {
		ONE_OF(b, simple);
		return;
	}
	buf_lit(b, "(");
	if (form <= 2) {
		add_value(b);
		ONE_OF(b, relations);
		add_value(b);
	} else if (form == 3) {
		buf_lit(b, "not ");
		add_truth(b, depth - 1);
	} else {
		add_truth(b, depth - 1);
		ONE_OF(b, logic);
		add_truth(b, depth - 1);
	}
	buf_lit(b, ")");
}

/* "%a" "%b" "%c" of the form are the parts. */
static void fill_in(const char *form, struct str parts[3], struct buf *ret_text)
{
	for (; *form; form++) {
		if (*form != '%')
			buf_char(ret_text, *form);
		else
			buf_str(ret_text, parts[*++form - 'a']);
	}
}

/* The result; "!" of what fails on the event. False: it is none, because types are known that cannot fit. */
static bool result_of(const char *form, struct str parts[3], struct buf *ret_result)
{
	struct buf text = { 0 };
	struct filter *f = NULL;
	bool compiles;

	fill_in(form, parts, &text);
	compiles = filter_compile_any(buf_view(&text), NULL, NULL, &f) == E_OK;
	if (compiles && give(f, ret_result) != E_OK) {
		buf_clear(ret_result);
		buf_char(ret_result, '!');
	}
	filter_free(f);
	buf_release(&text);
	return compiles;
}

static const struct law {
	const char *left, *right;
	bool values; /* parts are values, else true or false */
} laws[] = {
	{ "not (%a && %b)", "not %a || not %b", false },
	{ "not (%a || %b)", "not %a && not %b", false },
	{ "(%a && %b) && %c", "%a && (%b && %c)", false },
	{ "(%a || %b) || %c", "%a || (%b || %c)", false },
	{ "(%a ? %b : %c) && true", "(%a && %b) || (not %a && %c)", false },
	{ "not not %a", "%a && true", false },
	{ "%a ?: %b", "%a ? true : %b", false },
	{ "let x = %a; x && %b", "%a && %b", false },
	{ "all([%a, %b], #)", "not any([%a, %b], not #)", false },
	{ "any([%a, %b], #)", "find([%a, %b], #) != nil", false },
	{ "none([%a, %b], #)", "not any([%a, %b], #)", false },
	{ "%a == %b", "%b == %a", true },
	{ "%a != %b", "not (%a == %b)", true },
	{ "%a < %b", "%b > %a", true },
	{ "%a <= %b", "%b >= %a", true },
	{ "%a in [%b, %c]", "%a == %b or %a == %c", true },
	{ "%a not in [%b]", "%a != %b", true },
	{ "%a ?? %b", "%a != nil ? %a : %b", true },
	{ "[%a, %b, %c][1]", "%b", true },
	{ "len([%a, %b])", "2", true },
	{ "[%a, %b] == [%a, %c]", "%b == %c", true },
	{ "filter([%a, %b], # == %a)[0] == %a", "true", true },
	{ "map([%a, %b], #)", "[%a, %b]", true },
	{ "count([%a, %b, %c], # == %a)", "len(filter([%a, %b, %c], # == %a))", true },
	{ "fromJSON(toJson([%a, %b])) == [%a, %b]", "true", true },
	{ "reduce([%a, %b, %c], #)", "%c", true },
	{ "sprig.reverse(sprig.reverse([%a, %b, %c]))", "[%a, %b, %c]", true },
	{ "[%a, %b, %c][1:]", "[%b, %c]", true },
	{ "%a | toJson()", "toJson(%a)", true },
	{ "sprig.ternary(%a, %b, true)", "%a", true },
};

/* True: both sides could be asked. */
static bool check_law(const struct law *law)
{
	struct buf parts[3] = { { 0 } }, left = { 0 }, right = { 0 };
	struct str views[3];
	bool asked;

	for (size_t i = 0; i < 3; i++) {
		if (law->values)
			add_value(&parts[i]);
		else
			add_truth(&parts[i], 3);
		views[i] = buf_view(&parts[i]);
	}
	asked = result_of(law->left, views, &left) && result_of(law->right, views, &right);
	if (asked && !str_eq(buf_view(&left), buf_view(&right)))
		fail_msg("seed %llu: %s and %s differ with a=%.*s b=%.*s c=%.*s: %.*s, %.*s", (unsigned long long)seed,
			 law->left, law->right, STR_ARG(views[0]), STR_ARG(views[1]), STR_ARG(views[2]),
			 STR_ARG(buf_view(&left)), STR_ARG(buf_view(&right)));
	for (size_t i = 0; i < 3; i++)
		buf_release(&parts[i]);
	buf_release(&left);
	buf_release(&right);
	return asked;
}

static void laws_hold_for_random_expressions(void **state)
{
	unsigned checked = 0;

	(void)state;
	seed = 42;
	for (int i = 0; i < ROUNDS; i++)
		checked += check_law(&laws[(size_t)i % ARRAY_LEN(laws)]);
	assert_true(checked > ROUNDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(laws_hold_for_random_expressions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
