#include "net/systemd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t n);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t n);

/* The patience is seen, and not waited for. */
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	const struct timeval *patience = value, none = { .tv_usec = 1 };

	assert_int_equal(SO_SNDTIMEO, name);
	assert_int_equal(5, patience->tv_sec);
	return __real_setsockopt(fd, level, name, &none, n);
}

static bool interrupt;

ssize_t __real_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *at, socklen_t n);
ssize_t __wrap_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *at, socklen_t n);

/* With a patience a signal ends the wait, also one whose handler wants it to go on (signal(7)). */
ssize_t __wrap_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *at, socklen_t n)
{
	if (!interrupt)
		return __real_sendto(fd, bytes, size, flags, at, n);
	interrupt = false;
	errno = EINTR;
	return -1;
}

/* The service manager's end: a socket at `path`, which is announced. "@" is the abstract namespace. */
static int manager(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(at.sun_path, path, strlen(path));
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(0, bind(fd, (const struct sockaddr *)&at, n));
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

static void heard(int fd, char *ret_text, size_t max)
{
	ssize_t n = recv(fd, ret_text, max - 1, MSG_DONTWAIT);

	ret_text[n > 0 ? n : 0] = '\0';
}

static void each_message_is_what_the_protocol_says(void **state)
{
	char path[64];
	char text[600];
	uint64_t us = 0, before_us;
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "@holdfast-test-%d", (int)getpid());
	fd = manager(path);
	assert_true(systemd_ready("two ports"));
	heard(fd, text, sizeof(text));
	assert_string_equal("READY=1\nSTATUS=two ports", text);
	assert_true(systemd_status("a\nREADY=0\rb"));
	heard(fd, text, sizeof(text));
	assert_string_equal("STATUS=a READY=0 b", text);
	assert_true(systemd_stopping());
	heard(fd, text, sizeof(text));
	assert_string_equal("STOPPING=1", text);
	assert_true(systemd_watchdog());
	heard(fd, text, sizeof(text));
	assert_string_equal("WATCHDOG=1", text);
	before_us = clock_mono_ns() / 1000;
	assert_true(systemd_reloading());
	heard(fd, text, sizeof(text));
	assert_true(str_starts(str_of(text), STR("RELOADING=1\nMONOTONIC_USEC=")));
	assert_true(str_to_u64(str_of(text + 27), UINT64_MAX, &us));
	assert_in_range(us, before_us, clock_mono_ns() / 1000);
	close(fd);
}

static void a_long_status_is_cut(void **state)
{
	char path[64];
	char text[600];
	char status[599];
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "@holdfast-long-%d", (int)getpid());
	fd = manager(path);
	memset(status, 'x', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	assert_true(systemd_status(status));
	heard(fd, text, sizeof(text));
	assert_true(str_starts(str_of(text), STR("STATUS=xxx")));
	assert_true(strlen(text) < 520);
	close(fd);
}

static void a_socket_in_the_file_system_works_too(void **state)
{
	char dir[] = "/tmp/holdfast-systemd-XXXXXX";
	char path[64];
	char text[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/notify", dir);
	fd = manager(path);
	assert_true(systemd_stopping());
	heard(fd, text, sizeof(text));
	assert_string_equal("STOPPING=1", text);
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void nobody_to_tell_is_no_error_but_a_bad_address_is(void **state)
{
	static const char *const bad[] = { "relative", "/", "@", "/nowhere/notify", "@nobody-listens-here" };
	char longest[200];

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_true(systemd_watchdog());
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setenv("NOTIFY_SOCKET", bad[i], 1);
		assert_false(systemd_watchdog());
	}
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_false(systemd_watchdog());
	unsetenv("NOTIFY_SOCKET");
}

static void a_manager_that_does_not_read_holds_nobody_up(void **state)
{
	char path[64];
	char text[64];
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "@holdfast-full-%d", (int)getpid());
	fd = manager(path);
	while (systemd_watchdog())
		;
	assert_false(systemd_stopping());
	heard(fd, text, sizeof(text));
	assert_string_equal("WATCHDOG=1", text);
	assert_true(systemd_stopping());
	close(fd);
}

static void a_signal_takes_no_message_away(void **state)
{
	char path[64];
	char text[64];
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "@holdfast-signal-%d", (int)getpid());
	fd = manager(path);
	interrupt = true;
	assert_true(systemd_stopping());
	assert_false(interrupt);
	heard(fd, text, sizeof(text));
	assert_string_equal("STOPPING=1", text);
	close(fd);
}

static void the_watchdog_is_fed_twice_as_often_as_asked(void **state)
{
	char own[16];
	const struct {
		const char *usec, *pid;
		uint64_t ms;
	} rows[] = {
		{ NULL, NULL, 0 },      { "30000000", NULL, 15000 }, { "30000000", own, 15000 },
		{ "30000000", "1", 0 }, { "30000000", "", 0 },       { "x", NULL, 0 },
		{ "0", NULL, 0 },       { "1500", NULL, 1 },
	};

	(void)state;
	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rows[i].usec ? setenv("WATCHDOG_USEC", rows[i].usec, 1) : unsetenv("WATCHDOG_USEC");
		rows[i].pid ? setenv("WATCHDOG_PID", rows[i].pid, 1) : unsetenv("WATCHDOG_PID");
		assert_int_equal(rows[i].ms, systemd_watchdog_ms());
	}
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_is_what_the_protocol_says),
		cmocka_unit_test(a_long_status_is_cut),
		cmocka_unit_test(a_socket_in_the_file_system_works_too),
		cmocka_unit_test(nobody_to_tell_is_no_error_but_a_bad_address_is),
		cmocka_unit_test(a_manager_that_does_not_read_holds_nobody_up),
		cmocka_unit_test(a_signal_takes_no_message_away),
		cmocka_unit_test(the_watchdog_is_fed_twice_as_often_as_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
