/* What the main thread makes of the loops' signs of life. */
#include "gateway/process.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define LONG_MS 60000

/* Is a gateway with one loop alive, whose last sign of life was at this time? */
static bool is_alive(uint64_t alive_ms, bool ended)
{
	struct process *p = mem_alloc(sizeof(*p));
	struct worker *w = mem_alloc(sizeof(*w));
	bool alive;

	assert_non_null(p);
	assert_non_null(w);
	p->gateway.workers = w;
	p->gateway.worker_count = 1;
	atomic_store(&w->alive_ms, alive_ms);
	w->ended = ended;
	alive = health_alive(p);
	mem_free(w);
	mem_free(p);
	return alive;
}

/* The loop looks at the clock in its own thread: a moment after whoever asks, at times. */
static void a_sign_of_life_from_after_the_look_at_the_clock_is_one(void **state)
{
	(void)state;
	assert_true(is_alive(clock_mono_ms(), false));
	assert_true(is_alive(clock_mono_ms() + LONG_MS, false));
}

static void a_loop_that_is_silent_for_long_is_not_alive_unless_it_has_ended(void **state)
{
	uint64_t now = clock_mono_ms();

	(void)state;
	if (now < LONG_MS) /* the machine has just started */
		skip();
	assert_false(is_alive(now - LONG_MS, false));
	assert_true(is_alive(now - LONG_MS, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sign_of_life_from_after_the_look_at_the_clock_is_one),
		cmocka_unit_test(a_loop_that_is_silent_for_long_is_not_alive_unless_it_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
