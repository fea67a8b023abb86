#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/mem.h"

static void sizes_are_read_as_kubernetes_writes_them(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t bytes;
	} rows[] = {
		{ "0", true, 0 },
		{ "65536", true, 65536 },
		{ "1k", true, 1000 },
		{ "64Ki", true, 65536 },
		{ "1MiB", true, 1 << 20 },
		{ "1MB", true, 1000000 },
		{ "10Gi", true, 10ull << 30 },
		{ "2T", true, 2000000000000 },
		{ "16777215TiB", true, 16777215ull << 40 },
		{ "16777216TiB", false, 0 }, /* 2^64 */
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "", false, 0 },
		{ "MiB", false, 0 },
		{ "1 MiB", false, 0 },
		{ "1.5MiB", false, 0 },
		{ "-1", false, 0 },
		{ "1mib", false, 0 },
		{ "0x10", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t got = 0;

		assert_int_equal(value_size(str_of(rows[i].text), &got), rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(got, rows[i].bytes);
	}
}

static void times_are_read_as_go_writes_them(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t ms;
	} rows[] = {
		{ "0", true, 0 },
		{ "500ms", true, 500 },
		{ "2s", true, 2000 },
		{ "1.5s", true, 1500 },
		{ "0.001s", true, 1 },
		{ "1.500s", true, 1500 },
		{ "1h30m", true, 5400000 },
		{ "168h", true, 604800000 },
		{ "3d", true, 259200000 },
		{ "1h0m0.25s", true, 3600250 },
		{ "0s", true, 0 },
		{ "2", false, 0 },
		{ "", false, 0 },
		{ "s", false, 0 },
		{ "1.s", false, 0 },
		{ ".5s", false, 0 },
		{ "0.0001s", false, 0 }, /* no whole ms */
		{ "1.0000000001s", false, 0 },
		{ "-1s", false, 0 },
		{ "1us", false, 0 },
		{ "1 s", false, 0 },
		{ "1s ", false, 0 },
		{ "213503982335d", false, 0 },
		{ "99999999999999999999s", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t got = 0;

		assert_int_equal(value_time(str_of(rows[i].text), &got), rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(got, rows[i].ms);
	}
}

static void whole_numbers_may_have_a_minus(void **state)
{
	int64_t got = 0;

	(void)state;
	assert_true(value_int(STR("-1"), &got));
	assert_int_equal(got, -1);
	assert_true(value_int(STR("9223372036854775807"), &got));
	assert_int_equal(got, INT64_MAX);
	assert_false(value_int(STR("9223372036854775808"), &got));
	assert_false(value_int(STR("-"), &got));
	assert_false(value_int(STR(""), &got));
	assert_false(value_int(STR("+1"), &got));
	assert_false(value_int(STR("1e3"), &got));
}

static void what_is_written_is_read_back(void **state)
{
	static const struct {
		uint64_t value;
		const char *size;
		const char *time;
	} rows[] = {
		{ 0, "0", "0s" },
		{ 1, "1", "1ms" },
		{ 1000, "1000", "1s" },
		{ 1024, "1KiB", "1024ms" },
		{ 90000, "90000", "90s" },
		{ 1 << 20, "1MiB", "1048576ms" },
		{ 259200000, "253125KiB", "72h" },
		{ 10ull << 30, "10GiB", "10737418240ms" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		uint64_t back = 1;

		value_write_size(rows[i].value, &b);
		assert_string_equal(buf_cstr(&b), rows[i].size);
		assert_true(value_size(buf_view(&b), &back) && back == rows[i].value);
		buf_clear(&b);
		value_write_time(rows[i].value, &b);
		assert_string_equal(buf_cstr(&b), rows[i].time);
		assert_true(value_time(buf_view(&b), &back) && back == rows[i].value);
		buf_release(&b);
	}
}

static void addresses_have_a_host_in_digits_or_none(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: not an address */
		uint16_t port;
	} rows[] = {
		{ ":7777", "", 7777 },
		{ "127.0.0.1:0", "127.0.0.1", 0 },
		{ "[::1]:65535", "::1", 65535 },
		{ "[::]:1", "::", 1 },
		{ "7777", NULL, 0 },
		{ "", NULL, 0 },
		{ ":", NULL, 0 },
		{ ":65536", NULL, 0 },
		{ "localhost:1", NULL, 0 },
		{ "::1:80", NULL, 0 },
		{ "[]:80", NULL, 0 },
		{ "[::1:80", NULL, 0 },
		{ "[127.0.0.1]:80", NULL, 0 },
		{ "256.0.0.1:80", NULL, 0 },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str host = STR("?");
		uint16_t port = 0;

		assert_int_equal(value_address(str_of(rows[i].text), &host, &port), rows[i].host != NULL);
		if (!rows[i].host)
			continue;
		assert_true(str_is(host, rows[i].host));
		assert_int_equal(port, rows[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_as_kubernetes_writes_them),
		cmocka_unit_test(times_are_read_as_go_writes_them),
		cmocka_unit_test(whole_numbers_may_have_a_minus),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(addresses_have_a_host_in_digits_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
