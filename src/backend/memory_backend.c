#include <assert.h>

#include "backend/memory_impl.h"

/* Something that the clock runs: a write, a report, the first report, the end. */
struct op {
	struct memory_task task;
	struct op *next;
	struct memory_backend *backend;
	enum { WRITE, REFUSE, OBJECT, GONE, LIST, CLOSE, DONE } what;
	bool embedded;
	struct backend_write *write;
	struct object *object;
	struct loop_task loop_task; /* memory_open_loop(): either of them */
	struct loop_timer timer;
};

struct memory_backend {
	struct backend base;
	struct memory_store *store; /* NULL: crashed */
	struct memory_clock clock;
	struct backend_watcher watcher;
	bool watching;  /* start() was called, and close() was not */
	bool listed;    /* the first report is done */
	struct op *ops; /* under way, oldest first */
	struct op **ops_end;
	size_t pending;                /* ops that the clock will still run */
	struct op refuse;              /* no memory for an op: */
	struct backend_write *refused; /* these writes, linked by backend_data */
	struct op end;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

static struct memory_backend *of(struct backend *b)
{
	return CONTAINER_OF(b, struct memory_backend, base);
}

static void op_run(struct memory_task *task);

static void op_start(struct memory_backend *m, struct op *op, int what, uint64_t delay_ms)
{
	op->task.run = op_run;
	op->backend = m;
	op->what = what;
	op->next = NULL;
	*m->ops_end = op;
	m->ops_end = &op->next;
	m->pending++;
	m->clock.after(m->clock.ctx, &op->task, delay_ms);
}

static void op_start_embedded(struct memory_backend *m, struct op *op, int what)
{
	op->embedded = true;
	op_start(m, op, what, 0);
}

static void unlink_op(struct memory_backend *m, struct op *op)
{
	struct op **at = &m->ops;

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
	if (!*at)
		m->ops_end = at;
}

/* ---- reports -------------------------------------------------------------------------------------------------------- */

static void report(struct memory_backend *m, struct object *o, bool gone)
{
	if (!m->store || !m->watching || !m->listed)
		return;
	if (gone)
		m->watcher.on_gone(m->watcher.ctx, o);
	else
		m->watcher.on_object(m->watcher.ctx, o);
}

/* All that wait, in their order: what happens next must not be told before them. */
static void report_waiting(struct memory_backend *m)
{
	for (struct op *op = m->ops; op; op = op->next) {
		bool gone = op->what == GONE;

		if (op->what != OBJECT && !gone)
			continue;
		op->what = DONE;
		report(m, op->object, gone);
	}
}

static void report_all(struct memory_backend *m)
{
	const struct memory_store *s = m->store;
	struct object *o;
	size_t at = 0;

	m->listed = true;
	while ((o = memory_store_next(s, &at)))
		report(m, o, /* gone= */ false);
	if (m->store && m->watching)
		m->watcher.on_synced(m->watcher.ctx);
}

enum err memory_report_later(struct memory_store *s, struct object *o, bool gone)
{
	struct memory_backend *m = s->backend;
	struct op *op;

	if (!m || !m->watching || !m->listed)
		return E_OK;
	op = mem_alloc(sizeof(*op));
	if (!op)
		return E_NOMEM;
	op->object = object_ref(o);
	op_start(m, op, gone ? GONE : OBJECT, 0);
	return E_OK;
}

void memory_store_problem(struct memory_store *s, bool bad)
{
	struct memory_backend *m = s->backend;
	struct why why = { 0 };

	(void)why_set(&why, bad ? E_UNAVAILABLE : E_OK, "the store");
	if (m && m->watching)
		m->watcher.on_problem(m->watcher.ctx, &why, bad);
}

/* ---- writes --------------------------------------------------------------------------------------------------------- */

static void perform(struct memory_backend *m, struct backend_write *w)
{
	struct memory_outcome outcome = { 0 };
	enum err err;

	err = w->err = memory_perform(m->store, w, &outcome);
	w->result = err != E_OK || (w->verb == BACKEND_DELETE && outcome.gone) ? NULL : outcome.object;
	w->on_done(w);
	if (err == E_OK && outcome.changed)
		report(m, outcome.object, outcome.gone);
	object_unref(outcome.object);
}

/* It may crash in the reports before it. */
static void run_write(struct memory_backend *m, struct op *op)
{
	struct object *given = op->write->object;

	op->what = DONE;
	report_waiting(m);
	if (m->store)
		perform(m, op->write);
	object_unref(given);
}

static bool is_same(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && strcmp(a->namespace, b->namespace) == 0 && strcmp(a->name, b->name) == 0;
}

/* A shorter delay does not let a write pass an older one of its object. */
static void run_writes_up_to(struct memory_backend *m, struct op *op)
{
	struct object *key = object_ref(op->write->object);
	bool last = false;

	while (!last && m->store) {
		struct op *o = m->ops;

		while (o->what != WRITE || !is_same(o->write->object, key))
			o = o->next;
		last = o == op;
		run_write(m, o);
	}
	object_unref(key);
}

/* ---- what the clock runs -------------------------------------------------------------------------------------------- */

static void run_refused(struct memory_backend *m)
{
	struct backend_write *w = TAKE(m->refused);

	while (w) {
		struct backend_write *next = w->backend_data;

		w->err = why_set(&w->why, E_NOMEM, "memory backend");
		if (m->store)
			w->on_done(w);
		w = next;
	}
}

static void maybe_closed(struct memory_backend *m)
{
	if (m->pending || (m->store && !m->on_closed))
		return;
	if (m->store) {
		m->store->backend = NULL;
		m->on_closed(m->closed_ctx);
	}
	mem_free(m);
}

static void step(struct memory_backend *m, struct op *op)
{
	switch (op->what) {
	case WRITE:
		run_writes_up_to(m, op);
		break;
	case REFUSE:
		run_refused(m);
		break;
	case OBJECT:
	case GONE:
		report_waiting(m);
		break;
	case LIST:
		report_all(m);
		break;
	case CLOSE:
	case DONE:
		break;
	}
}

static void op_run(struct memory_task *task)
{
	struct op *op = CONTAINER_OF(task, struct op, task);
	struct memory_backend *m = op->backend;
	bool refuses = op->what == REFUSE;

	/* It is there once, and may be needed again by those whom it tells. */
	if (refuses)
		unlink_op(m, op);
	if (m->store)
		step(m, op);
	if (!refuses)
		unlink_op(m, op);
	m->pending--;
	object_unref(op->object);
	if (!op->embedded)
		mem_free(op);
	maybe_closed(m);
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static enum err start(struct backend *b, const struct backend_watcher *watcher, struct why *why)
{
	struct memory_backend *m = of(b);
	struct op *op = mem_alloc(sizeof(*op));

	if (!op)
		return why_set(why, E_NOMEM, "memory backend");
	m->watcher = *watcher;
	m->watching = true;
	op_start(m, op, LIST, 0);
	return E_OK;
}

static void refuse(struct memory_backend *m, struct backend_write *w)
{
	if (!m->refused)
		op_start_embedded(m, &m->refuse, REFUSE);
	w->backend_data = m->refused;
	m->refused = w;
}

static void write_object(struct backend *b, struct backend_write *w)
{
	struct memory_backend *m = of(b);
	struct op *op = mem_alloc(sizeof(*op));

	w->err = E_OK;
	w->why = (struct why){ 0 };
	w->result = NULL;
	if (!op) {
		refuse(m, w);
		return;
	}
	op->write = w;
	object_ref(w->object);
	op_start(m, op, WRITE, m->store->delay_ms);
}

static void close_backend(struct backend *b, void (*on_closed)(void *ctx), void *ctx)
{
	struct memory_backend *m = of(b);

	m->watching = false;
	m->on_closed = on_closed;
	m->closed_ctx = ctx;
	op_start_embedded(m, &m->end, CLOSE);
}

static const struct backend_ops memory_ops = {
	.name = "memory",
	.start = start,
	.write = write_object,
	.close = close_backend,
};

enum err memory_open(struct memory_store *s, const struct memory_clock *clock, struct why *why,
		     struct backend **ret_backend)
{
	struct memory_backend *m = mem_alloc(sizeof(*m));

	if (!m)
		return why_set(why, E_NOMEM, "memory backend");
	assert(!s->backend);
	m->base.ops = &memory_ops;
	m->store = s;
	m->clock = *clock;
	m->ops_end = &m->ops;
	s->backend = m;
	*ret_backend = &m->base;
	return E_OK;
}

void memory_crash(struct backend *b)
{
	struct memory_backend *m = of(b);

	m->store->backend = NULL;
	m->store = NULL;
	for (struct op *op = m->ops; op; op = op->next) {
		if (op->what == WRITE)
			object_unref(op->write->object);
		op->what = DONE;
	}
	maybe_closed(m);
}

/* ---- on a loop ------------------------------------------------------------------------------------------------------ */

static void on_task(struct loop_task *task)
{
	op_run(&CONTAINER_OF(task, struct op, loop_task)->task);
}

static void on_due(struct loop_timer *timer)
{
	op_run(&CONTAINER_OF(timer, struct op, timer)->task);
}

/* Without memory for the timer it runs early. */
static void after(void *ctx, struct memory_task *task, uint64_t delay_ms)
{
	struct loop *loop = ctx;
	struct op *op = CONTAINER_OF(task, struct op, task);

	op->timer.on_due = on_due;
	op->loop_task.run = on_task;
	if (!delay_ms || loop_timer_start(loop, &op->timer, delay_ms) != E_OK)
		loop_post(loop, &op->loop_task);
}

enum err memory_open_loop(struct memory_store *s, struct loop *loop, struct why *why, struct backend **ret_backend)
{
	struct memory_clock clock = { after, loop };

	return memory_open(s, &clock, why, ret_backend);
}
