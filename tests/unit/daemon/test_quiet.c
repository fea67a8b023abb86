#include "daemon/quiet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void a_peer_has_a_burst_and_then_what_was_not_said_is_counted(void **state)
{
	struct quiet q = { 0 };
	uint64_t unsaid = 7;

	(void)state;
	for (unsigned i = 0; i < QUIET_BURST; i++) {
		assert_true(quiet_ask(&q, 1000, &unsaid));
		assert_int_equal(unsaid, 0);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_false(quiet_ask(&q, 1000, &unsaid));
	assert_true(quiet_ask(&q, 1000 + 60000 / QUIET_PER_MINUTE, &unsaid));
	assert_int_equal(unsaid, 100);
	assert_false(quiet_ask(&q, 1000 + 60000 / QUIET_PER_MINUTE, &unsaid));
	assert_true(quiet_ask(&q, 1000000, &unsaid));
	assert_int_equal(unsaid, 1);
}

static void an_address_has_a_line_a_minute_with_what_was_not_said_about_it(void **state)
{
	struct quiet_addresses q = { 0 };
	uint64_t unsaid = 7;

	(void)state;
	assert_true(quiet_ask_address(&q, "192.0.2.1", 1000, &unsaid));
	assert_int_equal(unsaid, 0);
	for (unsigned i = 0; i < 5; i++)
		assert_false(quiet_ask_address(&q, "192.0.2.1", 1000 + i, &unsaid));
	assert_true(quiet_ask_address(&q, "192.0.2.2", 2000, &unsaid));
	assert_int_equal(unsaid, 0);
	assert_false(quiet_ask_address(&q, "192.0.2.1", 1000 + QUIET_ADDRESS_MS - 1, &unsaid));
	assert_true(quiet_ask_address(&q, "192.0.2.1", 1000 + QUIET_ADDRESS_MS, &unsaid));
	assert_int_equal(unsaid, 6);
}

static void many_addresses_have_so_many_lines_and_no_more(void **state)
{
	struct quiet_addresses q = { 0 };
	char address[QUIET_ADDRESS_MAX];
	unsigned said = 0;
	uint64_t unsaid;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(address, sizeof(address), "2001:db8::%x", i);
		said += quiet_ask_address(&q, address, 5, &unsaid);
	}
	assert_int_equal(said, QUIET_ADDRESSES);
	assert_true(quiet_ask_address(&q, "192.0.2.1", 5 + QUIET_ADDRESS_MS, &unsaid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_has_a_burst_and_then_what_was_not_said_is_counted),
		cmocka_unit_test(an_address_has_a_line_a_minute_with_what_was_not_said_about_it),
		cmocka_unit_test(many_addresses_have_so_many_lines_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
