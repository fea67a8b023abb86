/* watch.h: a write is seen, also when the directory comes later; what does not concern the store is not. */
#include "cli/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[PATH_MAX];

static int make_root(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/holdfast-watch-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[PATH_MAX + 16];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
	return system(command);
}

static const char *at(const char *below)
{
	static __thread char paths[4][PATH_MAX + 64];
	static __thread unsigned next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", root, below);
	return path;
}

static void write_file(const char *below)
{
	int fd = open(at(below), O_CREAT | O_WRONLY | O_APPEND, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(close(fd), 0);
}

/* A commit shows in no file's events: what was written before the watch may count only after the first look. */
static void after_opening_it_looks_again_without_a_write(void **state)
{
	struct why why = { 0 };
	struct watch w;

	(void)state;
	assert_int_equal(watch_open(&w, root, &why), E_OK);
	assert_int_equal(watch_wait(&w, &why), E_OK);
	assert_int_equal(w.pause_ms, 2);
	watch_close(&w);
}

static void a_write_wakes_and_is_looked_at_again_after_a_moment(void **state)
{
	struct why why = { 0 };
	struct watch w;

	(void)state;
	assert_int_equal(watch_open(&w, root, &why), E_OK);
	write_file("spool.db-wal");
	assert_int_equal(watch_wait(&w, &why), E_OK);
	assert_int_equal(w.pause_ms, 1);
	assert_int_equal(watch_wait(&w, &why), E_OK); /* the commit may have counted only now */
	assert_int_equal(w.pause_ms, 2);
	assert_int_equal(watch_wait(&w, &why), E_OK);
	assert_int_equal(w.pause_ms, 4);
	write_file("spool.db");
	assert_int_equal(watch_wait(&w, &why), E_OK);
	assert_int_equal(w.pause_ms, 1);
	watch_close(&w);
}

static void long_after_the_last_write_it_only_waits(void **state)
{
	struct why why = { 0 };
	struct watch w;

	(void)state;
	assert_int_equal(watch_open(&w, root, &why), E_OK);
	write_file("spool.db-wal");
	assert_int_equal(watch_wait(&w, &why), E_OK);
	w.write_ms -= 11000;
	assert_int_equal(watch_wait(&w, &why), E_OK); /* the last look */
	assert_int_equal(w.pause_ms, -1);
	watch_close(&w);
}

static void other_files_do_not_wake(void **state)
{
	struct why why = { 0 };
	struct watch w;

	(void)state;
	assert_int_equal(watch_open(&w, root, &why), E_OK);
	write_file("spool.db-shm");
	write_file("admin.json");
	write_file("spool.db-wal");
	assert_int_equal(watch_wait(&w, &why), E_OK);
	assert_int_equal(unlink(at("admin.json")), 0);
	assert_int_equal(unlink(at("spool.db-wal")), 0); /* SQLite does so when the last one closes */
	write_file("spool.db");
	assert_int_equal(watch_wait(&w, &why), E_OK);
	assert_int_equal(w.pause_ms, 1);
	watch_close(&w);
}

static void a_removed_store_is_said(void **state)
{
	struct why why = { 0 };
	struct watch w;

	(void)state;
	write_file("spool.db");
	assert_int_equal(watch_open(&w, root, &why), E_OK);
	assert_int_equal(unlink(at("spool.db")), 0);
	assert_int_equal(watch_wait(&w, &why), E_NOT_FOUND);
	assert_non_null(strstr(why.text, "was removed"));
	watch_close(&w);
}

static void *make_and_write(void *ctx)
{
	(void)ctx;
	assert_int_equal(mkdir(at("a"), 0700), 0);
	assert_int_equal(mkdir(at("a/b"), 0700), 0);
	assert_int_equal(mkdir(at("a/b/data"), 0700), 0);
	write_file("a/b/data/spool.db");
	return NULL;
}

/* The directories appear faster than the watch can follow them down: none may be missed. */
static void a_directory_that_comes_later_is_found(void **state)
{
	char dir[PATH_MAX + 64];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s", at("a/b/data"));
	for (int round = 0; round < 200; round++) {
		struct why why = { 0 };
		struct watch w;
		pthread_t thread;

		assert_int_equal(watch_open(&w, dir, &why), E_OK);
		assert_true(w.above);
		assert_int_equal(pthread_create(&thread, NULL, make_and_write, NULL), 0);
		while (access(at("a/b/data/spool.db"), F_OK) != 0 || w.above)
			if (watch_wait(&w, &why) != E_OK)
				fail_msg("%s", why.text);
		assert_int_equal(pthread_join(thread, NULL), 0);
		watch_close(&w);
		assert_int_equal(remove_root(NULL), 0);
		assert_int_equal(mkdir(root, 0700), 0);
	}
}

static void a_path_that_is_no_directory_is_an_error(void **state)
{
	struct why why = { 0 };
	struct watch w;

	(void)state;
	write_file("file");
	assert_int_equal(watch_open(&w, at("file"), &why), E_IO);
	assert_non_null(strstr(why.text, "Not a directory"));
}

#define TEST_IN_ROOT(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_ROOT(after_opening_it_looks_again_without_a_write),
		TEST_IN_ROOT(a_write_wakes_and_is_looked_at_again_after_a_moment),
		TEST_IN_ROOT(long_after_the_last_write_it_only_waits),
		TEST_IN_ROOT(other_files_do_not_wake),
		TEST_IN_ROOT(a_removed_store_is_said),
		TEST_IN_ROOT(a_directory_that_comes_later_is_found),
		TEST_IN_ROOT(a_path_that_is_no_directory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
