#include <assert.h>

#include "base/mem.h"
#include "rpc/call_impl.h"
#include "rpc/h2.h"

/* Memory that is kept for the next write: frames of one, and what TLS adds. */
#define RECORDS_MAX (4 * RPC_WRITE_SIZE)

/* What the kernel did not take at once. */
struct rest {
	uv_write_t req;
	struct rpc_conn *conn;
	char bytes[];
};

static void on_written(uv_write_t *req, int status)
{
	struct rest *rest = req->data;
	struct rpc_conn *c = rest->conn;

	mem_free(rest);
	loop_tick(c->end->loop);
	c->writes--;
	if (!rpc_conn_is_live(c))
		return;
	if (status < 0)
		rpc_conn_end(c, RPC_END_IO);
	rpc_end_touch(c->end, c);
}

static bool send_later(struct rpc_conn *c, struct str bytes)
{
	struct rest *rest = mem_alloc(sizeof(*rest) + bytes.n);
	uv_buf_t buf;

	assert(bytes.n && bytes.p);
	if (!rest)
		return false;
	memcpy(rest->bytes, bytes.p, bytes.n);
	buf = uv_buf_init(rest->bytes, (unsigned)bytes.n);
	rest->conn = c;
	rest->req.data = rest;
	if (uv_write(&rest->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0) {
		mem_free(rest);
		return false;
	}
	c->writes++;
	c->writing_ms = c->end->loop->now_ms;
	return true;
}

static bool send_raw(struct rpc_conn *c, struct str bytes)
{
	uv_buf_t buf = { (char *)(uintptr_t)bytes.p, bytes.n };
	int sent = UV_EAGAIN;

	if (bytes.n == 0)
		return true;
	if (c->writes == 0)
		sent = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
	if (sent < 0 && sent != UV_EAGAIN)
		return false;
	if (sent >= 0 && (size_t)sent == bytes.n)
		return true;
	return send_later(c, str_sub(bytes, sent < 0 ? 0 : (size_t)sent, bytes.n));
}

static struct buf take_buf(struct buf *from)
{
	struct buf b = *from;

	*from = (struct buf){ 0 };
	return b;
}

/*
 * A session writes into memory of the end's, which is as large as the largest write was: an idle connection holds none, and a busy one
 * does not take and free it with each write, which makes malloc tidy up all that it has.
 */
static void lend_records(struct rpc_conn *c)
{
	struct buf *out = tls_session_output(c->tls);

	if (!out->p)
		*out = take_buf(&c->end->records);
}

static void take_records_back(struct rpc_conn *c)
{
	struct buf *out = tls_session_output(c->tls);

	if (!c->end->records.p && out->cap <= RECORDS_MAX)
		c->end->records = take_buf(out);
	buf_clear(&c->end->records);
	buf_release(out);
}

/* What TLS has to send: records, handshake, alerts. */
static bool send_tls(struct rpc_conn *c)
{
	struct buf *out = tls_session_output(c->tls);
	bool ok = out->err == E_OK && send_raw(c, buf_view(out));

	take_records_back(c);
	return ok;
}

/* Gather frames for one write; false: broken. */
static bool gather(struct rpc_conn *c, struct buf *frames)
{
	buf_clear(frames);
	while (frames->n < RPC_WRITE_SIZE) {
		const uint8_t *p;
		ssize_t n = nghttp2_session_mem_send(c->h2, &p);

		if (n < 0)
			return false;
		if (n == 0)
			break;
		buf_add(frames, p, (size_t)n);
	}
	return frames->err == E_OK;
}

/* One write: true when it went well. */
static bool send_some(struct rpc_conn *c, size_t *ret_n)
{
	struct buf *frames = &c->end->frames;

	*ret_n = 0;
	if (c->h2 && !gather(c, frames))
		return false;
	*ret_n = c->h2 ? frames->n : 0;
	if (!c->tls)
		return send_raw(c, (struct str){ frames->p, *ret_n });
	lend_records(c);
	if (*ret_n && tls_session_write(c->tls, buf_view(frames)) != E_OK)
		return false;
	return send_tls(c);
}

bool rpc_conn_send_frames(struct rpc_conn *c)
{
	size_t n = 1;

	while (n && c->writes == 0)
		if (!send_some(c, &n))
			return false;
	return c->writes == 0;
}

/*
 * After a write there may be room again for those that wait. Their streams are open, so they stay in the list whatever their owners do;
 * the next one may not.
 */
static void offer_room(struct rpc_conn *c)
{
	for (struct rpc_call *call = c->blocked_count ? c->calls : NULL; call; call = call->next)
		rpc_call_offer(call);
}

/* A few bytes may unpack to very many: that takes turns with all the other connections. */
static void unpack_turn(struct rpc_conn *c)
{
	struct rpc_call *call = c->unpacking ? c->calls : NULL;

	c->unpack_left = RPC_TURN_MAX;
	while (call && !call->unpacking)
		call = call->next;
	c->unpacking = call != NULL;
	if (!call)
		return;
	rpc_end_touch(c->end, c);
	rpc_call_go_on(call);
}

static void send_turn(struct rpc_conn *c)
{
	size_t n = 1;
	size_t sum = 0;

	while (n && c->writes == 0 && rpc_conn_is_live(c)) {
		if (sum >= RPC_TURN_MAX) {
			rpc_end_touch(c->end, c);
			return;
		}
		if (!send_some(c, &n)) {
			rpc_conn_end(c, RPC_END_IO);
			return;
		}
		sum += n;
	}
}

/* Has it said all that it had to say? */
static void check_over(struct rpc_conn *c)
{
	if (!rpc_conn_is_live(c) || !c->h2 || c->writes)
		return;
	if (!nghttp2_session_want_read(c->h2) && !nghttp2_session_want_write(c->h2))
		rpc_conn_end(c, c->draining ? RPC_END_DRAINED : RPC_END_PROTOCOL);
	else if (c->draining && c->drain_told && c->call_count == 0)
		rpc_conn_end(c, RPC_END_DRAINED);
}

void rpc_conn_flush(struct rpc_conn *c)
{
	if (rpc_conn_is_live(c) && c->state != RPC_CONN_DIALING)
		send_turn(c);
	if (rpc_conn_is_live(c))
		offer_room(c);
	if (rpc_conn_is_live(c))
		unpack_turn(c);
	check_over(c);
	if (c->state == RPC_CONN_ENDING) {
		rpc_end_forget(c->end, c);
		rpc_conn_finish(c);
	} else if (rpc_conn_is_live(c)) {
		rpc_conn_settle(c);
	}
}

static void fail_tls(struct rpc_conn *c)
{
	if (rpc_conn_is_live(c))
		(void)why_set(&c->why, E_UNAVAILABLE, "TLS: %s", tls_session_problem(c->tls));
	rpc_conn_end(c, RPC_END_TLS);
}

static void take_tls(struct rpc_conn *c, struct str in)
{
	char *plain = c->end->plain;
	enum tls_result result;
	size_t n;

	tls_session_feed(c->tls, in);
	while ((result = tls_session_read(c->tls, plain, RPC_READ_SIZE, &n)) == TLS_DATA) {
		if (c->state == RPC_CONN_TLS)
			rpc_conn_begin_h2(c);
		if (rpc_conn_is_live(c))
			rpc_h2_feed(c, (struct str){ plain, n });
		if (!rpc_conn_is_live(c))
			return;
	}
	if (c->state == RPC_CONN_TLS && tls_session_established(c->tls))
		rpc_conn_begin_h2(c);
	if (result == TLS_CLOSED)
		rpc_conn_end(c, RPC_END_PEER);
	else if (result == TLS_FAILED)
		fail_tls(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct rpc_conn *c = handle->data;

	(void)suggested;
	*buf = uv_buf_init(c->end->input, RPC_READ_SIZE);
}

static void take(struct rpc_conn *c, struct str bytes)
{
	c->heard_ms = c->end->loop->now_ms;
	c->pinged_ms = 0;
	if (c->tls)
		take_tls(c, bytes);
	else
		rpc_h2_feed(c, bytes);
	rpc_end_touch(c->end, c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct rpc_conn *c = stream->data;

	loop_tick(c->end->loop);
	if (n < 0)
		c->peer_eof = true;
	if (c->state == RPC_CONN_LINGER) {
		c->lingered += n > 0 ? (size_t)n : 0;
		if (n < 0 || c->lingered > RPC_LINGER_MAX)
			rpc_conn_close(c);
	} else if (n < 0) {
		uv_read_stop(stream);
		rpc_conn_end(c, n == UV_EOF ? RPC_END_PEER : RPC_END_IO);
	} else if (n > 0 && rpc_conn_is_live(c)) {
		take(c, (struct str){ buf->base, (size_t)n });
	}
}

void rpc_conn_read(struct rpc_conn *c)
{
	if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		rpc_conn_end(c, RPC_END_IO);
	else if (c->tls)
		take_tls(c, (struct str){ 0 }); /* a client's has the first word */
}
