#include "flushed_file.h"

#include <fcntl.h>
#include <unistd.h>

int flushed_file(const char *path)
{
	static const char zeros[1 << 16];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	for (size_t at = 0; at < FLUSHED_FILE_SIZE; at += sizeof(zeros)) {
		if (pwrite(fd, zeros, sizeof(zeros), (off_t)at) != (ssize_t)sizeof(zeros))
			return -1;
	}
	return fsync(fd) == 0 ? fd : -1;
}
