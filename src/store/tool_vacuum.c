#include <stdlib.h>
#include <unistd.h>

#include "store/tool_file.h"

static enum err vacuum(const char *dir, const struct store_progress *progress, struct why *why)
{
	struct tool_ticker ticker = { .progress = progress };
	struct db db;
	enum err err = tool_open(dir, SQLITE_OPEN_READWRITE, why, &db);

	if (err != E_OK)
		return err;
	tool_tick(&db, &ticker);
	err = db_exec_as(&db, "vacuum", "PRAGMA synchronous = FULL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", why);
	db_close(&db);
	return err == E_OK ? E_OK : why_add(why, "store %s: vacuum", dir);
}

/* The copy that VACUUM makes belongs where the room is: in a container there may be no other directory that can be written. */
static void copy_beside(const char *dir)
{
	if (!getenv("SQLITE_TMPDIR"))
		sqlite3_temp_directory = sqlite3_mprintf("%s", dir);
}

enum err store_vacuum(const char *dir, const struct store_progress *progress, struct why *why)
{
	int lock_fd;
	enum err err = tool_lock(dir, why, &lock_fd);

	if (err != E_OK)
		return err;
	copy_beside(dir);
	err = vacuum(dir, progress, why);
	sqlite3_free(sqlite3_temp_directory);
	sqlite3_temp_directory = NULL;
	close(lock_fd);
	return err;
}
