#include "rpc/h2.h"

#include "base/mem.h"
#include "rpc/call_impl.h"

/* A header list this many times over its limit costs the connection; below, only the call. */
#define HEADERS_WORST 8

static struct rpc_call *call_of(const struct rpc_conn *c, int32_t stream)
{
	return nghttp2_session_get_stream_user_data(c->h2, stream);
}

/* Ends the connection and, as the callback's result, stops nghttp2. */
static int end(struct rpc_conn *c, enum rpc_end_reason reason)
{
	rpc_conn_end(c, reason);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* Frames that cost us work and the peer nothing. */
static int on_begin_frame(nghttp2_session *h2, const nghttp2_frame_hd *hd, void *ctx)
{
	struct rpc_conn *c = ctx;
	uint64_t now_ms = c->end->loop->now_ms;
	bool ack = hd->flags & NGHTTP2_FLAG_ACK;

	(void)h2;
	if (!rpc_conn_is_live(c))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	switch (hd->type) {
	case NGHTTP2_DATA:
		if (hd->length || hd->flags & NGHTTP2_FLAG_END_STREAM)
			return 0;
		return rate_take(&c->empties, now_ms, NULL) ? 0 : end(c, RPC_END_EMPTIES);
	case NGHTTP2_PING:
		return ack || rate_take(&c->pings, now_ms, NULL) ? 0 : end(c, RPC_END_PINGS);
	case NGHTTP2_SETTINGS:
		return ack || rate_take(&c->settings, now_ms, NULL) ? 0 : end(c, RPC_END_SETTINGS);
	case NGHTTP2_RST_STREAM:
		return rate_take(&c->resets, now_ms, NULL) ? 0 : end(c, RPC_END_RESETS);
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION:
	case NGHTTP2_WINDOW_UPDATE:
	case NGHTTP2_GOAWAY:
		return 0;
	default:
		return rate_take(&c->empties, now_ms, NULL) ? 0 : end(c, RPC_END_EMPTIES);
	}
}

static int on_begin_headers(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct rpc_conn *c = ctx;

	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		struct rpc_call *call = rpc_call_new(c);

		if (!call)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* of this block we hear no more, not even its end */
		call->stream = frame->hd.stream_id;
		nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, call);
	}
	c->head_ms = c->end->loop->now_ms;
	c->head_bytes = 0;
	return 0;
}

/* Compressed, a field may be a single byte: what it takes here is counted. */
static bool hold_field(struct rpc_call *call, size_t n)
{
	if (!rpc_budget_take(&call->conn->memory, n))
		return false;
	call->head_held += n;
	return true;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
		     const uint8_t *value, size_t value_n, uint8_t flags, void *ctx)
{
	struct rpc_conn *c = ctx;
	struct rpc_call *call = call_of(c, frame->hd.stream_id);

	(void)h2;
	(void)flags;
	c->head_bytes += name_n + value_n + 32; /* RFC 9113 6.5.2 */
	if (c->head_bytes > HEADERS_WORST * c->end->limits.headers_max)
		return end(c, RPC_END_HEADERS);
	if (call && c->head_bytes <= c->end->limits.headers_max && hold_field(call, name_n + value_n))
		c->end->role->on_field(call, (struct str){ (const char *)name, name_n },
				       (struct str){ (const char *)value, value_n });
	else if (call)
		call->head_bytes = c->head_bytes;
	return 0;
}

static void on_head(struct rpc_conn *c, const nghttp2_frame *frame)
{
	bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct rpc_call *call = call_of(c, frame->hd.stream_id);

	c->head_ms = 0;
	if (!call)
		return;
	rpc_call_ref(call);
	c->end->role->on_head(call, ends);
	if (ends)
		rpc_call_receive_end(call);
	rpc_call_unref(call);
}

static void on_settings(struct rpc_conn *c, const nghttp2_frame *frame)
{
	if (frame->hd.flags & NGHTTP2_FLAG_ACK || c->state != RPC_CONN_SETTINGS)
		return;
	rpc_conn_move(c, RPC_CONN_OPEN);
	c->idle_ms = c->end->loop->now_ms;
	c->end->role->on_open(c);
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct rpc_conn *c = ctx;
	struct rpc_call *call;

	(void)h2;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_head(c, frame);
		break;
	case NGHTTP2_DATA:
		call = frame->hd.flags & NGHTTP2_FLAG_END_STREAM ? call_of(c, frame->hd.stream_id) : NULL;
		if (call)
			rpc_call_receive_end(call);
		break;
	case NGHTTP2_SETTINGS:
		on_settings(c, frame);
		break;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			rpc_conn_on_pong(c, frame->ping.opaque_data);
		break;
	case NGHTTP2_GOAWAY:
		c->end->role->on_goaway(
			c, frame->goaway.error_code,
			(struct str){ (const char *)frame->goaway.opaque_data, frame->goaway.opaque_data_len });
		break;
	default:
		break;
	}
	return rpc_conn_is_live(c) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The connection's window is given back at once: what holds one stream must not hold the others. */
static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *ctx)
{
	struct rpc_conn *c = ctx;
	struct rpc_call *call = call_of(c, stream);

	(void)flags;
	if (nghttp2_session_consume_connection(h2, n) != 0)
		return end(c, RPC_END_MEMORY);
	if (call)
		rpc_call_receive(call, (struct str){ (const char *)p, n });
	else if (nghttp2_session_consume_stream(h2, stream, n) != 0)
		return end(c, RPC_END_MEMORY);
	return rpc_conn_is_live(c) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *h2, int32_t stream, uint32_t error_code, void *ctx)
{
	struct rpc_conn *c = ctx;
	struct rpc_call *call = call_of(c, stream);

	if (!call)
		return 0;
	nghttp2_session_set_stream_user_data(h2, stream, NULL);
	rpc_call_on_stream_over(call, error_code);
	return 0;
}

/* What the peer makes us reset counts as if it had done it itself. */
static void count_reset(struct rpc_conn *c, uint32_t error_code)
{
	if (error_code == NGHTTP2_NO_ERROR || error_code == NGHTTP2_CANCEL || error_code == NGHTTP2_INTERNAL_ERROR)
		return;
	if (!rate_take(&c->resets, c->end->loop->now_ms, NULL))
		rpc_conn_end(c, RPC_END_RESETS);
}

static int on_frame_sent(nghttp2_session *h2, const nghttp2_frame *frame, void *ctx)
{
	struct rpc_conn *c = ctx;
	int32_t stream = frame->hd.stream_id;

	if (frame->hd.type == NGHTTP2_RST_STREAM)
		count_reset(c, frame->rst_stream.error_code);
	/* We are done, and the client may still be sending: it need not (RFC 9113 8.1). */
	if (c->end->role->is_server && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
	    (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    nghttp2_session_get_stream_remote_close(h2, stream) == 0 &&
	    nghttp2_submit_rst_stream(h2, NGHTTP2_FLAG_NONE, stream, NGHTTP2_NO_ERROR) != 0)
		rpc_conn_end(c, RPC_END_MEMORY);
	return 0;
}

/* A stream of a field that is malformed is reset by nghttp2; that is the peer's doing and counted when it is sent. */
static int on_invalid_frame(nghttp2_session *h2, const nghttp2_frame *frame, int error, void *ctx)
{
	struct rpc_conn *c = ctx;

	(void)h2;
	if (frame->hd.type == NGHTTP2_HEADERS)
		c->head_ms = 0;
	return error == NGHTTP2_ERR_FLOODED ? end(c, RPC_END_UNREAD) : 0;
}

nghttp2_session_callbacks *rpc_h2_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid_frame);
	return cb;
}

enum err rpc_h2_begin(struct rpc_conn *c)
{
	const struct rpc_limits *l = &c->end->limits;
	bool is_server = c->end->role->is_server;
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)l->stream_window },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->headers_max },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, is_server ? l->streams_max : 0 },
	};
	int rc;

	if (is_server)
		rc = nghttp2_session_server_new3(&c->h2, c->end->callbacks, c, c->end->option, rpc_end_mem());
	else
		rc = nghttp2_session_client_new3(&c->h2, c->end->callbacks, c, c->end->option, rpc_end_mem());
	if (rc != 0)
		return E_NOMEM;
	if (nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) != 0 ||
	    nghttp2_session_set_local_window_size(c->h2, NGHTTP2_FLAG_NONE, 0, (int32_t)l->conn_window) != 0)
		return E_NOMEM;
	return E_OK;
}

static enum rpc_end_reason reason_of(ssize_t error)
{
	switch (error) {
	case NGHTTP2_ERR_NOMEM:
		return RPC_END_MEMORY;
	case NGHTTP2_ERR_FLOODED:
		return RPC_END_UNREAD;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		return RPC_END_CONTINUATIONS;
	default:
		return RPC_END_PROTOCOL;
	}
}

void rpc_h2_feed(struct rpc_conn *c, struct str bytes)
{
	ssize_t n = nghttp2_session_mem_recv(c->h2, (const uint8_t *)bytes.p, bytes.n);

	if (n < 0)
		rpc_conn_end(c, reason_of(n));
	else if (c->end->role->is_server && nghttp2_session_get_outbound_queue_size(c->h2) > RPC_UNREAD_MAX)
		rpc_conn_end(c, RPC_END_UNREAD);
}
