#include "delivery/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void each_failure_multiplies_the_step_up_to_the_cap(void **state)
{
	struct backoff b = { .base_ms = 5000, .factor = 4, .cap_ms = 120000 };
	static const uint64_t steps[] = { 5000, 20000, 80000, 120000, 120000, 120000 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(backoff_step(&b), steps[i]);
		(void)backoff_next(&b, 0);
	}
	backoff_reset(&b);
	assert_int_equal(backoff_step(&b), 5000);
}

static void the_wait_is_drawn_from_the_whole_step(void **state)
{
	struct backoff b = { .base_ms = 100, .factor = 2, .cap_ms = 1000 };

	(void)state;
	assert_int_equal(backoff_next(&b, 0), 1);
	assert_int_equal(backoff_next(&b, 199), 200);
	assert_int_equal(backoff_next(&b, 400), 1);
}

static void a_thousand_failures_do_not_overflow(void **state)
{
	struct backoff b = { .base_ms = 1, .factor = UINT32_MAX, .cap_ms = UINT32_MAX };

	(void)state;
	for (int i = 0; i < 1000; i++)
		(void)backoff_next(&b, 0);
	assert_int_equal(backoff_step(&b), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_multiplies_the_step_up_to_the_cap),
		cmocka_unit_test(the_wait_is_drawn_from_the_whole_step),
		cmocka_unit_test(a_thousand_failures_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
