/*
 * directory_impl.h -- the open directory, as its own files see it.
 *
 * Shape     directory.c opens, closes and takes writes; directory_entry.c is one object's turns, directory_outcome.c what
 *           follows from each; directory_commit.c its way through the ledger; directory_watch.c hears of changes,
 *           directory_compare.c takes what a scan found. All in the loop's thread.
 *
 *            hint, scan           write
 *   +-----+ ----------> READING --------+     An entry does one thing at a time: read its files, or one write with its
 *   | idle|                             |     commit. A hint that comes meanwhile makes it read again afterwards.
 *   +-----+ <--- COMMITTING <--- WRITING
 */
#pragma once

#include "backend/apply.h"
#include "backend/directory.h"
#include "backend/directory_pool.h"
#include "backend/directory_scan.h"
#include "base/map.h"
#include "base/mem.h"

/* What a person did is looked at again after this time before it counts as a deletion, or as an error. */
#define DIRECTORY_SETTLE_MS 250

/* After the ledger failed: when to look again. */
#define DIRECTORY_RETRY_MS  1000

struct directory;

struct directory_entry {
	struct directory *dir;
	enum object_kind kind;
	const char *namespace; /* behind the key */
	const char *name;      /* the end of the key */
	struct object *object; /* the last good state; NULL: there is none */
	char uid[DIRECTORY_UID_MAX + 1];
	struct directory_sums sums; /* of the files that it was made of */
	struct disk_files files;
	struct backend_write *first, *last; /* writes that wait, linked by backend_data */
	struct directory_entry *next_ready;
	bool busy;
	bool ready;    /* in the list of those that want a job */
	bool dirty;    /* the files are to be read */
	bool confirm;  /* they were looked at once, and are gone or bad: the second look counts */
	bool initial;  /* not looked at since the start */
	bool reported; /* the watcher knows it */
	uint64_t scan; /* the last one that saw a file */
	char *problem; /* reported; NULL: none */
	struct loop_timer settle;
	char key[];
};

struct directory_watch {
	int wd;
	struct scan_scope place;
	char key[16];
};

struct directory_problem {
	struct scan_scope place;
	uint64_t scan;
	char text[]; /* the key */
};

#define DIRECTORY_SCOPES_MAX   256
#define DIRECTORY_PROBLEMS_MAX 1000
#define DIRECTORY_JOBS_MAX     1024
#define DIRECTORY_COMPARE_MAX  1024 /* of what a scan found, in one turn */
#define DIRECTORY_COOKIES      16

#define DIRECTORY_METRICS(X)                                                                                  \
	X(objects, GAUGE, "holdfast_directory_objects", "Objects in the directory.")                          \
	X(problems_found, GAUGE, "holdfast_directory_problems", "Files and directories that cannot be used.") \
	X(reads, COUNTER, "holdfast_directory_reads_total", "Objects whose files were read.")                 \
	X(writes, COUNTER, "holdfast_directory_writes_total", "Writes, failed ones included.")                \
	X(scans, COUNTER, "holdfast_directory_scans_total", "Full comparisons of a directory with what is known.")

struct directory {
	struct backend base;
	struct loop *loop;
	struct ledger *ledger;
	uint64_t file_max;
	int root;
	bool pool_started;
	struct directory_pool pool;
	struct map entries; /* key to struct directory_entry */
	struct map uids;    /* UID to struct directory_entry */
	uint64_t version;   /* the newest given */
	uint64_t reserved;  /* the ledger knows that versions up to here may be given */
	struct directory_entry *ready, **ready_last;
	size_t jobs;
	size_t pending; /* writes given and not done */

	struct backend_watcher watcher;
	bool watching;
	size_t initial; /* entries that were not looked at since the start */
	bool listed;    /* the first scan is done */
	bool synced;
	bool ledger_bad;

	int inotify;
	int above; /* watch of the directory that the root's name is in; -1: none */
	uv_poll_t poll;
	bool poll_open;
	struct map watches;                             /* wd to struct directory_watch */
	struct map problems;                            /* text to struct directory_problem */
	struct scan_scope scopes[DIRECTORY_SCOPES_MAX]; /* to be scanned */
	size_t scope_count;
	uint64_t scan; /* running or last */
	bool scanning;
	bool unwatched; /* some directories cannot be watched: looked at now and then */
	bool missed;    /* something the last scan found there was no memory for: looked at again soon */
	bool away;      /* the root was not in its place: looked for soon */
	struct loop_timer rescan;
	uint32_t cookies[DIRECTORY_COOKIES]; /* of our own renames */
	size_t cookie;

	struct backend_write *refused; /* without a job, linked by backend_data */
	struct loop_task refuse;
	bool refusing;
	struct loop_task kick; /* start what is ready; never from inside a call */
	bool kicked;
	void (*on_closed)(void *ctx);
	void *closed_ctx;
	struct metrics *own_metrics;
#define X(field, type, name, help) struct metric *field;
	DIRECTORY_METRICS(X)
#undef X
	char path[]; /* of the root */
};

/* directory_entry.c */
struct directory_entry *entry_find(struct directory *d, enum object_kind kind, const char *namespace, const char *name);
struct directory_entry *entry_make(struct directory *d, enum object_kind kind, const char *namespace, const char *name);
void entry_write(struct directory_entry *e, struct backend_write *w);
void entry_hint(struct directory_entry *e); /* its files may have changed */
void entry_release_all(struct directory *d);
enum err entry_adopt(struct directory_entry *e, struct object *o, struct str sums); /* from the ledger */
void entry_set_object(struct directory_entry *e, struct object *o);
enum err entry_set_uid(struct directory_entry *e, const char *uid);
void entry_forget_uid(struct directory_entry *e);
void entry_retry_later(struct directory_entry *e, uint64_t delay_ms); /* look at its files again */
void entry_end_job(struct directory_job *job);                        /* the entry may be freed by this */
void entries_start(struct directory *d);

/* directory_outcome.c */
void entry_on_done(struct loop_task *task);       /* the pool has done a job */
void entry_finish_job(struct directory_job *job); /* committed: the object, its report, and what comes next */
void entry_fail_job(struct directory_job *job);   /* not committed */

/* directory_commit.c: the job's outcome into the ledger; entry_finish_job() or entry_fail_job() follows. */
void commit_start(struct directory_job *job, bool remove);
enum err commit_load(struct directory *d, struct why *why);

/* directory_watch.c */
enum err directory_watch_open(struct directory *d, struct why *why);
void watch_start(struct directory *d);
void watch_compare(struct directory *d); /* everything, soon */
void directory_watch_close(struct directory *d);
void watch_release(struct directory *d);

/* directory_compare.c */
/* Some of what a scan found, with what is known; false: there is more. */
bool compare(struct directory *d, struct directory_scan *s);
struct directory_watch *watch_find(struct directory *d, int wd);
void watch_forget(struct directory *d, int wd);

/* directory.c */
void directory_problem(struct directory *d, bool bad, enum err err, const char *text);
void directory_kick(struct directory *d); /* soon: start what is ready, see whether all is listed, or all is done */
void write_done(struct directory *d, struct backend_write *w, enum err err);
