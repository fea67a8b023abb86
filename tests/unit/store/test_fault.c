/*
 * Faults: each operation of the disk and each allocation fails once, in turn, counted on a clean pass. Never a success
 * for what is not durable (a power cut after each pass shows it), never a crash, and the store comes back by itself.
 */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "power_vfs.h"
#include "store/store_tool.h"

#ifdef SANITIZED
#define STEP 13 /* every so many points; all of them in a plain build */
#else
#define STEP 1
#endif

#define KEYS 24
#define ACTS 10 /* keys of an act */
#define BIG  4000

struct scenario {
	struct fixture *f;
	uint64_t acked[KEYS]; /* position, 0: no answer */
	char data[BIG];
	size_t next;
};

static void scenario_init(struct scenario *s)
{
	*s = (struct scenario){ .f = fixture_new() };
	s->f->config.dedup_memory = 1; /* the least there is */
	memset(s->data, 'x', sizeof(s->data));
	s->data[0] = s->data[BIG - 1] = '"';
}

static enum err put(struct scenario *s, size_t key)
{
	char id[16];
	struct store_row row;
	enum err err;

	snprintf(id, sizeof(id), "key-%zu", key);
	row = fixture_row(id, id, NULL);
	row.data = (struct str){ s->data, sizeof(s->data) };
	err = fixture_put(s->f, &row, 1, NULL);
	if (err == E_OK)
		s->acked[key] = row.pos;
	return err;
}

/* A bit of everything, whatever fails. */
static void act(struct scenario *s)
{
	if (fixture_open(s->f) != E_OK)
		return;
	while (s->next < ACTS - 2)
		(void)put(s, s->next++);
	(void)fixture_dead(s->f, 2, "bus", "too large");
	store_set_forwarded(s->f->store, "bus", 4);
	(void)put(s, s->next++);
	(void)fixture_dead_remove(s->f, 2, "bus");
	(void)put(s, s->next++);
	fixture_close(s->f);
}

static bool is_well(struct fixture *f)
{
	return fixture_put_one(f, "probe", NULL, NULL, NULL) == E_OK;
}

static bool look_at_row(void *ctx, const struct store_row *row)
{
	struct scenario *s = ctx;
	uint64_t key;

	if (!row->key.n)
		return true;
	assert_true(str_to_u64(str_sub(row->key, 4, 8), KEYS, &key));
	assert_true(s->acked[key] == 0 || s->acked[key] == row->pos);
	assert_int_equal(row->data.n, BIG);
	s->acked[key] = 0; /* seen */
	return true;
}

/* Everything that was acknowledged is there. */
static void check(struct scenario *s)
{
	struct scenario copy = *s;
	struct store_query query = { 0 };
	struct store_reader *r;

	assert_int_equal(store_reader_open(s->f->dir, &s->f->why, &r), E_OK);
	assert_int_equal(store_read(r, &query, look_at_row, &copy, &s->f->why), E_OK);
	store_reader_close(r);
	for (size_t i = 0; i < KEYS; i++)
		assert_int_equal(copy.acked[i], 0);
}

static void on_problem(void *ctx, const char *problem)
{
	(void)ctx;
	print_error("%s\n", problem);
}

/* After the fault is over it works, without and with a power cut in between. */
static void recover(struct scenario *s)
{
	power_fail(POWER_ALL, 0, 0);
	mem_fail_at(0);
	power_restore();
	if (fixture_open(s->f) != E_OK)
		fail_msg("%s", s->f->why.text);
	check(s);
	for (size_t i = 0; i < s->next; i++) {
		uint64_t pos = s->acked[i];

		assert_int_equal(put(s, i), E_OK);
		assert_true(pos == 0 || pos == s->acked[i]); /* sent again: the same event */
	}
	check(s);
	assert_int_equal(store_check(s->f->dir, NULL, on_problem, NULL, &s->f->why), E_OK);
	fixture_close(s->f);
}

static void fail_each(unsigned ops, uint64_t times)
{
	uint64_t points = 1;

	for (uint64_t n = 0; n <= points; n += n ? STEP : 1) {
		struct scenario s;

		power_reset(n);
		scenario_init(&s);
		power_fail(ops, n, times); /* the first pass counts */
		act(&s);
		for (size_t i = 0; n == 0 && i < ACTS; i++)
			assert_true(s.acked[i]);
		if (n == 0)
			points = power_count();
		recover(&s);
		fixture_free(s.f);
	}
	assert_true(points > 5);
}

static void each_operation_of_the_disk_may_fail_once(void **state)
{
	(void)state;
	fail_each(POWER_ALL, 1);
}

static void each_sync_may_fail_and_its_writes_be_lost(void **state)
{
	(void)state;
	fail_each(POWER_SYNC, 1);
}

static void writes_may_fail_from_some_point_on(void **state)
{
	(void)state;
	fail_each(POWER_WRITE | POWER_SYNC, 1000000);
}

/* ---- the store that stays open -------------------------------------------------------------------------------------- */

static bool failed(struct fixture *f)
{
	return store_state(f->store) == STORE_FAILED;
}

static bool has_come_back(struct fixture *f)
{
	return store_state(f->store) == STORE_OK;
}

static void a_store_that_failed_refuses_and_comes_back_with_nobody_asking(void **state)
{
	struct scenario s;

	(void)state;
	power_reset(7);
	scenario_init(&s);
	assert_int_equal(fixture_open(s.f), E_OK);
	assert_int_equal(put(&s, s.next++), E_OK);
	power_fail(POWER_SYNC, 1, 1000000);
	assert_int_equal(put(&s, s.next++), E_UNAVAILABLE);
	assert_true(failed(s.f));
	assert_int_equal(put(&s, s.next++), E_UNAVAILABLE);
	power_fail(POWER_ALL, 0, 0);
	fixture_until(s.f, has_come_back);
	for (size_t i = 0; i < s.next; i++)
		assert_int_equal(put(&s, i), E_OK);
	check(&s);
	fixture_close(s.f);
	recover(&s);
	fixture_free(s.f);
}

/* What a bus has taken was in the group that failed: it is written with the next one. */
static void positions_of_a_failed_group_are_written_again(void **state)
{
	struct scenario s;
	uint64_t pos = 0;

	(void)state;
	power_reset(7);
	scenario_init(&s);
	assert_int_equal(fixture_open(s.f), E_OK);
	assert_int_equal(put(&s, s.next++), E_OK);
	assert_int_equal(put(&s, s.next++), E_OK);
	power_fail(POWER_WRITE, 1, 1000000); /* nothing of it is in the log */
	store_set_forwarded(s.f->store, "bus", 2);
	assert_int_equal(put(&s, s.next++), E_UNAVAILABLE);
	power_fail(POWER_ALL, 0, 0);
	fixture_until(s.f, is_well);
	fixture_close(s.f);
	assert_int_equal(fixture_open(s.f), E_OK);
	assert_int_equal(store_forwarded(s.f->store, "bus", &pos, &s.f->why), E_OK);
	assert_int_equal(pos, 2);
	fixture_close(s.f);
	fixture_free(s.f);
}

/* With more routes in trouble than stand beside it, a position goes back, perhaps to the beginning. */
static void a_position_that_went_back_to_the_beginning_is_written_again_too(void **state)
{
	struct scenario s;
	uint64_t pos = 0;

	(void)state;
	power_reset(7);
	scenario_init(&s);
	assert_int_equal(fixture_open(s.f), E_OK);
	assert_int_equal(store_forwarded(s.f->store, "bus", &pos, &s.f->why), E_OK);
	assert_int_equal(put(&s, s.next++), E_OK);
	store_set_forwarded_but(s.f->store, "bus", 1, NULL, 0);
	assert_int_equal(put(&s, s.next++), E_OK);
	power_fail(POWER_WRITE, 1, 1000000); /* nothing of it is in the log */
	store_set_forwarded_but(s.f->store, "bus", 0, NULL, 0);
	assert_int_equal(put(&s, s.next++), E_UNAVAILABLE);
	power_fail(POWER_ALL, 0, 0);
	fixture_until(s.f, is_well);
	fixture_close(s.f);
	assert_int_equal(fixture_open(s.f), E_OK);
	assert_int_equal(store_forwarded(s.f->store, "bus", &pos, &s.f->why), E_OK);
	assert_int_equal(pos, 0);
	fixture_close(s.f);
	fixture_free(s.f);
}

static bool tried_again(struct fixture *f)
{
	(void)f;
	return power_count() > 2; /* the database and its log each time */
}

/* A newer event than those it finds was answered for: it stays closed rather than give that position away again. */
static void a_store_whose_disk_lost_what_was_acknowledged_does_not_come_back(void **state)
{
	struct scenario s;
	char path[128];
	sqlite3 *handle;

	(void)state;
	power_reset(7);
	scenario_init(&s);
	assert_int_equal(fixture_open(s.f), E_OK);
	assert_int_equal(put(&s, s.next++), E_OK);
	assert_int_equal(put(&s, s.next++), E_OK);
	power_fail(POWER_SYNC, 1, 1000000);
	assert_int_equal(put(&s, s.next++), E_UNAVAILABLE);
	snprintf(path, sizeof(path), "%s/spool.db", s.f->dir);
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	sqlite3_busy_timeout(handle, 60000); /* the store tries again all the time */
	assert_int_equal(
		sqlite3_exec(handle, "PRAGMA synchronous = OFF; DELETE FROM events WHERE pos > 1", NULL, NULL, NULL),
		SQLITE_OK);
	power_fail(POWER_OPEN, 0, 0); /* the disk is well again, and counts */
	fixture_until(s.f, tried_again);
	assert_true(failed(s.f));
	assert_int_equal(put(&s, s.next++), E_UNAVAILABLE);
	sqlite3_close(handle);
	fixture_close(s.f);
	fixture_free(s.f);
}

/* Large enough to need pages of its own. */
static enum err put_many(struct scenario *s)
{
	struct store_row rows[24];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rows[i] = fixture_row("many", NULL, NULL);
		rows[i].data = (struct str){ s->data, sizeof(s->data) };
	}
	return fixture_put(s->f, rows, ARRAY_LEN(rows), NULL);
}

/*
 * The sync fails, the process ends, the next one finds in memory what the disk never got: it must not build on it. The
 * power goes while it starts, or soon after.
 */
static void what_a_failed_sync_lost_does_not_take_more_with_it(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct scenario s;

		power_reset(seed);
		scenario_init(&s);
		assert_int_equal(fixture_open(s.f), E_OK);
		assert_int_equal(put(&s, s.next++), E_OK);
		power_fail(POWER_SYNC, 1, 1000000);
		assert_int_equal(put_many(&s), E_UNAVAILABLE);
		fixture_close(s.f);
		power_fail(POWER_ALL, 0, 0);
		power_cut_after(1 + seed % 50);
		if (fixture_open(s.f) == E_OK)
			while (put(&s, s.next) == E_OK && s.next + 1 < KEYS)
				s.next++;
		fixture_close(s.f);
		recover(&s);
		fixture_free(s.f);
	}
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
	struct scenario s;
	enum err err = E_OK;

	(void)state;
	power_reset(3);
	scenario_init(&s);
	power_disk_size(600 << 10);
	assert_int_equal(fixture_open(s.f), E_OK);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(put(&s, s.next++), E_OK);
	while (err == E_OK)
		err = fixture_put_one(s.f, "filler", NULL, NULL, NULL);
	assert_int_equal(err, E_FULL);
	assert_true(failed(s.f));
	check(&s); /* reading goes on */
	power_disk_size(0);
	fixture_until(s.f, is_well);
	check(&s);
	fixture_close(s.f);
	recover(&s);
	fixture_free(s.f);
}

/* The first step that needs room: each is told in words, not in SQL. */
static void a_store_that_is_made_on_a_full_disk_says_what_was_done(void **state)
{
	(void)state;
	for (uint64_t size = 4 << 10; size < 256 << 10; size += 4 << 10) {
		struct scenario s;
		enum err err;

		power_reset(3);
		scenario_init(&s);
		power_disk_size(size);
		err = fixture_open(s.f);
		if (err != E_OK) {
			assert_int_equal(err, E_FULL);
			assert_null(strstr(s.f->why.text, "PRAGMA"));
			assert_null(strstr(s.f->why.text, "CREATE"));
			assert_true(size < 200 << 10);
		}
		power_disk_size(0);
		fixture_free(s.f);
	}
}

/* ---- a limit of the kernel's ---------------------------------------------------------------------------------------- */

static void a_file_size_limit_refuses_and_loses_nothing(void **state)
{
	struct rlimit old;
	struct rlimit low;
	struct scenario s;
	enum err err = E_OK;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	power_reset(5);
	scenario_init(&s);
	assert_int_equal(fixture_open(s.f), E_OK);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(put(&s, s.next++), E_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ 400 << 10, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	while (err == E_OK)
		err = fixture_put_one(s.f, "filler", NULL, NULL, NULL);
	assert_int_equal(err, E_FULL);
	check(&s);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	fixture_until(s.f, is_well);
	check(&s);
	fixture_free(s.f);
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static void each_allocation_of_ours_may_fail(void **state)
{
	struct scenario s;
	long points;

	(void)state;
	power_reset(1);
	scenario_init(&s);
	mem_fail_at(0);
	act(&s);
	points = mem_count();
	fixture_free(s.f);
	assert_true(points > 10);
	for (long n = 1; n <= points; n += STEP) {
		power_reset((uint64_t)n);
		scenario_init(&s);
		mem_fail_at(n);
		act(&s);
		recover(&s);
		fixture_free(s.f);
	}
}

/* Without a key it is the insertion that finds its route's number, or does not. */
static void the_first_event_of_a_route_is_stored_or_refused(void **state)
{
	struct fixture *f = fixture_new();
	bool failed_one = true;

	(void)state;
	power_reset(1);
	assert_int_equal(fixture_open(f), E_OK);
	for (long n = 1; failed_one; n++) {
		struct store_row row = fixture_row("id", NULL, "{}");
		uint64_t last = store_last(f->store);
		char name[24];
		enum err err;

		snprintf(name, sizeof(name), "route-%ld", n);
		row.name = str_of(name);
		mem_fail_at(n);
		err = fixture_put(f, &row, 1, NULL);
		failed_one = mem_count() >= n;
		mem_fail_at(0);
		if (err == E_OK)
			assert_int_equal(store_last(f->store), last + 1);
		else
			fixture_until(f, is_well);
	}
	fixture_free(f);
}

/* SQLite's allocator, with a counter in front. */
static sqlite3_mem_methods real_memory;
static _Atomic long sqlite_count, sqlite_fail_at;
static atomic_bool sqlite_spares_writer;
static _Thread_local bool is_reader;

static bool sqlite_fails(void)
{
	if (atomic_load(&sqlite_spares_writer) && !is_reader)
		return false;
	return atomic_fetch_add(&sqlite_count, 1) + 1 == atomic_load(&sqlite_fail_at);
}

static void *fault_malloc(int n)
{
	return sqlite_fails() ? NULL : real_memory.xMalloc(n);
}

static void *fault_realloc(void *p, int n)
{
	return sqlite_fails() ? NULL : real_memory.xRealloc(p, n);
}

static void sqlite_fail(long n)
{
	atomic_store(&sqlite_count, 0);
	atomic_store(&sqlite_fail_at, n);
}

static void allocations_of_sqlite_may_fail(void **state)
{
	struct scenario s;
	long points;

	(void)state;
	power_reset(1);
	scenario_init(&s);
	sqlite_fail(0);
	act(&s);
	points = atomic_load(&sqlite_count);
	fixture_free(s.f);
	assert_true(points > 100);
	for (long n = 1; n <= points; n += 1 + points * STEP / 400) {
		power_reset((uint64_t)n);
		scenario_init(&s);
		sqlite_fail(n);
		act(&s);
		sqlite_fail(0);
		recover(&s);
		fixture_free(s.f);
	}
}

/* A reader that could not end its first transaction would stay in it. */
static void a_reader_opened_without_memory_sees_what_comes_later_or_is_none(void **state)
{
	struct fixture *f = fixture_new();
	struct store_reader *reader = NULL;
	uint64_t end = 0, pos = 0;
	long points = 1;

	(void)state;
	power_reset(1);
	assert_int_equal(fixture_open(f), E_OK);
	is_reader = true;
	atomic_store(&sqlite_spares_writer, true);
	for (long n = 1; n <= points; n++) {
		sqlite_fail(n);
		enum err err = store_reader_open(f->dir, NULL, &reader);
		points = err == E_OK && atomic_load(&sqlite_count) < n ? 0 : n + 1;
		sqlite_fail(0);
		assert_int_equal(fixture_put_one(f, "id", NULL, &pos, NULL), E_OK);
		if (err != E_OK)
			continue;
		assert_int_equal(store_end(reader, &end, NULL), E_OK);
		assert_int_equal(end, pos + 1);
		store_reader_close(reader);
	}
	assert_true(pos > 100);
	atomic_store(&sqlite_spares_writer, false);
	fixture_free(f);
}

static void hook_memory(void)
{
	sqlite3_mem_methods mine;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
	mine = real_memory;
	mine.xMalloc = fault_malloc;
	mine.xRealloc = fault_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_operation_of_the_disk_may_fail_once),
		cmocka_unit_test(each_sync_may_fail_and_its_writes_be_lost),
		cmocka_unit_test(writes_may_fail_from_some_point_on),
		cmocka_unit_test(a_store_that_failed_refuses_and_comes_back_with_nobody_asking),
		cmocka_unit_test(positions_of_a_failed_group_are_written_again),
		cmocka_unit_test(a_position_that_went_back_to_the_beginning_is_written_again_too),
		cmocka_unit_test(a_store_whose_disk_lost_what_was_acknowledged_does_not_come_back),
		cmocka_unit_test(what_a_failed_sync_lost_does_not_take_more_with_it),
		cmocka_unit_test(a_full_disk_refuses_and_loses_nothing),
		cmocka_unit_test(a_store_that_is_made_on_a_full_disk_says_what_was_done),
		cmocka_unit_test(a_file_size_limit_refuses_and_loses_nothing),
		cmocka_unit_test(each_allocation_of_ours_may_fail),
		cmocka_unit_test(the_first_event_of_a_route_is_stored_or_refused),
		cmocka_unit_test(allocations_of_sqlite_may_fail),
		cmocka_unit_test(a_reader_opened_without_memory_sees_what_comes_later_or_is_none),
	};

	fixture_quiet();
	hook_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
