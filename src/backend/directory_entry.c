#include <stdio.h>

#include "backend/directory_impl.h"

static void entry_step(struct directory_entry *e);

/* ---- the table of entries ------------------------------------------------------------------------------------------- */

struct directory_entry *entry_find(struct directory *d, enum object_kind kind, const char *namespace, const char *name)
{
	char key[OBJECT_KEY_MAX];

	return map_get(&d->entries, object_key(kind, namespace, name, key));
}

static void on_settled(struct loop_timer *timer)
{
	entry_step(CONTAINER_OF(timer, struct directory_entry, settle));
}

void entry_forget_uid(struct directory_entry *e)
{
	if (e->uid[0] && map_get(&e->dir->uids, str_of(e->uid)) == e)
		map_remove(&e->dir->uids, str_of(e->uid));
	e->uid[0] = '\0';
}

enum err entry_set_uid(struct directory_entry *e, const char *uid)
{
	if (strcmp(e->uid, uid) == 0)
		return E_OK;
	entry_forget_uid(e);
	(void)snprintf(e->uid, sizeof(e->uid), "%s", uid);
	return map_put(&e->dir->uids, str_of(e->uid), e);
}

void entry_set_object(struct directory_entry *e, struct object *o)
{
	metric_add(e->dir->objects, (o ? 1 : 0) - (e->object ? 1 : 0));
	object_unref(e->object);
	e->object = o ? object_ref(o) : NULL;
}

static void release(struct directory_entry *e)
{
	loop_timer_stop(e->dir->loop, &e->settle);
	entry_set_object(e, NULL);
	if (e->problem)
		metric_add(e->dir->problems_found, -1);
	mem_free(e->problem);
	mem_free(e);
}

/* There are many of them: one piece of memory, no longer than its names. */
static struct directory_entry *entry_new(struct directory *d, enum object_kind kind, const char *namespace,
					 struct str key)
{
	size_t n = strlen(namespace);
	struct directory_entry *e = mem_alloc(sizeof(*e) + key.n + n + 2);

	if (!e)
		return NULL;
	e->dir = d;
	e->kind = kind;
	e->settle.on_due = on_settled;
	memcpy(e->key, key.p, key.n);
	e->name = strrchr(e->key, '/') + 1;
	e->namespace = memcpy(e->key + key.n + 1, namespace, n);
	return e;
}

struct directory_entry *entry_make(struct directory *d, enum object_kind kind, const char *namespace, const char *name)
{
	char text[OBJECT_KEY_MAX];
	struct str key = object_key(kind, namespace, name, text);
	struct directory_entry *e = map_get(&d->entries, key);

	if (e || !(e = entry_new(d, kind, namespace, key)))
		return e;
	if (map_put(&d->entries, (struct str){ e->key, key.n }, e) == E_OK)
		return e;
	release(e);
	return NULL;
}

static void entry_free(struct directory_entry *e)
{
	map_remove(&e->dir->entries, str_of(e->key));
	entry_forget_uid(e);
	release(e);
}

void entry_release_all(struct directory *d)
{
	const struct map_entry *entry;
	size_t at = 0;

	while ((entry = map_next(&d->entries, &at)))
		release(entry->value);
	map_release(&d->entries);
	map_release(&d->uids);
}

enum err entry_adopt(struct directory_entry *e, struct object *o, struct str sums)
{
	entry_set_object(e, o);
	e->dirty = true; /* what became of it meanwhile is not known */
	e->sums = directory_sums_of(sums);
	return entry_set_uid(e, o->uid);
}

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

static void job_free(struct directory_job *job)
{
	object_unref(job->current);
	object_unref(job->object);
	mem_free(job);
}

static struct directory_job *job_new(struct directory_entry *e, enum job_kind what)
{
	struct directory *d = e->dir;
	struct directory_job *job = mem_alloc(sizeof(*job));

	if (!job)
		return NULL;
	job->what = what;
	job->owner = e;
	job->task.run = entry_on_done;
	job->key = (struct directory_key){ e->kind, e->namespace, e->name };
	job->file_max = d->file_max;
	job->current = e->object ? object_ref(e->object) : NULL;
	job->known = e->files;
	job->first_sight = !e->uid[0];
	if (e->uid[0])
		memcpy(job->uid, e->uid, sizeof(job->uid));
	else
		apply_uid(job->uid);
	job->sums = e->sums;
	(void)snprintf(job->version, sizeof(job->version), "%llu", (unsigned long long)++d->version);
	return job;
}

static void start_job(struct directory_entry *e, struct directory_job *job)
{
	e->busy = true;
	e->dir->jobs++;
	pool_put(&e->dir->pool, job);
}

void entry_retry_later(struct directory_entry *e, uint64_t delay_ms)
{
	/* without memory: at the next hint */
	e->dirty = loop_timer_start(e->dir->loop, &e->settle, delay_ms) == E_OK;
}

static void start_read(struct directory_entry *e)
{
	struct directory_job *job = job_new(e, JOB_READ);

	if (!job) {
		entry_retry_later(e, DIRECTORY_RETRY_MS);
		return;
	}
	job->last_look = e->object && (e->initial || e->confirm);
	e->dirty = false;
	metric_inc(e->dir->reads);
	start_job(e, job);
}

static struct backend_write *take_write(struct directory_entry *e)
{
	struct backend_write *w = e->first;

	e->first = w->backend_data;
	if (!e->first)
		e->last = NULL;
	w->backend_data = NULL;
	return w;
}

static void start_write(struct directory_entry *e)
{
	struct backend_write *w = take_write(e);
	struct directory_job *job;

	w->err = apply_check(w, e->object, &w->why);
	if (w->err != E_OK) {
		write_done(e->dir, w, w->err);
		return;
	}
	job = job_new(e, JOB_WRITE);
	if (!job) {
		write_done(e->dir, w, why_set(&w->why, E_NOMEM, "directory"));
		return;
	}
	job->write = w;
	start_job(e, job);
}

static bool wants_read(const struct directory_entry *e)
{
	return e->dirty && !e->dir->on_closed && !heap_holds(&e->settle.node);
}

/* Nothing to remember about it. */
static bool is_idle(const struct directory_entry *e)
{
	return !e->object && !e->problem && !e->first && !e->busy && !e->ready && !e->dirty && !e->initial;
}

static void entry_step(struct directory_entry *e)
{
	struct directory *d = e->dir;

	if (e->busy || e->ready)
		return;
	if (wants_read(e) || e->first) {
		e->ready = true;
		e->next_ready = NULL;
		*d->ready_last = e;
		d->ready_last = &e->next_ready;
		directory_kick(d);
	} else if (is_idle(e)) {
		entry_free(e);
	}
}

/* What was done by hand is read first: a write must know what it replaces. */
static void entry_start(struct directory_entry *e)
{
	if (wants_read(e))
		start_read(e);
	else if (e->first)
		start_write(e);
	if (!e->busy)
		entry_step(e);
}

void entries_start(struct directory *d)
{
	while (d->ready && d->jobs < DIRECTORY_JOBS_MAX) {
		struct directory_entry *e = d->ready;

		d->ready = e->next_ready;
		if (!d->ready)
			d->ready_last = &d->ready;
		e->ready = false;
		entry_start(e);
	}
}

void entry_hint(struct directory_entry *e)
{
	loop_timer_stop(e->dir->loop, &e->settle);
	e->confirm = false;
	e->dirty = true;
	entry_step(e);
}

void entry_write(struct directory_entry *e, struct backend_write *w)
{
	w->backend_data = NULL;
	if (e->last)
		e->last->backend_data = w;
	else
		e->first = w;
	e->last = w;
	entry_step(e);
}

void entry_end_job(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct directory *d = e->dir;

	job_free(job);
	e->busy = false;
	d->jobs--;
	entry_step(e);
	directory_kick(d);
}
