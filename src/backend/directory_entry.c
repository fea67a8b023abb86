#include <assert.h>
#include <stdio.h>

#include "backend/directory_impl.h"

static void entry_step(struct directory_entry *e);

/* ---- the table of entries ------------------------------------------------------------------------------------------- */

struct directory_entry *entry_find(struct directory *d, enum object_kind kind, const char *namespace, const char *name)
{
	char key[APPLY_KEY_MAX];

	apply_key(kind, namespace, name, key);
	return map_get(&d->entries, str_of(key));
}

static void on_settled(struct loop_timer *timer)
{
	entry_step(CONTAINER_OF(timer, struct directory_entry, settle));
}

static void forget_uid(struct directory_entry *e)
{
	if (e->uid[0] && map_get(&e->dir->uids, str_of(e->uid)) == e)
		map_remove(&e->dir->uids, str_of(e->uid));
	e->uid[0] = '\0';
}

static enum err set_uid(struct directory_entry *e, const char *uid)
{
	if (strcmp(e->uid, uid) == 0)
		return E_OK;
	forget_uid(e);
	snprintf(e->uid, sizeof(e->uid), "%s", uid);
	return map_put(&e->dir->uids, str_of(e->uid), e);
}

static void set_object(struct directory_entry *e, struct object *o)
{
	metric_add(e->dir->objects, (o ? 1 : 0) - (e->object ? 1 : 0));
	object_unref(e->object);
	e->object = o ? object_ref(o) : NULL;
}

static void release(struct directory_entry *e)
{
	loop_timer_stop(e->dir->loop, &e->settle);
	set_object(e, NULL);
	if (e->problem)
		metric_add(e->dir->problems_found, -1);
	mem_free(e->problem);
	mem_free(e->namespace);
	mem_free(e->name);
	mem_free(e);
}

struct directory_entry *entry_make(struct directory *d, enum object_kind kind, const char *namespace, const char *name)
{
	struct directory_entry *e = entry_find(d, kind, namespace, name);

	if (e)
		return e;
	e = mem_alloc(sizeof(*e));
	if (!e)
		return NULL;
	e->dir = d;
	e->kind = kind;
	e->settle.on_due = on_settled;
	e->namespace = str_dup(str_of(namespace));
	e->name = str_dup(str_of(name));
	apply_key(kind, namespace, name, e->key);
	if (e->namespace && e->name && map_put(&d->entries, str_of(e->key), e) == E_OK)
		return e;
	release(e);
	return NULL;
}

void entry_free(struct directory_entry *e)
{
	map_remove(&e->dir->entries, str_of(e->key));
	forget_uid(e);
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

enum err entry_adopt(struct directory_entry *e, struct object *o, const char *digest)
{
	set_object(e, o);
	e->dirty = true; /* what became of it meanwhile is not known */
	snprintf(e->digest, sizeof(e->digest), "%s", digest);
	return set_uid(e, o->uid);
}

/* ---- reports -------------------------------------------------------------------------------------------------------- */

static void report_object(struct directory_entry *e)
{
	struct directory *d = e->dir;

	if (!d->watching)
		return;
	e->reported = true;
	d->watcher.on_object(d->watcher.ctx, e->object);
}

static void report_gone(struct directory_entry *e, struct object *last)
{
	struct directory *d = e->dir;

	if (d->watching && e->reported)
		d->watcher.on_gone(d->watcher.ctx, last);
	e->reported = false;
}

static void tell_problem(struct directory_entry *e, bool bad, enum err err, const char *text)
{
	struct buf story = { 0 };

	buf_addf(&story, "%s/%s/%s: %s", e->namespace, object_kind_name(e->kind), e->name, text);
	directory_problem(e->dir, bad, err, buf_cstr(&story) ? story.p : text);
	buf_release(&story);
}

/* Once for each thing that is wrong, and once when it is right again. `text` NULL: it is right. */
static void set_problem(struct directory_entry *e, enum err err, const char *text)
{
	char *old = e->problem;

	if (old && text && strcmp(old, text) == 0)
		return;
	if (!old && !text)
		return;
	e->problem = text ? str_dup(str_of(text)) : NULL;
	metric_add(e->dir->problems_found, (e->problem ? 1 : 0) - (old ? 1 : 0));
	tell_problem(e, text, text ? err : E_OK, text ? text : old);
	mem_free(old);
}

/* ---- jobs ----------------------------------------------------------------------------------------------------------- */

static void on_done(struct loop_task *task);

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
	job->task.run = on_done;
	job->key = (struct directory_key){ e->kind, e->namespace, e->name };
	job->file_max = d->file_max;
	job->current = e->object ? object_ref(e->object) : NULL;
	job->known = e->files;
	job->first_sight = !e->uid[0];
	if (e->uid[0])
		memcpy(job->uid, e->uid, sizeof(job->uid));
	else
		apply_uid(job->uid);
	memcpy(job->digest, e->digest, sizeof(job->digest));
	snprintf(job->version, sizeof(job->version), "%llu", (unsigned long long)++d->version);
	return job;
}

static void start_job(struct directory_entry *e, struct directory_job *job)
{
	e->busy = true;
	e->dir->jobs++;
	pool_put(&e->dir->pool, job);
}

static void retry_later(struct directory_entry *e, uint64_t delay_ms)
{
	/* without memory: at the next hint */
	e->dirty = loop_timer_start(e->dir->loop, &e->settle, delay_ms) == E_OK;
}

static void start_read(struct directory_entry *e)
{
	struct directory_job *job = job_new(e, JOB_READ);

	if (!job) {
		retry_later(e, DIRECTORY_RETRY_MS);
		return;
	}
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

/* ---- outcomes ------------------------------------------------------------------------------------------------------- */

static void seen(struct directory_entry *e)
{
	if (!e->initial)
		return;
	e->initial = false;
	assert(e->dir->initial);
	e->dir->initial--;
}

/* The entry may be freed by this. */
static void end_job(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct directory *d = e->dir;

	job_free(job);
	e->busy = false;
	d->jobs--;
	entry_step(e);
	directory_kick(d);
}

static void take_object(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	set_object(e, job->object);
	memcpy(e->digest, job->digest, sizeof(e->digest));
	e->files = job->files;
	(void)set_uid(e, job->object->uid); /* without memory it is not known as taken */
}

static struct object *drop_object(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct object *last = e->object ? object_ref(e->object) : NULL;

	set_object(e, NULL);
	forget_uid(e);
	e->digest[0] = '\0';
	e->files = job->files;
	return last;
}

static void finish_write(struct directory_job *job, bool changed)
{
	struct directory_entry *e = job->owner;
	struct backend_write *w = job->write;
	struct object *last = NULL;

	if (changed && job->outcome == JOB_GONE)
		last = drop_object(job);
	else if (changed)
		take_object(job);
	w->result = e->object;
	write_done(e->dir, w, E_OK);
	set_problem(e, E_OK, NULL);
	if (changed && e->object)
		report_object(e);
	else if (last)
		report_gone(e, last);
	object_unref(last);
}

static void finish_read(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct object *last = NULL;

	e->confirm = false;
	if (job->outcome == JOB_NEW)
		take_object(job);
	else
		last = drop_object(job);
	set_problem(e, E_OK, NULL);
	if (last)
		report_gone(e, last);
	else if (e->object)
		report_object(e);
	object_unref(last);
	seen(e);
}

void entry_finish_job(struct directory_job *job)
{
	if (job->what == JOB_WRITE)
		finish_write(job, /* changed= */ true);
	else
		finish_read(job);
	end_job(job);
}

/* The commit failed: the files are as they are, and will be looked at again. */
void entry_fail_read(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	retry_later(e, DIRECTORY_RETRY_MS);
	if (job->what == JOB_WRITE) {
		job->write->why = job->why;
		write_done(e->dir, job->write, job->why.err);
	}
	end_job(job);
}

/* A person may be in the middle of it. At the start there is nobody to wait for. */
static bool settles(struct directory_entry *e)
{
	if (e->initial || e->confirm)
		return false;
	e->confirm = true;
	retry_later(e, DIRECTORY_SETTLE_MS);
	return true;
}

static void read_is_same(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	e->confirm = false;
	e->files = job->files;
	set_problem(e, E_OK, NULL);
	if (!e->reported)
		report_object(e);
	seen(e);
	end_job(job);
}

static void read_is_bad(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	e->files = job->files;
	if (job->why.err == E_NOMEM) {
		retry_later(e, DIRECTORY_RETRY_MS);
	} else if (!settles(e)) {
		e->confirm = false;
		set_problem(e, job->why.err, job->why.text);
		if (e->object && !e->reported)
			report_object(e); /* the last good state */
		seen(e);
	}
	end_job(job);
}

static void read_is_gone(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	if (e->object && !settles(e)) {
		commit_start(job, /* remove= */ true);
		return;
	}
	e->files = job->files;
	if (!e->object) {
		set_problem(e, E_OK, NULL);
		e->confirm = false;
		seen(e);
	}
	end_job(job);
}

/* A UID that the file brought must not be another object's: a copied file is a new object. */
static enum err check_uid(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct directory_entry *other = map_get(&e->dir->uids, str_of(job->object->uid));
	json_object *tree;
	enum err err;

	if (!other || other == e)
		return set_uid(e, job->object->uid); /* at once: the next copy of it must see it */
	tree = object_tree(job->object);
	object_unref(TAKE(job->object));
	err = tree ? job_stamp(job, tree, job->uid) : E_NOMEM;
	json_object_put(tree);
	return err;
}

static void read_is_new(struct directory_job *job)
{
	if (check_uid(job) == E_OK) {
		commit_start(job, /* remove= */ false);
		return;
	}
	job->why.err = E_NOMEM;
	read_is_bad(job);
}

static void on_read(struct directory_job *job)
{
	switch (job->outcome) {
	case JOB_SAME:
		read_is_same(job);
		break;
	case JOB_NEW:
		read_is_new(job);
		break;
	case JOB_GONE:
		read_is_gone(job);
		break;
	case JOB_BAD:
		read_is_bad(job);
		break;
	}
}

static void on_written(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	switch (job->outcome) {
	case JOB_SAME:
		finish_write(job, /* changed= */ false);
		break;
	case JOB_NEW:
	case JOB_GONE:
		commit_start(job, job->outcome == JOB_GONE);
		return;
	case JOB_BAD:
		e->dirty = e->dirty || job->unsure || job->why.err == E_NOT_FOUND;
		job->write->why = job->why;
		write_done(e->dir, job->write, job->why.err);
		break;
	}
	end_job(job);
}

static void on_done(struct loop_task *task)
{
	struct directory_job *job = CONTAINER_OF(task, struct directory_job, task);

	if (job->what == JOB_WRITE)
		on_written(job);
	else
		on_read(job);
}
