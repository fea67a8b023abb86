/*
 * percent.h -- the text of grpc-message.
 *
 * Shape     printable ASCII stays, '%' and everything else is %XX.
 * Source    PROTOCOL-HTTP2.md: Percent-Encoded; a reader takes what is not well-formed as it stands
 */
#pragma once

#include "base/buf.h"

/* Appends the coded form of `text`. */
void percent_write(struct str text, struct buf *ret_coded);

/* Appends the text of `coded`; a '%' without two hex digits stands for itself. Never longer than `coded`. */
void percent_read(struct str coded, struct buf *ret_text);
