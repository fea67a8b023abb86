#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sync/marks.h"
#include "trees.h"
#include "wire/convert.h"

#define TURNS 200 /* within one stage_run(): more is no end */

/* ---- clock and disk ------------------------------------------------------------------------------------------------ */

static void after(void *ctx, struct memory_task *task, uint64_t delay_ms)
{
	struct stage *st = ctx;

	assert_true(st->task_count < ARRAY_LEN(st->tasks));
	st->tasks[st->task_count].task = task;
	st->tasks[st->task_count++].due = st->now + delay_ms;
}

static bool run_task(struct stage *st)
{
	for (size_t i = 0; i < st->task_count; i++) {
		struct memory_task *task = st->tasks[i].task;

		if (st->tasks[i].due > st->now)
			continue;
		memmove(&st->tasks[i], &st->tasks[i + 1], (--st->task_count - i) * sizeof(st->tasks[0]));
		task->run(task);
		return true;
	}
	return false;
}

static void write_batch(void *ctx, struct ledger_write *w)
{
	((struct stage *)ctx)->writing = w;
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	(void)ctx, (void)delay_ms;
}

static void on_state(void *ctx, enum err err)
{
	(void)ctx, (void)err;
}

static void columns_of(const struct ledger_row *row, struct str ret_columns[static 10])
{
	const struct str columns[] = { row->peer,    row->kind,    row->namespace, row->name,      row->uid,
				       row->version, row->desired, row->status,    row->operation, row->bytes };

	memcpy(ret_columns, columns, sizeof(columns));
}

static size_t key_columns(enum ledger_table table)
{
	return table == LEDGER_REPLICA ? 4 : table == LEDGER_COPY ? 5 : 6;
}

static void drop_row(struct stage *st, size_t at)
{
	for (size_t i = 0; i < 10; i++)
		free(st->rows[at].texts[i]);
	memmove(&st->rows[at], &st->rows[at + 1], (--st->row_count - at) * sizeof(st->rows[0]));
}

static void commit(struct stage *st, const struct ledger_change *c)
{
	struct str columns[10];

	columns_of(&c->row, columns);
	for (size_t i = st->row_count; i-- > 0;) {
		bool same = st->rows[i].table == c->table;

		for (size_t k = 0; k < key_columns(c->table) && same; k++)
			same = str_is(columns[k], st->rows[i].texts[k]);
		if (same)
			drop_row(st, i);
	}
	if (c->remove)
		return;
	assert_true(st->row_count < STAGE_ROWS);
	st->rows[st->row_count].table = c->table;
	for (size_t i = 0; i < 10; i++)
		st->rows[st->row_count].texts[i] = strndup(columns[i].n ? columns[i].p : "", columns[i].n);
	st->row_count++;
}

static bool run_disk(struct stage *st)
{
	struct ledger_write *w = st->writing;

	journal_flush(st->journal);
	if (st->disk_held || !(w = TAKE(st->writing)))
		return false;
	for (size_t i = 0; i < w->count; i++)
		commit(st, &w->changes[i]);
	w->err = E_OK;
	journal_done(st->journal, w);
	return true;
}

/* ---- what it says --------------------------------------------------------------------------------------------------- */

static const char *text_at(json_object *tree, const char *a, const char *b, const char *c)
{
	json_object *value = tree_get(tree, a, b, c, NULL);

	return value ? json_object_get_string(value) : "";
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
	if (e->reason.n)
		buf_addf(&st->said, ": %.*s", STR_ARG(e->reason));
	if (wire_is_object(e) && e->data.n && tree_parse(e->data, &why, &tree) == E_OK) {
		const char *uid = tree_mark(tree, "annotations", MARK_SOURCE_UID);

		if (e->type == WIRE_DELETE && uid[0])
			buf_addf(&st->said, ", source-uid %s", uid);
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
	bool took = session_take(st->session, st->now, /* wall_ns= */ 0, &message, &order);

	if (took && wire_event_decode(buf_view(&message), &e, &why) == E_OK)
		describe(st, &e);
	if (took && order)
		session_sent(st->session, order, st->now, /* random= */ 7);
	buf_release(&message);
	return took;
}

void stage_run(struct stage *st, uint64_t ms)
{
	uint64_t until = st->now + ms;

	for (int turns = 0;; turns++) {
		bool any = run_task(st);

		any |= run_disk(st);
		session_work(st->session, st->now, /* wall_ns= */ 0);
		any |= take(st);
		if (any && turns < TURNS)
			continue;
		assert_true(turns < TURNS);
		if (st->now >= until)
			return;
		st->now++;
		turns = 0;
	}
}

void stage_expect(struct stage *st, const char *text)
{
	stage_run(st, 50);
	assert_string_equal(st->said.n ? buf_cstr(&st->said) : "", text);
	buf_clear(&st->said);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void on_object(void *ctx, struct object *o)
{
	struct stage *st = ctx;

	(void)session_object(st->session, o, st->now, 0);
}

static void on_gone(void *ctx, struct object *last)
{
	struct stage *st = ctx;

	session_object_gone(st->session, last, st->now, 0);
}

static void on_synced(void *ctx)
{
	struct stage *st = ctx;

	session_synced(st->session, st->now, 0);
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

static bool project_goes(void *ctx, const char *project, const char *agent)
{
	(void)ctx, (void)project, (void)agent;
	return true;
}

static void load(struct stage *st, enum ledger_table table)
{
	for (size_t i = 0; i < st->row_count; i++) {
		char **t = st->rows[i].texts;
		struct ledger_row row = { str_of(t[0]), str_of(t[1]), str_of(t[2]), str_of(t[3]), str_of(t[4]),
					  str_of(t[5]), str_of(t[6]), str_of(t[7]), str_of(t[8]), str_of(t[9]) };

		if (st->rows[i].table == table)
			assert_int_equal(session_load(st->session, table, &row), E_OK);
	}
}

static void start(struct stage *st)
{
	struct memory_clock clock = { .after = after, .ctx = st };
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

	st->journal = journal_new(
		&(struct journal_io){ .write = write_batch, .retry_in = retry_in, .on_state = on_state, .ctx = st });
	assert_non_null(st->journal);
	assert_int_equal(memory_open(st->store, &clock, &why, &st->backend), E_OK);
	options.backend = st->backend;
	options.journal = st->journal;
	st->session = session_new(&options, st->now);
	assert_non_null(st->session);
	load(st, LEDGER_COPY);
	load(st, LEDGER_COMMAND);
	load(st, LEDGER_REPLICA);
	assert_int_equal(backend_start(st->backend, &watcher, &why), E_OK);
	stage_run(st, 1);
}

static void stop(struct stage *st)
{
	memory_crash(st->backend);
	while (st->task_count)
		(void)run_task((st->now += 100000, st));
	journal_free(st->journal);
	session_free(st->session);
	st->writing = NULL;
}

void stage_connect(struct stage *st)
{
	struct wire_dialect agreed = { .version = st->dialect, .message_max = st->peer_max };

	st->connected_at = st->now;
	assert_int_equal(session_open(st->session, ++st->epoch, &agreed, st->now), E_OK);
}

void stage_begin(struct stage *st, enum role_end end, unsigned dialect)
{
	struct why why;

	*st = (struct stage){ .now = 1000, .dialect = dialect };
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
					 .project_goes = project_goes };
	st->store = memory_store_new(9);
	start(st);
	stage_connect(st);
	stage_run(st, 10);
	buf_clear(&st->said);
}

void stage_restart(struct stage *st)
{
	stop(st);
	start(st);
}

void stage_end(struct stage *st)
{
	stop(st);
	memory_store_free(st->store);
	patterns_free(st->everywhere);
	while (st->row_count)
		drop_row(st, 0);
	buf_release(&st->said);
}

/* ---- what the test does --------------------------------------------------------------------------------------------- */

void stage_put(struct stage *st, const char *json)
{
	json_object *tree = tree_of(json);
	struct object *o = NULL;
	struct why why;

	assert_int_equal(object_from_tree(OBJECT_APPLICATION, tree, &why, &o), E_OK);
	assert_int_equal(memory_store_edit(st->store, o), E_OK);
	object_unref(o);
	json_object_put(tree);
}

void stage_remove(struct stage *st, const char *namespace, const char *name)
{
	assert_int_equal(memory_store_remove(st->store, OBJECT_APPLICATION, namespace, name), E_OK);
}

static void hear(struct stage *st, const struct wire_event *e)
{
	struct buf bytes = { 0 };
	struct blob *message = wire_event_encode(e, &bytes) == E_OK ? blob_new(buf_view(&bytes)) : NULL;

	buf_release(&bytes);
	if (message)
		session_receive(st->session, st->epoch, message, st->now, /* random= */ 3);
	blob_unref(message);
}

void stage_hear(struct stage *st, enum wire_type type, const char *id, const char *version, const char *json)
{
	json_object *tree = tree_of(json);
	char event_id[128];

	(void)snprintf(event_id, sizeof(event_id), "%s_%s", id, version);
	hear(st, &(struct wire_event){ .type = type,
				       .target = WIRE_TO_APPLICATION,
				       .resource_id = str_of(id),
				       .event_id = str_of(event_id),
				       .data = str_of(json_object_to_json_string(tree)) });
	json_object_put(tree);
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
	static char text[256];
	const struct object *o = memory_store_get(st->store, OBJECT_APPLICATION, namespace, name);
	json_object *tree = o ? object_tree(o) : NULL;

	(void)snprintf(text, sizeof(text), "%s", tree ? at(tree, path) : "");
	json_object_put(tree);
	return text;
}
