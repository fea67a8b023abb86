#include "cli/rows.h"

#include "base/clock.h"
#include "store/row_json.h"

#define TEXT_COLUMNS 160 /* when standard output is not a terminal */
#define DATA_MIN     16
#define TIME_COLUMNS 24 /* 2024-05-01T12:00:00.123Z */

void row_position(struct buf *b, uint64_t pos)
{
	for (uint64_t edge = 10000000; edge > pos && edge > 1; edge /= 10)
		buf_char(b, ' ');
	buf_u64(b, pos);
	buf_lit(b, "  ");
}

void row_time(struct buf *b, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_MAX];
	size_t n = clock_rfc3339(wall_ms * 1000000, text);

	buf_add(b, text, n);
	for (; n < TIME_COLUMNS; n++)
		buf_char(b, ' ');
}

/* Bytes of the character at the front, or 0 when it is not UTF-8. */
static size_t utf8_length(struct str s)
{
	unsigned char first = (unsigned char)s.p[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	return n <= s.n && str_is_utf8(str_sub(s, 0, n)) ? n : 0;
}

/* The printable ASCII at the front, which is most of what comes. */
static size_t plain_length(struct str s, size_t max)
{
	size_t n = 0;

	while (n < s.n && n < max && s.p[n] >= ' ' && s.p[n] < 0x7f)
		n++;
	return n;
}

static bool is_control(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];

	if (c.n == 1)
		return first < ' ' || first == 0x7f;
	return c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0; /* U+0080 to U+009F: C1 controls */
}

/* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: what follows would stand in another order. */
static bool is_turning(struct str c)
{
	unsigned char second, third;

	if (c.n != 3 || (unsigned char)c.p[0] != 0xe2)
		return false;
	second = (unsigned char)c.p[1];
	third = (unsigned char)c.p[2];
	return second == 0x80 ? third == 0x8e || third == 0x8f || (third >= 0xaa && third <= 0xae)
			      : second == 0x81 && third >= 0xa6 && third <= 0xa9;
}

/* One character, or one byte of what is none, as an escape if need be. Returns its bytes. */
static size_t add_character(struct buf *b, struct str s, size_t *columns)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = utf8_length(s);
	unsigned char byte = (unsigned char)s.p[0];

	if (n && !is_control(str_sub(s, 0, n)) && !is_turning(str_sub(s, 0, n))) {
		buf_add(b, s.p, n);
		--*columns;
		return n;
	}
	buf_lit(b, "\\x");
	buf_char(b, hex[byte >> 4]);
	buf_char(b, hex[byte & 15]);
	*columns -= 4;
	return 1;
}

void row_printable(struct buf *b, struct str s, size_t columns)
{
	while (s.n && columns > 4) {
		size_t n = plain_length(s, columns - 4);

		if (n) {
			buf_add(b, s.p, n);
			columns -= n;
		} else {
			n = add_character(b, s, &columns);
		}
		s = str_sub(s, n, s.n);
	}
	if (s.n)
		buf_lit(b, "...");
}

static void row_text(struct out *out, const struct store_row *row)
{
	struct buf *b = &out->text;
	size_t begin = b->n, columns = out->columns ? out->columns : TEXT_COLUMNS, used;

	row_position(b, row->pos);
	row_time(b, row->stored_ms);
	buf_lit(b, "  ");
	row_printable(b, row->source, columns);
	buf_char(b, '/');
	row_printable(b, row->name, columns);
	buf_lit(b, "  ");
	row_printable(b, row->id, columns);
	buf_lit(b, "  ");
	used = b->n - begin;
	row_printable(b, row->data, used + DATA_MIN < columns ? columns - used : DATA_MIN);
}

bool row_print(struct out *out, enum row_form form, const struct store_row *row)
{
	switch (form) {
	case ROW_TEXT:
		row_text(out, row);
		break;
	case ROW_JSON:
		store_row_json(row, &out->text);
		break;
	case ROW_DATA:
		buf_str(&out->text, row->data);
		break;
	}
	buf_char(&out->text, '\n');
	return out_next(out);
}
