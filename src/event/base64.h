/*
 * base64.h -- bytes as text.
 *
 * Shape     the standard alphabet, padded, no line breaks.
 * Source    RFC 4648 4; bits behind the last byte must be zero (3.5), so that each text has one meaning and one form.
 */
#pragma once

#include "base/buf.h"

/* Appends the text of `bytes`; errors are sticky in `ret_text`. */
void base64_write(struct str bytes, struct buf *ret_text);

/* Appends the bytes of `text`. False, and nothing appended: not base64. No memory: sticky in `ret_bytes`. */
bool base64_read(struct str text, struct buf *ret_bytes);

bool base64_ok(struct str text);
