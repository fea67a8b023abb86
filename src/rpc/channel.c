#include "rpc/channel.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>

#include "base/mem.h"
#include "rpc/call_impl.h"

#define CONNECT_MS 20000

enum channel_state { DOWN, CONNECTING, UP };

struct lookup;

struct rpc_channel {
	struct rpc_end end;
	struct rpc_channel_options o;
	char *host;
	char *authority; /* ":authority" of requests */
	char *name;      /* that the certificate must have */
	char *user_agent;
	enum channel_state state;
	struct loop_timer timer;
	struct lookup *lookup;
	struct addrinfo *addresses;
	const struct addrinfo *next_address;
	uv_connect_t connect;
	struct rpc_conn *conn;
	struct why why; /* of this attempt */
	bool connected; /* some address took us: the others are not tried */
	bool closing;
	void (*on_closed)(void *ctx);
	void *on_closed_ctx;
};

/* It may take longer than the channel has patience for, or lives: then `ch` is NULL, and nobody wants the answer. */
struct lookup {
	uv_getaddrinfo_t req;
	struct loop *loop;
	struct rpc_channel *ch;
};

static struct rpc_channel *channel_of(struct rpc_end *end)
{
	return CONTAINER_OF(end, struct rpc_channel, end);
}

static void release(struct rpc_channel *ch)
{
	mem_free(ch->host);
	mem_free(ch->authority);
	mem_free(ch->name);
	mem_free(ch->user_agent);
	mem_free(ch);
}

static void on_end_closed(struct rpc_end *end)
{
	struct rpc_channel *ch = channel_of(end);
	void (*on_closed)(void *ctx) = ch->on_closed;
	void *ctx = ch->on_closed_ctx;

	release(ch);
	if (on_closed)
		on_closed(ctx);
}

/* Nothing of the attempt is left. */
static void end_attempt(struct rpc_channel *ch)
{
	loop_timer_stop(ch->end.loop, &ch->timer);
	if (ch->lookup)
		ch->lookup->ch = NULL;
	ch->lookup = NULL;
	if (ch->addresses)
		uv_freeaddrinfo(ch->addresses);
	ch->addresses = NULL;
	ch->next_address = NULL;
}

/* The last thing that anybody does with the channel in this call. */
static void down(struct rpc_channel *ch)
{
	struct why why = ch->why;

	end_attempt(ch);
	ch->state = DOWN;
	if (ch->closing)
		rpc_end_close(&ch->end, on_end_closed);
	else
		ch->o.on_down(ch->o.ctx, why.err, &why);
}

static void tell_why(struct rpc_channel *ch, enum err err, const char *text)
{
	if (ch->why.err == E_OK)
		(void)why_set(&ch->why, err, "%s port %u: %s", ch->host, ch->o.port, text);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct rpc_channel *ch = connect->data;
	struct rpc_conn *c = ch->conn;

	loop_tick(ch->end.loop);
	if (c->state != RPC_CONN_DIALING)
		return;
	if (status < 0) {
		if (!ch->next_address)
			tell_why(ch, E_UNAVAILABLE, uv_strerror(status));
		rpc_conn_end(c, RPC_END_IO);
		return;
	}
	ch->connected = true;
	if (ch->o.tls)
		c->tls = tls_session_new_client(ch->o.tls, ch->name);
	if (ch->o.tls && !c->tls)
		rpc_conn_end(c, RPC_END_MEMORY);
	else
		rpc_conn_start(c);
}

/* True: something is under way that calls back. */
static bool dial_next(struct rpc_channel *ch)
{
	const struct addrinfo *address = ch->next_address;
	struct rpc_conn *c = address ? mem_alloc(sizeof(*c)) : NULL;
	int rc;

	if (!c) {
		tell_why(ch, address ? E_NOMEM : E_UNAVAILABLE, address ? "out of memory" : "no address");
		return false;
	}
	ch->next_address = address->ai_next;
	ch->conn = c;
	rpc_conn_init(c, &ch->end);
	c->keepalive_ms = ch->o.keepalive_ms;
	ch->connect.data = ch;
	rc = uv_tcp_connect(&ch->connect, &c->tcp, address->ai_addr, on_connected);
	if (rc < 0) {
		if (!ch->next_address)
			tell_why(ch, E_UNAVAILABLE, uv_strerror(rc));
		rpc_conn_end(c, RPC_END_IO);
	}
	return true;
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *addresses)
{
	struct lookup *lookup = req->data;
	struct rpc_channel *ch = lookup->ch;

	loop_tick(lookup->loop);
	mem_free(lookup);
	if (!ch) {
		uv_freeaddrinfo(addresses);
		return;
	}
	ch->lookup = NULL;
	ch->addresses = addresses;
	ch->next_address = addresses;
	if (status < 0)
		tell_why(ch, E_UNAVAILABLE, uv_strerror(status));
	if (status < 0 || !dial_next(ch))
		down(ch);
}

/* The attempt takes too long. */
static void on_due(struct loop_timer *timer)
{
	struct rpc_channel *ch = CONTAINER_OF(timer, struct rpc_channel, timer);

	tell_why(ch, E_TIMEOUT, "not connected in time");
	ch->next_address = NULL;
	if (ch->conn)
		rpc_conn_end(ch->conn, RPC_END_HANDSHAKE_TIME);
	else
		down(ch);
}

static enum err look_up(struct rpc_channel *ch)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct lookup *lookup = mem_alloc(sizeof(*lookup));
	char port[8];

	if (!lookup)
		return E_NOMEM;
	(void)snprintf(port, sizeof(port), "%u", ch->o.port);
	lookup->loop = ch->end.loop;
	lookup->ch = ch;
	lookup->req.data = lookup;
	if (uv_getaddrinfo(&ch->end.loop->uv, &lookup->req, on_looked_up, ch->host, port, &hints) < 0) {
		mem_free(lookup);
		return E_NOMEM;
	}
	ch->lookup = lookup;
	return E_OK;
}

enum err rpc_channel_connect(struct rpc_channel *ch)
{
	enum err err;

	assert(ch->state == DOWN && !ch->closing && !ch->conn);
	ch->why = (struct why){ 0 };
	ch->connected = false;
	err = loop_timer_start(ch->end.loop, &ch->timer, ch->o.connect_ms ? ch->o.connect_ms : CONNECT_MS);
	if (err == E_OK)
		err = look_up(ch);
	if (err != E_OK)
		end_attempt(ch);
	else
		ch->state = CONNECTING;
	return err;
}

static void on_open(struct rpc_conn *conn)
{
	struct rpc_channel *ch = channel_of(conn->end);

	end_attempt(ch);
	ch->state = UP;
	if (ch->closing)
		rpc_conn_end(conn, RPC_END_STOPPED);
	else
		ch->o.on_up(ch->o.ctx);
}

static void on_goaway(struct rpc_conn *conn, uint32_t error_code, struct str text)
{
	struct rpc_channel *ch = channel_of(conn->end);
	bool first = !conn->draining;

	conn->draining = true;
	conn->drain_told = true;
	if (error_code != NGHTTP2_NO_ERROR && ch->why.err == E_OK)
		(void)why_set(&ch->why, E_UNAVAILABLE, "%s port %u: GOAWAY %s %.*s", ch->host, ch->o.port,
			      nghttp2_http2_strerror(error_code), (int)(text.n < 200 ? text.n : 200),
			      text.p ? text.p : "");
	if (first && ch->o.on_drain && !ch->closing)
		ch->o.on_drain(ch->o.ctx);
}

static enum err err_of(enum rpc_end_reason reason)
{
	switch (reason) {
	case RPC_END_MEMORY:
		return E_NOMEM;
	case RPC_END_HANDSHAKE_TIME:
	case RPC_END_WRITE_TIME:
	case RPC_END_KEEPALIVE:
		return E_TIMEOUT;
	default:
		return E_UNAVAILABLE;
	}
}

static void on_gone(struct rpc_conn *conn)
{
	struct rpc_channel *ch = channel_of(conn->end);
	bool again = ch->state == CONNECTING && !ch->connected && ch->next_address && !ch->closing;

	ch->conn = NULL;
	if (!again)
		tell_why(ch, err_of(conn->reason), conn->why.err ? conn->why.text : rpc_end_text(conn->reason));
	mem_free(conn);
	if (!again || !dial_next(ch))
		down(ch);
}

static const struct rpc_role role = {
	.on_field = rpc_channel_on_field,
	.on_head = rpc_channel_on_head,
	.on_remote_end = rpc_channel_on_remote_end,
	.on_over = rpc_channel_on_over,
	.on_open = on_open,
	.on_goaway = on_goaway,
	.on_gone = on_gone,
};

/* "host:port", an IPv6 address in brackets; without the scheme's own port. */
static char *make_authority(const struct rpc_channel_options *o)
{
	const char *host = o->authority ? o->authority : o->host;
	bool bare_v6 = strchr(host, ':') && host[0] != '[';
	struct buf b = { 0 };

	buf_addf(&b, bare_v6 ? "[%s]:%u" : "%s:%u", host, o->port);
	return buf_cstr(&b) ? b.p : (buf_release(&b), NULL);
}

enum err rpc_channel_new(struct loop *loop, const struct rpc_channel_options *options, struct why *why,
			 struct rpc_channel **ret_channel)
{
	struct rpc_channel *ch = mem_alloc(sizeof(*ch));

	if (!ch)
		return why_set(why, E_NOMEM, "connect to %s", options->host);
	ch->o = *options;
	ch->host = str_dup(str_of(options->host));
	ch->name = str_dup(str_of(options->authority ? options->authority : options->host));
	ch->authority = make_authority(options);
	ch->user_agent = str_dup(str_of(options->user_agent ? options->user_agent : "holdfast"));
	ch->timer.on_due = on_due;
	if (!ch->host || !ch->name || !ch->authority || !ch->user_agent ||
	    rpc_end_init(&ch->end, loop, &role, &options->limits, options->metrics) != E_OK) {
		release(ch);
		return why_set(why, E_NOMEM, "connect to %s", options->host);
	}
	*ret_channel = ch;
	return E_OK;
}

void rpc_channel_close(struct rpc_channel *ch, void (*on_closed)(void *ctx), void *ctx)
{
	assert(!ch->closing);
	ch->closing = true;
	ch->on_closed = on_closed;
	ch->on_closed_ctx = ctx;
	if (ch->conn) {
		ch->next_address = NULL;
		rpc_conn_end(ch->conn, RPC_END_STOPPED);
		return;
	}
	end_attempt(ch);
	rpc_end_close(&ch->end, on_end_closed);
}

bool rpc_channel_is_up(const struct rpc_channel *ch)
{
	return ch->state == UP && !ch->closing && rpc_conn_is_live(ch->conn) && !ch->conn->draining;
}

enum err rpc_start(struct rpc_channel *ch, const struct rpc_call_options *options, struct rpc_call **ret_call)
{
	if (!rpc_channel_is_up(ch))
		return E_UNAVAILABLE;
	return rpc_channel_call_start(ch->conn, ch->authority, ch->user_agent, options, ret_call);
}
