#include "rpc/conn.h"

#include <assert.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "rpc/call_impl.h"
#include "rpc/h2.h"

#define BURST_S    10 /* of what a peer may send in a second may come at once (rpc_limits.h) */

#define MAY(state) (1u << RPC_CONN_##state)

static const unsigned allowed[] = {
	[RPC_CONN_DIALING] = MAY(TLS) | MAY(SETTINGS) | MAY(ENDING),
	[RPC_CONN_TLS] = MAY(SETTINGS) | MAY(ENDING),
	[RPC_CONN_SETTINGS] = MAY(OPEN) | MAY(ENDING),
	[RPC_CONN_OPEN] = MAY(ENDING),
	[RPC_CONN_ENDING] = MAY(LINGER) | MAY(CLOSING),
	[RPC_CONN_LINGER] = MAY(CLOSING),
	[RPC_CONN_CLOSING] = 0,
};

void rpc_conn_move(struct rpc_conn *c, enum rpc_conn_state state)
{
	assert(allowed[c->state] & 1u << state);
	c->state = state;
	c->state_ms = c->end->loop->now_ms;
}

static void allow(struct rate *r, uint32_t per_s, uint64_t now_ms)
{
	rate_init(r, per_s * 60, per_s * BURST_S, now_ms);
}

void rpc_conn_init(struct rpc_conn *c, struct rpc_end *end)
{
	int rc;

	*c = (struct rpc_conn){ 0 };
	c->end = end;
	c->unpack_left = RPC_TURN_MAX;
	c->memory = (struct rpc_budget){ .max = end->limits.conn_memory, .parent = &end->memory };
	c->state_ms = end->loop->now_ms;
	c->peer.address = c->address;
	allow(&c->resets, end->limits.resets_per_s, c->state_ms);
	allow(&c->pings, end->limits.pings_per_s, c->state_ms);
	allow(&c->settings, end->limits.settings_per_s, c->state_ms);
	allow(&c->empties, end->limits.empties_per_s, c->state_ms);
	rc = uv_tcp_init(&end->loop->uv, &c->tcp);
	assert(rc == 0);
	c->tcp.data = c;
}

/* Who it is, and that we both mean HTTP/2. */
static enum err check_tls(struct rpc_conn *c)
{
	enum err err = tls_session_peer(c->tls, &c->cert);

	if (err == E_OK)
		c->peer.tls = &c->cert;
	else if (err != E_NOT_FOUND)
		return why_set(&c->why, err, "the certificate cannot be read");
	if (!tls_session_speaks(c->tls, "h2"))
		return why_set(&c->why, E_UNAVAILABLE, "TLS: the other side does not speak h2 (ALPN)");
	return E_OK;
}

void rpc_conn_begin_h2(struct rpc_conn *c)
{
	enum err err = c->tls ? check_tls(c) : E_OK;

	rpc_conn_move(c, RPC_CONN_SETTINGS);
	if (err != E_OK)
		rpc_conn_end(c, err == E_NOMEM ? RPC_END_MEMORY : RPC_END_TLS);
	else if (rpc_h2_begin(c) != E_OK)
		rpc_conn_end(c, RPC_END_MEMORY);
}

void rpc_conn_start(struct rpc_conn *c)
{
	c->heard_ms = c->end->loop->now_ms;
	c->counted = true;
	metric_inc(c->end->metrics.conns);
	metric_inc(c->end->metrics.conns_begun);
	if (c->tls)
		rpc_conn_move(c, RPC_CONN_TLS);
	else
		rpc_conn_begin_h2(c);
	rpc_conn_read(c); /* also one that has ended already: its peer's end is heard while it lingers */
	rpc_end_touch(c->end, c);
}

void rpc_conn_end(struct rpc_conn *c, enum rpc_end_reason reason)
{
	if (!rpc_conn_is_live(c))
		return;
	c->reason = reason;
	rpc_conn_move(c, RPC_CONN_ENDING);
	rpc_end_touch(c->end, c);
}

/*
 * First GOAWAY says "soon" and lets calls that are on their way in; the second, when the peer has seen the first, names the
 * last one we took.
 */
void rpc_conn_drain(struct rpc_conn *c)
{
	if (!rpc_conn_is_live(c) || c->draining)
		return;
	c->draining = true;
	rpc_end_touch(c->end, c);
	if (c->state != RPC_CONN_OPEN)
		rpc_conn_end(c, RPC_END_STOPPED);
	else if (nghttp2_submit_shutdown_notice(c->h2) != 0)
		rpc_conn_end(c, RPC_END_MEMORY);
	else
		rpc_conn_ping_for_drain(c);
}

void rpc_conn_add(struct rpc_conn *c, struct rpc_call *call)
{
	call->conn = c;
	call->next = c->calls;
	if (call->next)
		call->next->prev = call;
	c->calls = call;
	c->call_count++;
}

void rpc_conn_remove(struct rpc_conn *c, struct rpc_call *call)
{
	if (call->next)
		call->next->prev = call->prev;
	if (call->prev)
		call->prev->next = call->next;
	else
		c->calls = call->next;
	call->next = call->prev = NULL;
	c->call_count--;
	if (c->call_count == 0) {
		c->idle_ms = c->end->loop->now_ms;
		rpc_end_touch(c->end, c);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct rpc_conn *c = handle->data;
	struct rpc_end *end = c->end;

	loop_tick(end->loop);
	nghttp2_session_del(c->h2);
	tls_session_free(c->tls);
	tls_peer_release(&c->cert);
	end->role->on_gone(c);
}

void rpc_conn_close(struct rpc_conn *c)
{
	if (c->state == RPC_CONN_CLOSING)
		return;
	rpc_conn_move(c, RPC_CONN_CLOSING);
	loop_timer_stop(c->end->loop, &c->timer);
	rpc_end_forget(c->end, c);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* Does the peer learn anything by a goodbye? Not when it is gone, or takes no bytes; one that has ended its side may still read. */
static bool says_goodbye(const struct rpc_conn *c)
{
	return c->reason != RPC_END_IO && c->reason != RPC_END_WRITE_TIME && c->reason != RPC_END_KEEPALIVE &&
	       c->reason != RPC_END_CONNS;
}

static void linger(struct rpc_conn *c)
{
	uv_os_fd_t fd;

	if (c->tls) {
		tls_session_close(c->tls);
		(void)rpc_conn_send_frames(c);
	}
	if (c->writes || c->peer_eof || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
		rpc_conn_close(c);
		return;
	}
	rpc_conn_move(c, RPC_CONN_LINGER);
	rpc_conn_settle(c);
}

void rpc_conn_finish(struct rpc_conn *c)
{
	assert(c->state == RPC_CONN_ENDING);
	if (c->counted) {
		metric_add(c->end->metrics.conns, -1);
		metric_inc(c->end->metrics.conns_ended[c->reason]);
	}
	while (c->calls)
		rpc_call_on_conn_gone(c->calls);
	/* PROTOCOL: nghttp2 has said its own GOAWAY. */
	if (c->h2 && says_goodbye(c) && c->reason != RPC_END_PROTOCOL)
		nghttp2_session_terminate_session(c->h2, rpc_end_h2(c->reason));
	if (c->counted && says_goodbye(c) && rpc_conn_send_frames(c))
		linger(c);
	else
		rpc_conn_close(c);
}
