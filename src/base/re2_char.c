#include "base/re2_impl.h"

#include <stdio.h>

#include "base/hex.h"

/* White space of \s: PCRE2 counts the vertical tab, too. */
#define SPACES "\\t\\n\\f\\r "
#define VTAB   "\\x{0b}"

void re2_copy_literal(struct walk *w)
{
	size_t n = 1;
	char c = peek(w, 0);

	w->atom = w->out->n;
	while ((peek(w, n) & 0xc0) == 0x80) /* the other bytes of a character */
		n++;
	if (n == 1 && !is_alnum(c) && c > ' ' && (unsigned char)c < 0x7f)
		buf_char(w->out, '\\');
	if (n == 1 && (c <= ' ' || c == 0x7f))
		buf_addf(w->out, "\\x{%02x}", (unsigned char)c);
	else
		buf_add(w->out, w->pattern.p + w->at, n);
	w->at += n;
}

/* Up to `most` digits of `base`, at least `least`; false: no code of a character. */
static bool read_code(struct walk *w, int base, unsigned least, unsigned most, unsigned *ret_code)
{
	unsigned n = 0, code = 0;

	for (; n < most && hex_value(peek(w, 0)) >= 0 && hex_value(peek(w, 0)) < base && code <= 0x10ffff; n++, w->at++)
		code = code * (unsigned)base + (unsigned)hex_value(peek(w, 0));
	*ret_code = code;
	return n >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static enum err copy_code(struct walk *w, char first)
{
	bool braces = first == 'x' && peek(w, 0) == '{', ok;
	unsigned code = 0;

	if (braces) {
		w->at++;
		ok = read_code(w, 16, 1, 8, &code) && peek(w, 0) == '}';
		w->at += ok;
	} else if (first == 'x') {
		ok = read_code(w, 16, 2, 2, &code);
	} else {
		w->at--;
		ok = read_code(w, 8, 1, 3, &code);
	}
	if (!ok)
		return re2_refuse(w, "the code of a character was expected");
	buf_addf(w->out, "\\x{%x}", code);
	return E_OK;
}

/* \pL, \p{Greek}, \PN: PCRE2 judges the name. */
static enum err copy_property(struct walk *w, char first)
{
	size_t n = 1;

	if (peek(w, 0) == '{')
		while (n <= 40 && w->at + n < w->pattern.n && peek(w, n - 1) != '}')
			n++;
	if (at_end(w) || (peek(w, 0) == '{' ? peek(w, n - 1) != '}' : !is_alnum(peek(w, 0))))
		return re2_refuse(w, "the name of a class was expected");
	buf_addf(w->out, "\\%c", first);
	buf_add(w->out, w->pattern.p + w->at, n);
	w->at += n;
	return E_OK;
}

/* \s and \S, and a class around them unless they stand in one. */
static void copy_space(struct walk *w, bool in_class, bool not )
{
	if (in_class)
		buf_str(w->out, not ? STR("\\S" VTAB) : STR(SPACES));
	else
		buf_str(w->out, not ? STR("[^" SPACES "]") : STR("[" SPACES "]"));
}

static enum err copy_word_escape(struct walk *w, char c, bool in_class)
{
	if (c == 's' || c == 'S')
		copy_space(w, in_class, c == 'S');
	else if (c == 'v')
		buf_lit(w->out, VTAB);
	else if (strchr("dDwWafnrt", c) || (!in_class && strchr("AzbB", c)))
		buf_addf(w->out, "\\%c", c);
	else if (c == 'p' || c == 'P')
		return copy_property(w, c);
	else if (c == 'x' || c == '0' || (c >= '1' && c <= '7' && peek(w, 0) >= '0' && peek(w, 0) <= '7'))
		return copy_code(w, c);
	else
		return re2_refuse(w, is_digit(c) ? "there are no back references" : "there is no such escape");
	return E_OK;
}

/* \Q...\E */
static void copy_quoted(struct walk *w)
{
	while (!at_end(w) && !(peek(w, 0) == '\\' && peek(w, 1) == 'E'))
		re2_copy_literal(w);
	w->at = at_end(w) ? w->at : w->at + 2;
}

static enum err copy_escape(struct walk *w, bool in_class)
{
	char c = peek(w, 1);

	if (w->at + 1 >= w->pattern.n)
		return re2_refuse(w, "a backslash ends it");
	w->at++;
	if ((unsigned char)c < 0x80 && !is_alnum(c)) {
		re2_copy_literal(w);
		return E_OK;
	}
	if ((unsigned char)c >= 0x80)
		return re2_refuse(w, "there is no such escape");
	w->at++;
	if (c != 'Q' || in_class)
		return copy_word_escape(w, c, in_class);
	copy_quoted(w);
	return E_OK;
}

/* ---- classes ---------------------------------------------------------------------------------------------------------------------- */

/* [:alpha:] and [:^alpha:] inside a class; false: it is none. */
static bool copy_named(struct walk *w)
{
	static const char *const names[] = { "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
					     "lower", "print", "punct", "space", "upper", "word",  "xdigit" };
	struct str rest = str_sub(w->pattern, w->at, w->pattern.n);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (int not = 0; not < 2; not ++) {
			char text[16];
			int n = snprintf(text, sizeof(text), "[:%s%s:]", not ? "^" : "", names[i]);

			if (!str_starts(rest, (struct str){ text, (size_t)n }))
				continue;
			buf_add(w->out, text, (size_t)n);
			w->at += (size_t)n;
			return true;
		}
	}
	return false;
}

static enum err copy_class(struct walk *w)
{
	bool first = true;

	buf_char(w->out, '[');
	w->at++;
	if (peek(w, 0) == '^') {
		buf_char(w->out, '^');
		w->at++;
	}
	for (; !at_end(w) && (first || peek(w, 0) != ']'); first = false) {
		enum err err = E_OK;

		if (peek(w, 0) == '\\')
			err = copy_escape(w, /* in_class= */ true);
		else if (peek(w, 0) == '-' && !first && peek(w, 1) != ']')
			buf_char(w->out, w->pattern.p[w->at++]);
		else if (peek(w, 0) != '[' || peek(w, 1) != ':' || !copy_named(w))
			re2_copy_literal(w);
		if (err != E_OK)
			return err;
	}
	if (at_end(w))
		return re2_refuse(w, "the class has no ]");
	buf_char(w->out, ']');
	w->at++;
	return E_OK;
}

enum err re2_copy_character(struct walk *w)
{
	size_t from = w->out->n;
	bool quoted = peek(w, 0) == '\\' && peek(w, 1) == 'Q',
	     place = peek(w, 0) == '\\' && peek(w, 1) && strchr("AzbB", peek(w, 1));
	enum err err = E_OK;

	if (peek(w, 0) == '\\')
		err = copy_escape(w, /* in_class= */ false);
	else if (peek(w, 0) == '[')
		err = copy_class(w);
	else
		buf_char(w->out, w->pattern.p[w->at++]);
	if (!quoted)
		w->atom = place ? NO_ATOM : from;
	return err;
}
