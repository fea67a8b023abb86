/*
 * tool_file.h -- a store's database as the tools and the reader open it.
 *
 * Shape     the file of a directory, its schema checked, with a progress callback that may interrupt statements.
 * Owner     the caller closes with db_close(); `progress` lives as long as the database is open.
 */
#pragma once

#include "store/spool_sql.h"
#include "store/store_tool.h"

/*
 * E_NOT_FOUND: there is no store in `dir`. E_FORBIDDEN: this user may not read it, or not there. `flags` are SQLite's: with
 * SQLITE_OPEN_READONLY also a store on read-only storage that has nothing in its log.
 */
enum err tool_open(const char *dir, int flags, struct why *why, struct db *ret_db);

/* As the one that writes, until the descriptor is closed. E_BUSY: a gateway has the store. */
enum err tool_lock(const char *dir, struct why *why, int *ret_lock_fd);

/* Interrupt the statements of `db` when on_progress says so; `done` of `total` is read at each call. */
struct tool_ticker {
	const struct store_progress *progress; /* NULL: nobody looks */
	uint64_t done, total;
};
void tool_tick(struct db *db, struct tool_ticker *ticker);
