#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "schedule.h"

#define START 1000u

static struct schedule open_loop(uint64_t rate, uint64_t requests)
{
	return (struct schedule){
		.start_ns = START, .end_ns = SCHEDULE_NEVER, .rate = rate, .step = 1, .requests = requests
	};
}

static void requests_of_an_open_loop_are_due_at_exact_times(void **state)
{
	static const uint64_t due[] = { 0, 333333333, 666666666, 1000000000, 1333333333 };
	struct schedule s = open_loop(/* rate= */ 3, /* requests= */ 0);
	uint64_t at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(due); i++) {
		assert_int_equal(schedule_due(&s, 0), START + due[i]);
		assert_false(schedule_take(&s, START + due[i] - 1, &at));
		assert_true(schedule_take(&s, START + due[i], &at));
		assert_int_equal(at, START + due[i]);
	}
}

static void a_late_request_keeps_the_time_it_was_meant_for(void **state)
{
	struct schedule s = open_loop(1000, 0);
	uint64_t at;

	(void)state;
	for (uint64_t k = 0; k < 3; k++) {
		assert_true(schedule_take(&s, START + 5000000000, &at));
		assert_int_equal(at, START + k * 1000000);
	}
}

static void times_stay_exact_after_days(void **state)
{
	struct schedule s = open_loop(1000000, 0);

	(void)state;
	s.next = 1000000ull * 86400 * 365;
	assert_int_equal(schedule_due(&s, 0), START + 1000000000ull * 86400 * 365);
}

static void a_closed_loop_is_always_due_until_its_end(void **state)
{
	struct schedule s = { .start_ns = START, .end_ns = 5000, .step = 1 };
	uint64_t at;

	(void)state;
	assert_int_equal(schedule_due(&s, 10), START);
	assert_false(schedule_take(&s, 10, &at));
	assert_true(schedule_take(&s, 4999, &at));
	assert_int_equal(at, 4999);
	assert_false(schedule_take(&s, 5000, &at));
	assert_true(schedule_due(&s, 5000) == SCHEDULE_NEVER);
}

static void it_ends_after_its_number_of_requests(void **state)
{
	struct schedule s = { .start_ns = 0, .end_ns = SCHEDULE_NEVER, .step = 1, .requests = 2 };
	uint64_t at;

	(void)state;
	assert_true(schedule_take(&s, 1, &at));
	assert_true(schedule_take(&s, 1, &at));
	assert_false(schedule_take(&s, 1, &at));
}

static void threads_share_a_schedule_without_gap_or_overlap(void **state)
{
	struct schedule whole = open_loop(7, 10), part[3];
	uint64_t at, at_part;

	(void)state;
	for (uint64_t t = 0; t < 3; t++) {
		part[t] = whole;
		part[t].next = t;
		part[t].step = 3;
	}
	for (uint64_t k = 0; k < 10; k++) {
		assert_true(schedule_take(&whole, SCHEDULE_NEVER - 1, &at));
		assert_true(schedule_take(&part[k % 3], SCHEDULE_NEVER - 1, &at_part));
		assert_int_equal(at, at_part);
	}
	for (uint64_t t = 0; t < 3; t++)
		assert_false(schedule_take(&part[t], SCHEDULE_NEVER - 1, &at));
}

/* schedule_late() must agree with taking one after the other, for any time, end, limit and share. */
static void late_requests_are_counted_as_they_would_be_taken(void **state)
{
	static const uint64_t times[] = { 0,         START,     START + 1,  142857142, 142858142,
					  142858143, 999999999, 1000001000, 3000000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		for (uint64_t from = 0; from < 3; from++) {
			struct schedule s = open_loop(7, from == 2 ? 12 : 0), walk;
			uint64_t late, taken = 0, at;

			s.next = from;
			s.step = from + 1;
			s.end_ns = from == 1 ? 2000000000 : SCHEDULE_NEVER;
			late = schedule_late(&s, times[i]);
			walk = s;
			while (times[i] && schedule_take(&walk, times[i] - 1, &at))
				taken++;
			assert_int_equal(late, taken);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_an_open_loop_are_due_at_exact_times),
		cmocka_unit_test(a_late_request_keeps_the_time_it_was_meant_for),
		cmocka_unit_test(times_stay_exact_after_days),
		cmocka_unit_test(a_closed_loop_is_always_due_until_its_end),
		cmocka_unit_test(it_ends_after_its_number_of_requests),
		cmocka_unit_test(threads_share_a_schedule_without_gap_or_overlap),
		cmocka_unit_test(late_requests_are_counted_as_they_would_be_taken),
	};

	return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
