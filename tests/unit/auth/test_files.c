#include "auth/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

/* ---- several as one ---------------------------------------------------------------------------------------------- */

#define SET   "set"
#define COUNT 3

static char paths[COUNT][64];

/* Three files in a directory of their own, which is empty. */
static void set_begin(struct file_part ret_files[static COUNT])
{
	const char *dir = scratch_path(SET);

	assert_int_equal(0, mkdir(dir, 0700));
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%d", dir, i);
		ret_files[i] = (struct file_part){ paths[i], 0600, STR("content") };
	}
}

/* How many of them are there; and nothing else is. */
static int set_end(void)
{
	int n = 0;

	for (int i = 0; i < COUNT; i++)
		n += unlink(paths[i]) == 0;
	assert_int_equal(0, rmdir(scratch_path(SET)));
	return n;
}

static void of_several_files_none_is_there_when_one_cannot_be(void **state)
{
	struct file_part files[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		struct why why = { 0 };

		set_begin(files);
		assert_int_equal(0, mkdir(paths[i], 0700));
		assert_int_equal(E_EXISTS, files_write(files, COUNT, /* replace= */ false, &why));
		assert_non_null(strstr(why.text, paths[i]));
		assert_int_equal(0, rmdir(paths[i]));
		assert_int_equal(0, set_end());
	}
	set_begin(files);
	assert_int_equal(E_OK, files_write(files, COUNT, /* replace= */ false, NULL));
	assert_int_equal(COUNT, set_end());
}

static void a_draft_of_nobody_that_writes_is_removed(void **state)
{
	struct file_part files[COUNT];
	char draft[128];

	(void)state;
	set_begin(files);
	(void)snprintf(draft, sizeof(draft), "%s.holdfast-draft", paths[1]);
	assert_int_equal(E_OK, file_write(draft, STR("half"), 0600, false, NULL));
	assert_int_equal(E_OK, file_write(paths[0], STR("somebody's"), 0600, false, NULL));
	files_settle(files, COUNT);
	assert_int_equal(1, set_end());
}

/* Stops `pid`, a child that is traced, for good at its system call of this number, before it or behind it. False: it has ended by then. */
static bool kill_at(pid_t pid, int stop)
{
	int status = 0;

	assert_int_equal(pid, waitpid(pid, &status, 0));
	for (int n = 0; n < stop && WIFSTOPPED(status); n++) {
		assert_int_equal(0, ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		assert_int_equal(pid, waitpid(pid, &status, 0));
	}
	if (!WIFSTOPPED(status))
		return false;
	assert_int_equal(0, kill(pid, SIGKILL));
	assert_int_equal(pid, waitpid(pid, &status, 0));
	return true;
}

/* Another one writes the files and is killed. False: it was not. */
static bool write_and_die(const struct file_part *files, int stop)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			(void)raise(SIGSTOP);
		_exit(files_write(files, COUNT, /* replace= */ false, NULL) != E_OK);
	}
	return kill_at(pid, stop);
}

static bool ptrace_works(void)
{
	struct file_part files[COUNT];
	bool works;

	set_begin(files);
	works = write_and_die(files, 0);
	(void)set_end();
	return works;
}

static void who_is_killed_writes_all_of_several_files_or_none(void **state)
{
	int found[COUNT + 1] = { 0 };

	(void)state;
	if (!ptrace_works())
		skip();
	for (int stop = 1;; stop += 2) { /* the end of one call and the beginning of the next are the same */
		struct file_part files[COUNT];
		bool killed;

		set_begin(files);
		killed = write_and_die(files, stop);
		files_settle(files, COUNT);
		found[set_end()]++;
		if (!killed)
			break;
	}
	assert_int_equal(0, found[1] + found[2]);
	assert_true(found[0] > COUNT && found[COUNT] > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_there_stays_unless_it_may_be_replaced),
		cmocka_unit_test(a_link_stays_one),
		cmocka_unit_test(what_is_replaced_keeps_its_owner),
		cmocka_unit_test(a_failed_write_leaves_nothing_behind),
		cmocka_unit_test(of_several_files_none_is_there_when_one_cannot_be),
		cmocka_unit_test(a_draft_of_nobody_that_writes_is_removed),
		cmocka_unit_test(who_is_killed_writes_all_of_several_files_or_none),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
