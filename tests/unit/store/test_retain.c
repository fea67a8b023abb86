/* What may go and what may not: retention, the cap, positions and dead letters. */
#include "fixture.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "power_vfs.h"
#include "store/space.h"
#include "store/store_impl.h"
#include "store/store_tool.h"

static char big[8000];

static int setup(void **state)
{
	power_reset(1);
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static enum err put_big(struct fixture *f, const char *key)
{
	struct store_row row = fixture_row("big", key, NULL);

	row.data = (struct str){ big, sizeof(big) };
	return fixture_put(f, &row, 1, NULL);
}

static struct store_info info_of(struct fixture *f)
{
	struct store_info info;

	assert_int_equal(store_info(f->dir, &info, &f->why), E_OK);
	return info;
}

static uint64_t wanted_first;

static bool first_is_wanted(struct fixture *f)
{
	(void)put_big(f, NULL); /* each group may take a slice with it */
	return info_of(f).first >= wanted_first;
}

/* ---- retention ------------------------------------------------------------------------------------------------------ */

static void what_was_forwarded_goes_by_size_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct store_info info;

	f->config.forward_all = true;
	f->config.retain_bytes = 400 << 10;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	wanted_first = 40;
	store_set_limits(f->store, &f->config);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	fixture_until(f, first_is_wanted);
	info = info_of(f);
	assert_true(info.events >= 20 && info.events == info.last - info.first + 1);
	/* And so it goes on: what has gone counts no more. */
	for (int i = 0; i < 300; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	wanted_first = 340;
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	fixture_until(f, first_is_wanted);
	info = info_of(f);
	assert_true(info.events >= 20 && info.events <= 100);
}

static void what_no_bus_has_taken_stays(void **state)
{
	struct fixture *f = *state;

	f->config.retain_bytes = 1;
	f->config.retain_ms = 1;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(fixture_open(f), E_OK);
		for (int i = 0; i < 10; i++)
			assert_int_equal(put_big(f, NULL), E_OK);
		fixture_close(f);
	}
	assert_int_equal(info_of(f).events, 30);
	assert_int_equal(info_of(f).first, 1);
}

static void the_slowest_bus_decides(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 20; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(store_forwarded(f->store, "slow", &pos, &f->why), E_OK);
	store_set_forwarded(f->store, "fast", 20);
	store_set_forwarded(f->store, "slow", 7);
	wanted_first = 8;
	fixture_until(f, first_is_wanted);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(info_of(f).first, 8);
}

/* The position of the bus does not hold for it. */
/* It got what was stored while it was in use. */
static void a_bus_that_is_no_longer_in_use_is_not_waited_for(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(store_forwarded(f->store, "former", &pos, &f->why), E_OK);
	store_set_forwarded(f->store, "former", 1);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	for (int i = 0; i < 19; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	store_set_forwarded(f->store, "bus", 10);
	wanted_first = 11;
	fixture_until(f, first_is_wanted);
}

static void what_a_held_route_waits_for_is_kept(void **state)
{
	const struct store_held held[] = { { STR("s"), STR("a"), 11, 1 }, { STR("s"), STR("b"), 7, 2 } };
	struct fixture *f = *state;
	uint64_t pos;

	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 20; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	store_set_forwarded_but(f->store, "bus", 20, held, 2);
	wanted_first = 8;
	fixture_until(f, first_is_wanted);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(info_of(f).first, 8);
	store_set_forwarded_but(f->store, "bus", 20, held, 1);
	wanted_first = 12;
	fixture_until(f, first_is_wanted);
}

static bool some_have_gone(struct fixture *f)
{
	struct store_info info = info_of(f);

	return info.events < info.last;
}

static void dead_letters_keep_their_events(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, "k1"), E_OK);
	assert_int_equal(fixture_dead(f, 1, "bus", "too large"), E_OK);
	assert_int_equal(fixture_dead(f, 1, "other", "too large"), E_OK);
	fixture_close(f);
	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK); /* a start looks at once */
	assert_int_equal(put_big(f, NULL), E_OK);
	fixture_until(f, some_have_gone);
	assert_int_equal(info_of(f).first, 1);
	assert_int_equal(info_of(f).dead, 2);
	assert_int_equal(store_check(f->dir, NULL, NULL, NULL, &f->why), E_OK);
	assert_int_equal(fixture_dead_remove(f, 1, "other"), E_OK);
	assert_int_equal(info_of(f).first, 1);
	assert_int_equal(fixture_dead_remove(f, 1, "bus"), E_OK);
	assert_int_not_equal(info_of(f).first, 1); /* retention is past it: this was what kept it */
}

static int64_t widest_step(struct fixture *f)
{
	char path[192];
	struct db db;
	int64_t widest = -1;

	(void)snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	assert_int_equal(db_open(path, SQLITE_OPEN_READONLY, DB_BUSY_MS, &f->why, &db), E_OK);
	assert_int_equal(db_i64(&db,
				"SELECT max(pos - before) FROM (SELECT pos, lag(pos, 1, 0) OVER (ORDER BY pos) AS "
				"before FROM steps)",
				&f->why, &widest),
			 E_OK);
	db_close(&db);
	return widest;
}

/* A thousand events of a megabyte would be a gigabyte to read while everybody waits. */
static void large_events_go_a_few_at_a_time(void **state)
{
	static char large[200000];
	struct fixture *f = *state;
	struct store_row row = fixture_row("large", NULL, NULL);

	row.data = (struct str){ large, sizeof(large) };
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 150; i++)
		assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
	fixture_close(f);
	fixture_sql(f->dir, "INSERT INTO settings VALUES('removed_pos', 0); CREATE TABLE steps(pos);"
			    "CREATE TRIGGER step AFTER UPDATE ON settings WHEN NEW.name = 'removed_pos'"
			    " BEGIN INSERT INTO steps VALUES(NEW.value); END");
	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	wanted_first = 150;
	fixture_until(f, first_is_wanted);
	fixture_close(f);
	assert_in_range(widest_step(f), 1, 48);
}

static void forbid(struct fixture *f, const char *what)
{
	char sql[200];

	(void)snprintf(sql, sizeof(sql), "CREATE TRIGGER forbidden BEFORE %s BEGIN SELECT RAISE(ABORT, 'not now'); END",
		       what);
	fixture_sql(f->dir, sql);
}

static void allow(struct fixture *f)
{
	fixture_sql(f->dir, "DROP TRIGGER forbidden");
}

static bool has_failed(struct fixture *f)
{
	return store_state(f->store) == STORE_FAILED;
}

/* All of it or nothing: what says that it has gone, and its going. */
static void what_cannot_be_let_go_stays_until_it_can(void **state)
{
	static const char *const steps[] = { "DELETE ON events", "INSERT ON settings WHEN NEW.name = 'removed_ms'",
					     "INSERT ON settings WHEN NEW.name = 'removed_pos'" };
	struct fixture *f = *state;

	f->config.forward_all = true;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct store_info before;

		f->config.retain_bytes = 0;
		assert_int_equal(fixture_open(f), E_OK);
		for (int n = 0; n < 10; n++)
			assert_int_equal(put_big(f, NULL), E_OK);
		fixture_close(f);
		before = info_of(f);
		forbid(f, steps[i]);
		f->config.retain_bytes = 1;
		assert_int_equal(fixture_open(f), E_OK);
		fixture_until(f, has_failed);
		assert_int_equal(info_of(f).first, before.first);
		assert_int_equal(info_of(f).events, before.events);
		allow(f);
		wanted_first = before.first + 1;
		fixture_until(f, first_is_wanted);
		fixture_close(f);
	}
}

static bool dead_letter_goes(struct fixture *f)
{
	return fixture_dead_remove(f, 1, "bus") == E_OK;
}

static void a_dead_letter_whose_event_cannot_go_stays(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(fixture_dead(f, 1, "bus", "too large"), E_OK);
	fixture_close(f);
	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	while (!some_have_gone(f)) /* retention is past it then */
		assert_int_equal(put_big(f, NULL), E_OK);
	forbid(f, "DELETE ON events WHEN OLD.pos = 1");
	assert_int_equal(fixture_dead_remove(f, 1, "bus"), E_UNAVAILABLE);
	assert_int_equal(info_of(f).dead, 1);
	assert_int_equal(info_of(f).first, 1);
	allow(f);
	fixture_until(f, dead_letter_goes);
	assert_int_equal(info_of(f).dead, 0);
	assert_int_not_equal(info_of(f).first, 1);
}

/* Some of `n` events go; the position of the last of them. */
static uint64_t let_some_go(struct fixture *f, int n, struct store_reader **ret_reader)
{
	uint64_t gone = 0;

	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	for (int i = 0; i < n; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK); /* a start looks at once */
	assert_int_equal(put_big(f, NULL), E_OK);
	fixture_until(f, some_have_gone);
	fixture_close(f);
	assert_int_equal(store_reader_open(f->dir, &f->why, ret_reader), E_OK);
	assert_int_equal(store_gone(*ret_reader, 1, UINT64_MAX, &gone, &f->why), E_OK);
	return gone;
}

static uint64_t gone_of(struct fixture *f, struct store_reader *reader, uint64_t from, uint64_t to)
{
	uint64_t gone = 77;

	assert_int_equal(store_gone(reader, from, to, &gone, &f->why), E_OK);
	return gone;
}

static void what_was_let_go_is_missed_by_position_and_by_time(void **state)
{
	struct fixture *f = *state;
	struct store_reader *reader;
	uint64_t last, pos = 0;

	assert_int_equal(fixture_open(f), E_OK);
	last = let_some_go(f, 10, &reader);
	assert_true(last > 4 && last <= 11);
	assert_int_equal(gone_of(f, reader, 0, UINT64_MAX), 0);
	assert_int_equal(gone_of(f, reader, 2, 4), 4);
	assert_int_equal(gone_of(f, reader, last, last), last);
	assert_int_equal(gone_of(f, reader, last + 1, UINT64_MAX), 0);
	assert_int_equal(store_pos_at(reader, 1, &pos, &f->why), E_OK);
	assert_int_equal(pos, 1);
	assert_int_equal(store_pos_at(reader, INT64_MAX, &pos, &f->why), E_OK);
	assert_int_equal(pos, 12);
	store_reader_close(reader);
}

static void a_dead_letter_is_not_missed(void **state)
{
	struct fixture *f = *state;
	struct store_reader *reader;
	uint64_t last, pos = 0;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(fixture_dead(f, 2, "bus", "too large"), E_OK);
	last = let_some_go(f, 8, &reader);
	assert_int_equal(gone_of(f, reader, 2, 2), 0);
	assert_int_equal(gone_of(f, reader, 1, 2), 2);
	assert_int_equal(gone_of(f, reader, 2, UINT64_MAX), last);
	assert_int_equal(store_pos_at(reader, clock_wall_ms() + 1000, &pos, &f->why), E_OK);
	assert_int_equal(pos, 12); /* after all that went */
	store_reader_close(reader);
}

static void nothing_is_missed_where_nothing_was_let_go(void **state)
{
	struct fixture *f = *state;
	struct store_reader *reader;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	assert_int_equal(store_reader_open(f->dir, &f->why, &reader), E_OK);
	assert_int_equal(gone_of(f, reader, 1, UINT64_MAX), 0);
	assert_int_equal(gone_of(f, reader, 5, 9), 0);
	store_reader_close(reader);
}

/* Retention looks at every start, in a turn of the writer of its own: a group without events makes it turn. */
static void look_again(struct fixture *f)
{
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_dead_remove(f, 1, "bus"), E_OK);
}

static void positions_go_on_when_every_event_has_gone(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	while (info_of(f).events)
		look_again(f);
	assert_int_equal(info_of(f).last, 5);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_last(f->store), 5);
	assert_int_equal(fixture_put_one(f, "a", NULL, &pos, NULL), E_OK);
	assert_int_equal(pos, 6);
}

static void a_key_outlives_its_event(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;
	bool duplicate;

	f->config.forward_all = true;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, "k"), E_OK);
	while (info_of(f).first == 1) {
		look_again(f);
		assert_int_equal(fixture_put_one(f, "other", NULL, NULL, NULL), E_OK);
	}
	assert_int_equal(fixture_put_one(f, "again", "k", &pos, &duplicate), E_OK);
	assert_true(duplicate && pos == 1);
}

static bool all_have_gone(struct fixture *f)
{
	poll(NULL, 0, 10);
	return info_of(f).events == 0;
}

/* Nothing comes, nothing is forwarded: only time goes by. */
static void what_has_become_too_old_goes_by_itself(void **state)
{
	struct fixture *f = *state;

	f->config.forward_all = true;
	f->config.retain_ms = 2000;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	fixture_until(f, all_have_gone);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Time goes by while nothing can happen: nothing may happen. */
static bool a_while_costs_nothing(void)
{
	static const struct timespec a_while = { .tv_nsec = 300000000 };
	uint64_t before = cpu_ns();

	nanosleep(&a_while, NULL);
	return cpu_ns() - before < 60000000;
}

/* It had looked further than it let go: the keys go first. */
static void what_a_shorter_age_has_judged_stays_when_it_becomes_longer(void **state)
{
	struct fixture *f = *state;

	f->config.forward_all = true;
	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	f->store->judged_ms = 1;
	f->store->judged_pos = f->store->aged_pos = 10;
	f->config.retain_ms = 86400000;
	store_set_limits(f->store, &f->config);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_big(f, NULL), E_OK);
	fixture_close(f);
	assert_int_equal(info_of(f).first, 1);
}

static void waiting_for_something_to_let_go_costs_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned looks = 0;
	uint64_t pos;

	f->config.retain_ms = 1000000;
	f->config.retain_bytes = 1;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	assert_int_equal(put_big(f, NULL), E_OK);
	while (!a_while_costs_nothing()) /* what came before may go on for a moment */
		assert_true(++looks < 20);
}

/* ---- the cap -------------------------------------------------------------------------------------------------------- */

static bool takes_writes(struct fixture *f)
{
	return put_big(f, NULL) == E_OK;
}

static void a_full_store_refuses_new_events_and_keeps_the_old(void **state)
{
	struct fixture *f = *state;
	enum err err = E_OK;
	bool warned = false;
	size_t stored = 0;
	bool duplicate;

	f->config.max_bytes = 1 << 20;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(put_big(f, "k"), E_OK);
	for (stored = 1; err == E_OK; stored += err == E_OK) {
		err = put_big(f, NULL);
		warned |= store_state(f->store) == STORE_NEARLY_FULL;
	}
	assert_int_equal(err, E_FULL);
	assert_true(warned);
	assert_true(stored > 80 && stored < 140);
	assert_int_equal(store_state(f->store), STORE_FULL);
	assert_int_equal(fixture_count(f), stored);
	assert_int_equal(fixture_dead(f, 1, "bus", "reason"), E_OK); /* forwarding goes on */
	assert_int_equal(fixture_put_one(f, "big", "k", NULL, &duplicate), E_OK);
	assert_true(duplicate); /* it is stored: that is the truth */
	assert_true(store_bytes(f->store) >= 1 << 20);
	f->config.max_bytes = 2 << 20;
	store_set_limits(f->store, &f->config);
	fixture_until(f, takes_writes);
}

static const struct {
	uint64_t used;
	enum store_state from, to;
} moves[] = {
	{ 0, STORE_OK, STORE_OK },
	{ 849, STORE_OK, STORE_OK },
	{ 850, STORE_OK, STORE_NEARLY_FULL },
	{ 999, STORE_NEARLY_FULL, STORE_NEARLY_FULL },
	{ 1000, STORE_NEARLY_FULL, STORE_FULL },
	{ 1000, STORE_OK, STORE_FULL },
	{ 950, STORE_FULL, STORE_FULL },
	{ 949, STORE_FULL, STORE_NEARLY_FULL },
	{ 800, STORE_NEARLY_FULL, STORE_NEARLY_FULL },
	{ 799, STORE_NEARLY_FULL, STORE_OK },
	{ 799, STORE_FULL, STORE_OK },
};

static void the_state_does_not_flutter(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		struct space s = { .max = 100000, .measured = moves[i].used * 100, .state = moves[i].from };

		assert_int_equal(space_update(&s), moves[i].to);
	}
}

/* ---- positions and dead letters ------------------------------------------------------------------------------------- */

static void positions_are_kept_and_only_rise(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	assert_int_equal(pos, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	store_set_forwarded(f->store, "bus", 2);
	store_set_forwarded(f->store, "bus", 1);
	fixture_close(f);
	assert_int_equal(info_of(f).bus_count, 1);
	assert_string_equal(info_of(f).buses[0].name, "bus");
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	assert_int_equal(pos, 2);
}

static enum err on_held(void *ctx, const struct store_held *held)
{
	char *text = ctx;
	size_t at = strlen(text);

	snprintf(text + at, 200 - at, "%.*s/%.*s %llu %llu; ", STR_ARG(held->source), STR_ARG(held->name),
		 (unsigned long long)held->forwarded, (unsigned long long)held->waiting);
	return E_OK;
}

static void expect_held(struct fixture *f, uint64_t want_pos, const char *want)
{
	char text[200] = "";
	uint64_t pos;

	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	assert_int_equal(pos, want_pos);
	assert_int_equal(store_each_held(f->store, "bus", on_held, text), E_OK);
	assert_string_equal(text, want);
}

/* As after an older file took the place of this one: what is stored from now on was not taken. */
static void a_position_behind_the_last_event_counts_as_that(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	store_set_forwarded(f->store, "bus", 1);
	fixture_close(f);
	fixture_sql(f->dir, "UPDATE buses SET forwarded = 9");
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	assert_int_equal(pos, 1);
}

static void exceptions_are_kept_with_their_position_and_go_with_it(void **state)
{
	struct store_held held[] = { { STR("s"), STR("a"), 1, 2 }, { STR("s"), STR("b"), 2, 1 } };
	struct fixture *f = *state;

	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	store_set_forwarded(f->store, "other", 4);
	expect_held(f, 0, "");
	store_set_forwarded_but(f->store, "bus", 4, held, 2);
	expect_held(f, 4, "s/a 1 2; s/b 2 1; ");
	held[0].waiting = 1;
	store_set_forwarded_but(f->store, "bus", 4, held, 2);
	expect_held(f, 4, "s/a 1 1; s/b 2 1; ");
	held[1].name = (struct str)STR("c"); /* whichever part of one is another */
	store_set_forwarded_but(f->store, "bus", 4, held, 2);
	expect_held(f, 4, "s/a 1 1; s/c 2 1; ");
	held[1].source = (struct str)STR("t");
	store_set_forwarded_but(f->store, "bus", 4, held, 2);
	expect_held(f, 4, "s/a 1 1; t/c 2 1; ");
	held[1].forwarded = 3;
	store_set_forwarded_but(f->store, "bus", 4, held, 2);
	expect_held(f, 4, "s/a 1 1; t/c 3 1; ");
	store_set_forwarded_but(f->store, "bus", 5, held, 2);
	expect_held(f, 5, "s/a 1 1; t/c 3 1; ");
	store_set_forwarded_but(f->store, "bus", 5, held + 1, 1);
	expect_held(f, 5, "t/c 3 1; ");
	assert_int_equal(info_of(f).buses[0].held, 1);
	assert_int_equal(info_of(f).buses[1].held, 0);
	store_set_forwarded_but(f->store, "bus", 1, NULL, 0); /* too many of them: back to before the first */
	expect_held(f, 1, "");
}

static void without_memory_for_an_exception_all_stays_as_it_was(void **state)
{
	char source[] = "s";
	const struct store_held held[] = { { { source, 1 }, STR("a"), 1, 2 }, { STR("s"), STR("b"), 2, 1 } };
	struct fixture *f = *state;
	uint64_t pos;

	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 5; i++)
		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	store_set_forwarded_but(f->store, "bus", 3, held, 1);
	source[0] = 'x'; /* it was lent for the call only */
	mem_fail_at(2);
	store_set_forwarded_but(f->store, "bus", 4, held, 2);
	mem_fail_at(0);
	expect_held(f, 3, "s/a 1 2; ");
}

static bool position_is_on_disk(struct fixture *f)
{
	return info_of(f).bus_count == 1;
}

/* Nothing becomes due by itself any more: SLEEPING of wake.c. */
static bool writer_sleeps(struct fixture *f)
{
	return atomic_load(&f->store->wake.word) == 2;
}

static void a_position_reaches_the_disk_without_another_event(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	fixture_until(f, writer_sleeps);
	store_set_forwarded(f->store, "bus", 1);
	fixture_until(f, position_is_on_disk);
}

struct dead_seen {
	char text[512];
	size_t n;
};

static bool on_dead(void *ctx, const struct store_dead_row *row)
{
	struct dead_seen *seen = ctx;
	int n = snprintf(seen->text + seen->n, sizeof(seen->text) - seen->n, "%llu %s %s %.*s; ",
			 (unsigned long long)row->pos, row->bus, row->reason, STR_ARG(row->event.id));

	assert_true(row->at_ms > 1600000000000);
	seen->n += (size_t)n;
	return true;
}

static void dead_letters_are_listed_with_their_events(void **state)
{
	struct fixture *f = *state;
	struct dead_seen seen = { .n = 0 };
	struct store_reader *r;

	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_put_one(f, i == 1 ? "b" : "a", NULL, NULL, NULL), E_OK);
	assert_int_equal(fixture_dead(f, 2, "nats", "too large"), E_OK);
	assert_int_equal(fixture_dead(f, 2, "kafka", "bad subject"), E_OK);
	assert_int_equal(fixture_dead(f, 1, "nats", "x"), E_OK);
	assert_int_equal(fixture_dead(f, 2, "nats", "larger still"), E_OK);
	assert_int_equal(fixture_dead_remove(f, 1, "nats"), E_OK);
	assert_int_equal(fixture_dead_remove(f, 3, "nats"), E_OK);
	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_OK);
	assert_int_equal(store_read_dead(r, 0, on_dead, &seen, &f->why), E_OK);
	store_reader_close(r);
	assert_string_equal(seen.text, "2 kafka bad subject b; 2 nats larger still b; ");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_forwarded_goes_by_size_oldest_first),
		T(what_no_bus_has_taken_stays),
		T(the_slowest_bus_decides),
		T(a_bus_that_is_no_longer_in_use_is_not_waited_for),
		T(what_a_held_route_waits_for_is_kept),
		T(dead_letters_keep_their_events),
		T(what_cannot_be_let_go_stays_until_it_can),
		T(large_events_go_a_few_at_a_time),
		T(a_dead_letter_whose_event_cannot_go_stays),
		T(what_was_let_go_is_missed_by_position_and_by_time),
		T(a_dead_letter_is_not_missed),
		T(nothing_is_missed_where_nothing_was_let_go),
		T(positions_go_on_when_every_event_has_gone),
		T(a_key_outlives_its_event),
		T(what_has_become_too_old_goes_by_itself),
		T(what_a_shorter_age_has_judged_stays_when_it_becomes_longer),
		T(waiting_for_something_to_let_go_costs_nothing),
		T(a_full_store_refuses_new_events_and_keeps_the_old),
		T(the_state_does_not_flutter),
		T(positions_are_kept_and_only_rise),
		T(a_position_behind_the_last_event_counts_as_that),
		T(exceptions_are_kept_with_their_position_and_go_with_it),
		T(without_memory_for_an_exception_all_stays_as_it_was),
		T(a_position_reaches_the_disk_without_another_event),
		T(dead_letters_are_listed_with_their_events),
	};

	memset(big, 'x', sizeof(big));
	big[0] = big[sizeof(big) - 1] = '"';
	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
