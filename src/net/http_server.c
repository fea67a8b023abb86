#include <assert.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http_conn.h"

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
	err = http_quota_take(s->quota, c->peer.key, s->limits.conns_max, s->limits.conns_per_addr_max, &c->addr);
	if (err == E_LIMIT && s->handler.on_refused)
		s->handler.on_refused(s->handler.ctx, /* status= */ 0);
	if (err != E_OK)
		return false;
	if (s->tls)
		c->tls = tls_session_new(s->tls);
	return !s->tls || c->tls;
}

static void on_connection(struct acceptor *a, int fd, const struct acceptor_peer *peer)
{
	struct http_server *s = CONTAINER_OF(a, struct http_server, acceptor);
	struct http_conn *c = mem_alloc(sizeof(*c));
	int rc;

	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	c->peer = *peer;
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

static void on_listener_closed(struct acceptor *a)
{
	struct http_server *s = CONTAINER_OF(a, struct http_server, acceptor);

	s->listener_closed = true;
	maybe_stopped(s);
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
	s->acceptor.on_connection = on_connection;
	s->acceptor.on_closed = on_listener_closed;
	err = acceptor_start(&s->acceptor, loop, fd, why);
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
	if (!now && !s->stopping)
		acceptor_take_waiting(&s->acceptor);
	s->stopping = true;
	acceptor_stop(&s->acceptor);
	for (struct http_conn *c = s->conns; c; c = next) {
		next = c->next;
		if (now)
			http_conn_close(c);
		else if (!c->busy)
			http_conn_stop(c);
	}
}

size_t http_server_connections(const struct http_server *s)
{
	return s->conn_count;
}
