/*
 * The log goes into the database file while others read: whatever sync of it fails, nothing that was acknowledged is lost.
 */
#include "fixture.h"

#include <stdio.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "power_vfs.h"
#include "store/store_tool.h"
#include "store/wal.h"

#ifdef SANITIZED
#define STEP 11  /* every so many points; all of them in a plain build */
#define LOAD 200 /* requests of 192 KB */
#else
#define STEP 1
#define LOAD 600
#endif

#define BIG  16000 /* a page each */
#define ROWS 12

struct reading {
	struct fixture *f;
	sqlite3 *reader;
	char *data;
	size_t acked;
};

static void sql(struct reading *r, const char *text)
{
	assert_int_equal(sqlite3_exec(r->reader, text, NULL, NULL, NULL), SQLITE_OK);
}

static void open_reader(struct reading *r)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/spool.db", r->f->dir);
	assert_int_equal(sqlite3_open_v2(path, &r->reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
}

static enum err put(struct reading *r)
{
	struct store_row rows[ROWS];
	enum err err;

	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = fixture_row("page", NULL, NULL);
		rows[i].data = (struct str){ r->data, BIG };
	}
	err = fixture_put(r->f, rows, ROWS, NULL);
	r->acked += err == E_OK ? ROWS : 0;
	return err;
}

static void put_some(struct reading *r, int requests)
{
	for (int i = 0; i < requests; i++)
		(void)put(r);
}

static bool takes_writes(struct fixture *f)
{
	return store_state(f->store) == STORE_OK;
}

static void open_store(struct reading *r, uint64_t seed)
{
	power_reset(seed);
	*r = (struct reading){ .f = fixture_new(), .data = mem_alloc(BIG) };
	memset(r->data, 'x', BIG);
	r->data[0] = r->data[BIG - 1] = '"';
	assert_int_equal(fixture_open(r->f), E_OK);
}

/* A reader stands in the middle of the log, so that the checkpoint stops there; then it goes on, and stays connected. */
static void begin(struct reading *r, uint64_t seed)
{
	open_store(r, seed);
	open_reader(r);
	put_some(r, 15);
	sql(r, "BEGIN; SELECT count(*) FROM events");
	put_some(r, 35);
	sql(r, "COMMIT");
}

static void on_problem(void *ctx, const char *problem)
{
	(void)ctx;
	print_error("%s\n", problem);
}

static void end_with_a_power_cut(struct reading *r)
{
	fixture_close(r->f); /* empties the log */
	sqlite3_close(r->reader);
	power_restore();
	if (fixture_open(r->f) != E_OK)
		fail_msg("%s", r->f->why.text);
	assert_int_equal(store_check(r->f->dir, NULL, on_problem, NULL, &r->f->why), E_OK);
	assert_true(fixture_count(r->f) >= r->acked);
	fixture_free(r->f);
	mem_free(r->data);
}

static void a_failed_sync_after_half_a_checkpoint_loses_nothing(void **state)
{
	uint64_t syncs = 0;

	(void)state;
	for (uint64_t n = 0; n == 0 || n <= syncs; n += STEP) {
		struct reading r;

		begin(&r, n);
		power_fail(POWER_SYNC, n, 1);
		put_some(&r, 30);
		if (n == 0)
			syncs = power_count();
		power_fail(POWER_SYNC, 0, 0);
		fixture_until(r.f, takes_writes);
		end_with_a_power_cut(&r);
	}
}

/* The same without readers: each copy is followed by a sync, and so is the writer's own checkpoint. */
static void a_failed_sync_of_a_copy_loses_nothing(void **state)
{
	uint64_t syncs = 0;

	(void)state;
	for (uint64_t n = 0; n == 0 || n <= syncs; n += 4 * STEP) {
		struct reading r;

		open_store(&r, n);
		power_fail(POWER_SYNC, n, 1);
		put_some(&r, 90);
		if (n == 0)
			syncs = power_count();
		power_fail(POWER_SYNC, 0, 0);
		fixture_until(r.f, takes_writes);
		end_with_a_power_cut(&r);
	}
}

static void commits_do_not_wait_for_a_copy(void **state)
{
	struct reading r;

	(void)state;
	open_store(&r, 1);
	power_hang(true);
	put_some(&r, 30); /* more than a copy, less than the log may hold */
	assert_int_equal(r.acked, 30 * ROWS);
	power_hang(false);
	put_some(&r, 90);
	assert_int_equal(r.acked, 120 * ROWS);
	end_with_a_power_cut(&r);
}

/* However long it takes: it may have gigabytes to copy that a reader held back. */
static void a_copy_without_an_end_holds_no_commit_for_good(void **state)
{
	struct reading r;

	(void)state;
	open_store(&r, 1);
	power_hang(true);
	put_some(&r, 100); /* more than the log holds otherwise */
	assert_int_equal(r.acked, 100 * ROWS);
	power_hang(false);
	put_some(&r, 20);
	assert_int_equal(r.acked, 120 * ROWS);
	end_with_a_power_cut(&r);
}

/* A third of what was written has left it at least: a copy that gets no time slows the writer down, but does not stop it. */
static bool log_is_short(struct fixture *f)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/spool.db-wal", f->dir);
	return stat(path, &st) == 0 && st.st_size < (off_t)LOAD * ROWS * BIG / 3 * 2;
}

static void closing_empties_the_log(void **state)
{
	struct fixture *f = fixture_new();
	char path[128];
	struct stat st;

	(void)state;
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	fixture_close(f);
	snprintf(path, sizeof(path), "%s/spool.db-wal", f->dir);
	assert_true(stat(path, &st) != 0 || st.st_size == 0);
	fixture_free(f);
}

/* ---- the log of a connection, without its writer ---------------------------------------------------------------------- */

struct quiet {
	struct fixture *f;
	char path[128];
	struct db db;
	struct wal wal;
	struct wake wake;
};

/* Its last commit was at 1000. */
static void commit_once(struct quiet *q)
{
	struct why why = { 0 };

	power_reset(0);
	*q = (struct quiet){ .f = fixture_new() };
	wake_init(&q->wake);
	snprintf(q->path, sizeof(q->path), "%s/spool.db", q->f->dir);
	assert_int_equal(db_open(q->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, &why, &q->db), E_OK);
	assert_int_equal(db_exec(&q->db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0", &why), E_OK);
	wal_watch(&q->wal, &q->db, 4096, 100);
	assert_int_equal(wal_start(&q->wal, q->path, &q->wake, &why), E_OK);
	assert_int_equal(db_exec(&q->db, "CREATE TABLE t(x); INSERT INTO t VALUES(1)", &why), E_OK);
	q->wal.committed_mono = 1000;
}

static void close_quiet(struct quiet *q)
{
	wal_stop(&q->wal);
	db_close(&q->db);
	fixture_free(q->f);
}

/* Longer than it is to be, as readers make it; all of it is in the database file, or they hold it. */
static void commit_too_long(struct quiet *q)
{
	struct why why = { 0 };

	commit_once(q);
	for (int i = 0; i < 10; i++)
		assert_int_equal(db_exec(&q->db, "INSERT INTO t VALUES(2)", &why), E_OK);
	q->wal.due = q->wal.frames - 1;
	q->wal.copied = q->wal.checked = q->wal.frames;
}

static void a_log_of_the_usual_length_keeps_its_file(void **state)
{
	struct quiet q;
	int frames;

	(void)state;
	commit_once(&q);
	frames = q.wal.frames;
	assert_int_equal(wal_look(&q.wal, 100000, NULL), E_OK);
	assert_int_equal(q.wal.frames, frames);
	assert_int_equal(wal_wait_ms(&q.wal, 100000), UINT32_MAX);
	close_quiet(&q);
}

static off_t log_length(const struct quiet *q)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", q->path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* A new length is one more thing for the disk to flush. */
static void one_commit_in_many_makes_the_log_longer(void **state)
{
	struct why why = { 0 };
	struct quiet q;
	int changes = 0;
	off_t was;

	(void)state;
	commit_once(&q);
	q.wal.due = 1000; /* it does not begin anew */
	assert_int_equal(wal_look(&q.wal, 1000, NULL), E_OK);
	was = log_length(&q);
	for (int i = 0; i < 80; i++) {
		assert_int_equal(db_exec(&q.db, "INSERT INTO t VALUES(2)", &why), E_OK);
		assert_int_equal(wal_look(&q.wal, 1000, NULL), E_OK);
		changes += log_length(&q) != was;
		was = log_length(&q);
	}
	assert_true(q.wal.frames > 80);
	assert_int_equal(changes, 0);
	close_quiet(&q);
}

/* A person may write with sqlite3(1), and just behind our last commit. */
static void room_is_never_made_over_what_another_has_written(void **state)
{
	struct why why = { 0 };
	sqlite3 *other = NULL;
	struct quiet q;
	int64_t rows = 0;

	(void)state;
	commit_once(&q);
	assert_int_equal(sqlite3_open_v2(q.path, &other, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "INSERT INTO t VALUES(2)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(wal_look(&q.wal, 1000, NULL), E_OK);
	sqlite3_close(other);
	assert_int_equal(db_i64(&q.db, "SELECT count(*) FROM t", &why, &rows), E_OK);
	assert_int_equal(rows, 2);
	close_quiet(&q);
}

/* Whoever is woken a moment before the time, and sleeps again a moment after it. */
static void the_time_to_empty_the_log_is_not_missed(void **state)
{
	struct quiet q;

	(void)state;
	commit_too_long(&q);
	assert_true(q.wal.frames > 0);
	assert_int_equal(wal_look(&q.wal, 1999, NULL), E_OK);
	assert_int_equal(wal_wait_ms(&q.wal, 1999), 1);
	assert_int_equal(wal_wait_ms(&q.wal, 2001), 0);
	assert_int_equal(wal_look(&q.wal, 2001, NULL), E_OK);
	assert_int_equal(q.wal.frames, 0);
	assert_int_equal(wal_wait_ms(&q.wal, 2001), UINT32_MAX);
	close_quiet(&q);
}

static void a_log_that_a_reader_holds_is_emptied_with_the_next_wake_up(void **state)
{
	sqlite3 *reader = NULL;
	struct quiet q;

	(void)state;
	commit_too_long(&q);
	assert_int_equal(sqlite3_open_v2(q.path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(wal_look(&q.wal, 2000, NULL), E_OK);
	assert_true(q.wal.frames > 0);
	assert_int_equal(wal_wait_ms(&q.wal, 2000), UINT32_MAX);
	sqlite3_close(reader);
	assert_int_equal(wal_look(&q.wal, 2000, NULL), E_OK);
	assert_int_equal(q.wal.frames, 0);
	close_quiet(&q);
}

static int backfilled(struct quiet *q)
{
	while (!checkpointer_wait(&q->wal.checkpointer, 1000))
		;
	return q->wal.checkpointer.copied;
}

static void what_a_reader_held_back_is_not_the_writers_to_copy(void **state)
{
	struct why why = { 0 };
	sqlite3 *reader = NULL;
	struct quiet q;

	(void)state;
	commit_once(&q);
	assert_int_equal(sqlite3_open_v2(q.path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_exec(&q.db, "INSERT INTO t VALUES(zeroblob(1000000))", &why), E_OK); /* over 2 * due */
	assert_int_equal(wal_look(&q.wal, 1001, &why), E_OK);
	assert_true(backfilled(&q) < q.wal.frames / 2);
	sqlite3_close(reader); /* the writer looks before the other thread has seen it */
	assert_int_equal(wal_look(&q.wal, 1002, &why), E_OK);
	assert_int_equal(q.wal.checked, 0);
	q.wal.committed_mono = 1002;
	assert_int_equal(wal_look(&q.wal, 2002, &why), E_OK);
	assert_true(q.wal.frames > 0); /* the other thread was asked */
	assert_int_equal(backfilled(&q), q.wal.frames);
	assert_int_equal(wal_look(&q.wal, 2003, &why), E_OK); /* it wakes the writer */
	assert_int_equal(q.wal.frames, 0);
	close_quiet(&q);
}

/* The n-th sync of it fails; a reader may stand in the middle of the log. */
static enum err copy_once(uint64_t n, bool held)
{
	struct why why = { 0 };
	sqlite3 *reader = NULL;
	struct quiet q;
	enum err err;

	commit_once(&q);
	assert_int_equal(sqlite3_open_v2(q.path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (held)
		assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_exec(&q.db, "INSERT INTO t VALUES(2)", &why), E_OK);
	power_fail(POWER_SYNC, n, 1);
	checkpointer_ask(&q.wal.checkpointer);
	while (!checkpointer_wait(&q.wal.checkpointer, 1000))
		;
	err = wal_look(&q.wal, 1001, &why); /* the writer hears of it */
	power_fail(POWER_SYNC, 0, 0);
	sqlite3_close(reader);
	close_quiet(&q);
	return err;
}

/* Those of SQLite are of the log and, when it comes to its end, of the database; the last one is ours. */
static void a_copy_fails_with_each_of_its_syncs(void **state)
{
	(void)state;
	for (uint64_t held = 0; held <= 1; held++) {
		for (uint64_t n = 1; n <= 3 - held; n++)
			assert_int_equal(copy_once(n, held), E_IO);
		assert_int_equal(copy_once(4 - held, held), E_OK);
	}
}

/* The log begins anew although commits never pause: its pages are copied as fast as they come. */
static void the_log_stays_short_under_load(void **state)
{
	struct reading r;

	(void)state;
	open_store(&r, 1);
	put_some(&r, LOAD);
	assert_int_equal(r.acked, LOAD * ROWS);
	assert_true(log_is_short(r.f));
	end_with_a_power_cut(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_sync_after_half_a_checkpoint_loses_nothing),
		cmocka_unit_test(a_failed_sync_of_a_copy_loses_nothing),
		cmocka_unit_test(commits_do_not_wait_for_a_copy),
		cmocka_unit_test(a_copy_without_an_end_holds_no_commit_for_good),
		cmocka_unit_test(what_a_reader_held_back_is_not_the_writers_to_copy),
		cmocka_unit_test(closing_empties_the_log),
		cmocka_unit_test(a_log_of_the_usual_length_keeps_its_file),
		cmocka_unit_test(one_commit_in_many_makes_the_log_longer),
		cmocka_unit_test(room_is_never_made_over_what_another_has_written),
		cmocka_unit_test(the_time_to_empty_the_log_is_not_missed),
		cmocka_unit_test(a_log_that_a_reader_holds_is_emptied_with_the_next_wake_up),
		cmocka_unit_test(a_copy_fails_with_each_of_its_syncs),
		cmocka_unit_test(the_log_stays_short_under_load),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
