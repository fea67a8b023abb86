#include <assert.h>

#include "backend/directory_impl.h"

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
	char *old = e->problem, *now;

	if (old && text && strcmp(old, text) == 0)
		return;
	if (!old && !text)
		return;
	now = text ? str_dup(str_of(text)) : NULL;
	if (text && !now) { /* that it is over would not be said */
		entry_retry_later(e, DIRECTORY_RETRY_MS);
		return;
	}
	e->problem = now;
	metric_add(e->dir->problems_found, (e->problem ? 1 : 0) - (old ? 1 : 0));
	tell_problem(e, text, text ? err : E_OK, text ? text : old);
	mem_free(old);
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

static void take_object(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	entry_set_object(e, job->object);
	e->sums = job->sums;
	e->files = job->files;
	(void)entry_set_uid(e, job->object->uid); /* without memory it is not known as taken */
}

static struct object *drop_object(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct object *last = e->object ? object_ref(e->object) : NULL;

	entry_set_object(e, NULL);
	entry_forget_uid(e);
	e->sums = (struct directory_sums){ 0 };
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
	entry_end_job(job);
}

/* The commit failed: the files are as they are, and will be looked at again. */
void entry_fail_job(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	entry_retry_later(e, DIRECTORY_RETRY_MS);
	if (job->what == JOB_WRITE) {
		job->write->why = job->why;
		write_done(e->dir, job->write, job->why.err);
	}
	entry_end_job(job);
}

/* A person may be in the middle of it. At the start there is nobody to wait for. */
static bool settles(struct directory_entry *e)
{
	if (e->initial || e->confirm)
		return false;
	e->confirm = true;
	entry_retry_later(e, DIRECTORY_SETTLE_MS);
	return true;
}

static void read_is_same(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	e->confirm = false;
	e->files = job->files;
	e->sums = job->sums;
	set_problem(e, E_OK, NULL);
	if (!e->reported)
		report_object(e);
	seen(e);
	entry_end_job(job);
}

static void read_is_bad(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	e->files = job->files;
	if (job->why.err == E_NOMEM) { /* at the start it is still not known what there is */
		set_problem(e, E_NOMEM, "out of memory");
		entry_retry_later(e, DIRECTORY_RETRY_MS);
	} else if (!settles(e)) {
		e->confirm = false;
		set_problem(e, job->why.err, job->why.text);
		if (job->why.err == E_UNAVAILABLE)
			entry_retry_later(e, DIRECTORY_RETRY_MS); /* the process has no descriptor left now */
		if (e->object && !e->reported)
			report_object(e); /* the last good state */
		seen(e);
	}
	entry_end_job(job);
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
	entry_end_job(job);
}

/* The last good state stays. All is looked at when the directory is back. */
static void read_is_away(struct directory_job *job)
{
	struct directory_entry *e = job->owner;

	e->confirm = false;
	if (e->object && !e->reported)
		report_object(e);
	seen(e);
	watch_compare(e->dir);
	entry_end_job(job);
}

/* A UID that the file brought must not be another object's: a copied file is a new object. */
static enum err check_uid(struct directory_job *job)
{
	struct directory_entry *e = job->owner;
	struct directory_entry *other = map_get(&e->dir->uids, str_of(job->object->uid));
	json_object *tree;
	enum err err;

	if (!other || other == e)
		return entry_set_uid(e, job->object->uid); /* at once: the next copy of it must see it */
	tree = object_tree_own(job->object);
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
	case JOB_AWAY:
		read_is_away(job);
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
	case JOB_AWAY:
	case JOB_BAD:
		e->dirty = e->dirty || job->unsure || job->why.err == E_NOT_FOUND;
		job->write->why = job->why;
		write_done(e->dir, job->write, job->why.err);
		break;
	}
	entry_end_job(job);
}

void entry_on_done(struct loop_task *task)
{
	struct directory_job *job = CONTAINER_OF(task, struct directory_job, task);

	if (job->what == JOB_WRITE)
		on_written(job);
	else
		on_read(job);
}
