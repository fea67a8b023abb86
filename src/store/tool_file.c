#include "store/tool_file.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/lock.h"
#include "store/schema.h"

#define BUSY_MS  5000
#define TICK_OPS 200000 /* of SQLite's machine: some milliseconds */

/* Is there a database that this user may read? */
static enum err reach(const char *path, struct why *why)
{
	if (access(path, R_OK) == 0)
		return E_OK;
	if (errno == EACCES)
		return why_set(why, E_FORBIDDEN, "this user may not read it: use sudo, or the user of the gateway");
	return why_set(why, E_NOT_FOUND, "there is no store");
}

/*
 * On a file system that cannot be written SQLite cannot make the -shm, and reads without one only what nobody changes. A gateway that
 * has the store through another mount has a -shm from its start to its end. What stands in a log is part of the store.
 */
static bool is_left_alone(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY) && db_file_bytes(path, "-shm") < 0 &&
	       db_file_bytes(path, "-wal") <= 0;
}

static enum err open_left_alone(const char *path, struct why *why, struct db *ret_db)
{
	CLEANUP(buf_release) struct buf uri = { 0 };

	buf_addf(&uri, "file:%s", path[0] == '/' ? "//" : "");
	for (; *path; path++)
		buf_addf(&uri, strchr("%?#", *path) ? "%%%02X" : "%c", (unsigned char)*path);
	buf_lit(&uri, "?immutable=1");
	if (!buf_cstr(&uri))
		return why_set(why, E_NOMEM, "open");
	return db_open(uri.p, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, BUSY_MS, why, ret_db);
}

/* The file may be read; what SQLite cannot open where nothing can be made is what it needs beside that. */
static enum err check(struct db *db, const char *dir, struct why *why)
{
	enum err err = schema_check(db, why);
	int rc = sqlite3_errcode(db->handle) & 0xff;

	if (err == E_OK || (rc != SQLITE_CANTOPEN && rc != SQLITE_READONLY) || access(dir, W_OK) == 0)
		return err;
	return why_set(why, E_FORBIDDEN,
		       "reading takes a log beside the file, which cannot be written there: copy the directory");
}

static enum err open_path(const char *dir, const char *path, int flags, struct why *why, struct db *ret_db)
{
	enum err err = reach(path, why);

	if (err != E_OK)
		return err;
	if ((flags & SQLITE_OPEN_READONLY) && is_left_alone(path))
		err = open_left_alone(path, why, ret_db);
	else
		err = db_open(path, flags, BUSY_MS, why, ret_db);
	if (err == E_OK)
		err = check(ret_db, dir, why);
	if (err != E_OK)
		db_close(ret_db);
	return err;
}

enum err tool_open(const char *dir, int flags, struct why *why, struct db *ret_db)
{
	CLEANUP(buf_release) struct buf path = { 0 };
	enum err err;

	*ret_db = (struct db){ 0 };
	buf_addf(&path, "%s/%s", dir, STORE_FILE);
	err = buf_cstr(&path) ? open_path(dir, path.p, flags, why, ret_db) : why_set(why, E_NOMEM, "open");
	return err == E_OK ? E_OK : why_add(why, "store %s", dir);
}

enum err tool_lock(const char *dir, struct why *why, int *ret_lock_fd)
{
	int dir_fd;
	enum err err = lock_dir_open(dir, /* create= */ false, why, &dir_fd);

	if (err != E_OK)
		return why_add(why, "store %s", dir);
	err = lock_take(dir_fd, LOCK_SPOOL, why, ret_lock_fd);
	close(dir_fd);
	return err == E_OK ? E_OK : why_add(why, "store %s", dir);
}

static int tick(void *ctx)
{
	const struct tool_ticker *t = ctx;

	return t->progress->on_progress(t->progress->ctx, t->done, t->total) ? 0 : 1;
}

void tool_tick(struct db *db, struct tool_ticker *ticker)
{
	if (ticker->progress)
		sqlite3_progress_handler(db->handle, TICK_OPS, tick, ticker);
}
