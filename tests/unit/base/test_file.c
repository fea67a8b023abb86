#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static char dir[] = "/tmp/holdfast-file-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static const char *file_of(const char *name, const char *text)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	return path;
}

static void what_is_there_is_read_at_the_end_of_what_was(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_lit(&text, "a ");
	assert_int_equal(E_OK, file_read(file_of("one", "file"), 4, &text, NULL));
	assert_true(str_is(buf_view(&text), "a file"));
	buf_release(&text);
}

/* As Kubernetes mounts secrets: a link to a link. */
static void links_are_followed(void **state)
{
	struct buf text = { 0 };

	(void)state;
	(void)file_of("real", "x");
	assert_int_equal(symlink("real", path_of("..data")), 0);
	assert_int_equal(symlink("..data", path_of("link")), 0);
	assert_int_equal(E_OK, file_check(path_of("link"), NULL));
	assert_int_equal(E_OK, file_read(path_of("link"), 4, &text, NULL));
	assert_true(str_is(buf_view(&text), "x"));
	buf_release(&text);
}

static void what_cannot_be_read_is_said_and_adds_nothing(void **state)
{
	static const struct {
		const char *path, *why;
		enum err err;
	} cases[] = {
		{ "/no/such", "read /no/such: No such file or directory", E_NOT_FOUND },
		{ "/", "read /: Is a directory", E_IO },
		{ "/dev/zero", "read /dev/zero: not a regular file", E_IO },
	};
	struct buf text = { 0 };
	struct why why = { 0 };

	(void)state;
	buf_lit(&text, "kept");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(cases[i].err, file_read(cases[i].path, 10, &text, &why));
		assert_string_equal(cases[i].why, why.text);
	}
	assert_int_equal(E_LIMIT, file_read(file_of("five", "12345"), 4, &text, &why));
	assert_non_null(strstr(why.text, "/five: larger than 4 bytes"));
	assert_true(str_is(buf_view(&text), "kept"));
	buf_release(&text);
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, file_read(path_of("five"), 10, &text, &why));
	mem_fail_at(0);
	buf_release(&text);
}

/* The alarm ends the program when it waits. */
static void a_pipe_with_a_name_is_refused_at_once(void **state)
{
	struct why why = { 0 };

	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	(void)alarm(60);
	assert_int_equal(E_IO, file_check(path_of("fifo"), &why));
	(void)alarm(0);
	assert_string_equal("not a regular file", why.text);
}

/* Where the kernel makes up a regular file, as /proc/kmsg, only a read that does not wait ends. */
static void no_read_of_a_regular_file_waits(void **state)
{
	int fd = -1;

	(void)state;
	assert_int_equal(E_OK, file_open(file_of("one", "file"), NULL, &fd));
	assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
}

/* holdfast check-config <(helm template ...) */
static void a_pipe_of_a_shell_is_read_to_its_end(void **state)
{
	struct buf text = { 0 };
	char path[32];
	int fds[2], fd;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(E_OK, file_open(path, NULL, &fd));
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0); /* what reads it waits for who writes */
	assert_int_equal(write(fds[1], "made", 4), 4);
	close(fds[1]);
	assert_int_equal(E_OK, file_read_fd(fd, 10, &text, NULL));
	close(fd);
	close(fds[0]);
	assert_true(str_is(buf_view(&text), "made"));
	buf_release(&text);
}

static int begin(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
	static const char *const names[] = { "one", "real", "..data", "link", "five", "fifo" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(path_of(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_there_is_read_at_the_end_of_what_was),
		cmocka_unit_test(links_are_followed),
		cmocka_unit_test(what_cannot_be_read_is_said_and_adds_nothing),
		cmocka_unit_test(a_pipe_with_a_name_is_refused_at_once),
		cmocka_unit_test(no_read_of_a_regular_file_waits),
		cmocka_unit_test(a_pipe_of_a_shell_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
