#include "auth/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

/* A name is safe on the disk when its directory is. */
static bool sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	bool ok;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/* link() refuses a name that exists, and nobody can make one in between. */
static bool give_name(const char *draft, const char *path, bool replace)
{
	if (replace)
		return rename(draft, path) == 0;
	return link(draft, path) == 0 && unlink(draft) == 0;
}

/* Whoever could read what was there goes on reading it: a service whose files root looks after. Only root can give a file away. */
static void keep_owner(const char *path, int fd)
{
	struct stat before;

	if (stat(path, &before) == 0 && fchown(fd, before.st_uid, before.st_gid) < 0) {
		/* It is the caller's, as what is new. */
	}
}

enum err file_write(const char *path, struct str content, mode_t mode, bool replace, struct why *why)
{
	char draft[PATH_MAX], target[PATH_MAX];
	int fd, problem;

	if (replace && realpath(path, target)) /* a link stays one: it is where others look */
		path = target;
	if ((size_t)snprintf(draft, sizeof(draft), "%s.XXXXXX", path) >= sizeof(draft))
		return why_set(why, E_LIMIT, "write %s: the path is too long", path);
	fd = mkostemp(draft, O_CLOEXEC);
	if (fd < 0)
		return why_errno(why, errno_err(errno), errno, "write %s", path);
	if (replace)
		keep_owner(path, fd);
	if (file_write_fd(fd, content) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0 &&
	    give_name(draft, path, replace) && sync_directory(path)) {
		(void)close(fd);
		return E_OK;
	}
	problem = errno;
	(void)unlink(draft);
	(void)close(fd);
	return why_errno(why, errno_err(problem), problem, "write %s", path);
}
