/*
 * files.h -- small files that are written as a whole: keys, certificates, lists of users. base/file.h reads them.
 *
 * Errors    E_NOT_FOUND  there is no such directory
 *           E_EXISTS     there is one, and it may not be replaced; untouched
 *           E_LIMIT      the path is too long
 *           E_IO
 */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/why.h"

/*
 * Whole or not at all, also when the power fails: written beside it, flushed, and given its name. `replace`: instead of
 * what is there, or of what a link there leads to; its owner stays, as far as the caller may say so.
 */
enum err file_write(const char *path, struct str content, mode_t mode, bool replace, struct why *why);

/* Wipes a terminated secret before it frees it. Takes NULL. */
void wipe_text(char *secret);
