#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"
#include "store/row_json.h"
#include "store/store_tool.h"

static int setup(void **state)
{
	struct fixture *f = fixture_new();

	assert_int_equal(fixture_open(f), E_OK);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fixture_put_one(f, "a", i % 2 ? "k" : NULL, NULL, NULL), E_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void collect(void *ctx, const char *problem)
{
	struct buf *b = ctx;

	buf_str(b, str_of(problem));
	buf_char(b, '\n');
}

static void a_whole_store_has_no_problems(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_release) struct buf problems = { 0 };

	assert_int_equal(store_check(f->dir, NULL, collect, &problems, &f->why), E_OK); /* while it is written */
	assert_int_equal(problems.n, 0);
}

static const struct {
	const char *sql;
	const char *problem;
} damages[] = {
	{ "UPDATE events SET route = 99 WHERE pos = 3", "event 3: no route 99" },
	{ "UPDATE events SET data = x'00' WHERE pos = 3", "event 3: data of kind 1 is blob" },
	{ "DELETE FROM events WHERE pos = 3", "positions 1 to 11: 10 events" },
	{ "INSERT INTO dead VALUES(77, 'bus', 'why', 1)", "dead letter 77 of bus bus: no such event" },
	{ "INSERT INTO buses VALUES('bus', 88)", "bus bus: position 88 is behind the last event" },
	{ "INSERT INTO held VALUES('bus', 'hooks', 'a', 3, 1)", "bus bus: route hooks/a is held at position 3" },
	{ "INSERT INTO dedup VALUES(1, zeroblob(16), 1, 1)", "key of event 1: no generation 1" },
	{ "INSERT INTO dedup VALUES(1, x'00', 1, 1)", "key of event 1: a fingerprint of 1 bytes" },
	{ "INSERT INTO dedup VALUES(1, zeroblob(16), 99, 1)", "key of event 99: it is behind the last event" },
	{ "DELETE FROM settings WHERE name = 'dedup_secret'", "setting dedup_secret: missing" },
};

static void each_damage_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		CLEANUP(buf_release) struct buf problems = { 0 };
		void *one;
		struct fixture *f;

		setup(&one);
		f = one;
		fixture_close(f);
		fixture_sql(f->dir, damages[i].sql);
		assert_int_equal(store_check(f->dir, NULL, collect, &problems, &f->why), E_CORRUPT);
		assert_non_null(strstr(buf_cstr(&problems), damages[i].problem));
		teardown(&one);
	}
}

static void a_broken_page_is_found(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_release) struct buf problems = { 0 };
	char path[192];
	FILE *file;

	fixture_close(f);
	snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	file = fopen(path, "r+");
	for (long page = 3; page < 8; page++) {
		fseek(file, page * 16384, SEEK_SET);
		fputs("broken", file);
	}
	fclose(file);
	assert_int_equal(store_check(f->dir, NULL, collect, &problems, &f->why), E_CORRUPT);
	assert_true(problems.n > 0);
}

struct progress {
	struct store_progress progress;
	uint64_t calls, done, total;
	bool go_on;
};

static bool on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;

	p->calls++;
	p->done = done;
	p->total = total;
	return p->go_on;
}

static void a_copy_of_a_running_store_is_a_store(void **state)
{
	struct fixture *f = *state;
	struct progress p = { .progress = { on_progress, &p }, .go_on = true };
	struct fixture *copy = fixture_new();
	char to[128];
	struct stat st;

	snprintf(to, sizeof(to), "%s/spool.db", copy->dir);
	assert_int_equal(store_export(f->dir, to, &p.progress, &f->why), E_OK);
	assert_true(p.calls > 0 && p.done == p.total && p.total > 0);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fixture_put_one(f, "later", NULL, NULL, NULL), E_OK);
	assert_int_equal(fixture_count(copy), 11);
	assert_int_equal(store_check(copy->dir, NULL, NULL, NULL, &f->why), E_OK);
	assert_int_equal(fixture_open(copy), E_OK);
	assert_int_equal(store_last(copy->store), 11);
	fixture_free(copy);
}

static void nothing_is_overwritten_by_a_copy(void **state)
{
	struct fixture *f = *state;
	char to[128];

	snprintf(to, sizeof(to), "%s/spool.lock", f->dir);
	assert_int_equal(store_export(f->dir, to, NULL, &f->why), E_EXISTS);
	assert_int_equal(store_export(f->dir, "/nonexistent/x", NULL, &f->why), E_IO);
}

/* What a kill leaves at this moment. */
static bool looks_at_names(void *ctx, uint64_t done, uint64_t total)
{
	char part[140];

	(void)done;
	(void)total;
	snprintf(part, sizeof(part), "%s.part", (char *)ctx);
	assert_int_equal(access(ctx, F_OK), -1);
	assert_int_equal(access(part, F_OK), 0);
	return true;
}

static void half_a_copy_has_another_name(void **state)
{
	struct fixture *f = *state;
	char to[128], part[140];
	struct store_progress looks = { looks_at_names, to };
	int fd;

	snprintf(to, sizeof(to), "%s/copy", f->dir);
	snprintf(part, sizeof(part), "%s.part", to);
	fd = open(part, O_RDWR | O_CREAT, 0644);
	assert_int_equal(write(fd, "what a killed export has left", 29), 29);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(store_export(f->dir, to, NULL, &f->why), E_BUSY);
	close(fd);
	assert_int_equal(store_export(f->dir, to, &looks, &f->why), E_OK);
	assert_int_equal(access(part, F_OK), -1);
	assert_int_equal(symlink("nowhere", part), 0);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(store_export(f->dir, to, NULL, &f->why), E_IO);
	assert_int_equal(unlink(part), 0);
}

static const char *finishing[2]; /* from one name to the other, as soon as somebody asks for the lock */

/* In the place of libc's. */
int flock(int fd, int how)
{
	if (finishing[0])
		assert_int_equal(rename(finishing[0], finishing[1]), 0);
	finishing[0] = NULL;
	return (int)syscall(SYS_flock, fd, how);
}

/* Between opening its file and locking it: what was opened is the whole copy by then. */
static void a_copy_that_another_export_ends_stays_whole(void **state)
{
	struct fixture *f = *state;
	char to[128], part[140];
	struct stat st;
	int fd;

	snprintf(to, sizeof(to), "%s/copy", f->dir);
	snprintf(part, sizeof(part), "%s.part", to);
	fd = open(part, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, "whole", 5), 5);
	close(fd);
	finishing[0] = part;
	finishing[1] = to;
	assert_int_equal(store_export(f->dir, to, NULL, &f->why), E_BUSY);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(access(part, F_OK), -1);
}

static void a_copy_given_up_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct progress p = { .progress = { on_progress, &p }, .go_on = false };
	char to[128];

	snprintf(to, sizeof(to), "%s/copy", f->dir);
	assert_int_equal(store_export(f->dir, to, &p.progress, &f->why), E_CANCELLED);
	assert_int_equal(access(to, F_OK), -1);
}

static void vacuum_waits_for_nobody_and_shrinks_the_file(void **state)
{
	struct fixture *f = *state;
	struct store_row row = fixture_row("big", NULL, NULL);
	size_t n = 1 << 20;
	char *data = mem_alloc(n);
	char path[128];
	struct stat before, after;

	memset(data, 'x', n);
	row.data = (struct str){ data, n };
	assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
	mem_free(data);
	assert_int_equal(store_vacuum(f->dir, NULL, &f->why), E_BUSY);
	assert_non_null(strstr(f->why.text, "in use by process"));
	fixture_close(f);
	fixture_sql(f->dir, "UPDATE events SET data = '1' WHERE id = 'big'; PRAGMA wal_checkpoint(TRUNCATE)");
	snprintf(path, sizeof(path), "%s/spool.db", f->dir);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(store_vacuum(f->dir, NULL, &f->why), E_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_true(after.st_size + (900 << 10) < before.st_size);
	assert_int_equal(store_check(f->dir, NULL, NULL, NULL, &f->why), E_OK);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_last(f->store), 12);
}

static void tools_say_when_there_is_no_store(void **state)
{
	struct fixture *f = fixture_new();
	struct store_info info;

	(void)state;
	assert_int_equal(store_info(f->dir, &info, &f->why), E_NOT_FOUND);
	assert_int_equal(store_check(f->dir, NULL, NULL, NULL, &f->why), E_NOT_FOUND);
	assert_int_equal(store_export(f->dir, "/nonexistent/x", NULL, &f->why), E_NOT_FOUND);
	assert_int_equal(store_vacuum("/nonexistent", NULL, &f->why), E_NOT_FOUND);
	fixture_free(f);
}

static void a_row_prints_as_one_line(void **state)
{
	struct store_row row = fixture_row("a", NULL, "{\"x\":1}");
	CLEANUP(buf_release) struct buf line = { 0 };

	(void)state;
	row.pos = 7;
	row.stored_ms = 1700000000123;
	store_row_json(&row, &line);
	assert_string_equal(buf_cstr(&line), "{\"position\":7,\"stored\":\"2023-11-14T22:13:20.123Z\",\"event\":"
					     "{\"specversion\":\"1.0\",\"data\":{\"x\":1}}}");
}

static enum err on_held(void *ctx, const struct store_held *held)
{
	assert_true(str_is(held->name, "refused"));
	*(uint64_t *)ctx = held->forwarded;
	return E_OK;
}

static void a_renamed_bus_goes_on_where_it_was(void **state)
{
	const struct store_held held = { STR("s"), STR("refused"), 2, 3 };
	struct fixture *f = *state;
	struct store_info info;
	uint64_t pos = 0;

	assert_int_equal(store_forwarded(f->store, "old", &pos, &f->why), E_OK);
	store_set_forwarded_but(f->store, "old", 7, &held, 1);
	store_set_forwarded(f->store, "other", 3);
	assert_int_equal(fixture_dead(f, 5, "old", "too large"), E_OK);
	assert_int_equal(store_rename_bus(f->dir, "old", "new", &f->why), E_BUSY);
	fixture_close(f);
	assert_int_equal(store_rename_bus(f->dir, "none", "new", &f->why), E_NOT_FOUND);
	assert_int_equal(store_rename_bus(f->dir, "old", "other", &f->why), E_EXISTS);
	assert_int_equal(store_rename_bus(f->dir, "old", "new", &f->why), E_OK);
	assert_int_equal(store_info(f->dir, &info, &f->why), E_OK);
	assert_int_equal(info.bus_count, 2);
	assert_string_equal(info.buses[0].name, "new");
	assert_int_equal(info.buses[0].forwarded, 7);
	assert_int_equal(info.buses[0].held, 3);
	assert_int_equal(store_check(f->dir, NULL, NULL, NULL, &f->why), E_OK);
	assert_int_equal(fixture_open(f), E_OK);
	assert_int_equal(store_forwarded(f->store, "new", &pos, &f->why), E_OK);
	assert_int_equal(pos, 7);
	assert_int_equal(store_each_held(f->store, "new", on_held, &pos), E_OK);
	assert_int_equal(pos, 2);
	assert_int_equal(fixture_dead_remove(f, 5, "new"), E_OK);
	assert_int_equal(store_info(f->dir, &info, &f->why), E_OK);
	assert_int_equal(info.dead, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_whole_store_has_no_problems),
		cmocka_unit_test(each_damage_is_named),
		T(a_broken_page_is_found),
		T(a_copy_of_a_running_store_is_a_store),
		T(nothing_is_overwritten_by_a_copy),
		T(half_a_copy_has_another_name),
		T(a_copy_that_another_export_ends_stays_whole),
		T(a_copy_given_up_leaves_nothing),
		T(vacuum_waits_for_nobody_and_shrinks_the_file),
		T(a_renamed_bus_goes_on_where_it_was),
		cmocka_unit_test(tools_say_when_there_is_no_store),
		cmocka_unit_test(a_row_prints_as_one_line),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
