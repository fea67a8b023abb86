#include <assert.h>

#include "base/mem.h"
#include "rpc/call_impl.h"
#include "rpc/timeout.h"

/* The first reason counts. */
static void refuse(struct rpc_call *call, unsigned http_status, enum rpc_code code, const char *text)
{
	if (call->refusal)
		return;
	call->http_status = http_status;
	call->code = code;
	call->refusal = text;
}

static void on_timeout(struct rpc_call *call, struct str value)
{
	if (!rpc_timeout_parse(value, &call->timeout_ms))
		refuse(call, 200, RPC_INTERNAL, "grpc-timeout is malformed");
}

static void on_path(struct rpc_call *call, struct str value)
{
	call->path = str_dup(value);
	if (!call->path)
		refuse(call, 200, RPC_UNAVAILABLE, "out of memory");
}

void rpc_server_on_field(struct rpc_call *call, struct str name, struct str value)
{
	if (call->head_done)
		return; /* a trailer of the request: nothing stands in one */
	if (str_is(name, ":path"))
		on_path(call, value);
	else if (str_is(name, ":method"))
		call->is_post = str_is(value, "POST");
	else if (str_is(name, "grpc-timeout"))
		on_timeout(call, value);
	else if (!rpc_call_on_common_field(call, &call->metadata, name, value))
		refuse(call, 200, RPC_UNIMPLEMENTED, "grpc-encoding is not supported");
}

static void check(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	if (!call->is_post)
		refuse(call, 405, RPC_INTERNAL, "the method is not POST");
	if (!call->type_ok)
		refuse(call, 415, RPC_INTERNAL, "the content-type is not application/grpc");
	if (call->head_bytes)
		refuse(call, 200, RPC_RESOURCE_EXHAUSTED, "the header list is over the limit");
	if (call->metadata.err == E_MALFORMED)
		refuse(call, 200, RPC_INTERNAL, "a \"-bin\" value is not base64");
	else if (call->metadata.err != E_OK)
		refuse(call, 200, RPC_UNAVAILABLE, "out of memory");
	if (call->refusal)
		return;
	call->method = rpc_server_method(conn->end, str_of(call->path), &call->service);
	if (!call->method)
		refuse(call, 200, RPC_UNIMPLEMENTED, "unknown method");
	else if (call->timeout_ms != UINT64_MAX && rpc_call_set_deadline(call, call->timeout_ms) != E_OK)
		refuse(call, 200, RPC_UNAVAILABLE, "out of memory");
}

static void put_content_type(struct rpc_metadata *fields)
{
	rpc_metadata_put(fields, STR("content-type"), STR("application/grpc"));
}

/* HEADERS; `more`: DATA and a trailer follow. */
static enum err submit(struct rpc_call *call, const struct rpc_metadata *fields, bool more)
{
	nghttp2_data_provider provider = { .read_callback = rpc_call_read };
	nghttp2_nv *nv = rpc_fields_nv(fields);
	int rc;

	if (!nv)
		return E_NOMEM;
	rc = nghttp2_submit_response(call->conn->h2, call->stream, nv, fields->n, more ? &provider : NULL);
	mem_free(nv);
	call->head_sent = rc == 0;
	rpc_end_touch(call->conn->end, call->conn);
	return rc == 0 ? E_OK : E_NOMEM;
}

enum err rpc_server_call_head(struct rpc_call *call, const struct rpc_metadata *metadata)
{
	struct rpc_metadata fields = { 0 };
	enum err err;

	rpc_metadata_put(&fields, STR(":status"), STR("200"));
	put_content_type(&fields);
	if (call->packing)
		rpc_metadata_put(&fields, STR("grpc-encoding"), STR("gzip"));
	rpc_metadata_put(&fields, STR("grpc-accept-encoding"), STR("identity,gzip"));
	rpc_fields_add(&fields, metadata);
	err = submit(call, &fields, /* more= */ true);
	rpc_metadata_release(&fields);
	return err;
}

enum err rpc_send_headers(struct rpc_call *call, const struct rpc_metadata *metadata)
{
	assert(call->owned && !call->head_sent);
	if (metadata && metadata->err != E_OK)
		return metadata->err;
	if (call->stream_over)
		return E_OK;
	return rpc_server_call_head(call, metadata);
}

/* Status and all in one HEADERS frame. */
static enum err finish_at_once(struct rpc_call *call, unsigned http_status, enum rpc_code code, struct str message,
			       const struct rpc_metadata *trailing)
{
	struct rpc_metadata fields = { 0 };
	struct buf text = { 0 };
	enum err err;

	buf_u64(&text, http_status);
	rpc_metadata_put(&fields, STR(":status"), buf_view(&text));
	put_content_type(&fields);
	if (code == RPC_UNIMPLEMENTED)
		rpc_metadata_put(&fields, STR("grpc-accept-encoding"), STR("identity,gzip"));
	rpc_fields_status(&fields, code, message);
	rpc_fields_add(&fields, trailing);
	err = text.err != E_OK ? text.err : submit(call, &fields, /* more= */ false);
	rpc_metadata_release(&fields);
	buf_release(&text);
	return err;
}

/* Behind what is queued; when that is nothing, at once: as DATA's end it would wait for the window. */
static enum err finish_behind(struct rpc_call *call, enum rpc_code code, struct str message,
			      const struct rpc_metadata *trailing)
{
	rpc_fields_status(&call->trailing, code, message);
	rpc_fields_add(&call->trailing, trailing);
	if (call->first) {
		rpc_call_wake(call);
		return call->trailing.err;
	}
	rpc_end_touch(call->conn->end, call->conn);
	return rpc_call_send_trailing(call);
}

static void finish(struct rpc_call *call, unsigned http_status, enum rpc_code code, struct str message,
		   const struct rpc_metadata *trailing)
{
	enum err err;

	rpc_call_count(call, code);
	if (call->stream_over || call->finished)
		return;
	call->finished = true;
	err = call->head_sent ? finish_behind(call, code, message, trailing)
			      : finish_at_once(call, http_status, code, message, trailing);
	if (err != E_OK)
		rpc_call_reset(call, NGHTTP2_INTERNAL_ERROR);
}

void rpc_finish(struct rpc_call *call, enum rpc_code code, struct str message, const struct rpc_metadata *trailing)
{
	finish(call, 200, code, message, trailing);
	rpc_call_disown(call);
}

static void open_call(struct rpc_call *call)
{
	call->reader.packing = call->packed_in;
	if (call->method->message_max && call->method->message_max < call->reader.max)
		call->reader.max = call->reader.body.max = call->method->message_max;
	call->reader.keep = call->method->kind == RPC_UNARY || call->method->kind == RPC_SERVER_STREAM;
	/* In the form that the client uses itself. */
	call->packing = call->packed_in && call->accepts_gzip;
	call->owned = true;
	rpc_call_begun(call, call->method->kind);
	rpc_call_ref(call);
	call->method->on_open(call, call->service);
}

void rpc_server_on_head(struct rpc_call *call, bool end)
{
	if (call->head_done)
		return;
	call->head_done = true;
	(void)end;
	check(call);
	if (call->refusal)
		finish(call, call->http_status, call->code, str_of(call->refusal), NULL);
	else
		open_call(call);
}

void rpc_server_on_remote_end(struct rpc_call *call)
{
	if (call->method->on_half_close)
		call->method->on_half_close(call);
}

static bool is_orderly(const struct rpc_conn *conn)
{
	return conn->reason == RPC_END_PEER || conn->reason == RPC_END_DRAINED || conn->reason == RPC_END_STOPPED ||
	       conn->reason == RPC_END_IDLE;
}

static struct rpc_ending ending_of(const struct rpc_call *call, enum rpc_code code, const char *text)
{
	if (rpc_conn_is_live(call->conn))
		return (struct rpc_ending){ .text = text, .detail = "", .orderly = code == RPC_CANCELLED };
	return (struct rpc_ending){ .text = text, .detail = call->conn->why.text, .orderly = is_orderly(call->conn) };
}

struct rpc_ending rpc_ending(const struct rpc_call *call)
{
	return call->ending;
}

static void cancel(struct rpc_call *call)
{
	if (call->method->on_cancel)
		call->method->on_cancel(call);
	assert(call->owned);
	rpc_call_disown(call);
}

void rpc_server_on_over(struct rpc_call *call, enum rpc_code code, const char *text)
{
	bool finished = call->finished;

	call->ending = ending_of(call, code, text);
	if ((code == RPC_RESOURCE_EXHAUSTED || code == RPC_INTERNAL) && call->method && call->method->break_unavailable)
		code = RPC_UNAVAILABLE;
	rpc_call_count(call, code);
	if (!call->stream_over && rpc_conn_is_live(call->conn)) {
		/* Its queue would only be in the way of the status: the deadline has passed, or it failed. */
		rpc_call_drop_queue(call);
		finish(call, 200, code, str_of(text), NULL);
		if (finished)
			rpc_call_reset(call, NGHTTP2_CANCEL);
	}
	if (call->owned)
		cancel(call);
}
