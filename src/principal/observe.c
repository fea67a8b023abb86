#include <stdio.h>

#include "net/systemd.h"
#include "principal/process.h"

enum err observe_init(struct principal *p)
{
	principal_metrics_init(&p->metrics, p->daemon.metrics);
	traffic_init(&p->traffic, p->daemon.metrics, TRAFFIC_PRINCIPAL);
	return daemon_build_info(&p->daemon, p->options->build);
}

void observe_release(struct principal *p)
{
	traffic_release(&p->traffic);
}

/* ---- logins and streams ------------------------------------------------------------------------------------------ */

/* `agent` "": nobody knows who it was. */
static void turned_away(struct principal *p, const char *agent, const char *address, const struct why *why)
{
	(void)snprintf(p->turned_away, sizeof(p->turned_away), "%s%s%s: %s", agent, agent[0] ? " of " : "", address,
		       why->text);
	p->turned_away_ms = daemon_now_ms(&p->daemon);
}

void observe_login(struct principal *p, const struct login_answer *answer, const struct rpc_peer *peer)
{
	uint64_t unsaid;

	if (answer->step == LOGIN_ACCEPTED) {
		log_debug(PRINCIPAL_LOG, "an agent logged in", LOG_S("agent", answer->agent.text));
		return;
	}
	metric_inc(p->metrics.refused);
	turned_away(p, answer->agent.text, peer ? peer->address : "", &answer->why);
	if (quiet_ask(&p->refusals, daemon_now_ms(&p->daemon), &unsaid))
		log_warn(PRINCIPAL_LOG, "a login was refused", LOG_S("agent", answer->agent.text),
			 LOG_S("address", peer ? peer->address : ""), LOG_S("code", rpc_code_name(answer->code)),
			 LOG_WHY(&answer->why), LOG_U("not_logged", unsaid));
}

/* Why an agent does not come, when its certificate or ours is the reason; from strangers, too. */
void observe_tls_failed(void *principal, const char *address, const struct why *why)
{
	struct principal *p = principal;
	uint64_t unsaid;

	turned_away(p, /* agent= */ "", address, why);
	if (quiet_ask_address(&p->handshakes, address, daemon_now_ms(&p->daemon), &unsaid))
		log_warn(PRINCIPAL_LOG, "a TLS handshake failed", LOG_S("address", address), LOG_WHY(why),
			 LOG_U("not_logged", unsaid));
}

static struct traffic_peer *traffic_of(struct principal *p, struct hub_agent *agent)
{
	if (!agent->traffic.name)
		traffic_begin(&p->traffic, &agent->traffic, traffic_name(&p->traffic, agent_name(&agent->name)));
	return &agent->traffic;
}

void observe_connected(struct principal *p, const struct stream *s, const struct wire_dialect *dialect)
{
	uint64_t unsaid;

	principal_metrics_connected(&p->metrics, traffic_of(p, s->agent)->name);
	metric_set(p->metrics.connected, (int64_t)p->streams);
	/* Two that share a name end each other's streams: the address tells them apart. */
	if (!quiet_ask(&s->agent->coming, daemon_now_ms(&p->daemon), &unsaid))
		return;
	log_info(PRINCIPAL_LOG, "an agent is connected", LOG_S("agent", s->agent->name.text),
		 LOG_S("address", rpc_peer(s->pump.call)->address), LOG_S("mode", agent_mode_text(s->agent->mode)),
		 LOG_U("dialect", dialect->version), LOG_U("not_logged", unsaid));
	if (session_maps_otherwise(s->agent->session))
		log_warn(PRINCIPAL_LOG, SESSION_MAPS_OTHERWISE, LOG_S("agent", s->agent->name.text));
}

void observe_replaced(struct principal *p, struct hub_agent *agent)
{
	uint64_t now_ms = daemon_now_ms(&p->daemon);

	if (now_ms - agent->replaced_ms > REMEMBERED_MS)
		agent->replaced = 0;
	agent->replaced++;
	agent->replaced_ms = now_ms;
}

void observe_disconnected(struct principal *p, const struct stream *s, const struct rpc_ending *ending)
{
	char reason[512];
	uint64_t unsaid;

	metric_set(p->metrics.connected, (int64_t)p->streams - 1);
	/* The call is still there when its connection ended under it. */
	if (s->pump.message.n || s->pump.order)
		principal_metrics_cut(&p->metrics, traffic_of(p, s->agent)->name, /* by_us= */ !s->pump.call);
	if (!quiet_ask(&s->agent->coming, daemon_now_ms(&p->daemon), &unsaid))
		return;
	(void)snprintf(reason, sizeof(reason), "%s%s%s", ending->text, ending->detail[0] ? ": " : "", ending->detail);
	log_at(ending->orderly ? LOG_INFO : LOG_WARN, PRINCIPAL_LOG, "an agent is disconnected",
	       LOG_S("agent", s->agent->name.text), LOG_S("reason", reason), LOG_U("not_logged", unsaid));
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* An event went wrong, and was counted: said as often as one agent may make us. */
static bool wrong(struct principal *p, struct hub_agent *agent, uint64_t *ret_unsaid)
{
	return quiet_ask(&agent->quiet, daemon_now_ms(&p->daemon), ret_unsaid);
}

static void on_ready(void *ctx, struct hub_agent *agent)
{
	(void)ctx;
	stream_pump(agent);
}

static void on_retired(void *ctx, struct hub_agent *agent)
{
	(void)ctx;
	stream_retired(agent);
}

static void on_applied(void *ctx, struct hub_agent *agent, const struct delivery_event *event,
		       const struct replica_place *place, enum delivery_outcome outcome, bool retryable,
		       const char *text)
{
	struct principal *p = ctx;

	uint64_t unsaid;

	(void)place;
	traffic_applied(&p->traffic, traffic_of(p, agent), event, outcome, retryable, daemon_now_ms(&p->daemon),
			daemon_wall_ns(&p->daemon));
	if (outcome == DELIVERY_APPLIED)
		log_debug(PRINCIPAL_LOG, "an event was applied", LOG_S("agent", agent->name.text),
			  LOG_STRN("resource_id", event->resource_id), LOG_STRN("event_id", event->event_id),
			  LOG_S("event_type", delivery_type_name(event->type)), LOG_S("note", text));
	else if (wrong(p, agent, &unsaid))
		log_warn(PRINCIPAL_LOG, retryable ? "an event cannot be applied now" : "an event was rejected",
			 LOG_S("agent", agent->name.text), LOG_STRN("resource_id", event->resource_id),
			 LOG_STRN("event_id", event->event_id), LOG_S("event_type", delivery_type_name(event->type)),
			 LOG_S("error", text), LOG_U("not_logged", unsaid));
}

/* Ours was confirmed, or turned down; or it cannot leave. */
static void on_answered(struct principal *p, struct hub_agent *agent, const struct peer_heard *heard)
{
	uint64_t unsaid;

	if (heard->effect != OUTBOX_QUARANTINED && heard->effect != OUTBOX_REFUSED)
		return;
	if (wrong(p, agent, &unsaid))
		log_warn(PRINCIPAL_LOG,
			 heard->err == E_OK ? "the agent rejected an event" : "an event can never be sent",
			 LOG_S("agent", agent->name.text), LOG_STRN("resource_id", heard->resource_id),
			 LOG_STRN("event_id", heard->event_id), LOG_S("event_type", delivery_type_name(heard->type)),
			 LOG_STRN("error", heard->reason), LOG_U("not_logged", unsaid));
}

static void on_heard(void *ctx, struct hub_agent *agent, const struct peer_heard *heard)
{
	struct principal *p = ctx;
	uint64_t unsaid;

	traffic_heard(&p->traffic, traffic_of(p, agent), heard, peer_outbox(session_peer(agent->session)));
	if (heard->what == PEER_ANSWERED)
		on_answered(p, agent, heard);
	else if (wrong(p, agent, &unsaid))
		log_warn(PRINCIPAL_LOG, "a message was refused", LOG_S("agent", agent->name.text),
			 LOG_STRN("resource_id", heard->resource_id), LOG_STRN("event_id", heard->event_id),
			 LOG_STRN("event_type", heard->type_text), LOG_WHY(&heard->why), LOG_U("not_logged", unsaid));
}

static void on_reverted(void *ctx, struct hub_agent *agent, const struct replica_place *place, enum err err,
			const char *text)
{
	struct principal *p = ctx;
	uint64_t unsaid;

	if (err == E_OK)
		metric_inc(p->traffic.reverted);
	if (!quiet_ask(&agent->quiet, daemon_now_ms(&p->daemon), &unsaid))
		return;
	log_at(err == E_OK ? LOG_INFO : LOG_WARN, PRINCIPAL_LOG,
	       err == E_OK ? "a change to a copy was undone" : "a change to a copy could not be undone yet",
	       LOG_S("agent", agent->name.text), LOG_S("kind", object_kind_name(place->kind)),
	       LOG_S("namespace", place->namespace), LOG_S("name", place->name), LOG_S("note", text),
	       LOG_U("not_logged", unsaid));
}

static void on_held(void *ctx, struct hub_agent *agent, const char *text)
{
	(void)ctx;
	log_warn(PRINCIPAL_LOG, "deletes are held: 'holdfast release' lets them go", LOG_S("agent", agent->name.text),
		 LOG_S("reason", text));
}

static void on_full(void *ctx, struct hub_agent *agent, const struct room *room)
{
	struct principal *p = ctx;
	uint64_t unsaid;

	if (quiet_ask(&agent->coming, daemon_now_ms(&p->daemon), &unsaid))
		log_at(room->full ? LOG_WARN : LOG_INFO, PRINCIPAL_LOG,
		       room->full ? "an agent wants more room than it may take: more is refused for now"
				  : "an agent has room again",
		       LOG_S("agent", agent->name.text), LOG_U("objects", room->objects), LOG_U("bytes", room->bytes),
		       LOG_U("objects_max", room->objects_max), LOG_U("bytes_max", room->bytes_max),
		       LOG_U("all_bytes", room->all->bytes), LOG_U("all_bytes_max", room->all->bytes_max),
		       LOG_U("not_logged", unsaid));
}

/* Statistics of a cluster: nobody keeps them here yet; that they come is enough to know that the agent works. */
static void on_cache_info(void *ctx, struct hub_agent *agent, struct str json)
{
	(void)ctx;
	log_debug(PRINCIPAL_LOG, "cluster statistics", LOG_S("agent", agent->name.text), LOG_STRN("info", json));
}

static void on_change(void *ctx, enum object_kind kind, enum hub_change change)
{
	struct metric *metric = ((struct principal *)ctx)->metrics.changes[kind][change];

	if (metric)
		metric_inc(metric);
}

/* Once for each application and reason; but a selector that fits nothing must not fill the log. */
static void on_unowned(void *ctx, const struct object *application, enum mapping_reason reason)
{
	struct principal *p = ctx;
	uint64_t unsaid;

	if (quiet_ask(&p->unowned, daemon_now_ms(&p->daemon), &unsaid))
		log_info(PRINCIPAL_LOG, "an application belongs to no agent",
			 LOG_S("namespace", application->namespace), LOG_S("name", application->name),
			 LOG_S("reason", mapping_reason_text(reason)), LOG_U("not_logged", unsaid));
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct principal *p = ctx;

	metric_add(p->traffic.problems, bad ? 1 : -1);
	log_at(bad ? LOG_ERROR : LOG_INFO, PRINCIPAL_LOG,
	       bad ? "the backend has a problem" : "a problem of the backend is over", LOG_WHY(why));
}

static void on_synced(void *ctx)
{
	struct principal *p = ctx;

	principal_tell_health(p);
	systemd_ready("running");
	log_info(PRINCIPAL_LOG, "the backend has reported everything: agents may come",
		 LOG_U("objects", hub_objects(p->hub)));
}

static void on_wake(void *ctx)
{
	daemon_wake(&((struct principal *)ctx)->daemon);
}

struct hub_events observe_events(struct principal *p)
{
	return (struct hub_events){ .on_ready = on_ready,
				    .on_retired = on_retired,
				    .on_applied = on_applied,
				    .on_heard = on_heard,
				    .on_reverted = on_reverted,
				    .on_full = on_full,
				    .on_held = on_held,
				    .on_cache_info = on_cache_info,
				    .on_change = on_change,
				    .on_unowned = on_unowned,
				    .on_problem = on_problem,
				    .on_synced = on_synced,
				    .on_wake = on_wake,
				    .ctx = p };
}
