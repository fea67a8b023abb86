#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CHUNK (16 << 10)

static enum err fail(struct why *why, int number)
{
	char reason[96];

	return why_set(why, number == ENOENT ? E_NOT_FOUND : E_IO, "%s", strerror_r(number, reason, sizeof(reason)));
}

/* A pipe with a name waits for whoever opens its other end; that of a shell has one. */
static bool is_nameless_pipe(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

static enum err check_kind(int fd, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail(why, errno);
	if (S_ISDIR(st.st_mode))
		return fail(why, EISDIR);
	if (S_ISREG(st.st_mode)) /* its reads must not wait either: /proc/kmsg is one */
		return E_OK;
	if (!is_nameless_pipe(fd))
		return why_set(why, E_IO, "not a regular file");
	return fcntl(fd, F_SETFL, 0) == 0 ? E_OK : fail(why, errno);
}

enum err file_open(const char *path, struct why *why, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum err err;

	if (fd < 0)
		return fail(why, errno);
	err = check_kind(fd, why);
	if (err == E_OK)
		*ret_fd = fd;
	else
		(void)close(fd);
	return err;
}

static enum err read_all(int fd, size_t max, struct buf *content, struct why *why)
{
	size_t begin = content->n;

	for (;;) {
		char *to = buf_reserve(content, CHUNK);
		ssize_t n;

		if (!to)
			return why_set(why, content->err, "%s", err_text(content->err));
		n = read(fd, to, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(why, errno);
		if (n == 0)
			return E_OK;
		content->n += (size_t)n;
		if (content->n - begin > max)
			return why_set(why, E_LIMIT, "larger than %zu bytes", max);
	}
}

enum err file_read_fd(int fd, size_t max, struct buf *ret_content, struct why *why)
{
	size_t begin = ret_content->n;
	enum err err = read_all(fd, max, ret_content, why);

	if (err != E_OK)
		ret_content->n = begin;
	return err;
}

enum err file_read(const char *path, size_t max, struct buf *ret_content, struct why *why)
{
	int fd = -1;
	enum err err = file_open(path, why, &fd);

	if (err == E_OK) {
		err = file_read_fd(fd, max, ret_content, why);
		(void)close(fd);
	}
	if (err != E_OK)
		(void)why_add(why, "read %s", path);
	return err;
}

int file_write_fd(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno != EINTR)
			return errno;
		bytes = str_sub(bytes, n > 0 ? (size_t)n : 0, bytes.n);
	}
	return 0;
}

enum err file_check(const char *path, struct why *why)
{
	int fd = -1;
	enum err err = file_open(path, why, &fd);

	if (err == E_OK)
		(void)close(fd);
	return err;
}
