/*
 * db.h -- SQLite as we use it: one connection, its prepared statements, errors in our words.
 *
 * Shape     each file has a table of statements (spool_sql.h, ledger_sql.h), prepared once when the connection opens; a
 *           statement is its place in that table.
 * Owner     embedded in its user; db_close() finalizes and closes. A zeroed struct db is closed.
 * Threads   one at a time: opened without SQLite's own mutexes.
 * Errors    E_FULL the disk is full, E_IO, E_BUSY, E_CORRUPT, E_NOMEM, E_NOT_FOUND (cannot open), as SQLite says them;
 *           E_FORBIDDEN: the kernel does not allow it
 * Source    sqlite.org/rescode.html, sqlite.org/pragma.html
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

#define DB_STATEMENTS_MAX 40
#define DB_BUSY_MS        2000 /* how long a writer waits for another process that looks at the file */

struct db {
	sqlite3 *handle;
	const char *const *texts; /* of the statements */
	size_t count;
	sqlite3_stmt *stmt[DB_STATEMENTS_MAX]; /* prepared by db_prepare() */
	uint64_t log_inode;                    /* 0 before db_check_name(), and where there is no log */
	int64_t bytes;                         /* of the file, at the last db_check_name() */
};

/*
 * For a program of our own, before it opens anything: SQLite's memory statistics cost a global lock on each allocation. A library
 * leaves the options of its process alone.
 */
void db_configure(void);

/* Of the database file, or with a suffix ("-wal") of what stands beside it. -1: there is none; what cannot be looked at counts as large. */
int64_t db_file_bytes(const char *path, const char *suffix);

/*
 * SQLite deletes the log of a file that is missing or empty, and what was committed with it. No such file ever had one: E_CORRUPT, somebody
 * has truncated, replaced or removed it.
 */
enum err db_check_log(const char *path, struct why *why);

/* After db_check_log(). Opens `path` with SQLite's `flags`. No busy handler waits longer than `busy_ms`. Closing never checkpoints by itself. */
enum err db_open(const char *path, int flags, int busy_ms, struct why *why, struct db *ret_db);

/* Prepares `count` statements: the schema must be there. `texts` stays the caller's until db_close(). */
enum err db_prepare(struct db *db, const char *const *texts, size_t count, struct why *why);

/*
 * Finalizes and closes; takes a zeroed or half-opened one. What stands in a log that db_check_name() misses goes into the database file
 * before, as far as readers let it.
 */
void db_close(struct db *db);

/* The error of ours for SQLite's result code. */
enum err db_err(int rc);

/* The story of the connection's last failure, after `what` was tried. */
enum err db_why(struct db *db, int rc, struct why *why, const char *what);

/*
 * What is written to a file without a name is gone with this process, and what is read there is no longer so. E_UNAVAILABLE: it was
 * removed, moved or replaced, or its log was; or it is shorter than a writer left it. For a file that was read; the log is that of the
 * first call.
 */
enum err db_check_name(struct db *db, struct why *why);

/* Statements without a result, written out; a failure's story begins with them, or with `what`. */
enum err db_exec(struct db *db, const char *sql, struct why *why);
enum err db_exec_as(struct db *db, const char *what, const char *sql, struct why *why);

/* Runs a bound statement that gives no row; leaves it ready for the next. */
enum err db_run(struct db *db, unsigned sql, struct why *why);

/* True while there is a row to read. False at the end or on an error: ask db_done(). */
bool db_row(struct db *db, unsigned sql);

/* Ends the reading of a statement; says whether all rows were read without an error. */
enum err db_done(struct db *db, unsigned sql, struct why *why);

/* The first column of the first row as a number. */
enum err db_i64(struct db *db, const char *sql, struct why *why, int64_t *ret_value);

/* A column's bytes, lent until the statement moves on. */
struct str db_column(sqlite3_stmt *stmt, int column);

static inline sqlite3_stmt *db_stmt(struct db *db, unsigned sql)
{
	return db->stmt[sql];
}
