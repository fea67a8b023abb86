/* What people read: suggestions, wrapped help, JSON as lines, data made safe for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/json_text.h"
#include "cli/rows.h"
#include "cli/suggest.h"
#include "cli/wrap.h"

static void the_nearest_word_is_suggested_when_one_is_near(void **state)
{
	static const char *const words[] = { "gateway", "check-config", "tail", "replay", "dead list", "store check" };
	static const struct {
		const char *word;
		const char *best;
	} cases[] = {
		{ "tial", "tail" }, { "gatway", "gateway" }, { "check", "check-config" },
		{ "Tail", "tail" }, { "replays", "replay" }, { "x", "" },
		{ "", "" },         { "frobnicate", "" },    { "checkconfig", "check-config" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct suggest s = { .word = str_of(cases[i].word) };

		for (size_t j = 0; j < ARRAY_LEN(words); j++)
			suggest_try(&s, str_of(words[j]));
		assert_true(str_is(s.best, cases[i].best));
	}
}

static void paragraphs_wrap_and_examples_stand_as_they_are(void **state)
{
	struct buf b = { 0 };

	(void)state;
	wrap_text(&b, STR("one\ntwo\n\nthree\n  as it  is\nfour"));
	assert_string_equal(buf_cstr(&b), "one two\n\nthree\n  as it  is\nfour\n");
	buf_release(&b);
}

static void no_line_is_wider_than_the_limit(void **state)
{
	struct buf text = { 0 }, wrapped = { 0 };
	struct str rest;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_addf(&text, "%.*s ", i % 11 + 1, "abcdefghijkl");
	buf_lit(&wrapped, "  name");
	wrap_column(&wrapped, 0, 20, buf_view(&text));
	rest = buf_view(&wrapped);
	while (rest.n) {
		struct str line = str_cut(&rest, '\n');

		assert_in_range(line.n, 21, WRAP_WIDTH);
	}
	buf_release(&text);
	buf_release(&wrapped);
}

static void json_becomes_lines_for_people(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_int_equal(json_text(STR("{\"state\":\"ok\",\"last_position\":12,\"bus\":{\"up\":true,\"url\":null},"
				       "\"max_bytes\":1572864,\"routes\":[{\"path\":\"/a\",\"port\":1},3],"
				       "\"none\":{},\"nor\":[]}"),
				   &b),
			 E_OK);
	assert_string_equal(buf_cstr(&b), "state: ok\n"
					  "last position: 12\n"
					  "bus:\n"
					  "  up: yes\n"
					  "  url: -\n"
					  "max bytes: 1.5 MiB\n"
					  "routes:\n"
					  "  - path: /a\n"
					  "    port: 1\n"
					  "  - 3\n"
					  "none: none\n"
					  "nor: none\n");
	buf_release(&b);
	assert_int_equal(json_text(STR("[1]"), &b), E_MALFORMED);
	assert_int_equal(json_text(STR("{\"a\":"), &b), E_MALFORMED);
	assert_int_equal(json_text(STR(""), &b), E_MALFORMED);
	buf_release(&b);
}

/* A webhook's body is a stranger's: escape sequences must not reach the terminal. */
static void what_could_steer_a_terminal_is_escaped(void **state)
{
	static const struct {
		struct str in;
		size_t columns;
		const char *out;
	} cases[] = {
		{ { "plain", 5 }, 80, "plain" },
		{ { "a\033[2Jb", 6 }, 80, "a\\x1b[2Jb" },
		{ { "a\nb\x7f", 4 }, 80, "a\\x0ab\\x7f" },
		{ { "\xc2\x9b"
		    "31m",
		    5 },
		  80,
		  "\\xc2\\x9b31m" }, /* U+009B: control sequence introducer */
		{ { "gr\xc3\xbc\xc3\x9f", 6 }, 80, "gr\xc3\xbc\xc3\x9f" },
		{ { "\xff\xfe", 2 }, 80, "\\xff\\xfe" },
		{ { "\xc3", 1 }, 80, "\\xc3" },
		{ { "0123456789", 10 }, 10, "012345..." },
		{ { "a\0b", 3 }, 80, "a\\x00b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };

		row_printable(&b, cases[i].in, cases[i].columns);
		assert_string_equal(buf_cstr(&b), cases[i].out);
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_word_is_suggested_when_one_is_near),
		cmocka_unit_test(paragraphs_wrap_and_examples_stand_as_they_are),
		cmocka_unit_test(no_line_is_wider_than_the_limit),
		cmocka_unit_test(json_becomes_lines_for_people),
		cmocka_unit_test(what_could_steer_a_terminal_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
