/*
 * base64url.h -- bytes as text that may stand in a URL.
 *
 * Shape     the alphabet with '-' and '_', not padded. Bits behind the last byte must be zero, so that each text has one
 *           meaning and one form.
 * Source    RFC 4648 5; RFC 7515 2
 */
#pragma once

#include "base/buf.h"

/* Appends the text of `bytes`; errors are sticky in `ret_text`. */
void base64url_write(struct str bytes, struct buf *ret_text);

/* Appends the bytes of `text`. False, and nothing appended: not base64url. No memory: sticky in `ret_bytes`. */
bool base64url_read(struct str text, struct buf *ret_bytes);
