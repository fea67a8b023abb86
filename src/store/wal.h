/*
 * wal.h -- the write-ahead log of a connection that writes: when it goes into the database file, and what a failed sync
 * asks for.
 *
 * Shape     SQLite tells after each commit how long the log is; the writer looks between its groups.
 * Units     ms of the monotonic clock, pages ("frames")
 * Owner     embedded beside its struct db, which must not move.
 * Threads   the writer's
 */
#pragma once

#include "store/checkpointer.h"
#include "store/db.h"

struct wal {
	struct db *db;
	struct checkpointer checkpointer;
	int page_bytes;          /* of a frame, besides its header */
	int due;                 /* frames after which the log is to begin anew */
	int frames;              /* in the log after the last commit */
	int checked;             /* at the last checkpoint of the writer: readers may hold some back */
	int copied;              /* when the checkpointer was asked last */
	int64_t laid;            /* bytes that its file has at least */
	bool tried;              /* to empty it, since the last commit */
	bool is_long;            /* so that it was said */
	uint64_t committed_mono; /* when the last commit was */
};

/* Follow the log of `db`, just opened. Only after its pragmas: wal_autocheckpoint takes the place of any hook. */
void wal_watch(struct wal *w, struct db *db, int page_bytes, int due);

/* In the log after the last commit. */
int64_t wal_bytes(const struct wal *w);

/* Once the log is rewritten: from now on its pages are copied while the writer goes on. Errors as checkpointer_start(). */
enum err wal_start(struct wal *w, const char *path, struct wake *writer, struct why *why);

/* Before the connection closes; also when it was never started. */
void wal_stop(struct wal *w);

/*
 * Write the log over itself and sync it. After a failed sync the kernel calls pages clean that never reached the disk;
 * what is read back from memory would look committed, the next commit would stand behind it, and a power cut would end
 * the log before both. Written again the pages are dirty again, and the sync below speaks for all of them. The same goes
 * for pages of the database file: the next checkpoint copies the whole log, whatever earlier ones copied of it.
 */
enum err wal_rewrite(struct db *db, struct why *why);

/* Move the log into the database file. `truncate`: leave an empty log, when nobody reads. Readers are not waited for. */
enum err wal_checkpoint(struct wal *w, bool truncate, struct why *why);

/*
 * Between two groups: room for the next ones, pages copied bit by bit, a checkpoint of the rest when the log is long, an empty
 * log when readers made it longer than that and nothing was committed for a second.
 */
enum err wal_look(struct wal *w, uint64_t now_mono, struct why *why);

/* Until wal_look() empties the log; UINT32_MAX: it is not too long, or a wake-up comes before. */
uint32_t wal_wait_ms(const struct wal *w, uint64_t now_mono);
