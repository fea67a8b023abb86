/* position.h: every form that people write, and what is none. */
#include "cli/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define NOW_MS 1714564800000 /* 2024-05-01T12:00:00Z */

static void every_form_is_understood(void **state)
{
	static const struct {
		const char *text;
		enum position_kind kind;
		int64_t value;
	} cases[] = {
		{ "1", POSITION_AT, 1 },
		{ "0", POSITION_AT, 0 },
		{ "1200", POSITION_AT, 1200 },
		{ "9223372036854775807", POSITION_AT, INT64_MAX },
		{ "start", POSITION_AT, 0 },
		{ "end", POSITION_END, 0 },
		{ "2024-05-01T12:00:00Z", POSITION_TIME, NOW_MS },
		{ "2024-05-01T14:00:00.25+02:00", POSITION_TIME, NOW_MS + 250 },
		{ "2024-05-01T12:00:00.0001Z", POSITION_TIME, NOW_MS + 1 }, /* the first ms not before it */
		{ "90s", POSITION_TIME, NOW_MS - 90000 },
		{ "15m", POSITION_TIME, NOW_MS - 900000 },
		{ "2h", POSITION_TIME, NOW_MS - 7200000 },
		{ "3d", POSITION_TIME, NOW_MS - 3 * 86400000LL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct position p;

		assert_int_equal(position_parse("--from", cases[i].text, NOW_MS, NULL, &p), E_OK);
		assert_int_equal(p.kind, cases[i].kind);
		if (p.kind == POSITION_AT)
			assert_int_equal(p.pos, cases[i].value);
		if (p.kind == POSITION_TIME)
			assert_int_equal(p.wall_ms, cases[i].value);
	}
}

static void anything_else_is_refused_with_the_forms(void **state)
{
	static const char *const cases[] = {
		"",
		"-1",
		"9223372036854775808",
		"yesterday",
		"2024-05-01",
		"2024-13-01T00:00:00Z",
		"15 m",
		"m",
		"15w",
		"END",
		"1200 ",
		"0x10",
		"999999999999999999s",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct why why = { 0 };
		struct position p = { .pos = 77 };

		assert_int_equal(position_parse("--to", cases[i], NOW_MS, &why, &p), E_MALFORMED);
		assert_non_null(strstr(why.text, "--to: "));
		assert_non_null(strstr(why.text, "15m"));
		assert_int_equal(p.pos, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_understood),
		cmocka_unit_test(anything_else_is_refused_with_the_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
