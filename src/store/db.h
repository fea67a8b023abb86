/*
 * db.h -- SQLite as the store uses it: one connection, its prepared statements, errors in our words.
 *
 * Shape     every statement is a row of STORE_SQL, prepared once when the connection opens and named SQL_<row> after.
 * Owner     embedded in its user; db_close() finalizes and closes. A zeroed struct db is closed.
 * Threads   one at a time: opened without SQLite's own mutexes.
 * Errors    E_FULL the disk is full, E_IO, E_BUSY, E_CORRUPT, E_NOMEM, E_NOT_FOUND (cannot open), as SQLite says them
 * Source    sqlite.org/rescode.html, sqlite.org/pragma.html; docs/reference/store.md
 */
#pragma once

#include <sqlite3.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

#define STORE_FILE "spool.db"

/* clang-format off */
/*    name              statement */
#define STORE_SQL(X)                                                                                                   \
	X(BEGIN,            "BEGIN IMMEDIATE")                                                                         \
	X(COMMIT,           "COMMIT")                                                                                  \
	X(ROLLBACK,         "ROLLBACK")                                                                                \
	X(EVENT_ADD,        "INSERT INTO events(pos, stored_ms, route, id, key, kind, meta, data)"                     \
			    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                                 \
	X(EVENT_LAST,       "SELECT pos, stored_ms FROM events ORDER BY pos DESC LIMIT 1")                             \
	X(ROUTE_ADD,        "INSERT INTO routes(route, source, name) VALUES(?1, ?2, ?3)")                              \
	X(ROUTE_ALL,        "SELECT route, source, name FROM routes")                                                  \
	X(SETTING_GET,      "SELECT value FROM settings WHERE name = ?1")                                              \
	X(SETTING_SET,      "INSERT INTO settings(name, value) VALUES(?1, ?2)"                                         \
			    " ON CONFLICT(name) DO UPDATE SET value = excluded.value")                                 \
	X(BUS_ALL,          "SELECT bus, forwarded FROM buses")                                                        \
	X(BUS_SET,          "INSERT INTO buses(bus, forwarded) VALUES(?1, ?2)"                                         \
			    " ON CONFLICT(bus) DO UPDATE SET forwarded = excluded.forwarded")                          \
	X(DEAD_ADD,         "INSERT INTO dead(pos, bus, reason, at_ms) VALUES(?1, ?2, ?3, ?4)")                        \
	X(DEAD_REMOVE,      "DELETE FROM dead WHERE pos = ?1 AND bus = ?2")                                            \
	X(DEAD_COUNT,       "SELECT count(*) FROM dead")                                                               \
	X(PAGES,            "SELECT page_count FROM pragma_page_count()")                                              \
	X(PAGES_FREE,       "SELECT freelist_count FROM pragma_freelist_count()")                                      \
	X(PAGE_SIZE,        "SELECT page_size FROM pragma_page_size()")                                                \
	X(KEY_FIND,         "SELECT pos, stored_ms FROM dedup WHERE gen = ?1 AND fp = ?2")                             \
	X(KEY_ADD,          "INSERT OR REPLACE INTO dedup(gen, fp, pos, stored_ms) VALUES(?1, ?2, ?3, ?4)")            \
	X(KEY_RECENT,       "SELECT pos, stored_ms, route, key FROM events WHERE pos > ?1 ORDER BY pos")               \
	X(KEY_PRUNE,        "DELETE FROM dedup WHERE gen = ?1 AND fp <= coalesce((SELECT fp FROM dedup WHERE gen = ?1" \
			    " ORDER BY fp LIMIT 1 OFFSET ?2), x'ffffffffffffffffffffffffffffffff')")                   \
	X(GEN_ALL,          "SELECT gen, first_ms, last_ms FROM dedup_gens ORDER BY gen")                              \
	X(GEN_SET,          "INSERT INTO dedup_gens(gen, first_ms, last_ms) VALUES(?1, ?2, ?3)"                        \
			    " ON CONFLICT(gen) DO UPDATE SET last_ms = excluded.last_ms")                              \
	X(GEN_REMOVE,       "DELETE FROM dedup_gens WHERE gen = ?1")                                                   \
	X(RETAIN_YOUNGER,   "SELECT pos FROM events WHERE pos > ?1 AND pos <= ?2 AND stored_ms >= ?3"                  \
			    " ORDER BY pos LIMIT 1")                                                                   \
	X(RETAIN_DELETE,    "DELETE FROM events WHERE pos > ?1 AND pos <= ?2"                                          \
			    " AND pos NOT IN (SELECT pos FROM dead)")
/* clang-format on */

enum sql {
#define X(name, text) SQL_##name,
	STORE_SQL(X)
#undef X
		SQL_COUNT,
};

struct db {
	sqlite3 *handle;
	sqlite3_stmt *stmt[SQL_COUNT]; /* prepared by db_prepare_all() */
};

/* Opens `path` with SQLite's `flags`. No busy handler waits longer than `busy_ms`. Closing never checkpoints by itself. */
enum err db_open(const char *path, int flags, int busy_ms, struct why *why, struct db *ret_db);

/* Prepares every row of STORE_SQL: the schema must be there. */
enum err db_prepare_all(struct db *db, struct why *why);

/* Finalizes and closes; takes a zeroed or half-opened one. */
void db_close(struct db *db);

/* The error of ours for SQLite's result code. */
enum err db_err(int rc);

/* The story of the connection's last failure, after `what` was tried. */
enum err db_why(struct db *db, int rc, struct why *why, const char *what);

/* Statements without a result, written out. */
enum err db_exec(struct db *db, const char *sql, struct why *why);

/* Runs a bound statement that gives no row; leaves it ready for the next. */
enum err db_run(struct db *db, enum sql sql, struct why *why);

/* True while there is a row to read. False at the end or on an error: ask db_done(). */
bool db_row(struct db *db, enum sql sql);

/* Ends the reading of a statement; says whether all rows were read without an error. */
enum err db_done(struct db *db, enum sql sql, struct why *why);

/* The first column of the first row as a number. */
enum err db_i64(struct db *db, const char *sql, struct why *why, int64_t *ret_value);

/* Small values by name, in the settings table. A missing one leaves `*ret_value` alone. */
enum err db_setting(struct db *db, const char *name, struct why *why, int64_t *ret_value);
enum err db_setting_set(struct db *db, const char *name, int64_t value, struct why *why);

/* A column's bytes, lent until the statement moves on. */
struct str db_column(sqlite3_stmt *stmt, int column);

static inline sqlite3_stmt *db_stmt(struct db *db, enum sql sql)
{
	return db->stmt[sql];
}
