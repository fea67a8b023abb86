#include "agent/process.h"
#include "wire/services.h"

static struct session *session_of(struct agent *a)
{
	return site_session(a->site);
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

static void begin(struct agent *a, const struct wire_dialect *agreed)
{
	if (pump_open(&a->stream.pump, ++a->next_epoch, agreed) != E_OK) {
		connection_failed(&a->connection, RPC_OK, "Subscribe", (struct str)STR("out of memory"));
		return;
	}
	connection_opened(&a->connection);
	note_connected(a, agreed);
	site_ready(a->site);
}

/* A principal of ours has accepted the stream, and says which dialect is spoken on it. */
static void on_headers(struct rpc_call *call)
{
	struct agent *a = rpc_user(call);
	struct wire_dialect agreed = wire_dialect_agreed(rpc_metadata(call), &a->stream.asked);

	if (a->connection.state == CONNECTION_OPENING)
		begin(a, &agreed);
}

static void on_message(struct rpc_call *call, struct str message)
{
	struct agent *a = rpc_user(call);

	pump_receive(&a->stream.pump, message);
}

static void on_writable(struct rpc_call *call)
{
	struct agent *a = rpc_user(call);

	site_ready(a->site);
}

static void on_close(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct agent *a = rpc_user(call);

	(void)trailing;
	a->stream.pump.call = NULL;
	/* A principal of upstream's names its limit only now; without it the same message would go again and again. */
	if (status->code == RPC_RESOURCE_EXHAUSTED)
		session_told_max(session_of(a), wire_message_max_told(status->message));
	connection_failed(&a->connection, status->code, "the stream ended", status->message);
}

static void on_ready(struct pump *pump)
{
	site_ready(CONTAINER_OF(pump, struct agent, stream.pump)->site);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

void stream_init(struct agent *a)
{
	a->stream.pump = (struct pump){ .loop = &a->daemon.loop, .session = session_of(a), .on_ready = on_ready };
}

void stream_open(struct agent *a)
{
	struct rpc_metadata metadata = { 0 };
	const struct rpc_call_options options = { .path = WIRE_SUBSCRIBE,
						  .kind = RPC_BIDI,
						  .metadata = &metadata,
						  .gzip = a->options->enable_compression,
						  .on_headers = on_headers,
						  .on_message = on_message,
						  .on_writable = on_writable,
						  .on_close = on_close,
						  .user = a };
	bool upstream = a->connection.speaks.version == WIRE_UPSTREAM;
	enum err err;

	a->stream.asked = upstream ? a->connection.speaks : session_offer(session_of(a));
	rpc_metadata_add(&metadata, (struct str)STR(WIRE_AUTHORIZATION), str_of(a->connection.access_token));
	wire_dialect_write(&a->stream.asked, &metadata);
	err = metadata.err != E_OK ? metadata.err : rpc_start(a->connection.channel, &options, &a->stream.pump.call);
	rpc_metadata_release(&metadata);
	if (err != E_OK)
		connection_failed(&a->connection, RPC_OK, "Subscribe", str_of(err_text(err)));
	else if (upstream)
		begin(a, &a->stream.asked);
}

void stream_drop(struct agent *a)
{
	struct stream *s = &a->stream;

	if (s->pump.call)
		rpc_cancel(TAKE(s->pump.call));
	if (s->telling)
		rpc_cancel(TAKE(s->telling));
	pump_close(&s->pump);
	site_ready(a->site);
}

void stream_write(struct agent *a)
{
	pump_write(&a->stream.pump);
}

/* ---- beside the stream ------------------------------------------------------------------------------------------- */

static void on_told(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing)
{
	struct agent *a = rpc_user(call);

	(void)status;
	(void)trailing;
	a->stream.telling = NULL;
}

static void ignore_message(struct rpc_call *call, struct str message)
{
	(void)call;
	(void)message;
}

void stream_refuse(struct agent *a, enum wire_refusal refusal, struct str message)
{
	struct rpc_metadata metadata = { 0 };
	const struct rpc_call_options options = { .path = refusal == WIRE_REFUSE_LOGS ? WIRE_STREAM_LOGS
										      : WIRE_STREAM_TERMINAL,
						  .kind = refusal == WIRE_REFUSE_LOGS ? RPC_CLIENT_STREAM : RPC_BIDI,
						  .metadata = &metadata,
						  .timeout_ms = 20000,
						  .on_message = ignore_message,
						  .on_close = on_told,
						  .user = a };
	enum err err;

	/* One at a time: whoever asks faster than that runs into the time limit of its own request. */
	if (a->stream.telling || a->connection.state != CONNECTION_OPEN)
		return;
	rpc_metadata_add(&metadata, (struct str)STR(WIRE_AUTHORIZATION), str_of(a->connection.access_token));
	err = metadata.err != E_OK ? metadata.err : rpc_start(a->connection.channel, &options, &a->stream.telling);
	rpc_metadata_release(&metadata);
	if (err != E_OK)
		return;
	if (rpc_send(a->stream.telling, message) != E_OK)
		rpc_cancel(TAKE(a->stream.telling));
	else
		rpc_half_close(a->stream.telling);
}

void stream_heartbeat(struct agent *a)
{
	session_heartbeat(session_of(a));
	site_ready(a->site);
}
