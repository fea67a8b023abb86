/*
 * rows.h -- a stored event on standard output.
 */
#pragma once

#include "cli/out.h"
#include "store/store.h"

enum row_form {
	ROW_TEXT, /* position, time, source/name, id and the start of the data, cut to the terminal */
	ROW_JSON, /* store_row_json() */
	ROW_DATA, /* the bytes of the data */
};

/* One line. False: stop, as out_next(). */
bool row_print(struct out *out, enum row_form form, const struct store_row *row);

/* Appends the position, eight columns wide, and two spaces. */
void row_position(struct buf *b, uint64_t pos);

/* Appends the time as RFC 3339, filled up with spaces so that columns stand below each other. */
void row_time(struct buf *b, int64_t wall_ms);

/* Appends `s` with control characters and what is not UTF-8 as escapes, at most `columns` wide: safe for a terminal. */
void row_printable(struct buf *b, struct str s, size_t columns);
