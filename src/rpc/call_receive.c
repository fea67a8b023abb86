#include "base/mem.h"
#include "rpc/call_impl.h"

/* Does the owner still take messages? */
static bool takes(const struct rpc_call *call)
{
	return call->owned && !call->paused && call->conn;
}

/* The peer may send as much again. */
static void consumed(struct rpc_call *call, size_t n)
{
	if (call->stream_over || !call->conn || n == 0)
		return;
	if (nghttp2_session_consume_stream(call->conn->h2, call->stream, n) != 0)
		rpc_conn_end(call->conn, RPC_END_MEMORY);
	rpc_end_touch(call->conn->end, call->conn);
}

static const char *text_of(enum err err)
{
	switch (err) {
	case E_LIMIT:
		return "the message is over the limit, or too much is on its way at once";
	case E_UNSUPPORTED:
		return "a packed message without grpc-encoding";
	case E_NOMEM:
		return "out of memory";
	default:
		return "the message is malformed";
	}
}

static void fail_reading(struct rpc_call *call)
{
	enum err err = call->reader.err;
	bool resource = err == E_LIMIT || err == E_NOMEM;

	rpc_call_fail(call, resource ? RPC_RESOURCE_EXHAUSTED : RPC_INTERNAL, text_of(err));
}

static void count_message(struct rpc_call *call, struct str message)
{
	metric_inc(call->conn->end->metrics.received);
	metric_add(call->conn->end->metrics.received_bytes, (int64_t)message.n);
	if (call->method_metrics)
		metric_inc(call->method_metrics->received);
}

static void hand_over(struct rpc_call *call, struct str message)
{
	if (call->method)
		call->method->on_message(call, message);
	else
		call->options.on_message(call, message);
}

static bool wants_single(const struct rpc_call *call)
{
	return call->method && (call->method->kind == RPC_UNARY || call->method->kind == RPC_SERVER_STREAM);
}

static void take_message(struct rpc_call *call, struct str message)
{
	count_message(call, message);
	if (!wants_single(call)) {
		hand_over(call, message);
		return;
	}
	call->have_single = true;
	call->single = message;
}

/* The message is unpacked further in the next turn. */
static void put_off(struct rpc_call *call)
{
	call->unpacking = call->conn->unpacking = true;
	rpc_end_touch(call->conn->end, call->conn);
}

/* As far as the owner takes it: the rest of `in` stays. */
static void read_messages(struct rpc_call *call, struct str *in)
{
	call->unpacking = false;
	while (takes(call)) {
		struct str message;

		if (call->have_single) {
			if (in->n)
				rpc_call_fail(call, RPC_INTERNAL, "more than one message");
			return;
		}
		switch (rpc_reader_feed(&call->reader, in, &message)) {
		case RPC_READ_MORE:
			return;
		case RPC_READ_MESSAGE:
			take_message(call, message);
			break;
		case RPC_READ_LATER:
			put_off(call);
			return;
		case RPC_READ_FAILED:
			fail_reading(call);
			return;
		}
	}
}

/* A server that ended the call with an error need not have ended its message. */
static bool has_failed(const struct rpc_call *call)
{
	return !call->method && call->have_status && call->code != RPC_OK;
}

/* All messages were handed out and the peer sends no more. */
static void tell_end(struct rpc_call *call)
{
	if (!takes(call) || !call->remote_end || call->end_told || call->waiting.n || call->unpacking)
		return;
	if (rpc_reader_is_inside(&call->reader) && !has_failed(call)) {
		rpc_call_fail(call, RPC_INTERNAL, "the stream ends inside a message");
		return;
	}
	if (wants_single(call) && !call->have_single) {
		rpc_call_fail(call, RPC_INTERNAL, "no message");
		return;
	}
	call->end_told = true;
	if (call->have_single)
		hand_over(call, call->single);
	if (call->owned && call->conn)
		call->conn->end->role->on_remote_end(call);
}

/* Keep what the owner does not take now: never more than the stream's window. */
static void keep(struct rpc_call *call, struct str bytes)
{
	if (bytes.n)
		buf_str(&call->waiting, bytes);
	if (call->waiting.err != E_OK)
		rpc_call_fail(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
}

void rpc_call_receive(struct rpc_call *call, struct str bytes)
{
	struct str rest = bytes;

	rpc_call_ref(call);
	if (!call->owned) {
		consumed(call, bytes.n); /* nobody wants it */
	} else if (call->paused || call->handing_out || call->unpacking || call->waiting.n) {
		keep(call, bytes);
	} else {
		call->handing_out = true;
		read_messages(call, &rest);
		call->handing_out = false;
		consumed(call, bytes.n - rest.n);
		if (call->owned && call->conn)
			keep(call, rest);
		else
			consumed(call, rest.n);
	}
	rpc_call_unref(call);
}

/* What waits. */
static void hand_out(struct rpc_call *call)
{
	struct buf work = call->waiting;
	struct str rest = buf_view(&work);

	if (call->handing_out || !call->conn)
		return;
	call->handing_out = true;
	call->waiting = (struct buf){ 0 };
	read_messages(call, &rest);
	consumed(call, work.n - rest.n);
	call->handing_out = false;
	if (rest.n && call->owned && call->conn) {
		memmove(work.p, rest.p, rest.n);
		work.n = rest.n;
		call->waiting = work;
	} else {
		buf_release(&work);
	}
	tell_end(call);
}

void rpc_call_go_on(struct rpc_call *call)
{
	rpc_call_ref(call);
	hand_out(call);
	rpc_call_unref(call);
}

void rpc_call_receive_end(struct rpc_call *call)
{
	call->remote_end = true;
	rpc_call_go_on(call);
}

void rpc_pause(struct rpc_call *call)
{
	call->paused = true;
}

void rpc_resume(struct rpc_call *call)
{
	call->paused = false;
	rpc_call_go_on(call);
}
