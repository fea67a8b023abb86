/*
 * files.h -- small files as a whole: keys, certificates, lists of users.
 *
 * Errors    E_NOT_FOUND  there is none
 *           E_EXISTS     there is one, and it may not be replaced; untouched
 *           E_LIMIT      larger than allowed
 *           E_IO, E_NOMEM
 */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/why.h"

/* Appends the content, at most `max` bytes. Only regular files and pipes. */
enum err file_read(const char *path, size_t max, struct buf *ret_content, struct why *why);

/*
 * Whole or not at all, also when the power fails: written beside it, flushed, and given its name. `replace`: instead of
 * what is there.
 */
enum err file_write(const char *path, struct str content, mode_t mode, bool replace, struct why *why);

/* Wipes the bytes before it frees them. */
void wipe_buf(struct buf *secret);

/* A terminated secret. Takes NULL. */
void wipe_text(char *secret);
