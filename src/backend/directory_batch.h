/*
 * directory_batch.h -- writes that are done together. Internal to the jobs of a directory.
 *
 * Shape     directory_batch.c    the directories of a batch, each opened and synced once
 *           directory_prepare.c  what is to be written, into temporary files
 *           directory_write.c    the order of it all; files and directories to the disk
 */
#pragma once

#include "backend/directory_job.h"

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
	const char *path; /* of the root */
	const char *token;
	struct job_dir dirs[JOB_BATCH];
	size_t dir_count;
};

/* directory_batch.c: job->dir; then all of them at once. */
bool batch_find_dir(struct batch *b, struct directory_job *job);
void batch_sync_dirs(struct batch *b);
void batch_close_dirs(struct batch *b);

/* directory_prepare.c */

/* The outcome, and job->files_new with what is to be renamed when it is on the disk. */
void job_prepare(struct batch *b, struct directory_job *job);

/* Is the disk as we know it? Else a person was faster, and what they did is looked at first. */
bool job_check_disk(struct directory_job *job);

/* It is not done, and `why` says so; without a story it was memory. Returns false. */
bool job_fail(struct directory_job *job);
