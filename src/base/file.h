/*
 * file.h -- the files that somebody names: manifests, keys, certificates, secrets, lists.
 *
 * Shape     a regular file (links may lead to it), or the nameless pipe of a shell's <(...). Whatever else stands under the
 *           name may never end, or begin, and is neither waited for nor read. No read of a regular
 *           file waits, either: EAGAIN, where the kernel makes it up and has nothing yet.
 * Errors    E_NOT_FOUND  there is none
 *           E_LIMIT      larger than allowed
 *           E_IO, E_NOMEM
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

/* Open it for reading. `why` has the reason alone, without the path. */
enum err file_open(const char *path, struct why *why, int *ret_fd);

/* Appends what is left of it, at most `max` bytes; after an error nothing. The caller closes. The reason alone as well. */
enum err file_read_fd(int fd, size_t max, struct buf *ret_content, struct why *why);

/* Both: "read PATH: " and the reason. */
enum err file_read(const char *path, size_t max, struct buf *ret_content, struct why *why);

/* All of it, at the place where the file stands. 0, or what errno said. */
int file_write_fd(int fd, struct str bytes);

/* Can it be read? Before a library is given the path, which would open anything. The reason alone. */
enum err file_check(const char *path, struct why *why);
