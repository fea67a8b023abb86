/* gateway_client.h: what admin.json may be, and every kind of answer, from a server of a few lines. */
#include "cli/gateway_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/dead_letters.h"

/* Answers one connection with `answer` and keeps what it was asked. */
struct server {
	int fd;
	char address[64];
	const char *answer;
	char asked[2048];
	pthread_t thread;
};

static void *serve(void *ctx)
{
	struct server *s = ctx;
	int fd = accept(s->fd, NULL, NULL);
	size_t at = 0;
	ssize_t n;

	while (at < sizeof(s->asked) - 1 && !strstr(s->asked, "\r\n\r\n") &&
	       (n = read(fd, s->asked + at, sizeof(s->asked) - 1 - at)) > 0)
		at += (size_t)n;
	(void)!write(fd, s->answer, strlen(s->answer));
	close(fd);
	return NULL;
}

static void server_open(struct server *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);

	*s = (struct server){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	assert_int_equal(bind(s->fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(s->fd, 1), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &n), 0);
	(void)snprintf(s->address, sizeof(s->address), "http://127.0.0.1:%u", ntohs(address.sin_port));
}

static void every_answer_has_its_error(void **state)
{
	static const struct {
		const char *answer;
		enum err err;
		const char *why;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", E_OK, "" },
		{ "HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno\n", E_FORBIDDEN, "did not take the token" },
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\nno store\nsecret\n", E_UNSUPPORTED, "no store" },
		{ "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", E_UNSUPPORTED, "answered 503" },
		{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", E_UNSUPPORTED,
		  "answered 302" },
		{ "garbage\r\n\r\n", E_IO, "ask holdfast on http://127.0.0.1:" },
		{ "", E_IO, "ask holdfast on http://127.0.0.1:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct server s;
		struct gateway_client c = { .address = s.address, .token = (char[]){ "t0k" } };
		struct buf body = { 0 };
		struct why why = { 0 };

		server_open(&s);
		s.answer = cases[i].answer;
		assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
		assert_int_equal(gateway_client_call(&c, "POST", "/dead/drop?pos=1", &why, &body), cases[i].err);
		assert_non_null(strstr(why.text, cases[i].why));
		assert_null(strstr(why.text, "secret")); /* one line of a stranger is enough */
		pthread_join(s.thread, NULL);
		assert_int_equal(strncmp(s.asked, "POST /dead/drop?pos=1 HTTP/1.1\r\n", 32), 0);
		assert_non_null(strstr(s.asked, "Authorization: Bearer t0k\r\n"));
		if (cases[i].err == E_OK)
			assert_true(str_is(buf_view(&body), "{}"));
		buf_release(&body);
		close(s.fd);
	}
}

static bool interrupted_now(void *ctx, const struct dead_counts *counts)
{
	*(struct dead_counts *)ctx = *counts;
	return false;
}

static void an_interruption_ends_between_two_letters_that_were_named(void **state)
{
	static const uint64_t positions[] = { 7, 8 };
	struct server s;
	struct gateway_client c = { .address = s.address, .token = (char[]){ "t" } };
	struct dead_counts seen = { 0 }, counts = { 0 };
	const struct dead_progress progress = { .on_page = interrupted_now, .ctx = &seen };
	struct why why = { 0 };

	(void)state;
	server_open(&s);
	s.answer = "HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"count\":1,\"failed\":0}\n";
	assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
	assert_int_equal(dead_change_gateway(&c, DEAD_RETRY, positions, 2, &progress, &why, &counts), E_CANCELLED);
	pthread_join(s.thread, NULL);
	assert_int_equal(strncmp(s.asked, "POST /dead/retry?pos=7 HTTP/1.1\r\n", 33), 0);
	assert_int_equal(seen.changed, 1);
	assert_non_null(strstr(why.text, "interrupted; 1 done"));
	close(s.fd);
}

static void nobody_there_is_told_apart(void **state)
{
	struct server s;
	struct gateway_client c = { .address = s.address, .token = (char[]){ "t" } };
	struct buf body = { 0 };
	struct why why = { 0 };

	(void)state;
	server_open(&s);
	assert_int_equal(shutdown(s.fd, SHUT_RDWR), 0); /* listens no more, and nobody else is given the port */
	assert_int_equal(gateway_client_call(&c, "GET", "/status", &why, &body), E_UNAVAILABLE);
	buf_release(&body);
	close(s.fd);
}

/* ---- admin.json ---------------------------------------------------------------------------------------------------------- */

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/holdfast-client-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/admin.json", dir);
	(void)unlink(path);
	return rmdir(dir);
}

static void describe(const char *text)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/admin.json", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void a_description_is_read_or_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"1",
		"null",
		"{}",
		"{\"address\":\"http://x\"}",
		"{\"address\":1,\"token\":2}",
		"{\"token\":\"t\",\"address\":null}",
	};
	struct gateway_client c;
	struct why why = { 0 };

	(void)state;
	assert_int_equal(gateway_client_init(&c, dir, &why), E_NOT_FOUND);
	assert_non_null(strstr(why.text, "no holdfast runs there"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		describe(bad[i]);
		assert_int_equal(gateway_client_init(&c, dir, &why), E_NOT_FOUND);
		assert_null(c.address);
		assert_null(c.token);
	}
	describe("{\"address\":\"http://127.0.0.1:7777\",\"token\":\"abc\",\"more\":1}\n");
	assert_int_equal(gateway_client_init(&c, dir, &why), E_OK);
	assert_string_equal(c.address, "http://127.0.0.1:7777");
	assert_string_equal(c.token, "abc");
	gateway_client_release(&c);
	gateway_client_release(&c);
}

static void without_memory_nothing_leaks(void **state)
{
	struct why why = { 0 };
	struct gateway_client c;
	long n;

	(void)state;
	describe("{\"address\":\"http://127.0.0.1:1\",\"token\":\"abc\"}\n");
	mem_fail_at(0);
	assert_int_equal(gateway_client_init(&c, dir, &why), E_OK);
	n = mem_count();
	gateway_client_release(&c);
	assert_true(n > 0);
	for (long i = 1; i <= n; i++) {
		mem_fail_at(i);
		assert_int_equal(gateway_client_init(&c, dir, &why), E_NOMEM);
		mem_fail_at(0);
	}
	assert_int_equal(gateway_client_init(&c, dir, &why), E_OK);
	for (long i = 1; i <= 2; i++) {
		struct buf body = { 0 };

		mem_fail_at(i);
		assert_int_equal(gateway_client_call(&c, "GET", "/status", &why, &body), E_NOMEM);
		mem_fail_at(0);
		buf_release(&body);
	}
	gateway_client_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_has_its_error),
		cmocka_unit_test(an_interruption_ends_between_two_letters_that_were_named),
		cmocka_unit_test(nobody_there_is_told_apart),
		cmocka_unit_test_setup_teardown(a_description_is_read_or_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(without_memory_nothing_leaks, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
