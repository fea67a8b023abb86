/*
 * json_walk.h -- step through JSON that was validated and compacted.
 *
 * Shape     a cursor over the text; each step slices the next piece out of it. Nothing is checked twice: the text must
 *           come from json_scan.h. The cursor never passes the end whatever the text is.
 * Owner     what is sliced points into the text.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct json_walk {
	const char *p;
	const char *end;
};

static inline struct json_walk json_walk(struct str text)
{
	return (struct json_walk){ text.p, text.n ? text.p + text.n : text.p }; /* what is absent has no address */
}

/* The kind of the next value by its first byte: one of { [ " t f n - or a digit; 0 at the end. */
char json_walk_peek(const struct json_walk *w);

/* The raw text of the next value, brackets and quotes included. */
struct str json_walk_value(struct json_walk *w);

/* Step into the object or array that is next. */
void json_walk_enter(struct json_walk *w);

/* To the next element of an array or the next member's key, past a comma; false: past the closing bracket. */
bool json_walk_next(struct json_walk *w);

/* The raw key of the next member, quotes included; then comes its value. */
struct str json_walk_key(struct json_walk *w);

/*
 * What a raw string says. Without escapes it is a slice of it; else it is decoded to the end of `arena`, which must have
 * room for raw.n bytes so that it does not move. False: half of a surrogate pair, which no text can say.
 */
bool json_decode(struct str raw, struct buf *arena, struct str *ret_text);

/* Appends what a raw string says, at most raw.n bytes; half of a surrogate pair becomes U+FFFD, as Go reads it. */
void json_decode_lenient(struct str raw, struct buf *ret_text);
