#include "rpc/timeout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

static void timeouts_parse(void **state)
{
	static const struct {
		const char *field;
		uint64_t ms; /* UINT64_MAX: no timeout */
	} rows[] = {
		{ "1H", 3600000 },
		{ "2M", 120000 },
		{ "3S", 3000 },
		{ "4m", 4 },
		{ "5000u", 5 },
		{ "5001u", 6 },
		{ "6000000n", 6 },
		{ "1n", 1 },
		{ "0m", 0 },
		{ "00000001S", 1000 },
		{ "99999999H", 99999999ull * 3600000 },
		{ "100000000m", UINT64_MAX },
		{ "000000001S", UINT64_MAX },
		{ "", UINT64_MAX },
		{ "1", UINT64_MAX },
		{ "m", UINT64_MAX },
		{ "1s", UINT64_MAX },
		{ "1h", UINT64_MAX },
		{ "-1S", UINT64_MAX },
		{ "+1S", UINT64_MAX },
		{ " 1S", UINT64_MAX },
		{ "1 S", UINT64_MAX },
		{ "1.5S", UINT64_MAX },
		{ "1SS", UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ms = UINT64_MAX;

		if (rpc_timeout_parse(str_of(rows[i].field), &ms) != (rows[i].ms != UINT64_MAX) || ms != rows[i].ms)
			fail_msg("%s", rows[i].field);
	}
}

static void timeouts_are_written_in_eight_digits(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0m" },
		{ 1, "1m" },
		{ 99999999, "99999999m" },
		{ 100000000, "100000S" },
		{ 100000001, "100001S" },
		{ 99999999ull * 1000 + 1, "1666667M" },
		{ 99999999ull * 60000 + 1, "1666667H" },
		{ UINT64_MAX, "99999999H" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[RPC_TIMEOUT_MAX];

		assert_int_equal(strlen(rows[i].text), rpc_timeout_write(rows[i].ms, text));
		assert_string_equal(rows[i].text, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timeouts_parse),
		cmocka_unit_test(timeouts_are_written_in_eight_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
