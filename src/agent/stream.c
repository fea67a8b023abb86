#include "agent/process.h"
#include "base/rand.h"
#include "wire/services.h"

static struct session *session_of(struct agent *a)
{
	return site_session(a->site);
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

static void begin(struct agent *a, const struct wire_dialect *agreed)
{
	a->stream.epoch = ++a->next_epoch;
	if (session_open(session_of(a), a->stream.epoch, agreed, daemon_now_ms(&a->daemon)) != E_OK) {
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
	struct blob *bytes = blob_new(message);

	if (bytes) /* else it is not answered, and comes again */
		session_receive(session_of(a), a->stream.epoch, bytes, daemon_now_ms(&a->daemon), rand_u64());
	blob_unref(bytes);
	if (!a->stream.paused && session_is_full(session_of(a))) {
		a->stream.paused = true;
		rpc_pause(call);
	}
	site_ready(a->site);
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
	a->stream.call = NULL;
	connection_failed(&a->connection, status->code, "the stream ended", status->message);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

void stream_open(struct agent *a)
{
	struct rpc_metadata metadata = { 0 };
	const struct rpc_call_options options = { .path = WIRE_SUBSCRIBE,
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
	rpc_metadata_add(&metadata, (struct str)STR(WIRE_AUTHORIZATION), buf_view(&a->connection.access_token));
	wire_dialect_write(&a->stream.asked, &metadata);
	err = metadata.err != E_OK ? metadata.err : rpc_start(a->connection.channel, &options, &a->stream.call);
	rpc_metadata_release(&metadata);
	if (err != E_OK)
		connection_failed(&a->connection, RPC_OK, "Subscribe", str_of(err_text(err)));
	else if (upstream)
		begin(a, &a->stream.asked);
}

void stream_drop(struct agent *a)
{
	struct stream *s = &a->stream;

	if (s->call)
		rpc_cancel(TAKE(s->call));
	if (s->telling)
		rpc_cancel(TAKE(s->telling));
	if (s->epoch)
		session_close(session_of(a), s->epoch);
	s->epoch = s->order = 0;
	s->paused = false;
	buf_clear(&s->message);
	site_ready(a->site);
}

void stream_release(struct agent *a)
{
	buf_release(&a->stream.message);
}

/* ---- what goes --------------------------------------------------------------------------------------------------- */

/* Everything that was given to the call has left: timers of sending again begin. */
static void note_sent(struct agent *a)
{
	struct stream *s = &a->stream;

	if (s->order == 0)
		return;
	if (rpc_queued(s->call)) {
		rpc_notify_empty(s->call);
		return;
	}
	session_sent(session_of(a), s->order, daemon_now_ms(&a->daemon), rand_u64());
	s->order = 0;
}

static bool next_message(struct agent *a)
{
	struct stream *s = &a->stream;
	uint64_t order;

	if (s->message.n)
		return true;
	buf_clear(&s->message);
	if (!session_take(session_of(a), daemon_now_ms(&a->daemon), daemon_wall_ns(&a->daemon), &s->message, &order))
		return false;
	if (order)
		s->order = order;
	return true;
}

void stream_write(struct agent *a)
{
	struct stream *s = &a->stream;

	if (!s->call || s->epoch == 0)
		return;
	while (next_message(a)) {
		enum err err = rpc_send(s->call, buf_view(&s->message));

		if (err == E_BUSY || err == E_NOMEM)
			break;
		if (err == E_LIMIT)
			log_error(AGENT_LOG, "a message is larger than the limit and cannot be sent",
				  LOG_U("bytes", s->message.n));
		buf_clear(&s->message);
	}
	note_sent(a);
	if (s->paused && !session_is_full(session_of(a))) {
		s->paused = false;
		rpc_resume(s->call);
	}
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
						  .metadata = &metadata,
						  .timeout_ms = 20000,
						  .on_message = ignore_message,
						  .on_close = on_told,
						  .user = a };
	enum err err;

	/* One at a time: whoever asks faster than that runs into the time limit of its own request. */
	if (a->stream.telling || a->connection.state != CONNECTION_OPEN)
		return;
	rpc_metadata_add(&metadata, (struct str)STR(WIRE_AUTHORIZATION), buf_view(&a->connection.access_token));
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
