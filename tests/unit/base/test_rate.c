#include "base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_burst_is_there_at_once_and_refills_evenly(void **state)
{
	struct rate r;
	uint64_t wait = 0;

	(void)state;
	rate_init(&r, /* per_minute= */ 60, /* burst= */ 2, 1000);
	assert_true(rate_take(&r, 1000, &wait));
	assert_true(rate_take(&r, 1000, &wait));
	assert_false(rate_take(&r, 1000, &wait));
	assert_int_equal(wait, 1000);
	assert_false(rate_take(&r, 1999, &wait));
	assert_int_equal(wait, 1);
	assert_true(rate_take(&r, 2000, &wait));
	assert_false(rate_take(&r, 2000, &wait));
}

static void a_long_pause_gives_no_more_than_the_burst(void **state)
{
	struct rate r;
	uint64_t wait;
	int taken = 0;

	(void)state;
	rate_init(&r, 6000, 5, 0);
	while (rate_take(&r, UINT64_MAX / 2, &wait))
		taken++;
	assert_int_equal(taken, 5);
}

static void the_rate_may_go_on_for_ever(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 600, 1, 1000);
	for (uint64_t ms = 1000; ms < 1000000; ms += 100)
		assert_true(rate_take(&r, ms, NULL));
}

static void zero_is_no_limit(void **state)
{
	struct rate r;
	uint64_t wait;

	(void)state;
	rate_init(&r, 0, 0, 0);
	for (int i = 0; i < 1000; i++)
		assert_true(rate_take(&r, 0, &wait));
}

static void a_clock_that_stands_still_or_steps_back_takes_nothing_away(void **state)
{
	struct rate r;
	uint64_t wait;

	(void)state;
	rate_init(&r, 60, 1, 5000);
	assert_true(rate_take(&r, 5000, &wait));
	assert_false(rate_take(&r, 4000, &wait));
	assert_true(rate_take(&r, 5000, &wait));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_burst_is_there_at_once_and_refills_evenly),
		cmocka_unit_test(a_long_pause_gives_no_more_than_the_burst),
		cmocka_unit_test(the_rate_may_go_on_for_ever),
		cmocka_unit_test(zero_is_no_limit),
		cmocka_unit_test(a_clock_that_stands_still_or_steps_back_takes_nothing_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
