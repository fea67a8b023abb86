#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/schema.h"
#include "store/store_impl.h"

#define BUSY_MS     2000
#define REWRITE     (64u << 10) /* bytes at a time; SQLite writes no more than 128 KB in one piece */
#define PROBE_BYTES (64 << 10)

static int on_wal(void *store, sqlite3 *handle, const char *name, int frames)
{
	struct store *s = store;

	(void)handle;
	(void)name;
	s->wal_frames = frames;
	return SQLITE_OK;
}

static enum err rewrite(sqlite3_file *file, sqlite3_int64 size, char *buffer)
{
	for (sqlite3_int64 at = 0; at < size; at += REWRITE) {
		int n = size - at < REWRITE ? (int)(size - at) : (int)REWRITE;
		int rc = file->pMethods->xRead(file, buffer, n, at);

		if (rc == SQLITE_OK)
			rc = file->pMethods->xWrite(file, buffer, n, at);
		if (rc != SQLITE_OK)
			return db_err(rc);
	}
	return db_err(file->pMethods->xSync(file, SQLITE_SYNC_NORMAL));
}

/*
 * Write the log over itself and sync it. After a failed sync the kernel calls pages clean that never reached the disk;
 * what is read back from memory would look committed, the next commit would stand behind it, and a power cut would end
 * the log before both. Written again the pages are dirty again, and the sync below speaks for all of them.
 */
static enum err rewrite_wal(struct store *s, struct why *why)
{
	sqlite3_file *file = NULL;
	sqlite3_int64 size = 0;
	CLEANUP(mem_freep) char *buffer = NULL;
	enum err err;

	if (sqlite3_file_control(s->db.handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK)
		return why_set(why, E_INTERNAL, "no write-ahead log");
	if (!file || !file->pMethods || file->pMethods->xFileSize(file, &size) != SQLITE_OK)
		return why_set(why, E_IO, "size of the write-ahead log");
	if (!size)
		return E_OK;
	buffer = mem_alloc(REWRITE);
	if (!buffer)
		return why_set(why, E_NOMEM, "write-ahead log");
	err = rewrite(file, size, buffer);
	return err == E_OK ? E_OK : why_set(why, err, "write the write-ahead log again");
}

/* The newest position: of a row, or what retention noted when it let the newest row go. */
static enum err load_last(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_EVENT_LAST);
	int64_t pos = 0;
	int64_t removed = 0;
	enum err err;

	s->last_ms = 0;
	if (db_row(&s->db, SQL_EVENT_LAST)) {
		pos = sqlite3_column_int64(stmt, 0);
		s->last_ms = sqlite3_column_int64(stmt, 1);
	}
	err = db_done(&s->db, SQL_EVENT_LAST, why);
	if (err == E_OK)
		err = db_setting(&s->db, "removed_pos", why, &removed);
	if (err == E_OK && (pos < 0 || removed < 0))
		return why_set(why, E_CORRUPT, "a negative position");
	s->removed_pos = (uint64_t)removed;
	s->last_pos = (uint64_t)(pos > removed ? pos : removed);
	return err;
}

/* At a reopening: everything that was acknowledged must still be there. */
static enum err check_last(struct store *s, struct why *why)
{
	uint64_t acknowledged = atomic_load(&s->last);

	if (s->last_pos >= acknowledged)
		return E_OK;
	return why_set(why, E_CORRUPT, "the disk lost events: the last is %llu, acknowledged were %llu",
		       (unsigned long long)s->last_pos, (unsigned long long)acknowledged);
}

static enum err load(struct store *s, struct why *why)
{
	int64_t now = clock_wall_ms();
	enum err err = load_last(s, why);

	if (err == E_OK)
		err = check_last(s, why);
	if (err == E_OK)
		err = routes_load(&s->routes, &s->db, why);
	if (err == E_OK)
		err = positions_load(&s->positions, &s->db, s->last_pos, why);
	if (err == E_OK)
		err = dedup_open(&s->dedup, &s->db, s->dedup_memory, atomic_load(&s->dedup_ms), s->last_pos, now, why);
	if (err == E_OK && db_row(&s->db, SQL_DEAD_COUNT))
		s->dead_count = sqlite3_column_int64(db_stmt(&s->db, SQL_DEAD_COUNT), 0);
	if (err == E_OK)
		err = db_done(&s->db, SQL_DEAD_COUNT, why);
	if (err == E_OK)
		err = space_measure(&s->space, &s->db, why);
	return err;
}

static enum err open_all(struct store *s, struct why *why)
{
	enum err err = db_open(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, BUSY_MS, why, &s->db);

	if (err != E_OK)
		return err;
	s->wal_frames = s->wal_frames_checked = 0;
	err = schema_prepare(&s->db, why);
	/* Only after its pragmas: wal_autocheckpoint takes the place of any hook. */
	sqlite3_wal_hook(s->db.handle, on_wal, s);
	if (err == E_OK)
		err = rewrite_wal(s, why);
	if (err == E_OK)
		err = db_prepare_all(&s->db, why);
	if (err == E_OK)
		err = load(s, why);
	return err;
}

/* Room for the log may be missing: what is stored can be read and forwarded all the same, and the first commit says it. */
static enum err try_checkpoint(struct store *s, struct why *why)
{
	struct why full = { 0 };
	enum err err = conn_checkpoint(s, /* truncate= */ false, &full);

	if (err == E_FULL)
		return E_OK;
	if (err != E_OK)
		*why = full;
	return err;
}

enum err conn_open(struct store *s, struct why *why)
{
	enum err err = open_all(s, why);

	if (err == E_OK)
		err = try_checkpoint(s, why);
	if (err != E_OK)
		conn_close(s);
	return err;
}

void conn_close(struct store *s)
{
	dedup_release(&s->dedup);
	routes_release(&s->routes);
	db_close(&s->db);
}

/* Enough bytes to find a full disk, written and synced, then taken back. */
static enum err probe(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_SETTING_SET);
	enum err err;

	sqlite3_bind_text(stmt, 1, "probe", -1, SQLITE_STATIC);
	sqlite3_bind_zeroblob(stmt, 2, PROBE_BYTES);
	err = db_run(&s->db, SQL_SETTING_SET, why);
	if (err == E_OK)
		err = db_setting_set(&s->db, "probe", 0, why);
	return err;
}

enum err conn_reopen(struct store *s, struct why *why)
{
	enum err err = open_all(s, why);

	if (err == E_OK)
		err = conn_checkpoint(s, /* truncate= */ false, why);
	if (err == E_OK)
		err = probe(s, why);
	if (err != E_OK) {
		conn_close(s);
		return err;
	}
	positions_unwritten(&s->positions);
	return E_OK;
}

enum err conn_checkpoint(struct store *s, bool truncate, struct why *why)
{
	int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
	int rc;

	assert(s->db.handle);
	sqlite3_busy_timeout(s->db.handle, 0); /* readers are not waited for: the rest is for next time */
	errno = 0;
	rc = sqlite3_wal_checkpoint_v2(s->db.handle, NULL, mode, NULL, NULL);
	sqlite3_busy_timeout(s->db.handle, BUSY_MS);
	s->wal_frames_checked = s->wal_frames;
	if (rc == SQLITE_OK && truncate)
		s->wal_frames = s->wal_frames_checked = 0;
	if (rc == SQLITE_OK || db_err(rc) == E_BUSY)
		return E_OK;
	return db_why(&s->db, rc, why, "checkpoint");
}
