#include <unistd.h>

#include "store/lock.h"
#include "store/tool_file.h"

static enum err run(struct db *db, const char *sql, const char *from, const char *to, struct why *why, int *ret_changed)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, from, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, to, -1, SQLITE_STATIC);
		(void)sqlite3_step(stmt);
		rc = sqlite3_finalize(stmt);
	}
	*ret_changed = sqlite3_changes(db->handle);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return why_set(why, E_EXISTS, "bus %s has taken something already", to);
	return db_why(db, rc, why, "rename");
}

/* What is not committed is rolled back by closing. */
static enum err rename_in(struct db *db, const char *from, const char *to, struct why *why)
{
	int changed = 0;
	enum err err = db_exec(db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", why);

	if (err == E_OK)
		err = run(db, "UPDATE buses SET bus = ?2 WHERE bus = ?1", from, to, why, &changed);
	if (err == E_OK && !changed)
		err = why_set(why, E_NOT_FOUND, "bus %s has taken nothing", from);
	if (err == E_OK)
		err = run(db, "UPDATE held SET bus = ?2 WHERE bus = ?1", from, to, why, &changed);
	if (err == E_OK)
		err = run(db, "UPDATE dead SET bus = ?2 WHERE bus = ?1", from, to, why, &changed);
	return err == E_OK ? db_exec(db, "COMMIT", why) : err;
}

enum err store_rename_bus(const char *dir, const char *from, const char *to, struct why *why)
{
	struct db db = { 0 };
	int lock_fd;
	enum err err = tool_lock(dir, why, &lock_fd);

	if (err != E_OK)
		return err;
	err = tool_open(dir, SQLITE_OPEN_READWRITE, why, &db);
	if (err == E_OK)
		err = rename_in(&db, from, to, why);
	db_close(&db);
	close(lock_fd);
	return err;
}
