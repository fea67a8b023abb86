#include <stdio.h>

#include "base/mem.h"
#include "principal/hub_impl.h"

/* In the ledger an agent's two modes are two peers: what one knows means nothing to the other. */
#define ROWS_AUTONOMOUS "~autonomous"

/* A setting of the ledger for each agent: the mode it was in last. */
#define SETTING_AGENT   "agent/"

void hub_agent_free(struct hub_agent *a)
{
	heap_remove(&a->hub->due, &a->due);
	list_remove(&a->in_ready);
	session_free(a->session);
	mem_free(a->rows);
	mem_free(a);
}

static void on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
		       enum delivery_outcome outcome, bool retryable, const char *text)
{
	struct hub_agent *a = ctx;

	a->hub->o.events.on_applied(a->hub->o.events.ctx, a, event, place, outcome, retryable, text);
}

static void on_heard(void *ctx, const struct peer_heard *heard)
{
	struct hub_agent *a = ctx;

	a->hub->o.events.on_heard(a->hub->o.events.ctx, a, heard);
}

static void on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	struct hub_agent *a = ctx;

	a->hub->o.events.on_reverted(a->hub->o.events.ctx, a, place, err, text);
}

static void on_full(void *ctx, const struct room *room)
{
	struct hub_agent *a = ctx;

	if (a->hub->o.events.on_full)
		a->hub->o.events.on_full(a->hub->o.events.ctx, a, room);
}

static void on_held(void *ctx, const char *text)
{
	struct hub_agent *a = ctx;

	if (a->hub->o.events.on_held)
		a->hub->o.events.on_held(a->hub->o.events.ctx, a, text);
}

static void on_cache_info(void *ctx, struct str json)
{
	struct hub_agent *a = ctx;

	a->hub->o.events.on_cache_info(a->hub->o.events.ctx, a, json);
}

static void on_wake(void *ctx)
{
	hub_ready(ctx);
}

static struct session *new_session(struct hub_agent *a)
{
	const struct hub_options *o = &a->hub->o;
	struct session_options options = {
		.role = { .end = a->mode == AGENT_AUTONOMOUS ? ROLE_PRINCIPAL_OF_AUTONOMOUS : ROLE_PRINCIPAL_OF_MANAGED,
			  .agent = a->name.text,
			  .principal_uid = o->principal_uid,
			  .principal = &o->mapping,
			  .project_goes = hub_project_goes,
			  .ctx = a->hub },
		.rows = a->rows,
		.backend = o->backend,
		.journal = o->journal,
		.outbox = o->outbox,
		.inbox = o->inbox,
		.guard = o->guard,
		.limits = o->limits,
		.all = &a->hub->peers,
		.source = o->source,
		.message_max = o->message_max,
		.seed = (a->hub->seed += 0x9e3779b97f4a7c15ULL),
		.events = { .on_applied = on_applied,
			    .on_heard = on_heard,
			    .on_reverted = on_reverted,
			    .on_full = on_full,
			    .on_held = on_held,
			    .on_cache_info = on_cache_info,
			    .on_wake = on_wake,
			    .ctx = a },
	};

	return session_new(&options, o->now_ms(o->events.ctx));
}

static void agent_freep(struct hub_agent **a)
{
	if (*a)
		hub_agent_free(*a);
}

static struct hub_agent *agent_new(struct hub *h, struct str name, enum agent_mode mode)
{
	CLEANUP(agent_freep) struct hub_agent *a = mem_alloc(sizeof(*a));
	char rows[AGENT_NAME_MAX + sizeof(ROWS_AUTONOMOUS)];

	if (!a)
		return NULL;
	a->hub = h;
	a->mode = mode;
	if (!agent_name_set(&a->name, name))
		return NULL;
	(void)snprintf(rows, sizeof(rows), "%s%s", a->name.text, mode == AGENT_AUTONOMOUS ? ROWS_AUTONOMOUS : "");
	/* Room among the due ones now, so that its turn cannot be lost for want of memory. */
	if (!(a->rows = str_dup(str_of(rows))) || !(a->session = new_session(a)) ||
	    heap_reserve(&h->due, h->agents.n + 1) != E_OK || map_put(&h->agents, str_of(a->name.text), a) != E_OK)
		return NULL;
	return TAKE(a);
}

/* What it was ends, when nothing of it is under way any more. */
static void retire(struct hub_agent *a)
{
	struct hub *h = a->hub;

	h->o.events.on_retired(h->o.events.ctx, a);
	(void)map_remove(&h->agents, str_of(a->name.text));
	heap_remove(&h->due, &a->due);
	list_remove(&a->in_ready);
	session_stop(a->session);
	list_put_last(&h->stopped, &a->in_ready);
}

static enum err keep_mode(const struct hub_agent *a, bool remove)
{
	char name[sizeof(SETTING_AGENT) + AGENT_NAME_MAX];
	struct ledger_row row = { .bytes = str_of(agent_mode_text(a->mode)) };

	(void)snprintf(name, sizeof(name), "%s%s", SETTING_AGENT, a->name.text);
	row.name = str_of(name);
	return journal_add(a->hub->o.journal, LEDGER_SETTING, remove, &row);
}

static enum err end_retired(struct hub_agent *a)
{
	enum err err = session_forget(a->session);

	if (err != E_OK || !a->told)
		return err;
	err = keep_mode(a, /* remove= */ true);
	return err == E_OK ? journal_tell(a->hub->o.journal, a->told, (struct str)STR("")) : err;
}

bool hub_end_retired(struct hub *h)
{
	bool lacking = false;

	for (struct link *l = h->stopped.next, *next; l != &h->stopped; l = next) {
		struct hub_agent *a = AGENT_OF(l, in_ready);

		next = l->next;
		if (!session_is_idle(a->session))
			continue;
		if (end_retired(a) == E_OK)
			hub_agent_free(a);
		else
			lacking = true;
	}
	return lacking;
}

/* Rows of two times in one mode have the same names. */
static bool has_not_ended(struct hub *h, struct str name)
{
	(void)hub_end_retired(h);
	for (const struct link *l = h->stopped.next; l != &h->stopped; l = l->next)
		if (str_is(name, AGENT_OF(l, in_ready)->name.text))
			return true;
	return false;
}

struct hub_agent *hub_find(const struct hub *h, struct str name)
{
	return map_get(&h->agents, name);
}

struct hub_agent *hub_agent(struct hub *h, struct str name, enum agent_mode mode)
{
	struct hub_agent *a = hub_find(h, name);

	if (a && (a->mode == mode || mode == AGENT_MODE_NONE))
		return a;
	if (has_not_ended(h, name))
		return NULL;
	if (a)
		retire(a);
	a = agent_new(h, name, mode == AGENT_MODE_NONE ? AGENT_MANAGED : mode);
	if (!a)
		return NULL;
	(void)keep_mode(
		a, /* remove= */ false); /* without memory it is managed after a restart, until it says otherwise */
	if (h->state != HUB_LISTING)
		hub_report_all(a);
	return a;
}

void hub_forget(struct hub_agent *a, struct journal_listener *told)
{
	a->told = told;
	retire(a);
	a->hub->o.events.on_wake(a->hub->o.events.ctx);
}

struct hub_agent *hub_next(const struct hub *h, size_t *at)
{
	const struct map_entry *e = map_next(&h->agents, at);

	return e ? e->value : NULL;
}

static enum err load_mode(struct hub *h, const struct ledger_row *row)
{
	struct str name = row->name;
	enum agent_mode mode;

	if (!str_starts(name, (struct str)STR(SETTING_AGENT)))
		return E_OK;
	name = str_sub(name, sizeof(SETTING_AGENT) - 1, name.n);
	if (!agent_name_ok(name) || !agent_mode_parse(row->bytes, &mode) || hub_find(h, name))
		return E_MALFORMED;
	return agent_new(h, name, mode) ? E_OK : E_NOMEM;
}

enum err hub_load(struct hub *h, enum ledger_table table, const struct ledger_row *row)
{
	bool autonomous = str_ends(row->peer, (struct str)STR(ROWS_AUTONOMOUS));
	struct str name = str_sub(row->peer, 0, row->peer.n - (autonomous ? sizeof(ROWS_AUTONOMOUS) - 1 : 0));
	enum agent_mode mode = autonomous ? AGENT_AUTONOMOUS : AGENT_MANAGED;
	struct hub_agent *a = hub_find(h, name);

	if (table == LEDGER_SETTING)
		return load_mode(h, row);
	if (table == LEDGER_OBJECT)
		return E_OK;
	if (!agent_name_ok(name))
		return E_MALFORMED;
	if (!a && !(a = agent_new(h, name, mode)))
		return E_NOMEM;
	/* Of what it was in an earlier mode nothing is true any more, nor will it be when that comes back. */
	return a->mode == mode ? session_load(a->session, table, row)
			       : journal_add(h->o.journal, table, /* remove= */ true, row);
}
