#include "backend/directory_batch.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

static enum err open_dir(struct batch *b, struct directory_job *job, struct job_dir *d)
{
	bool create = job->write->verb == BACKEND_PUT;
	enum err err = disk_in_place(b->root, b->path, &job->why);

	if (err != E_OK)
		return err;
	*d = (struct job_dir){ .namespace = job->key.namespace, .kind = job->key.kind };
	err = disk_open_dir(b->root, d->namespace, create, &job->why, &d->namespace_fd, &d->namespace_made);
	if (err != E_OK)
		return err;
	err = disk_open_dir(d->namespace_fd, object_kind_name(d->kind), create, &job->why, &d->fd, &d->made);
	if (err != E_OK)
		close(d->namespace_fd);
	return err;
}

bool batch_find_dir(struct batch *b, struct directory_job *job)
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
		return job_fail(job);
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

/* The name of a new namespace is above all its directories; which of them made it does not matter. */
static void sync_root(struct batch *b)
{
	struct job_dir root = { 0 };

	sync_one(&root, b->root);
	for (size_t i = 0; i < b->dir_count && root.err != E_OK; i++) {
		b->dirs[i].number = root.number;
		b->dirs[i].err = root.err;
	}
}

void batch_sync_dirs(struct batch *b)
{
	bool namespace_made = false;

	for (size_t i = 0; i < b->dir_count; i++) {
		struct job_dir *d = &b->dirs[i];

		if (d->changed)
			sync_one(d, d->fd);
		if (d->made)
			sync_one(d, d->namespace_fd);
		namespace_made = namespace_made || d->namespace_made;
	}
	if (namespace_made)
		sync_root(b);
}

void batch_close_dirs(struct batch *b)
{
	for (size_t i = 0; i < b->dir_count; i++) {
		close(b->dirs[i].fd);
		close(b->dirs[i].namespace_fd);
	}
}
