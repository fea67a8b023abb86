#include "ground.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "trees.h"

/* ---- clock ----------------------------------------------------------------------------------------------------------- */

static void after(void *ctx, struct memory_task *task, uint64_t delay_ms)
{
	struct ground *g = ctx;

	assert_true(g->task_count < GROUND_TASKS);
	g->tasks[g->task_count].task = task;
	g->tasks[g->task_count++].due = g->now + delay_ms;
}

static bool run_task(struct ground *g)
{
	for (size_t i = 0; i < g->task_count; i++) {
		struct memory_task *task = g->tasks[i].task;

		if (g->tasks[i].due > g->now)
			continue;
		memmove(&g->tasks[i], &g->tasks[i + 1], (--g->task_count - i) * sizeof(g->tasks[0]));
		task->run(task);
		return true;
	}
	return false;
}

/* ---- disk ------------------------------------------------------------------------------------------------------------ */

static void write_batch(void *ctx, struct ledger_write *w)
{
	((struct ground *)ctx)->writing = w;
}

static void retry_in(void *ctx, uint32_t delay_ms)
{
	struct ground *g = ctx;

	g->retry_at = g->now + delay_ms;
}

static void on_state(void *ctx, enum err err)
{
	((struct ground *)ctx)->disk_state = err;
}

static void columns_of(const struct ledger_row *row, struct str ret_columns[static 10])
{
	const struct str columns[] = { row->peer,    row->kind,    row->namespace, row->name,      row->uid,
				       row->version, row->desired, row->status,    row->operation, row->bytes };

	memcpy(ret_columns, columns, sizeof(columns));
}

static size_t key_columns(enum ledger_table table)
{
	return table == LEDGER_REPLICA || table == LEDGER_SETTING ? 4 : table == LEDGER_COPY ? 5 : 6;
}

static void drop_row(struct ground *g, size_t at)
{
	for (size_t i = 0; i < 10; i++)
		free(g->rows[at].texts[i]);
	memmove(&g->rows[at], &g->rows[at + 1], (--g->row_count - at) * sizeof(g->rows[0]));
}

/* Where the row at `at` stands to one of this key: <0, 0 or >0. */
static int order(const struct ground *g, size_t at, enum ledger_table table, const struct str columns[static 10])
{
	int order = (int)g->rows[at].table - (int)table;

	for (size_t k = 0; k < key_columns(table) && order == 0; k++)
		order = str_cmp(str_of(g->rows[at].texts[k]), columns[k]);
	return order;
}

static void commit(struct ground *g, const struct ledger_change *c)
{
	struct str columns[10];
	size_t at = 0;

	columns_of(&c->row, columns);
	while (at < g->row_count && order(g, at, c->table, columns) < 0)
		at++;
	if (at < g->row_count && order(g, at, c->table, columns) == 0)
		drop_row(g, at);
	if (c->remove)
		return;
	assert_true(g->row_count < GROUND_ROWS);
	memmove(&g->rows[at + 1], &g->rows[at], (g->row_count++ - at) * sizeof(g->rows[0]));
	g->rows[at].table = c->table;
	for (size_t i = 0; i < 10; i++)
		g->rows[at].texts[i] = strndup(columns[i].n ? columns[i].p : "", columns[i].n);
}

static bool run_disk(struct ground *g)
{
	struct ledger_write *w;

	if (g->retry_at && g->now >= g->retry_at) {
		g->retry_at = 0;
		journal_retry(g->journal);
	}
	journal_flush(g->journal);
	if (g->disk_held || !(w = TAKE(g->writing)))
		return false;
	w->err = g->disk_failures ? E_FULL : E_OK;
	g->disk_failures -= w->err != E_OK;
	for (size_t i = 0; i < w->count && w->err == E_OK; i++)
		commit(g, &w->changes[i]);
	journal_done(g->journal, w);
	return true;
}

bool ground_step(struct ground *g)
{
	bool any = run_task(g);

	return run_disk(g) || any;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

void ground_begin(struct ground *g, uint64_t now)
{
	*g = (struct ground){ .now = now };
	g->store = memory_store_new(/* seed= */ 9);
	assert_non_null(g->store);
	ground_open(g);
}

void ground_open(struct ground *g)
{
	const struct journal_io io = { .write = write_batch, .retry_in = retry_in, .on_state = on_state, .ctx = g };
	struct memory_clock clock = { .after = after, .ctx = g };
	struct why why;

	g->journal = journal_new(&io);
	assert_non_null(g->journal);
	assert_int_equal(memory_open(g->store, &clock, &why, &g->backend), E_OK);
}

void ground_crash(struct ground *g)
{
	memory_crash(TAKE(g->backend));
	for (size_t i = 0; i < g->task_count; i++)
		g->tasks[i].due = 0;
	while (run_task(g))
		;
	journal_free(TAKE(g->journal));
	g->writing = NULL;
	g->retry_at = 0;
}

void ground_end(struct ground *g)
{
	memory_store_free(g->store);
	while (g->row_count)
		drop_row(g, 0);
}

/* ---- what is durable ------------------------------------------------------------------------------------------------- */

void ground_rows(const struct ground *g, enum ledger_table table, void (*take)(void *ctx, const struct ledger_row *row),
		 void *ctx)
{
	for (size_t i = 0; i < g->row_count; i++) {
		char *const *t = g->rows[i].texts;
		struct ledger_row row = { str_of(t[0]), str_of(t[1]), str_of(t[2]), str_of(t[3]), str_of(t[4]),
					  str_of(t[5]), str_of(t[6]), str_of(t[7]), str_of(t[8]), str_of(t[9]) };

		if (g->rows[i].table == table)
			take(ctx, &row);
	}
}

size_t ground_row_count(const struct ground *g, enum ledger_table table)
{
	size_t n = 0;

	for (size_t i = 0; i < g->row_count; i++)
		n += g->rows[i].table == table;
	return n;
}

/* ---- what people do -------------------------------------------------------------------------------------------------- */

void ground_put(struct ground *g, enum object_kind kind, const char *json)
{
	json_object *tree = tree_of(json);
	struct object *o = NULL;
	struct why why;

	assert_int_equal(object_from_tree(kind, tree, &why, &o), E_OK);
	assert_int_equal(memory_store_edit(g->store, o), E_OK);
	object_unref(o);
	json_object_put(tree);
}

void ground_remove(struct ground *g, enum object_kind kind, const char *namespace, const char *name)
{
	assert_int_equal(memory_store_remove(g->store, kind, namespace, name), E_OK);
}

const char *ground_at(const struct ground *g, enum object_kind kind, const char *namespace, const char *name,
		      const char *path)
{
	static char text[256];
	const struct object *o = memory_store_get(g->store, kind, namespace, name);
	json_object *tree = o ? object_tree(o) : NULL;

	(void)snprintf(text, sizeof(text), "%s", tree ? at(tree, path) : "");
	json_object_put(tree);
	return text;
}
