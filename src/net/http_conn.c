#include "net/http_conn.h"

#include <assert.h>
#include <sys/socket.h>

#include "base/mem.h"

#define MAY(state) (1u << HTTP_##state)

static const unsigned allowed[] = {
	[HTTP_HANDSHAKE] = MAY(IDLE) | MAY(LINGER) | MAY(CLOSING),
	[HTTP_IDLE] = MAY(HEAD) | MAY(BODY) | MAY(LINGER) | MAY(CLOSING),
	[HTTP_HEAD] = MAY(BODY) | MAY(LINGER) | MAY(CLOSING),
	[HTTP_BODY] = MAY(IDLE) | MAY(HANDLING) | MAY(DRAIN) | MAY(LINGER) | MAY(CLOSING),
	[HTTP_HANDLING] = MAY(IDLE) | MAY(LINGER) | MAY(CLOSING),
	[HTTP_DRAIN] = MAY(IDLE) | MAY(LINGER) | MAY(CLOSING),
	[HTTP_LINGER] = MAY(CLOSING),
	[HTTP_CLOSING] = 0,
};

void http_conn_move(struct http_conn *c, enum http_state state)
{
	assert(allowed[c->state] & 1u << state);
	c->state = state;
	c->timed = false;
}

static void on_closed(uv_handle_t *handle)
{
	struct http_conn *c = handle->data;

	loop_tick(c->server->loop);
	buf_release(&c->in);
	tls_session_free(c->tls);
	http_server_forget(c);
}

void http_conn_close(struct http_conn *c)
{
	if (c->state == HTTP_CLOSING)
		return;
	http_conn_move(c, HTTP_CLOSING);
	loop_timer_stop(c->server->loop, &c->timer);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
	if (!c->busy)
		http_exchange_retire(c);
}

void http_conn_linger(struct http_conn *c)
{
	if (c->state == HTTP_LINGER || c->state == HTTP_CLOSING)
		return;
	http_conn_move(c, HTTP_LINGER);
	buf_release(&c->in);
}

/* In TLS whoever ends its side says so (RFC 8446 6.1): else it could have been cut off by anybody. */
static void say_goodbye(struct http_conn *c)
{
	if (!c->tls)
		return;
	tls_session_close(c->tls);
	http_conn_flush_tls(c);
}

/*
 * The last answer is with the kernel: end our side. To close right away would make the kernel answer what the client is still
 * sending with a reset, and the reset would take the answer away from the client.
 */
static void shut(struct http_conn *c)
{
	say_goodbye(c);
	if (c->state == HTTP_CLOSING || c->writes)
		return;
	c->shut = true;
	shutdown(c->fd, SHUT_WR);
}

/* What stays over of `in` after a run is kept for later. */
static void keep(struct http_conn *c, struct str rest)
{
	if (rest.n == 0 || c->state == HTTP_LINGER || c->state == HTTP_CLOSING)
		return;
	buf_add(&c->in, rest.p, rest.n);
	if (c->in.err != E_OK)
		http_conn_close(c);
}

static void run_kept(struct http_conn *c)
{
	struct buf work = c->in;
	struct str rest = buf_view(&work);

	c->in = (struct buf){ 0 };
	http_intake_run(c, &rest);
	if (rest.n == 0 || c->state == HTTP_LINGER || c->state == HTTP_CLOSING) {
		buf_release(&work);
		return;
	}
	memmove(work.p, rest.p, rest.n);
	work.n = rest.n;
	c->in = work;
}

static void take_plain(struct http_conn *c, struct str in)
{
	if (c->state == HTTP_LINGER) {
		c->lingered += in.n;
		if (c->lingered > HTTP_LINGER_MAX)
			http_conn_close(c);
	} else if (c->in.n) {
		keep(c, in);
		if (c->state != HTTP_CLOSING)
			run_kept(c);
	} else {
		http_intake_run(c, &in);
		keep(c, in);
	}
}

/* The client gets the alert that says why. */
static void fail_handshake(struct http_conn *c)
{
	const struct http_handler *handler = &c->server->handler;

	if (handler->on_tls_failed)
		handler->on_tls_failed(handler->ctx, c->peer.address, tls_session_problem(c->tls));
	http_conn_linger(c);
}

static void take_tls(struct http_conn *c, struct str in)
{
	struct http_server *s = c->server;
	enum tls_result result;
	size_t n;

	tls_session_feed(c->tls, in);
	while ((result = tls_session_read(c->tls, s->plain, sizeof(s->plain), &n)) == TLS_DATA) {
		if (c->state == HTTP_HANDSHAKE)
			http_conn_move(c, HTTP_IDLE);
		take_plain(c, (struct str){ s->plain, n });
		if (c->state == HTTP_CLOSING)
			return;
	}
	if (c->state == HTTP_HANDSHAKE && tls_session_established(c->tls))
		http_conn_move(c, HTTP_IDLE);
	http_conn_flush_tls(c);
	if (result == TLS_CLOSED)
		c->peer_eof = true;
	else if (result == TLS_FAILED && c->state == HTTP_HANDSHAKE)
		fail_handshake(c);
	else if (result == TLS_FAILED)
		http_conn_close(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct http_conn *c = handle->data;

	(void)suggested;
	*buf = uv_buf_init(c->server->input, sizeof(c->server->input));
}

/* After anything that may have changed the state: deadline, reading, and the end when it is reached. */
static void settle(struct http_conn *c);

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct http_conn *c = stream->data;

	loop_tick(c->server->loop);
	if (n == UV_EOF)
		c->peer_eof = true;
	else if (n < 0)
		http_conn_close(c);
	else if (n > 0 && c->tls)
		take_tls(c, (struct str){ buf->base, (size_t)n });
	else if (n > 0)
		take_plain(c, (struct str){ buf->base, (size_t)n });
	settle(c);
}

static bool is_new(const struct http_conn *c)
{
	return !c->asked && (c->state == HTTP_HANDSHAKE || c->state == HTTP_IDLE);
}

/* How long the state may last; UINT64_MAX: for as long as the handler wants. */
static uint64_t time_for(const struct http_conn *c)
{
	const struct http_limits *limits = &c->server->limits;

	if (c->writes)
		return limits->write_ms;
	if (c->server->stopping && is_new(c))
		return limits->first_ms;
	switch (c->state) {
	case HTTP_HANDSHAKE:
	case HTTP_HEAD:
		return limits->head_ms;
	case HTTP_BODY:
	case HTTP_DRAIN:
		return limits->body_ms;
	case HTTP_IDLE:
		return limits->idle_ms;
	case HTTP_LINGER:
		return HTTP_LINGER_MS;
	case HTTP_HANDLING:
	case HTTP_CLOSING:
		break;
	}
	return UINT64_MAX;
}

static void start_timer(struct http_conn *c, uint64_t delay_ms)
{
	if (loop_timer_start(c->server->loop, &c->timer, delay_ms) != E_OK)
		http_conn_close(c);
}

/* A running timer that is early enough stays: when it is due it looks at the deadline. So a request moves no timer. */
static void settle_deadline(struct http_conn *c)
{
	uint64_t time;

	if (c->timed && c->timed_write == (c->writes > 0))
		return;
	c->timed = true;
	c->timed_write = c->writes > 0;
	time = time_for(c);
	c->deadline_ms = time == UINT64_MAX ? UINT64_MAX : c->server->loop->now_ms + time;
	if (time != UINT64_MAX && (!heap_holds(&c->timer.node) || c->timer.node.key > c->deadline_ms))
		start_timer(c, time);
}

/* One request sent ahead is kept; more has to wait in the kernel, and so with the client. */
static bool wants_input(const struct http_conn *c)
{
	return !c->peer_eof && c->writes == 0 && !(c->state == HTTP_HANDLING && c->in.n);
}

static void settle_reading(struct http_conn *c)
{
	bool wanted = wants_input(c);

	if (wanted == c->reading)
		return;
	c->reading = wanted;
	if (!wanted)
		uv_read_stop((uv_stream_t *)&c->tcp);
	else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		http_conn_close(c);
}

/* In a stop the first request of a connection is waited for: it is on its way, and its sender may not try a second time. */
static bool is_over(const struct http_conn *c)
{
	if (c->writes || c->state == HTTP_HANDLING)
		return false;
	return c->peer_eof || (c->server->stopping && c->asked && c->in.n == 0 && c->state == HTTP_IDLE);
}

static void settle(struct http_conn *c)
{
	if (c->state == HTTP_LINGER && !c->shut && c->writes == 0)
		shut(c);
	if (c->state != HTTP_CLOSING && is_over(c)) {
		say_goodbye(c);
		http_conn_close(c);
	}
	if (c->state != HTTP_CLOSING)
		settle_deadline(c);
	if (c->state != HTTP_CLOSING)
		settle_reading(c);
}

void http_conn_stop(struct http_conn *c)
{
	c->timed = c->timed && !is_new(c);
	settle(c);
}

void http_conn_resume(struct http_conn *c)
{
	if (c->state != HTTP_CLOSING && c->in.n)
		run_kept(c);
	settle(c);
}

static void on_due(struct loop_timer *timer)
{
	struct http_conn *c = CONTAINER_OF(timer, struct http_conn, timer);
	uint64_t now_ms = c->server->loop->now_ms;

	if (c->deadline_ms == UINT64_MAX)
		return;
	if (c->deadline_ms > now_ms) {
		start_timer(c, c->deadline_ms - now_ms);
		return;
	}
	if (c->writes == 0 && c->state == HTTP_HEAD)
		http_exchange_refuse(c, 408, "408 Request Timeout: send the header faster");
	else if (c->writes == 0 && c->state == HTTP_BODY)
		http_exchange_refuse(c, 408, "408 Request Timeout: send the body faster");
	else if (c->writes == 0 && c->state == HTTP_IDLE)
		http_conn_linger(c);
	else
		http_conn_close(c);
	settle(c);
}

void http_conn_start(struct http_conn *c)
{
	c->state = c->tls ? HTTP_HANDSHAKE : HTTP_IDLE;
	c->timer.on_due = on_due;
	settle(c);
}
