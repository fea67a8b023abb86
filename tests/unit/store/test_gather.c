#include "store/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct gather after(size_t requests, uint64_t commit_ns)
{
	struct gather g = { 0 };

	gather_begin(&g, requests);
	gather_learn(&g, commit_ns);
	return g;
}

static void a_sender_alone_never_waits(void **state)
{
	struct gather none = { 0 }, one = after(1, 8000000);

	(void)state;
	assert_int_equal(gather_wait_ns(&none, 1), 0);
	assert_int_equal(gather_wait_ns(&one, 1), 0);
	assert_int_equal(gather_wait_ns(&one, 0), 0);
}

static void the_rest_of_the_last_group_is_waited_for_a_part_of_a_commit(void **state)
{
	struct gather g = after(5, 2000000);

	(void)state;
	assert_int_equal(gather_wait_ns(&g, 1), 2000000 / GATHER_SHARE);
	assert_int_equal(gather_wait_ns(&g, 4), 2000000 / GATHER_SHARE);
	assert_int_equal(gather_wait_ns(&g, 5), 0);
	assert_int_equal(gather_wait_ns(&g, 6), 0);
}

static void a_fast_disk_is_not_waited_for(void **state)
{
	struct gather fast = after(64, GATHER_SHARE * GATHER_MIN_NS - 1),
		      slower = after(64, GATHER_SHARE * GATHER_MIN_NS);

	(void)state;
	assert_int_equal(gather_wait_ns(&fast, 1), 0);
	assert_int_equal(gather_wait_ns(&slower, 1), GATHER_MIN_NS);
}

static void when_nobody_comes_the_next_group_is_not_waited_for(void **state)
{
	struct gather g = after(64, 2000000);

	(void)state;
	assert_true(gather_wait_ns(&g, 1) > 0);
	gather_begin(&g, 1); /* it came alone all the same */
	assert_int_equal(gather_wait_ns(&g, 1), 0);
}

static void a_disk_that_stalls_does_not_make_the_wait_long(void **state)
{
	struct gather g = after(2, 3000000000);

	(void)state;
	assert_int_equal(gather_wait_ns(&g, 1), GATHER_MAX_NS);
	for (int i = 0; i < 200; i++)
		gather_learn(&g, 80000);
	assert_int_equal(gather_wait_ns(&g, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sender_alone_never_waits),
		cmocka_unit_test(the_rest_of_the_last_group_is_waited_for_a_part_of_a_commit),
		cmocka_unit_test(a_fast_disk_is_not_waited_for),
		cmocka_unit_test(when_nobody_comes_the_next_group_is_not_waited_for),
		cmocka_unit_test(a_disk_that_stalls_does_not_make_the_wait_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
