/*
 * wrap.h -- text for people in lines of at most 80 columns.
 */
#pragma once

#include "base/buf.h"

#define WRAP_WIDTH 80

/*
 * Finishes the line that begins at `begin` of `b`: `text` stands from `column` on, its words wrapped and indented; on a
 * line of its own when the left side is too wide. Ends with a line feed.
 */
void wrap_column(struct buf *b, size_t begin, size_t column, struct str text);

/* Paragraphs: single line feeds are spaces, two end a paragraph; lines that begin with a space stand as they are. */
void wrap_text(struct buf *b, struct str text);
