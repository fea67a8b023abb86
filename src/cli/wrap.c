#include "cli/wrap.h"

static void spaces(struct buf *b, size_t n)
{
	while (n--)
		buf_char(b, ' ');
}

/* Puts the words of `text` behind `*at` columns; a new line begins at `indent`. */
static void add_words(struct buf *b, size_t *at, size_t indent, struct str text)
{
	while (text.n) {
		struct str word = str_cut(&text, ' ');

		if (!word.n)
			continue;
		if (*at > indent && *at + 1 + word.n > WRAP_WIDTH) {
			buf_char(b, '\n');
			spaces(b, indent);
			*at = indent;
		}
		if (*at > indent) {
			buf_char(b, ' ');
			++*at;
		}
		buf_str(b, word);
		*at += word.n;
	}
}

void wrap_column(struct buf *b, size_t begin, size_t column, struct str text)
{
	size_t at = b->n - begin;

	if (at + 2 > column) {
		buf_char(b, '\n');
		at = 0;
	}
	spaces(b, column - at);
	at = column;
	add_words(b, &at, column, text);
	buf_char(b, '\n');
}

void wrap_text(struct buf *b, struct str text)
{
	size_t at = 0;

	while (text.n) {
		struct str line = str_cut(&text, '\n');
		bool verbatim = line.n && line.p[0] == ' ';

		if (at && (!line.n || verbatim))
			buf_char(b, '\n');
		if (!line.n || verbatim) {
			buf_str(b, line);
			buf_char(b, '\n');
			at = 0;
			continue;
		}
		add_words(b, &at, 0, line);
	}
	if (at)
		buf_char(b, '\n');
}
