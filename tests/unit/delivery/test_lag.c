#include "delivery/lag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void nothing_was_seen_yet(void **state)
{
	struct lag l = { 0 };

	(void)state;
	assert_int_equal(lag_quantile(&l, 500), 0);
	assert_int_equal(lag_quantile(&l, 990), 0);
}

static void quantiles_lie_in_the_bucket_of_their_rank(void **state)
{
	struct lag l = { 0 };

	(void)state;
	for (unsigned i = 0; i < 98; i++)
		lag_note(&l, 15); /* 10 to 20 */
	lag_note(&l, 700);        /* 500 to 1000 */
	lag_note(&l, 700);
	assert_int_equal(lag_quantile(&l, 500), 10 + 6); /* 50 of 98, rounded up */
	assert_int_equal(lag_quantile(&l, 980), 20);
	assert_int_equal(lag_quantile(&l, 990), 750);
	assert_int_equal(lag_quantile(&l, 1000), 1000);
	assert_int_equal(l.last_ms, 700);
}

static void a_bound_belongs_to_its_bucket(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LAG_BOUNDS; i++) {
		struct lag l = { 0 };

		lag_note(&l, (uint64_t)lag_bounds[i]);
		assert_int_equal(lag_quantile(&l, 500), lag_bounds[i]);
	}
	assert_int_equal(lag_bounds[LAG_BOUNDS], 0);
}

static void what_is_longer_than_the_last_bound_is_the_last_bound(void **state)
{
	struct lag l = { 0 };

	(void)state;
	lag_note(&l, UINT64_MAX);
	assert_int_equal(lag_quantile(&l, 500), lag_bounds[LAG_BOUNDS - 1]);
}

static void old_observations_fade(void **state)
{
	struct lag l = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		lag_note(&l, 5000);
	for (unsigned i = 0; i < 3 * LAG_FULL; i++)
		lag_note(&l, 1);
	assert_true(l.total < LAG_FULL);
	assert_int_equal(lag_quantile(&l, 1), 1); /* never 0, as before the first */
	assert_int_equal(lag_quantile(&l, 900), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_was_seen_yet),
		cmocka_unit_test(quantiles_lie_in_the_bucket_of_their_rank),
		cmocka_unit_test(a_bound_belongs_to_its_bucket),
		cmocka_unit_test(what_is_longer_than_the_last_bound_is_the_last_bound),
		cmocka_unit_test(old_observations_fade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
