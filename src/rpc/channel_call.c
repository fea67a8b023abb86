#include <assert.h>

#include "base/mem.h"
#include "rpc/call_impl.h"
#include "rpc/percent.h"
#include "rpc/timeout.h"

static void on_http_status(struct rpc_call *call, struct str value)
{
	uint64_t status;

	call->http_status = str_to_u64(value, 999, &status) ? (unsigned)status : 0;
}

/* An interim answer: it says nothing about the call (RFC 9110 15.2), and there may be any number. */
static bool is_interim(const struct rpc_call *call)
{
	return !call->head_done && call->http_status >= 100 && call->http_status < 200;
}

void rpc_channel_on_field(struct rpc_call *call, struct str name, struct str value)
{
	if (str_is(name, ":status")) {
		on_http_status(call, value);
	} else if (is_interim(call)) {
		return;
	} else if (str_is(name, "grpc-status")) {
		call->have_status = true;
		call->code = rpc_code_parse(value);
	} else if (str_is(name, "grpc-message")) {
		buf_clear(&call->message);
		percent_read(value, &call->message);
	} else if (!rpc_call_on_common_field(call, call->head_done ? &call->trailing : &call->metadata, name, value)) {
		call->refusal = "the server answers in an encoding that was not offered";
	}
}

/* What is wrong with the server's answer; NULL: nothing. */
static const char *fault_of(const struct rpc_call *call)
{
	if (call->head_bytes)
		return "the header list is over the limit";
	if (call->metadata.err != E_OK || call->trailing.err != E_OK)
		return "the metadata cannot be read";
	return call->refusal;
}

void rpc_channel_on_head(struct rpc_call *call, bool end)
{
	bool first = !call->head_done;
	const char *fault = fault_of(call);

	if (is_interim(call)) {
		rpc_call_drop_head(call);
		return;
	}
	call->head_done = true;
	call->reader.packing = call->packed_in;
	if (!call->owned)
		return;
	if (fault)
		rpc_call_fail(call, call->head_bytes ? RPC_RESOURCE_EXHAUSTED : RPC_INTERNAL, fault);
	else if (first && (call->http_status != 200 || !call->type_ok) && !call->have_status)
		rpc_call_fail(call, rpc_code_of_http(call->http_status), "the answer is not gRPC");
	else if (first && !end && call->options.on_headers)
		call->options.on_headers(call);
}

/* The server has said everything: what we would still send is of no use (RFC 9113 8.1). */
void rpc_channel_on_remote_end(struct rpc_call *call)
{
	if (!call->stream_over && (!call->finished || call->first))
		rpc_call_reset(call, NGHTTP2_CANCEL);
	rpc_channel_on_over(call, RPC_INTERNAL, "the stream ended without a status");
}

/* The server's word counts when all of its answer was handed out. */
static struct rpc_status status_of(const struct rpc_call *call, enum rpc_code code, const char *text)
{
	if (call->have_status && call->end_told)
		return (struct rpc_status){ call->code, buf_view(&call->message) };
	return (struct rpc_status){ code, str_of(text) };
}

void rpc_channel_on_over(struct rpc_call *call, enum rpc_code code, const char *text)
{
	struct rpc_status status = status_of(call, code, text);

	rpc_call_count(call, status.code);
	if (!call->owned)
		return;
	rpc_call_ref(call);
	/* First, so that nothing that on_close does finds it half alive. */
	rpc_call_disown(call);
	call->options.on_close(call, &status, &call->trailing);
	rpc_call_unref(call);
}

static void put_timeout(struct rpc_metadata *fields, uint64_t timeout_ms)
{
	char text[RPC_TIMEOUT_MAX];
	size_t n = rpc_timeout_write(timeout_ms, text);

	if (timeout_ms)
		rpc_metadata_put(fields, STR("grpc-timeout"), (struct str){ text, n });
}

static enum err submit(struct rpc_call *call, const char *authority, const char *user_agent,
		       const struct rpc_call_options *o)
{
	nghttp2_data_provider provider = { .read_callback = rpc_call_read };
	struct rpc_metadata fields = { 0 };
	nghttp2_nv *nv;

	rpc_metadata_put(&fields, STR(":method"), STR("POST"));
	rpc_metadata_put(&fields, STR(":scheme"), call->conn->tls ? STR("https") : STR("http"));
	rpc_metadata_put(&fields, STR(":path"), str_of(o->path));
	rpc_metadata_put(&fields, STR(":authority"), str_of(authority));
	rpc_metadata_put(&fields, STR("te"), STR("trailers"));
	rpc_metadata_put(&fields, STR("content-type"), STR("application/grpc"));
	rpc_metadata_put(&fields, STR("user-agent"), str_of(user_agent));
	if (o->gzip)
		rpc_metadata_put(&fields, STR("grpc-encoding"), STR("gzip"));
	rpc_metadata_put(&fields, STR("grpc-accept-encoding"), STR("identity,gzip"));
	put_timeout(&fields, o->timeout_ms);
	rpc_fields_add(&fields, o->metadata);
	nv = rpc_fields_nv(&fields);
	call->stream = nv ? nghttp2_submit_request(call->conn->h2, NULL, nv, fields.n, &provider, call)
			  : NGHTTP2_ERR_NOMEM;
	mem_free(nv);
	rpc_metadata_release(&fields);
	if (call->stream == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE)
		return E_UNAVAILABLE; /* 2^30 calls: time for a new connection */
	return call->stream > 0 ? E_OK : E_NOMEM;
}

static enum err begin(struct rpc_call *call, const char *authority, const char *user_agent,
		      const struct rpc_call_options *o)
{
	enum err err;

	call->options = *o;
	call->user = o->user;
	call->packing = o->gzip;
	if (o->message_max && o->message_max < call->reader.max)
		call->reader.max = call->reader.body.max = o->message_max;
	call->path = str_dup(str_of(o->path));
	call->options.path = call->path;
	call->options.metadata = NULL;
	if (!call->path)
		return E_NOMEM;
	if (o->timeout_ms && rpc_call_set_deadline(call, o->timeout_ms) != E_OK)
		return E_NOMEM;
	err = submit(call, authority, user_agent, o);
	if (err != E_OK)
		return err;
	call->head_sent = true;
	call->owned = true;
	rpc_call_begun(call, o->kind);
	rpc_call_ref(call);
	rpc_end_touch(call->conn->end, call->conn);
	return E_OK;
}

enum err rpc_channel_call_start(struct rpc_conn *conn, const char *authority, const char *user_agent,
				const struct rpc_call_options *options, struct rpc_call **ret_call)
{
	struct rpc_call *call;
	enum err err;

	if (options->path[0] != '/' || !nghttp2_check_path((const uint8_t *)options->path, strlen(options->path)))
		return E_MALFORMED;
	if (options->metadata && options->metadata->err != E_OK)
		return options->metadata->err;
	call = rpc_call_new(conn);
	if (!call)
		return E_NOMEM;
	err = begin(call, authority, user_agent, options);
	if (err != E_OK) {
		call->counted = true; /* it never was one */
		rpc_call_on_stream_over(call, NGHTTP2_NO_ERROR);
		return err;
	}
	*ret_call = call;
	return E_OK;
}

void rpc_half_close(struct rpc_call *call)
{
	assert(call->owned && !call->finished);
	call->finished = true;
	if (call->conn && !call->stream_over)
		rpc_call_wake(call);
}

void rpc_cancel(struct rpc_call *call)
{
	if (call->conn) {
		rpc_call_count(call, RPC_CANCELLED);
		rpc_call_reset(call, NGHTTP2_CANCEL);
		loop_timer_stop(call->conn->end->loop, &call->deadline);
	}
	rpc_call_disown(call);
}
