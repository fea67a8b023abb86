#include "rpc/flood.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

#include "rpc/budget.h"

static void ten_seconds_worth_may_come_at_once_and_no_more(void **state)
{
	struct flood f = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(flood_take(&f, 10, 5000));
	assert_false(flood_take(&f, 10, 5000));
}

static void the_rate_may_go_on_for_ever(void **state)
{
	struct flood f = { 0 };

	(void)state;
	for (uint64_t ms = 1000; ms < 1000000; ms += 100)
		assert_true(flood_take(&f, 10, ms));
}

static void twice_the_rate_ends_after_ten_seconds(void **state)
{
	struct flood f = { 0 };
	uint64_t ms = 100000;

	(void)state;
	while (flood_take(&f, 10, ms))
		ms += 50;
	assert_in_range(ms, 109900, 110100);
}

static void a_budget_is_counted_at_both_levels(void **state)
{
	struct rpc_budget all = { .max = 100 };
	struct rpc_budget one = { .max = 60, .parent = &all };
	struct rpc_budget two = { .max = 60, .parent = &all };

	(void)state;
	assert_true(rpc_budget_take(&one, 60));
	assert_false(rpc_budget_take(&one, 1));
	assert_false(rpc_budget_take(&two, 41));
	assert_true(rpc_budget_take(&two, 40));
	assert_int_equal(100, all.used);
	rpc_budget_give(&one, 60);
	assert_true(rpc_budget_take(&two, 20));
	assert_int_equal(60, all.used);
	assert_int_equal(0, one.used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_seconds_worth_may_come_at_once_and_no_more),
		cmocka_unit_test(the_rate_may_go_on_for_ever),
		cmocka_unit_test(twice_the_rate_ends_after_ten_seconds),
		cmocka_unit_test(a_budget_is_counted_at_both_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
