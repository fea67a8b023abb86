#include "agent/site.h"

#include "base/mem.h"
#include "sync/missed.h"

/* What the principal is called in the ledger: an agent has one, in each of its modes another. */
#define ROWS            "principal"
#define ROWS_AUTONOMOUS ROWS "~autonomous"

struct site {
	struct site_options o;
	struct mapping_agent mapping;
	struct agent_name name;
	char *principal_namespace;
	struct session *session;
	struct missed missed;
	bool listed; /* the backend has said all there was */
	bool synced; /* and all of it was looked at */
	bool ready;
	bool turning;
};

/* ---- what the session tells ------------------------------------------------------------------------------------- */

static void on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
		       enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct site *s = ctx;

	s->o.events.on_applied(s->o.events.ctx, event, place, outcome, retryable, text);
}

static void on_heard(void *ctx, const struct peer_heard *heard)
{
	struct site *s = ctx;

	s->o.events.on_heard(s->o.events.ctx, heard);
}

static void on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	struct site *s = ctx;

	s->o.events.on_reverted(s->o.events.ctx, place, err, text);
}

static void on_full(void *ctx, const struct room *room)
{
	struct site *s = ctx;

	if (s->o.events.on_full)
		s->o.events.on_full(s->o.events.ctx, room);
}

static void on_held(void *ctx, const char *text)
{
	struct site *s = ctx;

	if (s->o.events.on_held)
		s->o.events.on_held(s->o.events.ctx, text);
}

static void on_refusal(void *ctx, enum wire_refusal refusal, struct str message)
{
	struct site *s = ctx;

	s->o.events.on_refusal(s->o.events.ctx, refusal, message);
}

static void on_wake(void *ctx)
{
	site_ready(ctx);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

static uint64_t now_ms(const struct site *s)
{
	return s->o.now_ms(s->o.events.ctx);
}

static int64_t wall_ns(const struct site *s)
{
	return s->o.wall_ns(s->o.events.ctx);
}

static const char *rows_of(enum agent_mode mode)
{
	return mode == AGENT_AUTONOMOUS ? ROWS_AUTONOMOUS : ROWS;
}

struct site *site_new(const struct site_options *options)
{
	struct site *s = mem_alloc(sizeof(*s));

	if (!s)
		return NULL;
	s->o = *options;
	s->mapping = options->mapping;
	s->name = options->name;
	s->session = session_new(
		&(struct session_options){
			.role = { .end = options->mode == AGENT_AUTONOMOUS ? ROLE_AUTONOMOUS_AGENT : ROLE_MANAGED_AGENT,
				  .agent = s->name.text,
				  .principal_uid = "",
				  .site = &s->mapping,
				  .policy = options->policy,
				  .recreate = options->recreate },
			.rows = rows_of(options->mode),
			.backend = options->backend,
			.journal = options->journal,
			.outbox = options->outbox,
			.inbox = options->inbox,
			.guard = options->guard,
			.limits = options->limits,
			.source = options->source,
			.message_max = options->message_max,
			.seed = options->seed,
			.events = { .on_applied = on_applied,
				    .on_heard = on_heard,
				    .on_reverted = on_reverted,
				    .on_full = on_full,
				    .on_held = on_held,
				    .on_wake = on_wake,
				    .on_refusal = on_refusal,
				    .ctx = s },
		},
		options->now_ms(options->events.ctx));
	if (s->session)
		return s;
	mem_free(s);
	return NULL;
}

void site_free(struct site *s)
{
	if (!s)
		return;
	session_free(s->session);
	missed_release(&s->missed);
	mem_free(s->principal_namespace);
	mem_free(s);
}

enum err site_load(struct site *s, enum ledger_table table, const struct ledger_row *row)
{
	if (!str_is(row->peer, ROWS) && !str_is(row->peer, ROWS_AUTONOMOUS))
		return E_OK; /* of objects and settings, which name none */
	/* What was a copy in an earlier mode is nobody's to put back, when that mode comes again neither. */
	return str_is(row->peer, rows_of(s->o.mode)) ? session_load(s->session, table, row)
						     : journal_add(s->o.journal, table, /* remove= */ true, row);
}

enum err site_let_in(struct site *s, const struct agent_name *name, struct str principal_namespace)
{
	char *copy = str_dup(principal_namespace);

	if (!copy)
		return E_NOMEM;
	mem_free(s->principal_namespace);
	s->principal_namespace = copy;
	s->mapping.principal_namespace = copy;
	s->name = *name;
	return E_OK;
}

void site_stop(struct site *s)
{
	session_stop(s->session);
	journal_flush(s->o.journal);
}

bool site_is_idle(const struct site *s)
{
	return session_is_idle(s->session);
}

/* ---- what the backend says -------------------------------------------------------------------------------------- */

static void on_object(void *ctx, struct object *o)
{
	struct site *s = ctx;

	missed_forget(&s->missed, o);
	if (session_object(s->session, o, now_ms(s), wall_ns(s)) == E_NOMEM)
		missed_add(&s->missed, o, now_ms(s));
	site_ready(s);
}

static void on_gone(void *ctx, struct object *last)
{
	struct site *s = ctx;

	missed_forget(&s->missed, last);
	session_object_gone(s->session, last, now_ms(s), wall_ns(s));
	site_ready(s);
}

/* What had no memory is looked at first: the rest must not be taken for gone. */
static void complete(struct site *s)
{
	if (s->synced || !s->listed || missed_due(&s->missed) != UINT64_MAX)
		return;
	s->synced = true;
	session_synced(s->session, now_ms(s), wall_ns(s));
	s->o.events.on_synced(s->o.events.ctx);
	site_ready(s);
}

static void on_synced(void *ctx)
{
	struct site *s = ctx;

	s->listed = true;
	complete(s);
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	struct site *s = ctx;

	s->o.events.on_problem(s->o.events.ctx, why, bad);
	if (bad)
		return;
	session_recovered(s->session);
	site_ready(s);
}

enum err site_start(struct site *s, struct why *why)
{
	const struct backend_watcher watcher = {
		.on_object = on_object, .on_gone = on_gone, .on_synced = on_synced, .on_problem = on_problem, .ctx = s
	};

	return backend_start(s->o.backend, &watcher, why);
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

void site_ready(struct site *s)
{
	bool known = s->ready;

	s->ready = true;
	if (!known && !s->turning) /* who stops has rows to write all the same */
		s->o.events.on_wake(s->o.events.ctx);
}

static void look_again(struct site *s, uint64_t now)
{
	struct object *o;

	for (size_t n = missed_begin(&s->missed, now); n && (o = missed_take(&s->missed)); n--) {
		on_object(s, o);
		object_unref(o);
	}
	complete(s);
}

uint64_t site_turn(struct site *s)
{
	uint64_t now = now_ms(s), due_ms, missed_ms;

	s->turning = true;
	s->ready = false;
	look_again(s, now);
	session_work(s->session, now, wall_ns(s));
	s->o.events.on_ready(s->o.events.ctx, s->session);
	s->turning = false;
	journal_flush(s->o.journal);
	due_ms = session_due(s->session, now);
	missed_ms = missed_due(&s->missed);
	due_ms = missed_ms < due_ms ? missed_ms : due_ms;
	return s->ready ? now : due_ms;
}

struct session *site_session(struct site *s)
{
	return s->session;
}

bool site_is_synced(const struct site *s)
{
	return s->synced;
}
