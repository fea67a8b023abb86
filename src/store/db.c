#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void db_configure(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err db_err(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return E_OK;
	case SQLITE_FULL:
		return E_FULL;
	case SQLITE_NOMEM:
		return E_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return E_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return E_CORRUPT;
	case SQLITE_CANTOPEN:
		return E_NOT_FOUND;
	case SQLITE_TOOBIG:
		return E_LIMIT;
	case SQLITE_INTERRUPT:
		return E_CANCELLED;
	default:
		return E_IO;
	}
}

static bool means_full(int number)
{
	return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

/* Our statements keep to what was read before. */
static bool contradicts(int rc)
{
	return rc == SQLITE_CONSTRAINT || rc == SQLITE_MISMATCH;
}

/* The kernel's words where it had some: SQLite's own do not tell a missing file from a missing right. */
static enum err why_system(struct db *db, struct why *why, const char *what, enum err err)
{
	int number = errno; /* SQLite keeps none for a commit; each call that can fail starts with 0 */

	if (sqlite3_system_errno(db->handle))
		number = sqlite3_system_errno(db->handle);
	if (err == E_IO && means_full(number))
		err = E_FULL;
	if (err == E_NOT_FOUND && (number == EACCES || number == EPERM))
		err = E_FORBIDDEN;
	else if (err == E_NOT_FOUND && (number == EMFILE || number == ENFILE))
		err = E_IO;
	if (contradicts(sqlite3_errcode(db->handle) & 0xff))
		return why_set(why, err, "%s: what is stored contradicts itself: %s", what, sqlite3_errmsg(db->handle));
	if (number && (err == E_IO || err == E_NOT_FOUND || err == E_FULL || err == E_FORBIDDEN))
		return why_errno(why, err, number, "%s: %s", what, sqlite3_errmsg(db->handle));
	return why_set(why, err, "%s: %s", what, sqlite3_errmsg(db->handle));
}

enum err db_why(struct db *db, int rc, struct why *why, const char *what)
{
	enum err err = db_err(rc);

	if (err == E_OK)
		return E_OK;
	if (db->handle && sqlite3_errcode(db->handle) != SQLITE_OK)
		return why_system(db, why, what, err);
	return why_set(why, err, "%s: %s", what, sqlite3_errstr(rc));
}

int64_t db_file_bytes(const char *path, const char *suffix)
{
	char name[PATH_MAX]; /* no longer one can be opened */
	struct stat st;

	if (snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name))
		return INT64_MAX;
	if (stat(name, &st) == 0)
		return st.st_size;
	return errno == ENOENT ? -1 : INT64_MAX;
}

enum err db_check_log(const char *path, struct why *why)
{
	int64_t bytes = db_file_bytes(path, "");

	if (bytes > 0 || db_file_bytes(path, "-wal") <= 0)
		return E_OK;
	return why_set(why, E_CORRUPT, "%s is %s, but its log is not: it was truncated, replaced or removed", path,
		       bytes ? "missing" : "empty");
}

enum err db_open(const char *path, int flags, int busy_ms, struct why *why, struct db *ret_db)
{
	struct db db = { 0 };
	enum err err = db_check_log(path, why);
	int rc;

	if (err != E_OK)
		return err;
	errno = 0;
	rc = sqlite3_open_v2(path, &db.handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_extended_result_codes(db.handle, 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(db.handle, busy_ms);
	if (rc == SQLITE_OK) /* after a failed sync nothing may be copied behind our back */
		rc = sqlite3_db_config(db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc != SQLITE_OK) {
		err = db_why(&db, rc, why, "open");
		db_close(&db);
		return err;
	}
	*ret_db = db;
	return E_OK;
}

enum err db_prepare(struct db *db, const char *const *texts, size_t count, struct why *why)
{
	assert(count <= DB_STATEMENTS_MAX);
	db->texts = texts;
	db->count = count;
	for (size_t i = 0; i < count; i++) {
		int rc = sqlite3_prepare_v3(db->handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &db->stmt[i], NULL);

		if (rc != SQLITE_OK)
			return db_why(db, rc, why, texts[i]);
	}
	return E_OK;
}

static bool has_moved(struct db *db)
{
	int moved = 0;

	return sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

static const char *log_name(struct db *db)
{
	return sqlite3_filename_wal(sqlite3_db_filename(db->handle, "main"));
}

/* SQLite knows no inode of its log. A copy that nobody has written to has none. */
static bool log_has_moved(struct db *db)
{
	struct stat st;

	if (stat(log_name(db), &st) != 0)
		return db->log_inode != 0;
	if (!db->log_inode)
		db->log_inode = st.st_ino;
	return st.st_ino != db->log_inode;
}

/* A checkpoint only makes it longer. Of a reader's file a vacuum may take what was free. */
static bool is_truncated(struct db *db)
{
	struct stat st;

	if (sqlite3_db_readonly(db->handle, "main") || stat(sqlite3_db_filename(db->handle, "main"), &st) != 0)
		return false;
	if (st.st_size < db->bytes)
		return true;
	db->bytes = st.st_size;
	return false;
}

enum err db_check_name(struct db *db, struct why *why)
{
	const char *missing = NULL;

	if (has_moved(db))
		missing = sqlite3_db_filename(db->handle, "main");
	else if (log_has_moved(db))
		missing = log_name(db);
	if (missing)
		return why_set(why, E_UNAVAILABLE, "%s was removed, moved or replaced while it was in use", missing);
	if (is_truncated(db))
		return why_set(why, E_UNAVAILABLE, "%s was truncated while it was in use",
			       sqlite3_db_filename(db->handle, "main"));
	return E_OK;
}

/* The next opening would begin without it. A reader's may be an old one, where something else stands. */
static void save_log(struct db *db)
{
	if (!db->log_inode || sqlite3_db_readonly(db->handle, "main") || has_moved(db) || !log_has_moved(db))
		return;
	(void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
	(void)sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);
}

void db_close(struct db *db)
{
	int rc;

	for (size_t i = 0; i < db->count; i++)
		sqlite3_finalize(db->stmt[i]);
	save_log(db);
	rc = sqlite3_close(db->handle);
	assert(rc == SQLITE_OK); /* BUSY only: a statement of ours still open */
	*db = (struct db){ 0 };
}

enum err db_exec_as(struct db *db, const char *what, const char *sql, struct why *why)
{
	errno = 0;
	return db_why(db, sqlite3_exec(db->handle, sql, NULL, NULL, NULL), why, what);
}

enum err db_exec(struct db *db, const char *sql, struct why *why)
{
	return db_exec_as(db, sql, sql, why);
}

enum err db_run(struct db *db, unsigned sql, struct why *why)
{
	enum err err = E_OK;
	int rc;

	errno = 0;
	rc = sqlite3_step(db->stmt[sql]);
	if (rc != SQLITE_DONE)
		err = db_why(db, rc, why, db->texts[sql]);
	sqlite3_reset(db->stmt[sql]);
	assert(rc != SQLITE_ROW);
	return err;
}

bool db_row(struct db *db, unsigned sql)
{
	errno = 0;
	return sqlite3_step(db->stmt[sql]) == SQLITE_ROW;
}

enum err db_done(struct db *db, unsigned sql, struct why *why)
{
	return db_why(db, sqlite3_reset(db->stmt[sql]), why, db->texts[sql]);
}

enum err db_i64(struct db *db, const char *sql, struct why *why, int64_t *ret_value)
{
	sqlite3_stmt *stmt;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return db_why(db, rc, why, sql);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(stmt, 0);
	return db_why(db, sqlite3_finalize(stmt), why, sql);
}

struct str db_column(sqlite3_stmt *stmt, int column)
{
	const void *p = sqlite3_column_blob(stmt, column);

	return (struct str){ p, p ? (size_t)sqlite3_column_bytes(stmt, column) : 0 };
}
