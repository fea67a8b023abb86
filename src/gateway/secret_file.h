/*
 * secret_file.h -- a secret in a file, read again when the file changes.
 *
 * Shape     the content is kept; at most once a second the file is looked at, so that a rotation counts within a second
 *           and a request costs no system call.
 * Owner     embedded; the path is borrowed. secret_file_release() wipes the content.
 * Threads   any: a lock inside.
 * Errors    E_IO               the file cannot be read, is empty, or is over 64 KiB
 *           E_UNAUTHENTICATED  the token is another one
 * Source    facts argo-events 2.3 and 5 "Secret read rule": the whole file, exactly one trailing newline removed
 */
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include "base/buf.h"

struct secret_file {
	pthread_mutex_t lock;
	const char *path;
	uint64_t checked_ms; /* monotonic; 0: never */
	struct stat seen;    /* the file the content came from */
	struct buf content;
	enum err err; /* of the last reading */
};

void secret_file_init(struct secret_file *s, const char *path);
void secret_file_release(struct secret_file *s);

/* Is `token` the secret? Compared in constant time. */
enum err secret_file_check(struct secret_file *s, struct str token, uint64_t now_ms);
