/* A clock that is wrong for a while: what is forgotten by age stays. The store's clocks are this test's. */
#include "fixture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "power_vfs.h"
#include "store/age.h"
#include "store/store_tool.h"

#define HOUR_MS 3600000LL
#define YEAR_MS (8766 * HOUR_MS)

static _Atomic int64_t ahead_ms; /* the writer looks at both, too */
static _Atomic uint64_t later_ms;

int64_t __real_clock_wall_ms(void);
int64_t __wrap_clock_wall_ms(void);

int64_t __wrap_clock_wall_ms(void)
{
	return __real_clock_wall_ms() + ahead_ms;
}

uint64_t __real_clock_mono_ms(void);
uint64_t __wrap_clock_mono_ms(void);

uint64_t __wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + later_ms;
}

/* ---- the clock ------------------------------------------------------------------------------------------------------ */

/* One after the other. */
static const struct {
	uint64_t mono_ms;
	int64_t wall_ms, believed_ms;
} looks[] = {
	{ 1000, 10 * YEAR_MS, 10 * YEAR_MS },
	{ 6000, 10 * YEAR_MS + 5000, 10 * YEAR_MS + 5000 },
	{ 7000, 10 * YEAR_MS + 65999, 10 * YEAR_MS + 65999 },                     /* corrected by less than a minute */
	{ 8000, 20 * YEAR_MS, 10 * YEAR_MS + 66999 },                             /* a step ahead */
	{ 8000 + HOUR_MS - 1, 20 * YEAR_MS, 10 * YEAR_MS + 66999 + HOUR_MS - 1 }, /* time goes by all the same */
	{ 8000 + HOUR_MS, 10 * YEAR_MS + 67000 + HOUR_MS, 10 * YEAR_MS + 67000 + HOUR_MS }, /* it was an error */
	{ 9000 + HOUR_MS, 10 * YEAR_MS + HOUR_MS * 3, 10 * YEAR_MS + 68000 + HOUR_MS },     /* another one */
	{ 9000 + HOUR_MS * 2, 10 * YEAR_MS + HOUR_MS * 4,
	  10 * YEAR_MS + HOUR_MS * 4 }, /* stands for an hour: was none */
	{ 9000 + HOUR_MS * 2, 10 * YEAR_MS + HOUR_MS * 9, 10 * YEAR_MS + HOUR_MS * 4 }, /* ahead, */
	{ 8999 + HOUR_MS * 3, 20 * YEAR_MS, 10 * YEAR_MS + HOUR_MS * 5 - 1 }, /* and once more: that has not stood, */
	{ 9000 + HOUR_MS * 3, 20 * YEAR_MS, 10 * YEAR_MS + HOUR_MS * 5 },
	{ 8998 + HOUR_MS * 4, 11 * YEAR_MS, 10 * YEAR_MS + HOUR_MS * 6 - 2 }, /* nor when it goes back a part of it, */
	{ 8999 + HOUR_MS * 4, 11 * YEAR_MS, 10 * YEAR_MS + HOUR_MS * 6 - 1 },
	{ 8998 + HOUR_MS * 5, 11 * YEAR_MS + HOUR_MS, 11 * YEAR_MS + HOUR_MS }, /* until that has */
	{ 9001 + HOUR_MS * 5, 3 * YEAR_MS, 3 * YEAR_MS },                       /* back */
	{ 9002 + HOUR_MS * 5, 3 * YEAR_MS + 1, 3 * YEAR_MS + 1 },
};

static void a_step_ahead_is_believed_when_it_has_stood_for_an_hour(void **state)
{
	struct age age;

	(void)state;
	age_init(&age, looks[0].wall_ms, looks[0].mono_ms);
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		assert_int_equal(age_now(&age, looks[i].wall_ms, looks[i].mono_ms), looks[i].believed_ms);
}

/* ---- the store ------------------------------------------------------------------------------------------------------ */

static int setup(void **state)
{
	power_reset(1);
	ahead_ms = 0;
	later_ms = 0;
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static struct store_info info_of(struct fixture *f)
{
	struct store_info info;

	assert_int_equal(store_info(f->dir, &info, &f->why), E_OK);
	return info;
}

static void open_and_put(struct fixture *f, int events)
{
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < events; i++)
		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
}

static bool none_is_left(struct fixture *f)
{
	return info_of(f).events == 0;
}

/* Retention looks with the next commit; what may go is gone some commits later. */
static void look(struct fixture *f)
{
	f->config.retain_ms = HOUR_MS;
	store_set_limits(f->store, &f->config);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fixture_put_one(f, "look", NULL, NULL, NULL), E_OK);
}

static void a_clock_that_is_ahead_lets_nothing_go(void **state)
{
	struct fixture *f = *state;

	f->config.forward_all = true;
	open_and_put(f, 10);
	ahead_ms = 10 * YEAR_MS;
	look(f);
	assert_int_equal(info_of(f).first, 1);
}

static void a_repeat_is_known_while_the_clock_is_ahead(void **state)
{
	struct fixture *f = *state;
	bool duplicate = false;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "a", "key", NULL, NULL), E_OK);
	ahead_ms = YEAR_MS;
	assert_int_equal(fixture_put_one(f, "a", "key", NULL, &duplicate), E_OK);
	assert_true(duplicate);
}

/* As after a boot before the time is known. What was stored until then says how late it was at least. */
static void a_clock_that_is_ahead_at_the_start_lets_nothing_go(void **state)
{
	struct fixture *f = *state;

	f->config.forward_all = true;
	open_and_put(f, 10);
	fixture_close(f);
	ahead_ms = 10 * YEAR_MS;
	open_and_put(f, 0);
	look(f);
	assert_int_equal(info_of(f).first, 1);
}

static bool is_known(struct fixture *f, const char *key)
{
	bool duplicate = false;

	assert_int_equal(fixture_put_one(f, "a", key, NULL, &duplicate), E_OK);
	return duplicate;
}

static void a_repeat_is_known_when_the_clock_was_ahead_at_the_start(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_open(f), E_OK);
	assert_false(is_known(f, "key"));
	fixture_close(f);
	ahead_ms = YEAR_MS;
	assert_int_equal(fixture_open(f), E_OK);
	assert_true(is_known(f, "key"));
	ahead_ms = 0;
	assert_true(is_known(f, "key"));
}

static bool is_back(struct fixture *f)
{
	return store_state(f->store) == STORE_OK;
}

static void a_repeat_is_known_when_the_disk_failed_while_the_clock_was_ahead(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_open(f), E_OK);
	assert_false(is_known(f, "key"));
	ahead_ms = YEAR_MS;
	power_fail(POWER_SYNC, 1, 1);
	assert_int_equal(fixture_put_one(f, "b", NULL, NULL, NULL), E_UNAVAILABLE);
	fixture_until(f, is_back);
	assert_true(is_known(f, "key"));
}

/* All events have gone: when, the store knows. */
static void a_repeat_of_what_was_let_go_is_known_when_the_clock_is_ahead_at_the_start(void **state)
{
	struct fixture *f = *state;

	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	assert_false(is_known(f, "key"));
	fixture_until(f, none_is_left);
	fixture_close(f);
	ahead_ms = YEAR_MS;
	assert_int_equal(fixture_open(f), E_OK);
	assert_true(is_known(f, "key"));
}

static int64_t stored_ms(struct fixture *f)
{
	struct store_row row = fixture_row("a", NULL, "{}");

	assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
	return row.stored_ms;
}

/* Readers find a time's place by halving; a clock that is set back by more is believed all the same. */
static void times_stay_in_order_when_the_clock_is_set_back_a_little(void **state)
{
	struct fixture *f = *state;
	int64_t first, second;

	assert_int_equal(fixture_open(f), E_OK);
	first = stored_ms(f);
	ahead_ms = -30000;
	second = stored_ms(f);
	assert_true(second >= first);
	ahead_ms = -HOUR_MS;
	assert_true(stored_ms(f) < first);
}

static uint64_t wanted_first;

static bool first_is_wanted(struct fixture *f)
{
	return info_of(f).first == wanted_first;
}

static void what_is_old_goes(void **state)
{
	struct fixture *f = *state;

	f->config.forward_all = true;
	ahead_ms = -2 * HOUR_MS;
	open_and_put(f, 10);
	fixture_close(f);
	ahead_ms = 0;
	open_and_put(f, 1);
	later_ms = HOUR_MS;
	look(f);
	wanted_first = 11;
	fixture_until(f, first_is_wanted);
}

/* More of them than retention looks at in one go. */
static void what_was_stored_while_the_clock_was_ahead_goes_with_what_is_behind_it(void **state)
{
	static struct store_row rows[2500];
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = fixture_row("ahead", NULL, "{}");
	f->config.forward_all = true;
	ahead_ms = -2 * HOUR_MS;
	open_and_put(f, 1);
	ahead_ms = YEAR_MS;
	assert_int_equal(fixture_put(f, rows, ARRAY_LEN(rows), NULL), E_OK);
	ahead_ms = -2 * HOUR_MS;
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	ahead_ms = YEAR_MS;
	assert_int_equal(fixture_put_one(f, "ahead, and nothing old is behind it", NULL, NULL, NULL), E_OK);
	fixture_close(f);
	ahead_ms = 0;
	open_and_put(f, 0);
	look(f);
	wanted_first = ARRAY_LEN(rows) + 3;
	fixture_until(f, first_is_wanted);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	assert_int_equal(info_of(f).first, wanted_first);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_ahead_is_believed_when_it_has_stood_for_an_hour),
		T(a_clock_that_is_ahead_lets_nothing_go),
		T(a_repeat_is_known_while_the_clock_is_ahead),
		T(a_clock_that_is_ahead_at_the_start_lets_nothing_go),
		T(a_repeat_is_known_when_the_clock_was_ahead_at_the_start),
		T(a_repeat_is_known_when_the_disk_failed_while_the_clock_was_ahead),
		T(a_repeat_of_what_was_let_go_is_known_when_the_clock_is_ahead_at_the_start),
		T(times_stay_in_order_when_the_clock_is_set_back_a_little),
		T(what_is_old_goes),
		T(what_was_stored_while_the_clock_was_ahead_goes_with_what_is_behind_it),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
