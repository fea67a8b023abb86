#include "auth/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "scratch.h"

static void what_is_written_is_read(void **state)
{
	const char *path = scratch_path("a");
	struct buf text = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(E_OK, file_write(path, STR("one\n"), 0600, false, NULL));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(0600, st.st_mode & 07777);
	assert_int_equal(E_OK, file_read(path, 4, &text, NULL));
	assert_true(str_is(buf_view(&text), "one\n"));
	buf_release(&text);
}

static void what_is_there_stays_unless_it_may_be_replaced(void **state)
{
	const char *path = scratch_file("b", "old");
	struct why why = { 0 };
	struct buf text = { 0 };

	(void)state;
	assert_int_equal(E_EXISTS, file_write(path, STR("new"), 0644, false, &why));
	assert_int_equal(E_OK, file_read(path, 10, &text, NULL));
	assert_true(str_is(buf_view(&text), "old"));
	assert_int_equal(E_OK, file_write(path, STR("new"), 0644, true, &why));
	buf_clear(&text);
	assert_int_equal(E_OK, file_read(path, 10, &text, NULL));
	assert_true(str_is(buf_view(&text), "new"));
	buf_release(&text);
}

static void a_link_stays_one(void **state)
{
	const char *path = scratch_file("e", "old"), *link = scratch_path("f");
	struct buf text = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(0, symlink("e", link));
	assert_int_equal(E_OK, file_write(link, STR("new"), 0600, true, NULL));
	assert_int_equal(0, lstat(link, &st));
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(E_OK, file_read(path, 10, &text, NULL));
	assert_true(str_is(buf_view(&text), "new"));
	buf_release(&text);
}

static void what_is_replaced_keeps_its_owner(void **state)
{
	const char *path = scratch_file("g", "old");
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(0, chown(path, 1, 2));
	assert_int_equal(E_OK, file_write(path, STR("new"), 0640, true, NULL));
	assert_int_equal(0, stat(path, &st));
	assert_int_equal(1, st.st_uid);
	assert_int_equal(2, st.st_gid);
	assert_int_equal(0640, st.st_mode & 0777);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
	struct why why = { 0 };

	(void)state;
	assert_int_equal(E_NOT_FOUND, file_write(scratch_path("no/such"), STR("x"), 0600, false, &why));
	assert_int_equal(E_EXISTS, file_write(scratch_file("c", ""), STR("x"), 0600, false, &why));
	/* scratch_end() fails the group when the directory is not empty of drafts: it removes files only. */
	assert_int_equal(0, mkdir(scratch_path("d"), 0700));
	assert_int_equal(E_EXISTS, file_write(scratch_path("d"), STR("x"), 0600, false, &why));
	assert_int_equal(E_IO, file_write(scratch_path("d"), STR("x"), 0600, true, &why));
	assert_int_equal(0, rmdir(scratch_path("d")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_there_stays_unless_it_may_be_replaced),
		cmocka_unit_test(a_link_stays_one),
		cmocka_unit_test(what_is_replaced_keeps_its_owner),
		cmocka_unit_test(a_failed_write_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
