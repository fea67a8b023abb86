#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "hist.h"

static struct hist h;

static int empty(void **state)
{
	(void)state;
	h = (struct hist){ 0 };
	return 0;
}

static void an_empty_histogram_answers_zero(void **state)
{
	(void)state;
	assert_int_equal(hist_at(&h, 50), 0);
	assert_int_equal(hist_mean(&h), 0);
}

static void small_values_are_exact(void **state)
{
	(void)state;
	for (uint64_t v = 1; v <= 100; v++)
		hist_add(&h, v);
	assert_int_equal(hist_at(&h, 50), 50);
	assert_int_equal(hist_at(&h, 99), 99);
	assert_int_equal(hist_at(&h, 99.9), 100);
	assert_int_equal(hist_at(&h, 0), 1);
	assert_int_equal(hist_at(&h, 100), 100);
	assert_int_equal(hist_mean(&h), 50);
}

/* Alone beside a larger maximum, every value must be reported as itself or at most one slot above. */
static void a_value_is_reported_to_within_one_part_in_128_and_never_below(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 63; bit++) {
		for (int delta = -1; delta <= 1; delta++) {
			uint64_t v = (1ull << bit) + (uint64_t)delta + 3;
			uint64_t at;

			h = (struct hist){ 0 };
			hist_add(&h, v);
			hist_add(&h, UINT64_MAX);
			at = hist_at(&h, 50);
			assert_true(at >= v);
			assert_true(at - v <= v / 128);
		}
	}
}

static void the_largest_value_fits_and_is_the_maximum(void **state)
{
	(void)state;
	hist_add(&h, UINT64_MAX);
	assert_true(h.max == UINT64_MAX);
	assert_true(hist_at(&h, 100) == UINT64_MAX);
	assert_true(hist_at(&h, 1) == UINT64_MAX);
}

static void a_percentile_is_never_over_the_maximum(void **state)
{
	(void)state;
	hist_add(&h, 1000001);
	assert_int_equal(hist_at(&h, 50), 1000001);
}

static void one_stall_among_a_thousand_shows_at_the_last_per_mille_only(void **state)
{
	(void)state;
	for (int i = 0; i < 999; i++)
		hist_add(&h, 10);
	hist_add(&h, 1000000);
	assert_int_equal(hist_at(&h, 99.9), 10);
	assert_int_equal(hist_at(&h, 99.91), 1000000);
}

static void merging_is_recording_both(void **state)
{
	static struct hist both, other;

	(void)state;
	both = other = (struct hist){ 0 };
	for (uint64_t v = 1; v < 100000; v = v * 3 + 1) {
		hist_add(v & 1 ? &h : &other, v);
		hist_add(&both, v);
	}
	hist_merge(&h, &other);
	assert_memory_equal(&h, &both, sizeof(h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_empty_histogram_answers_zero, empty),
		cmocka_unit_test_setup(small_values_are_exact, empty),
		cmocka_unit_test_setup(a_value_is_reported_to_within_one_part_in_128_and_never_below, empty),
		cmocka_unit_test_setup(the_largest_value_fits_and_is_the_maximum, empty),
		cmocka_unit_test_setup(a_percentile_is_never_over_the_maximum, empty),
		cmocka_unit_test_setup(one_stall_among_a_thousand_shows_at_the_last_per_mille_only, empty),
		cmocka_unit_test_setup(merging_is_recording_both, empty),
	};

	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
