#include <stdio.h>

#include "base/mem.h"
#include "ground.h"
#include "principal/hub_impl.h"
#include "trees.h"
#include "wire/convert.h"
#include "wire/resync.h"

#define APP(namespace, uid, revision)                                                                                  \
	"{'metadata':{'name':'web','namespace':'" namespace "','uid':'" uid "'},'spec':{'destination':{'name':'a1'},'" \
							    "source':{'targetRevision':'" revision "'}}}"
#define PROJECT(uid, agents)                                                                                    \
	"{'metadata':{'name':'team','namespace':'argocd','uid':'" uid "'},'spec':{'sourceNamespaces':['" agents \
	"'],'destinations':[{'name':'" agents "','namespace':'*'}]}}"

#define REPOSITORY(project)                                                                     \
	"{'metadata':{'name':'repo','namespace':'argocd','uid':'u3','labels':{'argocd.argoproj" \
	".io/secret-type':'repository'}},'data':{'project':'" project "'}}"
#define TEAM "dGVhbQ=="

/* ---- a hub on its ground; the test is its agents ----------------------------------------------------------------------- */

struct scene {
	struct ground g;
	struct patterns *everywhere;
	bool by_destination;
	struct hub *hub;
	uint64_t turn_at; /* UINT64_MAX: nobody asked for one */
	uint64_t epochs;
	uint64_t resync_ms;
	uint64_t peers_bytes; /* 0: no limit */
	unsigned turns;       /* of agents */
	unsigned changes[HUB_CHANGE_COUNT];
	unsigned retired;
	enum mapping_reason unowned;
	char said[2048];
	size_t said_n;
};

/* In memory that does not fail. */
__attribute__((format(printf, 2, 3))) static void say(struct scene *sc, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	sc->said_n += (size_t)vsnprintf(sc->said + sc->said_n, sizeof(sc->said) - sc->said_n, format, args);
	va_end(args);
	assert_true(sc->said_n < sizeof(sc->said));
}

static uint64_t now_ms(void *ctx)
{
	return ((struct scene *)ctx)->g.now;
}

static int64_t wall_ns(void *ctx)
{
	(void)ctx;
	return 0;
}

/* What concerns objects; comparisons have random ids. */
static void describe(struct scene *sc, const struct hub_agent *a, struct str message)
{
	static const char *const outcomes[] = { "", "received", "applied", "rejected" };
	struct wire_event e;
	struct why why;

	assert_int_equal(wire_event_decode(message, &e, &why), E_OK);
	if (e.target == WIRE_TO_ACK && e.outcome != WIRE_RECEIVED)
		say(sc, "%s: %s %.*s\n", a->name.text, outcomes[e.outcome], STR_ARG(e.event_id));
	else if (e.type == WIRE_AGAIN)
		say(sc, "%s: %s\n", a->name.text, wire_type_name(e.type));
	else if (wire_is_object(&e))
		say(sc, "%s: %s %.*s\n", a->name.text, wire_type_name(e.type), STR_ARG(e.event_id));
}

static void on_ready(void *ctx, struct hub_agent *a)
{
	struct scene *sc = ctx;
	struct buf message = { 0 };
	uint64_t order;

	sc->turns++;
	while (session_take(a->session, sc->g.now, /* wall_ns= */ 0, &message, &order)) {
		describe(sc, a, buf_view(&message));
		if (order)
			session_sent(a->session, order, sc->g.now, /* random= */ 7);
		buf_clear(&message);
	}
	buf_release(&message);
}

static void on_retired(void *ctx, struct hub_agent *a)
{
	(void)a;
	((struct scene *)ctx)->retired++;
}

static void on_applied(void *ctx, struct hub_agent *a, const struct delivery_event *event,
		       const struct replica_place *place, enum delivery_outcome outcome, bool retryable,
		       const char *text)
{
	(void)ctx, (void)a, (void)event, (void)place, (void)outcome, (void)retryable, (void)text;
}

static void on_heard(void *ctx, struct hub_agent *a, const struct peer_heard *heard)
{
	(void)ctx, (void)a, (void)heard;
}

static void on_reverted(void *ctx, struct hub_agent *a, const struct replica_place *place, enum err err,
			const char *text)
{
	struct scene *sc = ctx;

	say(sc, "%s: %s/%s %s\n", a->name.text, place->namespace, place->name, err == E_OK ? text : "not put back");
}

static void on_cache_info(void *ctx, struct hub_agent *a, struct str json)
{
	(void)ctx, (void)a, (void)json;
}

static void on_change(void *ctx, enum object_kind kind, enum hub_change change)
{
	struct scene *sc = ctx;

	sc->changes[change] += kind == OBJECT_APPLICATION;
}

static void on_unowned(void *ctx, const struct object *application, enum mapping_reason reason)
{
	(void)application;
	((struct scene *)ctx)->unowned = reason;
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx, (void)why, (void)bad;
}

static void on_synced(void *ctx)
{
	(void)ctx;
}

static void on_wake(void *ctx)
{
	struct scene *sc = ctx;

	sc->turn_at = sc->g.now;
}

struct loading {
	struct hub *hub;
	enum ledger_table table;
};

static void load_row(void *ctx, const struct ledger_row *row)
{
	const struct loading *l = ctx;

	assert_int_equal(hub_load(l->hub, l->table, row), E_OK);
}

static struct hub *new_hub(struct scene *sc)
{
	const struct hub_options options = {
		.mapping = { .by_destination = sc->by_destination, .namespace = "argocd", .allowed = sc->everywhere },
		.principal_uid = "principal",
		.backend = sc->g.backend,
		.journal = sc->g.journal,
		.outbox = outbox_defaults,
		.inbox = inbox_defaults,
		.guard = { .share_max = 50, .count_min = 2 },
		.limits = { .resync_ms = 300000 },
		.peers_bytes = sc->peers_bytes,
		.source = STR("principal"),
		.seed = 3,
		.now_ms = now_ms,
		.wall_ns = wall_ns,
		.events = { on_ready, on_retired, on_applied, on_heard, on_reverted, NULL, NULL, on_cache_info,
			    on_change, on_unowned, on_problem, on_synced, on_wake, sc },
	};

	return hub_new(&options);
}

static void start(struct scene *sc)
{
	static const enum ledger_table tables[] = { LEDGER_SETTING, LEDGER_COPY, LEDGER_COMMAND, LEDGER_REPLICA };
	struct why why;

	sc->turn_at = UINT64_MAX;
	sc->hub = new_hub(sc);
	assert_non_null(sc->hub);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		ground_rows(&sc->g, tables[i], load_row, &(struct loading){ .hub = sc->hub, .table = tables[i] });
	assert_int_equal(hub_start(sc->hub, &why), E_OK);
}

static void begin_with(struct scene *sc, uint64_t peers_bytes)
{
	struct why why;

	*sc = (struct scene){ .peers_bytes = peers_bytes };
	assert_int_equal(patterns_new((struct str)STR("*"), &why, &sc->everywhere), E_OK);
	ground_begin(&sc->g, /* now= */ 1000);
	start(sc);
}

static void begin(struct scene *sc)
{
	begin_with(sc, /* peers_bytes= */ 0);
}

static void crash(struct scene *sc)
{
	ground_crash(&sc->g);
	hub_free(sc->hub);
}

static void restart(struct scene *sc)
{
	ground_open(&sc->g);
	start(sc);
}

static void end(struct scene *sc)
{
	crash(sc);
	ground_end(&sc->g);
	patterns_free(sc->everywhere);
}

static void run(struct scene *sc, uint64_t ms)
{
	uint64_t until = sc->g.now + ms;

	for (;;) {
		while (ground_step(&sc->g))
			;
		if (sc->turn_at <= sc->g.now)
			sc->turn_at = hub_turn(sc->hub);
		else if (sc->g.now < until)
			sc->g.now++;
		else
			return;
	}
}

static void expect(struct scene *sc, const char *text)
{
	run(sc, 5);
	assert_string_equal(sc->said, text);
	sc->said[sc->said_n = 0] = 0;
}

static struct hub_agent *connect_in(struct scene *sc, const char *name, enum agent_mode mode, unsigned dialect)
{
	const struct wire_dialect agreed = { .version = dialect, .window_events = 100, .window_bytes = 1 << 20 };
	struct hub_agent *a = hub_agent(sc->hub, str_of(name), mode);

	assert_non_null(a);
	assert_int_equal(session_open(a->session, ++sc->epochs, &agreed, sc->g.now), E_OK);
	hub_ready(a);
	return a;
}

static struct hub_agent *connect_agent(struct scene *sc, const char *name, enum agent_mode mode)
{
	return connect_in(sc, name, mode, WIRE_NEWEST);
}

static void hear(struct scene *sc, struct hub_agent *a, const struct wire_event *e)
{
	struct buf bytes = { 0 };

	assert_int_equal(wire_event_encode(e, &bytes), E_OK);
	CLEANUP(blob_unref_freep) struct blob *message = blob_new(buf_view(&bytes));

	buf_release(&bytes);
	session_receive(a->session, session_epoch(a->session), blob_view(message), sc->g.now, /* random= */ 3);
	hub_ready(a);
}

static void answer(struct scene *sc, struct hub_agent *a, const char *resource_id, const char *event_id)
{
	hear(sc, a,
	     &(struct wire_event){ .type = WIRE_PROCESSED,
				   .target = WIRE_TO_ACK,
				   .resource_id = str_of(resource_id),
				   .event_id = str_of(event_id),
				   .outcome = WIRE_APPLIED });
	run(sc, 5);
}

static void put(struct scene *sc, const char *json)
{
	ground_put(&sc->g, OBJECT_APPLICATION, json);
}

static struct source_stats source_of(const struct hub_agent *a)
{
	struct source_stats stats;

	source_stats(session_source(a->session), &stats);
	return stats;
}

/* ---- whom an object concerns ------------------------------------------------------------------------------------------- */

/* Of two agents one was refused something. */
static void the_end_of_a_problem_is_told_to_whom_something_was_refused(void **state)
{
	static const struct wire_event create = { .type = WIRE_CREATE,
						  .target = WIRE_TO_APPLICATION,
						  .resource_id = STR("web_u1"),
						  .event_id = STR("web_u1_1"),
						  .data = STR(
							  "{\"metadata\":{\"name\":\"web\",\"namespace\":\"argocd\","
							  "\"uid\":\"u1\"},\"spec\":{\"source\":{}}}") };
	struct hub_agent *a1;
	struct scene sc;

	(void)state;
	begin(&sc);
	a1 = connect_agent(&sc, "a1", AGENT_AUTONOMOUS);
	connect_agent(&sc, "a2", AGENT_AUTONOMOUS);
	expect(&sc, "");
	memory_store_problem(sc.g.store, /* bad= */ true);
	memory_store_fail(sc.g.store, E_UNAVAILABLE, 1);
	hear(&sc, a1, &create);
	expect(&sc, "a1: rejected web_u1_1\n");
	memory_store_problem(sc.g.store, /* bad= */ false);
	expect(&sc, "a1: again\n");
	hear(&sc, a1, &create);
	expect(&sc, "a1: applied web_u1_1\n");
	end(&sc);
}

static void what_is_there_for_an_agent_waits_until_it_comes_for_the_first_time(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	put(&sc, APP("a1", "u1", "r1"));
	expect(&sc, "");
	assert_non_null(hub_find(sc.hub, str_of("a1")));
	assert_null(hub_find(sc.hub, str_of("argocd")));
	crash(&sc);
	restart(&sc);
	expect(&sc, "");
	connect_agent(&sc, "a1", AGENT_MANAGED);
	expect(&sc, "a1: create web_u1_1\n");
	end(&sc);
}

static void each_object_goes_to_whom_it_concerns(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	connect_agent(&sc, "a2", AGENT_MANAGED);
	run(&sc, 5);
	put(&sc, APP("a2", "u1", "r1"));
	expect(&sc, "a2: create web_u1_1\n");
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u2", "a1"));
	expect(&sc, "a1: create team_u2_2\n");
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u2", "a*"));
	expect(&sc, "a2: create team_u2_3\n"); /* a1 has not answered yet */
	end(&sc);
}

#define COPIED_PROJECT(name)                                                                 \
	"{'metadata':{'name':'" name                                                         \
	"','namespace':'argocd','uid':'u2','annotations':{'argocd.argoproj.io/source-uid':'" \
	"u9'}},'spec':{'sourceNamespaces':['a1'],'destinations':[{'name':'a1','namespace':'*'}]}}"

static uint64_t slots_of(const struct hub_agent *a)
{
	struct replica_stats stats;

	replica_stats(session_replica(a->session), &stats);
	return stats.slots;
}

static void the_copy_of_an_agents_project_takes_no_memory_of_others(void **state)
{
	struct hub_agent *a1, *a2;
	struct scene sc;

	(void)state;
	begin(&sc);
	a1 = connect_agent(&sc, "a1", AGENT_AUTONOMOUS);
	a2 = connect_agent(&sc, "a2", AGENT_MANAGED);
	run(&sc, 5);
	ground_put(&sc.g, OBJECT_APPPROJECT, COPIED_PROJECT("a1-team"));
	run(&sc, 5);
	assert_int_equal(slots_of(a1), 1);
	assert_int_equal(slots_of(a2), 0);
	ground_remove(&sc.g, OBJECT_APPPROJECT, "argocd", "a1-team");
	run(&sc, 5);
	assert_int_equal(slots_of(a1), 0);
	end(&sc);
}

/* Turns of agents that a project of one of them leads to, from its creation to its end. */
static unsigned turns_beside(size_t others)
{
	char name[] = "b00";
	struct scene sc;

	begin(&sc);
	for (size_t i = 0; i < others; i++) {
		name[1] = (char)('0' + i / 10);
		name[2] = (char)('0' + i % 10);
		connect_agent(&sc, name, i % 2 ? AGENT_MANAGED : AGENT_AUTONOMOUS);
	}
	connect_agent(&sc, "a1", AGENT_AUTONOMOUS);
	connect_agent(&sc, "a1-b", AGENT_AUTONOMOUS);
	run(&sc, 5);
	sc.turns = 0;
	ground_put(&sc.g, OBJECT_APPPROJECT, COPIED_PROJECT("a1-b-team"));
	run(&sc, 5);
	ground_remove(&sc.g, OBJECT_APPPROJECT, "argocd", "a1-b-team");
	run(&sc, 5);
	end(&sc);
	return sc.turns;
}

static void an_agents_project_is_told_to_those_alone_whose_name_it_may_have(void **state)
{
	(void)state;
	assert_int_equal(turns_beside(0), 4); /* each of the two, twice */
	assert_int_equal(turns_beside(30), 4);
}

static void what_an_agent_does_not_get_takes_no_memory_of_its_session(void **state)
{
	struct hub_agent *a1;
	struct scene sc;

	(void)state;
	begin(&sc);
	a1 = connect_agent(&sc, "a1", AGENT_MANAGED);
	run(&sc, 5);
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u2", "a2"));
	ground_put(&sc.g, OBJECT_REPOSITORY, REPOSITORY(TEAM));
	expect(&sc, "");
	assert_int_equal(slots_of(a1), 0);
	assert_int_equal(source_of(a1).objects, 0);
	end(&sc);
}

/* Allocations until a change of the project `team` is dealt with, beside a repository. */
static long cost_beside(const char *repository)
{
	struct scene sc;
	long count;

	begin(&sc);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	ground_put(&sc.g, OBJECT_REPOSITORY, repository);
	run(&sc, 5);
	mem_fail_at(0);
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u2", "a2"));
	expect(&sc, "");
	count = mem_count();
	end(&sc);
	return count;
}

/* An autonomous agent may change its project in a loop, beside all repositories and all agents. */
static void only_repositories_of_a_project_are_looked_at_when_it_changes(void **state)
{
	(void)state;
	assert_int_equal(cost_beside(REPOSITORY("b3RoZXI=")), cost_beside(REPOSITORY("")));
	assert_true(cost_beside(REPOSITORY(TEAM)) > cost_beside(REPOSITORY("")));
}

static void a_repository_follows_the_project_that_it_names_last(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	ground_put(&sc.g, OBJECT_REPOSITORY, REPOSITORY("b3RoZXI="));
	expect(&sc, "");
	ground_put(&sc.g, OBJECT_REPOSITORY, REPOSITORY(TEAM));
	expect(&sc, "");
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u2", "a1"));
	expect(&sc, "a1: create team_u2_3\na1: create repo_u3_2\n");
	ground_remove(&sc.g, OBJECT_APPPROJECT, "argocd", "team");
	expect(&sc, "a1: delete team_u2_3.delete\na1: delete repo_u3_2.delete\n");
	end(&sc);
}

static void a_copy_that_becomes_a_project_is_created_where_it_goes(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_agent(&sc, "a2", AGENT_MANAGED);
	run(&sc, 5);
	ground_put(&sc.g, OBJECT_APPPROJECT, COPIED_PROJECT("a1-team"));
	expect(&sc, "");
	ground_put(&sc.g, OBJECT_APPPROJECT,
		   "{'metadata':{'name':'a1-team','namespace':'argocd','uid':'u2'},'spec':{'sourceNamespaces':['a2'],"
		   "'destinations':[{'name':'a2','namespace':'*'}]}}");
	expect(&sc, "a2: create a1-team_u2_2\n");
	ground_remove(&sc.g, OBJECT_APPPROJECT, "argocd", "a1-team");
	expect(&sc, "a2: delete a1-team_u2_2.delete\n");
	end(&sc);
}

static void a_project_that_becomes_a_copy_is_deleted_where_it_was(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_agent(&sc, "a2", AGENT_MANAGED);
	run(&sc, 5);
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u2", "a2"));
	expect(&sc, "a2: create team_u2_1\n");
	ground_put(&sc.g, OBJECT_APPPROJECT, COPIED_PROJECT("team"));
	expect(&sc, "a2: delete team_u2_1.delete\n");
	end(&sc);
}

static void an_application_that_moves_is_deleted_at_the_one_and_created_at_the_other(void **state)
{
	struct scene sc;
	struct hub_agent *a1;

	(void)state;
	begin(&sc);
	crash(&sc);
	sc.by_destination = true;
	restart(&sc);
	a1 = connect_agent(&sc, "a1", AGENT_MANAGED);
	connect_agent(&sc, "a2", AGENT_MANAGED);
	put(&sc, APP("apps", "u1", "r1"));
	expect(&sc, "a1: create web_u1_1\n");
	answer(&sc, a1, "web_u1", "web_u1_1");
	put(&sc, "{'metadata':{'name':'web','namespace':'apps'},'spec':{'destination':{'name':'a2'}}}");
	expect(&sc, "a1: delete web_u1_1.delete\na2: create web_u1_2\n");
	assert_null(hub_find(sc.hub, str_of("apps"))); /* a namespace is no agent then */
	end(&sc);
}

static void an_application_of_nobody_is_counted_with_its_reason(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	run(&sc, 5);
	put(&sc, APP("argocd", "u1", "r1"));
	expect(&sc, "");
	assert_int_equal(sc.unowned, MAPPING_OWN_NAMESPACE);
	assert_int_equal(hub_unowned(sc.hub, MAPPING_OWN_NAMESPACE), 1);
	assert_int_equal(hub_objects_of(sc.hub, OBJECT_APPLICATION), 1);
	ground_remove(&sc.g, OBJECT_APPLICATION, "argocd", "web");
	run(&sc, 5);
	assert_int_equal(hub_unowned(sc.hub, MAPPING_OWN_NAMESPACE), 0);
	assert_int_equal(hub_objects(sc.hub), 0);
	end(&sc);
}

/* A copy of an agent that is not known, and what is excluded. */
static void what_is_nobodys_makes_no_agent(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	put(&sc, "{'metadata':{'name':'web','namespace':'a8','uid':'u8','annotations':{'argocd.argoproj.io/source-uid':"
		 "'l8'}},'spec':{}}");
	put(&sc,
	    "{'metadata':{'name':'web','namespace':'a9','uid':'u9','labels':{'argocd-agent.argoproj-labs.io/ignore-"
	    "sync':'true'}},'spec':{}}");
	expect(&sc, "");
	assert_null(hub_find(sc.hub, str_of("a8")));
	assert_null(hub_find(sc.hub, str_of("a9")));
	end(&sc);
}

static void an_agent_that_there_was_no_memory_to_make_is_made_later(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct scene sc;

		begin(&sc);
		run(&sc, 5);
		put(&sc, APP("a1", "u1", "r1"));
		mem_fail_at(++n);
		run(&sc, 0);
		count = mem_count();
		mem_fail_at(0);
		run(&sc, 1100);
		assert_non_null(hub_find(sc.hub, str_of("a1")));
		end(&sc);
	} while (n <= count);
	assert_true(n > 10);
}

static void changes_are_told_of_what_happens_and_not_of_what_was_there(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	put(&sc, APP("a1", "u1", "r1"));
	run(&sc, 5);
	assert_int_equal(sc.changes[HUB_CREATED], 0);
	put(&sc, APP("a1", "u1", "r2"));
	put(&sc, APP("a2", "u2", "r1"));
	ground_remove(&sc.g, OBJECT_APPLICATION, "a1", "web");
	run(&sc, 5);
	assert_int_equal(sc.changes[HUB_CREATED], 1);
	assert_int_equal(sc.changes[HUB_UPDATED], 1);
	assert_int_equal(sc.changes[HUB_DELETED], 1);
	end(&sc);
}

/* ---- over a restart ---------------------------------------------------------------------------------------------------- */

/* Confirmed by a1: "web" and `more` others. */
static void begin_confirmed(struct scene *sc, int more)
{
	struct hub_agent *a;
	char json[256], resource_id[32], event_id[32];

	begin(sc);
	a = connect_agent(sc, "a1", AGENT_MANAGED);
	run(sc, 5);
	put(sc, APP("a1", "u1", "r1"));
	run(sc, 5);
	answer(sc, a, "web_u1", "web_u1_1");
	for (int i = 2; i < 2 + more; i++) {
		(void)snprintf(json, sizeof(json), "{'metadata':{'name':'n%d','namespace':'a1','uid':'u%d'},'spec':{}}",
			       i, i);
		put(sc, json);
		run(sc, 5);
		(void)snprintf(resource_id, sizeof(resource_id), "n%d_u%d", i, i);
		(void)snprintf(event_id, sizeof(event_id), "n%d_u%d_%d", i, i, i);
		answer(sc, a, resource_id, event_id);
	}
	sc->said[sc->said_n = 0] = 0;
}

static void what_was_deleted_while_it_was_down_goes_to_an_agent_of_which_only_rows_are_left(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc, 0);
	crash(&sc);
	ground_remove(&sc.g, OBJECT_APPLICATION, "a1", "web");
	restart(&sc);
	run(&sc, 5);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	expect(&sc, "a1: delete web_u1_1.delete\n");
	end(&sc);
}

/* `n` applications of a1 that nobody has seen, other ones than there were. */
static void put_many(struct scene *sc, unsigned n)
{
	char json[128];

	for (unsigned i = 0; i < n; i++) {
		snprintf(json, sizeof(json), "{'metadata':{'name':'m%u','namespace':'a1','uid':'m%u'},'spec':{}}", i,
			 i);
		put(sc, json);
	}
}

static void take_all(struct scene *sc)
{
	while (memory_store_count(sc->g.store)) {
		size_t at = 0;
		const struct object *o = memory_store_next(sc->g.store, &at);

		ground_remove(&sc->g, OBJECT_APPLICATION, o->namespace, o->name);
	}
}

static void an_empty_source_wipes_nobody_until_somebody_says_so(void **state)
{
	struct scene sc;
	struct hub_agent *a;

	(void)state;
	begin_confirmed(&sc, 3);
	crash(&sc);
	take_all(&sc);
	restart(&sc);
	a = connect_agent(&sc, "a1", AGENT_MANAGED);
	expect(&sc, "");
	assert_int_equal(source_of(a).held, 4);
	put(&sc, "{'metadata':{'name':'new','namespace':'a1','uid':'u9'},'spec':{}}");
	expect(&sc, "a1: create new_u9_5\n");
	assert_int_equal(source_of(a).held, 4);
	source_release(session_source(a->session), sc.g.now);
	hub_ready(a);
	run(&sc, 5);
	assert_int_equal(source_of(a).held, 0);
	assert_non_null(strstr(sc.said, "a1: delete web_u1_1.delete\n"));
	assert_non_null(strstr(sc.said, "a1: delete n4_u4_4.delete\n"));
	end(&sc);
}

/* Who waits for a turn meanwhile, a page of metrics or a watchdog, gets it. */
static void what_there_is_at_the_start_is_told_in_pieces(void **state)
{
	struct scene sc;
	struct hub_agent *a;

	(void)state;
	begin(&sc);
	crash(&sc);
	put_many(&sc, 2 * HUB_TELL_MAX + 1);
	restart(&sc);
	sc.g.disk_held = true;
	while (ground_step(&sc.g))
		;
	a = hub_find(sc.hub, str_of("a1"));
	assert_int_equal(source_of(a).objects, HUB_TELL_MAX);
	assert_int_equal(hub_turn(sc.hub), sc.g.now);
	assert_int_equal(source_of(a).objects, 2 * HUB_TELL_MAX);
	assert_false(hub_is_synced(sc.hub));
	(void)hub_turn(sc.hub);
	assert_int_equal(source_of(a).objects, 2 * HUB_TELL_MAX + 1);
	assert_true(hub_is_synced(sc.hub));
	end(&sc);
}

/* Each looks then at all that it has. */
static void agents_are_complete_one_after_the_other(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	put(&sc, APP("a1", "u1", "r1"));
	put(&sc, APP("a2", "u2", "r1"));
	run(&sc, 5);
	crash(&sc);
	restart(&sc);
	while (ground_step(&sc.g))
		;
	assert_int_equal(hub_find(sc.hub, str_of("a1"))->complete + hub_find(sc.hub, str_of("a2"))->complete, 1);
	assert_false(hub_is_synced(sc.hub));
	(void)hub_turn(sc.hub);
	assert_true(hub_find(sc.hub, str_of("a1"))->complete && hub_find(sc.hub, str_of("a2"))->complete);
	assert_true(hub_is_synced(sc.hub));
	end(&sc);
}

/* Its first rows are durable before the last object is told. */
static void what_is_new_at_the_start_does_not_make_up_for_what_is_gone(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc, 3);
	crash(&sc);
	take_all(&sc);
	put_many(&sc, HUB_TELL_MAX + 1);
	restart(&sc);
	run(&sc, 5);
	assert_true(hub_is_synced(sc.hub));
	assert_int_equal(source_of(hub_find(sc.hub, str_of("a1"))).held, 4);
	end(&sc);
}

static void what_an_agent_knew_in_another_mode_means_nothing(void **state)
{
	struct scene sc;
	struct hub_agent *before, *a;

	(void)state;
	begin_confirmed(&sc, 0);
	before = hub_find(sc.hub, str_of("a1"));
	a = connect_agent(&sc, "a1", AGENT_AUTONOMOUS);
	assert_int_equal(sc.retired, 1);
	assert_ptr_not_equal(a, before);
	assert_ptr_equal(hub_find(sc.hub, str_of("a1")), a);
	run(&sc, 5);
	assert_int_equal(source_of(a).copies, 0);
	crash(&sc);
	restart(&sc);
	run(&sc, 5);
	a = hub_find(sc.hub, str_of("a1"));
	assert_int_equal(a->mode, AGENT_AUTONOMOUS);
	assert_ptr_equal(hub_agent(sc.hub, str_of("a1"), AGENT_AUTONOMOUS), a);
	assert_int_equal(sc.retired, 1);
	end(&sc);
}

#define APP_ASKED(number)                                                                 \
	"{'metadata':{'name':'web','namespace':'a1','uid':'u1'},'spec':{'source':{}},'op" \
	"eration':{'number':" number "}}"

/* A row of an earlier time as a managed agent would have it executed by the next. */
static void what_was_asked_of_an_agent_ends_with_its_mode(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	put(&sc, APP_ASKED("1"));
	run(&sc, 5);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COMMAND), 1);
	connect_agent(&sc, "a1", AGENT_AUTONOMOUS);
	run(&sc, 5);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COMMAND), 0);
	put(&sc, APP("a1", "u1", "r2"));
	connect_agent(&sc, "a1", AGENT_MANAGED);
	run(&sc, 5);
	crash(&sc);
	restart(&sc);
	run(&sc, 5);
	sc.said[sc.said_n = 0] = 0;
	connect_agent(&sc, "a1", AGENT_MANAGED);
	expect(&sc, "a1: create web_u1_2\n");
	answer(&sc, hub_find(sc.hub, str_of("a1")), "web_u1", "web_u1_2");
	expect(&sc, "");
	end(&sc);
}

static const struct wire_event web_of_its_own = {
	.type = WIRE_CREATE,
	.target = WIRE_TO_APPLICATION,
	.resource_id = STR("web_l1"),
	.event_id = STR("web_l1_1"),
	.data = STR("{\"metadata\":{\"name\":\"web\",\"namespace\":\"site\",\"uid\":\"l1\"},\"spec\":{}}"),
};

/* None of them has much; it is what many logins of one tenant could do to a machine. */
static void what_is_too_much_of_all_agents_together_waits(void **state)
{
	struct scene sc;

	(void)state;
	begin_with(&sc, /* peers_bytes= */ 2000);
	run(&sc, 5);
	hear(&sc, connect_agent(&sc, "a1", AGENT_AUTONOMOUS), &web_of_its_own);
	expect(&sc, "a1: applied web_l1_1\n");
	hear(&sc, connect_agent(&sc, "a2", AGENT_AUTONOMOUS), &web_of_its_own);
	expect(&sc, "a2: rejected web_l1_1\n");
	ground_remove(&sc.g, OBJECT_APPLICATION, "a1", "web");
	connect_agent(&sc, "a1", AGENT_MANAGED);
	run(&sc, 5);
	hear(&sc, hub_find(sc.hub, str_of("a2")), &web_of_its_own);
	expect(&sc, "a2: applied web_l1_1\n");
	end(&sc);
}

/* A record of that time would put back what its people have changed since. */
static void what_an_autonomous_agent_had_here_ends_with_its_mode(void **state)
{
	struct hub_agent *a;
	struct scene sc;

	(void)state;
	begin(&sc);
	run(&sc, 5);
	a = connect_agent(&sc, "a1", AGENT_AUTONOMOUS);
	hear(&sc, a, &web_of_its_own);
	expect(&sc, "a1: applied web_l1_1\n");
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	run(&sc, 5);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 0);
	end(&sc);
}

/* Rows of both times have the same names: those of the former would be the agent's after a restart. */
static void an_agent_that_comes_back_in_a_mode_waits_until_its_former_time_in_it_is_over(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	put(&sc, APP_ASKED("1"));
	run(&sc, 5);
	sc.g.disk_held = true;
	put(&sc, APP_ASKED("2"));
	run(&sc, 5);
	assert_non_null(hub_agent(sc.hub, str_of("a1"), AGENT_AUTONOMOUS));
	put(&sc, APP("a1", "u1", "r2"));
	run(&sc, 5);
	assert_null(hub_agent(sc.hub, str_of("a1"), AGENT_MANAGED));
	assert_int_equal(hub_find(sc.hub, str_of("a1"))->mode, AGENT_AUTONOMOUS);
	assert_non_null(hub_agent(sc.hub, str_of("a2"), AGENT_MANAGED)); /* which has nothing to do with it */
	sc.g.disk_held = false;
	run(&sc, 5);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	expect(&sc, "a1: create web_u1_3\n");
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COMMAND), 0);
	end(&sc);
}

/* The principal died while something was still under way in the mode before. */
static void rows_of_an_earlier_mode_go_at_the_start(void **state)
{
	const struct ledger_row mode = { .name = STR("agent/a1"), .bytes = STR("autonomous") };
	struct scene sc;
	struct why why;

	(void)state;
	begin_confirmed(&sc, 0);
	crash(&sc);
	assert_true(ground_row_count(&sc.g, LEDGER_COPY) > 0);
	ground_open(&sc.g);
	sc.hub = new_hub(&sc);
	assert_int_equal(hub_load(sc.hub, LEDGER_SETTING, &mode), E_OK);
	ground_rows(&sc.g, LEDGER_COPY, load_row, &(struct loading){ .hub = sc.hub, .table = LEDGER_COPY });
	assert_int_equal(hub_start(sc.hub, &why), E_OK);
	run(&sc, 5);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COPY), 0);
	end(&sc);
}

struct told {
	struct journal_listener listener;
	bool is;
};

static void on_told(struct journal_listener *l, struct str tag)
{
	(void)tag;
	CONTAINER_OF(l, struct told, listener)->is = true;
}

/* "a1" and "a11" have one application each, confirmed; that of a1 is gone meanwhile. */
static void begin_two(struct scene *sc)
{
	begin_confirmed(sc, 0);
	connect_agent(sc, "a11", AGENT_MANAGED);
	put(sc, APP("a11", "u2", "r1"));
	run(sc, 5);
	answer(sc, hub_find(sc->hub, str_of("a11")), "web_u2", "web_u2_2");
	put(sc, APP_ASKED("1"));
	run(sc, 5);
	ground_remove(&sc->g, OBJECT_APPLICATION, "a1", "web");
	run(sc, 5);
	sc->said[sc->said_n = 0] = 0;
}

static void of_a_forgotten_agent_nothing_is_left_and_all_of_the_others(void **state)
{
	struct told told = { .listener.on_durable = on_told };
	struct scene sc;

	(void)state;
	begin_two(&sc);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COPY), 2);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_SETTING), 2);
	sc.g.disk_held = true;
	hub_forget(hub_find(sc.hub, str_of("a1")), &told.listener);
	run(&sc, 5);
	assert_null(hub_find(sc.hub, str_of("a1")));
	assert_int_equal(sc.retired, 1);
	assert_false(told.is);
	sc.g.disk_held = false;
	run(&sc, 5);
	assert_true(told.is);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COPY), 1);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COMMAND), 0);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_SETTING), 1);
	crash(&sc);
	restart(&sc);
	run(&sc, 5);
	assert_null(hub_find(sc.hub, str_of("a1")));
	assert_int_equal(source_of(hub_find(sc.hub, str_of("a11"))).copies, 1);
	end(&sc);
}

static void a_forgotten_agent_that_comes_is_new_and_gets_everything(void **state)
{
	struct told told = { .listener.on_durable = on_told };
	struct scene sc;

	(void)state;
	begin_two(&sc);
	ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT("u3", "a*"));
	run(&sc, 5);
	sc.said[sc.said_n = 0] = 0;
	hub_forget(hub_find(sc.hub, str_of("a1")), &told.listener);
	run(&sc, 5);
	put(&sc, APP("a1", "u4", "r1"));
	expect(&sc, "");
	connect_agent(&sc, "a1", AGENT_MANAGED);
	expect(&sc, "a1: create team_u3_4\na1: create web_u4_5\n");
	end(&sc);
}

/* A row of it is on its way to the disk. */
static void an_agent_that_is_forgotten_comes_back_only_when_it_is(void **state)
{
	struct told told = { .listener.on_durable = on_told };
	struct scene sc;

	(void)state;
	begin(&sc);
	run(&sc, 5);
	sc.g.disk_held = true;
	put(&sc, APP("a1", "u1", "r1"));
	run(&sc, 5);
	ground_remove(&sc.g, OBJECT_APPLICATION, "a1", "web");
	run(&sc, 5);
	hub_forget(hub_find(sc.hub, str_of("a1")), &told.listener);
	run(&sc, 5);
	assert_null(hub_agent(sc.hub, str_of("a1"), AGENT_MANAGED));
	assert_false(told.is);
	sc.g.disk_held = false;
	run(&sc, 5);
	assert_true(told.is);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_COPY) + ground_row_count(&sc.g, LEDGER_SETTING), 0);
	assert_non_null(hub_agent(sc.hub, str_of("a1"), AGENT_MANAGED));
	end(&sc);
}

/* Of each allocation of the turns until it is forgotten one fails. */
static void nobody_is_told_before_all_of_an_agent_is_forgotten(void **state)
{
	bool failed = true;

	(void)state;
	for (long n = 1; failed; n++) {
		struct told told = { .listener.on_durable = on_told };
		struct scene sc;

		begin_two(&sc);
		crash(&sc);
		restart(&sc); /* its journal keeps no memory yet */
		run(&sc, 5);
		mem_fail_at(n);
		hub_forget(hub_find(sc.hub, str_of("a1")), &told.listener);
		sc.turn_at = hub_turn(sc.hub);
		failed = mem_count() >= n;
		mem_fail_at(0);
		run(&sc, 2000);
		assert_true(told.is);
		assert_int_equal(ground_row_count(&sc.g, LEDGER_COPY), 1);
		assert_int_equal(ground_row_count(&sc.g, LEDGER_COMMAND), 0);
		assert_int_equal(ground_row_count(&sc.g, LEDGER_SETTING), 1);
		end(&sc);
	}
}

static void an_agent_with_applications_in_the_source_would_be_known_again(void **state)
{
	struct scene sc;

	(void)state;
	begin_two(&sc);
	assert_int_equal(hub_owned(hub_find(sc.hub, str_of("a1"))), 0);
	assert_int_equal(hub_owned(hub_find(sc.hub, str_of("a11"))), 1);
	end(&sc);
}

static const struct wire_event status_of_web = {
	.type = WIRE_STATUS_UPDATE,
	.target = WIRE_TO_APPLICATION,
	.resource_id = STR("web_l1"),
	.event_id = STR("web_l1_5"),
	.data = STR("{\"metadata\":{\"name\":\"web\",\"namespace\":\"site\",\"uid\":\"l1\",\"annotations\":{"
		    "\"argocd.argoproj.io/source-uid\":\"u1\"}},\"status\":{\"health\":{\"status\":\"Healthy\"}}}"),
};

static void the_ids_of_what_an_agent_said_go_with_the_object_also_when_nobody_looked(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc, 0);
	hear(&sc, hub_find(sc.hub, str_of("a1")), &status_of_web);
	expect(&sc, "a1: applied web_l1_5\n");
	assert_string_equal(ground_at(&sc.g, OBJECT_APPLICATION, "a1", "web", "status.health.status"), "\"Healthy\"");
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	crash(&sc);
	ground_remove(&sc.g, OBJECT_APPLICATION, "a1", "web");
	restart(&sc);
	run(&sc, 5);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 0);
	end(&sc);
}

static void a_status_of_a_former_object_of_the_name_changes_nothing(void **state)
{
	struct wire_event former = status_of_web;
	struct scene sc;

	(void)state;
	begin_confirmed(&sc, 0);
	former.data = (struct str)STR(
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"site\",\"uid\":\"l1\",\"annotations\":{"
		"\"argocd.argoproj.io/source-uid\":\"u0\"}},\"status\":{\"of\":\"another\"}}");
	hear(&sc, hub_find(sc.hub, str_of("a1")), &former);
	run(&sc, 5);
	assert_string_equal(ground_at(&sc.g, OBJECT_APPLICATION, "a1", "web", "status"), "");
	end(&sc);
}

/* ---- ledger, turns, end ------------------------------------------------------------------------------------------------ */

static void rows_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		enum ledger_table table;
		struct ledger_row row;
		enum err err;
	} rows[] = {
		{ LEDGER_SETTING, { .name = STR("principal/uid"), .bytes = STR("x") }, E_OK },
		{ LEDGER_SETTING, { .name = STR("agent/a1"), .bytes = STR("upside-down") }, E_MALFORMED },
		{ LEDGER_SETTING, { .name = STR("agent/A 1"), .bytes = STR("managed") }, E_MALFORMED },
		{ LEDGER_COPY, { .peer = STR(""), .kind = STR("Application"), .name = STR("n") }, E_MALFORMED },
		{ LEDGER_COPY, { .peer = STR("../a"), .kind = STR("Application"), .name = STR("n") }, E_MALFORMED },
		{ LEDGER_REPLICA, { .peer = STR("a1"), .kind = STR("Nothing"), .name = STR("n") }, E_MALFORMED },
		{ LEDGER_REPLICA, { .peer = STR("a1"), .kind = STR("Application") }, E_MALFORMED },
		{ LEDGER_OBJECT, { .kind = STR("anything") }, E_OK },
	};
	struct scene sc;

	(void)state;
	begin(&sc);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(hub_load(sc.hub, rows[i].table, &rows[i].row), rows[i].err);
	end(&sc);
}

static void nothing_leaves_while_the_ledger_fails_and_everything_when_it_works_again(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	run(&sc, 5);
	sc.g.disk_failures = 3;
	put(&sc, APP("a1", "u1", "r1"));
	put(&sc, APP("a1", "u1", "r2"));
	expect(&sc, "");
	assert_int_equal(sc.g.disk_state, E_FULL);
	run(&sc, 1000);
	expect(&sc, "a1: create web_u1_2\n");
	assert_int_equal(sc.g.disk_state, E_OK);
	end(&sc);
}

static void agents_in_step_ask_for_no_turn(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc, 3);
	run(&sc, 1000);
	assert_int_equal(sc.turn_at, UINT64_MAX);
	end(&sc);
}

static void who_stops_waits_for_the_rows_that_are_on_their_way(void **state)
{
	struct scene sc;

	(void)state;
	begin_confirmed(&sc, 0);
	sc.g.disk_held = true;
	hear(&sc, hub_find(sc.hub, str_of("a1")), &status_of_web);
	run(&sc, 5);
	hub_stop(sc.hub);
	assert_false(hub_is_idle(sc.hub));
	put(&sc, APP("a3", "u3", "r1"));
	run(&sc, 5);
	assert_null(hub_find(sc.hub, str_of("a3")));
	sc.g.disk_held = false;
	run(&sc, 5);
	assert_true(hub_is_idle(sc.hub));
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	end(&sc);
}

/* Nobody runs the session of a retired agent again, nor one of a hub that stops: its status would wait for an answer for ever. */
static void who_stops_or_is_retired_waits_for_no_agent(void **state)
{
	(void)state;
	for (int stops = 0; stops < 2; stops++) {
		struct hub_agent *a;
		struct scene sc;

		begin(&sc);
		a = connect_in(&sc, "a1", AGENT_MANAGED, WIRE_UPSTREAM);
		run(&sc, 5);
		put(&sc, "{'metadata':{'name':'web','namespace':'a1','uid':'u1','annotations':{"
			 "'argocd.argoproj.io/refresh':'normal'}},'spec':{}}");
		expect(&sc, "a1: create web_u1_1\n");
		hear(&sc, a, &status_of_web); /* before its answer, perhaps of what was before the refresh */
		run(&sc, 5);
		assert_false(hub_is_idle(sc.hub));
		if (stops)
			hub_stop(sc.hub);
		else
			connect_in(&sc, "a1", AGENT_AUTONOMOUS, WIRE_UPSTREAM);
		run(&sc, 5);
		assert_true(hub_is_idle(sc.hub));
		end(&sc);
	}
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

/* A change that had no memory is not forgotten: the agent hears of it without anything else happening. */
static void a_change_that_had_no_memory_reaches_its_agent_all_the_same(void **state)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;
	json_object *tree = tree_of(APP("a1", "u1", "r1"));
	long n = 0, count;
	struct why why;

	(void)state;
	assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, &why, &o), E_OK);
	json_object_put(tree);
	do {
		struct scene sc;

		begin(&sc);
		connect_agent(&sc, "a1", AGENT_MANAGED);
		run(&sc, 5);
		assert_int_equal(memory_store_edit(sc.g.store, o), E_OK);
		mem_fail_at(++n);
		run(&sc, 5);
		count = mem_count();
		mem_fail_at(0);
		run(&sc, 7000);
		if (!strstr(sc.said, "a1: create web_u1_1\n"))
			fail_msg("allocation %ld: %s", n, sc.said);
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(n > 20);
}

#define MOVED "{'metadata':{'name':'web','namespace':'apps','uid':'u1'},'spec':{'destination':{'name':'a2'}}}"

/* Mapped by destination, a1 has the application. */
static void begin_before_move(struct scene *sc)
{
	struct hub_agent *a1;

	begin(sc);
	crash(sc);
	sc->by_destination = true;
	restart(sc);
	a1 = connect_agent(sc, "a1", AGENT_MANAGED);
	connect_agent(sc, "a2", AGENT_MANAGED);
	run(sc, 5);
	put(sc, APP("apps", "u1", "r1"));
	run(sc, 5);
	answer(sc, a1, "web_u1", "web_u1_1");
	run(sc, 5);
}

/* Both hear of it, whatever had no memory; and the former of a deletion that comes before the move was looked at. */
static void a_move_that_had_no_memory_reaches_both_agents_all_the_same(void **state)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;
	json_object *tree = tree_of(MOVED);
	long n = 0, count;
	struct why why;

	(void)state;
	assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, &why, &o), E_OK);
	json_object_put(tree);
	do {
		for (int goes = 0; goes < 2; goes++) {
			struct scene sc;

			begin_before_move(&sc);
			assert_int_equal(memory_store_edit(sc.g.store, o), E_OK);
			mem_fail_at(goes ? n : ++n);
			run(&sc, 5);
			count = mem_count();
			mem_fail_at(0);
			if (goes)
				ground_remove(&sc.g, OBJECT_APPLICATION, "apps", "web");
			run(&sc, 7000);
			if (!strstr(sc.said, "a1: delete web_u1_1.delete\n") ||
			    (!goes && !strstr(sc.said, "a2: create web_u1_2\n")))
				fail_msg("allocation %ld, %d: %s", n, goes, sc.said);
			end(&sc);
		}
	} while (n <= count);
	assert_true(n > 20);
}

/* Each turn has no memory when it begins, and the clock stands: how many turns does the hub want before it waits? */
static unsigned turns_without_memory(struct scene *sc)
{
	unsigned turns = 0;

	while (sc->turn_at <= sc->g.now && turns < 100) {
		mem_fail_at(1);
		sc->turn_at = hub_turn(sc->hub);
		mem_fail_at(0);
		turns++;
	}
	return turns;
}

static void without_memory_it_tries_again_after_a_pause(void **state)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;
	json_object *tree = tree_of(APP("a1", "u1", "r1"));
	long n = 0, count;
	struct why why;

	(void)state;
	assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, &why, &o), E_OK);
	json_object_put(tree);
	do {
		struct scene sc;

		begin(&sc);
		connect_agent(&sc, "a1", AGENT_MANAGED);
		run(&sc, 5);
		assert_int_equal(memory_store_edit(sc.g.store, o), E_OK);
		mem_fail_at(++n);
		while (ground_step(&sc.g))
			;
		count = mem_count();
		mem_fail_at(0);
		for (unsigned second = 0; second < 3; second++) {
			if (turns_without_memory(&sc) > 5)
				fail_msg("allocation %ld: it turns and turns", n);
			sc.g.now += 1000;
		}
		end(&sc);
	} while (n <= count);
	assert_true(n > 3);
}

/*
 * The hub's n-th allocation fails while the agent comes back to it after a crash; the agent is not told to delete anything. Gives
 * back how many there were.
 */
static long restart_short_of_memory(struct scene *sc, long n)
{
	long count;

	crash(sc);
	restart(sc);
	connect_agent(sc, "a1", AGENT_MANAGED);
	mem_fail_at(n);
	run(sc, 5);
	count = mem_count();
	mem_fail_at(0);
	run(sc, 7000);
	if (!hub_is_synced(sc->hub) || strstr(sc->said, "delete"))
		fail_msg("allocation %ld: %s", n, sc->said);
	return count;
}

/* What there was no memory for at the start was not looked at: it is not gone. */
static void what_had_no_memory_at_the_start_is_not_taken_for_gone(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct scene sc;

		begin_confirmed(&sc, 3);
		count = restart_short_of_memory(&sc, ++n);
		end(&sc);
	} while (n <= count);
	assert_true(n > 10);
}

/* Not one of many: each is looked at again. */
static void nothing_that_had_no_memory_at_the_start_is_taken_for_gone(void **state)
{
	struct object *all[100];
	struct scene sc;
	size_t n = 0, at = 0;

	(void)state;
	begin_confirmed(&sc, 80);
	crash(&sc);
	while ((all[n] = memory_store_next(sc.g.store, &at)))
		object_ref(all[n++]);
	take_all(&sc);
	restart(&sc);
	connect_agent(&sc, "a1", AGENT_MANAGED);
	for (size_t i = 0; i < n; i++) {
		mem_fail_at(1);
		hub_watcher.on_object(sc.hub, all[i]);
		mem_fail_at(0);
		object_unref(all[i]);
	}
	run(&sc, 7000);
	assert_string_equal(sc.said, "");
	assert_true(hub_is_synced(sc.hub));
	assert_int_equal(hub_objects(sc.hub), n);
	end(&sc);
}

#define PROJECT_BY_EXPRESSION                                                                     \
	"{'metadata':{'name':'team','namespace':'argocd','uid':'u2'},'spec':{'sourceNamespaces':" \
	"['/^a[0-9]$/'],'destinations':[{'name':'a1','namespace':'*'}]}}"

/* A project, and a repository that goes where it goes. */
static void neither_is_taken_from_an_agent_for_want_of_memory(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct hub_agent *a;
		struct scene sc;

		begin(&sc);
		a = connect_agent(&sc, "a1", AGENT_MANAGED);
		run(&sc, 5);
		ground_put(&sc.g, OBJECT_APPPROJECT, PROJECT_BY_EXPRESSION);
		ground_put(&sc.g, OBJECT_REPOSITORY, REPOSITORY(TEAM));
		expect(&sc, "a1: create team_u2_1\na1: create repo_u3_2\n");
		answer(&sc, a, "team_u2", "team_u2_1");
		answer(&sc, a, "repo_u3", "repo_u3_2");
		count = restart_short_of_memory(&sc, ++n);
		end(&sc);
	} while (n <= count);
	assert_true(n > 10);
}

/* "I have this, is it right?" */
static void ask_about_web(struct scene *sc, struct hub_agent *a)
{
	static const struct wire_resync question = { .kind = STR("Application"), .name = STR("web"), .uid = STR("u1") };
	struct buf json = { 0 };

	wire_resync_write(WIRE_REQUEST_UPDATE, &question, &json);
	hear(sc, a,
	     &(struct wire_event){ .type = WIRE_REQUEST_UPDATE,
				   .target = WIRE_TO_RESYNC,
				   .resource_id = STR("q"),
				   .event_id = STR("q"),
				   .data = buf_view(&json) });
	buf_release(&json);
	run(sc, 5);
}

/* It has a copy, and the principal a new ledger: what there was no memory to tell its session of is not gone. */
static void what_an_agent_brings_is_not_taken_from_it_for_want_of_memory(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct hub_agent *a;
		struct scene sc;

		begin(&sc);
		run(&sc, 5);
		put(&sc, APP("a1", "u1", "r1"));
		run(&sc, 5);
		assert_non_null(hub_find(sc.hub, str_of("a1")));
		mem_fail_at(++n);
		(void)hub_agent(sc.hub, str_of("a1"), AGENT_AUTONOMOUS);
		(void)hub_agent(sc.hub, str_of("a1"), AGENT_MANAGED); /* made anew */
		count = mem_count();
		mem_fail_at(0);
		a = connect_agent(&sc, "a1", AGENT_MANAGED);
		ask_about_web(&sc, a);
		run(&sc, 7000);
		if (strstr(sc.said, "delete") || !strstr(sc.said, "a1: create web_u1_1\n"))
			fail_msg("allocation %ld: %s", n, sc.said);
		end(&sc);
	} while (n <= count);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_a_problem_is_told_to_whom_something_was_refused),
		cmocka_unit_test(what_is_there_for_an_agent_waits_until_it_comes_for_the_first_time),
		cmocka_unit_test(each_object_goes_to_whom_it_concerns),
		cmocka_unit_test(the_copy_of_an_agents_project_takes_no_memory_of_others),
		cmocka_unit_test(an_agents_project_is_told_to_those_alone_whose_name_it_may_have),
		cmocka_unit_test(what_an_agent_does_not_get_takes_no_memory_of_its_session),
		cmocka_unit_test(only_repositories_of_a_project_are_looked_at_when_it_changes),
		cmocka_unit_test(a_repository_follows_the_project_that_it_names_last),
		cmocka_unit_test(a_copy_that_becomes_a_project_is_created_where_it_goes),
		cmocka_unit_test(a_project_that_becomes_a_copy_is_deleted_where_it_was),
		cmocka_unit_test(an_application_that_moves_is_deleted_at_the_one_and_created_at_the_other),
		cmocka_unit_test(an_application_of_nobody_is_counted_with_its_reason),
		cmocka_unit_test(what_is_nobodys_makes_no_agent),
		cmocka_unit_test(an_agent_that_there_was_no_memory_to_make_is_made_later),
		cmocka_unit_test(changes_are_told_of_what_happens_and_not_of_what_was_there),
		cmocka_unit_test(what_was_deleted_while_it_was_down_goes_to_an_agent_of_which_only_rows_are_left),
		cmocka_unit_test(an_empty_source_wipes_nobody_until_somebody_says_so),
		cmocka_unit_test(what_there_is_at_the_start_is_told_in_pieces),
		cmocka_unit_test(agents_are_complete_one_after_the_other),
		cmocka_unit_test(what_is_new_at_the_start_does_not_make_up_for_what_is_gone),
		cmocka_unit_test(what_was_asked_of_an_agent_ends_with_its_mode),
		cmocka_unit_test(an_agent_that_comes_back_in_a_mode_waits_until_its_former_time_in_it_is_over),
		cmocka_unit_test(what_is_too_much_of_all_agents_together_waits),
		cmocka_unit_test(what_an_autonomous_agent_had_here_ends_with_its_mode),
		cmocka_unit_test(rows_of_an_earlier_mode_go_at_the_start),
		cmocka_unit_test(what_an_agent_knew_in_another_mode_means_nothing),
		cmocka_unit_test(of_a_forgotten_agent_nothing_is_left_and_all_of_the_others),
		cmocka_unit_test(a_forgotten_agent_that_comes_is_new_and_gets_everything),
		cmocka_unit_test(an_agent_that_is_forgotten_comes_back_only_when_it_is),
		cmocka_unit_test(nobody_is_told_before_all_of_an_agent_is_forgotten),
		cmocka_unit_test(an_agent_with_applications_in_the_source_would_be_known_again),
		cmocka_unit_test(the_ids_of_what_an_agent_said_go_with_the_object_also_when_nobody_looked),
		cmocka_unit_test(a_status_of_a_former_object_of_the_name_changes_nothing),
		cmocka_unit_test(rows_that_make_no_sense_are_refused),
		cmocka_unit_test(nothing_leaves_while_the_ledger_fails_and_everything_when_it_works_again),
		cmocka_unit_test(agents_in_step_ask_for_no_turn),
		cmocka_unit_test(who_stops_waits_for_the_rows_that_are_on_their_way),
		cmocka_unit_test(who_stops_or_is_retired_waits_for_no_agent),
		cmocka_unit_test(what_had_no_memory_at_the_start_is_not_taken_for_gone),
		cmocka_unit_test(nothing_that_had_no_memory_at_the_start_is_taken_for_gone),
		cmocka_unit_test(neither_is_taken_from_an_agent_for_want_of_memory),
		cmocka_unit_test(what_an_agent_brings_is_not_taken_from_it_for_want_of_memory),
		cmocka_unit_test(a_change_that_had_no_memory_reaches_its_agent_all_the_same),
		cmocka_unit_test(a_move_that_had_no_memory_reaches_both_agents_all_the_same),
		cmocka_unit_test(without_memory_it_tries_again_after_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
