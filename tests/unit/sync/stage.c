#include "stage.h"

#include <stdio.h>

#include "base/mem.h"
#include "sync/marks.h"
#include "trees.h"
#include "wire/convert.h"
#include "wire/resync.h"

#define TURNS 200 /* within one stage_run(): more is no end */

/* ---- what it says --------------------------------------------------------------------------------------------------- */

static const char *text_at(json_object *tree, const char *a, const char *b, const char *c)
{
	json_object *value = tree_get(tree, a, b, c, NULL);

	return value ? json_object_get_string(value) : "";
}

/* A question about a copy says what the copy is, or that nothing is known of it. */
static void describe_question(struct stage *st, const struct wire_event *e)
{
	struct buf arena = { 0 };
	struct wire_resync r = { 0 };
	struct why why;

	assert_int_equal(wire_resync_read(e->data, &arena, &r, &why), E_OK);
	buf_addf(&st->said, " %.*s/%.*s%s", STR_ARG(r.namespace), STR_ARG(r.name),
		 r.checksum.n ? ", with a checksum" : "");
	buf_release(&arena);
}

static void describe(struct stage *st, const struct wire_event *e)
{
	static const char *const outcomes[] = { "", "received", "applied", "rejected" };
	json_object *tree = NULL;
	struct why why;

	if (e->target == WIRE_TO_ACK) {
		buf_addf(&st->said, "%s", e->outcome ? outcomes[e->outcome] : "processed");
	} else {
		buf_addf(&st->said, "%s", wire_type_name(e->type));
	}
	if (e->target != WIRE_TO_RESYNC && e->type != WIRE_ERROR)
		buf_addf(&st->said, " %.*s", STR_ARG(e->event_id));
	if (e->target == WIRE_TO_RESYNC)
		(void)snprintf(st->asked, sizeof(st->asked), "%.*s", STR_ARG(e->event_id));
	if (e->type == WIRE_REQUEST_UPDATE)
		describe_question(st, e);
	if (e->bare && st->bare)
		buf_lit(&st->said, ", bare");
	if (e->reason.n)
		buf_addf(&st->said, ": %.*s", STR_ARG(e->reason));
	if (wire_is_object(e) && e->data.n && tree_parse(e->data, &why, &tree) == E_OK) {
		const char *uid = tree_mark(tree, "annotations", MARK_SOURCE_UID);

		if ((e->type == WIRE_DELETE || e->type == WIRE_CREATE) && uid[0])
			buf_addf(&st->said, ", source-uid %s", uid);
		if (e->type == WIRE_DELETE && st->site.by_destination)
			buf_addf(&st->said, ", in %s", tree_meta(tree, "namespace"));
		if (e->type == WIRE_STATUS_UPDATE && tree_get(tree, "spec", NULL))
			buf_lit(&st->said, ", with its spec");
		if (text_at(tree, "operation", "number", NULL)[0])
			buf_addf(&st->said, ", operation %s", text_at(tree, "operation", "number", NULL));
	}
	json_object_put(tree);
	buf_char(&st->said, '\n');
}

static bool take(struct stage *st)
{
	struct buf message = { 0 };
	struct wire_event e;
	struct why why;
	uint64_t order;
	bool took = session_take(st->session, st->g.now, /* wall_ns= */ 0, &message, &order);

	if (took && wire_event_decode(buf_view(&message), &e, &why) == E_OK)
		describe(st, &e);
	if (took && order)
		session_sent(st->session, order, st->g.now, /* random= */ 7);
	buf_release(&message);
	return took;
}

static void on_object(void *ctx, struct object *o);

static void look_again(struct stage *st)
{
	struct object *o;

	for (size_t n = missed_begin(&st->missed, st->g.now); n && (o = missed_take(&st->missed)); n--) {
		on_object(st, o);
		object_unref(o);
	}
}

void stage_run(struct stage *st, uint64_t ms)
{
	uint64_t until = st->g.now + ms;

	for (int turns = 0;; turns++) {
		bool any = ground_step(&st->g);

		look_again(st);
		session_work(st->session, st->g.now, /* wall_ns= */ 0);
		any |= take(st);
		if (any && turns < TURNS)
			continue;
		assert_true(turns < TURNS);
		if (st->g.now >= until)
			return;
		st->g.now++;
		turns = 0;
	}
}

void stage_expect(struct stage *st, const char *text)
{
	stage_run(st, 50);
	assert_string_equal(st->said.n ? buf_cstr(&st->said) : "", text);
	buf_clear(&st->said);
}

void stage_said(struct stage *st, const char *text)
{
	const char *said = st->said.n ? buf_cstr(&st->said) : "";

	if (!strstr(said, text))
		fail_msg("it did not say %s; but: %s", text, said);
}

void stage_expect_among(struct stage *st, const char *text)
{
	stage_run(st, 50);
	stage_said(st, text);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void on_object(void *ctx, struct object *o)
{
	struct stage *st = ctx;

	missed_forget(&st->missed, o);
	if (session_object(st->session, o, st->g.now, 0) == E_NOMEM)
		missed_add(&st->missed, o, st->g.now);
}

static void on_gone(void *ctx, struct object *last)
{
	struct stage *st = ctx;

	missed_forget(&st->missed, last);
	session_object_gone(st->session, last, st->g.now, 0);
}

static void on_synced(void *ctx)
{
	struct stage *st = ctx;

	if (!st->backend_lists)
		session_synced(st->session, st->g.now, 0);
}

static void on_heard(void *ctx, const struct peer_heard *heard)
{
	struct stage *st = ctx;

	if (heard->what == PEER_ANSWERED && heard->err != E_OK)
		buf_addf(&st->said, "never sent: %s %.*s: %.*s\n", delivery_type_name(heard->type),
			 STR_ARG(heard->event_id), STR_ARG(heard->reason));
}

static void on_problem(void *ctx, const struct why *why, bool bad)
{
	(void)ctx, (void)why, (void)bad;
}

static enum err project_goes(void *ctx, const char *project, const char *agent)
{
	(void)project, (void)agent;
	return ((struct stage *)ctx)->goes;
}

struct loading {
	struct stage *stage;
	enum ledger_table table;
};

static void load_row(void *ctx, const struct ledger_row *row)
{
	const struct loading *l = ctx;

	assert_int_equal(session_load(l->stage->session, l->table, row), E_OK);
}

static void load(struct stage *st, enum ledger_table table)
{
	ground_rows(&st->g, table, load_row, &(struct loading){ .stage = st, .table = table });
}

static void start(struct stage *st)
{
	const struct backend_watcher watcher = {
		.on_object = on_object, .on_gone = on_gone, .on_synced = on_synced, .on_problem = on_problem, .ctx = st
	};
	struct session_options options = { .role = st->role,
					   .rows = "peer",
					   .outbox = outbox_defaults,
					   .inbox = inbox_defaults,
					   .guard = { .share_max = 50, .count_min = 2 },
					   .limits = SESSION_DEFAULTS,
					   .seed = 1,
					   .message_max = st->message_max,
					   .events = { .on_heard = on_heard, .ctx = st } };
	struct why why;

	options.inbox.receipt_ms = 0; /* the stories tell both steps */
	if (st->outbox_max)
		options.outbox.bytes_max = st->outbox_max;
	options.backend = st->g.backend;
	options.journal = st->g.journal;
	st->session = session_new(&options, st->g.now);
	assert_non_null(st->session);
	load(st, LEDGER_COPY);
	load(st, LEDGER_COMMAND);
	load(st, LEDGER_REPLICA);
	assert_int_equal(backend_start(st->g.backend, &watcher, &why), E_OK);
	stage_run(st, 1);
}

static void stop(struct stage *st)
{
	ground_crash(&st->g);
	session_free(st->session);
	missed_release(&st->missed);
}

void stage_connect(struct stage *st)
{
	struct wire_dialect agreed = { .version = st->dialect, .message_max = st->peer_max };

	st->connected_at = st->g.now;
	assert_int_equal(session_open(st->session, ++st->epoch, &agreed, st->g.now), E_OK);
}

void stage_begin(struct stage *st, enum role_end end, unsigned dialect)
{
	struct why why;

	*st = (struct stage){ .dialect = dialect };
	ground_begin(&st->g, /* now= */ 1000);
	assert_int_equal(patterns_new((struct str)STR("*"), &why, &st->everywhere), E_OK);
	st->principal = (struct mapping_principal){ .namespace = "argocd", .allowed = st->everywhere };
	st->site = (struct mapping_agent){ .namespace = "site",
					   .principal_namespace = "argocd",
					   .allowed = st->everywhere };
	st->role = (struct role_config){ .end = end,
					 .agent = "a1",
					 .principal_uid = "",
					 .principal = &st->principal,
					 .site = &st->site,
					 .project_goes = project_goes,
					 .ctx = st };
	start(st);
	stage_connect(st);
	stage_run(st, 10);
	buf_clear(&st->said);
}

void stage_restart(struct stage *st)
{
	stop(st);
	ground_open(&st->g);
	start(st);
}

void stage_come_back(struct stage *st)
{
	stage_restart(st);
	stage_connect(st);
}

void stage_end(struct stage *st)
{
	stop(st);
	ground_end(&st->g);
	patterns_free(st->everywhere);
	buf_release(&st->said);
}

/* ---- what the test does --------------------------------------------------------------------------------------------- */

void stage_put(struct stage *st, const char *json)
{
	ground_put(&st->g, OBJECT_APPLICATION, json);
}

void stage_remove(struct stage *st, const char *namespace, const char *name)
{
	ground_remove(&st->g, OBJECT_APPLICATION, namespace, name);
}

static void hear(struct stage *st, const struct wire_event *e)
{
	struct buf bytes = { 0 };
	struct blob *message = wire_event_encode(e, &bytes) == E_OK ? blob_new(buf_view(&bytes)) : NULL;

	buf_release(&bytes);
	if (message)
		session_receive(st->session, st->epoch, blob_view(message), st->g.now, /* random= */ 3);
	blob_unref(message);
}

static void hear_object(struct stage *st, enum wire_target target, enum wire_type type, const char *id,
			const char *version, const char *json)
{
	json_object *tree = tree_of(json);
	char event_id[128], subject[128];

	(void)snprintf(event_id, sizeof(event_id), "%s_%s", id, version);
	(void)snprintf(subject, sizeof(subject), "%s/%s", tree_meta(tree, "namespace"), tree_meta(tree, "name"));
	hear(st, &(struct wire_event){ .type = type,
				       .target = target,
				       .resource_id = str_of(id),
				       .event_id = str_of(event_id),
				       .bare = st->bare,
				       .subject = str_of(subject),
				       .data = str_of(json_object_to_json_string_ext(
					       tree, JSON_C_TO_STRING_NOSLASHESCAPE)) }); /* as peers write it */
	json_object_put(tree);
}

void stage_hear(struct stage *st, enum wire_type type, const char *id, const char *version, const char *json)
{
	hear_object(st, WIRE_TO_APPLICATION, type, id, version, json);
}

void stage_hear_project(struct stage *st, enum wire_type type, const char *id, const char *version, const char *json)
{
	hear_object(st, WIRE_TO_APPPROJECT, type, id, version, json);
}

void stage_request(struct stage *st, enum wire_target target, enum wire_type type, const char *json)
{
	hear(st, &(struct wire_event){ .type = type,
				       .target = target,
				       .resource_id = (struct str)STR("q"),
				       .event_id = (struct str)STR("q"),
				       .data = str_of(json) });
}

void stage_ask(struct stage *st, enum wire_type type, const char *id, const char *json)
{
	hear(st, &(struct wire_event){ .type = type,
				       .target = WIRE_TO_RESYNC,
				       .resource_id = str_of(id),
				       .event_id = str_of(id),
				       .data = str_of(json) });
}

void stage_answer(struct stage *st, const char *id, const char *version, bool applied)
{
	char event_id[128];

	(void)snprintf(event_id, sizeof(event_id), "%s_%s", id, version);
	hear(st, &(struct wire_event){ .type = WIRE_PROCESSED,
				       .target = WIRE_TO_ACK,
				       .resource_id = str_of(id),
				       .event_id = str_of(event_id),
				       .outcome = applied ? WIRE_APPLIED : WIRE_REJECTED });
}

void stage_answer_request(struct stage *st)
{
	hear(st, &(struct wire_event){ .type = WIRE_PROCESSED,
				       .target = WIRE_TO_ACK,
				       .resource_id = str_of(st->asked),
				       .event_id = str_of(st->asked),
				       .outcome = WIRE_APPLIED });
}

const char *stage_at(struct stage *st, const char *namespace, const char *name, const char *path)
{
	return ground_at(&st->g, OBJECT_APPLICATION, namespace, name, path);
}
