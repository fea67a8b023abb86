/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "bus/lanes.h"

static struct entry *append(struct lanes *l, uint64_t pos, const char *name)
{
	struct entry *e = NULL;

	assert_int_equal(lanes_append(l, pos, (int64_t)pos * 10, STR("s"), str_of(name), &e), E_OK);
	return e;
}

static uint64_t resend(struct lanes *l, uint64_t now_ms, struct entry **ret_entry)
{
	struct entry *e = lanes_resend(l, now_ms);

	if (ret_entry)
		*ret_entry = e;
	return e ? e->pos : 0;
}

static void the_position_is_what_is_done_without_a_gap(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 10);
	assert_int_equal(lanes_position(&l), 10);
	struct entry *a = append(&l, 11, "a");
	struct entry *b = append(&l, 12, "b");
	struct entry *c = append(&l, 15, "a");

	assert_true(a->flying && b->flying && c->flying);
	lanes_done(&l, b);
	assert_int_equal(lanes_position(&l), 10);
	lanes_done(&l, a);
	assert_int_equal(lanes_position(&l), 14);
	lanes_done(&l, c);
	assert_int_equal(lanes_position(&l), 15);
	assert_int_equal(l.count, 0);
	lanes_release(&l);
}

static void after_a_failure_the_route_goes_on_in_order_and_others_do_not_notice(void **state)
{
	struct lanes l;
	struct entry *e;

	(void)state;
	lanes_init(&l, 0);
	struct entry *a1 = append(&l, 1, "a");
	struct entry *a2 = append(&l, 2, "a");
	struct entry *b3 = append(&l, 3, "b");
	struct entry *a4 = append(&l, 4, "a");

	assert_true(lanes_failed(&l, a2, /* now_ms= */ 1000, /* random= */ 49)); /* held until 1050 */
	assert_int_equal(lanes_next_ms(&l), UINT64_MAX);                         /* two are still in flight */
	assert_false(append(&l, 5, "a")->flying);
	assert_true(append(&l, 6, "b")->flying);
	lanes_done(&l, b3);
	assert_int_equal(resend(&l, 5000, NULL), 0);
	assert_false(lanes_failed(&l, a1, 1001, 0)); /* the same trouble: no longer wait */
	lanes_done(&l, a4);
	assert_int_equal(lanes_next_ms(&l), 1050);
	assert_int_equal(resend(&l, 1049, NULL), 0);
	assert_int_equal(resend(&l, 1050, &e), 1); /* the oldest, alone */
	assert_int_equal(resend(&l, 1050, NULL), 0);
	assert_true(lanes_failed(&l, e, 2000, 199) == false); /* the next step: 200 ms */
	assert_int_equal(lanes_next_ms(&l), 2200);
	assert_int_equal(resend(&l, 2200, &e), 1);
	assert_true(lanes_done(&l, e));
	assert_int_equal(lanes_position(&l), 1);
	assert_int_equal(resend(&l, 2200, &e), 2); /* then the rest, in order */
	assert_false(append(&l, 7, "a")->flying);
	assert_int_equal(resend(&l, 2200, NULL), 5);
	assert_int_equal(resend(&l, 2200, NULL), 7);
	assert_int_equal(resend(&l, 2200, NULL), 0);
	assert_true(append(&l, 8, "a")->flying);
	lanes_done(&l, e);
	assert_int_equal(lanes_position(&l), 4);
	lanes_release(&l);
}

static void waits_grow_to_a_cap_and_start_again_when_the_bus_returns(void **state)
{
	static const uint64_t steps[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	struct lanes l;
	uint64_t now = 0;

	(void)state;
	lanes_init(&l, 0);
	struct entry *e = append(&l, 1, "a");

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		lanes_failed(&l, e, now, steps[i] - 1);
		assert_int_equal(lanes_next_ms(&l), now + steps[i]);
		now += steps[i];
		assert_int_equal(resend(&l, now, &e), 1);
	}
	lanes_failed(&l, e, now, 29999);
	lanes_retry_all(&l, now);
	assert_int_equal(resend(&l, now, &e), 1);
	lanes_failed(&l, e, now, 99);
	assert_int_equal(lanes_next_ms(&l), now + 100);
	lanes_release(&l);
}

static void routes_that_went_away_are_forgotten(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		char name[24];

		snprintf(name, sizeof(name), "route-%llu", (unsigned long long)i);
		lanes_done(&l, append(&l, i, name));
	}
	assert_true(l.map.n <= 257);
	lanes_release(&l);
}

static void without_memory_nothing_is_added(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	for (long at = 1;; at++) {
		struct entry *e = NULL;

		mem_fail_at(at);
		enum err err = lanes_append(&l, 1, 0, STR("s"), STR("n"), &e);

		mem_fail_at(0);
		if (!err)
			break;
		assert_int_equal(err, E_NOMEM);
		assert_int_equal(l.read_pos, 0);
		assert_int_equal(l.count, 0);
	}
	lanes_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_position_is_what_is_done_without_a_gap),
		cmocka_unit_test(after_a_failure_the_route_goes_on_in_order_and_others_do_not_notice),
		cmocka_unit_test(waits_grow_to_a_cap_and_start_again_when_the_bus_returns),
		cmocka_unit_test(routes_that_went_away_are_forgotten),
		cmocka_unit_test(without_memory_nothing_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
