#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/tool_file.h"

#define STEP_PAGES 512 /* 8 MB between two calls of on_progress */

static bool go_on(const struct store_progress *progress, sqlite3_backup *backup)
{
	uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup);

	if (!progress)
		return true;
	return progress->on_progress(progress->ctx, total - (uint64_t)sqlite3_backup_remaining(backup), total);
}

/* The source's open read transaction keeps all steps at one moment, whatever the gateway writes meanwhile. */
static enum err copy(struct db *from, struct db *to, const struct store_progress *progress, struct why *why)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", from->handle, "main");
	bool cancelled = false;
	int rc;

	if (!backup)
		return db_why(to, sqlite3_errcode(to->handle), why, "copy");
	do {
		rc = sqlite3_backup_step(backup, STEP_PAGES);
		cancelled = (rc == SQLITE_OK || rc == SQLITE_DONE) && !go_on(progress, backup);
	} while (rc == SQLITE_OK && !cancelled);
	rc = sqlite3_backup_finish(backup);
	if (cancelled)
		return why_set(why, E_CANCELLED, "copy");
	return db_why(to, rc, why, "copy");
}

static enum err copy_to(struct db *from, const char *to, const struct store_progress *progress, struct why *why)
{
	struct db copy_db;
	int64_t tables = 0;
	enum err err = db_open(to, SQLITE_OPEN_READWRITE, 0, why, &copy_db);

	if (err != E_OK)
		return err;
	err = db_exec(from, "BEGIN", why);
	if (err == E_OK)
		err = db_i64(from, "SELECT count(*) FROM sqlite_schema", why,
			     &tables); /* the transaction begins to read */
	if (err == E_OK)
		err = copy(from, &copy_db, progress, why);
	db_close(&copy_db);
	return err;
}

static enum err sync_name(const char *to, struct why *why)
{
	CLEANUP(mem_freep) char *path = mem_dup(to, strlen(to));
	int fd;
	int rc;

	if (!path)
		return why_set(why, E_NOMEM, "sync");
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why_errno(why, E_IO, errno, "sync directory");
	rc = fsync(fd);
	close(fd);
	return rc == 0 ? E_OK : why_errno(why, E_IO, errno, "sync directory");
}

/* A file that was there may be somebody else's, who would read what we write. */
static enum err take(int fd, const char *part, struct why *why)
{
	struct stat st, named;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return why_set(why, E_EXISTS, "a file with this name and " STORE_EXPORT_PART " is not ours");
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return why_set(why, E_BUSY, "another export writes it");
	if (lstat(part, &named) != 0 || named.st_ino != st.st_ino) /* whole by now, under its own name */
		return why_set(why, E_BUSY, "another export has just written it");
	return fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0 ? E_OK : why_errno(why, E_IO, errno, "create");
}

/* The file of an export that was killed is taken over; one that is at work has it locked. */
static enum err begin(const char *part, struct why *why, int *ret_fd)
{
	int fd = open(part, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	enum err err = fd < 0 ? why_errno(why, E_IO, errno, "create") : take(fd, part, why);

	if (err == E_OK)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

static enum err finish(const char *part, const char *to, struct why *why)
{
	int rc = renameat2(AT_FDCWD, part, AT_FDCWD, to, RENAME_NOREPLACE);

	if (rc != 0 && errno == EINVAL) /* NFS and others do not know the flag */
		rc = rename(part, to);
	if (rc != 0)
		return why_errno(why, errno == EEXIST ? E_EXISTS : E_IO, errno, "rename");
	return sync_name(to, why);
}

static enum err write_part(struct db *from, const char *part, const char *to, const struct store_progress *progress,
			   struct why *why)
{
	int lock_fd;
	enum err err = begin(part, why, &lock_fd);

	if (err != E_OK)
		return err;
	err = copy_to(from, part, progress, why);
	if (err == E_OK)
		err = finish(part, to, why);
	if (err != E_OK)
		(void)unlink(part);
	close(lock_fd);
	return err;
}

/* Under another name until it is whole: who is killed leaves nothing that could be taken for a copy. */
static enum err export_to(struct db *from, const char *to, const struct store_progress *progress, struct why *why)
{
	CLEANUP(buf_release) struct buf part = { 0 };

	buf_addf(&part, "%s" STORE_EXPORT_PART, to);
	if (!buf_cstr(&part))
		return why_set(why, E_NOMEM, "create");
	if (faccessat(AT_FDCWD, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return why_errno(why, E_EXISTS, EEXIST, "create");
	return write_part(from, part.p, to, progress, why);
}

enum err store_export(const char *dir, const char *to, const struct store_progress *progress, struct why *why)
{
	struct db from;
	enum err err = tool_open(dir, SQLITE_OPEN_READONLY, why, &from);

	if (err != E_OK)
		return err;
	err = export_to(&from, to, progress, why);
	db_close(&from);
	return err == E_OK ? E_OK : why_add(why, "export to %s", to);
}
