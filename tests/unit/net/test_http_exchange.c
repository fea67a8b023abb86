#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "site.h"

#define H     "Host: a\r\n"
#define POST  "POST /p HTTP/1.1\r\n" H
#define AFTER "GET /smuggled HTTP/1.1\r\n" H "\r\n"

/* ---- a client at a site ------------------------------------------------------------------------------------------------ */

struct visit {
	struct site s;
	int fd;
	char *heard;
};

static int come(void **state)
{
	static struct visit visit;
	const struct http_limits limits = site_limits();

	visit = (struct visit){ 0 };
	site_start(&visit.s, &limits, NULL);
	visit.fd = dial(&visit.s);
	*state = &visit;
	return 0;
}

static int go(void **state)
{
	struct visit *v = *state;

	mem_free(v->heard);
	if (v->fd >= 0)
		close(v->fd);
	site_end(&v->s);
	return 0;
}

/* Borrowed until the next one, or the end. */
static const char *next_answer(struct visit *v)
{
	mem_free(v->heard);
	return v->heard = hear_answer(v->fd);
}

static const char *all_answers(struct visit *v)
{
	mem_free(v->heard);
	return v->heard = hear_all(v->fd);
}

/* ---- what it says, and what it hears ------------------------------------------------------------------------------------ */

/* What a client sends, and the statuses of all answers it gets; `heads` requests reach the handler. */
static const struct {
	const char *what;
	struct str bytes;
	const char *statuses;
	int heads;
} rows[] = {
	{ "one request", STR("GET / HTTP/1.1\r\n" H "\r\n"), "200", 1 },
	{ "three in a row",
	  STR(POST "Content-Length: 2\r\n\r\nab" AFTER POST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
	  "200 200 200", 3 },
	{ "an empty line between two", STR(POST "Content-Length: 1\r\n\r\na\r\n" AFTER), "200 200", 2 },
	{ "nothing after Connection: close", STR("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n" AFTER), "200", 1 },
	{ "HTTP/1.0 ends by itself", STR("GET / HTTP/1.0\r\n\r\n" AFTER), "200", 1 },
	{ "HTTP/1.0 stays when asked", STR("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
	  "200 200", 2 },
	{ "refused early, small body", STR("POST /refuse HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" AFTER),
	  "401 200", 2 },
	{ "refused early, chunked body",
	  STR("POST /refuse HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" AFTER),
	  "401 200", 2 },
	{ "refused early, bad chunks",
	  STR("POST /refuse HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" AFTER), "401",
	  1 },
	{ "refused early, large body", STR("POST /refuse HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\nhello" AFTER),
	  "401", 1 },
	{ "refused while it waits for 100",
	  STR("POST /refuse HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"), "401", 1 },
	{ "answered in the first piece", STR("POST /cut HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" AFTER),
	  "403 200", 2 },
	{ "chunks answered in the first piece",
	  STR("POST /cut HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n" AFTER),
	  "403 200", 2 },
	{ "a length of ten", STR("POST /small HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n0123456789" AFTER), "200 200",
	  2 },
	{ "a length of eleven", STR("POST /small HTTP/1.1\r\n" H "Content-Length: 11\r\n\r\n01234567890" AFTER), "413",
	  1 },
	{ "ten bytes in chunks",
	  STR("POST /small HTTP/1.1\r\n" H
	      "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n" AFTER),
	  "200 200", 2 },
	{ "eleven bytes in chunks",
	  STR("POST /small HTTP/1.1\r\n" H
	      "Transfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n" AFTER),
	  "413", 1 },
	{ "cut off in the head", STR("GET / HTTP/1.1\r\nHo"), "", 0 },
	{ "cut off in the body", STR(POST "Content-Length: 9\r\n\r\nhel"), "", 1 },
	{ "cut off in a chunk", STR(POST "Transfer-Encoding: chunked\r\n\r\n9\r\nhel"), "", 1 },
	{ "nothing", STR(""), "", 0 },

	{ "CL.TE", STR(POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG" AFTER), "400", 0 },
	{ "TE.CL", STR(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n"), "400",
	  0 },
	{ "TE.TE", STR(POST "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n" AFTER), "400", 0 },
	{ "a space before TE's colon", STR(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" AFTER), "400", 0 },
	{ "TE behind a fold", STR(POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER), "400", 0 },
	{ "TE behind a bare LF", STR(POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER), "400", 0 },
	{ "TE behind a bare CR", STR(POST "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER), "400", 0 },
	{ "TE with a vertical tab", STR(POST "Transfer-Encoding:\vchunked\r\n\r\n0\r\n\r\n" AFTER), "400", 0 },
	{ "xchunked", STR(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" AFTER), "501", 0 },
	{ "two lengths", STR(POST "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" AFTER), "400", 0 },
	{ "a length with a sign", STR(POST "Content-Length: +0\r\n\r\n" AFTER), "400", 0 },
	{ "a length that wraps", STR(POST "Content-Length: 18446744073709551616\r\n\r\n" AFTER), "400", 0 },
	{ "a chunk size that wraps",
	  STR(POST "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n0\r\n\r\n" AFTER), "400", 1 },
	{ "a chunk line with bare LF", STR(POST "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n" AFTER), "400",
	  1 },
	{ "a chunk that is too long", STR(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n" AFTER), "400",
	  1 },
	{ "LF in a chunk extension", STR(POST "Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n" AFTER), "400",
	  1 },
	{ "a good request, then garbage", STR("GET / HTTP/1.1\r\n" H "\r\n\x01\x02" AFTER), "200 400", 1 },
	{ "two Hosts", STR("GET / HTTP/1.1\r\n" H H "\r\n" AFTER), "400", 0 },
	{ "HTTP/2", STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "505", 0 },
	{ "another expectation", STR(POST "Content-Length: 1\r\nExpect: tea\r\n\r\nx" AFTER), "417", 0 },
};

static void run_row(struct site *s, size_t i, size_t step)
{
	int before = atomic_load(&s->heads);
	char list[64];

	ask(s, rows[i].bytes, step, list, sizeof(list));
	if (strcmp(list, rows[i].statuses) != 0)
		fail_msg("%s, in steps of %zu: \"%s\", want \"%s\"", rows[i].what, step, list, rows[i].statuses);
	if (atomic_load(&s->heads) - before != rows[i].heads)
		fail_msg("%s: %d requests came through, want %d", rows[i].what, atomic_load(&s->heads) - before,
			 rows[i].heads);
}

static void each_sender_gets_what_it_deserves_however_it_sends(void **state)
{
	struct visit *v = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run_row(&v->s, i, 4096);
		run_row(&v->s, i, 7);
		run_row(&v->s, i, 1);
	}
}

static void an_answer_is_complete(void **state)
{
	struct visit *v = *state;
	const char *heard;

	say(v->fd, STR("POST /p?q HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"));
	heard = next_answer(v);
	assert_non_null(strstr(heard, "HTTP/1.1 200 OK\r\nDate: "));
	assert_non_null(strstr(
		heard, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nX-Site: yes\r\n\r\nPOST /p 5\n"));
}

static void head_gets_the_length_but_no_body(void **state)
{
	struct visit *v = *state;
	const char *heard;

	say(v->fd, STR("HEAD / HTTP/1.1\r\n" H "\r\nGET /empty HTTP/1.1\r\n" H "Connection: close\r\n\r\n"));
	heard = all_answers(v);
	assert_non_null(strstr(heard, "Content-Length: 9\r\nX-Site: yes\r\n\r\nHTTP/1.1 204 No Content\r\n"));
	assert_null(strstr(strstr(heard, "204"), "Content-Length"));
	assert_true(str_ends(str_of(heard), STR("\r\n\r\n")));
}

static void http_1_0_is_told_that_the_connection_stays(void **state)
{
	struct visit *v = *state;

	say(v->fd, STR("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
	assert_non_null(strstr(next_answer(v), "\r\nConnection: keep-alive\r\n"));
	say(v->fd, STR("GET / HTTP/1.0\r\n\r\n"));
	assert_non_null(strstr(all_answers(v), "\r\nConnection: close\r\n"));
}

static void a_client_that_waits_for_100_gets_it(void **state)
{
	struct visit *v = *state;
	static const char want[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char got[sizeof(want)] = { 0 };

	say(v->fd, STR("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
	assert_int_equal(sizeof(want) - 1, recv(v->fd, got, sizeof(want) - 1, MSG_WAITALL));
	assert_string_equal(want, got);
	say(v->fd, STR("hello"));
	assert_non_null(strstr(next_answer(v), "POST / 5\n"));
}

/* It may still send the body or not: nobody knows what its next bytes are. */
static void a_client_that_waits_for_100_and_is_refused_cannot_go_on(void **state)
{
	struct visit *v = *state;
	const char *heard;

	say(v->fd, STR("POST /refuse HTTP/1.1\r\n" H "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
	heard = all_answers(v);
	assert_true(str_starts(str_of(heard), STR("HTTP/1.1 401 ")));
	assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
}

static void a_refusal_says_why_in_one_line(void **state)
{
	struct visit *v = *state;
	static const char body[] = "\r\n\r\n400 Bad Request: missing required Host header";
	const char *heard;

	say(v->fd, STR("GET / HTTP/1.1\r\n\r\n"));
	heard = all_answers(v);
	assert_true(str_ends(str_of(heard), str_of(body)));
	assert_true(str_starts(str_of(heard), STR("HTTP/1.1 400 Bad Request\r\n")));
	assert_non_null(strstr(heard, "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 45\r\n"));
	assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
	assert_int_equal(1, atomic_load(&v->s.refused[400]));
}

static void the_client_reads_the_refusal_of_a_body_it_is_still_sending(void **state)
{
	struct visit *v = *state;
	struct buf body = { 0 };

	say(v->fd, STR("POST /small HTTP/1.1\r\n" H "Content-Length: 500000\r\n\r\n"));
	for (size_t i = 0; i < 500000; i++)
		buf_char(&body, 'x');
	say(v->fd, buf_view(&body));
	assert_non_null(strstr(all_answers(v), "413 Content Too Large: send a smaller body"));
	buf_release(&body);
}

static void pipelined_requests_wait_for_the_one_before(void **state)
{
	struct visit *v = *state;
	const char *heard;
	char list[64];

	say(v->fd, STR("GET /hold HTTP/1.1\r\n" H "\r\nGET /second HTTP/1.1\r\n" H "\r\n"));
	site_wait(&v->s, &v->s.holding, 1);
	say(v->fd, STR("GET /third HTTP/1.1\r\n" H "Connection: close\r\n\r\n"));
	assert_int_equal(1, atomic_load(&v->s.heads));
	site_answer_held(&v->s);
	heard = all_answers(v);
	statuses(heard, list, sizeof(list));
	assert_string_equal("200 200 200", list);
	assert_true(strstr(heard, "/hold") < strstr(heard, "/second"));
	assert_true(strstr(heard, "/second") < strstr(heard, "/third"));
}

static void what_is_sent_ahead_is_bounded(void **state)
{
	struct visit *v = *state;
	size_t sent = 0;
	ssize_t n;
	char block[4096];
	struct pollfd writable = { .fd = v->fd, .events = POLLOUT };

	memset(block, 'x', sizeof(block));
	say(writable.fd, STR("GET /hold HTTP/1.1\r\n" H "\r\n"));
	site_wait(&v->s, &v->s.holding, 1);
	/* The kernel's buffers take some, then it stops; a server that went on reading would take all of it. */
	while (sent < (64u << 20) && poll(&writable, 1, /* timeout_ms= */ 300) == 1) {
		n = send(writable.fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n > 0 ? (size_t)n : 0;
	}
	assert_true(sent < (64u << 20));
}

static void a_client_that_resets_takes_its_request_with_it(void **state)
{
	struct visit *v = *state;
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	say(v->fd, STR("GET /hold HTTP/1.1\r\n" H "\r\n"));
	site_wait(&v->s, &v->s.holding, 1);
	setsockopt(v->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(v->fd);
	v->fd = -1;
	site_wait(&v->s, &v->s.closes, 1);
	assert_int_equal(0, atomic_load(&v->s.holding));
	site_answer_held(&v->s);
}

static void a_client_that_has_said_all_still_gets_its_answer(void **state)
{
	struct visit *v = *state;

	say(v->fd, STR("GET /hold HTTP/1.1\r\n" H "\r\n"));
	shutdown(v->fd, SHUT_WR);
	site_wait(&v->s, &v->s.holding, 1);
	site_answer_held(&v->s);
	assert_non_null(strstr(all_answers(v), "GET /hold 0\n"));
}

static void a_slow_reader_gets_a_large_answer_whole(void **state)
{
	struct visit *v = *state;

	narrow(v->fd);
	say(v->fd, STR("GET /big HTTP/1.1\r\n" H "\r\nGET /after HTTP/1.1\r\n" H "\r\n"));
	site_wait(&v->s, &v->s.ends, 1);
	assert_int_equal(1, atomic_load(&v->s.heads)); /* the second waits until the first is written */
	assert_true(str_ends(str_of(next_answer(v)), STR("bbbb")));
	assert_non_null(strstr(next_answer(v), "/after"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, come, go)
	const struct CMUnitTest tests[] = {
		T(each_sender_gets_what_it_deserves_however_it_sends),
		T(an_answer_is_complete),
		T(head_gets_the_length_but_no_body),
		T(http_1_0_is_told_that_the_connection_stays),
		T(a_client_that_waits_for_100_gets_it),
		T(a_client_that_waits_for_100_and_is_refused_cannot_go_on),
		T(a_refusal_says_why_in_one_line),
		T(the_client_reads_the_refusal_of_a_body_it_is_still_sending),
		T(pipelined_requests_wait_for_the_one_before),
		T(what_is_sent_ahead_is_bounded),
		T(a_client_that_resets_takes_its_request_with_it),
		T(a_client_that_has_said_all_still_gets_its_answer),
		T(a_slow_reader_gets_a_large_answer_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
