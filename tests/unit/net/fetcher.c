#include "fetcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- the client ----------------------------------------------------------------------------------------------------------- */

void fetcher_start(struct fetcher *t, const char *origin, const struct http_client_options *options)
{
	struct http_client_options all = options ? *options : (struct http_client_options){ 0 };
	struct why why = { 0 };

	*t = (struct fetcher){ .want = SIZE_MAX };
	all.origin = origin;
	assert_int_equal(E_OK, loop_init(&t->loop, &why));
	if (http_client_new(&t->loop, &all, &why, &t->client) != E_OK)
		fail_msg("%s", why.text);
}

static void on_closed(void *ctx)
{
	struct fetcher *t = ctx;

	assert_false(t->closed);
	t->closed = true;
	loop_stop(&t->loop);
}

void fetcher_close(struct fetcher *t)
{
	http_client_close(t->client, on_closed, t);
	assert_false(t->closed);
	loop_run(&t->loop);
	assert_true(t->closed);
}

void fetcher_end(struct fetcher *t)
{
	if (!t->closed)
		fetcher_close(t);
	loop_release(&t->loop);
}

void fetcher_run(struct fetcher *t, size_t more)
{
	t->want = t->done + more;
	if (more)
		loop_run(&t->loop);
	assert_true(t->done >= t->want);
}

void fetcher_turns(struct fetcher *t, unsigned turns)
{
	while (turns--)
		uv_run(&t->loop.uv, UV_RUN_NOWAIT);
}

static enum err on_piece(struct http_fetch *f, struct str piece)
{
	struct visit *v = CONTAINER_OF(f, struct visit, fetch);

	assert_true(piece.n > 0);
	v->pieces++;
	buf_str(&v->body, piece);
	return E_OK;
}

static void on_done(struct http_fetch *f)
{
	struct visit *v = CONTAINER_OF(f, struct visit, fetch);
	struct fetcher *t = v->fetcher;

	v->done++;
	if (f->answer.n)
		buf_str(&v->body, buf_view(&f->answer));
	if (v->then)
		v->then(v);
	if (++t->done >= t->want)
		loop_stop(&t->loop);
}

struct visit visit_of(struct fetcher *t, const char *target)
{
	return (struct visit){ .fetcher = t,
			       .fetch = { .method = "GET",
					  .target = target,
					  .timeout_ms = PATIENCE_MS,
					  .answer_max = 64 << 20,
					  .on_done = on_done } };
}

struct visit watch_of(struct fetcher *t, const char *target)
{
	struct visit v = visit_of(t, target);

	v.fetch.timeout_ms = 0;
	v.fetch.on_piece = on_piece;
	return v;
}

void visit_start(struct visit *v)
{
	unsigned before = v->done;

	http_client_start(v->fetcher->client, &v->fetch);
	assert_int_equal(before, v->done);
}

void visit_cancel(struct visit *v)
{
	unsigned before = v->done;

	http_client_cancel(v->fetcher->client, &v->fetch);
	assert_int_equal(before, v->done);
}

void visit_release(struct visit *v)
{
	buf_release(&v->body);
}

enum err visit_once(struct visit *v, char *ret_text, size_t max)
{
	visit_start(v);
	fetcher_run(v->fetcher, 1);
	assert_int_equal(1, v->done);
	(void)snprintf(ret_text, max, "%u %.*s", v->fetch.status, STR_ARG(buf_view(&v->body)));
	visit_release(v);
	return v->fetch.err;
}

void visit_expect(struct fetcher *t, const char *target, enum err err, const char *text)
{
	struct visit v = visit_of(t, target);
	char got[256];

	if (visit_once(&v, got, sizeof(got)) != err)
		fail_msg("%s: %s: %s", target, err_name(v.fetch.err), v.fetch.why.text);
	assert_string_equal(text, got);
}

/* ---- the server ----------------------------------------------------------------------------------------------------------- */

static void *run_stub(void *ctx)
{
	struct stub *s = ctx;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		atomic_fetch_add(&s->accepted, 1);
		s->script(s, fd);
		close(fd);
	}
	return NULL;
}

void stub_start(struct stub *s, void (*script)(struct stub *s, int fd))
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	*s = (struct stub){ .script = script };
	sem_init(&s->go, 0, 0);
	pthread_mutex_init(&s->lock, NULL);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(0, bind(s->listener, (struct sockaddr *)&at, sizeof(at)));
	assert_int_equal(0, listen(s->listener, 1024));
	assert_int_equal(0, getsockname(s->listener, (struct sockaddr *)&at, &n));
	s->port = ntohs(at.sin_port);
	(void)snprintf(s->origin, sizeof(s->origin), "http://127.0.0.1:%u", s->port);
	assert_int_equal(0, pthread_create(&s->thread, NULL, run_stub, s));
}

void stub_end(struct stub *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	sem_destroy(&s->go);
	pthread_mutex_destroy(&s->lock);
}

bool stub_hear(struct stub *s, int fd)
{
	char head[sizeof(s->heard)] = "";
	size_t n = 0;

	while (n < 4 || strcmp(head + n - 4, "\r\n\r\n") != 0) {
		if (n + 1 == sizeof(head) || recv(fd, head + n, 1, 0) <= 0)
			return false;
		head[++n] = '\0';
	}
	pthread_mutex_lock(&s->lock);
	memcpy(s->heard, head, n + 1);
	pthread_mutex_unlock(&s->lock);
	return true;
}

const char *stub_heard(struct stub *s)
{
	static char head[sizeof(s->heard)];

	pthread_mutex_lock(&s->lock);
	memcpy(head, s->heard, sizeof(head));
	pthread_mutex_unlock(&s->lock);
	return head;
}

void stub_say(int fd, const char *text)
{
	struct str left = str_of(text);

	while (left.n) {
		ssize_t n = send(fd, left.p, left.n, MSG_NOSIGNAL);

		if (n < 0)
			return; /* the client has heard enough */
		left = str_sub(left, (size_t)n, left.n);
	}
}

void stub_wait(struct stub *s)
{
	while (sem_wait(&s->go) < 0 && errno == EINTR)
		;
}

void stub_will_say(struct stub *s, const char *text)
{
	assert_true(strlen(text) < sizeof(s->says));
	pthread_mutex_lock(&s->lock);
	str_copy(str_of(text), s->says, sizeof(s->says));
	pthread_mutex_unlock(&s->lock);
}

static void say_it(struct stub *s, int fd)
{
	char text[sizeof(s->says)];

	pthread_mutex_lock(&s->lock);
	memcpy(text, s->says, sizeof(text));
	pthread_mutex_unlock(&s->lock);
	stub_say(fd, text);
}

void stub_answers(struct stub *s, int fd)
{
	while (stub_hear(s, fd))
		say_it(s, fd);
}

void stub_answers_once(struct stub *s, int fd)
{
	if (stub_hear(s, fd))
		say_it(s, fd);
}

void stub_is_silent(struct stub *s, int fd)
{
	while (stub_hear(s, fd))
		;
}
