#include "rpc/call.h"

#include <assert.h>

#include "base/mem.h"
#include "rpc/call_impl.h"

struct rpc_call *rpc_call_new(struct rpc_conn *conn)
{
	struct rpc_call *call = mem_alloc(sizeof(*call));

	if (!call)
		return NULL;
	call->refs = 1;
	call->timeout_ms = UINT64_MAX;
	call->last = &call->first;
	call->reader.max = conn->end->limits.message_max;
	call->reader.body.max = call->reader.max;
	call->reader.gzip = &conn->end->gzip;
	call->reader.budget = &conn->memory;
	call->reader.unpack_left = &conn->unpack_left;
	call->code = RPC_UNKNOWN;
	rpc_conn_add(conn, call);
	return call;
}

void rpc_call_ref(struct rpc_call *call)
{
	call->refs++;
}

void rpc_call_unref(struct rpc_call *call)
{
	if (--call->refs)
		return;
	assert(!call->conn && !call->owned);
	rpc_metadata_release(&call->metadata);
	rpc_metadata_release(&call->trailing);
	buf_release(&call->message);
	mem_free(call->path);
	mem_free(call);
}

void rpc_call_begun(struct rpc_call *call, enum rpc_kind kind)
{
	struct rpc_end *end = call->conn->end;

	call->begun_ms = end->loop->now_ms;
	call->method_metrics = method_metrics_of(&end->methods, end->metrics.registry, end->role->is_server, call->path,
						 kind);
	if (call->method_metrics)
		metric_inc(call->method_metrics->started);
}

void rpc_call_count(struct rpc_call *call, enum rpc_code code)
{
	struct rpc_end *end = call->conn->end;

	if (call->counted)
		return;
	call->counted = true;
	metric_inc(end->metrics.calls[code]);
	if (call->method_metrics)
		method_metrics_handled(call->method_metrics, code, end->loop->now_ms - call->begun_ms);
}

void rpc_call_drop_queue(struct rpc_call *call)
{
	while (call->first) {
		struct rpc_chunk *chunk = call->first;

		call->first = chunk->next;
		mem_free(chunk);
	}
	call->last = &call->first;
	call->conn->queued -= call->queued;
	call->queued = 0;
}

static void unblock(struct rpc_call *call)
{
	if (call->blocked)
		call->conn->blocked_count--;
	call->blocked = false;
}

void rpc_call_drop_head(struct rpc_call *call)
{
	rpc_budget_give(&call->conn->memory, call->head_held);
	call->head_held = call->head_bytes = 0;
}

/* Everything that it holds of its connection. */
static void detach(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	unblock(call);
	rpc_call_drop_queue(call);
	loop_timer_stop(conn->end->loop, &call->deadline);
	rpc_reader_release(&call->reader);
	rpc_call_drop_head(call);
	buf_release(&call->waiting);
	rpc_conn_remove(conn, call);
	call->conn = NULL;
}

void rpc_call_disown(struct rpc_call *call)
{
	assert(call->owned);
	call->owned = false;
	if (call->stream_over && call->conn)
		detach(call);
	rpc_call_unref(call);
}

void rpc_call_on_stream_over(struct rpc_call *call, uint32_t error_code)
{
	bool is_client = !call->conn->end->role->is_server;
	bool waits = is_client && call->owned && (call->paused || call->unpacking) && error_code == NGHTTP2_NO_ERROR &&
		     call->remote_end;

	assert(!call->stream_over);
	call->stream_over = true;
	rpc_call_drop_queue(call);
	unblock(call);
	/* Messages that a client has not taken yet are still its own: on_close comes behind them. */
	if (!waits)
		call->conn->end->role->on_over(call, rpc_code_of_h2(error_code), "the stream was reset");
	if (!call->owned && call->conn)
		detach(call);
	rpc_call_unref(call);
}

void rpc_call_on_conn_gone(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	rpc_call_ref(call);
	if (!call->stream_over && conn->h2)
		nghttp2_session_set_stream_user_data(conn->h2, call->stream, NULL);
	conn->end->role->on_over(call, conn->reason == RPC_END_STOPPED ? RPC_CANCELLED : RPC_UNAVAILABLE,
				 rpc_end_text(conn->reason));
	assert(!call->owned);
	if (call->conn)
		detach(call);
	if (!call->stream_over) {
		call->stream_over = true;
		rpc_call_unref(call);
	}
	rpc_call_unref(call);
}

/* Moves bytes of the first chunk; frees it when all are gone. */
static size_t take_chunk(struct rpc_call *call, uint8_t *p, size_t n)
{
	struct rpc_chunk *chunk = call->first;
	size_t part = chunk->n - chunk->sent;

	if (part > n)
		part = n;
	memcpy(p, chunk->bytes + chunk->sent, part);
	chunk->sent += part;
	call->queued -= part;
	call->conn->queued -= part;
	if (chunk->sent == chunk->n) {
		call->first = chunk->next;
		if (!call->first)
			call->last = &call->first;
		mem_free(chunk);
	}
	return part;
}

enum err rpc_call_send_trailing(struct rpc_call *call)
{
	nghttp2_nv *nv = rpc_fields_nv(&call->trailing);
	int rc = nv ? nghttp2_submit_trailer(call->conn->h2, call->stream, nv, call->trailing.n) : NGHTTP2_ERR_NOMEM;

	mem_free(nv);
	return rc == 0 ? E_OK : E_NOMEM;
}

/* The last DATA went; a server's end of the stream is the trailer. */
static int end_data(struct rpc_call *call, uint32_t *flags)
{
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (!call->conn->end->role->is_server)
		return 0;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return rpc_call_send_trailing(call) == E_OK ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

ssize_t rpc_call_read(nghttp2_session *h2, int32_t stream, uint8_t *p, size_t n, uint32_t *flags,
		      nghttp2_data_source *source, void *ctx)
{
	struct rpc_call *call = nghttp2_session_get_stream_user_data(h2, stream);
	size_t done = 0;

	(void)source;
	(void)ctx;
	if (!call) /* gone with its connection */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	while (call->first && done < n)
		done += take_chunk(call, p + done, n - done);
	if (!call->first && call->finished) {
		int rc = end_data(call, flags);

		if (rc != 0)
			return rc;
	} else if (done == 0) {
		call->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	return (ssize_t)done;
}

void rpc_call_wake(struct rpc_call *call)
{
	if (call->deferred) {
		call->deferred = false;
		if (nghttp2_session_resume_data(call->conn->h2, call->stream) == NGHTTP2_ERR_NOMEM)
			rpc_conn_end(call->conn, RPC_END_MEMORY);
	}
	rpc_end_touch(call->conn->end, call->conn);
}

void rpc_call_reset(struct rpc_call *call, uint32_t error_code)
{
	if (call->stream_over)
		return;
	if (nghttp2_submit_rst_stream(call->conn->h2, NGHTTP2_FLAG_NONE, call->stream, error_code) != 0)
		rpc_conn_end(call->conn, RPC_END_MEMORY);
	rpc_end_touch(call->conn->end, call->conn);
}

/* Half of the mark: not one message at a time. */
void rpc_call_offer(struct rpc_call *call)
{
	const struct rpc_limits *l = &call->conn->end->limits;
	void (*on_writable)(struct rpc_call *);

	if (!call->blocked || !call->owned || (call->until_empty && call->queued) || call->queued > l->send_queue / 2 ||
	    (call->queued && call->conn->queued > l->conn_send_queue / 2))
		return;
	unblock(call);
	on_writable = call->method ? call->method->on_writable : call->options.on_writable;
	if (!on_writable)
		return;
	rpc_call_ref(call);
	on_writable(call);
	rpc_call_unref(call);
}

static void on_deadline(struct loop_timer *timer)
{
	struct rpc_call *call = CONTAINER_OF(timer, struct rpc_call, deadline);

	rpc_call_fail(call, RPC_DEADLINE_EXCEEDED, "the deadline has passed");
}

enum err rpc_call_set_deadline(struct rpc_call *call, uint64_t timeout_ms)
{
	call->deadline.on_due = on_deadline;
	return loop_timer_start(call->conn->end->loop, &call->deadline, timeout_ms);
}

void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *text)
{
	rpc_call_ref(call);
	if (!call->conn->end->role->is_server)
		rpc_call_reset(call, NGHTTP2_CANCEL);
	call->conn->end->role->on_over(call, code, text);
	rpc_call_unref(call);
}

size_t rpc_queued(const struct rpc_call *call)
{
	return call->queued;
}

const struct rpc_metadata *rpc_metadata(const struct rpc_call *call)
{
	return &call->metadata;
}

const struct rpc_peer *rpc_peer(const struct rpc_call *call)
{
	return call->conn ? &call->conn->peer : NULL;
}

void rpc_set_user(struct rpc_call *call, void *user)
{
	call->user = user;
}

void *rpc_user(const struct rpc_call *call)
{
	return call->user;
}
