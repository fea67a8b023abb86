#include <stdio.h>

#include "agent/process.h"
#include "base/clock.h"

enum err note_init(struct agent *a)
{
	agent_metrics_init(&a->metrics, a->daemon.metrics);
	traffic_init(&a->traffic, a->daemon.metrics, TRAFFIC_AGENT);
	traffic_begin(&a->traffic, &a->principal, a->options->mode);
	return daemon_build_info(&a->daemon, a->options->build);
}

void note_release(struct agent *a)
{
	traffic_release(&a->traffic);
}

/* ---- the connection ---------------------------------------------------------------------------------------------- */

void note_connected(struct agent *a, const struct wire_dialect *dialect)
{
	uint64_t failed = outage_end(&a->outage);

	a->failure[0] = '\0';
	metric_inc(a->metrics.connections);
	metric_set(a->metrics.connected, 1);
	metric_set(a->metrics.since_ms, clock_wall_ms());
	log_info(AGENT_LOG, "connected", LOG_S("agent", a->connection.claims.agent.text),
		 LOG_S("mode", agent_mode_text(a->mode)), LOG_U("dialect", dialect->version),
		 LOG_U("failed_before", failed));
	if (session_maps_otherwise(site_session(a->site)))
		log_warn(AGENT_LOG, SESSION_MAPS_OTHERWISE, LOG_S("agent", a->connection.claims.agent.text));
}

/* A failure unlike those before it is worth a warning; what goes on failing is a line of debug each. */
void note_failed(struct agent *a, enum rpc_code code, const char *what, struct str why, uint64_t again_ms)
{
	enum log_level level = outage_failed(&a->outage, what, why) && !a->stopping ? LOG_WARN : LOG_DEBUG;
	struct log_field called = { 0 };

	if (code != RPC_OK)
		called = LOG_S("code", rpc_code_name(code));
	(void)snprintf(a->failure, sizeof(a->failure), "%s: %.*s", what, STR_ARG(why));
	metric_inc(a->metrics.failures);
	if (code == RPC_UNAUTHENTICATED || code == RPC_PERMISSION_DENIED || code == RPC_FAILED_PRECONDITION)
		metric_inc(a->metrics.auth_failures);
	log_at(level, AGENT_LOG, "no connection with the principal", LOG_S("step", what), called,
	       LOG_STRN("error", why), LOG_U("again_in_ms", again_ms));
}

void note_leaving(const struct why *why, uint64_t in_ms)
{
	log_info(AGENT_LOG, "this connection takes no more calls: another one takes its place", LOG_WHY(why),
		 LOG_U("in_ms", in_ms));
}

void note_closed(struct agent *a)
{
	metric_set(a->metrics.connected, 0);
	metric_set(a->metrics.since_ms, 0);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void on_ready(void *ctx, struct session *session)
{
	(void)session;
	stream_write(ctx);
}

/* An event went wrong, and was counted: said as often as one peer may make us. */
static bool wrong(struct agent *a, uint64_t *ret_unsaid)
{
	return quiet_ask(&a->quiet, daemon_now_ms(&a->daemon), ret_unsaid);
}

static void on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
		       enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct agent *a = ctx;
	uint64_t unsaid;

	(void)place;
	traffic_applied(&a->traffic, &a->principal, event, outcome, retryable, daemon_now_ms(&a->daemon),
			daemon_wall_ns(&a->daemon));
	if (outcome == DELIVERY_APPLIED)
		log_debug(AGENT_LOG, "an event was applied", LOG_STRN("resource_id", event->resource_id),
			  LOG_STRN("event_id", event->event_id), LOG_S("event_type", delivery_type_name(event->type)),
			  LOG_S("note", text));
	else if (wrong(a, &unsaid))
		log_warn(AGENT_LOG, retryable ? "an event cannot be applied now" : "an event was rejected",
			 LOG_STRN("resource_id", event->resource_id), LOG_STRN("event_id", event->event_id),
			 LOG_S("event_type", delivery_type_name(event->type)), LOG_S("error", text),
			 LOG_U("not_logged", unsaid));
}

/* Ours was confirmed, or turned down; or it cannot leave. */
static void on_answered(struct agent *a, const struct peer_heard *heard)
{
	uint64_t unsaid;

	if (heard->effect != OUTBOX_QUARANTINED && heard->effect != OUTBOX_REFUSED)
		return;
	if (wrong(a, &unsaid))
		log_warn(AGENT_LOG,
			 heard->err == E_OK ? "the principal rejected an event" : "an event can never be sent",
			 LOG_STRN("resource_id", heard->resource_id), LOG_STRN("event_id", heard->event_id),
			 LOG_S("event_type", delivery_type_name(heard->type)), LOG_STRN("error", heard->reason),
			 LOG_U("not_logged", unsaid));
}

static void on_heard(void *ctx, const struct peer_heard *heard)
{
	struct agent *a = ctx;
	uint64_t unsaid;

	traffic_heard(&a->traffic, &a->principal, heard, peer_outbox(session_peer(site_session(a->site))));
	if (heard->what == PEER_ANSWERED)
		on_answered(a, heard);
	else if (wrong(a, &unsaid))
		log_warn(AGENT_LOG, "a message was refused", LOG_STRN("resource_id", heard->resource_id),
			 LOG_STRN("event_id", heard->event_id), LOG_STRN("event_type", heard->type_text),
			 LOG_WHY(&heard->why), LOG_U("not_logged", unsaid));
}

static void on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	struct agent *a = ctx;
	uint64_t unsaid;

	if (err == E_OK)
		metric_inc(a->traffic.reverted);
	if (!quiet_ask(&a->quiet, daemon_now_ms(&a->daemon), &unsaid))
		return;
	log_at(err == E_OK ? LOG_INFO : LOG_WARN, AGENT_LOG,
	       err == E_OK ? "a change to an object of the principal was undone"
			   : "a change to an object of the principal could not be undone yet",
	       LOG_S("kind", object_kind_name(place->kind)), LOG_S("namespace", place->namespace),
	       LOG_S("name", place->name), LOG_S("note", text), LOG_U("not_logged", unsaid));
}

static void on_held(void *ctx, const char *text)
{
	(void)ctx;
	log_warn(AGENT_LOG, "deletes are held: 'holdfast release' lets them go", LOG_S("reason", text));
}

static void on_full(void *ctx, const struct room *room)
{
	struct agent *a = ctx;
	uint64_t unsaid;

	if (wrong(a, &unsaid))
		log_at(room->full ? LOG_WARN : LOG_INFO, AGENT_LOG,
		       room->full ? "the principal wants more room than it may take: more is refused for now"
				  : "the principal has room again",
		       LOG_U("objects", room->objects), LOG_U("bytes", room->bytes),
		       LOG_U("objects_max", room->objects_max), LOG_U("bytes_max", room->bytes_max),
		       LOG_U("not_logged", unsaid));
}

static void on_refusal(void *ctx, enum wire_refusal refusal, struct str message)
{
	stream_refuse(ctx, refusal, message);
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct agent *a = ctx;

	metric_add(a->traffic.problems, bad ? 1 : -1);
	log_at(bad ? LOG_ERROR : LOG_INFO, AGENT_LOG,
	       bad ? "the backend has a problem" : "a problem of the backend is over", LOG_WHY(why));
}

static void on_synced(void *ctx)
{
	(void)ctx;
	log_info(AGENT_LOG, "the backend has reported everything");
}

static void on_wake(void *ctx)
{
	daemon_wake(&((struct agent *)ctx)->daemon);
}

struct site_events note_events(struct agent *a)
{
	return (struct site_events){ .on_ready = on_ready,
				     .on_applied = on_applied,
				     .on_heard = on_heard,
				     .on_reverted = on_reverted,
				     .on_full = on_full,
				     .on_held = on_held,
				     .on_refusal = on_refusal,
				     .on_problem = on_problem,
				     .on_synced = on_synced,
				     .on_wake = on_wake,
				     .ctx = a };
}
