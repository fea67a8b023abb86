#include "net/admin_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char dir[] = "/tmp/holdfast-admin-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

/* Succeeds only when nothing was left in it. */
static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void it_is_its_owners_and_says_where_and_how_to_enter(void **state)
{
	struct admin_file f = { 0 };
	struct buf text = { 0 }, want = { 0 };
	struct stat st;

	(void)state;
	admin_file_init(&f);
	assert_int_equal(64, strlen(f.token));
	assert_int_equal(E_OK, admin_file_write(&f, dir, STR("::1"), 8000, NULL));
	assert_int_equal(0, stat(f.path, &st));
	assert_int_equal(0600, st.st_mode & 07777);
	buf_addf(&want, "{\"address\":\"http://[::1]:8000\",\"token\":\"%s\"}\n", f.token);
	assert_int_equal(E_OK, file_read(f.path, 1024, &text, NULL));
	assert_true(str_eq(buf_view(&want), buf_view(&text)));
	admin_file_remove(&f);
	admin_file_remove(&f);
	buf_release(&text);
	buf_release(&want);
}

/* The disk takes the beginning and no more: the first write(2) is short, and is no error yet. */
static void a_disk_that_fills_up_on_the_way_is_named(void **state)
{
	struct admin_file f = { 0 };
	struct rlimit before, little;
	struct why why = { 0 };
	enum err err;

	(void)state;
	admin_file_init(&f);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &before));
	little = before;
	little.rlim_cur = 20;
	assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &little));
	err = admin_file_write(&f, dir, STR(""), 8000, &why);
	assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &before));
	assert_int_equal(E_IO, err);
	assert_non_null(strstr(why.text, "File too large"));
	assert_null(f.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_its_owners_and_says_where_and_how_to_enter),
		cmocka_unit_test(a_disk_that_fills_up_on_the_way_is_named),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
