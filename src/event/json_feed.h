/*
 * json_feed.h -- inside the JSON scanner: its states, and one call of json_scan_feed().
 *
 * Shape     json_scan.c steps through the structure, json_string.c through strings, json_number.c through numbers and
 *           literals. Each step takes the place of the next byte (there is at least one) and returns the place behind what
 *           it dealt with; the state says what comes there.
 */
#pragma once

#include "event/json_scan.h"

/*
 * VALUE -> a scalar, '[' (VALUE_OR_END) or '{' (KEY_OR_END); KEY -> COLON -> VALUE; behind each value AFTER, where ','
 * leads back to VALUE or KEY and the closing bracket to AFTER of the level above; behind the outermost value DONE.
 * The order tells which file a state belongs to.
 */
enum state {
	VALUE,
	VALUE_OR_END,
	KEY,
	KEY_OR_END,
	COLON,
	AFTER,
	DONE,
	STRING,
	HELD, /* in a string, `pending` bytes of e2 80 a8 or e2 80 a9 seen in an earlier chunk and not written */
	ESCAPE,
	HEX, /* `pending` digits to come */
	LITERAL,
	MINUS,
	ZERO,
	INTEGER,
	POINT,
	FRACTION,
	EXPONENT,
	EXPONENT_SIGN,
	EXPONENT_DIGITS,
	FAILED,
};

/* One call of json_scan_feed(). Bytes [run, p) are checked and not yet written: most input leaves in one piece. */
struct feed {
	struct json_scan *s;
	const char *run;
	const char *end;
	struct buf *out;
};

static inline void flush(struct feed *f, const char *to)
{
	if (f->out && to > f->run)
		buf_add(f->out, f->run, (size_t)(to - f->run));
	f->run = to;
}

static inline void emit(struct feed *f, const char *text, size_t n)
{
	if (f->out)
		buf_add(f->out, text, n);
}

static inline const char *fail(struct feed *f, const char *p, const char *error)
{
	flush(f, p);
	f->s->error = error;
	f->s->bad = (unsigned char)*p;
	f->s->state = FAILED;
	return p;
}

static inline void value_ends(struct json_scan *s)
{
	s->state = s->depth ? AFTER : DONE;
}

static inline bool json_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* json_string.c: at the quote; at the quote of a key; in a string, HELD, ESCAPE or HEX. */
const char *json_begin_string(struct feed *f, const char *p);
const char *json_in_members(struct feed *f, const char *p);
const char *json_in_string(struct feed *f, const char *p);

/* json_number.c: at the first letter of a literal; at '-' or a digit; in any state of the two. */
const char *json_begin_literal(struct feed *f, const char *p);
const char *json_begin_number(struct feed *f, const char *p);
const char *json_in_number(struct feed *f, const char *p);
