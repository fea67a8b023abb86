/*
 * directory_job.h -- one piece of work on the files of one object, done in a thread of the pool.
 *
 * Shape     the loop's thread fills "in" and reads "out"; in between the job belongs to the pool. Jobs of one object never
 *           run at the same time. Writes are done in batches: all files are written, then synced, then renamed, then their
 *           directories synced, so that many share each commit of the file system's journal.
 */
#pragma once

#include "backend/backend.h"
#include "backend/directory_disk.h"
#include "base/metrics.h"
#include "net/loop.h"
#include "store/ledger.h"

#define JOB_VERSION_MAX 24
#define JOB_TEMP_MAX    64
#define JOB_BATCH       64

enum job_kind { JOB_READ, JOB_WRITE, JOB_SCAN };

enum job_outcome {
	JOB_SAME, /* nothing changed */
	JOB_NEW,  /* `object` */
	JOB_GONE, /* there is no object file */
	JOB_AWAY, /* of a read: the root is not in its place, nothing is known */
	JOB_BAD,  /* `why`; of a write: it was not done */
};

/* A file of a write between its temporary and its real name. */
struct job_file {
	bool wanted;
	int fd; /* -1: closed */
	char temp[JOB_TEMP_MAX];
	char name[DIRECTORY_FILE_MAX];
};

struct job_dir; /* directory_batch.h: shared by the writes of a batch */

struct directory_job {
	struct directory_job *next;
	struct loop_task task;
	enum job_kind what;
	void *owner; /* the entry, or the directory of a scan */

	/* in; of the pool meanwhile */
	struct directory_key key;
	uint64_t file_max;
	struct object *current; /* a reference; NULL: none */
	struct disk_files known;
	char uid[DIRECTORY_UID_MAX + 1]; /* for the new object */
	bool first_sight;                /* a UID that the file brings may take its place */
	bool last_look;                  /* there was an object: when its file is gone now, so is the object */
	char version[JOB_VERSION_MAX];
	struct backend_write *write;

	/* while a write is done */
	struct job_dir *dir;
	struct job_file files_new[2]; /* object, status */

	/* out; in: the sums that are known */
	enum job_outcome outcome;
	struct why why;
	struct object *object;
	struct directory_sums sums;
	struct disk_files files;
	bool unsure; /* a failed write may have changed something */

	/* then, in the ledger */
	struct ledger_write ledger;
	struct ledger_change changes[2];
	char sums_text[DIRECTORY_SUMS_MAX];
	char reserve[JOB_VERSION_MAX];
	uint64_t reserved;

	struct directory_scan *scan; /* JOB_SCAN */
};

/* Read the files of an object. `root`: the directory, opened as `path`. */
void job_read(struct directory_job *job, int root, const char *path);

/* Do all writes of the list. `token` makes names of temporary files that nobody else has. */
void job_write_batch(struct directory_job *first, int root, const char *path, const char *token);

/* Is it a temporary file of the process with this token? NULL: of anybody. */
bool job_is_temp(struct str file, const char *token);

/* An object of the content, with these ids. */
enum err job_stamp(struct directory_job *job, json_object *tree, const char *uid);
