#include <assert.h>

#include "base/mem.h"
#include "rpc/call_impl.h"

/* Less than this gains nothing by packing. */
#define PACK_MIN 256

static struct rpc_chunk *chunk_new(bool packed, struct str body)
{
	struct rpc_chunk *chunk = mem_alloc(sizeof(*chunk) + RPC_PREFIX + body.n);

	if (!chunk)
		return NULL;
	rpc_prefix_write(packed, body.n, chunk->bytes);
	if (body.n)
		memcpy(chunk->bytes + RPC_PREFIX, body.p, body.n);
	chunk->n = RPC_PREFIX + body.n;
	return chunk;
}

/* Packed when that makes it smaller; NULL without memory for either form. */
static struct rpc_chunk *make_chunk(struct rpc_call *call, struct str message)
{
	struct buf packed = { .max = message.n };
	struct rpc_chunk *chunk;

	if (!call->packing || message.n < PACK_MIN || gzip_pack(&call->conn->end->gzip, message, &packed) != E_OK) {
		buf_release(&packed);
		return chunk_new(false, message);
	}
	chunk = chunk_new(true, buf_view(&packed));
	buf_release(&packed);
	return chunk;
}

static void block(struct rpc_call *call, bool until_empty)
{
	if (!call->blocked)
		call->conn->blocked_count++;
	call->blocked = true;
	call->until_empty = until_empty;
}

/* One message each call of a known peer may queue in any case: calls that nobody reads must not hold the others. */
static bool has_room(struct rpc_call *call)
{
	const struct rpc_limits *l = &call->conn->end->limits;
	const struct rpc_conn *conn = call->conn;
	size_t conn_max = conn->stranger ? l->stranger_memory : l->conn_send_queue;

	if ((call->queued == 0 && !conn->stranger) || (call->queued < l->send_queue && conn->queued < conn_max))
		return true;
	block(call, /* until_empty= */ false);
	return false;
}

void rpc_notify_empty(struct rpc_call *call)
{
	if (call->conn && !call->stream_over && call->queued)
		block(call, /* until_empty= */ true);
}

static void queue(struct rpc_call *call, struct rpc_chunk *chunk, size_t message_n)
{
	*call->last = chunk;
	call->last = &chunk->next;
	call->queued += chunk->n;
	call->conn->queued += chunk->n;
	metric_inc(call->conn->end->metrics.sent);
	metric_add(call->conn->end->metrics.sent_bytes, (int64_t)message_n);
	if (call->method_metrics)
		metric_inc(call->method_metrics->sent);
}

enum err rpc_send(struct rpc_call *call, struct str message)
{
	struct rpc_chunk *chunk;
	enum err err;

	assert(call->owned && !call->finished);
	if (!call->conn || call->stream_over)
		return E_OK; /* it has ended, and its owner is about to be told */
	if (message.n > call->conn->end->limits.message_max || message.n > UINT32_MAX)
		return E_LIMIT;
	if (!has_room(call))
		return E_BUSY;
	chunk = make_chunk(call, message);
	if (!chunk)
		return E_NOMEM;
	err = call->head_sent ? E_OK : rpc_server_call_head(call, NULL);
	if (err != E_OK) {
		mem_free(chunk);
		return err;
	}
	queue(call, chunk, message.n);
	rpc_call_wake(call);
	return E_OK;
}
