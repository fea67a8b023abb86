/*
 * why.h -- the story of a failure, told by each caller in its own words.
 *
 * Shape     the place that fails writes the last words; each caller puts its own in front:
 *           "store webhook/example: commit: write spool.db-wal: No space left on device".
 * Owner     a value on the caller's stack; functions accept NULL when nobody will read it.
 */
#pragma once

#include "base/err.h"

struct why {
	enum err err;   /* E_OK until something failed */
	char text[480]; /* terminated; cut when longer */
};

/* Begin the story: what was done, to what, and why it failed. Returns `err`, so that it ends a function. */
enum err why_set(struct why *why, enum err err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with ": " and strerror(errno_value) at the end. */
enum err why_errno(struct why *why, enum err err, int errno_value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The story, or where nobody told one the text of `err`. */
const char *why_text(const struct why *why, enum err err);

/*
 * Put "format: " in front of the story so far. Returns the error already set, so that it ends a function. Never E_OK: when
 * nothing was set, or `why` is NULL and the error is not known here, it is E_INTERNAL.
 */
enum err why_add(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
