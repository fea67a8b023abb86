#include "site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listen.h"

#define PATIENCE_S 60

static void count(struct site *s, atomic_int *counter, int delta)
{
	atomic_fetch_add(counter, delta);
	sem_post(&s->changed);
}

static void answer(struct http_request *r, unsigned status)
{
	char body[256];
	int n = snprintf(body, sizeof(body), "%.*s %.*s %zu\n", STR_ARG(r->method), STR_ARG(r->path), (size_t)r->user);

	http_respond(r, &(struct http_response){ .status = status,
						 .content_type = STR("text/plain"),
						 .headers = STR("X-Site: yes\r\n"),
						 .body = { body, (size_t)n } });
}

static void on_head(void *ctx, struct http_request *r)
{
	struct site *s = ctx;

	count(s, &s->heads, 1);
	if (str_is(r->path, "/refuse"))
		answer(r, 401);
	else if (str_is(r->path, "/small"))
		r->body_max = 10;
}

static void on_body(void *ctx, struct http_request *r, struct str chunk)
{
	(void)ctx;
	assert_true(chunk.n > 0);
	r->user = (void *)((size_t)r->user + chunk.n);
	if (str_is(r->path, "/cut"))
		answer(r, 403);
}

static void answer_big(struct http_request *r)
{
	char *body = mem_alloc(SITE_BIG);

	if (!body) {
		answer(r, 503);
		return;
	}
	memset(body, 'b', SITE_BIG);
	http_respond(r, &(struct http_response){ .status = 200, .body = { body, SITE_BIG } });
	mem_free(body);
}

/* On a busy machine a test gives it hundreds before it has a turn: those that it does not remember are not answered either. */
static void hold(struct site *s, struct http_request *r)
{
	if (s->held_count == ARRAY_LEN(s->held))
		return;
	s->held[s->held_count++] = r;
	count(s, &s->holding, 1);
}

static void on_end(void *ctx, struct http_request *r)
{
	struct site *s = ctx;

	count(s, &s->ends, 1);
	if (str_is(r->path, "/big")) {
		answer_big(r);
	} else if (str_is(r->path, "/hold")) {
		hold(s, r);
	} else {
		answer(r, str_is(r->path, "/empty") ? 204 : 200);
	}
}

static void on_close(void *ctx, struct http_request *r)
{
	struct site *s = ctx;

	for (size_t i = 0; i < s->held_count; i++) {
		if (s->held[i] != r)
			continue;
		s->held[i] = s->held[--s->held_count];
		count(s, &s->holding, -1);
	}
	count(s, &s->closes, 1);
}

static void on_refused(void *ctx, unsigned status)
{
	struct site *s = ctx;

	assert_true(status < ARRAY_LEN(s->refused));
	count(s, &s->refused[status], 1);
}

static void on_stopped(void *ctx)
{
	struct site *s = ctx;

	s->server = NULL;
	count(s, &s->stopped, 1);
}

/* Something that the loop's thread does while the test waits. */
struct call {
	struct loop_task task;
	struct site *site;
	void (*run)(struct site *s, const void *arg);
	const void *arg;
	sem_t done;
};

static void run_call(struct loop_task *task)
{
	struct call *call = CONTAINER_OF(task, struct call, task);

	call->run(call->site, call->arg);
	sem_post(&call->done);
}

static void call(struct site *s, void (*run)(struct site *s, const void *arg), const void *arg)
{
	struct call c = { .task = { .run = run_call }, .site = s, .run = run, .arg = arg };

	sem_init(&c.done, 0, 0);
	loop_post(&s->loop, &c.task);
	while (sem_wait(&c.done) < 0 && errno == EINTR)
		;
	sem_destroy(&c.done);
}

static void *run_loop(void *arg)
{
	struct site *s = arg;

	loop_run(&s->loop);
	return NULL;
}

struct http_limits site_limits(void)
{
	return (struct http_limits){ .head_max = 4096,
				     .conns_max = 5000,
				     .head_ms = 10 * PATIENCE_S * 1000,
				     .body_ms = 10 * PATIENCE_S * 1000,
				     .idle_ms = 10 * PATIENCE_S * 1000,
				     .write_ms = 10 * PATIENCE_S * 1000,
				     .first_ms = 10 * PATIENCE_S * 1000 };
}

static void start_on(struct site *s, struct str host, const struct http_limits *limits, struct tls_server *tls)
{
	struct http_handler handler = { .on_head = on_head,
					.on_body = on_body,
					.on_end = on_end,
					.on_close = on_close,
					.on_refused = on_refused,
					.ctx = s };
	struct why why;
	int fd;

	*s = (struct site){ 0 };
	sem_init(&s->changed, 0, 0);
	assert_int_equal(E_OK, loop_init(&s->loop, &why));
	assert_int_equal(E_OK, listen_open(host, 0, false, &why, &fd));
	s->port = listen_port(fd);
	s->listener = fd;
	assert_int_equal(E_OK, http_server_start(&s->loop, fd, tls, limits, &handler, &why, &s->server));
	assert_int_equal(0, pthread_create(&s->thread, NULL, run_loop, s));
}

void site_start(struct site *s, const struct http_limits *limits, struct tls_server *tls)
{
	start_on(s, STR("127.0.0.1"), limits, tls);
}

void site_start_everywhere(struct site *s, const struct http_limits *limits)
{
	start_on(s, STR(""), limits, NULL);
}

static void do_stop(struct site *s, const void *arg)
{
	if (s->server)
		http_server_stop(s->server, arg != NULL, on_stopped, s);
}

void site_stop(struct site *s, bool now)
{
	call(s, do_stop, now ? s : NULL);
}

static void do_end(struct site *s, const void *arg)
{
	(void)arg;
	loop_stop(&s->loop);
}

void site_end(struct site *s)
{
	site_stop(s, /* now= */ true);
	site_wait(s, &s->stopped, 1);
	call(s, do_end, NULL);
	pthread_join(s->thread, NULL);
	loop_release(&s->loop);
	sem_destroy(&s->changed);
	assert_int_equal(atomic_load(&s->heads), atomic_load(&s->closes));
}

static void do_limits(struct site *s, const void *arg)
{
	http_server_set_limits(s->server, arg);
}

void site_set_limits(struct site *s, const struct http_limits *limits)
{
	call(s, do_limits, limits);
}

static void do_answer(struct site *s, const void *arg)
{
	(void)arg;
	for (size_t n = s->held_count; n; n--) /* what comes behind them on their connections may be held, too */
		answer(s->held[0], 200);
}

void site_answer_held(struct site *s)
{
	call(s, do_answer, NULL);
}

static void do_count(struct site *s, const void *arg)
{
	**(size_t *const *)arg = http_server_connections(s->server);
}

size_t site_connections(struct site *s)
{
	size_t n = 0;
	size_t *to = &n;

	call(s, do_count, &to);
	return n;
}

void site_wait(struct site *s, const atomic_int *counter, int want)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	while (atomic_load(counter) < want)
		if (sem_timedwait(&s->changed, &until) < 0 && errno == ETIMEDOUT)
			fail_msg("counter is %d, want %d", atomic_load(counter), want);
}

int dial(const struct site *s)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_port = htons(s->port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		fail_msg("connect: errno %d", errno);
	return fd;
}

void narrow(int fd)
{
	const int bytes = 65536;

	assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
}

void say(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0)
			fail_msg("send: errno %d", errno);
		bytes = str_sub(bytes, (size_t)n, bytes.n);
	}
}

/* One more piece; false at the end. */
static bool hear(int fd, struct buf *b)
{
	char *to = buf_reserve(b, 65536);
	ssize_t n;

	assert_non_null(to);
	n = recv(fd, to, 65536, 0);
	if (n < 0 && errno == ECONNRESET)
		return false;
	if (n < 0)
		fail_msg("recv: errno %d", errno);
	b->n += (size_t)n;
	return n > 0;
}

static char *terminated(struct buf *b)
{
	buf_char(b, '\0');
	assert_int_equal(E_OK, b->err);
	return b->p;
}

char *hear_all(int fd)
{
	struct buf b = { 0 };

	while (hear(fd, &b))
		;
	return terminated(&b);
}

/* The length of the first answer in `b`; 0: not known yet. */
static size_t answer_length(struct buf *b)
{
	static const char field[] = "\r\nContent-Length: ";
	const char *end = b->n ? memmem(b->p, b->n, "\r\n\r\n", 4) : NULL;
	const char *length = end ? memmem(b->p, (size_t)(end - b->p), field, sizeof(field) - 1) : NULL;
	struct str digits;
	uint64_t n = 0;

	if (!end)
		return 0;
	if (length) {
		digits = (struct str){ length + sizeof(field) - 1, (size_t)(end - length) - sizeof(field) + 3 };
		assert_true(str_to_u64(str_cut(&digits, '\r'), SIZE_MAX, &n));
	}
	return (size_t)(end - b->p) + 4 + n;
}

char *hear_answer(int fd)
{
	struct buf b = { 0 };

	while (answer_length(&b) == 0 || b.n < answer_length(&b)) {
		size_t need = answer_length(&b) ? answer_length(&b) - b.n : 1;
		char *to = buf_reserve(&b, need);
		ssize_t n = recv(fd, to, need, 0);

		if (n <= 0)
			fail_msg("no whole answer: %.*s", (int)b.n, b.p ? b.p : "");
		b.n += (size_t)n;
	}
	return terminated(&b);
}

bool hears_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

void statuses(const char *bytes, char *ret_list, size_t max)
{
	size_t n = 0;

	ret_list[0] = '\0';
	for (const char *p = strstr(bytes, "HTTP/1.1 "); p && n + 5 < max; p = strstr(p + 9, "HTTP/1.1 "))
		n += (size_t)snprintf(ret_list + n, max - n, "%s%.3s", n ? " " : "", p + 9);
}

void ask(const struct site *s, struct str bytes, size_t step, char *ret_list, size_t max)
{
	int fd = dial(s);
	char *heard;

	for (size_t at = 0; at < bytes.n; at += step) {
		struct str piece = str_sub(bytes, at, step);

		if (send(fd, piece.p, piece.n, MSG_NOSIGNAL) < 0)
			break; /* its answer came long ago; the server does not wait for the rest for ever */
	}
	shutdown(fd, SHUT_WR);
	heard = hear_all(fd);
	statuses(heard, ret_list, max);
	mem_free(heard);
	close(fd);
}
