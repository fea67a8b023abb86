#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/apply.h"
#include "backend/directory_job.h"
#include "base/mem.h"

#define TEMP_PREFIX ".holdfast-"
#define TEMP_SUFFIX ".tmp"
#define FILE_MODE   0666 /* less the umask */

/* A directory of a kind, opened once per batch. */
struct job_dir {
	const char *namespace;
	enum object_kind kind;
	int namespace_fd;
	int fd;
	bool namespace_made; /* the root is to be synced */
	bool made;           /* the namespace's directory is */
	bool changed;        /* this one is */
	enum err err;        /* of a sync */
	int number;
};

struct batch {
	int root;
	const char *token;
	struct job_dir dirs[JOB_BATCH];
	size_t dir_count;
};

bool job_is_temp(struct str file, const char *token)
{
	struct str middle = str_sub(file, strlen(TEMP_PREFIX), file.n);

	return str_starts(file, STR(TEMP_PREFIX)) && str_ends(file, STR(TEMP_SUFFIX)) &&
	       (!token || str_starts(middle, str_of(token)));
}

static bool fail(struct directory_job *job)
{
	job->outcome = JOB_BAD;
	if (job->why.err == E_OK)
		job->why.err = E_NOMEM;
	return false;
}

/* ---- directories ---------------------------------------------------------------------------------------------------- */

static enum err open_dir(struct batch *b, struct directory_job *job, struct job_dir *d)
{
	bool create = job->write->verb == BACKEND_PUT;
	enum err err;

	*d = (struct job_dir){ .namespace = job->key.namespace, .kind = job->key.kind };
	err = disk_open_dir(b->root, d->namespace, create, &job->why, &d->namespace_fd, &d->namespace_made);
	if (err != E_OK)
		return err;
	err = disk_open_dir(d->namespace_fd, object_kind_name(d->kind), create, &job->why, &d->fd, &d->made);
	if (err != E_OK)
		close(d->namespace_fd);
	return err;
}

static bool find_dir(struct batch *b, struct directory_job *job)
{
	for (size_t i = 0; i < b->dir_count; i++) {
		struct job_dir *d = &b->dirs[i];

		if (d->kind == job->key.kind && strcmp(d->namespace, job->key.namespace) == 0) {
			job->dir = d;
			return true;
		}
	}
	assert(b->dir_count < JOB_BATCH);
	if (open_dir(b, job, &b->dirs[b->dir_count]) != E_OK)
		return fail(job);
	job->dir = &b->dirs[b->dir_count++];
	return true;
}

static void sync_one(struct job_dir *d, int fd)
{
	if (fsync(fd) == 0)
		return;
	d->number = errno;
	d->err = disk_err(errno);
}

static void sync_dirs(struct batch *b)
{
	for (size_t i = 0; i < b->dir_count; i++) {
		struct job_dir *d = &b->dirs[i];

		if (d->changed)
			sync_one(d, d->fd);
		if (d->made)
			sync_one(d, d->namespace_fd);
		if (d->namespace_made)
			sync_one(d, b->root);
	}
}

static void close_dirs(struct batch *b)
{
	for (size_t i = 0; i < b->dir_count; i++) {
		close(b->dirs[i].fd);
		close(b->dirs[i].namespace_fd);
	}
}

/* ---- what is to be written ------------------------------------------------------------------------------------------ */

/* Is the disk as we know it? Else a person was faster, and what they did is looked at first. */
static bool check_disk(struct directory_job *job)
{
	struct disk_files now;
	struct why why = { 0 };

	if (disk_look_all(job->dir->fd, job->key.name, &why, &now) != E_OK && why.err != E_MALFORMED) {
		job->why = why;
		return fail(job);
	}
	if (disk_same_files(&now, &job->known))
		return true;
	job->unsure = true;
	why_set(&job->why, E_CONFLICT, "the file was changed by hand");
	return fail(job);
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
		return fail(job);
	}
	directory_file_name(job->key.name, part, f->name);
	(void)snprintf(f->temp, sizeof(f->temp), TEMP_PREFIX "%s-%lu" TEMP_SUFFIX, b->token,
		       atomic_fetch_add(&counter, 1));
	if (disk_write(job->dir->fd, f->temp, buf_view(text), old->exists && S_ISREG(old->mode) ? old->mode : FILE_MODE,
		       &job->why, &f->fd) != E_OK)
		return fail(job);
	f->wanted = true;
	return true;
}

static bool write_object(struct batch *b, struct directory_job *job, json_object *tree)
{
	enum directory_part part = job->known.object.exists ? job->known.part : DIRECTORY_YAML;
	CLEANUP(buf_release) struct buf text = { 0 };

	if (directory_object_text(tree, part, &text, &job->why) != E_OK)
		return fail(job);
	return write_file(b, job, 0, part, &text);
}

static bool write_status(struct batch *b, struct directory_job *job, json_object *tree)
{
	CLEANUP(buf_release) struct buf text = { 0 };

	if (directory_status_text(tree, &text, &job->why) != E_OK)
		return fail(job);
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
	char digest[DIRECTORY_DIGEST_MAX];
	bool ok = directory_digest(tree, &job->why, digest) == E_OK &&
		  (!current || directory_arrange(current, &old) == E_OK);

	if (ok && job->current && strcmp(digest, job->digest) == 0) {
		job->outcome = JOB_SAME;
	} else if (ok) {
		memcpy(job->digest, digest, sizeof(digest));
		job->outcome = JOB_NEW;
		ok = write_parts(b, job, tree, old) && job_stamp(job, tree, job->uid) == E_OK;
	}
	json_object_put(old);
	return ok || fail(job);
}

/* Trees of its own: this is not the objects' thread. */
static bool prepare_content(struct batch *b, struct directory_job *job)
{
	json_object *wanted = object_tree_own(job->write->object), *arranged = NULL, *tree = NULL;
	json_object *current = job->current ? object_tree_own(job->current) : NULL;
	bool ok = wanted && (current || !job->current) &&
		  (tree = apply_tree(job->write->verb, wanted, current)) != NULL &&
		  directory_arrange(tree, &arranged) == E_OK && prepare_tree(b, job, arranged, current);

	json_object_put(wanted);
	json_object_put(current);
	json_object_put(tree);
	json_object_put(arranged);
	return ok || fail(job);
}

/* A status without an object, left behind by whoever removed that, counts for nothing: it is replaced. */
static void forget_orphan(struct directory_job *job)
{
	struct disk_files now;

	if (!job->known.object.exists && disk_look_all(job->dir->fd, job->key.name, NULL, &now) == E_OK &&
	    !now.object.exists)
		job->known = now;
}

/* A person has taken the file away, or is about to put another in its place: a status must not bring the old one back. */
static bool check_there(struct directory_job *job)
{
	if (job->write->verb != BACKEND_STATUS || !job->current || job->known.object.exists)
		return true;
	why_set(&job->why, E_BUSY, "its file is away");
	return fail(job);
}

static void prepare(struct batch *b, struct directory_job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(job->files_new); i++)
		job->files_new[i].fd = -1;
	job->outcome = JOB_NEW;
	if (!find_dir(b, job))
		return;
	if (!job->current)
		forget_orphan(job);
	if (!check_disk(job) || !check_there(job))
		return;
	if (job->write->verb == BACKEND_DELETE)
		job->outcome = JOB_GONE;
	else
		(void)prepare_content(b, job);
}

/* ---- to the disk ---------------------------------------------------------------------------------------------------- */

static void drop_files(struct directory_job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(job->files_new); i++) {
		struct job_file *f = &job->files_new[i];

		if (f->fd >= 0)
			close(f->fd);
		if (f->wanted)
			(void)unlinkat(job->dir->fd, f->temp, 0);
		f->fd = -1;
		f->wanted = false;
	}
}

/*
 * Blocks become a file's own when its data has arrived. With all of a batch arrived before the first sync, that one commit of
 * the journal has them all; else each file waits for a commit of its own.
 */
static void wait_for_data(struct directory_job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(job->files_new); i++)
		if (job->files_new[i].wanted)
			(void)sync_file_range(job->files_new[i].fd, 0, 0,
					      SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
						      SYNC_FILE_RANGE_WAIT_AFTER);
}

static bool sync_files(struct directory_job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(job->files_new); i++) {
		struct job_file *f = &job->files_new[i];

		if (!f->wanted)
			continue;
		if (fdatasync(f->fd) != 0) {
			why_errno(&job->why, disk_err(errno), errno, "sync %s", f->name);
			return fail(job);
		}
		close(f->fd);
		f->fd = -1;
	}
	return true;
}

static bool rename_file(struct directory_job *job, struct job_file *f)
{
	if (!f->wanted)
		return true;
	if (renameat(job->dir->fd, f->temp, job->dir->fd, f->name) != 0) {
		why_errno(&job->why, disk_err(errno), errno, "rename %s", f->name);
		return fail(job);
	}
	f->wanted = false;
	job->dir->changed = true;
	job->unsure = true;
	return true;
}

/* The status first: without its object file it is nothing. */
static bool rename_files(struct directory_job *job)
{
	return rename_file(job, &job->files_new[1]) && rename_file(job, &job->files_new[0]);
}

static bool unlink_file(struct directory_job *job, enum directory_part part, bool exists)
{
	char name[DIRECTORY_FILE_MAX];

	directory_file_name(job->key.name, part, name);
	if (exists && unlinkat(job->dir->fd, name, 0) != 0 && errno != ENOENT) {
		why_errno(&job->why, disk_err(errno), errno, "remove %s", name);
		return fail(job);
	}
	job->dir->changed = true;
	job->unsure = true;
	return true;
}

/* The object first: what is left of a status counts for nothing, and the next object of this name replaces it. */
static bool unlink_files(struct directory_job *job)
{
	return unlink_file(job, job->known.part, job->known.object.exists) &&
	       unlink_file(job, DIRECTORY_STATUS, job->known.status.exists);
}

static bool is_under_way(const struct directory_job *job)
{
	return job->outcome == JOB_NEW || job->outcome == JOB_GONE;
}

static void change(struct directory_job *job)
{
	bool ok = is_under_way(job) && check_disk(job) &&
		  (job->outcome == JOB_GONE ? unlink_files(job) : rename_files(job));

	if (!ok && job->dir)
		drop_files(job);
}

static void conclude(struct directory_job *job)
{
	job->files = job->known;
	if (!is_under_way(job))
		return;
	if (job->dir->err != E_OK) {
		why_errno(&job->why, job->dir->err, job->dir->number, "sync directory");
		(void)fail(job);
	} else if (disk_look_all(job->dir->fd, job->key.name, &job->why, &job->files) != E_OK) {
		(void)fail(job);
	}
}

void job_write_batch(struct directory_job *first, int root, const char *token)
{
	struct batch b = { .root = root, .token = token };

	for (struct directory_job *job = first; job; job = job->next)
		prepare(&b, job);
	for (struct directory_job *job = first; job; job = job->next)
		if (is_under_way(job))
			wait_for_data(job);
	for (struct directory_job *job = first; job; job = job->next)
		if (is_under_way(job))
			(void)sync_files(job);
	for (struct directory_job *job = first; job; job = job->next)
		change(job);
	sync_dirs(&b);
	for (struct directory_job *job = first; job; job = job->next)
		conclude(job);
	close_dirs(&b);
}
