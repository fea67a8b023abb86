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

#define FILES_MAX 3

/* One of a few files that are nothing without each other, as a key and its certificate. */
struct file_part {
	const char *path;
	mode_t mode;
	struct str content;
};

/*
 * All of them or none, also when the power fails or the process is killed: each is written beside its place and flushed, then all get
 * their names in this order. `replace`: instead of what is there, or of what a link there leads to; its owner stays, as far as the
 * caller may say so. (Who is killed between the names of what is replaced leaves some of both.)
 */
enum err files_write(const struct file_part *files, size_t n, bool replace, struct why *why);

/* Removes what a call of files_write() that was killed has left of these; the next call does it, too. */
void files_settle(const struct file_part *files, size_t n);

/* The same with one. */
enum err file_write(const char *path, struct str content, mode_t mode, bool replace, struct why *why);

/* Wipes a terminated secret before it frees it. Takes NULL. */
void wipe_text(char *secret);
