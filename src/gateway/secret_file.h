/*
 * secret_file.h -- a secret in a file, read again when the file changes.
 *
 * Shape     the content is kept; at most once a second the file is looked at, so that a rotation counts within a second
 *           and a request costs no system call. With an overlap the content before is accepted for that time after a
 *           change: sender and receiver need not change in the same moment.
 * Owner     embedded; the path is borrowed. secret_file_release() wipes the content.
 * Units     times in ms, monotonic.
 * Threads   any: a lock inside, which is not held while something is checked.
 * Errors    E_IO               the file cannot be read, is empty, or is over 64 KiB
 *           E_UNAUTHENTICATED  the token is another one
 *           E_NOMEM            no memory
 * Source    facts argo-events 2.3 and 5 "Secret read rule": the whole file, exactly one trailing newline removed
 */
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include "base/buf.h"

struct secret_file {
	pthread_mutex_t lock;
	const char *path;
	uint64_t overlap_ms; /* set after init; 0: only the newest content counts */
	uint64_t checked_ms; /* 0: never */
	uint64_t changed_ms; /* when `before` was replaced */
	struct stat seen;    /* the file the content came from */
	struct buf content;
	struct buf before; /* empty: none, or its time is over */
	enum err err;      /* of the last reading */
};

void secret_file_init(struct secret_file *s, const char *path);
void secret_file_release(struct secret_file *s);

/* Read it now: what stands there today is "before" when it changes, even if no request came until then. */
void secret_file_look(struct secret_file *s, uint64_t now_ms);

/* A new `s` goes on with what `from`, of the same path, knows: a reload does not end an overlap. */
void secret_file_inherit(struct secret_file *s, struct secret_file *from);

/*
 * Show every secret that is valid now to `check`, the newest first, until one is E_OK. It returns E_UNAUTHENTICATED for
 * "not with this one"; any other error ends the search.
 */
enum err secret_file_match(struct secret_file *s, uint64_t now_ms, enum err (*check)(void *ctx, struct str secret),
			   void *ctx);

/* Is `token` a valid secret? Compared in constant time. */
enum err secret_file_check(struct secret_file *s, struct str token, uint64_t now_ms);
