#include "agent/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"

/* A wait is 1 + random % step: this draws the whole of each step, 480000 is a multiple of them all. */
#define LONGEST (480000 - 1)

static void waits_grow_to_a_minute_while_there_is_no_stream(void **state)
{
	static const uint64_t waits[] = { 1050, 2050, 4050, 8050, 16050, 32050, 60050, 60050 };
	struct retry r;

	(void)state;
	retry_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		assert_int_equal(retry_next(&r, /* open_ms= */ 0, LONGEST), waits[i]);
}

static void a_stream_that_lived_as_long_as_the_wait_before_it_makes_the_next_one_short(void **state)
{
	static const struct {
		uint64_t open_ms, wait_ms;
	} lives[] = {
		{ 0, 1050 }, { 1049, 2050 },  { 2050, 1050 }, { 1050, 1050 }, { 0, 2050 },    { 0, 4050 },
		{ 0, 8050 }, { 4999, 16050 }, { 5000, 1050 }, { 0, 2050 },    { 2049, 4050 }, { 4050, 1050 },
	};
	struct retry r;

	(void)state;
	retry_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(lives); i++)
		assert_int_equal(retry_next(&r, lives[i].open_ms, LONGEST), lives[i].wait_ms);
}

static void five_breaks_of_good_connections_cost_no_long_wait(void **state)
{
	struct retry r;

	(void)state;
	retry_init(&r);
	for (size_t i = 0; i < 5; i++)
		assert_true(retry_next(&r, /* open_ms= */ 1500, LONGEST) <= RETRY_FLOOR_MS + RETRY_BASE_MS);
}

/* The same numbers each time. */
static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 20;
}

/* A principal lets each of a thousand agents in and breaks the stream after `open_ms`: attempts in a second, later on. */
static uint64_t storm(uint64_t open_ms)
{
	uint64_t random = 1, attempts = 0;

	for (size_t agent = 0; agent < 1000; agent++) {
		struct retry r;
		uint64_t now = 0;

		retry_init(&r);
		while ((now += open_ms + retry_next(&r, open_ms, draw(&random))) < 600000)
			attempts += now > 120000;
	}
	return attempts / 480;
}

static void a_principal_that_breaks_at_once_meets_no_storm(void **state)
{
	(void)state;
	assert_in_range(storm(/* open_ms= */ 20), 30, 40); /* the last step: half a minute on average */
	assert_in_range(storm(/* open_ms= */ 200), 30, 60);
	assert_in_range(storm(/* open_ms= */ 2000), 300, 410); /* each lives four times as long as it waits */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_to_a_minute_while_there_is_no_stream),
		cmocka_unit_test(a_stream_that_lived_as_long_as_the_wait_before_it_makes_the_next_one_short),
		cmocka_unit_test(five_breaks_of_good_connections_cost_no_long_wait),
		cmocka_unit_test(a_principal_that_breaks_at_once_meets_no_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
