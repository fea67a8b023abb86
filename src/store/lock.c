#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/str.h"

#define TEXT_MAX 64

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

/* A number in each line; 0 where there is none (yet). */
struct noted {
	uint64_t owner, number;
};

static struct noted read_noted(int fd)
{
	char text[TEXT_MAX];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct str rest = { text, n > 0 ? (size_t)n : 0 };
	struct noted noted = { 0 };

	(void)str_to_u64(str_cut(&rest, '\n'), UINT32_MAX, &noted.owner);
	(void)str_to_u64(str_cut(&rest, '\n'), UINT64_MAX, &noted.number);
	return noted;
}

static enum err in_use(int fd, struct why *why)
{
	uint64_t pid = read_noted(fd).owner;

	if (!pid)
		return why_set(why, E_BUSY, "in use by another process");
	return why_set(why, E_BUSY, "in use by process %llu", (unsigned long long)pid);
}

uint64_t lock_noted(int fd)
{
	return read_noted(fd).number;
}

/* A failure to write it changes nothing, so a full disk can still be opened. */
void lock_note(int fd, uint64_t number)
{
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%ld\n%llu\n", (long)getpid(), (unsigned long long)number);

	if (pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) == 0)
		(void)fdatasync(fd);
}

enum err lock_take(int dir_fd, const char *name, struct why *why, int *ret_fd)
{
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	enum err err;

	if (fd < 0)
		return why_errno(why, errno_err(errno), errno, "open %s", name);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		lock_note(fd, lock_noted(fd));
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
