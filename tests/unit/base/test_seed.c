#include "base/seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* As the reference implementation gives them. */
static const uint64_t numbers[] = { 6457827717110365317u, 3203168211198807973u, 9817491932198370423u };

static void a_seed_gives_the_same_numbers_each_time(void **state)
{
	uint64_t seed = 1234567;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(seed_next(&seed) == numbers[i]);
}

static void any_of_them_can_be_had_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(seed_nth(1234567, i + 1) == numbers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seed_gives_the_same_numbers_each_time),
		cmocka_unit_test(any_of_them_can_be_had_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
