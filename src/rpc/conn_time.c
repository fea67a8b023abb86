#include "base/mem.h"
#include "rpc/call_impl.h"

static const uint8_t ping_alive[8] = "hf-alive";
static const uint8_t ping_drain[8] = "hf-drain";

/* One deadline: when, and what it means to miss it. */
struct due {
	uint64_t at_ms;
	enum rpc_end_reason reason;
};

static void sooner(struct due *due, uint64_t at_ms, enum rpc_end_reason reason)
{
	if (at_ms < due->at_ms)
		*due = (struct due){ at_ms, reason };
}

/* The first deadline that ends the connection. */
static struct due next_end(const struct rpc_conn *c)
{
	const struct rpc_limits *l = &c->end->limits;
	struct due due = { UINT64_MAX, RPC_END_IO };

	if (c->state == RPC_CONN_TLS || c->state == RPC_CONN_SETTINGS)
		sooner(&due, c->state_ms + l->handshake_ms, RPC_END_HANDSHAKE_TIME);
	if (c->writes)
		sooner(&due, c->writing_ms + l->write_ms, RPC_END_WRITE_TIME);
	if (c->head_ms)
		sooner(&due, c->head_ms + l->head_ms, RPC_END_HEAD_TIME);
	if (c->pinged_ms)
		sooner(&due, c->pinged_ms + l->keepalive_timeout_ms, RPC_END_KEEPALIVE);
	if (c->end->role->is_server && c->state == RPC_CONN_OPEN && c->call_count == 0)
		sooner(&due, c->idle_ms + l->idle_ms, RPC_END_IDLE);
	return due;
}

/* A client pings only while it has something to lose: servers do not like others. */
static uint64_t next_ping(const struct rpc_conn *c)
{
	if (c->keepalive_ms == 0 || c->state != RPC_CONN_OPEN || c->pinged_ms)
		return UINT64_MAX;
	if (!c->end->role->is_server && c->call_count == 0)
		return UINT64_MAX;
	return c->heard_ms + c->keepalive_ms;
}

static void send_ping(struct rpc_conn *c, const uint8_t opaque[static 8])
{
	if (nghttp2_submit_ping(c->h2, NGHTTP2_FLAG_NONE, opaque) != 0)
		rpc_conn_end(c, RPC_END_MEMORY);
	rpc_end_touch(c->end, c);
}

void rpc_conn_ping_for_drain(struct rpc_conn *c)
{
	send_ping(c, ping_drain);
}

void rpc_conn_on_pong(struct rpc_conn *c, const uint8_t *opaque)
{
	int32_t last;

	if (!c->draining || c->drain_told || memcmp(opaque, ping_drain, sizeof(ping_drain)) != 0)
		return;
	last = nghttp2_session_get_last_proc_stream_id(c->h2);
	c->drain_told = true;
	if (nghttp2_submit_goaway(c->h2, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) != 0)
		rpc_conn_end(c, RPC_END_MEMORY);
}

static void on_due(struct loop_timer *timer)
{
	struct rpc_conn *c = CONTAINER_OF(timer, struct rpc_conn, timer);
	uint64_t now_ms = c->end->loop->now_ms;
	struct due due = next_end(c);

	if (c->state == RPC_CONN_LINGER) {
		/* It may have been started for something that was due before. */
		if (now_ms >= c->state_ms + RPC_LINGER_MS)
			rpc_conn_close(c);
		else
			rpc_conn_settle(c);
		return;
	}
	if (due.at_ms <= now_ms) {
		rpc_conn_end(c, due.reason);
		return;
	}
	if (next_ping(c) <= now_ms) {
		c->pinged_ms = now_ms;
		send_ping(c, ping_alive);
	}
	rpc_conn_settle(c);
}

/* A running timer that is early enough stays: when it is due it looks again. So a message moves no timer. */
void rpc_conn_settle(struct rpc_conn *c)
{
	uint64_t now_ms = c->end->loop->now_ms;
	uint64_t at_ms = next_end(c).at_ms;

	if (c->state == RPC_CONN_LINGER)
		at_ms = c->state_ms + RPC_LINGER_MS;
	else if (next_ping(c) < at_ms)
		at_ms = next_ping(c);
	if (at_ms == UINT64_MAX || (heap_holds(&c->timer.node) && c->timer.node.key <= at_ms))
		return;
	c->timer.on_due = on_due;
	if (loop_timer_start(c->end->loop, &c->timer, at_ms > now_ms ? at_ms - now_ms : 0) == E_OK)
		return;
	if (c->state == RPC_CONN_LINGER)
		rpc_conn_close(c);
	else
		rpc_conn_end(c, RPC_END_MEMORY);
}
