#include "net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "fetcher.h"
#include "site.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct site site;
static struct fetcher fetcher;

static void start_at(uint16_t port, const struct http_client_options *options)
{
	char origin[64];

	(void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", port);
	fetcher_start(&fetcher, origin, options);
}

static int open_site(void **state)
{
	struct http_limits limits = site_limits();

	(void)state;
	site_start(&site, &limits, NULL);
	start_at(site.port, NULL);
	return 0;
}

static int open_site_alone(void **state)
{
	struct http_limits limits = site_limits();

	(void)state;
	site_start(&site, &limits, NULL);
	return 0;
}

static int close_site_alone(void **state)
{
	(void)state;
	site_end(&site);
	return 0;
}

static int close_site(void **state)
{
	(void)state;
	fetcher_end(&fetcher);
	site_end(&site);
	return 0;
}

static void an_answer_is_kept_whole(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/a/b?c=d", E_OK, "200 GET /a/b 0\n");
	visit_expect(&fetcher, "/empty", E_OK, "204 ");
}

static void an_answer_of_any_status_is_one(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/refuse", E_OK, "401 GET /refuse 0\n");
}

static void a_body_is_sent(void **state)
{
	char *body = mem_alloc(3 << 20);
	struct visit v = visit_of(&fetcher, "/a");
	char got[64];

	(void)state;
	assert_non_null(body);
	v.fetch.method = "PATCH";
	v.fetch.content_type = "application/merge-patch+json";
	v.fetch.body = (struct str){ body, 1 << 20 };
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	assert_string_equal("200 PATCH /a 1048576\n", got);
	mem_free(body);
}

/* ---- a server that says what the test wants ------------------------------------------------------------------------------- */

static struct stub stub;

static void open_stub(void (*script)(struct stub *s, int fd), const struct http_client_options *options)
{
	stub_start(&stub, script);
	fetcher_start(&fetcher, stub.origin, options);
}

static void close_stub(void)
{
	fetcher_end(&fetcher);
	stub_end(&stub);
}

/* A request to a server that answers like this, and ends the connection. */
static void expect_of(const char *says, enum err err, const char *text)
{
	open_stub(stub_answers_once, NULL);
	stub_will_say(&stub, says);
	visit_expect(&fetcher, "/", err, text);
	close_stub();
}

static void a_request_says_what_it_should_and_no_more(void **state)
{
	struct visit v;
	char got[64];

	(void)state;
	open_stub(stub_answers, NULL);
	stub_will_say(&stub, "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok");
	for (int i = 0; i < 2; i++) {
		char want[256];

		v = visit_of(&fetcher, "/a/../b?c=%20#d");
		v.fetch.bearer = "secret";
		assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
		assert_string_equal("200 ok", got);
		(void)snprintf(want, sizeof(want),
			       "GET /a/../b?c=%%20 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer secret\r\n"
			       "User-Agent: holdfast\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n",
			       stub.port);
		assert_string_equal(want, stub_heard(&stub));
	}
	close_stub();
}

static void a_body_goes_with_its_type(void **state)
{
	char got[64];

	(void)state;
	open_stub(stub_answers_once, NULL);
	stub_will_say(&stub, OK_EMPTY);
	for (int typed = 0; typed < 2; typed++) {
		struct visit v = visit_of(&fetcher, "/");

		v.fetch.method = "DELETE";
		v.fetch.body = STR("");
		v.fetch.content_type = typed ? "application/json" : NULL;
		assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
		assert_true(strncmp(stub_heard(&stub), "DELETE / HTTP/1.1\r\n", 19) == 0);
		assert_non_null(strstr(stub_heard(&stub), "\r\nContent-Length: 0\r\n"));
		assert_int_equal(typed, strstr(stub_heard(&stub), "\r\nContent-Type: application/json\r\n") != NULL);
		assert_int_equal(typed, strstr(stub_heard(&stub), "Content-Type") != NULL);
	}
	close_stub();
}

static void the_path_of_the_origin_stands_before_the_target(void **state)
{
	char origin[96];

	(void)state;
	stub_start(&stub, stub_answers_once);
	stub_will_say(&stub, OK_EMPTY);
	for (int slash = 0; slash < 2; slash++) {
		(void)snprintf(origin, sizeof(origin), "%s/k8s/a%s", stub.origin, slash ? "/" : "");
		fetcher_start(&fetcher, origin, NULL);
		visit_expect(&fetcher, "/version", E_OK, "200 ");
		assert_true(strncmp(stub_heard(&stub), "GET /k8s/a/version HTTP/1.1\r\n", 29) == 0);
		fetcher_end(&fetcher);
	}
	stub_end(&stub);
}

static void what_is_no_origin_is_refused_and_not_repeated(void **state)
{
	static const char *const none[] = { "",
					    "a",
					    "//a",
					    "ftp://a",
					    "https://",
					    "https://a?b",
					    "https://a#b",
					    "https://u:secret@a",
					    "https://u@a",
					    "https://a:0x1",
					    "https://a b",
					    "file:///etc/passwd" };
	struct http_client *c = NULL;
	struct loop loop;

	(void)state;
	assert_int_equal(E_OK, loop_init(&loop, NULL));
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		struct why why = { 0 };

		if (http_client_new(&loop, &(struct http_client_options){ .origin = none[i] }, &why, &c) != E_CONFIG)
			fail_msg("%s", none[i]);
		assert_true(strlen(why.text) > 0);
		assert_null(strstr(why.text, "secret"));
	}
	assert_null(c);
	loop_release(&loop);
}

static void what_does_not_fit_a_line_is_not_sent(void **state)
{
	static const char bad[] = "/a\r\nX: secret";

	(void)state;
	open_stub(stub_answers, NULL);
	for (int i = 0; i < 4; i++) {
		struct visit v = visit_of(&fetcher, i == 0 ? bad : i == 1 ? "a" : "/");
		char got[64];

		v.fetch.bearer = i == 2 ? bad : NULL;
		v.fetch.content_type = i == 3 ? bad : NULL;
		assert_int_equal(E_MALFORMED, visit_once(&v, got, sizeof(got)));
		assert_string_equal("0 ", got);
		assert_null(strstr(v.fetch.why.text, "secret"));
	}
	assert_int_equal(0, stub.accepted);
	close_stub();
}

static void redirects_are_answers(void **state)
{
	(void)state;
	expect_of("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 1\r\n\r\nx", E_OK, "302 x");
}

static void answers_end_in_every_way_that_http_knows(void **state)
{
	(void)state;
	expect_of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", E_OK, "200 ok");
	expect_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", E_OK, "200 ok");
	expect_of("HTTP/1.0 200 OK\r\n\r\nok", E_OK, "200 ok");
	expect_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", E_OK, "503 no");
	expect_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", E_OK, "304 ");
}

static void what_is_no_whole_answer_is_unavailable(void **state)
{
	(void)state;
	expect_of("", E_UNAVAILABLE, "0 ");
	expect_of("HTTP/1.1 200 O", E_UNAVAILABLE, "0 ");
	expect_of("garbage\r\n\r\n", E_UNAVAILABLE, "0 ");
	expect_of("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", E_UNAVAILABLE, "200 ok");
	expect_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", E_UNAVAILABLE, "200 ok");
	expect_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n", E_UNAVAILABLE, "200 ");
	expect_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", E_UNAVAILABLE, "200 ");
}

static void hears_reset(struct stub *s, int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)stub_hear(s, fd);
	stub_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nok");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

static void a_reset_and_a_refusal_are_unavailable(void **state)
{
	struct visit v;
	char got[64];

	(void)state;
	open_stub(hears_reset, NULL);
	v = visit_of(&fetcher, "/");
	assert_int_equal(E_UNAVAILABLE, visit_once(&v, got, sizeof(got)));
	stub_end(&stub);
	v = visit_of(&fetcher, "/");
	assert_int_equal(E_UNAVAILABLE, visit_once(&v, got, sizeof(got)));
	assert_string_equal("0 ", got);
	assert_non_null(strstr(v.fetch.why.text, "127.0.0.1"));
	fetcher_end(&fetcher);
}

static void says_a_million_fields(struct stub *s, int fd)
{
	if (!stub_hear(s, fd))
		return;
	stub_say(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 100000; i++)
		stub_say(fd, "X-A: 0123456789012345678901234567890123456789\r\n");
}

static void a_head_without_end_is_unavailable(void **state)
{
	(void)state;
	open_stub(says_a_million_fields, NULL);
	visit_expect(&fetcher, "/", E_UNAVAILABLE, "200 ");
	close_stub();
}

/* "hello" */
#define PACKED                                     \
	"\x1f\x8b\x08\x08\x01\x01\x01\x01\x02\x03" \
	"a\0"                                      \
	"\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00"

static void says_packed(struct stub *s, int fd)
{
	while (stub_hear(s, fd)) {
		stub_say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 27\r\n\r\n");
		send(fd, PACKED, sizeof(PACKED) - 1, MSG_NOSIGNAL);
	}
}

static void answer_max_is_of_what_is_unpacked(void **state)
{
	struct visit v;
	char got[64];

	(void)state;
	open_stub(says_packed, NULL);
	visit_expect(&fetcher, "/", E_OK, "200 hello");
	v = visit_of(&fetcher, "/");
	v.fetch.answer_max = 5;
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	v = visit_of(&fetcher, "/");
	v.fetch.answer_max = 4;
	assert_int_equal(E_LIMIT, visit_once(&v, got, sizeof(got)));
	assert_string_equal("the answer is larger than 4 bytes", v.fetch.why.text);
	close_stub();
}

static void a_large_answer_meets_its_limit(void **state)
{
	struct visit v = visit_of(&fetcher, "/big");
	char got[64];

	(void)state;
	v.fetch.answer_max = SITE_BIG;
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	v = visit_of(&fetcher, "/big");
	v.fetch.answer_max = SITE_BIG - 1;
	assert_int_equal(E_LIMIT, visit_once(&v, got, sizeof(got)));
	assert_int_equal(200, v.fetch.status);
	visit_expect(&fetcher, "/a", E_OK, "200 GET /a 0\n");
}

static void the_server_may_ask_to_wait(void **state)
{
	static const struct {
		const char *value;
		uint64_t least_ms, most_ms;
	} cases[] = { { "7", 7000, 7000 },
		      { "0", 0, 0 },
		      { "-1", 0, 0 },
		      { "soon", 0, 0 },
		      { "99999999999999999999", 0, 86400000 },
		      { "9223372036854775807", 86400000, 86400000 },
		      { "Wed, 21 Oct 2015 07:28:00 GMT", 0, 0 },
		      { "Fri, 01 Jan 2100 00:00:00 GMT", 86400000, 86400000 } };
	char says[256], got[64];

	(void)state;
	open_stub(stub_answers, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct visit v = visit_of(&fetcher, "/");

		(void)snprintf(says, sizeof(says), "HTTP/1.1 429 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
			       cases[i].value);
		stub_will_say(&stub, says);
		assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
		assert_string_equal("429 ", got);
		assert_in_range(v.fetch.retry_after_ms, cases[i].least_ms, cases[i].most_ms);
	}
	stub_will_say(&stub, OK_EMPTY);
	visit_expect(&fetcher, "/", E_OK, "200 ");
	close_stub();
}

/* ---- pieces --------------------------------------------------------------------------------------------------------------- */

static void says_piece_by_piece(struct stub *s, int fd)
{
	if (!stub_hear(s, fd))
		return;
	stub_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		stub_say(fd, "2\r\nab\r\n");
		stub_wait(s);
	}
	stub_say(fd, "0\r\n\r\n");
}

static enum err asks_for_more(struct http_fetch *f, struct str piece)
{
	struct visit *v = CONTAINER_OF(f, struct visit, fetch);

	assert_int_equal(200, f->status);
	assert_true(str_is(piece, "ab"));
	v->pieces++;
	sem_post(&stub.go);
	return E_OK;
}

static void pieces_come_when_they_arrive(void **state)
{
	struct visit v;
	char got[64];

	(void)state;
	open_stub(says_piece_by_piece, NULL);
	v = watch_of(&fetcher, "/");
	v.fetch.on_piece = asks_for_more;
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	assert_string_equal("200 ", got);
	assert_int_equal(3, v.pieces);
	close_stub();
}

static void only_good_answers_come_in_pieces(void **state)
{
	struct visit v = watch_of(&fetcher, "/refuse");
	char got[64];

	(void)state;
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	assert_string_equal("401 GET /refuse 0\n", got);
	assert_int_equal(0, v.pieces);
	v = watch_of(&fetcher, "/a");
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	assert_string_equal("200 GET /a 0\n", got);
	assert_int_equal(1, v.pieces);
	v = watch_of(&fetcher, "/big");
	v.fetch.answer_max = 0;
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	assert_true(v.pieces > 1);
}

static void notes_head(struct http_fetch *f)
{
	struct visit *v = CONTAINER_OF(f, struct visit, fetch);

	assert_int_equal(0, v->pieces);
	buf_lit(&v->body, "head ");
}

static void a_good_head_is_told_before_its_body(void **state)
{
	static const struct {
		const char *says;
		const char *text;
	} cases[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 head ok" },
		      { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", "204 head " },
		      { "HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\nno", "410 no" },
		      { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-A: b\r\n\r\n",
			"200 head ok" } };

	(void)state;
	open_stub(stub_answers_once, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct visit v = watch_of(&fetcher, "/");
		char got[64];

		stub_will_say(&stub, cases[i].says);
		v.fetch.on_head = notes_head;
		assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
		assert_string_equal(cases[i].text, got);
	}
	close_stub();
}

static enum err refuses(struct http_fetch *f, struct str piece)
{
	struct visit *v = CONTAINER_OF(f, struct visit, fetch);

	(void)piece;
	return v->pieces++ ? E_OK : why_set(&f->why, E_CORRUPT, "no such piece");
}

static void a_piece_may_be_refused(void **state)
{
	struct visit v = watch_of(&fetcher, "/big");
	char got[64];

	(void)state;
	v.fetch.on_piece = refuses;
	assert_int_equal(E_CORRUPT, visit_once(&v, got, sizeof(got)));
	assert_string_equal("no such piece", v.fetch.why.text);
	assert_int_equal(1, v.pieces);
}

/* ---- time ----------------------------------------------------------------------------------------------------------------- */

static void who_is_not_answered_times_out(void **state)
{
	struct visit v;
	char got[64];

	(void)state;
	open_stub(stub_is_silent, NULL);
	v = visit_of(&fetcher, "/");
	v.fetch.timeout_ms = 20;
	assert_int_equal(E_TIMEOUT, visit_once(&v, got, sizeof(got)));
	assert_string_equal("no answer within 20 ms", v.fetch.why.text);
	close_stub();
}

static void who_waits_for_a_connection_times_out_too(void **state)
{
	struct visit first, second;

	(void)state;
	open_stub(stub_is_silent, &(struct http_client_options){ .connections = 1 });
	first = visit_of(&fetcher, "/");
	second = visit_of(&fetcher, "/");
	second.fetch.timeout_ms = 20;
	visit_start(&first);
	visit_start(&second);
	fetcher_run(&fetcher, 1);
	assert_int_equal(E_TIMEOUT, second.fetch.err);
	assert_int_equal(0, first.done);
	close_stub();
	assert_int_equal(E_CANCELLED, first.fetch.err);
}

/* ---- cancel and close ------------------------------------------------------------------------------------------------------ */

static void cancelled(struct visit *v)
{
	visit_cancel(v);
	visit_cancel(v);
	fetcher_run(&fetcher, v->done ? 0 : 1);
	assert_int_equal(1, v->done);
	assert_int_equal(E_CANCELLED, v->fetch.err);
	visit_cancel(v); /* nothing */
	fetcher_turns(&fetcher, 3);
	assert_int_equal(1, v->done);
	visit_release(v);
}

static void a_fetch_is_cancelled_in_each_turn_of_its_life(void **state)
{
	(void)state;
	for (unsigned turns = 0;; turns++) {
		struct visit v = visit_of(&fetcher, "/hold");

		visit_start(&v);
		fetcher_turns(&fetcher, turns);
		if (atomic_load(&site.holding)) {
			cancelled(&v);
			break;
		}
		cancelled(&v);
	}
	visit_expect(&fetcher, "/a", E_OK, "200 GET /a 0\n");
}

static void a_fetch_without_a_connection_is_cancelled(void **state)
{
	struct visit first, second;

	(void)state;
	open_stub(stub_is_silent, &(struct http_client_options){ .connections = 1 });
	first = visit_of(&fetcher, "/");
	second = visit_of(&fetcher, "/");
	visit_start(&first);
	visit_start(&second);
	fetcher_turns(&fetcher, 10);
	cancelled(&second);
	cancelled(&first);
	close_stub();
}

static enum err cancels(struct http_fetch *f, struct str piece)
{
	struct visit *v = CONTAINER_OF(f, struct visit, fetch);

	(void)piece;
	v->pieces++;
	visit_cancel(v);
	return E_OK;
}

static void a_fetch_is_cancelled_from_its_own_piece(void **state)
{
	struct visit v = watch_of(&fetcher, "/big");
	char got[64];

	(void)state;
	v.fetch.on_piece = cancels;
	assert_int_equal(E_CANCELLED, visit_once(&v, got, sizeof(got)));
	assert_int_equal(1, v.pieces);
}

static struct visit other;

static enum err starts_other(struct http_fetch *f, struct str piece)
{
	(void)f;
	(void)piece;
	if (!other.fetcher) {
		other = visit_of(&fetcher, "/other");
		visit_start(&other);
	}
	return E_OK;
}

static void a_fetch_is_started_from_a_piece(void **state)
{
	struct visit v = watch_of(&fetcher, "/big");

	(void)state;
	other = (struct visit){ 0 };
	v.fetch.on_piece = starts_other;
	visit_start(&v);
	fetcher_run(&fetcher, 2);
	assert_int_equal(E_OK, v.fetch.err);
	assert_int_equal(E_OK, other.fetch.err);
	assert_int_equal(200, other.fetch.status);
	visit_release(&other);
}

static void cancels_other(struct visit *v)
{
	(void)v;
	visit_cancel(&other);
}

static void a_fetch_is_cancelled_when_another_is_done(void **state)
{
	struct visit v = visit_of(&fetcher, "/a");

	(void)state;
	v.then = cancels_other;
	other = visit_of(&fetcher, "/hold");
	visit_start(&other);
	visit_start(&v);
	fetcher_run(&fetcher, 2);
	assert_int_equal(E_OK, v.fetch.err);
	assert_int_equal(E_CANCELLED, other.fetch.err);
	visit_release(&v);
}

static void starts_again(struct visit *v)
{
	if (v->done < 300)
		visit_start(v);
}

static void a_fetch_is_started_again_when_it_is_done(void **state)
{
	struct visit v;

	(void)state;
	open_stub(stub_answers, NULL);
	stub_will_say(&stub, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
	v = visit_of(&fetcher, "/");
	v.then = starts_again;
	visit_start(&v);
	fetcher_run(&fetcher, 300);
	assert_int_equal(E_OK, v.fetch.err);
	assert_int_equal(300, v.body.n);
	assert_int_equal(1, stub.accepted); /* connection */
	visit_release(&v);
	close_stub();
}

static void frees_itself(struct visit *v)
{
	v->then = NULL;
	memset(&v->fetch, 0xa5, sizeof(v->fetch));
}

static void a_fetch_is_freed_when_it_is_done(void **state)
{
	struct visit v = visit_of(&fetcher, "/big");

	(void)state;
	v.then = frees_itself;
	visit_start(&v);
	fetcher_run(&fetcher, 1);
	assert_int_equal(SITE_BIG, v.body.n);
	visit_release(&v);
}

/* In each turn of its life, with one that waits, and one that has not begun. */
static void a_client_is_closed_whatever_is_under_way(void **state)
{
	struct visit v[4];

	(void)state;
	for (unsigned turns = 0; turns < 12; turns++) {
		start_at(site.port, &(struct http_client_options){ .connections = 2 });
		for (size_t i = 0; i < ARRAY_LEN(v); i++) {
			v[i] = i % 2 ? watch_of(&fetcher, "/big") : visit_of(&fetcher, "/hold");
			visit_start(&v[i]);
		}
		fetcher_turns(&fetcher, turns);
		fetcher_end(&fetcher);
		for (size_t i = 0; i < ARRAY_LEN(v); i++) {
			assert_int_equal(1, v[i].done);
			assert_true(v[i].fetch.err == E_CANCELLED || (i % 2 && v[i].fetch.err == E_OK));
			visit_release(&v[i]);
		}
	}
}

static void on_closed(void *ctx)
{
	fetcher.closed = true;
	assert_int_equal(2, fetcher.done);
	assert_ptr_equal(&other, ctx);
	loop_stop(&fetcher.loop);
}

static void closes(struct visit *v)
{
	(void)v;
	http_client_close(fetcher.client, on_closed, &other);
	assert_false(fetcher.closed);
	visit_start(&other);
	assert_int_equal(0, other.done);
}

static void a_client_is_closed_when_a_fetch_is_done(void **state)
{
	struct visit v;

	(void)state;
	start_at(site.port, NULL);
	v = visit_of(&fetcher, "/a");
	v.then = closes;
	other = visit_of(&fetcher, "/a");
	visit_start(&v);
	loop_run(&fetcher.loop);
	assert_true(fetcher.closed);
	assert_int_equal(E_OK, v.fetch.err);
	assert_int_equal(E_CANCELLED, other.fetch.err);
	visit_release(&v);
	fetcher_end(&fetcher);
}

static void a_client_is_closed_unused(void **state)
{
	(void)state;
	start_at(1, NULL);
	fetcher_end(&fetcher);
}

/* ---- connections ----------------------------------------------------------------------------------------------------------- */

#define MANY 1000

static void a_thousand_at_once_share_few_connections(void **state)
{
	struct visit *all = mem_array(MANY, sizeof(*all));

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < MANY; i++) {
		all[i] = visit_of(&fetcher, "/a");
		visit_start(&all[i]);
	}
	fetcher_run(&fetcher, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(E_OK, all[i].fetch.err);
		assert_int_equal(200, all[i].fetch.status);
		visit_release(&all[i]);
	}
	assert_in_range(site_connections(&site), 1, 8);
	mem_free(all);
}

static void a_thousand_are_cancelled_half_way(void **state)
{
	struct visit *all = mem_array(MANY, sizeof(*all));

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < MANY; i++) {
		all[i] = visit_of(&fetcher, "/a");
		visit_start(&all[i]);
	}
	fetcher_run(&fetcher, MANY / 4);
	for (size_t i = 0; i < MANY; i += 2)
		visit_cancel(&all[i]);
	fetcher_run(&fetcher, MANY - fetcher.done);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(1, all[i].done);
		assert_true(all[i].fetch.err == E_OK || (i % 2 == 0 && all[i].fetch.err == E_CANCELLED));
		visit_release(&all[i]);
	}
	mem_free(all);
}

static void what_has_no_end_does_not_keep_what_is_small(void **state)
{
	struct visit watches[5];

	(void)state;
	start_at(site.port, &(struct http_client_options){ .connections = 1 });
	for (size_t i = 0; i < ARRAY_LEN(watches); i++) {
		watches[i] = watch_of(&fetcher, "/hold");
		visit_start(&watches[i]);
	}
	visit_expect(&fetcher, "/a", E_OK, "200 GET /a 0\n");
	visit_expect(&fetcher, "/a", E_OK, "200 GET /a 0\n");
	fetcher_end(&fetcher);
}

static void a_connection_that_the_server_has_closed_is_not_missed(void **state)
{
	(void)state;
	open_stub(stub_answers_once, NULL);
	stub_will_say(&stub, OK_EMPTY);
	for (unsigned i = 0; i < 20; i++)
		visit_expect(&fetcher, "/", E_OK, "200 ");
	assert_int_equal(20, stub.accepted);
	close_stub();
}

static int option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(0, getsockopt(fd, level, option, &value, &n));
	return value;
}

static uint16_t local_port(int fd)
{
	struct sockaddr_in at = { 0 };
	socklen_t n = sizeof(at);

	return getsockname(fd, (struct sockaddr *)&at, &n) == 0 ? ntohs(at.sin_port) : 0;
}

static enum err looks_at_socket(struct http_fetch *f, struct str piece)
{
	long port = 0;
	int fd = 0;

	(void)piece;
	curl_easy_getinfo((CURL *)f->easy, CURLINFO_LOCAL_PORT, &port);
	while (fd < 1000 && local_port(fd) != port)
		fd++;
	assert_int_equal(1, option_of(fd, SOL_SOCKET, SO_KEEPALIVE));
	assert_int_equal(15, option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE));
	assert_int_equal(5, option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL));
	assert_int_equal(30000, option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT));
	assert_int_equal(1, option_of(fd, IPPROTO_TCP, TCP_NODELAY));
	return E_OK;
}

/* Two machines that lose each other are more than a unit test has; this is what makes the kernel notice it within 30 s. */
static void a_connection_is_probed(void **state)
{
	struct visit v = watch_of(&fetcher, "/a");
	char got[64];

	(void)state;
	v.fetch.on_piece = looks_at_socket;
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
}

/* ---- memory ---------------------------------------------------------------------------------------------------------------- */

static void whatever_finds_no_memory_the_next_one_is_answered(void **state)
{
	long points;

	(void)state;
	stub_start(&stub, stub_answers);
	stub_will_say(&stub, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
	fetcher_start(&fetcher, stub.origin, NULL);
	mem_fail_at(0);
	visit_expect(&fetcher, "/", E_OK, "200 x");
	points = mem_count();
	fetcher_end(&fetcher);
	assert_true(points > 3);
	for (long at = 1; at <= points; at++) {
		struct visit v;

		fetcher_start(&fetcher, stub.origin, NULL);
		v = visit_of(&fetcher, "/");
		mem_fail_at(at);
		visit_start(&v);
		fetcher_run(&fetcher, 1);
		mem_fail_at(0);
		if (v.fetch.err != E_OK && v.fetch.err != E_NOMEM)
			fail_msg("allocation %ld: %s: %s", at, err_name(v.fetch.err), v.fetch.why.text);
		visit_release(&v);
		visit_expect(&fetcher, "/", E_OK, "200 x");
		fetcher_end(&fetcher);
	}
	stub_end(&stub);
}

static void stops(void *ctx)
{
	loop_stop(ctx);
}

static void a_client_without_memory_is_none(void **state)
{
	struct http_client_options options = { .origin = "https://a", .ca = STR("a"), .server_name = "b" };
	struct http_client *c = NULL;
	struct loop loop;
	long at = 0;

	(void)state;
	assert_int_equal(E_OK, loop_init(&loop, NULL));
	do {
		mem_fail_at(++at);
	} while (http_client_new(&loop, &options, NULL, &c) == E_NOMEM);
	mem_fail_at(0);
	assert_true(at > 3);
	http_client_close(c, stops, &loop);
	loop_run(&loop);
	loop_release(&loop);
}

#define AT_SITE_ALONE(name) cmocka_unit_test_setup_teardown(name, open_site_alone, close_site_alone)
#define AT_SITE(name)       cmocka_unit_test_setup_teardown(name, open_site, close_site)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_SITE(an_answer_is_kept_whole),
		AT_SITE(an_answer_of_any_status_is_one),
		AT_SITE(a_body_is_sent),
		cmocka_unit_test(a_request_says_what_it_should_and_no_more),
		cmocka_unit_test(a_body_goes_with_its_type),
		cmocka_unit_test(the_path_of_the_origin_stands_before_the_target),
		cmocka_unit_test(what_is_no_origin_is_refused_and_not_repeated),
		cmocka_unit_test(what_does_not_fit_a_line_is_not_sent),
		cmocka_unit_test(redirects_are_answers),
		cmocka_unit_test(answers_end_in_every_way_that_http_knows),
		cmocka_unit_test(what_is_no_whole_answer_is_unavailable),
		cmocka_unit_test(a_reset_and_a_refusal_are_unavailable),
		cmocka_unit_test(a_head_without_end_is_unavailable),
		cmocka_unit_test(answer_max_is_of_what_is_unpacked),
		AT_SITE(a_large_answer_meets_its_limit),
		cmocka_unit_test(the_server_may_ask_to_wait),
		cmocka_unit_test(pieces_come_when_they_arrive),
		AT_SITE(only_good_answers_come_in_pieces),
		cmocka_unit_test(a_good_head_is_told_before_its_body),
		AT_SITE(a_piece_may_be_refused),
		cmocka_unit_test(who_is_not_answered_times_out),
		cmocka_unit_test(who_waits_for_a_connection_times_out_too),
		AT_SITE(a_fetch_is_cancelled_in_each_turn_of_its_life),
		cmocka_unit_test(a_fetch_without_a_connection_is_cancelled),
		AT_SITE(a_fetch_is_cancelled_from_its_own_piece),
		AT_SITE(a_fetch_is_started_from_a_piece),
		AT_SITE(a_fetch_is_cancelled_when_another_is_done),
		cmocka_unit_test(a_fetch_is_started_again_when_it_is_done),
		AT_SITE(a_fetch_is_freed_when_it_is_done),
		AT_SITE_ALONE(a_client_is_closed_whatever_is_under_way),
		AT_SITE_ALONE(a_client_is_closed_when_a_fetch_is_done),
		cmocka_unit_test(a_client_is_closed_unused),
		AT_SITE(a_thousand_at_once_share_few_connections),
		AT_SITE(a_thousand_are_cancelled_half_way),
		AT_SITE_ALONE(what_has_no_end_does_not_keep_what_is_small),
		cmocka_unit_test(a_connection_that_the_server_has_closed_is_not_missed),
		AT_SITE(a_connection_is_probed),
		cmocka_unit_test(whatever_finds_no_memory_the_next_one_is_answered),
		cmocka_unit_test(a_client_without_memory_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
