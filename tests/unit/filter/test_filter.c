/* A filter as the gateway uses it: true, false, what names mean, limits, faults. */
#include <string.h>

#include "evaluate.h"
#include "filter/limits.h"

static struct filter *compiled(struct str text)
{
	struct filter *f = NULL;
	struct why why = { 0 };

	if (filter_compile(text, &why, NULL, &f) != E_OK)
		fail_msg("%.*s: %s", STR_ARG(text), why.text);
	return f;
}

/* 1 true, 0 false, -1 failed. */
static int asked(const char *expression, const struct filter_input *in, struct why *why)
{
	struct filter *f = compiled(str_of(expression));
	bool pass = false;
	enum err err = filter_eval(f, in, why, &pass);

	filter_free(f);
	return err == E_OK ? pass : -1;
}

static int asked_of(const char *expression, const char *object)
{
	return asked(expression, &(struct filter_input){ .object = str_of(object) }, NULL);
}

static void a_filter_says_true_or_false(void **state)
{
	(void)state;
	assert_int_equal(asked_of("body.id == 4", "{\"body\":{\"id\":4}}"), 1);
	assert_int_equal(asked_of("body.id == 4", "{\"body\":{\"id\":5}}"), 0);
	assert_int_equal(asked_of("body.id > 4", "{\"body\":{\"id\":\"5\"}}"), -1);
}

static void what_gives_no_bool_is_an_error_of_the_event(void **state)
{
	struct filter_input in = { .object = STR("{\"body\":1}") };
	struct why why = { 0 };

	(void)state;
	assert_int_equal(asked("body", &in, &why), -1);
	assert_string_equal(why.text, "column 1: a filter gives true or false, not float");
}

static void an_event_that_is_no_object_is_an_error(void **state)
{
	static const char *const events[] = { "", "[1]", "1", "\"x\"", "null" };
	struct why why = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		struct filter_input in = { .object = str_of(events[i]) };

		assert_int_equal(asked("true", &in, &why), -1);
		assert_string_equal(why.text, "column 1: the event is no JSON object");
	}
}

/* facts argo-events 3.2: - in a name is _, dots make maps, the shorter of two names in conflict is dropped. */
static void names_of_the_event_are_what_upstream_makes_of_them(void **state)
{
	static const struct {
		const char *object, *expression;
	} rows[] = {
		{ "{\"a-b\":1}", "a_b == 1" },
		{ "{\"a-b-c\":1}", "a_b_c == 1" },
		{ "{\"a_b\":1}", "a_b == 1" },
		{ "{\"a.b\":1}", "a.b == 1" },
		{ "{\"a\":{\"b\\nc\":1}}", "a[\"b\\nc\"] == 1 && a[\"b\\\\nc\"] == nil" },
		{ "{\"a.b\":1,\"a\":2}", "a.b == 1" },
		{ "{\"a\":2,\"a.b\":1}", "a.b == 1" },
		{ "{\"a.b\":1,\"a.c.d\":2,\"ab\":4,\"abb\":5}", "a.b == 1 && a.c.d == 2 && ab == 4 && abb == 5" },
		{ "{\"a-x.b\":1}", "a_x.b == 1" },
		{ "{\"a\":1,\"a\":2}", "a == 2" },
		{ "{\"a\":{\"k\":1,\"k\":2}}", "a.k == 2 && len(a) == 1" },
		{ "{\"\\u0061\":1}", "a == 1" },
		{ "{\"a\":{\"\\u003cb\\u003e\":1}}", "a[\"<b>\"] == 1" },
		{ "{\"a\":\"\\ud800x\"}", "a == \"\xef\xbf\xbdx\"" },
		{ "{\"a\":\"\xff\"}", "a == \"\xef\xbf\xbd\"" },
		{ "{\"type\":\"t\",\"count\":1,\"map\":{}}", "type == \"t\" && count == 1 && len(map) == 0" },
		{ "{\"x y\":1}", "$env[\"x y\"] == 1" },
		{ "{\"x\":1}", "\"x\" in $env && \"y\" not in $env" },
		{ "{}", "x == nil && x?.y == nil" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (asked_of(rows[i].expression, rows[i].object) != 1)
			fail_msg("%s of %s", rows[i].expression, rows[i].object);
}

static void cloudevents_have_attributes_and_data(void **state)
{
	struct filter_input in = { .object = STR("{\"type\":\"t\",\"subject\":\"s\"}"), .has_data = true };

	(void)state;
	in.data = STR("{\"n\":[1]}");
	assert_int_equal(asked("type == \"t\" && data.n[0] == 1", &in, NULL), 1);
	in.data = STR("text");
	in.data_is_text = true;
	assert_int_equal(asked("data == \"text\"", &in, NULL), 1);
	in.data = (struct str){ 0 };
	in.data_is_text = false;
	assert_int_equal(asked("data == nil", &in, NULL), 1);
}

static void now_is_what_the_caller_says(void **state)
{
	struct filter_input in = { .object = STR("{}"), .now_ns = 1700000000000000000 };

	(void)state;
	assert_int_equal(asked("now() == date(\"2023-11-14T22:13:20Z\") && now().Hour() == 22", &in, NULL), 1);
}

/* ---- limits ---------------------------------------------------------------------------------------------------------------- */

static void repeat(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_str(b, str_of(text));
}

/* `n` of `open`, a 1, `n` of `close`. */
static enum err nested(const char *open, const char *close, size_t n)
{
	struct buf text = { 0 };
	struct filter *f = NULL;
	enum err err;

	repeat(&text, open, n);
	buf_char(&text, '1');
	repeat(&text, close, n);
	err = filter_compile_any(buf_view(&text), NULL, NULL, &f);
	filter_free(f);
	buf_release(&text);
	return err;
}

static void nesting_is_bounded_in_each_form(void **state)
{
	static const char *const forms[][2] = {
		{ "(", ")" },        { "[", "]" },           { "-", "" },   { "{a:", "}" }, { "let x=1;", "" },
		{ "true?1:", "" },   { "1??", "" },          { "2**", "" }, { "a[", "]" },  { "len(", ")" },
		{ "map(a,{", "})" }, { "sprig.list(", ")" }, { "1+", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		assert_int_equal(nested(forms[i][0], forms[i][1], 50), E_OK);
		assert_int_equal(nested(forms[i][0], forms[i][1], 1200), E_MALFORMED);
	}
}

static void an_expression_has_a_longest_length(void **state)
{
	struct buf text = { 0 };
	struct filter *f = NULL;

	(void)state;
	repeat(&text, " ", FILTER_TEXT_MAX - 1);
	buf_char(&text, '1');
	assert_int_equal(filter_compile_any(buf_view(&text), NULL, NULL, &f), E_OK);
	filter_free(f);
	f = NULL;
	buf_char(&text, ' ');
	assert_int_equal(filter_compile_any(buf_view(&text), NULL, NULL, &f), E_LIMIT);
	buf_release(&text);
}

static void what_takes_too_much_is_stopped(void **state)
{
	static const char *const greedy[] = {
		"any(1..1000000000000, # < 0)",
		"any(1..9223372036854775807, # < 0)",
		"len(map(1..1000000, #)) > 0",
		"reduce(1..1000, #acc + #acc, \"x\") == \"\"",
		"repeat(\"x\", 1000000000) == \"\"",
		"all(1..10000, all(1..10000, true))",
		"sort(map(1..1000000, -#)) == []",
		"len(replace(repeat(\"a\", 100000), \"a\", repeat(\"b\", 1000))) > 0",
		"sprig.repeat(100000000, \"abc\") == \"\"",
		"repeat(\"a\", 50000) matches \"a.{180}b\"",
		"repeat(\"a\", 50000) matches \"a(?:[\\\\]{a]{9}){20}b\"",
		"repeat(\"a\", 50000) matches \"a(\\\\w{3,}b{0,9}){20}b\"",
		("repeat(\"a\", 200000) matches "
		 "\"(a|aa|aaa|aaaa|aaaaa|aaaaaa|aaaaaaa|aaaaaaaa|aaaaaaaaa|aaaaaaaaaa|aaaaaaaaaaa|b)+b\""),
		"let s = repeat(\"a\", 300000); trim(s, repeat(\"b\", 300000) + \"a\") == \"\"",
		"let s = repeat(\"a\", 500000); lastIndexOf(s, s[:200000] + \"b\" + s[:100000]) == 0",
		"let s = repeat(\"a\", 500000); all(1..1000, hasPrefix(s, s))",
		"let s = repeat(\"a\", 500000); sort(map(1..1000, s)) == []",
		"let s = repeat(\"a\", 500000); groupBy(map(1..1000, s), #) == {}",
		"let s = repeat(\"a\", 500000); fromPairs(map(1..1000, [s, #])) == {}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greedy); i++) {
		struct filter_input in = { .object = STR("{}") };
		struct filter *f = compiled(str_of(greedy[i]));
		struct why why = { 0 };
		bool pass;

		assert_int_equal(filter_eval(f, &in, &why, &pass), E_LIMIT);
		assert_non_null(strstr(why.text, "takes more than"));
		filter_free(f);
	}
}

static void what_is_long_but_little_work_is_not_stopped(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_lit(&text, "len(split(repeat(\"a line of a text\\n\", 10000), \"\\n\")) == 10001 && \"x\" not in [");
	repeat(&text, "\"example/of-a-repository\",", 500);
	buf_char(&text, ']');
	assert_int_equal(asked(buf_cstr(&text), &(struct filter_input){ .object = STR("{}") }, NULL), 1);
	buf_release(&text);
}

/* Without memory for a condition nothing is known of the elements that are left: not that none is chosen. */
static void a_condition_that_takes_too_much_fails_the_filter(void **state)
{
	struct buf object = { 0 };
	struct why why = { 0 };

	(void)state;
	buf_lit(&object, "{\"a\":\"[");
	repeat(&object, "0,", 80000);
	buf_lit(&object, "1]\"}");
	assert_int_equal(asked("len(jsonpath(a, \"$[?(let x = @; x == 1)]\")) == 1",
			       &(struct filter_input){ .object = buf_view(&object) }, &why),
			 -1);
	assert_non_null(strstr(why.text, "takes too much"));
	buf_release(&object);
}

static void numbers_of_an_event_have_any_length(void **state)
{
	struct buf object = { 0 };

	(void)state;
	buf_lit(&object, "{\"a\":1.");
	repeat(&object, "0", 1000);
	buf_lit(&object, "}");
	assert_int_equal(asked("a == 1", &(struct filter_input){ .object = buf_view(&object) }, NULL), 1);
	buf_release(&object);
}

/* What makes other matchers try each way in turn: here the text is read once. */
/* Each beginning of a match is followed at once: long texts must not need more places than short ones. */
static void patterns_match_in_long_texts(void **state)
{
	static const struct {
		const char *pattern;
		int result;
	} rows[] = {
		{ "a+!", 1 },
		{ ".+!", 1 },
		{ "[a-z]+!$", 1 },
		{ "\\\\w+!", 1 },
		{ "(ab?)+!", 1 },
		{ "a+?b", 0 },
		{ "(?i)A+!", 1 },
		{ "\\\\pL+!", 1 },
		{ "a{30,40}!", 1 },
		{ "a{3,}!", 1 },
		{ "\\\\x61+!", 1 },
		{ "(a+)+!", 1 },
		{ "\\\\Qaa\\\\E+!", 1 },
		{ "^[a-f]{64}", 1 },
		{ "^a{4}(b{2}|a{2})-?a{2}", 1 },
		{ "(\\\\x{61}){9}\\\\p{Latin}{9}", 1 },
	};
	struct buf object = { 0 };

	(void)state;
	buf_lit(&object, "{\"a\":\"");
	repeat(&object, "a", 5000);
	buf_lit(&object, "!\"}");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct filter_input in = { .object = buf_view(&object) };
		struct why why = { 0 };
		char text[64];

		(void)snprintf(text, sizeof(text), "a matches \"%s\"", rows[i].pattern);
		if (asked(text, &in, &why) != rows[i].result)
			fail_msg("%s: %s", rows[i].pattern, why.text);
	}
	buf_release(&object);
}

static void patterns_take_a_time_that_grows_with_the_text_only(void **state)
{
	static const char *const patterns[] = { "(a+)+$", "(a|a)*b", "(a|aa)+$", "(.*a){20}", "(x+x+)+y", "(.*)*b" };
	struct buf object = { 0 };

	(void)state;
	buf_lit(&object, "{\"a\":\"");
	repeat(&object, "a", 20000);
	buf_lit(&object, "!\"}");
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct filter_input in = { .object = buf_view(&object) };
		char text[64];

		(void)snprintf(text, sizeof(text), "a matches \"%s\"", patterns[i]);
		assert_true(asked(text, &in, NULL) >= 0);
	}
	buf_release(&object);
}

static void values_nested_deeper_than_anybody_writes_are_an_error(void **state)
{
	struct buf object = { 0 };
	struct filter_input in;
	struct why why = { 0 };

	(void)state;
	buf_lit(&object, "{\"a\":");
	repeat(&object, "[", 5000);
	repeat(&object, "]", 5000);
	buf_char(&object, '}');
	in = (struct filter_input){ .object = buf_view(&object) };
	assert_int_equal(asked("a == [[]]", &in, &why), 0);
	assert_int_equal(asked("a == a", &in, &why), -1);
	assert_non_null(strstr(why.text, "nested deeper"));
	assert_int_equal(asked("toJson(a) == \"\"", &in, &why), -1);
	assert_int_equal(asked("jsonpath(\"[]\", \"$\") == []", &in, &why), 1);
	buf_clear(&object);
	buf_lit(&object, "{\"a");
	repeat(&object, ".b", 80000);
	buf_lit(&object, "\":1}");
	in.object = buf_view(&object);
	assert_int_equal(asked("a == 1", &in, &why), -1);
	assert_non_null(strstr(why.text, "nested deeper"));
	buf_release(&object);
}

/* ---- places ----------------------------------------------------------------------------------------------------------------- */

static void places_are_counted_in_lines_and_characters(void **state)
{
	struct filter_place place;
	struct filter *f = NULL;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(filter_compile(STR("a == 1 &&\n  \"\xc3\xa9\" = 2"), &why, &place, &f), E_MALFORMED);
	assert_int_equal(place.line, 2);
	assert_int_equal(place.column, 7);
	assert_string_equal(why.text, "line 2, column 7: unexpected '=': an operator or the end was expected");
	assert_int_equal(filter_compile(STR("a ==\xff"), &why, &place, &f), E_MALFORMED);
	assert_string_equal(why.text, "column 5: the expression is not UTF-8");
}

/* ---- faults ------------------------------------------------------------------------------------------------------------------ */

static const char all_of_it[] =
	"let x = [1, {a: \"b\"}]; any(body.l, # matches \"^(a|b)+$\" || # matches body.p) && x[1].a == \"b\" && "
	"jsonpath(toJson(body), \"$.l[?(@ == 'ab')]\") == [\"ab\"] && (body.big | map(len(#)) | sum()) > 100 && "
	"len(groupBy(body.l, #)) == 2 && upper(body.e) == \"\xc3\x89\" && sprig.quote(body.p) != \"\"";

static enum err try_it(struct str object, bool *ret_pass)
{
	struct filter_input in = { .object = object };
	struct filter *f = NULL;
	enum err err = filter_compile(str_of(all_of_it), NULL, NULL, &f);

	if (err == E_OK)
		err = filter_eval(f, &in, NULL, ret_pass);
	filter_free(f);
	return err;
}

static void without_memory_it_says_so_and_never_judges(void **state)
{
	struct buf object = { 0 };
	bool pass = false;
	long n;

	(void)state;
	buf_lit(&object, "{\"body\":{\"l\":[\"ab\",\"c\"],\"p\":\"x\",\"e\":\"\\u00e9\",\"big\":[\"");
	for (int i = 0; i < 300; i++)
		buf_lit(&object, "xxxxxxxxxxxx\",\"");
	buf_lit(&object, "\"]}}");
	mem_fail_at(0);
	assert_int_equal(try_it(buf_view(&object), &pass), E_OK);
	assert_true(pass);
	n = mem_count();
	assert_true(n > 20);
	for (long i = 1; i <= n; i++) {
		pass = false;
		mem_fail_at(i);
		assert_int_equal(try_it(buf_view(&object), &pass), E_NOMEM);
		assert_false(pass);
	}
	mem_fail_at(0);
	buf_release(&object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter_says_true_or_false),
		cmocka_unit_test(what_gives_no_bool_is_an_error_of_the_event),
		cmocka_unit_test(an_event_that_is_no_object_is_an_error),
		cmocka_unit_test(names_of_the_event_are_what_upstream_makes_of_them),
		cmocka_unit_test(cloudevents_have_attributes_and_data),
		cmocka_unit_test(now_is_what_the_caller_says),
		cmocka_unit_test(nesting_is_bounded_in_each_form),
		cmocka_unit_test(an_expression_has_a_longest_length),
		cmocka_unit_test(what_takes_too_much_is_stopped),
		cmocka_unit_test(what_is_long_but_little_work_is_not_stopped),
		cmocka_unit_test(a_condition_that_takes_too_much_fails_the_filter),
		cmocka_unit_test(numbers_of_an_event_have_any_length),
		cmocka_unit_test(patterns_match_in_long_texts),
		cmocka_unit_test(patterns_take_a_time_that_grows_with_the_text_only),
		cmocka_unit_test(values_nested_deeper_than_anybody_writes_are_an_error),
		cmocka_unit_test(places_are_counted_in_lines_and_characters),
		cmocka_unit_test(without_memory_it_says_so_and_never_judges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
