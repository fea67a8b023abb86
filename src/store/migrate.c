#include "store/migrate.h"

#include <errno.h>

/* What the file says it is. */
struct identity {
	int64_t version;
	int64_t application;
	int64_t tables;
};

/* In one statement: another process may make the file just now. */
static enum err read_identity(struct db *db, struct why *why, struct identity *ret)
{
	static const char sql[] = "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema)"
				  " FROM pragma_user_version(), pragma_application_id()";
	sqlite3_stmt *stmt = NULL;
	int rc;

	errno = 0;
	rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		ret->version = sqlite3_column_int64(stmt, 0);
		ret->application = sqlite3_column_int64(stmt, 1);
		ret->tables = sqlite3_column_int64(stmt, 2);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_finalize(stmt);
	if (rc == SQLITE_NOTADB)
		return why_set(why, E_CORRUPT, "the file is no SQLite database, or its beginning is damaged");
	if (rc == SQLITE_READONLY_ROLLBACK) /* only a file that is being made has a journal */
		return why_set(why, E_UNAVAILABLE, "it was cut off while it was made: the next start makes it whole");
	return db_why(db, rc, why, "look at what the file is");
}

enum err migrate_identify(struct db *db, const struct migration *m, struct why *why, int64_t *ret_version)
{
	struct identity is = { 0 };
	enum err err = read_identity(db, why, &is);

	if (err != E_OK)
		return err;
	if (is.application != m->application_id && (is.application || is.version || is.tables))
		return why_set(why, E_UNSUPPORTED, "the file is another program's SQLite database");
	if (is.version > m->version)
		return why_set(why, E_UNSUPPORTED, "schema %lld is newer than %d, the newest this version knows",
			       (long long)is.version, m->version);
	*ret_version = is.version;
	return E_OK;
}

static enum err run_step(struct db *db, const struct migration *m, int64_t version, struct why *why)
{
	char sql[80];
	enum err err = db_exec_as(db, "make the tables", m->steps[version], why);

	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA user_version = %lld; PRAGMA application_id = %d", version + 1,
			 m->application_id);
	if (err == E_OK && version == 0 && m->on_create)
		err = m->on_create(db, why);
	if (err == E_OK)
		err = db_exec(db, sql, why);
	return err;
}

static enum err run_steps(struct db *db, const struct migration *m, int64_t version, struct why *why)
{
	enum err err = db_exec(db, "BEGIN IMMEDIATE", why);

	if (err != E_OK)
		return err;
	while (err == E_OK && version < m->version)
		err = run_step(db, m, version++, why);
	if (err == E_OK)
		err = db_exec(db, "COMMIT", why);
	if (err != E_OK) {
		(void)db_exec(db, "ROLLBACK", NULL); /* the story is the first failure's */
		why_add(why, "migrate to schema %lld", (long long)version);
	}
	return err;
}

/* The pragma answers with the mode that is, not with an error, where WAL cannot be had (no shared memory: NFS, say). */
static enum err check_wal(struct db *db, struct why *why)
{
	int64_t is_wal = 0;
	enum err err = db_i64(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode()", why, &is_wal);

	if (err == E_OK && !is_wal)
		return why_set(why, E_UNSUPPORTED, "the file system cannot hold a write-ahead log");
	return err;
}

/*
 * Debian's SQLite overwrites what is deleted; a spool that lets whole ranges go would write every page twice for that.
 * Checkpoints are wal.c's business. Turning a new file to WAL deletes a rollback journal; only EXTRA syncs that deletion, and a
 * journal that came back after a power cut would take the file back to nothing.
 */
static enum err set_up(struct db *db, const struct migration *m, struct why *why)
{
	char sql[512];

	sqlite3_snprintf(sizeof(sql), sql,
			 "PRAGMA page_size = %d;"
			 "PRAGMA synchronous = EXTRA;"
			 "PRAGMA journal_mode = WAL;"
			 "PRAGMA synchronous = FULL;"
			 "PRAGMA secure_delete = OFF;"
			 "PRAGMA temp_store = MEMORY;"
			 "PRAGMA foreign_keys = OFF;"
			 "PRAGMA trusted_schema = OFF;"
			 "PRAGMA cache_size = -%d;"
			 "PRAGMA wal_autocheckpoint = 0;"
			 "PRAGMA journal_size_limit = 16777216;",
			 m->page_bytes, m->cache_kb);
	return db_exec_as(db, "set up the file and its write-ahead log", sql, why);
}

enum err migrate(struct db *db, const struct migration *m, struct why *why)
{
	int64_t version = 0;
	enum err err = migrate_identify(db, m, why,
					&version); /* first of all: another program's file is left as it is */

	if (err == E_OK)
		err = set_up(db, m, why);
	if (err == E_OK)
		err = check_wal(db, why);
	if (err == E_OK && version < m->version)
		err = run_steps(db, m, version, why);
	return err;
}
