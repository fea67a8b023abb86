#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_conn.h"

#define ACCEPT_TURN 64  /* connections taken in a row, so that those that are open have their turn */
#define PAUSE_MS    100 /* without a descriptor: until the next look */

/* The client's address as a key of 16 bytes and as text; both zero when it has none (a Unix socket). */
static void read_peer(struct http_conn *c, unsigned char ret_key[static 16])
{
	struct sockaddr_storage peer;
	int n = sizeof(peer);

	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &n) < 0)
		return;
	if (peer.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&peer;

		memcpy(ret_key + 10, "\xff\xff", 2);
		memcpy(ret_key + 12, &in->sin_addr, 4);
	} else if (peer.ss_family == AF_INET6) {
		memcpy(ret_key, &((const struct sockaddr_in6 *)&peer)->sin6_addr, 16);
	} else {
		return;
	}
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)ret_key))
		inet_ntop(AF_INET, ret_key + 12, c->peer, sizeof(c->peer));
	else
		inet_ntop(AF_INET6, ret_key, c->peer, sizeof(c->peer));
}

static enum err take_place(struct http_conn *c)
{
	const struct http_limits *limits = &c->server->limits;
	unsigned char key[16] = { 0 };

	read_peer(c, key);
	return http_quota_take(c->server->quota, key, limits->conns_max, limits->conns_per_addr_max, &c->addr);
}

static void link_conn(struct http_conn *c)
{
	struct http_server *s = c->server;

	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->conn_count++;
}

static void unlink_conn(struct http_conn *c)
{
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		c->server->conns = c->next;
	c->server->conn_count--;
}

/* May this connection be served? Else it is closed at once. */
static bool admit(struct http_conn *c)
{
	struct http_server *s = c->server;
	enum err err;

	if (s->stopping)
		return false;
	err = take_place(c);
	if (err == E_LIMIT && s->handler.on_refused)
		s->handler.on_refused(s->handler.ctx, /* status= */ 0);
	if (err != E_OK)
		return false;
	if (s->tls)
		c->tls = tls_session_new(s->tls);
	return !s->tls || c->tls;
}

static void take_connection(struct http_server *s, int fd)
{
	struct http_conn *c = mem_alloc(sizeof(*c));
	int rc;

	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	rc = uv_tcp_init(&s->loop->uv, &c->tcp);
	assert(rc == 0);
	c->tcp.data = c;
	link_conn(c);
	rc = uv_tcp_open(&c->tcp, fd);
	if (rc < 0)
		close(fd);
	if (rc == 0 && admit(c))
		http_conn_start(c);
	else
		http_conn_close(c);
}

static void on_connection(uv_poll_t *listener, int status, int events);

static void on_pause_over(struct loop_timer *timer)
{
	struct http_server *s = CONTAINER_OF(timer, struct http_server, pause);

	uv_poll_start(&s->listener, UV_READABLE, on_connection);
}

/*
 * Accepted by hand: when no descriptor is left, uv_listen() tries again and again inside one turn, in which no connection
 * can end and give one back. Here the loop goes on, and looks again a moment later.
 */
static void on_connection(uv_poll_t *listener, int status, int events)
{
	struct http_server *s = listener->data;

	(void)status;
	(void)events;
	loop_tick(s->loop);
	for (int i = 0; i < ACCEPT_TURN && !s->stopping; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_connection(s, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (loop_timer_start(s->loop, &s->pause, PAUSE_MS) == E_OK)
			uv_poll_stop(listener);
		return;
	}
}

static void server_free(struct http_server *s)
{
	while (s->spares) {
		struct http_exchange *x = s->spares;

		s->spares = x->next;
		http_exchange_free(x);
	}
	http_quota_release(&s->own_quota);
	buf_release(&s->out);
	mem_free(s);
}

static void maybe_stopped(struct http_server *s)
{
	void (*on_stopped)(void *ctx) = s->on_stopped;
	void *ctx = s->on_stopped_ctx;

	if (!s->listener_closed || s->conn_count)
		return;
	server_free(s);
	if (on_stopped)
		on_stopped(ctx);
}

void http_server_forget(struct http_conn *c)
{
	struct http_server *s = c->server;

	http_quota_give(s->quota, TAKE(c->addr));
	unlink_conn(c);
	mem_free(c);
	maybe_stopped(s);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct http_server *s = handle->data;

	close(s->listen_fd);
	s->listener_closed = true;
	maybe_stopped(s);
}

/* Makes the server around its listening socket; `fd` is closed on an error. */
static enum err listen_on(struct http_server *s, int fd, struct why *why)
{
	int on = 1, rc = 0;

	/* Connections inherit it. An answer is one write; nothing is gained by waiting for more. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (listen(fd, SOMAXCONN) != 0)
		rc = -errno;
	else
		rc = uv_poll_init(&s->loop->uv, &s->listener, fd);
	if (rc < 0) {
		close(fd);
		return why_set(why, E_UNAVAILABLE, "listen: %s", uv_strerror(rc));
	}
	s->listen_fd = fd;
	s->listener.data = s;
	s->pause.on_due = on_pause_over;
	uv_poll_start(&s->listener, UV_READABLE, on_connection);
	return E_OK;
}

enum err http_server_start(struct loop *loop, int fd, struct tls_server *tls, const struct http_limits *limits,
			   const struct http_handler *handler, struct why *why, struct http_server **ret_server)
{
	struct http_server *s = mem_alloc(sizeof(*s));
	enum err err;

	if (!s) {
		close(fd);
		return why_set(why, E_NOMEM, "start an HTTP server");
	}
	s->loop = loop;
	s->tls = tls;
	s->limits = *limits;
	http_quota_init(&s->own_quota);
	s->quota = limits->quota ? limits->quota : &s->own_quota;
	s->handler = *handler;
	err = listen_on(s, fd, why);
	if (err != E_OK) {
		server_free(s);
		return err;
	}
	*ret_server = s;
	return E_OK;
}

void http_server_set_limits(struct http_server *s, const struct http_limits *limits)
{
	s->limits = *limits;
}

void http_server_set_tls(struct http_server *s, struct tls_server *tls)
{
	s->tls = tls;
}

void http_server_stop(struct http_server *s, bool now, void (*on_stopped)(void *ctx), void *ctx)
{
	struct http_conn *next;

	s->on_stopped = on_stopped;
	s->on_stopped_ctx = ctx;
	loop_timer_stop(s->loop, &s->pause);
	if (!s->stopping)
		uv_close((uv_handle_t *)&s->listener, on_listener_closed);
	s->stopping = true;
	for (struct http_conn *c = s->conns; c; c = next) {
		next = c->next;
		if (now)
			http_conn_close(c);
		else if (!c->busy)
			http_conn_settle(c);
	}
}

size_t http_server_connections(const struct http_server *s)
{
	return s->conn_count;
}
