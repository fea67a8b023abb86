#include "daemon/quiet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
		a_peer_has_a_burst_and_then_what_was_not_said_is_counted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
