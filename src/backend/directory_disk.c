#include "backend/directory_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

#define CHUNK 65536

enum err disk_err(int number)
{
	switch (number) {
	case ENOENT:
		return E_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return E_FULL;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP:
	case ENOTDIR:
		return E_FORBIDDEN;
	case ENOMEM:
		return E_NOMEM;
	case EMFILE:
	case ENFILE:
		return E_UNAVAILABLE;
	default:
		return E_IO;
	}
}

enum err disk_in_place(int root, const char *path, struct why *why)
{
	struct stat ours;
	struct stat there;

	if (stat(path, &there) != 0)
		return why_errno(why, E_UNAVAILABLE, errno, "%s was taken away", path);
	if (fstat(root, &ours) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		return E_OK;
	return why_set(why, E_UNAVAILABLE, "%s is another directory now: it is read after a restart", path);
}

enum err disk_open_dir(int parent, const char *name, bool create, struct why *why, int *ret_fd, bool *ret_made)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	if (fd < 0 && errno == ENOENT && create) {
		if (mkdirat(parent, name, 0777) == 0)
			*ret_made = true;
		else if (errno != EEXIST)
			return why_errno(why, disk_err(errno), errno, "make directory %s", name);
		fd = openat(parent, name, flags);
	}
	if (fd < 0)
		return why_errno(why, disk_err(errno), errno, "open directory %s", name);
	*ret_fd = fd;
	return E_OK;
}

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

enum err disk_look(int dir, const char *file, struct why *why, struct disk_sig *ret_sig)
{
	struct stat st;

	*ret_sig = (struct disk_sig){ 0 };
	if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? E_OK : why_errno(why, disk_err(errno), errno, "look at %s", file);
	*ret_sig = (struct disk_sig){
		.exists = true,
		.mode = st.st_mode,
		.ino = st.st_ino,
		.size = st.st_size,
		.mtime_ns = ns_of(&st.st_mtim),
		.ctime_ns = ns_of(&st.st_ctim),
	};
	return E_OK;
}

enum err disk_look_all(int dir, const char *name, struct why *why, struct disk_files *ret_files)
{
	char file[DIRECTORY_FILE_MAX];
	enum err err = E_OK;
	int found = 0;

	*ret_files = (struct disk_files){ 0 };
	for (int part = 0; part < DIRECTORY_PART_COUNT && err == E_OK; part++) {
		struct disk_sig sig;

		if (!directory_file_name(name, (enum directory_part)part, file))
			return why_set(why, E_MALFORMED, "the name is too long for a file");
		err = disk_look(dir, file, why, &sig);
		if (err != E_OK || !sig.exists)
			continue;
		if (part == DIRECTORY_STATUS) {
			ret_files->status = sig;
			continue;
		}
		ret_files->part = (enum directory_part)part;
		ret_files->object = sig;
		found++;
	}
	if (err == E_OK && found > 1)
		return why_set(why, E_MALFORMED, "two object files (.yaml, .yml or .json): remove one");
	return err;
}

static bool same(const struct disk_sig *a, const struct disk_sig *b)
{
	return a->exists == b->exists && a->mode == b->mode && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

bool disk_same_files(const struct disk_files *a, const struct disk_files *b)
{
	return same(&a->object, &b->object) && same(&a->status, &b->status) &&
	       (!a->object.exists || a->part == b->part);
}

static enum err read_all(int fd, const char *file, uint64_t max, struct why *why, struct buf *ret_text)
{
	ssize_t n = 1;

	while (n > 0 && ret_text->n <= max) {
		char *to = buf_reserve(ret_text, CHUNK);

		if (!to)
			return why_set(why, E_NOMEM, "read %s", file);
		n = read(fd, to, CHUNK);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return why_errno(why, disk_err(errno), errno, "read %s", file);
		else
			ret_text->n += (size_t)n;
	}
	if (ret_text->n > max)
		return why_set(why, E_LIMIT, "larger than %llu bytes", (unsigned long long)max);
	return E_OK;
}

/* A device must not even be opened; between the look and the opening it may have become one, which then is only closed. */
static enum err open_regular(int dir, const char *file, struct why *why, int *ret_fd)
{
	struct disk_sig sig;
	struct stat st;
	enum err err = disk_look(dir, file, why, &sig);
	int fd;

	if (err != E_OK)
		return err;
	if (!sig.exists)
		return why_set(why, E_NOT_FOUND, "%s vanished", file);
	if (!S_ISREG(sig.mode))
		return why_set(why, E_MALFORMED,
			       S_ISLNK(sig.mode) ? "a symbolic link: links are not followed" : "not a regular file");
	fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return why_errno(why, disk_err(errno), errno, "open %s", file);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return why_set(why, E_MALFORMED, "not a regular file");
	}
	*ret_fd = fd;
	return E_OK;
}

enum err disk_read(int dir, const char *file, uint64_t max, struct why *why, struct buf *ret_text)
{
	int fd = -1;
	enum err err = open_regular(dir, file, why, &fd);

	if (err != E_OK)
		return err;
	err = read_all(fd, file, max, why, ret_text);
	close(fd);
	return err;
}

enum err disk_write(int dir, const char *file, struct str text, mode_t mode, struct why *why, int *ret_fd)
{
	int fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777);
	int problem;

	if (fd < 0)
		return why_errno(why, disk_err(errno), errno, "create %s", file);
	problem = file_write_fd(fd, text);
	if (problem) {
		close(fd);
		(void)unlinkat(dir, file, 0);
		return why_errno(why, disk_err(problem), problem, "write %s", file);
	}
	/* Blocks are given now, so that one commit of the file system's journal serves all files of a batch. */
	(void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	*ret_fd = fd;
	return E_OK;
}
