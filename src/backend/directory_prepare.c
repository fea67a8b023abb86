#include <stdatomic.h>
#include <stdio.h>

#include "backend/apply.h"
#include "backend/directory_batch.h"
#include "base/mem.h"

#define TEMP_PREFIX ".holdfast-"
#define TEMP_SUFFIX ".tmp"

bool job_is_temp(struct str file, const char *token)
{
	struct str middle = str_sub(file, strlen(TEMP_PREFIX), file.n);

	return str_starts(file, STR(TEMP_PREFIX)) && str_ends(file, STR(TEMP_SUFFIX)) &&
	       (!token || str_starts(middle, str_of(token)));
}

bool job_fail(struct directory_job *job)
{
	job->outcome = JOB_BAD;
	if (job->why.err == E_OK)
		job->why.err = E_NOMEM;
	return false;
}

bool job_check_disk(struct directory_job *job)
{
	struct disk_files now;
	struct why why = { 0 };

	if (disk_look_all(job->dir->fd, job->key.name, &why, &now) != E_OK && why.err != E_MALFORMED) {
		job->why = why;
		return job_fail(job);
	}
	if (disk_same_files(&now, &job->known))
		return true;
	job->unsure = true;
	why_set(&job->why, E_CONFLICT, "the file was changed by hand");
	return job_fail(job);
}

/* A file keeps the mode that it has. In repositories stand passwords; what else is new is as the umask says. */
static mode_t mode_of(const struct directory_job *job, const struct disk_sig *old)
{
	if (old->exists && S_ISREG(old->mode))
		return old->mode;
	return job->key.kind == OBJECT_REPOSITORY ? 0600 : 0666;
}

static bool write_file(struct batch *b, struct directory_job *job, int which, enum directory_part part,
		       const struct buf *text)
{
	static _Atomic unsigned long counter;
	struct job_file *f = &job->files_new[which];
	const struct disk_sig *old = which ? &job->known.status : &job->known.object;

	if (text->n > job->file_max) {
		why_set(&job->why, E_MALFORMED, "its file would be larger than %llu bytes",
			(unsigned long long)job->file_max);
		return job_fail(job);
	}
	directory_file_name(job->key.name, part, f->name);
	(void)snprintf(f->temp, sizeof(f->temp), TEMP_PREFIX "%s-%lu" TEMP_SUFFIX, b->token,
		       atomic_fetch_add(&counter, 1));
	if (disk_write(job->dir->fd, f->temp, buf_view(text), mode_of(job, old), &job->why, &f->fd) != E_OK) {
		why_add(&job->why, "write %s/%s/%s", job->key.namespace, object_kind_name(job->key.kind), f->name);
		return job_fail(job);
	}
	f->wanted = true;
	return true;
}

static bool write_object(struct batch *b, struct directory_job *job, json_object *tree)
{
	enum directory_part part = job->known.object.exists ? job->known.part : DIRECTORY_YAML;
	CLEANUP(buf_release) struct buf text = { 0 };

	if (directory_object_text(tree, part, &text, &job->why) != E_OK ||
	    directory_sum(part, buf_view(&text), &job->why, job->sums.object) != E_OK)
		return job_fail(job);
	return write_file(b, job, 0, part, &text);
}

static bool write_status(struct batch *b, struct directory_job *job, json_object *tree)
{
	CLEANUP(buf_release) struct buf text = { 0 };

	if (directory_status_text(tree, &text, &job->why) != E_OK ||
	    directory_sum(DIRECTORY_STATUS, buf_view(&text), &job->why, job->sums.status) != E_OK)
		return job_fail(job);
	return write_file(b, job, 1, DIRECTORY_STATUS, &text);
}

/* Only the files whose part changed; a status that stands in the object file moves out of it. */
static bool write_parts(struct batch *b, struct directory_job *job, json_object *tree, json_object *old)
{
	bool object = !job->known.object.exists || !old || !directory_same_object(tree, old);
	bool status = old ? !directory_same_status(tree, old) : directory_has_status(tree) || job->known.status.exists;

	if (object && !job->known.status.exists && directory_has_status(tree))
		status = true;
	return (!object || write_object(b, job, tree)) && (!status || write_status(b, job, tree));
}

static bool prepare_tree(struct batch *b, struct directory_job *job, json_object *tree, json_object *current)
{
	json_object *old = NULL;
	bool same = false;
	bool ok = (!current || directory_arrange(current, &old) == E_OK) &&
		  (!old || directory_same(tree, old, &job->why, &same) == E_OK);

	if (ok && same) {
		job->outcome = JOB_SAME;
	} else if (ok) {
		job->outcome = JOB_NEW;
		ok = write_parts(b, job, tree, old) && job_stamp(job, tree, job->uid) == E_OK;
	}
	json_object_put(old);
	return ok || job_fail(job);
}

/* Trees of its own: this is not the objects' thread. */
static bool prepare_content(struct batch *b, struct directory_job *job)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	const struct apply_ids as_they_are = { 0 };
	json_object *current = job->current ? object_tree_own(job->current) : NULL, *tree = NULL, *arranged = NULL;
	bool ok = (current || !job->current) &&
		  apply_text(job->write->verb, job->write->object, job->current, &as_they_are, &text, &job->why) ==
			  E_OK &&
		  (tree = tree_again(buf_view(&text))) != NULL && directory_arrange(tree, &arranged) == E_OK &&
		  prepare_tree(b, job, arranged, current);

	json_object_put(current);
	json_object_put(tree);
	json_object_put(arranged);
	return ok || job_fail(job);
}

/* A status without an object, left behind by whoever removed that, counts for nothing: it is replaced. */
static void forget_orphan(struct directory_job *job)
{
	struct disk_files now;

	if (!job->current && !job->known.object.exists &&
	    disk_look_all(job->dir->fd, job->key.name, NULL, &now) == E_OK && !now.object.exists)
		job->known = now;
}

/* A person has taken the file away, or is about to put another in its place: a status must not bring the old one back. */
static bool check_there(struct directory_job *job)
{
	if (job->write->verb != BACKEND_STATUS || !job->current || job->known.object.exists)
		return true;
	why_set(&job->why, E_BUSY, "its file is away");
	return job_fail(job);
}

void job_prepare(struct batch *b, struct directory_job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(job->files_new); i++)
		job->files_new[i].fd = -1;
	job->outcome = JOB_NEW;
	if (!batch_find_dir(b, job))
		return;
	forget_orphan(job);
	if (!check_there(job))
		return;
	if (job->write->verb == BACKEND_DELETE)
		job->outcome = JOB_GONE;
	else
		(void)prepare_content(b, job);
}
