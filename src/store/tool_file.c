#include "store/tool_file.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/lock.h"
#include "store/schema.h"

#define BUSY_MS  5000
#define TICK_OPS 200000 /* of SQLite's machine: some milliseconds */

enum err tool_reach(const char *path, struct why *why)
{
	if (access(path, R_OK) == 0)
		return E_OK;
	if (errno == EACCES)
		return why_set(why, E_FORBIDDEN, "this user may not read it: use sudo, or the user of the gateway");
	return why_set(why, E_NOT_FOUND, "there is no store");
}

static enum err open_path(const char *path, int flags, struct why *why, struct db *ret_db)
{
	enum err err = tool_reach(path, why);

	if (err != E_OK)
		return err;
	err = db_open(path, flags, BUSY_MS, why, ret_db);
	if (err == E_OK)
		err = schema_check(ret_db, why);
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
	err = buf_cstr(&path) ? open_path(path.p, flags, why, ret_db) : why_set(why, E_NOMEM, "open");
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
