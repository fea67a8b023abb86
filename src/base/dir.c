#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new directory's name is durable only when its parent is. What cannot be opened is not ours: more cannot be done. */
static void sync_parent(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int parent = dir < 0 ? -1 : openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent >= 0) {
		(void)fsync(parent);
		close(parent);
	}
	if (dir >= 0)
		close(dir);
}

static int make_one(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0) {
		sync_parent(path);
		return 0;
	}
	return errno == EEXIST ? 0 : errno;
}

int dir_make(const char *path, mode_t mode)
{
	char above[PATH_MAX];
	int problem = 0;
	size_t n = strlen(path);

	if (n >= sizeof(above))
		return ENAMETOOLONG;
	memcpy(above, path, n + 1);
	while (n > 1 && above[n - 1] == '/')
		above[--n] = 0;
	for (size_t i = 1; i < n && !problem; i++) {
		if (above[i] != '/' || above[i - 1] == '/')
			continue;
		above[i] = 0;
		problem = make_one(above, 0777);
		above[i] = '/';
	}
	return problem ? problem : make_one(above, mode);
}
