#include "auth/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static void go_understands_what_is_accepted(void **state)
{
	static const struct {
		const char *pattern, *text, *group; /* NULL: no match */
	} rows[] = {
		{ "^CN=([^,]+)", "CN=agent-1,O=x", "agent-1" },
		{ "^CN=([^,]+)$", "CN=agent-1,O=x", NULL },
		{ "CN=(.+?),", "CN=a,b,", "a" },
		{ "(?i)cn=(\\w+)", "CN=Abc", "Abc" },
		{ "(?:a|b)(c)", "bc", "c" },
		{ "(?P<name>x+)y", "xxy", "xx" },
		{ "(?<name>x+)y", "xxy", "xx" },
		{ "(a)|b", "b", "" },
		{ "^(a)$", "a\n", NULL },
		{ "(a.b)", "a\nb", NULL },
		{ "(?s)(a.b)", "a\nb", "a\nb" },
		{ "([[:alpha:]]+)", "12ab3", "ab" },
		{ "([]a]+)", "x]a]", "]a]" },
		{ "([^]]+)", "]xy]", "xy" },
		{ "(\\d{2,3})", "12345", "123" },
		{ "^(\\d+)$", "\xd9\xa1", NULL },
		{ "(.)$", "\xc3\xa9", "\xc3\xa9" },
		{ "\\Qa(b\\E(c)", "a(bc", "c" },
		{ "(\\pL+)", "1\xc3\xa9z", "\xc3\xa9z" },
		{ "([+*]+)", "a++b", "++" },
		{ "(a)\\x{41}", "aA", "a" },
		{ "spiffe://x\\.org/agent/([^/]+)$", "spiffe://x.org/agent/one", "one" },
		{ "()", "", "" },
		{ "(a\\s?b)",
		  "a\x0b"
		  "b",
		  NULL }, /* Go's white space has no vertical tab */
		{ "(?m)^(a)$", "b\na\n", "a" },
		{ "^(b)$", "b\na", NULL },
		{ "(x+)(y+)", "xxy", "xx" },
		{ "(\\x41)", "A", "A" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct why why = { 0 };
		struct regex *r = NULL;
		struct str group = { 0 };
		bool match = false;

		if (regex_new(str_of(rows[i].pattern), &why, &r) != E_OK)
			fail_msg("%s", why.text);
		assert_int_equal(E_OK, regex_match(r, str_of(rows[i].text), &match, &group));
		if (match != (rows[i].group != NULL) || (match && !str_is(group, rows[i].group)))
			fail_msg("'%s' on '%s': '%.*s'", rows[i].pattern, rows[i].text, STR_ARG(group));
		regex_free(r);
	}
}

static void what_is_refused_has_its_place(void **state)
{
	static const struct {
		const char *pattern, *story;
	} rows[] = {
		{ "", "the expression is empty" },
		{ "a(b", "'a(b': the regular expression is not valid: missing closing parenthesis" },
		{ "a)b", "'a)b': the regular expression is not valid: unmatched closing parenthesis" },
		{ "*a", "'*a': the regular expression is not valid: quantifier does not follow a repeatable item" },
		{ "[a", "'[a': the regular expression is not valid at byte 3: the class has no ]" },
		{ "a(?=b)", "'a(?=b)': the regular expression is not valid at byte 2: there is no such group: neither "
			    "look-around nor atomic groups nor conditions" },
		{ "a(?!b)", "'a(?!b)': the regular expression is not valid at byte 2: there is no such group: neither "
			    "look-around nor atomic groups nor conditions" },
		{ "(?<=b)a",
		  "'(?<=b)a': the regular expression is not valid at byte 1: there is no such group: neither "
		  "look-around nor atomic groups nor conditions" },
		{ "(?>a)", "'(?>a)': the regular expression is not valid at byte 1: there is no such group: neither "
			   "look-around nor atomic groups nor conditions" },
		{ "(?R)", "'(?R)': the regular expression is not valid at byte 1: there is no such group: neither "
			  "look-around nor atomic groups nor conditions" },
		{ "(a)\\1", "'(a)\\1': the regular expression is not valid at byte 6: there are no back references" },
		{ "\\K", "'\\K': the regular expression is not valid at byte 3: there is no such escape" },
		{ "(*UTF)a",
		  "'(*UTF)a': the regular expression is not valid at byte 1: a group begins with a repetition" },
		{ "a++", "'a++': the regular expression is not valid at byte 3: a repetition of a repetition" },
		{ "[[:]](?=x)", "'[[:]](?=x)': the regular expression is not valid at byte 6: there is no such group: "
				"neither look-around nor atomic groups nor conditions" },
		{ "\xff", "'\xff': the regular expression is not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct why why = { 0 };
		struct regex *r = NULL;

		assert_int_equal(E_CONFIG, regex_new(str_of(rows[i].pattern), &why, &r));
		assert_null(r);
		assert_string_equal(rows[i].story, why.text);
	}
}

static void no_text_holds_the_process(void **state)
{
	static char text[4000];
	struct regex *r;
	bool match;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(E_OK, regex_new(STR("^(a+)+$|(a|aa)+!"), NULL, &r));
	text[sizeof(text) - 2] = '!';
	text[sizeof(text) - 3] = '?';
	assert_int_equal(E_LIMIT, regex_match(r, str_of(text), &match, NULL));
	regex_free(r);
}

static void bytes_that_are_no_text_match_nothing_and_hurt_nobody(void **state)
{
	struct regex *r;
	bool match = true;

	(void)state;
	assert_int_equal(E_OK, regex_new(STR("^(.+)$"), NULL, &r));
	assert_int_equal(E_OK, regex_match(r, STR("a\xff\xfe z"), &match, NULL));
	assert_false(match);
	assert_int_equal(E_OK, regex_match(r, (struct str){ 0 }, &match, NULL));
	assert_false(match);
	regex_free(r);
}

static void a_failing_allocation_is_an_error(void **state)
{
	struct regex *r = NULL;
	long n = 1;
	enum err err;

	(void)state;
	do {
		mem_fail_at(n++);
		err = regex_new(STR("^CN=([^,]+)"), NULL, &r);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
	} while (err != E_OK);
	assert_true(n > 3);
	regex_free(r);
}

static void a_failing_allocation_of_a_match_is_an_error(void **state)
{
	struct regex *r;
	bool match = false;

	(void)state;
	assert_int_equal(E_OK, regex_new(STR("(a)"), NULL, &r));
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, regex_match(r, STR("a"), &match, NULL));
	mem_fail_at(0);
	assert_false(match);
	regex_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(go_understands_what_is_accepted),
		cmocka_unit_test(what_is_refused_has_its_place),
		cmocka_unit_test(no_text_holds_the_process),
		cmocka_unit_test(bytes_that_are_no_text_match_nothing_and_hurt_nobody),
		cmocka_unit_test(a_failing_allocation_is_an_error),
		cmocka_unit_test(a_failing_allocation_of_a_match_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
