#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/str.h"

static enum err errno_err(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return E_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return E_FULL;
	case EACCES:
	case EPERM:
		return E_FORBIDDEN;
	default:
		return E_IO;
	}
}

enum err lock_dir_open(const char *dir, bool create, struct why *why, int *ret_dir_fd)
{
	int problem = create ? dir_make(dir, 0700) : 0;
	int fd;

	if (problem)
		return why_errno(why, errno_err(problem), problem, "make directory %s", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return why_errno(why, errno_err(errno), errno, "open directory %s", dir);
	*ret_dir_fd = fd;
	return E_OK;
}

/* What the file says about its owner; 0 when it says nothing (yet). */
static uint64_t owner_of(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct str line = { text, n > 0 ? (size_t)n : 0 };
	uint64_t pid = 0;

	(void)str_to_u64(str_cut(&line, '\n'), UINT32_MAX, &pid);
	return pid;
}

static enum err in_use(int fd, struct why *why)
{
	uint64_t pid = owner_of(fd);

	if (!pid)
		return why_set(why, E_BUSY, "in use by another process");
	return why_set(why, E_BUSY, "in use by process %llu", (unsigned long long)pid);
}

/* For people only: a failure to write it changes nothing, so a full disk can still be opened. */
static void write_owner(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

enum err lock_take(int dir_fd, const char *name, struct why *why, int *ret_fd)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	enum err err;

	if (fd < 0)
		return why_errno(why, errno_err(errno), errno, "open %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		write_owner(fd);
		*ret_fd = fd;
		return E_OK;
	}
	if (errno == EWOULDBLOCK)
		err = in_use(fd, why);
	else
		err = why_errno(why, E_IO, errno, "lock %s", name);
	close(fd);
	return err;
}

enum err lock_create_file(int dir_fd, const char *name, struct why *why)
{
	/* only a new file: closing one that SQLite has open in this process would drop its locks (fcntl(2)) */
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return E_OK;
	if (fd < 0)
		return why_errno(why, errno_err(errno), errno, "create %s", name);
	close(fd);
	if (fsync(dir_fd) != 0)
		return why_errno(why, E_IO, errno, "sync directory");
	return E_OK;
}
