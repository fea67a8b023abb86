#include "ledger_fixture.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/db.h"

static struct ledger_fixture *opened(void)
{
	struct ledger_fixture *f = ledger_fixture_new();

	if (ledger_fixture_open(f) != E_OK)
		fail_msg("%s", f->why.text);
	return f;
}

static struct ledger_change copy(const char *peer, const char *name, const char *uid, const char *bytes)
{
	return (struct ledger_change){
		.table = LEDGER_COPY,
		.remove = !bytes,
		.row = { .peer = str_of(peer),
			 .kind = STR("Application"),
			 .namespace = STR("argocd"),
			 .name = str_of(name),
			 .uid = str_of(uid),
			 .version = STR("7"),
			 .desired = STR("d1"),
			 .status = STR("d2"),
			 .operation = STR("d3"),
			 .bytes = str_of(bytes) },
	};
}

static void a_row_is_put_replaced_and_removed(void **state)
{
	struct ledger_fixture *f = opened();

	(void)state;
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "");
	assert_int_equal(ledger_fixture_set(f, "a", "1"), E_OK);
	assert_int_equal(ledger_fixture_set(f, "a", "2"), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "///a//=2 ");
	assert_int_equal(ledger_fixture_set(f, "b", NULL), E_OK); /* nothing there: nothing to do */
	assert_int_equal(ledger_fixture_set(f, "a", NULL), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "");
	ledger_fixture_free(f);
}

static bool look_at_columns(void *ctx, const struct ledger_row *row)
{
	struct ledger_row want = copy("agent", "guestbook", "u1", "bytes").row;

	assert_true(str_eq(row->peer, want.peer) && str_eq(row->kind, want.kind));
	assert_true(str_eq(row->namespace, want.namespace) && str_eq(row->name, want.name));
	assert_true(str_eq(row->uid, want.uid) && str_eq(row->version, want.version));
	assert_true(str_eq(row->desired, want.desired) && str_eq(row->status, want.status));
	assert_true(str_eq(row->operation, want.operation) && str_eq(row->bytes, want.bytes));
	++*(int *)ctx;
	return true;
}

static void every_table_keeps_every_column(void **state)
{
	struct ledger_fixture *f = opened();

	(void)state;
	for (int table = 0; table < LEDGER_TABLE_COUNT; table++) {
		struct ledger_change change = copy("agent", "guestbook", "u1", "bytes");
		int rows = 0;

		change.table = (enum ledger_table)table;
		assert_int_equal(ledger_fixture_write(f, &change, 1), E_OK);
		assert_int_equal(ledger_read(f->ledger, change.table, (struct str){ 0 }, look_at_columns, &rows, NULL),
				 E_OK);
		assert_int_equal(rows, 1);
		change.remove = true;
		assert_int_equal(ledger_fixture_write(f, &change, 1), E_OK);
		assert_string_equal(ledger_fixture_rows(f, change.table, NULL), "");
	}
	ledger_fixture_free(f);
}

static void a_table_is_read_in_the_order_of_its_key_and_by_peer(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change changes[] = {
		copy("b", "x", "u1", "4"),
		copy("a", "y", "u1", "3"),
		copy("a", "x", "u2", "2"),
		copy("a", "x", "u1", "1"),
	};

	(void)state;
	assert_int_equal(ledger_fixture_write(f, changes, ARRAY_LEN(changes)), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_COPY, NULL),
			    "a/Application/argocd/x/u1/7=1 a/Application/argocd/x/u2/7=2 "
			    "a/Application/argocd/y/u1/7=3 b/Application/argocd/x/u1/7=4 ");
	assert_string_equal(ledger_fixture_rows(f, LEDGER_COPY, "b"), "b/Application/argocd/x/u1/7=4 ");
	assert_string_equal(ledger_fixture_rows(f, LEDGER_COPY, "c"), "");
	ledger_fixture_free(f);
}

static bool stop_at_once(void *ctx, const struct ledger_row *row)
{
	(void)row;
	++*(int *)ctx;
	return false;
}

static void reading_stops_when_told(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change changes[] = { copy("a", "x", "u1", "1"), copy("a", "x", "u2", "2") };
	int rows = 0;

	(void)state;
	assert_int_equal(ledger_fixture_write(f, changes, ARRAY_LEN(changes)), E_OK);
	assert_int_equal(ledger_read(f->ledger, LEDGER_COPY, (struct str){ 0 }, stop_at_once, &rows, NULL), E_OK);
	assert_int_equal(rows, 1);
	ledger_fixture_free(f);
}

static void changes_of_a_transaction_are_done_in_their_order(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change changes[] = {
		ledger_fixture_setting("a", "1"),
		ledger_fixture_setting("a", NULL),
		ledger_fixture_setting("b", "1"),
		ledger_fixture_setting("b", "2"),
	};

	(void)state;
	assert_int_equal(ledger_fixture_write(f, changes, ARRAY_LEN(changes)), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "///b//=2 ");
	ledger_fixture_free(f);
}

static void writes_of_one_thread_are_done_in_their_order(void **state)
{
	enum { N = 500 };
	struct ledger_fixture *f = opened();
	struct ledger_waiting *w = mem_array(N, sizeof(*w));
	struct ledger_change *changes = mem_array(N, sizeof(*changes));
	char(*texts)[8] = mem_array(N, 8);

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(texts[i], 8, "%d", i);
		changes[i] = ledger_fixture_setting("a", texts[i]);
		ledger_waiting_start(&w[i], f->ledger, &changes[i], 1);
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(ledger_waiting_end(&w[i]), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "///a//=499 ");
	mem_free(w);
	mem_free(changes);
	mem_free(texts);
	ledger_fixture_free(f);
}

static void bytes_of_any_kind_come_back(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change change = ledger_fixture_setting("a", "");
	char all[256];
	struct str bytes = { all, sizeof(all) };
	const char *text;

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)(255 - i);
	change.row.bytes = bytes;
	change.row.version = STR("");
	assert_int_equal(ledger_fixture_write(f, &change, 1), E_OK);
	text = ledger_fixture_rows(f, LEDGER_SETTING, NULL);
	assert_memory_equal(text + strlen("///a//="), all, 200);
	ledger_fixture_free(f);
}

static void what_was_written_is_there_after_closing(void **state)
{
	struct ledger_fixture *f = opened();

	(void)state;
	assert_int_equal(ledger_fixture_set(f, "a", "1"), E_OK);
	ledger_fixture_close(f);
	assert_int_equal(ledger_fixture_open(f), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "///a//=1 ");
	ledger_fixture_free(f);
}

static void what_waits_is_committed_by_close(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change change = ledger_fixture_setting("a", "1");
	struct ledger_waiting w;

	(void)state;
	ledger_waiting_start(&w, f->ledger, &change, 1);
	ledger_fixture_close(f);
	assert_int_equal(ledger_waiting_end(&w), E_OK);
	assert_int_equal(ledger_fixture_open(f), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "///a//=1 ");
	ledger_fixture_free(f);
}

static void a_second_process_is_told_who_has_it(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger *second;
	char pid[32];

	(void)state;
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	assert_int_equal(ledger_open(f->f->dir, NULL, &f->why, &second), E_BUSY);
	assert_non_null(strstr(f->why.text, pid));
	ledger_fixture_free(f);
}

static void the_spool_may_have_the_same_directory(void **state)
{
	struct ledger_fixture *f = opened();

	(void)state;
	assert_int_equal(fixture_open(f->f), E_OK);
	assert_int_equal(fixture_put_one(f->f, "1", NULL, NULL, NULL), E_OK);
	assert_int_equal(ledger_fixture_set(f, "a", "1"), E_OK);
	ledger_fixture_free(f);
}

static void change_file(struct ledger_fixture *f, const char *sql)
{
	char path[128];
	struct db db;

	snprintf(path, sizeof(path), "%s/ledger.db", f->f->dir);
	assert_int_equal(db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, NULL, &db), E_OK);
	assert_int_equal(db_exec(&db, sql, NULL), E_OK);
	db_close(&db);
}

static void a_newer_schema_and_other_files_are_left_alone(void **state)
{
	static const struct {
		const char *sql;
		enum err err;
		const char *says;
	} rows[] = {
		{ "PRAGMA application_id = 0x686f6c6c; PRAGMA user_version = 99", E_UNSUPPORTED, "schema 99 is newer" },
		{ "CREATE TABLE other(a)", E_UNSUPPORTED, "another program's" },
		{ "PRAGMA application_id = 0x686f6c64; PRAGMA user_version = 1", E_UNSUPPORTED, "another program's" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ledger_fixture *f = ledger_fixture_new();

		change_file(f, rows[i].sql);
		assert_int_equal(ledger_fixture_open(f), rows[i].err);
		assert_non_null(strstr(f->why.text, rows[i].says));
		ledger_fixture_free(f);
	}
}

static void a_file_that_is_none_is_corrupt(void **state)
{
	struct ledger_fixture *f = ledger_fixture_new();
	char path[128];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/ledger.db", f->f->dir);
	file = fopen(path, "we");
	for (int i = 0; i < 1000; i++)
		fputs("no database ", file);
	fclose(file);
	assert_int_equal(ledger_fixture_open(f), E_CORRUPT);
	ledger_fixture_free(f);
}

static void a_row_that_is_too_large_fails_alone(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change large[2] = { ledger_fixture_setting("small", "1"), ledger_fixture_setting("large", "") };
	size_t n = (64u << 20) + 1;
	char *bytes = mem_alloc(n);

	(void)state;
	large[1].row.bytes = (struct str){ bytes, n };
	assert_int_equal(ledger_fixture_write(f, large, 2), E_LIMIT);
	assert_int_equal(ledger_fixture_set(f, "a", "1"), E_OK);
	assert_string_equal(ledger_fixture_rows(f, LEDGER_SETTING, NULL), "///a//=1 ");
	mem_free(bytes);
	ledger_fixture_free(f);
}

static void what_it_does_is_counted(void **state)
{
	struct ledger_fixture *f = opened();
	struct ledger_change two[] = { ledger_fixture_setting("a", "1"), ledger_fixture_setting("b", "1") };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(ledger_fixture_write(f, two, 2), E_OK);
	assert_int_equal(ledger_fixture_set(f, "a", "2"), E_OK);
	ledger_fixture_close(f);
	metrics_write(f->metrics, /* openmetrics= */ false, &text);
	assert_non_null(strstr(buf_cstr(&text), "holdfast_ledger_rows_total 3\n"));
	assert_non_null(strstr(buf_cstr(&text), "holdfast_ledger_commit_seconds_count 2\n"));
	assert_non_null(strstr(buf_cstr(&text), "holdfast_ledger_failed 0\n"));
	buf_release(&text);
	ledger_fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_put_replaced_and_removed),
		cmocka_unit_test(every_table_keeps_every_column),
		cmocka_unit_test(a_table_is_read_in_the_order_of_its_key_and_by_peer),
		cmocka_unit_test(reading_stops_when_told),
		cmocka_unit_test(changes_of_a_transaction_are_done_in_their_order),
		cmocka_unit_test(writes_of_one_thread_are_done_in_their_order),
		cmocka_unit_test(bytes_of_any_kind_come_back),
		cmocka_unit_test(what_was_written_is_there_after_closing),
		cmocka_unit_test(what_waits_is_committed_by_close),
		cmocka_unit_test(a_second_process_is_told_who_has_it),
		cmocka_unit_test(the_spool_may_have_the_same_directory),
		cmocka_unit_test(a_newer_schema_and_other_files_are_left_alone),
		cmocka_unit_test(a_file_that_is_none_is_corrupt),
		cmocka_unit_test(a_row_that_is_too_large_fails_alone),
		cmocka_unit_test(what_it_does_is_counted),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
