#include <stdio.h>

#include "agent/site.h"
#include "base/mem.h"
#include "ground.h"
#include "trees.h"
#include "wire/convert.h"

#define ORIGINAL(namespace, uid, revision)                                  \
	"{'metadata':{'name':'web','namespace':'" namespace "','uid':'" uid \
							    "'},'spec':{'source':{'targetRevision':'" revision "'}}}"
#define OWN(name, uid) "{'metadata':{'name':'" name "','namespace':'site','uid':'" uid "'},'spec':{'source':{}}}"
#define COPY(source, revision)                                                                                 \
	"{'metadata':{'name':'web','namespace':'site','annotations':{'argocd.argoproj.io/source-uid':'" source \
	"'}},'spec':{'destination':{'name':'in-cluster'},'source':{'targetRevision':'" revision "'}}}"

#define SHOWN(uid, source)                                          \
	"{'metadata':{'name':'web','namespace':'a1','uid':'" uid    \
	"','annotations':{'argocd.argoproj.io/source-uid':'" source \
	"'}},'spec':{'source':{}},'operation':{'sync':{'revision':'v2'}}}"

/* ---- a site on its ground; the test is its principal ------------------------------------------------------------------- */

struct scene {
	struct ground g;
	struct patterns *everywhere;
	enum agent_mode mode;
	bool by_destination;
	struct site *site;
	uint64_t turn_at; /* UINT64_MAX: nobody asked for one */
	unsigned wakes;
	unsigned problems;
	uint64_t epoch;
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
static void describe(struct scene *sc, struct str message)
{
	static const char *const outcomes[] = { "", "received", "applied", "rejected" };
	struct wire_event e;
	struct why why;

	assert_int_equal(wire_event_decode(message, &e, &why), E_OK);
	if (e.target == WIRE_TO_ACK && e.outcome != WIRE_RECEIVED)
		say(sc, "%s %.*s\n", outcomes[e.outcome], STR_ARG(e.event_id));
	else if (e.type == WIRE_REQUEST_UPDATE)
		say(sc, "asks %.*s\n", STR_ARG(e.data));
	else if (e.type == WIRE_AGAIN)
		say(sc, "%s\n", wire_type_name(e.type));
	else if (wire_is_object(&e))
		say(sc, "%s %.*s of %.*s\n", wire_type_name(e.type), STR_ARG(e.event_id), STR_ARG(e.subject));
}

static void on_ready(void *ctx, struct session *session)
{
	struct scene *sc = ctx;
	struct buf message = { 0 };
	uint64_t order;

	while (session_take(session, sc->g.now, /* wall_ns= */ 0, &message, &order)) {
		describe(sc, buf_view(&message));
		if (order)
			session_sent(session, order, sc->g.now, /* random= */ 7);
		buf_clear(&message);
	}
	buf_release(&message);
}

static void on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
		       enum delivery_outcome outcome, bool retryable, const char *text)
{
	(void)ctx, (void)event, (void)place, (void)outcome, (void)retryable, (void)text;
}

static void on_heard(void *ctx, const struct peer_heard *heard)
{
	(void)ctx, (void)heard;
}

static void on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	(void)place;
	say(ctx, "%s\n", err == E_OK ? text : "not put back");
}

static void on_refusal(void *ctx, enum wire_refusal refusal, struct str message)
{
	(void)refusal, (void)message;
	say(ctx, "refused in a call of its own\n");
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)why;
	((struct scene *)ctx)->problems += bad;
}

static void on_synced(void *ctx)
{
	(void)ctx;
}

static void on_wake(void *ctx)
{
	struct scene *sc = ctx;

	sc->wakes++;
	sc->turn_at = sc->g.now;
}

struct loading {
	struct site *site;
	enum ledger_table table;
};

static void load_row(void *ctx, const struct ledger_row *row)
{
	const struct loading *l = ctx;

	assert_int_equal(site_load(l->site, l->table, row), E_OK);
}

static struct site *new_site(struct scene *sc)
{
	const struct site_options options = {
		.mode = sc->mode,
		.mapping = { .by_destination = sc->by_destination, .namespace = "site", .allowed = sc->everywhere },
		.backend = sc->g.backend,
		.journal = sc->g.journal,
		.outbox = outbox_defaults,
		.inbox = inbox_defaults,
		.guard = { .share_max = 50, .count_min = 2 },
		.limits = { .resync_ms = 300000 },
		.source = STR("agent"),
		.seed = 3,
		.now_ms = now_ms,
		.wall_ns = wall_ns,
		.events = { on_ready, on_applied, on_heard, on_reverted, NULL, NULL, on_refusal, on_problem, on_synced,
			    on_wake, sc },
	};

	return site_new(&options);
}

/* The backend has not said yet what it has. */
static void start(struct scene *sc)
{
	static const enum ledger_table tables[] = { LEDGER_COPY, LEDGER_COMMAND, LEDGER_REPLICA };
	struct agent_name name;
	struct why why;

	sc->turn_at = UINT64_MAX;
	sc->site = new_site(sc);
	assert_non_null(sc->site);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		ground_rows(&sc->g, tables[i], load_row, &(struct loading){ .site = sc->site, .table = tables[i] });
	assert_int_equal(site_start(sc->site, &why), E_OK);
	assert_true(agent_name_set(&name, str_of("a1")));
	assert_int_equal(site_let_in(sc->site, &name, str_of("argocd")), E_OK);
}

static void begin(struct scene *sc, enum agent_mode mode)
{
	struct why why;

	*sc = (struct scene){ .mode = mode };
	assert_int_equal(patterns_new((struct str)STR("*"), &why, &sc->everywhere), E_OK);
	ground_begin(&sc->g, /* now= */ 1000);
	start(sc);
}

static void crash(struct scene *sc)
{
	ground_crash(&sc->g);
	site_free(sc->site);
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
			sc->turn_at = site_turn(sc->site);
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

static void connect_in(struct scene *sc, unsigned dialect)
{
	const struct wire_dialect agreed = { .version = dialect, .window_events = 100, .window_bytes = 1 << 20 };

	assert_int_equal(session_open(site_session(sc->site), ++sc->epoch, &agreed, sc->g.now), E_OK);
	site_ready(sc->site);
}

static void connect_principal(struct scene *sc)
{
	connect_in(sc, WIRE_NEWEST);
}

static void receive(struct scene *sc, const struct wire_event *e)
{
	struct buf bytes = { 0 };

	assert_int_equal(wire_event_encode(e, &bytes), E_OK);
	CLEANUP(blob_unref_freep) struct blob *message = blob_new(buf_view(&bytes));

	buf_release(&bytes);
	session_receive(site_session(sc->site), sc->epoch, blob_view(message), sc->g.now, /* random= */ 3);
	site_ready(sc->site);
}

static void hear(struct scene *sc, enum wire_type type, const char *resource_id, const char *event_id, const char *json)
{
	json_object *tree = tree_of(json);

	receive(sc, &(struct wire_event){ .type = type,
					  .target = WIRE_TO_APPLICATION,
					  .resource_id = str_of(resource_id),
					  .event_id = str_of(event_id),
					  .data = str_of(json_object_to_json_string(tree)) });
	json_object_put(tree);
}

static void answer(struct scene *sc, const char *resource_id, const char *event_id)
{
	receive(sc, &(struct wire_event){ .type = WIRE_PROCESSED,
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

/* What a controller does. */
static void put_status(struct scene *sc, const char *json)
{
	const struct object *o = memory_store_get(sc->g.store, OBJECT_APPLICATION, "site", "web");
	json_object *kept = object_tree(o), *tree = tree_of(json_object_to_json_string(kept));

	assert_int_equal(json_object_object_add(tree, "status", tree_of(json)), 0);
	put(sc, json_object_to_json_string(tree));
	json_object_put(tree);
	json_object_put(kept);
}

static const char *at_site(const struct scene *sc, const char *path)
{
	return ground_at(&sc->g, OBJECT_APPLICATION, "site", "web", path);
}

/* The n-th copy that is made: its resource id. */
#define COPY_ID(n) "web_09000000-0000-4000-800" n "-000000000000"

/* A managed agent's copy of "u1", confirmed. */
static void begin_with_copy(struct scene *sc)
{
	begin(sc, AGENT_MANAGED);
	connect_principal(sc);
	hear(sc, WIRE_CREATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	expect(sc, "applied web_u1_1\nstatus-update " COPY_ID("1") "_1 of site/web\n");
	answer(sc, COPY_ID("1"), COPY_ID("1") "_1");
	assert_string_equal(at_site(sc, "spec.source.targetRevision"), "\"r1\"");
}

/* ---- a managed agent --------------------------------------------------------------------------------------------------- */

/* The principal's copy is of what is here, whatever that was a copy of: a list that says another UID would differ for ever. */
static void what_was_a_copy_is_compared_by_its_own_uid(void **state)
{
	struct wire_listed has = { .kind = STR("Application"),
				   .name = STR("web"),
				   .uid = STR("09000000-0000-4000-8001-000000000000"),
				   .version = STR("1") };
	unsigned char sum[WIRE_CHECKSUM];
	bool any, differs;
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	crash(&sc);
	sc.mode = AGENT_AUTONOMOUS;
	restart(&sc);
	connect_principal(&sc);
	expect(&sc, "create " COPY_ID("1") "_1 of site/web\n");
	answer(&sc, COPY_ID("1"), COPY_ID("1") "_1");
	assert_int_equal(wire_list_checksum(&has, 1, &any, sum), E_OK);
	assert_int_equal(source_compare_list(session_source(site_session(sc.site)),
					     (struct str){ (const char *)sum, sizeof(sum) }, /* copies= */ 1, &differs),
			 E_OK);
	assert_false(differs);
	end(&sc);
}

/* Its own since then: it is neither put back nor made again, also before the principal has said anything. */
static void what_was_a_copy_before_it_was_autonomous_is_not_put_back(void **state)
{
	static const enum agent_mode modes[] = { AGENT_AUTONOMOUS, AGENT_MANAGED };
	struct scene sc;

	(void)state;
	for (int removed = 0; removed < 2; removed++) {
		begin_with_copy(&sc);
		for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
			crash(&sc);
			sc.mode = modes[i];
			restart(&sc);
			run(&sc, 5);
			if (i == 0 && removed)
				ground_remove(&sc.g, OBJECT_APPLICATION, "site", "web");
			else if (i == 0)
				put(&sc, COPY("u1", "r2"));
			run(&sc, 5);
		}
		assert_string_equal(at_site(&sc, "spec.source.targetRevision"), removed ? "" : "\"r2\"");
		assert_string_equal(sc.said, "");
		end(&sc);
	}
}

/* A missing object means nothing as long as the backend has not said what there is: an adoption would look like a creation. */
static void what_comes_before_the_backend_is_known_waits(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	connect_principal(&sc);
	hear(&sc, WIRE_CREATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	sc.turn_at = site_turn(sc.site);
	assert_false(site_is_synced(sc.site));
	assert_int_equal(memory_store_count(sc.g.store), 0);
	assert_string_equal(sc.said, "");
	expect(&sc, "applied web_u1_1\nstatus-update " COPY_ID("1") "_1 of site/web\n");
	assert_true(site_is_synced(sc.site));
	end(&sc);
}

/* Whoever sent it need not wait for its time. Said once, and only when something waits. */
static void the_end_of_a_problem_is_told_to_whom_something_was_refused(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	connect_principal(&sc);
	expect(&sc, "");
	memory_store_problem(sc.g.store, /* bad= */ true);
	memory_store_fail(sc.g.store, E_UNAVAILABLE, 1);
	hear(&sc, WIRE_CREATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "rejected web_u1_1\n");
	memory_store_problem(sc.g.store, /* bad= */ false);
	expect(&sc, "again\n");
	memory_store_problem(sc.g.store, /* bad= */ false);
	expect(&sc, "");
	hear(&sc, WIRE_CREATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "applied web_u1_1\nstatus-update " COPY_ID("1") "_1 of site/web\n");
	memory_store_problem(sc.g.store, /* bad= */ true);
	memory_store_problem(sc.g.store, /* bad= */ false);
	expect(&sc, "");
	end(&sc);
}

/* Whoever makes room for it need not know that it waits. */
static void what_was_refused_for_what_was_here_is_asked_for_when_that_is_gone(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	put(&sc, OWN("web", "u9"));
	put(&sc, OWN("other", "u8"));
	connect_principal(&sc);
	expect(&sc, "");
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "rejected web_u1_1\n");
	ground_remove(&sc.g, OBJECT_APPLICATION, "site", "other");
	expect(&sc, "");
	ground_remove(&sc.g, OBJECT_APPLICATION, "site", "web");
	expect(&sc,
	       "asks "
	       "{\"name\":\"web\",\"namespace\":\"a1\",\"uid\":\"\",\"kind\":\"Application\",\"checksum\":null}\n");
	hear(&sc, WIRE_CREATE, "web_u1", "web_u1_1-1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "applied web_u1_1-1\nstatus-update " COPY_ID("3") "_3 of site/web\n");
	end(&sc);
}

/* In the principal's words: to it the object lies where its own namespace is. */
static void what_is_mapped_is_asked_for_where_the_principal_has_it(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	crash(&sc);
	sc.by_destination = true;
	restart(&sc);
	put(&sc, OWN("web", "u9"));
	connect_principal(&sc);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "web_u1_1", ORIGINAL("argocd", "u1", "r1"));
	expect(&sc, "rejected web_u1_1\n");
	ground_remove(&sc.g, OBJECT_APPLICATION, "site", "web");
	expect(&sc,
	       "asks "
	       "{\"name\":\"web\",\"namespace\":\"argocd\",\"uid\":\"\",\"kind\":\"Application\",\"checksum\":null}\n");
	end(&sc);
}

/* The principal has given what lies here its place, after all. */
static void what_was_in_the_way_and_is_taken_over_is_in_the_way_no_longer(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	put(&sc, OWN("web", "u9"));
	connect_principal(&sc);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "rejected web_u1_1\n");
	hear(&sc, WIRE_CREATE, "web_u1", "web_u1_1-1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "applied web_u1_1-1\nstatus-update web_u9_2 of site/web\n");
	answer(&sc, "web_u9", "web_u9_2");
	hear(&sc, WIRE_DELETE, "web_u1", "web_u1_2", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "applied web_u1_2\ndelete web_u9_.delete of site/web\n");
	end(&sc);
}

static void an_application_of_the_principals_own_namespace_lies_in_ours(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	crash(&sc);
	sc.by_destination = true;
	restart(&sc);
	connect_principal(&sc);
	hear(&sc, WIRE_CREATE, "web_u1", "web_u1_1", ORIGINAL("argocd", "u1", "r1"));
	expect(&sc, "applied web_u1_1\nstatus-update " COPY_ID("1") "_1 of argocd/web\n");
	assert_string_equal(at_site(&sc, "metadata.annotations"),
			    "{\"argocd.argoproj.io/source-uid\":\"u1\",\"argocd.argoproj.io/namespace-remapped\":"
			    "\"true\"}");
	hear(&sc, WIRE_CREATE, "web_u2", "web_u2_1", ORIGINAL("apps", "u2", "r1"));
	expect(&sc, "applied web_u2_1\nstatus-update " COPY_ID("2") "_2 of apps/web\n");
	assert_string_not_equal(ground_at(&sc.g, OBJECT_APPLICATION, "apps", "web", "metadata.uid"), "");
	end(&sc);
}

/*
 * One of ours says of each object that it is deleted: when it did not, it has forgotten, and nothing is deleted for that. Upstream
 * forgets with each restart: there the policy decides, which is to make it anew.
 */
static void another_uid_takes_the_copy_over_and_a_late_delete_of_the_former_leaves_it(void **state)
{
	(void)state;
	for (unsigned dialect = WIRE_UPSTREAM; dialect <= WIRE_NEWEST; dialect++) {
		struct scene sc;
		char uid[64];

		begin_with_copy(&sc);
		(void)snprintf(uid, sizeof(uid), "%s", at_site(&sc, "metadata.uid"));
		connect_in(&sc, dialect);
		hear(&sc, WIRE_CREATE, "web_u2", "web_u2_2", ORIGINAL("a1", "u2", "r2"));
		run(&sc, 5);
		assert_int_equal(strcmp(at_site(&sc, "metadata.uid"), uid) == 0, dialect != WIRE_UPSTREAM);
		hear(&sc, WIRE_DELETE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
		run(&sc, 5);
		assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
		end(&sc);
	}
}

static void a_copy_that_is_taken_over_has_its_status_told_to_its_new_original(void **state)
{
	struct scene sc;
	char uid[64], resource_id[80], event_id[100], text[256];

	(void)state;
	begin_with_copy(&sc);
	(void)snprintf(uid, sizeof(uid), "%.36s", at_site(&sc, "metadata.uid") + 1);
	put_status(&sc, "{'health':'good'}");
	(void)snprintf(resource_id, sizeof(resource_id), "web_%s", uid);
	(void)snprintf(event_id, sizeof(event_id), "web_%s_2", uid);
	(void)snprintf(text, sizeof(text), "status-update %s of site/web\n", event_id);
	expect(&sc, text);
	answer(&sc, resource_id, event_id);
	hear(&sc, WIRE_CREATE, "web_u2", "web_u2_1", ORIGINAL("a1", "u2", "r1"));
	(void)snprintf(text, sizeof(text), "applied web_u2_1\nstatus-update web_%s_3-%llx of site/web\n", uid,
		       (unsigned long long)sc.g.now);
	expect(&sc, text);
	end(&sc);
}

/* The data directory was wiped, or is older than the site's: a copy says itself that it is one. */
static void copies_without_a_record_are_asked_about_and_what_people_made_is_not(void **state)
{
	struct scene sc;
	char text[256];

	(void)state;
	begin(&sc, AGENT_MANAGED);
	expect(&sc, ""); /* what is there when it starts comes in any order */
	put(&sc, COPY("u1", "r1"));
	put(&sc, "{'metadata':{'name':'mine','namespace':'site'},'spec':{}}");
	put(&sc, "{'metadata':{'name':'theirs','namespace':'elsewhere','annotations':{"
		 "'argocd.argoproj.io/source-uid':'u7','argocd.argoproj.io/namespace-remapped':'false'}},'spec':{}}");
	connect_principal(&sc);
	receive(&sc, &(struct wire_event){ .type = WIRE_RESOURCE_RESYNC,
					   .target = WIRE_TO_RESYNC,
					   .resource_id = STR("ask"),
					   .event_id = STR("ask"),
					   .data = STR("{}") });
	(void)snprintf(text, sizeof(text),
		       "applied ask\n"
		       "asks {\"name\":\"web\",\"namespace\":\"site\",\"uid\":\"u1\",\"kind\":\"Application\","
		       "\"checksum\":null}\n"
		       "status-update web_%.36s_1-3ed of site/web\n"
		       "status-update theirs_09000000-0000-4000-8003-000000000000_3 of elsewhere/theirs\n",
		       at_site(&sc, "metadata.uid") + 1);
	expect(&sc, text);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "web_u1_1", ORIGINAL("a1", "u1", "r1"));
	expect(&sc, "applied web_u1_1\n");
	put(&sc, COPY("u1", "mine"));
	expect(&sc, "put back as the principal has it\n");
	end(&sc);
}

/* Without a stream, and over a restart: what is to be there is in the ledger. */
static void local_changes_are_undone_also_without_a_principal(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	session_close(site_session(sc.site), sc.epoch);
	put(&sc, COPY("u1", "mine"));
	expect(&sc, "put back as the principal has it\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	crash(&sc);
	ground_remove(&sc.g, OBJECT_APPLICATION, "site", "web");
	restart(&sc);
	expect(&sc, "made again as the principal has it\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	end(&sc);
}

static void what_was_told_is_not_told_again_after_a_restart(void **state)
{
	struct scene sc;
	char uid[64], resource_id[80], event_id[100], text[128];

	(void)state;
	begin_with_copy(&sc);
	(void)snprintf(uid, sizeof(uid), "%s", at_site(&sc, "metadata.uid"));
	put_status(&sc, "{'health':'good'}");
	(void)snprintf(resource_id, sizeof(resource_id), "web_%.*s", (int)strlen(uid) - 2, uid + 1);
	(void)snprintf(event_id, sizeof(event_id), "%s_2", resource_id);
	(void)snprintf(text, sizeof(text), "status-update %s of site/web\n", event_id);
	expect(&sc, text);
	answer(&sc, resource_id, event_id);
	crash(&sc);
	restart(&sc);
	connect_principal(&sc);
	expect(&sc, "");
	end(&sc);
}

/* ---- an autonomous agent ------------------------------------------------------------------------------------------------ */

static void the_rows_of_another_peer_are_nobodys(void **state)
{
	const struct ledger_row row = { .peer = STR("somebody"),
					.kind = STR("Application"),
					.namespace = STR("site"),
					.name = STR("web"),
					.uid = STR("u1"),
					.version = STR("1") };
	struct source_stats stats;
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_AUTONOMOUS);
	assert_int_equal(site_load(sc.site, LEDGER_COPY, &row), E_OK);
	assert_true(journal_is_idle(sc.g.journal)); /* it is not removed either */
	source_stats(session_source(site_session(sc.site)), &stats);
	assert_int_equal(stats.copies, 0);
	end(&sc);
}

static void an_empty_directory_does_not_empty_the_principal(void **state)
{
	static const char *const names[] = { "n1", "n2", "n3" };
	struct source_stats stats;
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_AUTONOMOUS);
	connect_principal(&sc);
	put(&sc, OWN("n1", "u1"));
	expect(&sc, "create n1_u1_1 of site/n1\n");
	put(&sc, OWN("n2", "u2"));
	expect(&sc, "create n2_u2_2 of site/n2\n");
	put(&sc, OWN("n3", "u3"));
	expect(&sc, "create n3_u3_3 of site/n3\n");
	answer(&sc, "n1_u1", "n1_u1_1");
	answer(&sc, "n2_u2", "n2_u2_2");
	answer(&sc, "n3_u3", "n3_u3_3");
	crash(&sc);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		ground_remove(&sc.g, OBJECT_APPLICATION, "site", names[i]);
	restart(&sc);
	connect_principal(&sc);
	expect(&sc, "");
	source_stats(session_source(site_session(sc.site)), &stats);
	assert_int_equal(stats.held, 3);
	source_release(session_source(site_session(sc.site)), sc.g.now);
	site_ready(sc.site);
	run(&sc, 5);
	assert_non_null(strstr(sc.said, "delete n1_u1_1.delete of site/n1\n"));
	assert_non_null(strstr(sc.said, "delete n3_u3_3.delete of site/n3\n"));
	end(&sc);
}

/* The principal has all of them in one namespace: what it asks of one comes with the UID of the original. */
static void an_application_of_another_namespace_is_commanded_and_compared_too(void **state)
{
	const struct wire_event lacks = {
		.type = WIRE_REQUEST_UPDATE,
		.target = WIRE_TO_RESYNC,
		.event_id = STR("1"),
		.resource_id = STR("1"),
		.data = STR("{\"kind\":\"Application\",\"namespace\":\"team\",\"name\":\"web\"}"),
	};
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_AUTONOMOUS);
	connect_principal(&sc);
	put(&sc, ORIGINAL("team", "u1", "r1"));
	expect(&sc, "create web_u1_1 of team/web\n");
	answer(&sc, "web_u1", "web_u1_1");
	hear(&sc, WIRE_SET_OPERATION, "web_p1", "web_p1_5.operation", SHOWN("p1", "u1"));
	expect(&sc, "applied web_p1_5.operation\nspec-update web_u1_2-3f2 of team/web\n");
	assert_string_equal(ground_at(&sc.g, OBJECT_APPLICATION, "team", "web", "operation.sync"),
			    "{\"revision\":\"v2\"}");
	answer(&sc, "web_u1", "web_u1_2-3f2");
	connect_principal(&sc);
	receive(&sc, &lacks);
	expect(&sc, "applied 1\ncreate web_u1_2-3fc of team/web\n");
	end(&sc);
}

static void nothing_leaves_while_the_ledger_fails(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_AUTONOMOUS);
	connect_principal(&sc);
	run(&sc, 5);
	sc.g.disk_failures = 2;
	put(&sc, OWN("n1", "u1"));
	expect(&sc, "");
	run(&sc, 1000);
	expect(&sc, "create n1_u1_1 of site/n1\n");
	end(&sc);
}

/* ---- turns, end, memory ------------------------------------------------------------------------------------------------ */

static void who_is_ready_already_wakes_nobody_again(void **state)
{
	struct scene sc;
	unsigned before;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	run(&sc, 5);
	before = sc.wakes;
	site_ready(sc.site);
	site_ready(sc.site);
	assert_int_equal(sc.wakes, before + 1);
	(void)site_turn(sc.site);
	site_ready(sc.site);
	assert_int_equal(sc.wakes, before + 2);
	end(&sc);
}

static void who_stops_finishes_what_is_under_way(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	sc.g.disk_held = true;
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "web_u1_2", ORIGINAL("a1", "u1", "r2"));
	run(&sc, 5);
	site_stop(sc.site);
	assert_false(site_is_idle(sc.site));
	sc.g.disk_held = false;
	run(&sc, 5);
	assert_true(site_is_idle(sc.site));
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
	end(&sc);
}

static void who_stops_begins_nothing_any_more(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	site_stop(sc.site);
	assert_int_equal(session_epoch(site_session(sc.site)), 0);
	put(&sc, COPY("u1", "of people"));
	expect(&sc, "");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"of people\"");
	end(&sc);
}

static void a_principal_that_is_unknown_without_memory_is_known_the_next_time(void **state)
{
	struct agent_name name;
	struct scene sc;

	(void)state;
	begin(&sc, AGENT_MANAGED);
	assert_true(agent_name_set(&name, str_of("a1")));
	mem_fail_at(1);
	assert_int_equal(site_let_in(sc.site, &name, str_of("other")), E_NOMEM);
	mem_fail_at(0);
	assert_int_equal(site_let_in(sc.site, &name, str_of("other")), E_OK);
	end(&sc);
}

/* A change that had no memory is not forgotten: the principal hears of it without anything else happening. */
static void a_change_that_had_no_memory_reaches_the_principal_all_the_same(void **state)
{
	CLEANUP(object_unref_freep) struct object *o = NULL;
	json_object *tree = tree_of(OWN("n1", "u1"));
	long n = 0, count;
	struct why why;

	(void)state;
	assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, &why, &o), E_OK);
	json_object_put(tree);
	do {
		struct scene sc;

		begin(&sc, AGENT_AUTONOMOUS);
		connect_principal(&sc);
		run(&sc, 5);
		assert_int_equal(memory_store_edit(sc.g.store, o), E_OK);
		mem_fail_at(++n);
		run(&sc, 5);
		count = mem_count();
		mem_fail_at(0);
		run(&sc, 7000);
		if (!strstr(sc.said, "create n1_u1_1 of site/n1\n"))
			fail_msg("allocation %ld: %s", n, sc.said);
		assert_int_equal(sc.problems, 0);
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(n > 15);
}

/* What there was no memory for at the start was not looked at: it is not gone. */
static void what_had_no_memory_at_the_start_is_not_taken_for_gone(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct scene sc;

		begin(&sc, AGENT_AUTONOMOUS);
		connect_principal(&sc);
		run(&sc, 5);
		put(&sc, OWN("n1", "u1"));
		run(&sc, 5);
		answer(&sc, "n1_u1", "n1_u1_1");
		sc.said[sc.said_n = 0] = 0;
		crash(&sc);
		restart(&sc);
		connect_principal(&sc);
		mem_fail_at(++n);
		run(&sc, 5);
		count = mem_count();
		mem_fail_at(0);
		run(&sc, 7000);
		if (!site_is_synced(sc.site) || strstr(sc.said, "delete"))
			fail_msg("allocation %ld: %s", n, sc.said);
		end(&sc);
	} while (n <= count);
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_a_copy_is_compared_by_its_own_uid),
		cmocka_unit_test(what_was_a_copy_before_it_was_autonomous_is_not_put_back),
		cmocka_unit_test(what_comes_before_the_backend_is_known_waits),
		cmocka_unit_test(the_end_of_a_problem_is_told_to_whom_something_was_refused),
		cmocka_unit_test(what_was_refused_for_what_was_here_is_asked_for_when_that_is_gone),
		cmocka_unit_test(what_is_mapped_is_asked_for_where_the_principal_has_it),
		cmocka_unit_test(what_was_in_the_way_and_is_taken_over_is_in_the_way_no_longer),
		cmocka_unit_test(an_application_of_the_principals_own_namespace_lies_in_ours),
		cmocka_unit_test(another_uid_takes_the_copy_over_and_a_late_delete_of_the_former_leaves_it),
		cmocka_unit_test(a_copy_that_is_taken_over_has_its_status_told_to_its_new_original),
		cmocka_unit_test(copies_without_a_record_are_asked_about_and_what_people_made_is_not),
		cmocka_unit_test(local_changes_are_undone_also_without_a_principal),
		cmocka_unit_test(what_was_told_is_not_told_again_after_a_restart),
		cmocka_unit_test(the_rows_of_another_peer_are_nobodys),
		cmocka_unit_test(an_empty_directory_does_not_empty_the_principal),
		cmocka_unit_test(an_application_of_another_namespace_is_commanded_and_compared_too),
		cmocka_unit_test(nothing_leaves_while_the_ledger_fails),
		cmocka_unit_test(who_is_ready_already_wakes_nobody_again),
		cmocka_unit_test(who_stops_finishes_what_is_under_way),
		cmocka_unit_test(who_stops_begins_nothing_any_more),
		cmocka_unit_test(a_principal_that_is_unknown_without_memory_is_known_the_next_time),
		cmocka_unit_test(what_had_no_memory_at_the_start_is_not_taken_for_gone),
		cmocka_unit_test(a_change_that_had_no_memory_reaches_the_principal_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
