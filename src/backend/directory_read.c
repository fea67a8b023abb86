#include <unistd.h>

#include "backend/directory_job.h"
#include "base/mem.h"

static enum err open_kind(struct directory_job *job, int root, int *ret_fd)
{
	bool made = false;
	int namespace;
	enum err err = disk_open_dir(root, job->key.namespace, /* create= */ false, &job->why, &namespace, &made);

	if (err != E_OK)
		return err;
	err = disk_open_dir(namespace, object_kind_name(job->key.kind), /* create= */ false, &job->why, ret_fd, &made);
	close(namespace);
	return err;
}

static enum err read_texts(struct directory_job *job, int dir, struct buf *object, struct buf *status)
{
	char file[DIRECTORY_FILE_MAX];
	enum err err;

	directory_file_name(job->key.name, job->files.part, file);
	err = disk_read(dir, file, job->file_max, &job->why, object);
	if (err != E_OK || !job->files.status.exists)
		return err;
	directory_file_name(job->key.name, DIRECTORY_STATUS, file);
	err = disk_read(dir, file, job->file_max, &job->why, status);
	return err == E_OK ? E_OK : why_add(&job->why, "status file");
}

enum err job_stamp(struct directory_job *job, json_object *tree, const char *uid)
{
	enum err err = tree_meta_set(tree, "uid", uid);

	if (err == E_OK)
		err = tree_meta_set(tree, "resourceVersion", job->version);
	if (err != E_OK)
		return why_set(&job->why, err, "metadata");
	return object_from_tree(job->key.kind, tree, &job->why, &job->object);
}

/* Is it what we know, but for how it is written? */
static enum err is_current(struct directory_job *job, json_object *tree, bool *ret_is)
{
	json_object *current = job->current ? object_tree_own(job->current) : NULL, *old = NULL;
	enum err err = current || !job->current ? E_OK : E_NOMEM;

	*ret_is = false;
	if (current)
		err = directory_arrange(current, &old);
	if (old)
		err = directory_same(tree, old, &job->why, ret_is);
	json_object_put(old);
	json_object_put(current);
	return err;
}

static enum err compare(struct directory_job *job, json_object *tree, const char *brought)
{
	bool same;
	enum err err = is_current(job, tree, &same);

	if (err != E_OK)
		return err;
	job->outcome = same ? JOB_SAME : JOB_NEW;
	return same ? E_OK : job_stamp(job, tree, job->first_sight && *brought ? brought : job->uid);
}

/* Into job->sums; are they as we know them? */
static enum err sum(struct directory_job *job, struct str object, struct str status, bool *ret_same)
{
	struct directory_sums known = job->sums;
	enum err err;

	job->sums = (struct directory_sums){ 0 };
	err = directory_sum(job->files.part, object, &job->why, job->sums.object);
	if (err == E_OK && status.p)
		err = directory_sum(DIRECTORY_STATUS, status, &job->why, job->sums.status);
	*ret_same = job->current && directory_same_sums(&job->sums, &known);
	return err;
}

static enum err take_content(struct directory_job *job, struct str object, struct buf *status)
{
	struct str text = job->files.status.exists ? (struct str){ status->p ? status->p : "", status->n }
						   : (struct str){ 0 };
	bool same;
	char brought[DIRECTORY_UID_MAX + 1] = "";
	json_object *tree = NULL;
	enum err err = sum(job, object, text, &same);

	if (err == E_OK && same)
		job->outcome = JOB_SAME;
	if (err != E_OK || same)
		return err;
	err = directory_content(&job->key, job->files.part, object, text, &job->why, &tree, brought);
	if (err == E_OK)
		err = compare(job, tree, brought);
	json_object_put(tree);
	return err;
}

/* A person removed the object alone: what was said of it must not stand beside the next one of its name. */
static void remove_status(struct directory_job *job, int dir)
{
	char file[DIRECTORY_FILE_MAX];

	directory_file_name(job->key.name, DIRECTORY_STATUS, file);
	if (unlinkat(dir, file, 0) != 0)
		return; /* where nobody may write, people clean up themselves */
	(void)fsync(dir);
	job->files.status = (struct disk_sig){ 0 };
}

static enum err read_files(struct directory_job *job, int dir)
{
	CLEANUP(buf_release) struct buf object = { 0 };
	CLEANUP(buf_release) struct buf status = { 0 };
	enum err err = disk_look_all(dir, job->key.name, &job->why, &job->files);

	if (err != E_OK)
		return err;
	if (!job->files.object.exists) {
		if (job->last_look && job->files.status.exists)
			remove_status(job, dir);
		return why_set(&job->why, E_NOT_FOUND, "no file");
	}
	err = read_texts(job, dir, &object, &status);
	return err == E_OK ? take_content(job, buf_view(&object), &status) : err;
}

/* The root is looked at last: who took it away may go on to remove what is in it. */
void job_read(struct directory_job *job, int root, const char *path)
{
	int dir = -1;
	enum err err = open_kind(job, root, &dir);

	job->files = (struct disk_files){ 0 };
	if (err == E_OK) {
		err = read_files(job, dir);
		close(dir);
	}
	if (disk_in_place(root, path, NULL) != E_OK)
		job->outcome = JOB_AWAY;
	else if (err != E_OK)
		job->outcome = err == E_NOT_FOUND ? JOB_GONE : JOB_BAD;
}
