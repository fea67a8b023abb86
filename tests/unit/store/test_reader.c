#include "fixture.h"

#include <pthread.h>
#include <stdio.h>

#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "power_vfs.h"
#include "store/store_tool.h"

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

static struct store_reader *reader(struct fixture *f)
{
	struct store_reader *r;

	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_OK);
	return r;
}

/* `n` events in requests of a thousand; every third on route other/second; ids count from 1. */
static void fill(struct fixture *f, size_t n)
{
	static struct store_row rows[1000];
	static char ids[1000][12];

	for (size_t at = 0; at < n; at += ARRAY_LEN(rows)) {
		size_t some = n - at < ARRAY_LEN(rows) ? n - at : ARRAY_LEN(rows);

		for (size_t i = 0; i < some; i++) {
			snprintf(ids[i], sizeof(ids[i]), "%zu", at + i + 1);
			rows[i] = fixture_row(ids[i], NULL, "{}");
			if ((at + i + 1) % 3 == 0) {
				rows[i].source = STR("other");
				rows[i].name = STR("second");
			}
		}
		assert_int_equal(fixture_put(f, rows, some, NULL), E_OK);
	}
}

struct sum {
	size_t rows;
	uint64_t first, last;
	size_t stop_at;
};

static bool add(void *ctx, const struct store_row *row)
{
	struct sum *sum = ctx;
	uint64_t id;

	assert_true(str_to_u64(row->id, UINT32_MAX, &id));
	assert_int_equal(id, row->pos);
	assert_true(row->pos > sum->last);
	sum->first = sum->first ? sum->first : row->pos;
	sum->last = row->pos;
	return ++sum->rows != sum->stop_at;
}

#define N 40000 /* more than one chunk, and more than one window */

static const struct {
	struct store_query query;
	struct sum want;
} queries[] = {
	{ { 0 }, { N, 1, N, 0 } },
	{ { .from = 17 }, { N - 16, 17, N, 0 } },
	{ { .from = 17, .to = 20 }, { 4, 17, 20, 0 } },
	{ { .from = 20, .to = 17 }, { 0, 0, 0, 0 } },
	{ { .to = N + 5 }, { N, 1, N, 0 } },
	{ { .from = N + 1 }, { 0, 0, 0, 0 } },
	{ { .from = UINT64_MAX }, { 0, 0, 0, 0 } },
	{ { .limit = 1 }, { 1, 1, 1, 0 } },
	{ { .limit = 256 }, { 256, 1, 256, 0 } },
	{ { .limit = 1000 }, { 1000, 1, 1000, 0 } },
	{ { 0 }, { 300, 1, 300, 300 } },
	{ { .source = { "other", 5 } }, { N / 3, 3, N / 3 * 3, 0 } },
	{ { .name = { "second", 6 }, .limit = 2 }, { 2, 3, 6, 0 } },
	{ { .source = { "other", 5 }, .name = { "example", 7 } }, { 0, 0, 0, 0 } },
	{ { .source = { "webhook", 7 }, .from = 3, .limit = 2 }, { 2, 4, 5, 0 } },
};

static void a_query_gives_exactly_its_rows_in_order(void **state)
{
	struct fixture *f = *state;
	struct store_reader *r;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, N);
	r = reader(f);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct sum sum = { .stop_at = queries[i].want.stop_at };

		assert_int_equal(store_read(r, &queries[i].query, add, &sum, &f->why), E_OK);
		assert_int_equal(sum.rows, queries[i].want.rows);
		assert_int_equal(sum.first, queries[i].want.first);
		assert_int_equal(sum.last, queries[i].want.last);
	}
	store_reader_close(r);
}

struct windows {
	size_t n, stop_at;
	uint64_t next;
};

static bool count_window(void *ctx, uint64_t next)
{
	struct windows *w = ctx;

	assert_true(next > w->next);
	w->next = next;
	return ++w->n != w->stop_at;
}

static bool none(void *ctx, const struct store_row *row)
{
	(void)ctx;
	(void)row;
	fail();
	return false;
}

static void what_a_filter_passes_over_is_said_and_need_not_be_looked_at_again(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { .name = STR("nothing"), .window = 1000, .on_window = count_window };
	struct windows stopped = { .stop_at = 3 }, all = { 0 }, rest = { 0 };
	struct store_reader *r;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, N);
	r = reader(f);
	query.from = 1;
	assert_int_equal(store_read(r, &query, none, &all, &f->why), E_OK);
	assert_int_equal(all.n, N / 1000);
	assert_int_equal(all.next, N + 1);
	assert_int_equal(store_read(r, &query, none, &stopped, &f->why), E_OK);
	assert_int_equal(stopped.next, 3001);
	query.from = all.next;
	assert_int_equal(store_read(r, &query, none, &rest, &f->why), E_OK);
	assert_int_equal(rest.n, 0);
	store_reader_close(r);
}

static void positions_that_are_gone_are_passed_over_at_once(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { .from = 2, .window = 10, .on_window = count_window };
	struct windows w = { 0 };
	struct store_reader *r;
	uint64_t gone;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 1000);
	fixture_sql(f->dir, "UPDATE events SET pos = pos + 1000000000 WHERE pos > 1;"
			    "INSERT INTO settings VALUES('removed_pos', 1000000001)");
	r = reader(f);
	query.name = STR("nothing");
	assert_int_equal(store_read(r, &query, none, &w, &f->why), E_OK);
	assert_int_equal(w.n, 101); /* the gap, and 999 rows */
	assert_int_equal(w.next, 1000001001);
	assert_int_equal(store_gone(r, 1, 1, &gone, &f->why), E_OK);
	assert_int_equal(gone, 0); /* a dead letter, say */
	assert_int_equal(store_gone(r, 1, UINT64_MAX, &gone, &f->why), E_OK);
	assert_int_equal(gone, 1000000001);
	store_reader_close(r);
}

static void how_many_there_are_is_not_counted_one_by_one(void **state)
{
	struct fixture *f = *state;
	struct store_info info;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, N);
	fixture_close(f);
	power_fail(POWER_READ, 0, 0);
	assert_int_equal(store_info(f->dir, &info, &f->why), E_OK);
	assert_true(power_count() < 60); /* of some hundred pages */
	assert_int_equal(info.events, N);
	fixture_sql(f->dir,
		    "DELETE FROM events WHERE pos BETWEEN 2 AND 100; INSERT INTO settings VALUES('removed_pos', 100)");
	assert_int_equal(store_info(f->dir, &info, &f->why), E_OK);
	assert_int_equal(info.events, N - 99);
}

static void a_row_larger_than_a_chunk_is_read(void **state)
{
	struct fixture *f = *state;
	size_t n = 3u << 20;
	char *data = mem_alloc(n);
	struct store_row row = fixture_row("1", NULL, NULL);
	struct store_reader *r;
	struct store_query query = { 0 };
	struct sum sum = { 0 };

	memset(data, 'x', n);
	row.data = (struct str){ data, n };
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
	r = reader(f);
	assert_int_equal(store_read(r, &query, add, &sum, &f->why), E_OK);
	assert_int_equal(sum.rows, 1);
	store_reader_close(r);
	mem_free(data);
}

static bool put_more(void *ctx, const struct store_row *row)
{
	struct fixture *f = ctx;

	(void)row;
	return fixture_put_one(f, "more", NULL, NULL, NULL) ==
	       E_OK; /* a transaction of the reader's would not matter */
}

static void what_comes_while_reading_waits_for_the_next_read(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { 0 };
	struct store_reader *r;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 600);
	r = reader(f);
	assert_int_equal(store_read(r, &query, put_more, f, &f->why), E_OK);
	store_reader_close(r);
	assert_int_equal(store_last(f->store), 1200);
}

static void a_time_finds_its_position(void **state)
{
	struct fixture *f = *state;
	struct store_reader *r;
	uint64_t pos;
	int64_t before = clock_wall_ms();

	assert_int_equal(fixture_open(f), E_OK);
	r = reader(f);
	assert_int_equal(store_pos_at(r, 0, &pos, &f->why), E_OK);
	assert_int_equal(pos, 1); /* empty */
	fill(f, 1000);
	assert_int_equal(store_pos_at(r, before, &pos, &f->why), E_OK);
	assert_int_equal(pos, 1);
	assert_int_equal(store_pos_at(r, clock_wall_ms() + 1, &pos, &f->why), E_OK);
	assert_int_equal(pos, 1001);
	store_reader_close(r);
}

/* ---- damage --------------------------------------------------------------------------------------------------------- */

static enum err read_from(struct fixture *f, const struct store_query *query, struct sum *ret_sum)
{
	struct store_reader *r = reader(f);
	enum err err;

	f->why = (struct why){ 0 };
	*ret_sum = (struct sum){ 0 };
	err = store_read(r, query, add, ret_sum, &f->why);
	store_reader_close(r);
	return err;
}

/* Whoever forwards would go on behind it, and retention would let it go. */
static void an_event_without_its_route_is_not_passed_over(void **state)
{
	struct fixture *f = *state;
	const struct store_query all = { 0 }, some = { .source = STR("other") };
	struct sum sum;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 10);
	fixture_close(f);
	fixture_sql(f->dir, "UPDATE events SET route = 99 WHERE pos = 5");
	assert_int_equal(read_from(f, &all, &sum), E_CORRUPT);
	assert_int_equal(sum.last, 4);
	assert_string_equal(f->why.text, "events behind position 4: event 5: no route 99");
	assert_int_equal(read_from(f, &some, &sum), E_CORRUPT);
	assert_int_equal(sum.last, 3);
}

/* A page of the events in the middle. */
static void damage(struct fixture *f)
{
	char path[100];
	sqlite3_stmt *stmt;
	sqlite3 *db;
	FILE *file;
	long page;

	snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf'"
					    " ORDER BY path LIMIT 1 OFFSET 2",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	page = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, (page - 1) * 16384, SEEK_SET), 0);
	assert_true(fputs("broken", file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void what_stands_in_front_of_a_damaged_page_is_read_and_its_end_is_said(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { 0 };
	struct sum sum;
	char place[64];

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 5000);
	fixture_close(f);
	damage(f);
	assert_int_equal(read_from(f, &query, &sum), E_CORRUPT);
	assert_true(sum.rows > 100 && sum.rows == sum.last);
	snprintf(place, sizeof(place), "events behind position %llu: ", (unsigned long long)sum.last);
	assert_non_null(strstr(f->why.text, place));
	query.from = sum.last + 1;
	assert_int_equal(read_from(f, &query, &sum), E_CORRUPT);
	assert_int_equal(sum.rows, 0);
	assert_non_null(strstr(f->why.text, place));
	query.from = 4000;
	assert_int_equal(read_from(f, &query, &sum), E_OK);
	assert_int_equal(sum.rows, 1001);
}

/* In front of a row's record stands its position, as one byte for a small one (sqlite.org/fileformat2.html, 1.6 and 2.1). */
static void give_position(struct fixture *f, unsigned char from, unsigned char to)
{
	/* behind its length the header has the types: no position, the time, a route of 1, one digit of text, no key */
	static const unsigned char types[] = { 0, 5, 9, 15, 0 };
	unsigned char page[16384];
	char path[100];
	long found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	file = fopen(path, "r+");
	assert_non_null(file);
	for (long at = 0; fread(page, 1, sizeof(page), file) == sizeof(page); at += (long)sizeof(page))
		for (size_t i = 0; i + 2 + sizeof(types) <= sizeof(page); i++)
			if (page[i] == from && memcmp(page + i + 2, types, sizeof(types)) == 0)
				found = at + (long)i;
	assert_true(found);
	assert_int_equal(fseek(file, found, SEEK_SET), 0);
	assert_int_equal(fputc(to, file), to);
	assert_int_equal(fclose(file), 0);
}

/* SQLite does not look: whoever counts on the order would count on a bit of the disk. */
static void a_row_out_of_its_place_is_damage(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { 0 };
	struct sum sum;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 9);
	fixture_close(f);
	give_position(f, 5, 4);
	assert_int_equal(read_from(f, &query, &sum), E_CORRUPT);
	assert_int_equal(sum.last, 4);
	assert_string_equal(f->why.text, "events behind position 4: event 4: is not behind the one before it");
}

/* At the end of a page it takes the first row of the next one unseen. */
static void a_row_out_of_its_place_is_not_the_first_either(void **state)
{
	static char large[6000]; /* two of them fill a page */
	struct fixture *f = *state;
	struct store_query query = { .from = 2 };
	struct sum sum;

	memset(large, 'x', sizeof(large) - 1);
	large[0] = large[sizeof(large) - 2] = '"';
	assert_int_equal(fixture_open(f), E_OK);
	for (char id[] = "1"; id[0] <= '9'; id[0]++) {
		struct store_row row = fixture_row(id, NULL, large);

		assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
	}
	fixture_close(f);
	fixture_sql(f->dir, "DELETE FROM events WHERE pos = 2; PRAGMA wal_checkpoint(TRUNCATE)");
	give_position(f, 3, 1);
	assert_int_equal(read_from(f, &query, &sum), E_CORRUPT);
	assert_int_equal(sum.rows, 0);
	assert_string_equal(f->why.text, "events behind position 1: event 1: is not behind the one before it");
}

/* --------------------------------------------------------------------------------------------------------------------- */

static void without_a_store_there_is_nothing_to_read(void **state)
{
	struct fixture *f = *state;
	struct store_reader *r;

	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_NOT_FOUND);
	assert_non_null(strstr(f->why.text, "there is no store"));
	assert_int_equal(store_reader_open("/nonexistent", &f->why, &r), E_NOT_FOUND);
}

static void without_descriptors_a_store_is_not_said_to_be_missing(void **state)
{
	struct fixture *f = *state;
	struct store_reader *r;
	struct rlimit before, none;
	int next;

	assert_int_equal(fixture_open(f), E_OK);
	fixture_close(f);
	next = dup(STDERR_FILENO);
	assert_int_equal(close(next), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ .rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_IO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(f->why.text, "Too many open files"));
}

static void a_reader_survives_the_writers_end_and_start(void **state)
{
	struct fixture *f = *state;
	struct store_query query = { 0 };
	struct sum sum = { 0 };
	struct store_reader *r;

	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 10);
	r = reader(f);
	fixture_close(f);
	assert_int_equal(fixture_open(f), E_OK);
	fill(f, 0);
	assert_int_equal(store_read(r, &query, add, &sum, &f->why), E_OK);
	assert_int_equal(sum.rows, 10);
	store_reader_close(r);
}

/* ---- threads -------------------------------------------------------------------------------------------------------- */

#define PRODUCERS 4
#define EACH      200

static void *produce(void *ctx)
{
	struct fixture *f = ctx;

	for (int i = 0; i < EACH; i++) {
		struct store_row row = fixture_row("x", NULL, "{}");
		struct waiting w;

		waiting_start(&w, f->store, &row, 1, NULL);
		if (waiting_end(&w) != E_OK)
			return ctx;
		store_set_forwarded(f->store, "bus", row.pos);
	}
	return NULL;
}

static bool rises(void *ctx, const struct store_row *row)
{
	uint64_t *last = ctx;

	assert_int_equal(row->pos, *last + 1);
	*last = row->pos;
	return true;
}

static void producers_and_readers_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[PRODUCERS];
	struct store_reader *r;
	uint64_t last = 0;

	assert_int_equal(fixture_open(f), E_OK);
	r = reader(f);
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, f), 0);
	while (last < PRODUCERS * EACH) { /* no gaps, ever */
		struct store_query query = { .from = last + 1 };

		assert_int_equal(store_read(r, &query, rises, &last, &f->why), E_OK);
		assert_true(store_last(f->store) >= last || store_state(f->store) == STORE_OK);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(store_last(f->store), PRODUCERS * EACH);
	store_reader_close(r);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_query_gives_exactly_its_rows_in_order),
		T(what_a_filter_passes_over_is_said_and_need_not_be_looked_at_again),
		T(positions_that_are_gone_are_passed_over_at_once),
		T(how_many_there_are_is_not_counted_one_by_one),
		T(a_row_larger_than_a_chunk_is_read),
		T(what_comes_while_reading_waits_for_the_next_read),
		T(a_time_finds_its_position),
		T(an_event_without_its_route_is_not_passed_over),
		T(a_row_out_of_its_place_is_damage),
		T(a_row_out_of_its_place_is_not_the_first_either),
		T(what_stands_in_front_of_a_damaged_page_is_read_and_its_end_is_said),
		T(without_a_store_there_is_nothing_to_read),
		T(without_descriptors_a_store_is_not_said_to_be_missing),
		T(a_reader_survives_the_writers_end_and_start),
		T(producers_and_readers_do_not_disturb_each_other),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
