#include "rpc/server.h"

#include <assert.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "net/acceptor.h"
#include "rpc/call_impl.h"

#define CROWD 64 /* connections */

/* A method under its path. */
struct entry {
	const struct rpc_method *method;
	void *ctx;
};

struct conn_list {
	struct rpc_conn *first, *last;
};

struct rpc_server {
	struct rpc_end end; /* first */
	struct acceptor acceptor;
	struct tls_server *tls;
	struct map methods;
	struct entry *entries;
	struct conn_list strangers; /* nobody has vouched for them; the newest first */
	struct conn_list known;
	size_t conn_count;
	size_t conn_peak; /* since memory was given back */
	bool stopping;
	bool listener_closed;
	void (*on_tls_failed)(void *ctx, const char *address, const struct why *why);
	void *ctx; /* its */
	void (*on_stopped)(void *ctx);
	void *on_stopped_ctx;
};

static struct rpc_server *server_of(struct rpc_end *end)
{
	return CONTAINER_OF(end, struct rpc_server, end);
}

const struct rpc_method *rpc_server_method(struct rpc_end *end, struct str path, void **ret_ctx)
{
	const struct entry *entry = map_get(&server_of(end)->methods, path);

	if (!entry)
		return NULL;
	*ret_ctx = entry->ctx;
	return entry->method;
}

static void on_open(struct rpc_conn *conn)
{
	if (server_of(conn->end)->stopping)
		rpc_conn_drain(conn);
}

static void on_goaway(struct rpc_conn *conn, uint32_t error_code, struct str text)
{
	(void)why_set(&conn->why, E_UNAVAILABLE, "GOAWAY %s%s%.*s", nghttp2_http2_strerror(error_code),
		      text.n ? ": " : "", STR_ARG(text));
	/* A client that will open no more calls: its last ones go on. */
	conn->draining = true;
	conn->drain_told = true;
}

static void maybe_stopped(struct rpc_server *s);

static struct conn_list *list_of(struct rpc_server *s, const struct rpc_conn *c)
{
	return c->stranger ? &s->strangers : &s->known;
}

static void put(struct rpc_server *s, struct rpc_conn *c)
{
	struct conn_list *list = list_of(s, c);

	c->prev = NULL;
	c->next = list->first;
	if (c->next)
		c->next->prev = c;
	else
		list->last = c;
	list->first = c;
}

static void take_out(struct rpc_server *s, struct rpc_conn *c)
{
	struct conn_list *list = list_of(s, c);

	if (c->next)
		c->next->prev = c->prev;
	else
		list->last = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		list->first = c->next;
}

/* Memory of a crowd that has gone; by halves, so that the work for it stays small. */
static void give_back(struct rpc_server *s)
{
	if (s->conn_peak < CROWD || s->conn_count > s->conn_peak / 2)
		return;
	s->conn_peak = s->conn_count;
	mem_give_back();
}

static void on_gone(struct rpc_conn *conn)
{
	struct rpc_server *s = server_of(conn->end);

	if (conn->reason == RPC_END_TLS && !conn->h2 && s->on_tls_failed)
		s->on_tls_failed(s->ctx, conn->address, &conn->why);
	take_out(s, conn);
	s->conn_count--;
	mem_free(conn);
	give_back(s);
	maybe_stopped(s);
}

static const struct rpc_role role = {
	.is_server = true,
	.on_field = rpc_server_on_field,
	.on_head = rpc_server_on_head,
	.on_remote_end = rpc_server_on_remote_end,
	.on_over = rpc_server_on_over,
	.on_open = on_open,
	.on_goaway = on_goaway,
	.on_gone = on_gone,
};

/* What it holds already is counted with everybody's from now on. */
static void make_known(struct rpc_conn *c)
{
	struct rpc_server *s = server_of(c->end);

	take_out(s, c);
	c->stranger = false;
	put(s, c);
	c->memory.max = s->end.limits.conn_memory;
	c->memory.parent = &s->end.memory;
	s->end.memory.used += c->memory.used;
}

void rpc_vouch(struct rpc_call *call)
{
	if (call->conn && call->conn->stranger)
		make_known(call->conn);
}

static void treat_as_stranger(struct rpc_conn *c)
{
	c->stranger = true;
	c->memory = (struct rpc_budget){ .max = c->end->limits.stranger_memory };
}

/*
 * A place for `newest`: that of the stranger who is here longest. Agents and those who are about to say who they are need one for
 * less time than it takes to come round.
 */
static bool make_room(struct rpc_server *s, const struct rpc_conn *newest)
{
	struct rpc_conn *c = s->strangers.last;

	if (!c || c == newest)
		return false;
	make_known(c); /* it is looked at once */
	if (c->state == RPC_CONN_LINGER)
		rpc_conn_close(c);
	else
		rpc_conn_end(c, RPC_END_CONNS);
	return true;
}

/* May this connection be served? */
static bool admit(struct rpc_server *s, struct rpc_conn *c)
{
	if (s->conn_count > s->end.limits.conns_max && !make_room(s, c)) {
		metric_inc(s->end.metrics.conns_ended[RPC_END_CONNS]);
		return false;
	}
	if (s->stopping)
		return false;
	if (s->tls)
		c->tls = tls_session_new(s->tls);
	return !s->tls || c->tls;
}

static void on_connection(struct acceptor *a, int fd, const struct acceptor_peer *peer)
{
	struct rpc_server *s = CONTAINER_OF(a, struct rpc_server, acceptor);
	struct rpc_conn *c = mem_alloc(sizeof(*c));
	int rc;

	if (!c) {
		close(fd);
		return;
	}
	rpc_conn_init(c, &s->end);
	memcpy(c->address, peer->address, sizeof(c->address));
	c->keepalive_ms = s->end.limits.keepalive_ms;
	if (s->end.limits.stranger_memory)
		treat_as_stranger(c);
	put(s, c);
	s->conn_count++;
	s->conn_peak = s->conn_count > s->conn_peak ? s->conn_count : s->conn_peak;
	rc = uv_tcp_open(&c->tcp, fd);
	if (rc < 0)
		close(fd);
	if (rc == 0 && admit(s, c))
		rpc_conn_start(c);
	else
		rpc_conn_end(c, RPC_END_CONNS);
}

static void release(struct rpc_server *s)
{
	map_release(&s->methods);
	mem_free(s->entries);
	mem_free(s);
}

static void on_end_closed(struct rpc_end *end)
{
	struct rpc_server *s = server_of(end);
	void (*on_stopped)(void *ctx) = s->on_stopped;
	void *ctx = s->on_stopped_ctx;

	release(s);
	if (on_stopped)
		on_stopped(ctx);
}

static void maybe_stopped(struct rpc_server *s)
{
	if (s->listener_closed && s->conn_count == 0)
		rpc_end_close(&s->end, on_end_closed);
}

static void on_listener_closed(struct acceptor *a)
{
	struct rpc_server *s = CONTAINER_OF(a, struct rpc_server, acceptor);

	s->listener_closed = true;
	maybe_stopped(s);
}

static enum err add_method(struct rpc_server *s, const struct rpc_method *method, struct entry *entry, struct why *why)
{
	if (map_get(&s->methods, str_of(method->path)))
		return why_set(why, E_EXISTS, "%s is served twice", method->path);
	if (map_put(&s->methods, str_of(method->path), entry) != E_OK)
		return why_set(why, E_NOMEM, "serve %s", method->path);
	return E_OK;
}

static enum err add_services(struct rpc_server *s, const struct rpc_server_options *o, struct why *why)
{
	size_t count = 0;
	struct entry *entry;

	for (size_t i = 0; i < o->service_count; i++)
		count += o->services[i]->method_count;
	entry = s->entries = mem_array(count + 1, sizeof(*s->entries));
	if (!entry)
		return why_set(why, E_NOMEM, "serve gRPC");
	for (size_t i = 0; i < o->service_count; i++) {
		const struct rpc_service *service = o->services[i];

		for (size_t k = 0; k < service->method_count; k++, entry++) {
			enum err err;

			*entry = (struct entry){ &service->methods[k], service->ctx };
			err = add_method(s, entry->method, entry, why);
			if (err != E_OK)
				return err;
		}
	}
	return E_OK;
}

/* Everything that needs no handle of libuv. */
static enum err server_new(struct loop *loop, const struct rpc_server_options *o, struct why *why,
			   struct rpc_server **ret_server)
{
	struct rpc_server *s = mem_alloc(sizeof(*s));
	enum err err;

	if (!s)
		return why_set(why, E_NOMEM, "serve gRPC");
	s->tls = o->tls;
	s->on_tls_failed = o->on_tls_failed;
	s->ctx = o->ctx;
	s->acceptor.on_connection = on_connection;
	s->acceptor.on_closed = on_listener_closed;
	err = add_services(s, o, why);
	if (err == E_OK && rpc_end_init(&s->end, loop, &role, &o->limits, o->metrics) != E_OK)
		err = why_set(why, E_NOMEM, "serve gRPC");
	if (err != E_OK) {
		release(s);
		return err;
	}
	*ret_server = s;
	return E_OK;
}

enum err rpc_server_start(struct loop *loop, int fd, const struct rpc_server_options *options, struct why *why,
			  struct rpc_server **ret_server)
{
	struct rpc_server *s = NULL;
	enum err err = server_new(loop, options, why, &s);

	if (err != E_OK) {
		close(fd);
		return err;
	}
	assert(s);
	err = acceptor_start(&s->acceptor, loop, fd, why);
	if (err != E_OK) {
		rpc_end_close(&s->end, on_end_closed);
		return err;
	}
	*ret_server = s;
	return E_OK;
}

static void end_all(const struct conn_list *list, bool now)
{
	for (struct rpc_conn *c = list->first; c; c = c->next) {
		if (now)
			rpc_conn_end(c, RPC_END_STOPPED);
		else
			rpc_conn_drain(c);
	}
}

void rpc_server_stop(struct rpc_server *s, bool now, void (*on_stopped)(void *ctx), void *ctx)
{
	s->on_stopped = on_stopped;
	s->on_stopped_ctx = ctx;
	s->stopping = true;
	acceptor_stop(&s->acceptor);
	end_all(&s->strangers, now);
	end_all(&s->known, now);
}
