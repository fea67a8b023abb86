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
	err = db_exec(&db, "PRAGMA synchronous = FULL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", why);
	db_close(&db);
	return err == E_OK ? E_OK : why_add(why, "store %s: vacuum", dir);
}

enum err store_vacuum(const char *dir, const struct store_progress *progress, struct why *why)
{
	int lock_fd;
	enum err err = tool_lock(dir, why, &lock_fd);

	if (err != E_OK)
		return err;
	err = vacuum(dir, progress, why);
	close(lock_fd);
	return err;
}
