#include <stdio.h>

#include "backend/directory_impl.h"
#include "base/clock.h"

#define RESERVE_NAME "directory.version"
#define RESERVE      1000000 /* versions at a time: a start leaves what is left of them */

static void on_committed(struct loop_task *task);

/* In the ledger's thread. */
static void on_done(struct ledger_write *w)
{
	struct directory_job *job = CONTAINER_OF(w, struct directory_job, ledger);
	struct directory_entry *e = job->owner;

	loop_post(e->dir->loop, &job->task);
}

static struct ledger_change object_change(const struct directory_entry *e, const struct directory_job *job, bool remove)
{
	const struct object *o = job->object;

	return (struct ledger_change){
		.table = LEDGER_OBJECT,
		.remove = remove,
		.row = {
			.kind = str_of(object_kind_name(e->kind)),
			.namespace = str_of(e->namespace),
			.name = str_of(e->name),
			.uid = str_of(o ? o->uid : ""),
			.version = str_of(o ? o->version : ""),
			.desired = str_of(o ? job->sums_text : ""),
			.bytes = o ? blob_view(o->json) : (struct str){ 0 },
		},
	};
}

/* Versions rise over restarts too, those of removed objects included. Until one commit has said so, each says it. */
static void reserve(struct directory *d, struct directory_job *job)
{
	job->reserved = d->version + RESERVE;
	(void)snprintf(job->reserve, sizeof(job->reserve), "%llu", (unsigned long long)job->reserved);
	job->changes[job->ledger.count++] = (struct ledger_change){
		.table = LEDGER_SETTING,
		.row = { .name = STR(RESERVE_NAME), .bytes = str_of(job->reserve) },
	};
}

void commit_start(struct directory_job *job, bool remove)
{
	struct directory_entry *e = job->owner;

	directory_sums_text(&job->sums, job->sums_text);
	job->changes[0] = object_change(e, job, remove);
	job->ledger = (struct ledger_write){ .changes = job->changes, .count = 1, .on_done = on_done };
	job->reserved = 0;
	if (e->dir->version > e->dir->reserved)
		reserve(e->dir, job);
	job->task.run = on_committed;
	ledger_write(e->dir->ledger, &job->ledger);
}

static void tell_state(struct directory *d, enum err err)
{
	bool bad = err != E_OK && err != E_LIMIT;

	if (bad != d->ledger_bad)
		directory_problem(d, bad, bad ? err : E_OK, "the ledger takes no writes");
	d->ledger_bad = bad;
}

static void on_committed(struct loop_task *task)
{
	struct directory_job *job = CONTAINER_OF(task, struct directory_job, task);
	struct directory_entry *e = job->owner;
	enum err err = job->ledger.err;

	tell_state(e->dir, err);
	if (err == E_OK) {
		if (job->reserved > e->dir->reserved)
			e->dir->reserved = job->reserved;
		entry_finish_job(job);
		return;
	}
	why_set(&job->why, err, "ledger: %s", err_text(err));
	job->unsure = true;
	entry_fail_job(job);
}

/* ---- at the start --------------------------------------------------------------------------------------------------- */

struct loading {
	struct directory *d;
	struct why *why;
	enum err err;
};

static void see(struct directory *d, uint64_t version)
{
	if (version > d->version)
		d->version = version;
}

static void see_version(struct directory *d, struct str text)
{
	uint64_t version = 0;

	if (str_to_u64(text, UINT64_MAX / 2, &version))
		see(d, version);
}

static enum err load_row(struct directory *d, enum object_kind kind, const struct ledger_row *row, struct why *why)
{
	struct directory_entry *e;
	struct object *o = NULL;
	enum err err = object_new(kind, row->bytes, why, &o);

	if (err != E_OK)
		return err == E_NOMEM ? err : why_set(why, E_CORRUPT, "ledger: the object %.*s", STR_ARG(row->name));
	e = entry_make(d, kind, o->namespace, o->name);
	err = e ? entry_adopt(e, o, row->desired) : E_NOMEM;
	object_unref(o);
	return err == E_OK ? E_OK : why_set(why, err, "ledger");
}

static bool on_row(void *ctx, const struct ledger_row *row)
{
	struct loading *l = ctx;
	enum object_kind kind = object_kind_of(row->kind);

	see_version(l->d, row->version);
	if (kind != OBJECT_KIND_COUNT)
		l->err = load_row(l->d, kind, row, l->why);
	return l->err == E_OK;
}

static bool on_setting(void *ctx, const struct ledger_row *row)
{
	struct loading *l = ctx;

	if (str_is(row->name, RESERVE_NAME))
		see_version(l->d, row->bytes);
	return true;
}

enum err commit_load(struct directory *d, struct why *why)
{
	struct loading l = { .d = d, .why = why };
	enum err err = ledger_read(d->ledger, LEDGER_SETTING, (struct str){ 0 }, on_setting, &l, why);

	if (err == E_OK)
		err = ledger_read(d->ledger, LEDGER_OBJECT, (struct str){ 0 }, on_row, &l, why);
	/* From the clock: a ledger that was restored from a backup does not know which were given since. */
	see(d, (uint64_t)clock_wall_ns() / 1000);
	return err == E_OK ? l.err : err;
}
