#include "store/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_sender_alone_never_waits(void **state)
{
	struct gather g = { 0 };

	(void)state;
	assert_int_equal(gather_wait_ns(&g, 1), 0);
	gather_begin(&g, 1);
	gather_learn(&g, 80000);
	assert_int_equal(gather_wait_ns(&g, 1), 0);
	assert_int_equal(gather_wait_ns(&g, 0), 0);
}

static void the_rest_of_the_last_group_is_waited_for_half_a_commit(void **state)
{
	struct gather g = { 0 };

	(void)state;
	gather_begin(&g, 5);
	gather_learn(&g, 80000);
	assert_int_equal(gather_wait_ns(&g, 1), 40000);
	assert_int_equal(gather_wait_ns(&g, 4), 40000);
	assert_int_equal(gather_wait_ns(&g, 5), 0);
	assert_int_equal(gather_wait_ns(&g, 6), 0);
}

static void a_group_that_is_large_enough_goes_at_once(void **state)
{
	struct gather g = { 0 };

	(void)state;
	gather_begin(&g, 64);
	gather_learn(&g, 80000);
	assert_true(gather_wait_ns(&g, GATHER_ENOUGH - 1) > 0);
	assert_int_equal(gather_wait_ns(&g, GATHER_ENOUGH), 0);
}

static void when_nobody_comes_the_next_group_is_not_waited_for(void **state)
{
	struct gather g = { 0 };

	(void)state;
	gather_begin(&g, 64);
	gather_learn(&g, 80000);
	assert_true(gather_wait_ns(&g, 1) > 0);
	gather_begin(&g, 1); /* it came alone all the same */
	assert_int_equal(gather_wait_ns(&g, 1), 0);
}

static void a_slow_disk_does_not_make_the_wait_long(void **state)
{
	struct gather g = { 0 };

	(void)state;
	gather_begin(&g, 2);
	gather_learn(&g, 3000000000);
	assert_int_equal(gather_wait_ns(&g, 1), GATHER_MAX_NS);
	for (int i = 0; i < 200; i++)
		gather_learn(&g, 8000);
	assert_in_range(gather_wait_ns(&g, 1), 4000, 4100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender_alone_never_waits),
		cmocka_unit_test(the_rest_of_the_last_group_is_waited_for_half_a_commit),
		cmocka_unit_test(a_group_that_is_large_enough_goes_at_once),
		cmocka_unit_test(when_nobody_comes_the_next_group_is_not_waited_for),
		cmocka_unit_test(a_slow_disk_does_not_make_the_wait_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
