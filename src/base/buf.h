/*
 * buf.h -- bytes that grow.
 *
 * Shape     a heap block with length and capacity, a ceiling, and a sticky error: append as often as you like,
 *           look at `err` once at the end.
 * Owner     embedded in its user; buf_release() frees. A zeroed struct buf is an empty buffer without a ceiling.
 * Errors    E_NOMEM  no memory
 *           E_LIMIT  it would grow over `max`
 *           After an error the bytes stay as they were at the last success and appends do nothing.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct buf {
	char *p;      /* not terminated; see buf_cstr() */
	size_t n;     /* bytes in use */
	size_t cap;   /* bytes allocated */
	size_t max;   /* ceiling in bytes; 0: none */
	enum err err; /* the first failure, or E_OK */
};

/* Room for `n` more bytes: returns where to write them, or NULL (and `err` is set). Then add to `b->n` what was written. */
char *buf_reserve(struct buf *b, size_t n);

/* buf_add() when there is no room yet. */
void buf_add_growing(struct buf *b, const void *p, size_t n);

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (b->err != E_OK || n > b->cap - b->n || n == 0) {
		buf_add_growing(b, p, n);
		return;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

static inline void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t value);
/* Needs room for a terminating zero below `max`, which is not counted; so does buf_cstr(). */
void buf_addf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define buf_lit(b, literal) buf_add((b), "" literal, sizeof(literal) - 1)

/* `s` in double quotes, escaped as JSON (RFC 8259 7); bytes that are not UTF-8 become U+FFFD. For logs and APIs. */
void buf_json(struct buf *b, struct str s);

/* What it holds, borrowed until the next append. */
static inline struct str buf_view(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

/* The content with a terminating zero behind it (not counted), or NULL on an error. */
const char *buf_cstr(struct buf *b);

/* Empty again; keeps the memory, clears the error. */
void buf_clear(struct buf *b);

/* Frees the memory; the buffer is empty and usable again (its ceiling stays). */
void buf_release(struct buf *b);

/* The same of a secret, which is overwritten first. One that grew has left parts of it behind: reserve the room before. */
void buf_wipe(struct buf *b);
