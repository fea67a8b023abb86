/*
 * base64.h -- bytes as text.
 *
 * Shape     no line breaks; bits behind the last byte are zero, so that each text has one meaning and one form.
 * Errors    reading: false, and nothing appended: not base64; no memory: sticky in `ret_bytes`. Writing: sticky in `ret_text`.
 * Source    RFC 4648 3.5, 4 and 5; RFC 7515 2 (for URLs); PROTOCOL-HTTP2.md: Binary-Header (not padded)
 */
#pragma once

#include "base/buf.h"

/* Appends the text of `bytes`. */
void base64_write(struct str bytes, struct buf *ret_text);

/* Appends the bytes of `text`. */
bool base64_read(struct str text, struct buf *ret_bytes);

bool base64_ok(struct str text);

/* Not padded. */
void base64_write_bare(struct str bytes, struct buf *ret_text);
bool base64_read_bare(struct str text, struct buf *ret_bytes);

/* Not padded, in the alphabet for URLs. */
void base64url_write(struct str bytes, struct buf *ret_text);
bool base64url_read(struct str text, struct buf *ret_bytes);
