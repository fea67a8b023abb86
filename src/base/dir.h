/*
 * dir.h -- making a directory.
 */
#pragma once

#include <sys/types.h>

/*
 * Make `path`, and what is missing above it (that with 0777 less the umask, as mkdir -p does). The names of what was made are
 * durable, as far as this process may look at where they stand. Returns 0, also when it is there already, or an errno.
 */
int dir_make(const char *path, mode_t mode);
