#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "store/store_tool.h"

#define LARGE (200u << 10) /* some of these are a group */

static int setup(void **state)
{
	*state = fixture_new();
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void open_ok(struct fixture *f)
{
	enum err err = fixture_open(f);

	if (err != E_OK)
		print_error("%s\n", f->why.text);
	assert_int_equal(err, E_OK);
}

static void what_is_stored_is_read_back_in_order(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	open_ok(f);
	assert_int_equal(store_last(f->store), 0);
	assert_int_equal(fixture_put_one(f, "a", NULL, &pos, NULL), E_OK);
	assert_int_equal(pos, 1);
	assert_int_equal(fixture_put_one(f, "b", NULL, &pos, NULL), E_OK);
	assert_int_equal(pos, 2);
	assert_int_equal(store_last(f->store), 2);
	assert_string_equal(fixture_ids(f, 0), "a b ");
	assert_string_equal(fixture_ids(f, 2), "b ");
	assert_string_equal(fixture_ids(f, 3), "");
}

struct seen {
	struct store_row row;
	char data[64];
	char text[6][64];
};

static bool keep(void *ctx, const struct store_row *row)
{
	struct seen *seen = ctx;
	struct str parts[] = { row->source, row->name, row->id, row->key, row->meta };

	seen->row = *row;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		snprintf(seen->text[i], sizeof(seen->text[i]), "%.*s", STR_ARG(parts[i]));
	assert_true(row->data.n <= sizeof(seen->data));
	if (row->data.n)
		memcpy(seen->data, row->data.p, row->data.n);
	return true;
}

static void check_row(struct fixture *f, const struct store_row *row)
{
	struct store_row copy = *row;
	struct seen seen;
	struct store_query query = { 0 };
	struct store_reader *r;

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(fixture_put(f, &copy, 1, NULL), E_OK);
	query.from = query.to = copy.pos;
	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_OK);
	assert_int_equal(store_read(r, &query, keep, &seen, &f->why), E_OK);
	store_reader_close(r);
	assert_int_equal(seen.row.pos, copy.pos);
	assert_true(seen.row.stored_ms == copy.stored_ms && seen.row.stored_ms > 1600000000000);
	assert_string_equal(seen.text[0], "webhook");
	assert_string_equal(seen.text[1], "example");
	assert_string_equal(seen.text[2], "id");
	assert_int_equal(seen.row.data_kind, row->data_kind);
	assert_int_equal(seen.row.data.n, row->data.n);
	assert_memory_equal(seen.data, row->data.n ? row->data.p : "", row->data.n);
}

static void every_kind_of_data_survives_byte_for_byte(void **state)
{
	static const struct {
		enum event_data kind;
		struct str data;
	} rows[] = {
		{ EVENT_DATA_NONE, { 0 } },       { EVENT_DATA_JSON, { "{\"a\": 1.0}", 10 } },
		{ EVENT_DATA_TEXT, { "", 0 } },   { EVENT_DATA_TEXT, { "text\0with zero", 14 } },
		{ EVENT_DATA_BINARY, { "", 0 } }, { EVENT_DATA_BINARY, { "\xff\x00\xfe", 3 } },
	};
	struct fixture *f = *state;

	open_ok(f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_row row = fixture_row("id", NULL, NULL);

		row.data_kind = rows[i].kind;
		row.data = rows[i].data;
		check_row(f, &row);
	}
}

static void a_store_goes_on_where_it_was_closed(void **state)
{
	struct fixture *f = *state;
	uint64_t pos;

	open_ok(f);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	fixture_close(f);
	open_ok(f);
	assert_int_equal(store_last(f->store), 1);
	assert_int_equal(fixture_put_one(f, "b", NULL, &pos, NULL), E_OK);
	assert_int_equal(pos, 2);
	assert_string_equal(fixture_ids(f, 0), "a b ");
}

static void a_request_is_stored_whole(void **state)
{
	struct fixture *f = *state;
	struct store_row rows[3] = { fixture_row("a", "k1", "1"), fixture_row("b", "k2", "2"),
				     fixture_row("c", "k1", "3") };
	bool duplicates[3];

	open_ok(f);
	assert_int_equal(fixture_put(f, rows, 3, duplicates), E_OK);
	assert_string_equal(fixture_ids(f, 0), "a b ");
	assert_false(duplicates[0] || duplicates[1]);
	assert_true(duplicates[2]); /* the same key twice in one request */
	assert_int_equal(rows[2].pos, 1);
	assert_int_equal(fixture_put(f, rows, 0, NULL), E_OK);
	assert_int_equal(store_last(f->store), 2);
}

/* Refused by its size alone: nothing of it is looked at. */
static void a_row_that_is_too_large_for_any_store_is_refused_for_itself(void **state)
{
	struct fixture *f = *state;
	struct store_row row = fixture_row("large", "key", "{}");

	open_ok(f);
	row.data.n = 512u << 20;
	assert_int_equal(fixture_put(f, &row, 1, NULL), E_LIMIT);
	assert_int_equal(store_state(f->store), STORE_OK);
	assert_int_equal(fixture_put_one(f, "small", "key", NULL, NULL), E_OK);
	assert_string_equal(fixture_ids(f, 0), "small ");
}

static void a_second_writer_is_told_who_has_it(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	struct why why = { 0 };
	char expected[64];

	open_ok(f);
	assert_int_equal(store_open(&f->config, &why, &second), E_BUSY);
	snprintf(expected, sizeof(expected), "in use by process %ld", (long)getpid());
	assert_non_null(strstr(why.text, expected));
	fixture_close(f);
	open_ok(f); /* the lock went with the writer */
}

static void files_are_for_the_owner_alone(void **state)
{
	static const char *const names[] = { "spool.db", "spool.db-wal", "spool.db-shm", "spool.lock" };
	struct fixture *f = *state;
	char dir[128];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/data", f->dir);
	f->config.dir = dir;
	umask(0);
	open_ok(f);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[192];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	fixture_close(f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[192];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void a_newer_schema_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;
	struct store_reader *r;

	open_ok(f);
	fixture_close(f);
	fixture_sql(f->dir, "PRAGMA user_version = 999");
	assert_int_equal(fixture_open(f), E_UNSUPPORTED);
	assert_non_null(strstr(f->why.text, "schema 999 is newer"));
	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_UNSUPPORTED);
}

static void a_store_of_the_first_schema_is_migrated_with_all_that_it_holds(void **state)
{
	struct fixture *f = *state;
	struct store_reader *r;
	uint64_t pos = 0;

	open_ok(f);
	assert_int_equal(fixture_put_one(f, "a", "key", NULL, NULL), E_OK);
	store_set_forwarded(f->store, "bus", 1);
	fixture_close(f);
	fixture_sql(f->dir, "DROP TABLE held; PRAGMA user_version = 1");
	assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_UNSUPPORTED);
	assert_non_null(strstr(f->why.text, "schema 1 is older than 2"));
	open_ok(f);
	assert_int_equal(store_forwarded(f->store, "bus", &pos, &f->why), E_OK);
	assert_int_equal(pos, 1);
	assert_string_equal(fixture_ids(f, 1), "a ");
	fixture_close(f);
	assert_int_equal(store_check(f->dir, NULL, NULL, NULL, &f->why), E_OK);
}

static void another_programs_database_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_sql(f->dir, "CREATE TABLE other(x)");
	assert_int_equal(fixture_open(f), E_UNSUPPORTED);
	assert_non_null(strstr(f->why.text, "another program"));
}

static void a_file_that_is_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("no database at all", file);
	fclose(file);
	assert_int_equal(fixture_open(f), E_CORRUPT);
	assert_non_null(strstr(f->why.text, "the file is no SQLite database"));
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
	struct fixture *f = *state;

	f->config.dir = "/dev/null/spool";
	assert_int_equal(fixture_open(f), E_NOT_FOUND);
	assert_non_null(strstr(f->why.text, "/dev/null/spool: Not a directory"));
}

struct heard {
	struct store_listener listener;
	_Atomic uint64_t last;
};

static void on_commit(struct store_listener *l, uint64_t last)
{
	atomic_store(&CONTAINER_OF(l, struct heard, listener)->last, last);
}

static _Atomic uint64_t *heard_last;

static bool heard_both(struct fixture *f)
{
	return atomic_load(heard_last) == store_last(f->store);
}

static void listeners_hear_of_every_commit(void **state)
{
	struct fixture *f = *state;
	/* the writer goes on to the next listener after this one has heard */
	static struct heard one = { .listener.on_commit = on_commit };
	static struct heard two = { .listener.on_commit = on_commit };

	open_ok(f);
	store_listen(f->store, &one.listener);
	store_listen(f->store, &two.listener);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	heard_last = &one.last;
	fixture_until(f, heard_both);
	heard_last = &two.last;
	fixture_until(f, heard_both);
}

static void sqlite3_shows_events_to_people(void **state)
{
	struct fixture *f = *state;
	char path[128];
	sqlite3 *db;
	sqlite3_stmt *stmt;

	open_ok(f);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
					    "SELECT source || ' ' || name || ' ' || id || ' ' || data || ' ' ||"
					    " typeof(data) || ' ' || (stored LIKE '20__-__-__T%Z') FROM readable",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "webhook example a {} text 1");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static bool is_back(struct fixture *f)
{
	return store_state(f->store) == STORE_OK;
}

static void beside(const struct fixture *f, const char *name, char ret_path[static 100])
{
	snprintf(ret_path, 100, "%s/%s", f->dir, name);
}

/* What was answered before is in the file without a name alone. */
static void a_log_that_is_taken_away_is_missed_and_loses_nothing(void **state)
{
	struct fixture *f = *state;

	for (int replaced = 0; replaced < 2; replaced++) {
		char path[100];

		open_ok(f);
		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
		beside(f, "spool.db-wal", path);
		assert_int_equal(unlink(path), 0);
		if (replaced)
			assert_int_equal(close(creat(path, 0600)), 0);
		assert_int_equal(fixture_put_one(f, "refused", NULL, NULL, NULL), E_UNAVAILABLE);
		fixture_until(f, is_back);
		assert_int_equal(fixture_put_one(f, "b", NULL, NULL, NULL), E_OK);
		fixture_close(f);
	}
	open_ok(f);
	assert_string_equal(fixture_ids(f, 0), "a refused b a refused b ");
}

static bool count_row(void *ctx, const struct store_row *row)
{
	(void)row;
	++*(size_t *)ctx;
	return true;
}

static void take_log_away(struct fixture *f)
{
	char path[100];

	beside(f, "spool.db-wal", path);
	assert_int_equal(unlink(path), 0);
}

static void put_a_copy_in_its_place(struct fixture *f)
{
	char command[300];

	snprintf(command, sizeof(command), "cp -a %s %s.2 && rm -r %s && mv %s.2 %s", f->dir, f->dir, f->dir, f->dir,
		 f->dir);
	assert_int_equal(system(command), 0);
}

/* A reader has the old log, and what the index says of the new one does not stand there. Nothing that it reads there may count. */
static void a_reader_goes_on_in_the_new_log_or_file(void **state)
{
	static void (*const take_away[])(struct fixture *) = { take_log_away, put_a_copy_in_its_place };
	static const struct store_query all;
	struct fixture *f = *state;

	open_ok(f);
	for (size_t i = 0; i < ARRAY_LEN(take_away); i++) {
		struct store_reader *r;
		size_t rows = 0;
		uint64_t end;

		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
		assert_int_equal(store_reader_open(f->dir, &f->why, &r), E_OK);
		take_away[i](f);
		assert_int_equal(fixture_put_one(f, "refused", NULL, NULL, NULL), E_UNAVAILABLE);
		fixture_until(f, is_back);
		assert_int_equal(fixture_put_one(f, "b", NULL, NULL, NULL), E_OK);
		assert_int_equal(store_read(r, &all, count_row, &rows, &f->why), E_UNAVAILABLE);
		assert_int_equal(rows, 0);
		assert_int_equal(store_end(r, &end, &f->why), E_OK);
		assert_int_equal(end, store_last(f->store) + 1);
		assert_int_equal(store_read(r, &all, count_row, &rows, &f->why), E_OK);
		assert_int_equal(rows, store_last(f->store));
		store_reader_close(r);
	}
}

static void truncated(const struct fixture *f)
{
	char path[100];

	beside(f, "spool.db", path);
	assert_int_equal(truncate(path, 0), 0);
}

static void removed(const struct fixture *f)
{
	char path[100];

	beside(f, "spool.db", path);
	assert_int_equal(unlink(path), 0);
}

static void replaced_by_nothing(const struct fixture *f)
{
	char path[100];

	removed(f);
	beside(f, "spool.db", path);
	assert_int_equal(close(creat(path, 0600)), 0);
}

/* Each opening by SQLite, a reader's too, would delete the log. */
static void nobody_takes_it_for_new(struct fixture *f, const char *what)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	struct store_reader *r = NULL;
	char path[100];

	buf_addf(&text, "spool.db is %s, but its log is not: it was truncated, replaced or removed", what);
	assert_int_not_equal(store_reader_open(f->dir, &f->why, &r), E_OK);
	assert_int_equal(store_check(f->dir, NULL, NULL, NULL, &f->why),
			 strcmp(what, "missing") == 0 ? E_NOT_FOUND : E_CORRUPT);
	assert_int_equal(fixture_open(f), E_CORRUPT);
	assert_non_null(strstr(f->why.text, buf_cstr(&text)));
	beside(f, "spool.db-wal", path);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_store_without_its_file_is_missed_and_nobody_begins_a_new_one(void **state)
{
	static const struct {
		void (*take)(const struct fixture *f);
		const char *leaves;
	} ways[] = { { truncated, "empty" }, { replaced_by_nothing, "empty" }, { removed, "missing" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct fixture *f = fixture_new();

		open_ok(f);
		assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
		ways[i].take(f);
		assert_int_equal(fixture_put_one(f, "refused", NULL, NULL, NULL), E_UNAVAILABLE);
		assert_int_equal(fixture_put_one(f, "refused", NULL, NULL, NULL), E_UNAVAILABLE);
		fixture_close(f);
		nobody_takes_it_for_new(f, ways[i].leaves);
		fixture_free(f);
	}
}

/* An orderly end leaves no log: what is known is the position. Who removes the file wants a new store. */
static void an_empty_file_is_new_only_when_nothing_was_stored(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		open_ok(f);
		fixture_close(f);
		truncated(f);
	}
	open_ok(f);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	fixture_close(f);
	truncated(f);
	assert_int_equal(fixture_open(f), E_CORRUPT);
	assert_non_null(strstr(f->why.text, "spool.db is empty, but had events up to position 1: it was "));
	removed(f);
	open_ok(f);
	assert_int_equal(store_last(f->store), 0);
	fixture_close(f);
	truncated(f);
	open_ok(f);
}

/* In front of the text stand the types of the row's columns: the name becomes NULL, and its text that of the position. */
static void take_name_of_bus(struct fixture *f, const char *bus)
{
	char path[100], *bytes = mem_alloc(LARGE), *name;
	size_t n;
	FILE *file;

	beside(f, "spool.db", path);
	file = fopen(path, "r+");
	assert_non_null(file);
	n = fread(bytes, 1, LARGE, file);
	name = memmem(bytes, n, bus, strlen(bus));
	assert_non_null(name);
	assert_int_equal(fseek(file, name - bytes - 2, SEEK_SET), 0);
	assert_int_equal(fputc(0, file), 0);
	assert_true(fputc(13 + 2 * (int)strlen(bus), file) > 0);
	assert_int_equal(fclose(file), 0);
	mem_free(bytes);
}

static void what_contradicts_itself_is_said_as_damage(void **state)
{
	struct fixture *f = *state;
	struct store_row row = fixture_row("a", NULL, "{}");
	struct waiting w;

	open_ok(f);
	assert_int_equal(fixture_put_one(f, "a", NULL, NULL, NULL), E_OK);
	fixture_sql(f->dir,
		    "INSERT INTO events SELECT pos + 1, stored_ms, route, id, key, kind, meta, data FROM events");
	waiting_start(&w, f->store, &row, 1, NULL);
	assert_int_equal(waiting_end(&w), E_UNAVAILABLE);
	assert_non_null(strstr(w.why.text, "what is stored contradicts itself: UNIQUE constraint failed: events.pos"));
	fixture_until(f, is_back);
	store_set_forwarded(f->store, "the-only-bus", 1);
	fixture_close(f);
	take_name_of_bus(f, "the-only-bus");
	assert_int_equal(fixture_open(f), E_CORRUPT);
	assert_non_null(strstr(f->why.text, "table buses: a row without a name"));
}

/* Also what takes many groups. */
static void what_waits_is_committed_by_close(void **state)
{
	struct fixture *f = *state;
	struct waiting waiting[64];
	struct store_row rows[64];
	char ids[64][8];
	char *data = mem_alloc(LARGE);

	memset(data, 'x', LARGE);
	open_ok(f);
	for (int i = 0; i < 64; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%d", i);
		rows[i] = fixture_row(ids[i], NULL, "{}");
		rows[i].data_kind = EVENT_DATA_BINARY;
		rows[i].data = (struct str){ data, LARGE };
		waiting_start(&waiting[i], f->store, &rows[i], 1, NULL);
	}
	fixture_close(f);
	for (int i = 0; i < 64; i++)
		assert_int_equal(waiting_end(&waiting[i]), E_OK);
	assert_int_equal(fixture_count(f), 64);
	mem_free(data);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_stored_is_read_back_in_order),
		T(every_kind_of_data_survives_byte_for_byte),
		T(a_store_goes_on_where_it_was_closed),
		T(a_request_is_stored_whole),
		T(a_row_that_is_too_large_for_any_store_is_refused_for_itself),
		T(a_second_writer_is_told_who_has_it),
		T(files_are_for_the_owner_alone),
		T(a_newer_schema_is_refused_and_left_alone),
		T(a_store_of_the_first_schema_is_migrated_with_all_that_it_holds),
		T(another_programs_database_is_refused),
		T(a_file_that_is_no_database_is_refused),
		T(a_directory_that_cannot_be_made_is_named),
		T(listeners_hear_of_every_commit),
		T(sqlite3_shows_events_to_people),
		T(a_log_that_is_taken_away_is_missed_and_loses_nothing),
		T(a_store_without_its_file_is_missed_and_nobody_begins_a_new_one),
		T(what_contradicts_itself_is_said_as_damage),
		T(an_empty_file_is_new_only_when_nothing_was_stored),
		T(a_reader_goes_on_in_the_new_log_or_file),
		T(what_waits_is_committed_by_close),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
