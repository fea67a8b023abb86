#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend/directory_batch.h"
#include "base/mem.h"

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
			return job_fail(job);
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
		return job_fail(job);
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
		return job_fail(job);
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

/* The last look is the only one: who is faster is rare, and what was prepared then goes away again. */
static void change(struct directory_job *job)
{
	bool ok = job->outcome != JOB_BAD && job_check_disk(job) &&
		  (job->outcome == JOB_GONE ? unlink_files(job) : rename_files(job));

	if (!ok && job->dir)
		drop_files(job);
}

/* Only what was written: of what others do meanwhile inotify tells. */
static bool look_again(struct directory_job *job)
{
	struct disk_sig *sigs[] = { &job->files.object, &job->files.status };

	if (job->outcome == JOB_GONE)
		job->files = (struct disk_files){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++) {
		const char *name = job->files_new[i].name;

		if (name[0] && disk_look(job->dir->fd, name, &job->why, sigs[i]) != E_OK)
			return false;
	}
	return true;
}

static void conclude(struct directory_job *job)
{
	job->files = job->known;
	if (!is_under_way(job))
		return;
	if (job->dir->err != E_OK) {
		why_errno(&job->why, job->dir->err, job->dir->number, "sync directory");
		(void)job_fail(job);
	} else if (!look_again(job)) {
		(void)job_fail(job);
	}
}

void job_write_batch(struct directory_job *first, int root, const char *path, const char *token)
{
	struct batch b = { .root = root, .path = path, .token = token };

	for (struct directory_job *job = first; job; job = job->next)
		job_prepare(&b, job);
	for (struct directory_job *job = first; job; job = job->next)
		if (is_under_way(job))
			wait_for_data(job);
	for (struct directory_job *job = first; job; job = job->next)
		if (is_under_way(job))
			(void)sync_files(job);
	for (struct directory_job *job = first; job; job = job->next)
		change(job);
	batch_sync_dirs(&b);
	for (struct directory_job *job = first; job; job = job->next)
		conclude(job);
	batch_close_dirs(&b);
}
