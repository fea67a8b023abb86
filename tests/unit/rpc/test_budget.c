#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rpc/budget.h"

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
		cmocka_unit_test(a_budget_is_counted_at_both_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
