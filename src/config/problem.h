/*
 * problem.h -- what is wrong with a file, with its place and what to do.
 *
 * Shape     collected, not thrown: a reader reports everything in one pass. Kept in the order of files and lines; of
 *           more than PROBLEMS_MAX only the number is kept.
 * Owner     problems own their texts. Bytes that a terminal could obey are shown as '?'.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define PROBLEMS_MAX 100

struct node;
struct doc_file;

/* One thing that is wrong. */
struct problem {
	char *file;
	unsigned line; /* 0: the whole file */
	char *path;    /* "spec.webhook.example.port", or "" */
	char *text;    /* what is wrong */
	char *fix;     /* what to do, or NULL */
	bool warning;  /* true: the gateway starts all the same */
	struct problem *next;
};

struct problems {
	struct problem *first;
	size_t kept;
	size_t errors; /* with those that were not kept */
	size_t warnings;
	bool lost; /* no memory for one more: counts as an error */
	bool soft; /* what is reported now is left out of what is used: errors become warnings, and are counted */
	size_t softened;
};

/* Is something wrong that forbids the use of what was read? */
static inline bool problems_fatal(const struct problems *p)
{
	return p->errors || p->lost;
}

/* Report against a node (NULL: the whole file); `fix` may be NULL. The text is a format. */
void problem_at(struct problems *p, const struct doc_file *file, const struct node *n, const char *fix,
		const char *format, ...) __attribute__((format(printf, 5, 6)));
void warning_at(struct problems *p, const struct doc_file *file, const struct node *n, const char *fix,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same against a line of a file (0: the whole file) that has no nodes. */
void problem_in(struct problems *p, const char *file, unsigned line, const char *fix, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* There was no memory to read on. Returns E_NOMEM, so that it ends a function. */
enum err problem_nomem(struct problems *p);

/* "FILE:LINE: PATH: text (fix)", without a line feed; "FILE:LINE: warning: PATH: ..." for a warning. */
void problem_write(const struct problem *q, struct buf *ret_text);

/* All of them, one line each, and how many more there are. */
void problems_write(const struct problems *p, struct buf *ret_text);
void problems_release(struct problems *p);
