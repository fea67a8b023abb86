#include <stdio.h>

#include "base/mem.h"
#include "ground.h"
#include "sync/roles.h"
#include "trees.h"

#ifdef SANITIZED
#define STEP 5 /* every so many allocations; all of them in a plain build */
#else
#define STEP 1
#endif

#define ORIGINAL(uid, revision, more)                                                                               \
	"{'metadata':{'name':'web','namespace':'a1','uid':'" uid "'},'spec':{'source':{'targetRevision':'" revision \
	"'}}" more "}"
#define COPY(source, revision)                                                                                 \
	"{'metadata':{'name':'web','namespace':'site','annotations':{'argocd.argoproj.io/source-uid':'" source \
	"'}},'spec':{'destination':{'name':'in-cluster'},'project':'','source':{'targetRevision':'" revision "'}}}"

/* ---- a replica with the rules of a managed agent; the test is its peer ------------------------------------------------- */

struct scene {
	struct ground g;
	struct patterns *everywhere;
	struct mapping_agent site;
	struct role role;
	struct peer *peer;
	struct replica *replica;
	struct room room;
	uint64_t epoch;
	uint64_t order; /* of what the peer sends */
	bool missed;    /* a report had no memory */
	unsigned wakes;
	unsigned looks;           /* plans to revert something */
	long fault;               /* the allocation that fails */
	struct backend pruning;   /* as an API server whose schema does not know "extra" */
	struct object *pruned[8]; /* what it made of what it was given */
	size_t pruned_n;
	char said[1024];
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

static void hush(struct scene *sc)
{
	sc->said[sc->said_n = 0] = 0;
}

static void on_applied(void *ctx, const struct delivery_event *event, const struct replica_place *place,
		       enum delivery_outcome outcome, bool retryable, const char *text)
{
	(void)ctx, (void)event, (void)place, (void)outcome, (void)retryable, (void)text;
}

static void on_reverted(void *ctx, const struct replica_place *place, enum err err, const char *text)
{
	struct scene *sc = ctx;

	(void)text;
	say(sc, "%s %s at %llu\n", place->name, err == E_OK ? "put back" : "not put back",
	    (unsigned long long)sc->g.now);
}

static void on_gone(void *ctx, const struct delivery_event *event)
{
	(void)ctx, (void)event;
}

static void on_known(void *ctx, const struct replica_place *place)
{
	(void)ctx, (void)place;
}

static void on_out_of_the_way(void *ctx, enum object_kind kind, struct str namespace, struct str name)
{
	(void)kind, (void)namespace;
	say(ctx, "%.*s can come\n", STR_ARG(name));
}

static void on_wake(void *ctx)
{
	struct scene *sc = ctx;

	sc->wakes++;
}

static void on_object(void *ctx, struct object *o)
{
	struct scene *sc = ctx;

	sc->missed |= replica_local(sc->replica, o, sc->g.now) != E_OK;
}

static void on_object_gone(void *ctx, struct object *last)
{
	struct scene *sc = ctx;

	replica_local_gone(sc->replica, last, sc->g.now);
}

static void on_synced(void *ctx)
{
	struct scene *sc = ctx;

	replica_complete(sc->replica, sc->g.now);
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx, (void)why, (void)bad;
}

static enum err count_revert(void *ctx, const struct replica_case *c, struct replica_plan *plan, struct why *why)
{
	struct scene *sc = CONTAINER_OF(ctx, struct scene, role);

	sc->looks++;
	return role_replica(&sc->role).revert(ctx, c, plan, why);
}

static void load_row(void *ctx, const struct ledger_row *row)
{
	struct scene *sc = ctx;

	assert_int_equal(replica_load(sc->replica, row), E_OK);
}

static void prune_and_write(struct backend *b, struct backend_write *w)
{
	struct scene *sc = CONTAINER_OF(b, struct scene, pruning);
	json_object *tree = object_tree_own(w->object);
	struct object **pruned = &sc->pruned[sc->pruned_n++];
	struct why why;

	assert_true(sc->pruned_n <= ARRAY_LEN(sc->pruned));
	json_object_object_del(tree, "extra");
	assert_int_equal(object_from_tree(w->object->kind, tree, &why, pruned), E_OK);
	json_object_put(tree);
	w->object = *pruned;
	backend_write(sc->g.backend, w);
}

static void connect_peer(struct scene *sc)
{
	const struct wire_dialect agreed = { .version = WIRE_NEWEST, .window_events = 100, .window_bytes = 1 << 20 };

	assert_int_equal(peer_open(sc->peer, ++sc->epoch, &agreed), E_OK);
}

/* A process on the ground there is; the backend has not said yet what it has. */
static void start(struct scene *sc)
{
	const struct peer_options peer = { .outbox = outbox_defaults, .inbox = inbox_defaults, .seed = 1 };
	const struct backend_watcher watcher = { .on_object = on_object,
						 .on_gone = on_object_gone,
						 .on_synced = on_synced,
						 .on_problem = on_problem,
						 .ctx = sc };
	struct replica_options options = { .name = "peer",
					   .rules = role_replica(&sc->role),
					   .events = { on_applied, on_reverted, on_gone, on_known, on_out_of_the_way,
						       on_wake, sc },
					   .seed = 5 };
	struct why why;

	options.rules.revert = count_revert;
	options.peer = sc->peer = peer_new(&peer, sc->g.now);
	options.journal = sc->g.journal;
	options.backend = sc->pruning.ops ? &sc->pruning : sc->g.backend;
	options.room = &sc->room;
	sc->replica = replica_new(&options);
	assert_true(sc->peer && sc->replica);
	ground_rows(&sc->g, LEDGER_REPLICA, load_row, sc);
	assert_int_equal(backend_start(sc->g.backend, &watcher, &why), E_OK);
	connect_peer(sc);
}

static void stop(struct scene *sc)
{
	ground_crash(&sc->g);
	replica_free(sc->replica);
	assert_true(sc->room.objects == 0 && sc->room.bytes == 0);
	peer_free(sc->peer);
}

static void begin(struct scene *sc)
{
	struct why why;

	*sc = (struct scene){ 0 };
	assert_int_equal(patterns_new((struct str)STR("*"), &why, &sc->everywhere), E_OK);
	sc->site = (struct mapping_agent){ .namespace = "site",
					   .principal_namespace = "argocd",
					   .allowed = sc->everywhere };
	sc->role.config = (struct role_config){
		.end = ROLE_MANAGED_AGENT, .agent = "a1", .principal_uid = "", .site = &sc->site
	};
	ground_begin(&sc->g, /* now= */ 1000);
	start(sc);
}

static void end(struct scene *sc)
{
	stop(sc);
	ground_end(&sc->g);
	patterns_free(sc->everywhere);
}

static void crash_and_restart(struct scene *sc)
{
	stop(sc);
	ground_open(&sc->g);
	start(sc);
}

static enum err no_payload(void *ctx, const struct outbox_frame *frame, struct wire_event *e)
{
	(void)ctx, (void)frame, (void)e;
	return E_NOT_FOUND;
}

/* An answer, unless it says only that the event is here. */
static bool take_answer(struct scene *sc)
{
	static const char *const outcomes[] = { "", "received", "applied", "rejected" };
	const struct peer_composer composer = { .compose = no_payload };
	struct buf message = { 0 };
	struct wire_event e;
	struct why why;
	uint64_t order;
	bool took = peer_take(sc->peer, &composer, sc->g.now, /* wall_ns= */ 0, &message, &order);

	if (took) {
		assert_int_equal(wire_event_decode(buf_view(&message), &e, &why), E_OK);
		if (e.outcome != WIRE_RECEIVED)
			say(sc, "%s %.*s%s%.*s%s\n", outcomes[e.outcome], STR_ARG(e.event_id), e.reason.n ? ": " : "",
			    STR_ARG(e.reason), e.retryable ? " (again)" : "");
	}
	buf_release(&message);
	return took;
}

static void run(struct scene *sc, uint64_t ms)
{
	uint64_t until = sc->g.now + ms;
	struct inbox_work *work;
	struct wire_event e;

	for (;;) {
		bool any = ground_step(&sc->g);

		while ((work = peer_next(sc->peer, &e)))
			replica_apply(sc->replica, work, &e, sc->g.now);
		replica_run(sc->replica, sc->g.now);
		if (take_answer(sc) || any)
			continue;
		if (sc->g.now >= until)
			return;
		sc->g.now++;
	}
}

static void expect_within(struct scene *sc, uint64_t ms, const char *text)
{
	run(sc, ms);
	assert_string_equal(sc->said, text);
	hush(sc);
}

static void expect(struct scene *sc, const char *text)
{
	expect_within(sc, 3, text);
}

/* The peer's event "<id>_<version>"; without memory it is lost on its way. */
static void hear(struct scene *sc, enum wire_type type, const char *id, const char *version, const char *json)
{
	json_object *tree = tree_of(json);
	struct buf event_id = { 0 }, bytes = { 0 };
	struct peer_heard heard;

	buf_addf(&event_id, "%s_%s", id, version);
	(void)wire_event_encode(&(struct wire_event){ .type = type,
						      .target = WIRE_TO_APPLICATION,
						      .resource_id = str_of(id),
						      .event_id = buf_view(&event_id),
						      .order = ++sc->order,
						      .data = str_of(json_object_to_json_string(tree)) },
				&bytes);
	CLEANUP(blob_unref_freep) struct blob *message = bytes.err == E_OK ? blob_new(buf_view(&bytes)) : NULL;

	if (message)
		peer_receive(sc->peer, sc->epoch, blob_view(message), sc->g.now, /* random= */ 3, &heard);
	buf_release(&event_id);
	buf_release(&bytes);
	json_object_put(tree);
}

static const char *at_site(const struct scene *sc, const char *path)
{
	return ground_at(&sc->g, OBJECT_APPLICATION, "site", "web", path);
}

static struct replica_stats stats_of(const struct scene *sc)
{
	struct replica_stats stats;

	replica_stats(sc->replica, &stats);
	return stats;
}

/* A copy of "u1" in its first revision, confirmed. */
static void begin_with_copy(struct scene *sc)
{
	begin(sc);
	hear(sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(sc, "applied web_u1_1\n");
	assert_string_equal(at_site(sc, "spec.source.targetRevision"), "\"r1\"");
}

static void what_was_just_written_is_not_looked_at_again(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
	expect(&sc, "applied web_u1_2\n");
	assert_int_equal(sc.looks, 0);
	end(&sc);
}

/* ---- the ledger -------------------------------------------------------------------------------------------------------- */

static void the_peer_is_answered_when_what_was_applied_is_durable(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	sc.g.disk_held = true;
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	assert_false(replica_is_idle(sc.replica));
	sc.g.disk_held = false;
	expect(&sc, "applied web_u1_1\n");
	assert_true(replica_is_idle(sc.replica));
	end(&sc);
}

static void a_ledger_that_fails_delays_the_answer_and_nothing_else(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	sc.g.disk_failures = 2;
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "");
	assert_int_equal(sc.g.disk_state, E_FULL);
	expect_within(&sc, 1000, "applied web_u1_1\n");
	assert_int_equal(sc.g.disk_state, E_OK);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	end(&sc);
}

static void what_was_applied_is_known_after_a_restart(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	crash_and_restart(&sc);
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "applied web_u1_1\n");
	assert_int_equal(stats_of(&sc).applied, 0);
	assert_int_equal(stats_of(&sc).records, 1);
	end(&sc);
}

/* Written to the backend, not yet to the ledger, never answered: it comes again, and finds the copy there. */
static void what_a_crash_left_half_done_is_finished_by_the_repetition(void **state)
{
	struct scene sc;
	char uid[64];

	(void)state;
	begin(&sc);
	sc.g.disk_held = true;
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "");
	(void)snprintf(uid, sizeof(uid), "%s", at_site(&sc, "metadata.uid"));
	crash_and_restart(&sc);
	sc.g.disk_held = false;
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "applied web_u1_1\n");
	assert_string_equal(at_site(&sc, "metadata.uid"), uid);
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	end(&sc);
}

/* A command changes nothing that could be compared: what was executed is only in its row. */
static void count_commands(void *ctx, const struct ledger_row *row)
{
	for (size_t i = 0; i < row->operation.n; i++)
		*(size_t *)ctx += row->operation.p[i] == '\n';
}

static void eight_commands_are_known_after_a_restart(void **state)
{
	struct scene sc;
	char version[32];
	size_t kept = 0;

	(void)state;
	begin_with_copy(&sc);
	for (int i = 1; i <= 10; i++) {
		(void)snprintf(version, sizeof(version), "%d.set-operation", i);
		hear(&sc, WIRE_SET_OPERATION, "web_u1", version, ORIGINAL("u1", "r1", ",'operation':{'sync':{}}"));
		run(&sc, 3);
	}
	hush(&sc);
	crash_and_restart(&sc);
	hear(&sc, WIRE_SET_OPERATION, "web_u1", "3.set-operation", ORIGINAL("u1", "r1", ",'operation':{'sync':{}}"));
	expect(&sc, "applied web_u1_3.set-operation\n");
	assert_int_equal(stats_of(&sc).applied, 0);
	ground_rows(&sc.g, LEDGER_REPLICA, count_commands, &kept);
	assert_int_equal(kept, 8);
	end(&sc);
}

/* Ids stand in lines of the row: one that is a line more would make what never came a repetition. */
static void an_id_of_two_lines_makes_nothing_known(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2\nspec\tweb_u1\tweb_u1_3", ORIGINAL("u1", "r2", ""));
	run(&sc, 3);
	hush(&sc);
	crash_and_restart(&sc);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "3", ORIGINAL("u1", "r3", ""));
	expect(&sc, "applied web_u1_3\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r3\"");
	end(&sc);
}

static void what_was_deleted_while_nobody_looked_leaves_no_row(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	hear(&sc, WIRE_DELETE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "applied web_u1_1\n");
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 0);
	crash_and_restart(&sc);
	expect(&sc, "");
	assert_string_equal(at_site(&sc, "metadata.uid"), "");
	end(&sc);
}

/* ---- identity ---------------------------------------------------------------------------------------------------------- */

static void another_uid_of_the_name_is_another_object(void **state)
{
	struct scene sc;
	char uid[64];

	(void)state;
	begin_with_copy(&sc);
	(void)snprintf(uid, sizeof(uid), "%s", at_site(&sc, "metadata.uid"));
	hear(&sc, WIRE_SPEC_UPDATE, "web_u2", "2", ORIGINAL("u2", "r2", ""));
	expect(&sc, "applied web_u2_2\n");
	assert_string_not_equal(at_site(&sc, "metadata.uid"), uid);
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	end(&sc);
}

static void a_delete_with_another_uid_leaves_the_copy_and_its_row(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	hear(&sc, WIRE_DELETE, "web_u0", "1", ORIGINAL("u0", "r1", ""));
	expect(&sc, "applied web_u0_1\n");
	hear(&sc, WIRE_DELETE, "web_", "1", ORIGINAL("", "r1", ""));
	expect(&sc, "applied web__1\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 1);
	end(&sc);
}

/* ---- drift ------------------------------------------------------------------------------------------------------------- */

/* Somebody who changes it every ten ms, for a second. */
static void what_others_do_is_undone_at_once_and_then_with_growing_patience(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	for (int i = 0; i < 100; i++) {
		ground_put(&sc.g, OBJECT_APPLICATION, COPY("u1", "mine"));
		run(&sc, 10);
	}
	expect(&sc, "web put back at 1003\n"
		    "web put back at 1023\n"
		    "web put back at 1168\n"
		    "web put back at 1432\n");
	end(&sc);
}

#define WITH_STATUS(revision, status)                                                                                \
	"{'metadata':{'name':'web','namespace':'site','annotations':{'argocd.argoproj.io/source-uid':'u1'}},'spec':" \
	"{'destination':{'name':'in-cluster'},'source':{'targetRevision':'" revision "'}},'status':{'s':" status "}}"

/* Once, for a status that is written; then only what others change. */
static void what_the_backend_does_not_keep_is_not_put_back_for_ever(void **state)
{
	static const struct backend_ops pruning = { .write = prune_and_write };
	struct scene sc;

	(void)state;
	begin(&sc);
	stop(&sc);
	sc.pruning.ops = &pruning;
	ground_open(&sc.g);
	start(&sc);
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ",'extra':1"));
	expect(&sc, "applied web_u1_1\n");
	ground_put(&sc.g, OBJECT_APPLICATION, WITH_STATUS("r1", "1"));
	expect(&sc, "web put back at 1003\n");
	run(&sc, 60000);
	ground_put(&sc.g, OBJECT_APPLICATION, WITH_STATUS("r1", "2"));
	expect(&sc, "");
	ground_put(&sc.g, OBJECT_APPLICATION, WITH_STATUS("mine", "2"));
	expect(&sc, "web put back at 61009\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ",'extra':1"));
	expect(&sc, "applied web_u1_2\n");
	ground_put(&sc.g, OBJECT_APPLICATION, WITH_STATUS("r1", "2"));
	run(&sc, 60000);
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
	end(&sc);
	for (size_t i = 0; i < sc.pruned_n; i++)
		object_unref(sc.pruned[i]);
}

static void a_copy_that_is_missing_is_made_again_when_all_is_known(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	stop(&sc);
	ground_open(&sc.g);
	ground_remove(&sc.g, OBJECT_APPLICATION, "site", "web");
	start(&sc);
	assert_string_equal(at_site(&sc, "metadata.uid"), "");
	expect(&sc, "web put back at 1003\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	end(&sc);
}

/* ---- room ---- */

#define ANOTHER(uid, revision)                                                                                     \
	"{'metadata':{'name':'db','namespace':'a1','uid':'" uid "'},'spec':{'source':{'targetRevision':'" revision \
	"'}}}"
#define NO_ROOM ": " ROOM_REFUSED " (again)\n"

static void an_object_more_than_there_is_room_for_waits_until_one_has_gone(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	sc.room.objects_max = 1;
	hear(&sc, WIRE_CREATE, "db_u2", "1", ANOTHER("u2", "r1"));
	expect(&sc, "rejected db_u2_1" NO_ROOM);
	assert_string_equal(ground_at(&sc.g, OBJECT_APPLICATION, "site", "db", "spec"), "");
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2 and more", ""));
	expect(&sc, "applied web_u1_2\n"); /* what is there may change, and be another */
	hear(&sc, WIRE_CREATE, "web_u3", "1", ORIGINAL("u3", "r1", ""));
	expect(&sc, "applied web_u3_1\n");
	hear(&sc, WIRE_DELETE, "web_u3", "1", ORIGINAL("u3", "r1", ""));
	expect(&sc, "applied web_u3_1\n");
	hear(&sc, WIRE_CREATE, "db_u2", "1", ANOTHER("u2", "r1"));
	expect(&sc, "applied db_u2_1\n");
	assert_true(sc.room.objects == 1 && sc.room.refused == 1);
	end(&sc);
}

static void an_object_does_not_grow_over_the_room_there_is(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	sc.room.bytes_max = sc.room.bytes;
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2 and more", ""));
	expect(&sc, "rejected web_u1_2" NO_ROOM);
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "3", ORIGINAL("u1", "r3", ""));
	expect(&sc, "applied web_u1_3\n");
	sc.room.bytes_max *= 2;
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "4", ORIGINAL("u1", "r4 and more", ""));
	expect(&sc, "applied web_u1_4\n");
	end(&sc);
}

/* By their rows, and then as they are. */
static void copies_take_their_room_after_a_restart(void **state)
{
	struct scene sc;
	uint64_t bytes;

	(void)state;
	begin_with_copy(&sc);
	bytes = sc.room.bytes;
	assert_true(bytes > 0);
	crash_and_restart(&sc);
	assert_true(sc.room.objects == 1 && sc.room.bytes > 0);
	run(&sc, 3);
	assert_true(sc.room.objects == 1 && sc.room.bytes == bytes);
	end(&sc);
}

/* Two that are begun at once see each other. */
static void what_is_being_written_takes_its_room(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	sc.room.objects_max = 1;
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	hear(&sc, WIRE_CREATE, "db_u2", "1", ANOTHER("u2", "r1"));
	expect(&sc, "rejected db_u2_1" NO_ROOM "applied web_u1_1\n");
	end(&sc);
}

static void what_could_not_be_written_gives_its_room_back(void **state)
{
	struct scene sc;

	(void)state;
	begin(&sc);
	memory_store_fail(sc.g.store, E_FULL, /* times= */ 1);
	hear(&sc, WIRE_CREATE, "web_u1", "1", ORIGINAL("u1", "r1", ""));
	expect(&sc, "rejected web_u1_1: told to fail (again)\n");
	assert_true(sc.room.objects == 0 && sc.room.bytes == 0);
	end(&sc);
}

/* ---- writes ------------------------------------------------------------------------------------------------------------ */

static void a_write_that_fails_comes_again_or_is_over(void **state)
{
	static const struct {
		enum err err;
		const char *said;
	} rows[] = {
		{ E_UNAVAILABLE, "rejected web_u1_2: told to fail (again)\n" },
		{ E_FULL, "rejected web_u1_2: told to fail (again)\n" },
		{ E_IO, "rejected web_u1_2: told to fail (again)\n" },
		{ E_BUSY, "rejected web_u1_2: told to fail (again)\n" },
		{ E_TIMEOUT, "rejected web_u1_2: told to fail (again)\n" },
		{ E_NOMEM, "rejected web_u1_2: told to fail (again)\n" },
		{ E_FORBIDDEN, "rejected web_u1_2: told to fail (again)\n" },
		{ E_MALFORMED, "rejected web_u1_2: told to fail\n" },
		{ E_LIMIT, "rejected web_u1_2: told to fail\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene sc;

		begin_with_copy(&sc);
		memory_store_fail(sc.g.store, rows[i].err, /* times= */ 1);
		hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
		expect(&sc, rows[i].said);
		assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r1\"");
		hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
		expect(&sc, "applied web_u1_2\n");
		end(&sc);
	}
}

/* The change is reported before the write that it makes fail. */
static void who_was_faster_is_planned_with_at_once(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	memory_store_delay(sc.g.store, 10);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
	run(&sc, 5);
	ground_put(&sc.g, OBJECT_APPLICATION, COPY("u1", "mine"));
	expect_within(&sc, 20, "applied web_u1_2\n");
	assert_int_equal(stats_of(&sc).conflicts, 1);
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
	end(&sc);
}

static void who_is_faster_each_time_is_left_alone_for_now(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	memory_store_delay(sc.g.store, 10);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
	for (int i = 0; i < 8; i++) {
		run(&sc, 5);
		ground_put(&sc.g, OBJECT_APPLICATION, i % 2 ? COPY("u1", "mine") : COPY("u1", "yours"));
		run(&sc, 5);
	}
	expect_within(&sc, 0, "rejected web_u1_2: changed by others again and again (again)\n");
	end(&sc);
}

/* What was deleted for it is gone: that it was applied would be the last word for a long time. */
static void what_is_deleted_to_be_made_anew_is_not_applied_before_it_is_made(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	memory_store_delay(sc.g.store, 10);
	hear(&sc, WIRE_CREATE, "web_u2", "1", ORIGINAL("u2", "r2", ""));
	for (int i = 0; i < 7; i++) {
		run(&sc, 5);
		ground_put(&sc.g, OBJECT_APPLICATION, i % 2 ? COPY("u1", "mine") : COPY("u1", "yours"));
		run(&sc, 5);
	}
	expect_within(&sc, 100, "rejected web_u2_1: changed by others again and again (again)\n");
	hear(&sc, WIRE_CREATE, "web_u2", "1", ORIGINAL("u2", "r2", ""));
	expect_within(&sc, 100, "applied web_u2_1\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
	end(&sc);
}

static void the_former_object_stays_away_when_its_successor_cannot_be_written(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	memory_store_delay(sc.g.store, 10);
	hear(&sc, WIRE_CREATE, "web_u2", "1", ORIGINAL("u2", "r2", ""));
	run(&sc, 12);
	memory_store_fail(sc.g.store, E_FULL, /* times= */ 1);
	expect_within(&sc, 100, "rejected web_u2_1: told to fail (again)\n");
	hear(&sc, WIRE_CREATE, "web_u2", "1", ORIGINAL("u2", "r2", ""));
	expect_within(&sc, 100, "applied web_u2_1\n");
	assert_string_equal(at_site(&sc, "spec.source.targetRevision"), "\"r2\"");
	end(&sc);
}

/* The backend says that somebody was faster and then nothing more: what they did changed nothing. */
static void an_owner_that_sleeps_is_woken_for_what_has_to_be_tried_again(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	memory_store_fail(sc.g.store, E_CONFLICT, /* times= */ 1);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
	sc.wakes = 0;
	expect_within(&sc, 500, "");
	assert_int_equal(sc.wakes, 1);
	assert_true(replica_due(sc.replica) < sc.g.now + 1000);
	expect_within(&sc, 1000, "applied web_u1_2\n");
	end(&sc);
}

static void what_concerns_one_object_is_done_in_order_and_holds_up_no_other(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	memory_store_delay(sc.g.store, 10);
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
	hear(&sc, WIRE_SPEC_UPDATE, "web_u2", "3", ORIGINAL("u2", "r3", ""));
	hear(&sc, WIRE_CREATE, "other_u5", "1",
	     "{'metadata':{'name':'other','namespace':'a1','uid':'u5'},'spec':{'source':{}}}");
	expect_within(&sc, 12, "applied web_u1_2\napplied other_u5_1\n");
	expect_within(&sc, 30, "applied web_u2_3\n");
	end(&sc);
}

static void who_stops_finishes_what_is_under_way_and_begins_nothing(void **state)
{
	struct scene sc;

	(void)state;
	begin_with_copy(&sc);
	sc.g.disk_held = true;
	hear(&sc, WIRE_SPEC_UPDATE, "web_u1", "2", ORIGINAL("u1", "r2", ""));
	run(&sc, 3);
	replica_stop(sc.replica);
	hear(&sc, WIRE_CREATE, "other_u5", "1",
	     "{'metadata':{'name':'other','namespace':'a1','uid':'u5'},'spec':{'source':{}}}");
	expect(&sc, "rejected other_u5_1: stopping (again)\n");
	assert_false(replica_is_idle(sc.replica));
	sc.g.disk_held = false;
	expect(&sc, "applied web_u1_2\n");
	assert_true(replica_is_idle(sc.replica));
	end(&sc);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

/* Heard until it is applied, as the peer would say it; at most three times, for one allocation fails once. */
static void insist(struct scene *sc, enum wire_type type, const char *version, const char *json)
{
	for (int i = 0; i < 3 && !strstr(sc->said, "applied"); i++) {
		hear(sc, type, "web_u1", version, json);
		run(sc, 1100);
	}
	if (!strstr(sc->said, "applied"))
		fail_msg("%ld: %s_%s: %s", sc->fault, "web_u1", version, sc->said);
	hush(sc);
}

/* Looks without an allocation, which might be the one to fail. */
static bool site_says(const struct scene *sc, const char *part)
{
	const struct object *o = memory_store_get(sc->g.store, OBJECT_APPLICATION, "site", "web");

	return o && str_contains(blob_view(o->json), str_of(part));
}

/* Whatever fails: what the peer was told is so, and still is after a restart. */
static void every_allocation_may_fail(void **state)
{
	long n = 0, count;

	(void)state;
	do {
		struct scene sc;

		begin(&sc);
		run(&sc, 3);
		mem_fail_at(sc.fault = n += STEP);
		insist(&sc, WIRE_CREATE, "1", ORIGINAL("u1", "r1", ""));
		insist(&sc, WIRE_SPEC_UPDATE, "2", ORIGINAL("u1", "r2", ""));
		assert_true(site_says(&sc, "\"targetRevision\":\"r2\""));
		insist(&sc, WIRE_DELETE, "2", ORIGINAL("u1", "r2", ""));
		count = mem_count();
		mem_fail_at(0);
		assert_string_equal(at_site(&sc, "metadata.uid"), "");
		assert_int_equal(ground_row_count(&sc.g, LEDGER_REPLICA), 0);
		assert_true(replica_is_idle(sc.replica));
		crash_and_restart(&sc);
		expect(&sc, "");
		assert_string_equal(at_site(&sc, "metadata.uid"), "");
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(n > 100);
}

/* What was applied would be applied once more. */
static void a_row_that_makes_no_sense_is_none(void **state)
{
	static const struct ledger_row rows[] = {
		{ .kind = STR("Apple"), .namespace = STR("site"), .name = STR("web") },
		{ .kind = STR("Application"), .namespace = STR("site"), .name = STR("web"), .bytes = STR("{") },
	};
	struct scene sc;

	(void)state;
	begin(&sc);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(replica_load(sc.replica, &rows[i]), E_MALFORMED);
	end(&sc);
}

static void a_row_is_loaded_whole_or_there_was_no_memory(void **state)
{
	static const struct ledger_row row = { .kind = STR("Application"),
					       .namespace = STR("site"),
					       .name = STR("web"),
					       .version = STR("spec\tweb_u1\tweb_u1_2\n"),
					       .status = STR("status\tweb_u2\tweb_u2_3\n"),
					       .operation = STR("command\tweb_u3\tweb_u3_2.set-operation\n") };
	struct inbox_stats stats;
	long n = 0, count;

	(void)state;
	do {
		struct scene sc;
		enum err err;

		begin(&sc);
		mem_fail_at(++n);
		err = replica_load(sc.replica, &row);
		count = mem_count();
		mem_fail_at(0);
		assert_int_equal(err, n <= count ? E_NOMEM : E_OK);
		inbox_stats(peer_inbox(sc.peer), &stats);
		assert_true(stats.remembered == 3 || err == E_NOMEM);
		end(&sc);
	} while (n <= count); /* the last pass had no fault */
	assert_true(n > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_just_written_is_not_looked_at_again),
		cmocka_unit_test(the_peer_is_answered_when_what_was_applied_is_durable),
		cmocka_unit_test(a_ledger_that_fails_delays_the_answer_and_nothing_else),
		cmocka_unit_test(what_was_applied_is_known_after_a_restart),
		cmocka_unit_test(what_a_crash_left_half_done_is_finished_by_the_repetition),
		cmocka_unit_test(eight_commands_are_known_after_a_restart),
		cmocka_unit_test(an_id_of_two_lines_makes_nothing_known),
		cmocka_unit_test(what_was_deleted_while_nobody_looked_leaves_no_row),
		cmocka_unit_test(another_uid_of_the_name_is_another_object),
		cmocka_unit_test(a_delete_with_another_uid_leaves_the_copy_and_its_row),
		cmocka_unit_test(what_others_do_is_undone_at_once_and_then_with_growing_patience),
		cmocka_unit_test(what_the_backend_does_not_keep_is_not_put_back_for_ever),
		cmocka_unit_test(a_copy_that_is_missing_is_made_again_when_all_is_known),
		cmocka_unit_test(an_object_more_than_there_is_room_for_waits_until_one_has_gone),
		cmocka_unit_test(an_object_does_not_grow_over_the_room_there_is),
		cmocka_unit_test(copies_take_their_room_after_a_restart),
		cmocka_unit_test(what_is_being_written_takes_its_room),
		cmocka_unit_test(what_could_not_be_written_gives_its_room_back),
		cmocka_unit_test(a_write_that_fails_comes_again_or_is_over),
		cmocka_unit_test(who_was_faster_is_planned_with_at_once),
		cmocka_unit_test(who_is_faster_each_time_is_left_alone_for_now),
		cmocka_unit_test(what_is_deleted_to_be_made_anew_is_not_applied_before_it_is_made),
		cmocka_unit_test(the_former_object_stays_away_when_its_successor_cannot_be_written),
		cmocka_unit_test(an_owner_that_sleeps_is_woken_for_what_has_to_be_tried_again),
		cmocka_unit_test(what_concerns_one_object_is_done_in_order_and_holds_up_no_other),
		cmocka_unit_test(who_stops_finishes_what_is_under_way_and_begins_nothing),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(a_row_that_makes_no_sense_is_none),
		cmocka_unit_test(a_row_is_loaded_whole_or_there_was_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
