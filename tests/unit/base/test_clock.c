#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

#define S 1000000000LL

static void times_are_written_as_rfc_3339_without_needless_zeros(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ 500000000, "1970-01-01T00:00:00.5Z" },
		{ 1784379469LL * S + 123456789, "2026-07-18T12:57:49.123456789Z" },
		{ 1784379469LL * S + 123000000, "2026-07-18T12:57:49.123Z" },
		{ 951782400LL * S, "2000-02-29T00:00:00Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
		{ INT64_MIN, "1677-09-21T00:12:43.145224192Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[CLOCK_RFC3339_MAX];
		int64_t back = 0;

		assert_int_equal(clock_rfc3339(rows[i].ns, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_true(clock_parse_rfc3339(str_of(text), &back));
		assert_int_equal(back, rows[i].ns);
	}
}

static void every_form_of_rfc_3339_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "1970-01-01T00:00:00+00:00", 0 },
		{ "1970-01-01T00:00:00-00:00", 0 },
		{ "1970-01-01t01:00:00+01:00", 0 },
		{ "1969-12-31T18:30:00-05:30", 0 },
		{ "1970-01-01 00:00:00z", 0 },
		{ "1970-01-01T00:00:00.1234567891234Z", 123456789 },
		{ "1990-12-31T23:59:60Z", 662688000 * S }, /* a leap second is the next one */
		{ "2024-02-29T00:00:00Z", 1709164800 * S },
		{ "1969-12-31T23:59:58.25Z", -1750000000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ns = 1;

		assert_true(clock_parse_rfc3339(str_of(rows[i].text), &ns));
		assert_int_equal(ns, rows[i].ns);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"1970-01-01",
		"1970-01-01T00:00:00",
		"1970-1-01T00:00:00Z",
		"70-01-01T00:00:00Z",
		"1970-00-01T00:00:00Z",
		"1970-13-01T00:00:00Z",
		"1970-01-00T00:00:00Z",
		"1970-01-32T00:00:00Z",
		"1970-04-31T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z",
		"1970-01-01T00:00:61Z",
		"1970-01-01T00:00:00.Z",
		"1970-01-01T00:00:00,5Z",
		"1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+0100",
		"1970-01-01T00:00:00+01:60",
		"1970-01-01T00:00:00Zx",
		" 1970-01-01T00:00:00Z",
		"1970-01-01x00:00:00Z",
		"2262-04-11T23:47:16.854775808Z",
		"1677-09-21T00:12:43.145224191Z",
		"9999-12-31T23:59:59Z",
		"0000-01-01T00:00:00Z",
		"2262-04-11T23:47:16-00:01",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ns = 42;

		assert_false(clock_parse_rfc3339(str_of(rows[i]), &ns));
		assert_int_equal(ns, 42);
	}
}

static void every_day_of_a_leap_cycle_comes_back(void **state)
{
	(void)state;
	/* 400 years from 1700, a day and a bit at a time */
	for (int64_t s = -8520336000; s < 4102444800; s += 86400 + 3601) {
		char text[CLOCK_RFC3339_MAX];
		int64_t ns;

		clock_rfc3339(s * S + 1000, text);
		assert_true(clock_parse_rfc3339(str_of(text), &ns));
		assert_int_equal(ns, s * S + 1000);
	}
}

static void the_clocks_agree_in_their_units(void **state)
{
	uint64_t from = clock_mono_ms(), mono = clock_mono_ns() / 1000000;
	int64_t wall = clock_wall_ms();

	(void)state;
	assert_in_range(mono, from, clock_mono_ms());
	assert_in_range(wall, 1700000000000, 4102444800000); /* after 2023, and before 2100 */
	assert_in_range(clock_wall_ns() / 1000000, 1700000000000, 4102444800000);
}

/* What is kept of the last time must not show in the next one. */
static void times_of_one_second_and_of_the_next_are_written_in_any_order(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 1784379469LL * S + 1, "2026-07-18T12:57:49.000000001Z" },
		{ 1784379469LL * S + 999999999, "2026-07-18T12:57:49.999999999Z" },
		{ 1784379470LL * S, "2026-07-18T12:57:50Z" },
		{ 1784379469LL * S + 500000000, "2026-07-18T12:57:49.5Z" },
		{ 0, "1970-01-01T00:00:00Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ -1000000000, "1969-12-31T23:59:59Z" },
		{ 7, "1970-01-01T00:00:00.000000007Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[CLOCK_RFC3339_MAX];

		memset(text, 'x', sizeof(text));
		assert_int_equal(clock_rfc3339(rows[i].ns, text), strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_as_rfc_3339_without_needless_zeros),
		cmocka_unit_test(every_form_of_rfc_3339_is_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(every_day_of_a_leap_cycle_comes_back),
		cmocka_unit_test(times_of_one_second_and_of_the_next_are_written_in_any_order),
		cmocka_unit_test(the_clocks_agree_in_their_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
