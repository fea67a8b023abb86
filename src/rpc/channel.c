#include "rpc/channel.h"

#include <assert.h>

#include "base/mem.h"
#include "rpc/channel_impl.h"

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

void channel_down(struct rpc_channel *ch)
{
	struct why why = ch->why;

	channel_end_attempt(ch);
	ch->state = CHANNEL_DOWN;
	if (ch->closing)
		rpc_end_close(&ch->end, on_end_closed);
	else
		ch->o.on_down(ch->o.ctx, why.err, &why);
}

static void on_open(struct rpc_conn *conn)
{
	struct rpc_channel *ch = channel_of(conn->end);

	channel_end_attempt(ch);
	ch->state = CHANNEL_UP;
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
	if (ch->why.err == E_OK)
		(void)why_set(&ch->why, E_UNAVAILABLE, "%s port %u: GOAWAY %s%s%.*s", ch->host, ch->o.port,
			      nghttp2_http2_strerror(error_code), text.n ? " " : "", (int)(text.n < 200 ? text.n : 200),
			      text.p ? text.p : "");
	if (first && ch->o.on_drain && !ch->closing)
		ch->o.on_drain(ch->o.ctx, &ch->why);
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
	bool again = ch->state == CHANNEL_CONNECTING && !ch->connected && ch->next_address && !ch->closing;

	ch->conn = NULL;
	if (!again)
		channel_tell_why(ch, err_of(conn->reason), conn->why.err ? conn->why.text : rpc_end_text(conn->reason));
	mem_free(conn);
	if (!again || !channel_dial_next(ch))
		channel_down(ch);
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

/* "host:port", an IPv6 address in brackets. */
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
	ch->timer.on_due = channel_on_due;
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
	channel_end_attempt(ch);
	rpc_end_close(&ch->end, on_end_closed);
}

void rpc_channel_disconnect(struct rpc_channel *ch)
{
	if (ch->state == CHANNEL_UP)
		rpc_conn_end(ch->conn, RPC_END_STOPPED);
}

bool rpc_channel_is_up(const struct rpc_channel *ch)
{
	return ch->state == CHANNEL_UP && !ch->closing && rpc_conn_is_live(ch->conn) && !ch->conn->draining;
}

enum err rpc_start(struct rpc_channel *ch, const struct rpc_call_options *options, struct rpc_call **ret_call)
{
	if (!rpc_channel_is_up(ch))
		return E_UNAVAILABLE;
	return rpc_channel_call_start(ch->conn, ch->authority, ch->user_agent, options, ret_call);
}
