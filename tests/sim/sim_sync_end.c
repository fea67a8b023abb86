#include <stdio.h>

#include "base/mem.h"
#include "sim_sync.h"

#define WALL_NS     1700000000000000000LL /* when the virtual clock began */
#define PATIENCE_MS 10000                 /* with a process that is to stop */

const char *end_name(const struct end *e)
{
	return e->agent ? e->agent->name : "principal";
}

bool end_is_up(const struct end *e)
{
	return e->memory != NULL;
}

struct session *end_session(struct end *e, struct agent *a)
{
	struct hub_agent *known;

	if (!end_is_up(e))
		return NULL;
	if (e->site)
		return site_session(e->site);
	known = hub_find(e->hub, str_of(a->name));
	return known ? known->session : NULL;
}

/* ---- the backend that a process sees: every write is looked at --------------------------------------------------- */

static struct end *end_of(struct backend *b)
{
	return CONTAINER_OF(b, struct end, watched);
}

static void report(void *ctx, struct object *o)
{
	late_report(ctx, o, /* gone= */ false);
}

static void report_gone(void *ctx, struct object *last)
{
	late_report(ctx, last, /* gone= */ true);
}

static void report_synced(void *ctx)
{
	struct end *e = ctx;

	late_listed(e);
	sim_enter(e->sim);
	e->watcher.on_synced(e->watcher.ctx);
	sim_leave();
}

static void report_problem(void *ctx, const struct why *why, bool bad)
{
	struct end *e = ctx;

	e->watcher.on_problem(e->watcher.ctx, why, bad);
}

static enum err watched_start(struct backend *b, const struct backend_watcher *watcher, struct why *why)
{
	struct end *e = end_of(b);
	const struct backend_watcher ours = { .on_object = report,
					      .on_gone = report_gone,
					      .on_synced = report_synced,
					      .on_problem = report_problem,
					      .ctx = e };

	e->watcher = *watcher;
	return backend_start(e->memory, &ours, why);
}

static void watched_write(struct backend *b, struct backend_write *w)
{
	struct end *e = end_of(b);
	struct sim *s = e->sim;
	SIM_OWN;
	bool stuck = !s->healed && sim_once_in(s, 400); /* this one alone */

	watch_write(e, w);
	if (disk_is_full(&e->disk, s))
		memory_store_fail(e->store, E_FULL, 1);
	else if (!s->healed && sim_once_in(s, 60))
		memory_store_fail(e->store, E_UNAVAILABLE, 1);
	if (sim_once_in(s, 8))
		memory_store_delay(e->store, sim_below(s, sim_once_in(s, 10) ? 400 : 20));
	if (stuck)
		memory_store_delay(e->store, sim_below(s, 90000));
	backend_write(e->memory, w);
	if (stuck)
		memory_store_delay(e->store, 0);
}

static const struct backend_ops watched_ops = { .name = "watched", .start = watched_start, .write = watched_write };

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static bool is_idle(const struct end *e)
{
	return journal_is_idle(e->journal) && (e->hub ? hub_is_idle(e->hub) : site_is_idle(e->site));
}

static void go_down(struct end *e, const char *how);

static void on_turn(struct sim *s, struct happening *h)
{
	struct end *e = h->end;
	uint64_t next_ms;

	if (e->turn_at != s->now)
		return;
	e->turn_at = UINT64_MAX;
	if (s->now < e->frozen_until_ms) {
		end_plan(e, e->frozen_until_ms);
		return;
	}
	sim_enter(s);
	next_ms = e->hub ? hub_turn(e->hub) : site_turn(e->site);
	sim_leave();
	if (e->stopping && is_idle(e))
		go_down(e, "has stopped");
	else if (next_ms != UINT64_MAX)
		end_plan(e, next_ms);
}

void end_plan(struct end *e, uint64_t at_ms)
{
	struct sim *s = e->sim;

	at_ms = at_ms > s->now ? at_ms : s->now + 1;
	if (!end_is_up(e) || at_ms >= e->turn_at)
		return;
	e->turn_at = at_ms;
	sim_later(s, at_ms - s->now, &(struct happening){ .run = on_turn, .end = e, .life = e->life });
}

static uint64_t now_ms(void *ctx)
{
	return ((struct end *)ctx)->sim->now;
}

int64_t end_wall_ns(void *e)
{
	const struct end *end = e;

	return WALL_NS + ((int64_t)end->sim->now + end->wall_ms) * 1000000;
}

static void on_wake(void *ctx)
{
	struct end *e = ctx;
	SIM_OWN;

	end_plan(e, e->sim->now);
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_broken(e->sim, "%s: %s (%d)", end_name(e), why->text, bad);
}

/* ---- the principal ----------------------------------------------------------------------------------------------- */

static struct agent *agent_of(struct end *e, const struct hub_agent *known)
{
	for (int i = 0; i < SIM_AGENTS; i++)
		if (strcmp(e->sim->agents[i].name, known->name.text) == 0)
			return &e->sim->agents[i];
	sim_broken(e->sim, "an agent '%s' appeared", known->name.text);
}

static void hub_on_ready(void *ctx, struct hub_agent *known)
{
	struct end *e = ctx;
	SIM_OWN;

	stream_pump(e, agent_of(e, known));
}

static void hub_on_retired(void *ctx, struct hub_agent *known)
{
	struct end *e = ctx;
	SIM_OWN;

	stream_cut(agent_of(e, known));
}

static void hub_on_applied(void *ctx, struct hub_agent *known, const struct delivery_event *event,
			   const struct replica_place *place, enum delivery_outcome outcome, bool retryable,
			   const char *text)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_trace(e->sim, "principal %s: %.*s: %s%s%s", known->name.text, STR_ARG(event->event_id),
		  outcome == DELIVERY_APPLIED ? "applied: " : "rejected: ", text, retryable ? " (again)" : "");
	watch_applied(agent_of(e, known), known->mode, place, outcome);
}

static void hub_on_heard(void *ctx, struct hub_agent *known, const struct peer_heard *heard)
{
	struct end *e = ctx;
	SIM_OWN;

	watch_answer(e, agent_of(e, known), heard);
}

static void hub_on_reverted(void *ctx, struct hub_agent *known, const struct replica_place *place, enum err err,
			    const char *text)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_trace(e->sim, "principal %s: %s/%s: %s%s", known->name.text, place->namespace, place->name,
		  err == E_OK ? "" : "failed: ", text);
}

static void hub_on_cache_info(void *ctx, struct hub_agent *known, struct str json)
{
	(void)ctx, (void)known, (void)json;
}

static void hub_on_synced(void *ctx)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_trace(e->sim, "principal knows all objects");
	watch_guard(e->sim);
}

static struct outbox_options small_outbox(struct sim *s)
{
	struct outbox_options o = outbox_defaults;

	if (s->seed % 4 == 1) { /* some runs: hardly any room */
		o.window_events = 2;
		o.entries_max = 40;
	}
	return o;
}

static struct inbox_options small_inbox(struct sim *s)
{
	struct inbox_options o = inbox_defaults;

	o.receipt_ms = s->seed % 2 ? 0 : 20;
	if (s->seed % 4 == 2) {
		o.window_events = 4;
		o.parallel_max = 2;
	}
	return o;
}

/* Some runs: until somebody starts all with more, nothing large goes through. */
static uint64_t largest_message(const struct sim *s)
{
	return s->narrow && !s->healed ? SIM_MESSAGE_MAX : 0;
}

static const struct guard_limits guard = { .share_max = 50, .count_min = 4 };

/* Some runs: room for less than there is, until somebody starts all with more. */
static struct session_limits small_room(struct sim *s)
{
	return (struct session_limits){ .resync_ms = SIM_RESYNC_MS, .peer_objects = s->tight && !s->healed ? 3 : 0 };
}

static struct hub *new_hub(struct end *e)
{
	if (!e->disk.identity[0])
		(void)snprintf(e->disk.identity, sizeof(e->disk.identity), "0a7c9c8e-principal-%llu",
			       (unsigned long long)e->life);

	const struct hub_options options = {
		.mapping = { .by_destination = e->sim->by_destination,
			     .namespace = PRINCIPAL_NAMESPACE,
			     .allowed = e->sim->everywhere,
			     .selector = e->sim->picks ? e->sim->selector : NULL },
		.principal_uid = e->disk.identity,
		.backend = &e->watched,
		.journal = e->journal,
		.outbox = small_outbox(e->sim),
		.inbox = small_inbox(e->sim),
		.guard = guard,
		.limits = small_room(e->sim),
		.source = STR("principal"),
		.message_max = largest_message(e->sim),
		.seed = sim_random(e->sim),
		.now_ms = now_ms,
		.wall_ns = end_wall_ns,
		.events = { .on_ready = hub_on_ready,
			    .on_retired = hub_on_retired,
			    .on_applied = hub_on_applied,
			    .on_heard = hub_on_heard,
			    .on_reverted = hub_on_reverted,
			    .on_cache_info = hub_on_cache_info,
			    .on_problem = on_problem,
			    .on_synced = hub_on_synced,
			    .on_wake = on_wake,
			    .ctx = e },
	};

	return hub_new(&options);
}

/* ---- an agent ---------------------------------------------------------------------------------------------------- */

static void site_on_ready(void *ctx, struct session *session)
{
	struct end *e = ctx;
	SIM_OWN;

	(void)session;
	stream_pump(e, e->agent);
}

static void site_on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
			    enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct end *e = ctx;
	SIM_OWN;

	(void)place;
	sim_trace(e->sim, "%-9s %.*s: %s%s%s", e->agent->name, STR_ARG(event->event_id),
		  outcome == DELIVERY_APPLIED ? "applied: " : "rejected: ", text, retryable ? " (again)" : "");
}

static void site_on_heard(void *ctx, const struct peer_heard *heard)
{
	struct end *e = ctx;
	SIM_OWN;

	watch_answer(e, e->agent, heard);
}

static void site_on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_trace(e->sim, "%-9s %s/%s: %s%s", e->agent->name, place->namespace, place->name,
		  err == E_OK ? "" : "failed: ", text);
}

static void site_on_refusal(void *ctx, enum wire_refusal refusal, struct str message)
{
	(void)ctx, (void)refusal, (void)message;
}

static void site_on_synced(void *ctx)
{
	struct end *e = ctx;
	SIM_OWN;

	sim_trace(e->sim, "%-9s knows all objects", e->agent->name);
}

static struct site *new_site(struct end *e)
{
	struct agent *a = e->agent;
	struct site_options options = {
		.mode = a->mode,
		.mapping = { .by_destination = e->sim->by_destination && a->mode == AGENT_MANAGED,
			     .namespace = SITE_NAMESPACE,
			     .allowed = e->sim->everywhere },
		.policy = a->policy,
		.recreate = MERGE_RECREATE_IGNORE,
		.backend = &e->watched,
		.journal = e->journal,
		.outbox = small_outbox(e->sim),
		.inbox = small_inbox(e->sim),
		.guard = guard,
		.limits = small_room(e->sim),
		.source = STR("agent://agent-managed"),
		.message_max = largest_message(e->sim),
		.seed = sim_random(e->sim),
		.now_ms = now_ms,
		.wall_ns = end_wall_ns,
		.events = { .on_ready = site_on_ready,
			    .on_applied = site_on_applied,
			    .on_heard = site_on_heard,
			    .on_reverted = site_on_reverted,
			    .on_refusal = site_on_refusal,
			    .on_problem = on_problem,
			    .on_synced = site_on_synced,
			    .on_wake = on_wake,
			    .ctx = e },
	};

	(void)agent_name_set(&options.name, str_of(a->name));
	return site_new(&options);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct loading {
	struct end *end;
	enum ledger_table table;
};

static void load_row(void *ctx, const struct ledger_row *row)
{
	struct loading *l = ctx;
	enum err err = l->end->hub ? hub_load(l->end->hub, l->table, row) : site_load(l->end->site, l->table, row);

	if (err != E_OK)
		sim_broken(l->end->sim, "%s: a row was not taken: %s", end_name(l->end), err_text(err));
}

void end_start(struct end *e)
{
	static const enum ledger_table tables[] = { LEDGER_SETTING, LEDGER_COPY, LEDGER_COMMAND, LEDGER_REPLICA };
	struct memory_clock clock = sim_memory_clock;
	struct why why;

	clock.ctx = e->sim;
	sim_trace(e->sim, "%-9s starts", end_name(e));
	e->watched.ops = &watched_ops;
	late_start(e);
	e->turn_at = UINT64_MAX;
	e->journal = disk_journal(e);
	if (!e->journal || memory_open(e->store, &clock, &why, &e->memory) != E_OK ||
	    !(e->agent ? (void *)(e->site = new_site(e)) : (void *)(e->hub = new_hub(e))))
		sim_broken(e->sim, "no memory");
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		disk_read(e, tables[i], load_row, &(struct loading){ .end = e, .table = tables[i] });
	if ((e->hub ? hub_start(e->hub, &why) : site_start(e->site, &why)) != E_OK)
		sim_broken(e->sim, "%s", why.text);
	if (e->agent)
		stream_want(e->agent);
}

static void on_restart(struct sim *s, struct happening *h)
{
	(void)s;
	end_start(h->end);
}

static void cut_streams(struct end *e)
{
	for (int i = 0; i < SIM_AGENTS; i++)
		if (!e->agent || e->agent == &e->sim->agents[i])
			stream_cut(&e->sim->agents[i]);
}

static void go_down(struct end *e, const char *how)
{
	struct sim *s = e->sim;

	sim_trace(s, "%-9s %s", end_name(e), how);
	e->life++;
	e->stopping = false;
	late_forget(e);
	memory_crash(TAKE(e->memory));
	journal_free(TAKE(e->journal));
	hub_free(TAKE(e->hub));
	site_free(TAKE(e->site));
	cut_streams(e);
	if (e->agent)
		e->agent->connecting = false;
	sim_later(s, 1 + sim_below(s, 3000), &(struct happening){ .run = on_restart, .end = e, .life = e->life });
}

void end_crash(struct end *e)
{
	if (!end_is_up(e))
		return;
	e->sim->crashes++;
	go_down(e, "crashes");
}

static void on_patience(struct sim *s, struct happening *h)
{
	(void)s;
	end_crash(h->end);
}

void end_stop(struct end *e)
{
	if (!end_is_up(e) || e->stopping)
		return;
	sim_trace(e->sim, "%-9s is to stop", end_name(e));
	e->stopping = true;
	cut_streams(e);
	if (e->hub)
		hub_stop(e->hub);
	else
		site_stop(e->site);
	end_plan(e, e->sim->now);
	if (!e->sim->calm)
		sim_later(e->sim, PATIENCE_MS, &(struct happening){ .run = on_patience, .end = e, .life = e->life });
}

void end_release(struct end *e)
{
	e->life++;
	people_forget_undos(e);
	object_list_release(&e->saved);
	late_forget(e);
	if (e->memory)
		memory_crash(TAKE(e->memory));
	journal_free(TAKE(e->journal));
	hub_free(TAKE(e->hub));
	site_free(TAKE(e->site));
}
