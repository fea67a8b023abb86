#include "store/wal.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define IDLE_MS          1000        /* without a commit a log that is too long is emptied */
#define LONG             32          /* times `due`, so 256 MB */
#define COPIES           4           /* in which its pages go to the database file before it begins anew */
#define PAUSE_MS         100         /* between two groups, for each `due` that the writer is ahead of a copy */
#define PAUSE_MAX_MS     500         /* less than the deadline of those who wait for the next group */
#define PIECE            (64u << 10) /* bytes written at a time; SQLite writes no more than 128 KB in one */
#define AHEAD            (512 << 10) /* zeros behind the end of a log that grows */

/* sqlite.org/fileformat2.html, "The Write-Ahead Log" */
#define LOG_HEADER       32
#define FRAME_HEADER     24

/* The index of the log, shared by all that have it open, in words of 32 bits (sqlite.org/walformat.html, "WAL-Index"). */
#define INDEX_BYTES      32768
#define INDEX_VERSION    0
#define INDEX_BACKFILLED 24      /* frames of the log that are in the database file */
#define INDEX_KNOWN      3007000 /* the version that says so */

static int on_commit(void *wal, sqlite3 *handle, const char *name, int frames)
{
	struct wal *w = wal;

	(void)handle;
	(void)name;
	w->frames = frames;
	w->tried = false;
	return SQLITE_OK;
}

void wal_watch(struct wal *w, struct db *db, int page_bytes, int due)
{
	*w = (struct wal){ .db = db, .page_bytes = page_bytes, .due = due, .committed_mono = clock_mono_ms() };
	sqlite3_wal_hook(db->handle, on_commit, w);
}

int64_t wal_bytes(const struct wal *w)
{
	return w->frames ? LOG_HEADER + (int64_t)w->frames * (FRAME_HEADER + w->page_bytes) : 0;
}

static sqlite3_file *log_file(struct db *db)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);

	return rc == SQLITE_OK && file && file->pMethods ? file : NULL;
}

static enum err rewrite(sqlite3_file *file, sqlite3_int64 size, char *buffer)
{
	for (sqlite3_int64 at = 0; at < size; at += PIECE) {
		int n = size - at < PIECE ? (int)(size - at) : (int)PIECE;
		int rc = file->pMethods->xRead(file, buffer, n, at);

		if (rc == SQLITE_OK)
			rc = file->pMethods->xWrite(file, buffer, n, at);
		if (rc != SQLITE_OK)
			return db_err(rc);
	}
	return db_err(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL));
}

static enum err map_index(struct db *db, volatile uint32_t **ret_index)
{
	sqlite3_file *file = NULL;
	void volatile *index = NULL;
	int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc == SQLITE_OK)
		rc = file->pMethods->xShmMap(file, 0, INDEX_BYTES, /* extend= */ 0, &index);
	if (rc != SQLITE_OK || !index)
		return db_err(rc == SQLITE_OK ? SQLITE_IOERR_SHMMAP : rc);
	*ret_index = index;
	return E_OK;
}

/*
 * A checkpoint that a reader stops half-way notes how far it came without a sync of the database file: that is left to
 * the one that comes to the end. When that sync fails, the pages of both are gone, and the note stays as long as anybody
 * has the log open. Only the writer moves the log, so nobody else changes the note at this moment.
 */
static enum err forget_backfilled(struct db *db, struct why *why)
{
	volatile uint32_t *index = NULL;
	enum err err = map_index(db, &index);

	if (!index)
		return why_set(why, err, "index of the write-ahead log");
	if (index[INDEX_VERSION] != INDEX_KNOWN)
		return why_set(why, E_UNSUPPORTED, "index of the write-ahead log: unknown version %u",
			       index[INDEX_VERSION]);
	__atomic_store_n(&index[INDEX_BACKFILLED], 0, __ATOMIC_RELEASE);
	return E_OK;
}

enum err wal_rewrite(struct db *db, struct why *why)
{
	sqlite3_file *file = log_file(db);
	sqlite3_int64 size = 0;
	CLEANUP(mem_freep) char *buffer = NULL;
	enum err err;

	if (!file || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return why_set(why, E_IO, "size of the write-ahead log");
	if (!size)
		return E_OK;
	buffer = mem_alloc(PIECE);
	if (!buffer)
		return why_set(why, E_NOMEM, "write-ahead log");
	err = rewrite(file, size, buffer);
	if (err != E_OK)
		return why_set(why, err, "write the write-ahead log again");
	return forget_backfilled(db, why);
}

enum err wal_checkpoint(struct wal *w, bool truncate, struct why *why)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int rc;

	assert(w->db->handle);
	sqlite3_busy_timeout(w->db->handle, 0); /* readers are not waited for: the rest is for next time */
	errno = 0;
	rc = sqlite3_wal_checkpoint_v2(w->db->handle, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(w->db->handle, DB_BUSY_MS);
	w->checked = w->frames;
	if (rc == SQLITE_OK && truncate) {
		w->frames = w->checked = 0;
		w->laid = 0;
	}
	if (rc == SQLITE_OK || db_err(rc) == E_BUSY)
		return E_OK;
	return db_why(w->db, rc, why, "checkpoint");
}

enum err wal_start(struct wal *w, const char *path, struct wake *writer, struct why *why)
{
	return checkpointer_start(&w->checkpointer, path, writer, why);
}

void wal_stop(struct wal *w)
{
	checkpointer_stop(&w->checkpointer);
}

/* What is in the file stays as it is: behind our last commit may be one of a person with sqlite3(1). */
static void grow(struct wal *w, sqlite3_file *file)
{
	static char zeros[PIECE];
	sqlite3_int64 at = 0;
	int rc = file->pMethods->xFileSize(file, &at);

	for (int64_t end = wal_bytes(w) + AHEAD; rc == SQLITE_OK && at < end; at += PIECE)
		rc = file->pMethods->xWrite(file, zeros, PIECE, at);
	w->laid = at;
}

/*
 * Where file systems keep a journal, a commit that overwrites what is there costs the disk one flush, one that makes the file
 * longer another. So the file grows in steps, in a transaction, so that nobody else makes it longer meanwhile. What fails here
 * the next commit tells.
 */
static void lay_ahead(struct wal *w)
{
	sqlite3_file *file = log_file(w->db);

	if (!file || wal_bytes(w) <= w->laid || w->frames > w->due)
		return;
	if (db_exec(w->db, "BEGIN IMMEDIATE", NULL) != E_OK)
		return;
	grow(w, file);
	(void)db_exec(w->db, "ROLLBACK", NULL);
}

static bool is_too_long(const struct wal *w)
{
	return w->frames > w->due;
}

static bool idle_is_due(const struct wal *w, uint64_t now_mono)
{
	return is_too_long(w) && now_mono - w->committed_mono >= IDLE_MS;
}

/* A reader in the middle of the log stops each copy at the same place: not asked as often then. */
static int copy_due(const struct wal *w)
{
	return w->checkpointer.held_back ? w->due : w->due / COPIES;
}

static void begun_anew(struct wal *w)
{
	w->checked = w->copied = 0;
}

/* A little is the writer's business. What a reader held back for long is gigabytes, and nobody shall wait for them. */
static bool is_mostly_copied(const struct wal *w)
{
	return w->frames - w->checkpointer.copied < 2 * w->due;
}

/*
 * A writer that is far ahead of a copy waits for it, but not to its end, which may be gigabytes away: commits go on, the further ahead
 * the slower.
 */
static bool may_look(struct wal *w)
{
	uint64_t ahead = (uint64_t)(w->frames - w->copied);
	uint64_t ms;

	assert(w->due > 0);
	ms = ahead < (uint64_t)w->due ? 0 : ahead * PAUSE_MS / (uint64_t)w->due;

	return checkpointer_wait(&w->checkpointer, ms < PAUSE_MAX_MS ? (uint32_t)ms : PAUSE_MAX_MS);
}

static void say_length(struct wal *w)
{
	bool is_long = w->frames >= LONG * w->due;
	const char *file = sqlite3_db_filename(w->db->handle, "main");

	if (is_long == w->is_long)
		return;
	w->is_long = is_long;
	if (is_long)
		log_warn("store", "the write-ahead log grows until a reader ends its transaction", LOG_S("file", file));
	else
		log_info("store", "the write-ahead log is short again", LOG_S("file", file));
}

static void ask_copy(struct wal *w)
{
	w->copied = w->frames;
	checkpointer_ask(&w->checkpointer);
}

static enum err look_when_idle(struct wal *w, struct why *why)
{
	bool tried = w->tried;

	w->tried = true;
	if (is_mostly_copied(w))
		return wal_checkpoint(w, /* truncate= */ true, why);
	if (!tried)
		ask_copy(w);
	return E_OK;
}

enum err wal_look(struct wal *w, uint64_t now_mono, struct why *why)
{
	struct checkpointer *c = &w->checkpointer;

	if (w->frames < w->checked || w->frames < w->copied)
		begun_anew(w);
	lay_ahead(w);
	say_length(w);
	if (!may_look(w))
		return E_OK;
	if (c->err != E_OK) {
		*why = c->failure;
		return c->err;
	}
	if (idle_is_due(w, now_mono))
		return look_when_idle(w, why);
	if (w->frames - w->copied >= copy_due(w))
		ask_copy(w);
	else if (w->frames - w->checked >= w->due && is_mostly_copied(w))
		return wal_checkpoint(w, /* truncate= */ false, why);
	return E_OK;
}

uint32_t wal_wait_ms(const struct wal *w, uint64_t now_mono)
{
	uint64_t then = w->committed_mono + IDLE_MS;

	/* tried in vain: a reader held the log; the next commit, or another wake-up, tries again */
	if (!is_too_long(w) || w->tried || checkpointer_is_busy(&w->checkpointer))
		return UINT32_MAX;
	return then > now_mono ? (uint32_t)(then - now_mono) : 0;
}
