/*
 * json_scan.h -- one pass over JSON: validate, compact, escape.
 *
 * Shape     a push machine: feed bytes in any chunking, the compacted text comes out into a buffer; the result does not
 *           depend on the chunking. What comes out is what Go's encoding/json makes of a json.RawMessage when it
 *           marshals it: insignificant white space gone; < > & U+2028 U+2029 in strings escaped (\u003c ..); number text,
 *           key order, duplicate keys and existing escapes as sent; bytes that are not UTF-8 pass through.
 * Units     offsets in bytes of the whole input, from 0.
 * Owner     embedded; a bit per open bracket is all the state there is: nothing is allocated per token. The stack of
 *           brackets lies inside up to JSON_DEPTH_MAX levels.
 * Errors    E_MALFORMED  not one JSON text (RFC 8259 2), or nested deeper than JSON_DEPTH_MAX
 *           E_LIMIT, E_NOMEM  from the output buffer; they come first when both apply
 * Source    RFC 8259; facts argo-events 1.0 "Embedded body rules"
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 10000 /* encoding/json's own limit */

struct json_scan {
	unsigned char state;   /* json_scan.c */
	unsigned char pending; /* bytes held back: the start of U+2028/9; or hex digits that must still come */
	unsigned char literal; /* the row of the literal's next letter */
	unsigned char bad;     /* the offending byte */
	bool ended;            /* the error is that the input was over */
	bool key;              /* the string is an object's key */
	bool object;           /* the innermost bracket is an object's */
	bool plain;            /* set after init: compact only, leave < > & U+2028 U+2029 as sent */
	unsigned depth;        /* open brackets */
	size_t offset;         /* bytes consumed so far */
	const char *error;     /* static text, or NULL; json_explain() of json_text.h has the sentence */
	unsigned char stack[(JSON_DEPTH_MAX + 7) / 8]; /* 1: object, 0: array */
};

void json_scan_init(struct json_scan *s);

/* The next bytes; appends to `out` (NULL: only validate). After E_MALFORMED `s->offset` is the offending byte's. */
enum err json_scan_feed(struct json_scan *s, struct str chunk, struct buf *out);

/* The input is over. E_MALFORMED: it ended too early (or was empty). */
enum err json_scan_finish(struct json_scan *s, struct buf *out);
