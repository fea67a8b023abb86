#include "net/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

/* Connects to the port on the loopback of `family`; true when somebody listens. */
static bool answers(int family, uint16_t port)
{
	const struct sockaddr_in four = { .sin_family = AF_INET,
					  .sin_port = htons(port),
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6,
					  .sin6_port = htons(port),
					  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_STREAM, 0);
	int rc = family == AF_INET ? connect(fd, (const struct sockaddr *)&four, sizeof(four))
				   : connect(fd, (const struct sockaddr *)&six, sizeof(six));

	close(fd);
	return rc == 0;
}

static bool has_ipv6(void)
{
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&six, sizeof(six)) == 0;

	close(fd);
	return has;
}

static void no_host_means_both_families(void **state)
{
	struct why why;
	int fd;

	(void)state;
	assert_int_equal(E_OK, listen_open(STR(""), 0, false, &why, &fd));
	assert_true(answers(AF_INET, listen_port(fd)));
	if (has_ipv6())
		assert_true(answers(AF_INET6, listen_port(fd)));
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

static void a_host_is_one_address(void **state)
{
	struct sockaddr_in at = { 0 };
	socklen_t n = sizeof(at);
	struct why why;
	int fd;

	(void)state;
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), 0, false, &why, &fd));
	assert_true(answers(AF_INET, listen_port(fd)));
	/* What answers at the port of that number under ::1 may be another program's. */
	assert_int_equal(0, getsockname(fd, (struct sockaddr *)&at, &n));
	assert_int_equal(AF_INET, at.sin_family);
	assert_int_equal(htonl(INADDR_LOOPBACK), at.sin_addr.s_addr);
	close(fd);
}

static void a_port_is_shared_only_when_all_ask_for_it(void **state)
{
	struct why why;
	int alone;
	int fds[2];
	int none;

	(void)state;
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), 0, false, &why, &alone));
	assert_int_equal(E_UNAVAILABLE, listen_open(STR("127.0.0.1"), listen_port(alone), true, &why, &none));
	assert_non_null(strstr(why.text, "listen on 127.0.0.1 port "));
	assert_non_null(strstr(why.text, "Address already in use (another process has the port"));
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), 0, true, &why, &fds[0]));
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), listen_port(fds[0]), true, &why, &fds[1]));
	assert_int_equal(listen_port(fds[0]), listen_port(fds[1]));
	close(alone);
	close(fds[0]);
	close(fds[1]);
}

static void who_has_a_port_alone_may_share_it_later(void **state)
{
	struct why why;
	uint16_t port;
	int first;
	int second;
	int none;

	(void)state;
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), 0, false, &why, &first));
	port = listen_port(first);
	listen_share(first);
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), port, true, &why, &second));
	assert_int_equal(E_UNAVAILABLE, listen_open(STR("127.0.0.1"), port, false, &why, &none));
	close(first);
	assert_true(listen_is_ours(port));
	close(second);
	assert_false(listen_is_ours(port));
}

static void what_cannot_be_listened_on_is_named(void **state)
{
	struct why why = { 0 };
	int fd;

	(void)state;
	assert_int_equal(E_CONFIG, listen_open(STR("no such host"), 1, false, &why, &fd));
	assert_non_null(strstr(why.text, "no such host"));
	assert_int_equal(E_UNAVAILABLE, listen_open(STR("192.0.2.1"), 0, false, &why, &fd));
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, listen_open(STR("127.0.0.1"), 0, false, &why, &fd));
	mem_fail_at(0);
	assert_int_equal(0, listen_port(-1));
}

static void announce(const char *pid, const char *count, const char *names)
{
	char own[16];

	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	setenv("LISTEN_PID", pid ? pid : own, 1);
	setenv("LISTEN_FDS", count, 1);
	names ? setenv("LISTEN_FDNAMES", names, 1) : unsetenv("LISTEN_FDNAMES");
}

static void no_descriptor_is_taken_that_was_not_passed_to_us(void **state)
{
	static const struct {
		const char *pid, *count;
	} rows[] = {
		{ "1", "1" }, { "", "1" }, { "x", "1" }, { NULL, "" }, { NULL, "-1" }, { NULL, "x" }, { NULL, "0" }
	};
	struct listen_inherited fds[2];
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = 9;

		announce(rows[i].pid, rows[i].count, NULL);
		assert_int_equal(E_OK, listen_inherit(fds, 2, &why, &n));
		assert_int_equal(0, n);
		assert_null(getenv("LISTEN_PID"));
		assert_null(getenv("LISTEN_FDS"));
	}
}

/* In a child, whose descriptors from 3 on may be replaced: what systemd does before it starts a service. */
static int inherit_in_child(int (*check)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		close_range(3, ~0u, 0);
		_exit(check());
	}
	assert_int_equal(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_two_named(void)
{
	struct listen_inherited fds[4];
	struct why why;
	size_t n = 0;
	int fd;

	if (listen_open(STR("127.0.0.1"), 0, false, &why, &fd) != E_OK || fd != 3)
		return 1;
	if (listen_open(STR("127.0.0.1"), 0, false, &why, &fd) != E_OK || fd != 4)
		return 2;
	fcntl(3, F_SETFD, 0);
	announce(NULL, "2", "webhooks");
	if (listen_inherit(fds, 4, &why, &n) != E_OK || n != 2)
		return 3;
	if (fds[0].fd != 3 || strcmp(fds[0].name, "webhooks") != 0 || !(fcntl(3, F_GETFD) & FD_CLOEXEC))
		return 4;
	if (fds[1].fd != 4 || strcmp(fds[1].name, "unknown") != 0 || getenv("LISTEN_FDNAMES"))
		return 5;
	return listen_inherit(fds, 4, &why, &n) == E_OK && n == 0 ? 0 : 6;
}

static int check_no_listener(void)
{
	struct listen_inherited fds[4];
	struct why why;
	size_t n = 0;

	if (socket(AF_INET, SOCK_STREAM, 0) != 3)
		return 1;
	announce(NULL, "1", NULL);
	if (listen_inherit(fds, 4, &why, &n) != E_CONFIG || !strstr(why.text, "descriptor 3"))
		return 2;
	return fcntl(3, F_GETFD) < 0 ? 0 : 3; /* closed */
}

static int check_too_many(void)
{
	struct listen_inherited fds[1];
	struct why why;
	size_t n = 0;

	announce(NULL, "2", NULL);
	return listen_inherit(fds, 1, &why, &n) == E_CONFIG ? 0 : 1;
}

static void sockets_from_systemd_are_taken_with_their_names(void **state)
{
	(void)state;
	assert_int_equal(0, inherit_in_child(check_two_named));
}

static void a_descriptor_that_does_not_listen_is_refused(void **state)
{
	(void)state;
	assert_int_equal(0, inherit_in_child(check_no_listener));
}

static void more_sockets_than_expected_are_refused(void **state)
{
	(void)state;
	assert_int_equal(0, inherit_in_child(check_too_many));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_host_means_both_families),
		cmocka_unit_test(a_host_is_one_address),
		cmocka_unit_test(a_port_is_shared_only_when_all_ask_for_it),
		cmocka_unit_test(who_has_a_port_alone_may_share_it_later),
		cmocka_unit_test(what_cannot_be_listened_on_is_named),
		cmocka_unit_test(no_descriptor_is_taken_that_was_not_passed_to_us),
		cmocka_unit_test(sockets_from_systemd_are_taken_with_their_names),
		cmocka_unit_test(a_descriptor_that_does_not_listen_is_refused),
		cmocka_unit_test(more_sockets_than_expected_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
