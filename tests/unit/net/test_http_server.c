#include "net/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listen.h"
#include "site.h"

#define H          "Host: a\r\n"
#define GET(path)  STR("GET " path " HTTP/1.1\r\n" H "\r\n")
#define IDLE_CONNS 1000

static void expect_answer(int fd, const char *want)
{
	char *heard = hear_answer(fd);

	if (!strstr(heard, want))
		fail_msg("%s; want %s", heard, want);
	mem_free(heard);
}

static void expect_refusal(int fd, const char *want)
{
	char *heard = hear_all(fd);

	if (!str_starts(str_of(heard), str_of(want)))
		fail_msg("%s; want %s", heard, want);
	assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
	mem_free(heard);
	close(fd);
}

static void a_head_that_comes_too_slowly_is_408(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int fd;

	(void)state;
	limits.head_ms = 50;
	site_start(&s, &limits, NULL);
	fd = dial(&s);
	say(fd, STR("GET / HTTP/1.1\r\nHo"));
	expect_refusal(fd, "HTTP/1.1 408 Request Timeout\r\n");
	assert_int_equal(1, atomic_load(&s.refused[408]));
	assert_int_equal(0, atomic_load(&s.heads));
	site_end(&s);
}

/* One byte every few ms: each is in time, all together are not. */
static void dripping_does_not_stretch_the_time_for_a_head(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	ssize_t n = 1;
	char byte;
	int fd;

	(void)state;
	limits.head_ms = 60;
	site_start(&s, &limits, NULL);
	fd = dial(&s);
	while (n == 1 && atomic_load(&s.refused[408]) == 0) {
		struct timespec pause = { .tv_nsec = 5000000 };

		nanosleep(&pause, NULL);
		n = send(fd, "x", 1, MSG_NOSIGNAL);
	}
	assert_int_equal(1, atomic_load(&s.refused[408]));
	assert_int_equal(1, recv(fd, &byte, 1, 0));
	close(fd);
	site_end(&s);
}

/* HTTP_LINGER_MS: the client may finish what it has begun, and not stay by it. */
static void dripping_behind_the_answer_ends_in_time(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int fd;

	(void)state;
	site_start(&s, &limits, NULL);
	fd = dial(&s);
	say(fd, STR("POST /small HTTP/1.1\r\n" H "Content-Length: 500000\r\n\r\n"));
	expect_answer(fd, "413 Content Too Large");
	while (site_connections(&s) > 0) {
		struct timespec pause = { .tv_nsec = 5000000 };

		nanosleep(&pause, NULL);
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
	}
	close(fd);
	site_end(&s);
}

static void a_body_that_comes_too_slowly_is_408(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int fd;

	(void)state;
	limits.body_ms = 50;
	site_start(&s, &limits, NULL);
	fd = dial(&s);
	say(fd, STR("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhe"));
	expect_refusal(fd, "HTTP/1.1 408 Request Timeout\r\n");
	assert_int_equal(1, atomic_load(&s.closes));
	assert_int_equal(0, atomic_load(&s.ends));
	site_end(&s);
}

static void a_connection_that_idles_too_long_is_closed_in_silence(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int fresh;
	int used;

	(void)state;
	site_start(&s, &limits, NULL);
	used = dial(&s);
	say(used, GET("/hold"));
	site_wait(&s, &s.holding, 1);
	limits.idle_ms = 50; /* from now on: no request of ours can come too late */
	site_set_limits(&s, &limits);
	fresh = dial(&s);
	site_answer_held(&s);
	expect_answer(used, "200 OK");
	assert_true(hears_end(fresh));
	assert_true(hears_end(used));
	close(fresh);
	close(used);
	site_end(&s);
}

static void a_handler_may_take_longer_than_any_limit(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int held;
	int fresh;

	(void)state;
	site_start(&s, &limits, NULL);
	held = dial(&s);
	say(held, STR("GET /hold HTTP/1.1\r\n" H "\r\nGET /hold HTTP/1.1\r\n" H "\r\n"));
	site_wait(&s, &s.holding, 1);
	limits.head_ms = limits.body_ms = limits.idle_ms = limits.write_ms = 50;
	site_set_limits(&s, &limits); /* the second request, which is there, begins under them */
	site_answer_held(&s);
	expect_answer(held, "GET /hold 0\n");
	site_wait(&s, &s.ends, 2);
	fresh = dial(&s);
	assert_true(hears_end(fresh)); /* all limits are over now */
	site_answer_held(&s);
	expect_answer(held, "GET /hold 0\n");
	close(held);
	close(fresh);
	site_end(&s);
}

static void a_client_that_does_not_read_is_closed(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	char *heard;
	int fd;

	(void)state;
	limits.write_ms = 50;
	site_start(&s, &limits, NULL);
	fd = dial(&s);
	narrow(fd);
	say(fd, GET("/big"));
	site_wait(&s, &s.closes, 1);
	while (site_connections(&s))
		sched_yield();
	/* The kernel still has some of it for the client: less than all. The end is a reset or a plain end. */
	heard = mem_alloc(SITE_BIG + 4096);
	assert_true(recv(fd, heard, SITE_BIG + 4096, MSG_WAITALL) < (ssize_t)SITE_BIG);
	mem_free(heard);
	close(fd);
	site_end(&s);
}

static void a_thousand_idle_connections_disturb_nobody(void **state)
{
	struct rlimit files = { .rlim_cur = 4096, .rlim_max = 4096 };
	struct http_limits limits = site_limits();
	int fds[IDLE_CONNS];
	struct site s;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 3 * IDLE_CONNS)
		skip();
	site_start(&s, &limits, NULL);
	for (size_t i = 0; i < IDLE_CONNS; i++) {
		fds[i] = dial(&s);
		if (i % 2)
			say(fds[i], STR("POST / HTTP/1.1\r\nHo")); /* half of them begin and stop */
	}
	for (size_t i = 0; i < IDLE_CONNS; i += 100) {
		int fd = dial(&s);

		say(fd, GET("/"));
		expect_answer(fd, "200 OK");
		close(fd);
	}
	for (size_t i = 0; i < IDLE_CONNS; i++) {
		say(fds[i], i % 2 ? STR("st: a\r\n\r\n") : GET("/"));
		expect_answer(fds[i], "200 OK");
		close(fds[i]);
	}
	site_end(&s);
}

static void connections_beyond_the_limit_are_closed_at_once(void **state)
{
	struct http_limits limits = site_limits();
	int fds[3];
	struct site s;

	(void)state;
	limits.conns_max = 2;
	site_start(&s, &limits, NULL);
	for (size_t i = 0; i < 3; i++)
		fds[i] = dial(&s);
	assert_true(hears_end(fds[2]));
	assert_int_equal(1, atomic_load(&s.refused[0]));
	for (size_t i = 0; i < 2; i++) {
		say(fds[i], GET("/"));
		expect_answer(fds[i], "200 OK");
	}
	close(fds[0]);
	while (site_connections(&s) > 1)
		sched_yield();
	close(fds[2]);
	fds[2] = dial(&s);
	say(fds[2], GET("/"));
	expect_answer(fds[2], "200 OK");
	close(fds[1]);
	close(fds[2]);
	site_end(&s);
}

static void one_address_cannot_take_all_connections(void **state)
{
	struct http_limits limits = site_limits();
	int fds[3];
	struct site s;

	(void)state;
	limits.conns_per_addr_max = 2;
	site_start(&s, &limits, NULL);
	for (size_t i = 0; i < 3; i++)
		fds[i] = dial(&s);
	assert_true(hears_end(fds[2]));
	close(fds[2]);
	limits.conns_per_addr_max = 0;
	site_set_limits(&s, &limits);
	fds[2] = dial(&s);
	say(fds[2], GET("/"));
	expect_answer(fds[2], "200 OK");
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	site_end(&s);
}

/* On a socket for both families a client of IPv4 has an IPv6 address. */
static void one_address_is_the_same_on_the_sockets_of_either_family(void **state)
{
	struct http_limits limits = site_limits();
	struct http_quota quota;
	struct site four, both;
	int first, second;

	(void)state;
	http_quota_init(&quota);
	limits.quota = &quota;
	limits.conns_per_addr_max = 1;
	site_start(&four, &limits, NULL);
	site_start_everywhere(&both, &limits);
	first = dial(&four);
	say(first, GET("/"));
	expect_answer(first, "200 OK");
	second = dial(&both);
	assert_true(hears_end(second));
	close(first);
	close(second);
	site_end(&four);
	site_end(&both);
	http_quota_release(&quota);
}

static void stopping_finishes_what_is_in_flight(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	char *heard;
	int fresh;
	int idle;
	int held;
	int half;

	(void)state;
	site_start(&s, &limits, NULL);
	fresh = dial(&s);
	idle = dial(&s);
	held = dial(&s);
	half = dial(&s);
	say(idle, GET("/"));
	expect_answer(idle, "200 OK");
	say(held, GET("/hold"));
	say(half, STR("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhe"));
	site_wait(&s, &s.heads, 3);
	site_wait(&s, &s.holding, 1);
	site_stop(&s, /* now= */ false);
	assert_true(hears_end(idle));
	say(fresh, GET("/")); /* it has connected: perhaps it does so once only */
	heard = hear_all(fresh);
	assert_non_null(strstr(heard, "200 OK"));
	assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
	mem_free(heard);
	close(fresh);
	assert_int_equal(0, atomic_load(&s.stopped));
	say(half, STR("llo"));
	heard = hear_all(half);
	assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
	mem_free(heard);
	site_answer_held(&s);
	heard = hear_all(held);
	assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
	mem_free(heard);
	close(held);
	close(half);
	close(idle);
	site_wait(&s, &s.stopped, 1);
	site_end(&s);
}

static void stopping_does_not_wait_for_who_says_nothing(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int asked;
	int silent;

	(void)state;
	limits.first_ms = 50;
	site_start(&s, &limits, NULL);
	silent = dial(&s);
	asked = dial(&s);
	say(asked, GET("/"));
	expect_answer(asked, "200 OK");
	site_stop(&s, /* now= */ false);
	assert_true(hears_end(silent));
	close(silent);
	close(asked);
	site_wait(&s, &s.stopped, 1);
	site_end(&s);
}

static void stopping_now_waits_for_nothing(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	int held;

	(void)state;
	site_start(&s, &limits, NULL);
	held = dial(&s);
	say(held, GET("/hold"));
	site_wait(&s, &s.holding, 1);
	site_stop(&s, /* now= */ false);
	site_stop(&s, /* now= */ true);
	site_wait(&s, &s.stopped, 1);
	assert_int_equal(1, atomic_load(&s.closes));
	assert_int_equal(0, atomic_load(&s.holding));
	close(held);
	site_end(&s);
}

static void a_stopped_server_takes_no_connection(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;

	(void)state;
	site_start(&s, &limits, NULL);
	site_stop(&s, /* now= */ false);
	site_wait(&s, &s.stopped, 1);
	/* Nobody listens any more. The port itself may be another program's by now. */
	assert_int_equal(-1, fcntl(s.listener, F_GETFD));
	assert_int_equal(EBADF, errno);
	site_end(&s);
}

/* One client's requests while the n-th allocation fails: it gets answers that are whole, or the connection ends. */
static void visit(const struct site *s)
{
	static const char requests[] = "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"
				       "GET /big HTTP/1.1\r\n" H "\r\n";
	char *heard = mem_alloc(SITE_BIG + 4096);
	size_t n = 0;
	ssize_t more;
	int fd = dial(s);

	/* Two pieces, so that one has to be kept; the server may hang up between them. */
	(void)send(fd, requests, 50, MSG_NOSIGNAL);
	(void)send(fd, requests + 50, sizeof(requests) - 51, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while ((more = recv(fd, heard + n, SITE_BIG + 4095 - n, 0)) > 0)
		n += (size_t)more;
	assert_true(n == 0 || str_starts((struct str){ heard, n }, STR("HTTP/1.1 ")));
	mem_free(heard);
	close(fd);
}

static void running_out_of_memory_hurts_only_the_connection_it_hits(void **state)
{
	struct http_limits limits = site_limits();
	struct site s;
	long count;

	(void)state;
	site_start(&s, &limits, NULL);
	mem_fail_at(0);
	visit(&s);
	count = mem_count();
	assert_true(count > 5);
	for (long n = 1; n <= count + 5; n++) {
		int fd;

		mem_fail_at(n + 1); /* the first one is the client's own */
		visit(&s);
		mem_fail_at(0);
		fd = dial(&s);
		say(fd, GET("/"));
		expect_answer(fd, "200 OK");
		close(fd);
	}
	site_end(&s);
}

struct pause {
	struct loop_task task;
	sem_t reached;
	sem_t go_on;
};

static void on_pause(struct loop_task *task)
{
	struct pause *p = CONTAINER_OF(task, struct pause, task);

	sem_post(&p->reached);
	sem_wait(&p->go_on);
}

/* Both wait in the kernel's queue; there is no memory when the first is taken: it alone is closed. */
static void a_connection_behind_one_that_found_no_memory_is_served(void **state)
{
	struct http_limits limits = site_limits();
	struct pause p = { .task = { .run = on_pause } };
	struct site s;
	int fds[2];

	(void)state;
	sem_init(&p.reached, 0, 0);
	sem_init(&p.go_on, 0, 0);
	site_start(&s, &limits, NULL);
	loop_post(&s.loop, &p.task);
	sem_wait(&p.reached);
	fds[0] = dial(&s);
	fds[1] = dial(&s);
	mem_fail_at(1);
	sem_post(&p.go_on);
	assert_true(hears_end(fds[0]));
	mem_fail_at(0);
	say(fds[1], GET("/"));
	expect_answer(fds[1], "200 OK");
	close(fds[0]);
	close(fds[1]);
	site_end(&s);
	sem_destroy(&p.reached);
	sem_destroy(&p.go_on);
}

static void a_server_without_memory_does_not_start(void **state)
{
	const struct http_handler handler = { 0 };
	struct http_limits limits = site_limits();
	struct http_server *server = NULL;
	struct loop loop;
	struct why why;
	int fd;

	(void)state;
	assert_int_equal(E_OK, loop_init(&loop, &why));
	assert_int_equal(E_OK, listen_open(STR("127.0.0.1"), 0, false, &why, &fd));
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, http_server_start(&loop, fd, NULL, &limits, &handler, &why, &server));
	mem_fail_at(0);
	assert_int_equal(-1, close(fd)); /* it was closed */
	assert_int_equal(E_UNAVAILABLE, http_server_start(&loop, -1, NULL, &limits, &handler, &why, &server));
	assert_null(server);
	loop_release(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_that_comes_too_slowly_is_408),
		cmocka_unit_test(dripping_does_not_stretch_the_time_for_a_head),
		cmocka_unit_test(dripping_behind_the_answer_ends_in_time),
		cmocka_unit_test(a_body_that_comes_too_slowly_is_408),
		cmocka_unit_test(a_connection_that_idles_too_long_is_closed_in_silence),
		cmocka_unit_test(a_handler_may_take_longer_than_any_limit),
		cmocka_unit_test(a_client_that_does_not_read_is_closed),
		cmocka_unit_test(a_thousand_idle_connections_disturb_nobody),
		cmocka_unit_test(connections_beyond_the_limit_are_closed_at_once),
		cmocka_unit_test(one_address_cannot_take_all_connections),
		cmocka_unit_test(one_address_is_the_same_on_the_sockets_of_either_family),
		cmocka_unit_test(stopping_finishes_what_is_in_flight),
		cmocka_unit_test(stopping_does_not_wait_for_who_says_nothing),
		cmocka_unit_test(stopping_now_waits_for_nothing),
		cmocka_unit_test(a_stopped_server_takes_no_connection),
		cmocka_unit_test(running_out_of_memory_hurts_only_the_connection_it_hits),
		cmocka_unit_test(a_connection_behind_one_that_found_no_memory_is_served),
		cmocka_unit_test(a_server_without_memory_does_not_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
