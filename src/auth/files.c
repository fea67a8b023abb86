#include "auth/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

static enum err errno_err(int e)
{
	return e == ENOENT ? E_NOT_FOUND : e == EEXIST ? E_EXISTS : E_IO;
}

void wipe_text(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	mem_free(secret);
}

/* -1: errno says why not. */
static int open_directory(const char *path)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A name is safe on the disk when its directory is. 0, or what errno said. */
static int sync_directory(const char *path)
{
	int fd = open_directory(path);
	int problem = fd < 0 || fsync(fd) != 0 ? errno : 0;

	if (fd >= 0)
		(void)close(fd);
	return problem;
}

/* Whoever could read what was there goes on reading it: a service whose files root looks after. Only root can give a file away. */
static void keep_owner(const char *path, int fd)
{
	struct stat before;

	if (stat(path, &before) == 0 && fchown(fd, before.st_uid, before.st_gid) < 0) {
		/* It is the caller's, as what is new. */
	}
}

/* ---- several as one ---------------------------------------------------------------------------------------------- */

#define DRAFT ".holdfast-draft"

/* Where a file goes, and where it is written first. */
struct place {
	char path[PATH_MAX];
	char draft[PATH_MAX + sizeof(DRAFT)];
};

/* A link stays one: it is where others look. */
static bool find_place(const char *path, struct place *ret_place)
{
	char target[PATH_MAX];

	if (realpath(path, target))
		path = target;
	(void)snprintf(ret_place->draft, sizeof(ret_place->draft), "%s" DRAFT, path);
	return (size_t)snprintf(ret_place->path, sizeof(ret_place->path), "%s", path) < sizeof(ret_place->path);
}

static enum err find_places(const struct file_part *files, size_t n, struct place *ret_places, struct why *why)
{
	assert(n > 0 && n <= FILES_MAX);
	for (size_t i = 0; i < n; i++)
		if (!find_place(files[i].path, &ret_places[i]))
			return why_set(why, E_LIMIT, "write %s: the path is too long", files[i].path);
	return E_OK;
}

static bool are_same(const char *a, const char *b)
{
	struct stat first, second;

	return lstat(a, &first) == 0 && lstat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/* A name that its draft shares was given by a call that did not come to its end. The last one goes first: it says that all are there. */
static void undo(const struct place *places, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (are_same(places[i].path, places[i].draft))
			(void)unlink(places[i].path);
	for (size_t i = 0; i < n; i++)
		(void)unlink(places[i].draft);
}

/* All files have their names when the last one has. */
static void settle(const struct place *places, size_t n)
{
	if (access(places[n - 1].path, F_OK) != 0)
		undo(places, n);
	for (size_t i = 0; i < n; i++)
		(void)unlink(places[i].draft);
}

static int write_draft(const struct file_part *file, const struct place *place, bool replace)
{
	int fd = open(place->draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), problem;

	if (fd < 0)
		return errno;
	if (replace)
		keep_owner(place->path, fd);
	problem = file_write_fd(fd, file->content);
	if (problem == 0 && (fchmod(fd, file->mode) != 0 || fsync(fd) != 0))
		problem = errno;
	(void)close(fd);
	return problem;
}

/* link() refuses a name that exists, and nobody can make one in between. */
static int give_name(const struct place *place, bool replace)
{
	int failed = replace ? rename(place->draft, place->path) : link(place->draft, place->path);

	return failed ? errno : 0;
}

/* 0, or what errno said of `*ret_at`. No file has its name before all drafts are on the disk, nor the last one before all others. */
static int write_all(const struct file_part *files, const struct place *places, size_t n, bool replace, size_t *ret_at)
{
	int problem = 0;

	for (size_t i = 0; i < n && problem == 0; i++) {
		*ret_at = i;
		problem = write_draft(&files[i], &places[i], replace);
		if (problem == 0)
			problem = sync_directory(places[i].path);
	}
	for (size_t i = 0; i < n && problem == 0; i++) {
		*ret_at = i;
		problem = give_name(&places[i], replace);
		if (problem == 0)
			problem = sync_directory(places[i].path);
	}
	return problem;
}

/* One call at a time: the drafts of another that runs are none of a dead one. */
static int lock_directory(const struct place *place)
{
	int fd = open_directory(place->path);

	while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
		;
	return fd;
}

static void unlock(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

enum err files_write(const struct file_part *files, size_t n, bool replace, struct why *why)
{
	struct place places[FILES_MAX];
	enum err err = find_places(files, n, places, why);
	size_t at = 0;
	int lock, problem;

	if (err != E_OK)
		return err;
	lock = lock_directory(&places[0]);
	settle(places, n);
	problem = write_all(files, places, n, replace, &at);
	(problem ? undo : settle)(places, n);
	unlock(lock);
	return problem ? why_errno(why, errno_err(problem), problem, "write %s", files[at].path) : E_OK;
}

void files_settle(const struct file_part *files, size_t n)
{
	struct place places[FILES_MAX];
	int lock;

	if (find_places(files, n, places, NULL) != E_OK)
		return;
	lock = lock_directory(&places[0]);
	settle(places, n);
	unlock(lock);
}

enum err file_write(const char *path, struct str content, mode_t mode, bool replace, struct why *why)
{
	return files_write(&(struct file_part){ path, mode, content }, 1, replace, why);
}
