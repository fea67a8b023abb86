#include "store/lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static int dir_fd;
static unsigned dir_syncs;
static bool sync_fails;

/* In the place of the C library's: counts those of the directory. */
int fsync(int fd)
{
	dir_syncs += fd == dir_fd;
	if (sync_fails) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

static int make_dir(void **state)
{
	struct why why = { 0 };

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_lock.XXXXXX");
	dir_syncs = 0;
	sync_fails = false;
	return mkdtemp(dir) && lock_dir_open(dir, /* create= */ false, &why, &dir_fd) == E_OK ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlinkat(dir_fd, "file", 0);
	(void)unlinkat(dir_fd, "a.lock", 0);
	close(dir_fd);
	return rmdir(dir);
}

static void a_new_file_is_known_to_the_disk_by_its_name(void **state)
{
	struct why why = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(lock_create_file(dir_fd, "file", &why), E_OK);
	assert_int_equal(dir_syncs, 1);
	assert_int_equal(fstatat(dir_fd, "file", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(lock_create_file(dir_fd, "file", &why), E_OK); /* it is there: nothing to make durable */
	assert_int_equal(dir_syncs, 1);
}

static void a_name_that_the_disk_may_forget_is_an_error(void **state)
{
	struct why why = { 0 };

	(void)state;
	sync_fails = true;
	assert_int_equal(lock_create_file(dir_fd, "file", &why), E_IO);
	assert_string_equal(why.text, "sync directory: Input/output error");
}

/* 0: the child took the lock. */
static int other_process_takes(struct why *why)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		int fd;

		_exit(lock_take(dir_fd, "a.lock", why, &fd) == E_OK ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void one_process_has_it_until_it_lets_go(void **state)
{
	struct why why = { 0 };
	char text[64];
	int fd;
	int second;

	(void)state;
	assert_int_equal(lock_take(dir_fd, "a.lock", &why, &fd), E_OK);
	assert_int_equal(other_process_takes(&why), 1);
	assert_int_equal(lock_take(dir_fd, "a.lock", &why, &second), E_BUSY);
	(void)snprintf(text, sizeof(text), "in use by process %ld", (long)getpid());
	assert_string_equal(why.text, text);
	close(fd);
	assert_int_equal(other_process_takes(&why), 0); /* and its end lets go */
	assert_int_equal(lock_take(dir_fd, "a.lock", &why, &fd), E_OK);
	close(fd);
}

static void a_number_outlives_who_kept_it(void **state)
{
	struct why why = { 0 };
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(lock_take(dir_fd, "a.lock", &why, &fd), E_OK);
	assert_int_equal(lock_noted(fd), 0);
	lock_note(fd, UINT64_MAX);
	close(fd);
	assert_int_equal(other_process_takes(&why), 0);
	assert_int_equal(lock_take(dir_fd, "a.lock", &why, &fd), E_OK);
	assert_int_equal(lock_noted(fd), UINT64_MAX);
	lock_note(fd, 7); /* a shorter one leaves nothing of the longer */
	assert_int_equal(lock_noted(fd), 7);
	assert_true(fstat(fd, &st) == 0 && st.st_size < 20);
	close(fd);
}

static void a_directory_that_is_not_there_is_said(void **state)
{
	struct why why = { 0 };
	int fd;

	(void)state;
	assert_int_equal(lock_dir_open("/nowhere/at/all", /* create= */ false, &why, &fd), E_NOT_FOUND);
	assert_string_equal(why.text, "open directory /nowhere/at/all: No such file or directory");
	assert_int_equal(lock_dir_open("/proc/none/all", /* create= */ true, &why, &fd), E_NOT_FOUND);
	assert_string_equal(why.text, "make directory /proc/none/all: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_file_is_known_to_the_disk_by_its_name, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_name_that_the_disk_may_forget_is_an_error, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(one_process_has_it_until_it_lets_go, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_number_outlives_who_kept_it, make_dir, remove_dir),
		cmocka_unit_test(a_directory_that_is_not_there_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
