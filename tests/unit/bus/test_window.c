/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "bus/window.h"

static struct window_slot *send(struct window *w, struct bus_publish *p, uint64_t now_ms)
{
	assert_int_equal(window_add(w, p, now_ms), E_OK);
	struct window_slot *slot = window_next(w);

	window_mark_sent(w, slot, now_ms * 1000000);
	return slot;
}

static void a_token_finds_its_publish_until_it_is_answered(void **state)
{
	struct bus_publish p[2] = { { .timeout_ms = 10 }, { .timeout_ms = 10 } };
	struct window w;
	char first[WINDOW_TOKEN_MAX];
	char second[WINDOW_TOKEN_MAX];

	(void)state;
	assert_int_equal(window_init(&w, 1), E_OK);
	struct window_slot *slot = send(&w, &p[0], 0);

	window_token(&w, slot, first);
	assert_int_equal(window_add(&w, &p[1], 0), E_UNAVAILABLE);
	assert_ptr_equal(window_find(&w, str_of(first)), slot);
	assert_ptr_equal(window_take(&w, slot), &p[0]);
	assert_null(window_find(&w, str_of(first)));
	slot = send(&w, &p[1], 0);
	window_token(&w, slot, second);
	assert_null(window_find(&w, str_of(first))); /* a late ack */
	assert_ptr_equal(window_find(&w, str_of(second)), slot);
	window_take(&w, slot);
	window_release(&w);
}

static void tokens_of_strangers_find_nothing(void **state)
{
	static const char *const tokens[] = {
		"", "0000000000000001x", "ffffffff00000001", "0000000g00000001", "000000000000000A", "0000000000000000"
	};
	struct bus_publish p = { .timeout_ms = 10 };
	struct window w;

	(void)state;
	assert_int_equal(window_init(&w, 4), E_OK);
	struct window_slot *slot = send(&w, &p, 0);

	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		assert_null(window_find(&w, str_of(tokens[i])));
	window_take(&w, slot);
	window_release(&w);
}

static void each_publish_is_due_after_its_own_time(void **state)
{
	struct bus_publish p[3] = { { .timeout_ms = 30 }, { .timeout_ms = 10 }, { .timeout_ms = 20 } };
	struct window w;

	(void)state;
	assert_int_equal(window_init(&w, 3), E_OK);
	assert_int_equal(window_next_ms(&w), UINT64_MAX);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(window_add(&w, &p[i], 100), E_OK);
	assert_int_equal(window_next_ms(&w), 110);
	assert_null(window_due(&w, 109));
	assert_ptr_equal(window_take(&w, window_due(&w, 110)), &p[1]);
	assert_ptr_equal(window_take(&w, window_due(&w, 500)), &p[2]);
	assert_ptr_equal(window_take(&w, window_due(&w, 500)), &p[0]);
	window_release(&w);
}

static void what_went_out_comes_first_and_in_order(void **state)
{
	struct bus_publish p[4] = { 0 };
	struct window w;

	(void)state;
	assert_int_equal(window_init(&w, 4), E_OK);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(window_add(&w, &p[i], 0), E_OK);
	window_mark_sent(&w, window_next(&w), 0);
	window_mark_sent(&w, window_next(&w), 0);
	for (size_t i = 0; i < 4; i++)
		assert_ptr_equal(window_take(&w, window_first(&w)), &p[i]);
	assert_null(window_first(&w));
	window_release(&w);
}

static bool wait_on(const struct bus_publish *p)
{
	return p != NULL;
}

/* Many of those that may wait stand before one that may not. */
static void those_that_may_wait_take_turns_with_the_others(void **state)
{
	struct bus_publish p[5] = { { .may_wait = wait_on }, { .may_wait = wait_on }, { .may_wait = wait_on } };
	static const unsigned order[] = { 3, 0, 4, 1, 2 };
	struct window w;

	(void)state;
	assert_int_equal(window_init(&w, 5), E_OK);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(window_add(&w, &p[i], 0), E_OK);
	for (size_t i = 0; i < 5; i++)
		window_mark_sent(&w, window_next(&w), 0);
	assert_null(window_next(&w));
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(window_first(&w)->number, i + 1);
		assert_ptr_equal(window_take(&w, window_first(&w)), &p[order[i]]);
	}
	window_release(&w);
}

static void without_memory_nothing_is_added(void **state)
{
	struct bus_publish p = { 0 };
	struct window w;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(window_init(&w, 4), E_NOMEM);
	assert_int_equal(window_init(&w, 4), E_OK);
	mem_fail_at(1);
	assert_int_equal(window_add(&w, &p, 0), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(w.used, 0);
	assert_int_equal(window_add(&w, &p, 0), E_OK);
	window_take(&w, window_first(&w));
	window_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_finds_its_publish_until_it_is_answered),
		cmocka_unit_test(tokens_of_strangers_find_nothing),
		cmocka_unit_test(each_publish_is_due_after_its_own_time),
		cmocka_unit_test(what_went_out_comes_first_and_in_order),
		cmocka_unit_test(those_that_may_wait_take_turns_with_the_others),
		cmocka_unit_test(without_memory_nothing_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
