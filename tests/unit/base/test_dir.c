#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/dir.h"

static char scratch[] = "/tmp/test_dir.XXXXXX";

/* Inodes of what was synced, in order. */
static ino_t synced[8];
static size_t synced_n;

/* In the place of the C library's: notes what is synced. */
int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && synced_n < sizeof(synced) / sizeof(*synced))
		synced[synced_n++] = st.st_ino;
	return (int)syscall(SYS_fsync, fd);
}

static int go_to_scratch(void **state)
{
	(void)state;
	(void)umask(022);
	return mkdtemp(scratch) && chdir(scratch) == 0 ? 0 : -1;
}

static int remove_scratch(void **state)
{
	static const char *const names[] = { "a/b/c", "a/b", "a", "x/y/z", "x/y", "x", "plain", "." };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)remove(names[i]);
	return chdir("/") == 0 ? rmdir(scratch) : -1;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	return st.st_mode & 0777;
}

static void what_is_missing_above_is_made_too(void **state)
{
	(void)state;
	assert_int_equal(dir_make("a//b/c/", 0700), 0);
	assert_int_equal(mode_of("a"), 0755);
	assert_int_equal(mode_of("a/b"), 0755);
	assert_int_equal(mode_of("a/b/c"), 0700);
}

static ino_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

/* A name is durable when the directory it stands in is. */
static void the_names_of_what_was_made_are_durable(void **state)
{
	(void)state;
	synced_n = 0;
	assert_int_equal(dir_make("x/y/z", 0700), 0);
	assert_int_equal(synced_n, 3);
	assert_int_equal(synced[0], inode_of("."));
	assert_int_equal(synced[1], inode_of("x"));
	assert_int_equal(synced[2], inode_of("x/y"));
	assert_int_equal(dir_make("x/y/z", 0700), 0);
	assert_int_equal(synced_n, 3); /* nothing new */
}

static void what_is_there_stays_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(dir_make("a/b/c", 0755), 0);
	assert_int_equal(mode_of("a/b/c"), 0700);
	assert_int_equal(dir_make("/", 0700), 0);
	assert_int_equal(dir_make(".", 0700), 0);
}

static void what_cannot_be_made_says_why(void **state)
{
	char longest[PATH_MAX + 1];
	int fd = open("plain", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	memset(longest, 'x', sizeof(longest));
	longest[PATH_MAX] = 0;
	assert_int_equal(dir_make("plain/a/b", 0700), ENOTDIR);
	assert_int_equal(dir_make("/proc/none/a", 0700), ENOENT);
	assert_int_equal(dir_make("", 0700), ENOENT);
	assert_int_equal(dir_make(longest, 0700), ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_above_is_made_too),
		cmocka_unit_test(the_names_of_what_was_made_are_durable),
		cmocka_unit_test(what_is_there_stays_as_it_is),
		cmocka_unit_test(what_cannot_be_made_says_why),
	};

	return cmocka_run_group_tests(tests, go_to_scratch, remove_scratch);
}
