/*
 * binary.h -- bytes in a header field: the values of "-bin" keys.
 *
 * Shape     base64 of the standard alphabet; written without padding, read with or without. (event/base64.h is strict, as
 *           JSON wants it, and lies beside us.)
 * Source    PROTOCOL-HTTP2.md: Binary-Header; RFC 4648 4
 */
#pragma once

#include "base/buf.h"

/* Appends the text of `bytes`. */
void binary_write(struct str bytes, struct buf *ret_text);

/* Appends the bytes of `text`. False: not base64; a part may have been appended. */
bool binary_read(struct str text, struct buf *ret_bytes);
