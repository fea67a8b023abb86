/* options.h: every kind of option, what the environment adds, and what is said about a mistake. */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define ARGV_MAX 80

struct values {
	bool follow;
	const char *from;
	uint64_t limit;
	int level;
	struct option_list files;
};

static const struct option_row rows[] = {
	{ "follow", 'F', OPTION_FLAG, offsetof(struct values, follow), NULL, NULL, "Go on." },
	{ "from", 'f', OPTION_TEXT, offsetof(struct values, from), "POS", "TEST_FROM", "Where to begin." },
	{ "limit", 'n', OPTION_NUMBER, offsetof(struct values, limit), "N", NULL, "Stop after N.", 'l' },
	{ "log-level", 0, OPTION_CHOICE, offsetof(struct values, level), "debug|info|warn", "TEST_LEVEL", "How much." },
	{ "file", 0, OPTION_LIST, offsetof(struct values, files), "FILE", "TEST_FILES", "A file." },
	{ "log-format", 0, OPTION_FLAG, offsetof(struct values, follow), NULL, NULL, "For ambiguity." },
	{ 0 },
};

struct more {
	bool on;
	uint64_t wait_ms, bytes, port;
	struct option_list names, ignored;
};

static const struct option_row more_rows[] = {
	{ "on", 0, OPTION_BOOL, offsetof(struct more, on), NULL, "TEST_ON", "On." },
	{ "wait", 0, OPTION_TIME, offsetof(struct more, wait_ms), "TIME", "TEST_WAIT", "Wait.", .fallback = "5m" },
	{ "bytes", 0, OPTION_SIZE, offsetof(struct more, bytes), "BYTES", NULL, "Size.", .min = 1024, .max = 1 << 20 },
	{ "port", 0, OPTION_NUMBER, offsetof(struct more, port), "PORT", NULL, "Port.", .fallback = "80",
	  .max = 65535 },
	{ "names", 0, OPTION_COMMAS, offsetof(struct more, names), "NAMES", "TEST_NAMES", "Names." },
	{ "old", 0, OPTION_IGNORED, offsetof(struct more, ignored), "X", "TEST_OLD", NULL, .note = "it is old" },
	{ "old-flag", 0, OPTION_IGNORED, offsetof(struct more, ignored), NULL, NULL, NULL, .note = "it is old" },
	{ "far", 0, OPTION_REFUSED, offsetof(struct more, ignored), NULL, "TEST_FAR", NULL, .note = "go near" },
	{ "farther", 0, OPTION_REFUSED, offsetof(struct more, ignored), "X", NULL, NULL, .note = "go near",
	  .fallback = "here" },
	{ 0 },
};

static enum err parse_more(const char *line, struct more *ret_values, struct why *why)
{
	static char words[4096];
	static char *argv[ARGV_MAX];
	struct option_set set = { more_rows, ret_values };
	size_t operands = 0;
	int argc = 0;

	*ret_values = (struct more){ 0 };
	*why = (struct why){ 0 };
	(void)snprintf(words, sizeof(words), "%s", line);
	for (char *rest = words, *word; argc < ARGV_MAX - 1 && (word = strsep(&rest, " "));)
		argv[argc++] = word;
	argv[argc] = NULL;
	return options_parse(&set, 1, argc, argv, why, &operands);
}

static void what_nobody_gives_has_the_value_of_its_row(void **state)
{
	struct more v;
	struct why why;

	(void)state;
	assert_int_equal(parse_more("x", &v, &why), E_OK);
	assert_int_equal(v.wait_ms, 300000);
	assert_int_equal(v.port, 80);
	assert_int_equal(v.bytes, 0);
	assert_false(v.on);
	setenv("TEST_WAIT", "90s", 1);
	setenv("TEST_ON", "T", 1);
	setenv("TEST_NAMES", "a:b,c", 1);
	assert_int_equal(parse_more("x --port 0", &v, &why), E_OK);
	assert_int_equal(v.wait_ms, 90000);
	assert_int_equal(v.port, 0);
	assert_true(v.on);
	assert_string_equal(v.names.items[0], "a:b,c");
	assert_int_equal(parse_more("x --wait=1h30m --on=false --bytes 64KiB --names x,y --names z", &v, &why), E_OK);
	assert_int_equal(v.wait_ms, 5400000);
	assert_int_equal(v.bytes, 65536);
	assert_int_equal(v.names.n, 2);
	assert_false(v.on);
	unsetenv("TEST_WAIT");
	unsetenv("TEST_ON");
	unsetenv("TEST_NAMES");
}

static void what_is_not_served_is_ignored_with_a_note_or_refused(void **state)
{
	struct more v;
	struct why why;

	(void)state;
	assert_int_equal(parse_more("x --old 5 --old-flag --old 6 --far=false --farther here", &v, &why), E_OK);
	assert_int_equal(v.ignored.n, 2); /* each once, however often it was said */
	assert_string_equal(OPTION_ROW(&v.ignored, 0)->name, "old");
	assert_string_equal(OPTION_ROW(&v.ignored, 1)->note, "it is old");
	assert_int_equal(parse_more("x --old 0 --old-flag=false", &v, &why), E_OK);
	assert_int_equal(v.ignored.n, 0);
	setenv("TEST_FAR", "true", 1);
	assert_int_equal(parse_more("x", &v, &why), E_MALFORMED);
	assert_string_equal(why.text, "environment variable: TEST_FAR: go near");
	unsetenv("TEST_FAR");
}

static void a_value_that_makes_no_sense_is_named(void **state)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "x --on=maybe", "--on: 'maybe' is neither true nor false" },
		{ "x --wait soon", "--wait: 'soon' is no duration, as in 30s or 1h30m" },
		{ "x --bytes big", "--bytes: 'big' is no size, as in 65536 or 16MiB" },
		{ "x --bytes 1", "--bytes: '1' is not within 1KiB and 1MiB" },
		{ "x --port 65536", "--port: '65536' is not within 0 and 65535" },
		{ "x --far", "--far: go near" },
		{ "x --farther there", "--farther: go near" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct more v;
		struct why why;

		assert_int_equal(parse_more(cases[i].line, &v, &why), E_MALFORMED);
		assert_string_equal(why.text, cases[i].why);
	}
}

static void help_shows_defaults_and_leaves_out_what_is_not_served(void **state)
{
	struct buf text = { 0 };

	(void)state;
	options_help(more_rows, &text);
	assert_non_null(strstr(buf_cstr(&text), "Wait. Default: 5m. [TEST_WAIT]"));
	assert_null(strstr(text.p, "--far"));
	assert_null(strstr(text.p, "--old"));
	buf_release(&text);
}

/* Parses the words of one line. */
static enum err parse(const char *line, struct values *ret_values, struct why *why, char *ret_operands)
{
	static char words[4096];
	static char *argv[ARGV_MAX];
	struct option_set set = { rows, ret_values };
	size_t operands = 0;
	int argc = 0;
	enum err err;

	*ret_values = (struct values){ 0 };
	*why = (struct why){ 0 };
	(void)snprintf(words, sizeof(words), "%s", line);
	for (char *rest = words, *word; argc < ARGV_MAX - 1 && (word = strsep(&rest, " "));)
		argv[argc++] = word;
	argv[argc] = NULL;
	err = options_parse(&set, 1, argc, argv, why, &operands);
	ret_operands[0] = '\0';
	for (size_t i = operands; err == E_OK && i < (size_t)argc; i++) {
		size_t n = strlen(ret_operands);

		(void)snprintf(ret_operands + n, 200 - n, "%s;", argv[i]);
	}
	return err;
}

static void release(struct values *v)
{
	options_release(&(struct option_set){ rows, v }, 1);
}

static void each_kind_is_read_and_operands_may_stand_between(void **state)
{
	struct values v;
	struct why why;
	char operands[200];

	(void)state;
	assert_int_equal(parse("x a -F --from 7 b -l 12 --log-level WARN --file p --file q -- -z", &v, &why, operands),
			 E_OK);
	assert_true(v.follow);
	assert_string_equal(v.from, "7");
	assert_int_equal(v.limit, 12);
	assert_int_equal(v.level, 2);
	assert_int_equal(v.files.n, 2);
	assert_string_equal(v.files.items[1], "q");
	assert_string_equal(operands, "a;b;-z;");
	release(&v);
}

static void the_environment_stands_in_for_what_is_absent(void **state)
{
	struct values v;
	struct why why;
	char operands[200];

	(void)state;
	setenv("TEST_FROM", "start", 1);
	setenv("TEST_LEVEL", "info", 1);
	setenv("TEST_FILES", "a.yaml::b.yaml", 1);
	assert_int_equal(parse("x --from end", &v, &why, operands), E_OK);
	assert_string_equal(v.from, "end");
	assert_int_equal(v.level, 1);
	assert_int_equal(v.files.n, 2);
	assert_string_equal(v.files.items[0], "a.yaml");
	assert_string_equal(v.files.items[1], "b.yaml");
	release(&v);

	setenv("TEST_LEVEL", "loud", 1);
	assert_int_equal(parse("x", &v, &why, operands), E_MALFORMED);
	assert_string_equal(why.text, "environment variable: TEST_LEVEL: 'loud' is none of debug|info|warn");
	release(&v);
	setenv("TEST_LEVEL", "", 1);
	assert_int_equal(parse("x", &v, &why, operands), E_OK);
	release(&v);
	unsetenv("TEST_FROM");
	unsetenv("TEST_LEVEL");
	unsetenv("TEST_FILES");
}

static void a_mistake_is_named_with_what_may_have_been_meant(void **state)
{
	static const struct {
		const char *line;
		const char *why;
	} cases[] = {
		{ "x --folow", "unknown option '--folow'; did you mean '--follow'?" },
		{ "x --limitt=3", "unknown option '--limitt'; did you mean '--limit'?" },
		{ "x --zzzzzzzz", "unknown option '--zzzzzzzz'" },
		{ "x --log x", "ambiguous option '--log'; did you mean '--log-level'?" },
		{ "x -z", "unknown option '-z'" },
		{ "x -Fz", "unknown option '-z'" },
		{ "x --from", "--from needs POS" },
		{ "x -n", "-n needs N" },
		{ "x --follow=yes", "--follow takes no value" },
		{ "x --limit -1", "--limit: '-1' is not a number" },
		{ "x --limit 18446744073709551616", "--limit: '18446744073709551616' is not a number" },
		{ "x --log-level loud", "--log-level: 'loud' is none of debug|info|warn" },
		{ "x --from=", "--from: empty" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct values v;
		struct why why;
		char operands[200];

		assert_int_equal(parse(cases[i].line, &v, &why, operands), E_MALFORMED);
		assert_string_equal(why.text, cases[i].why);
		release(&v);
	}
}

static void a_list_has_an_end(void **state)
{
	struct buf line = { 0 };
	struct values v;
	struct why why;
	char operands[200];

	(void)state;
	buf_lit(&line, "x");
	for (int i = 0; i < OPTION_LIST_MAX + 1; i++)
		buf_lit(&line, " --file=a");
	assert_int_equal(parse(buf_cstr(&line), &v, &why, operands), E_MALFORMED);
	assert_string_equal(why.text, "--file: more than 64 of them");
	assert_int_equal(v.files.n, OPTION_LIST_MAX);
	buf_release(&line);
}

static void without_memory_the_environment_is_an_error(void **state)
{
	struct values v;
	struct why why;
	char operands[200];

	(void)state;
	setenv("TEST_FILES", "a", 1);
	mem_fail_at(1);
	assert_int_equal(parse("x", &v, &why, operands), E_NOMEM);
	mem_fail_at(0);
	release(&v);
	unsetenv("TEST_FILES");
}

static void help_has_a_row_for_each_option(void **state)
{
	struct buf text = { 0 };

	(void)state;
	options_help(rows, &text);
	assert_string_equal(buf_cstr(&text), "  -F, --follow          Go on.\n"
					     "  -f, --from POS        Where to begin. [TEST_FROM]\n"
					     "  -n, --limit N         Stop after N.\n"
					     "      --log-level debug|info|warn\n"
					     "                        How much. [TEST_LEVEL]\n"
					     "      --file FILE       A file. [TEST_FILES]\n"
					     "      --log-format      For ambiguity.\n");
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_read_and_operands_may_stand_between),
		cmocka_unit_test(the_environment_stands_in_for_what_is_absent),
		cmocka_unit_test(a_mistake_is_named_with_what_may_have_been_meant),
		cmocka_unit_test(what_nobody_gives_has_the_value_of_its_row),
		cmocka_unit_test(what_is_not_served_is_ignored_with_a_note_or_refused),
		cmocka_unit_test(a_value_that_makes_no_sense_is_named),
		cmocka_unit_test(help_shows_defaults_and_leaves_out_what_is_not_served),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(without_memory_the_environment_is_an_error),
		cmocka_unit_test(help_has_a_row_for_each_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
