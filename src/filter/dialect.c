#include "filter/dialect.h"

#include <stdio.h>

#include "filter/limits.h"
#include "filter/rune.h"

/* White space of \s: PCRE2 counts the vertical tab, too. */
#define SPACES  "\\t\\n\\f\\r "
#define NO_ATOM SIZE_MAX
#define VTAB    "\\x{0b}"

struct walk {
	struct str pattern;
	size_t at;
	struct buf *out;
	struct why *why;
	bool repeated; /* a repetition stands right before */
	size_t atom; /* where the one character or class right before begins in `out`; NO_ATOM: something else is there */
	bool multiline;                 /* (?m): ^ and $ are at each line, too */
	bool outer[FILTER_PATTERN_MAX]; /* what it was outside of each open group */
	size_t groups;
};

static enum err refuse(const struct walk *w, const char *what)
{
	return why_set(w->why, E_MALFORMED, "the regular expression is none at byte %zu: %s", w->at + 1, what);
}

static char peek(const struct walk *w, size_t ahead)
{
	return w->at + ahead < w->pattern.n ? w->pattern.p[w->at + ahead] : '\0';
}

static bool at_end(const struct walk *w)
{
	return w->at >= w->pattern.n;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* Copies a character that means itself. */
static void copy_literal(struct walk *w)
{
	size_t n;
	char c = peek(w, 0);

	w->atom = w->out->n;
	(void)rune_read(str_sub(w->pattern, w->at, w->pattern.n), &n);
	if (n == 1 && !is_alnum(c) && c > ' ' && (unsigned char)c < 0x7f)
		buf_char(w->out, '\\');
	if (n == 1 && (c <= ' ' || c == 0x7f))
		buf_addf(w->out, "\\x{%02x}", (unsigned char)c);
	else
		buf_add(w->out, w->pattern.p + w->at, n);
	w->at += n;
}

/* ---- escapes --------------------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to `most` digits of `base`, at least `least`; false: no code of a character. */
static bool read_code(struct walk *w, int base, unsigned least, unsigned most, unsigned *ret_code)
{
	unsigned n = 0, code = 0;

	for (; n < most && hex_digit(peek(w, 0)) >= 0 && hex_digit(peek(w, 0)) < base && code <= 0x10ffff; n++, w->at++)
		code = code * (unsigned)base + (unsigned)hex_digit(peek(w, 0));
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
		return refuse(w, "the code of a character was expected");
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
		return refuse(w, "the name of a class was expected");
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
		return refuse(w, is_digit(c) ? "there are no back references" : "there is no such escape");
	return E_OK;
}

/* \Q...\E */
static void copy_quoted(struct walk *w)
{
	while (!at_end(w) && !(peek(w, 0) == '\\' && peek(w, 1) == 'E'))
		copy_literal(w);
	w->at = at_end(w) ? w->at : w->at + 2;
}

static enum err copy_escape(struct walk *w, bool in_class)
{
	char c = peek(w, 1);

	if (w->at + 1 >= w->pattern.n)
		return refuse(w, "a backslash ends it");
	w->at++;
	if ((unsigned char)c < 0x80 && !is_alnum(c)) {
		copy_literal(w);
		return E_OK;
	}
	if ((unsigned char)c >= 0x80)
		return refuse(w, "there is no such escape");
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
			copy_literal(w);
		if (err != E_OK)
			return err;
	}
	if (at_end(w))
		return refuse(w, "the class has no ]");
	buf_char(w->out, ']');
	w->at++;
	return E_OK;
}

/* ---- groups and repetitions --------------------------------------------------------------------------------------------------------- */

static void open_group(struct walk *w)
{
	w->outer[w->groups++] = w->multiline;
}

/* (?P<name> and (?<name>; nobody asks for what a group matched. */
static enum err copy_named_group(struct walk *w)
{
	size_t n = peek(w, 2) == 'P' ? 4 : 3, from = n;

	while (is_alnum(peek(w, n)) || peek(w, n) == '_')
		n++;
	if (n == from || peek(w, n) != '>')
		return refuse(w, "a group's name was expected");
	open_group(w);
	buf_lit(w->out, "(?:");
	w->at += n + 1;
	return E_OK;
}

static void close_group(struct walk *w)
{
	if (w->groups)
		w->multiline = w->outer[--w->groups];
	buf_char(w->out, ')');
	w->at++;
}

/* (?i) and (?i-s: */
static enum err copy_flags(struct walk *w)
{
	bool multiline = w->multiline, on = true;
	size_t n = 2;

	for (; peek(w, n) && strchr("imsU-", peek(w, n)); n++) {
		if (peek(w, n) == '-')
			on = false;
		else if (peek(w, n) == 'm')
			multiline = on;
	}
	if (peek(w, n) == ':')
		open_group(w);
	w->multiline = multiline;
	if (peek(w, n) != ')' && peek(w, n) != ':')
		return refuse(w, "there is no such group: neither look-around nor atomic groups nor conditions");
	buf_add(w->out, w->pattern.p + w->at, n + 1);
	w->at += n + 1;
	return E_OK;
}

static enum err copy_group(struct walk *w)
{
	if (peek(w, 1) != '?') {
		open_group(w);
		buf_lit(w->out, "(?:");
		w->at++;
		return E_OK;
	}
	if ((peek(w, 2) == 'P' && peek(w, 3) == '<') || (peek(w, 2) == '<' && peek(w, 3) != '=' && peek(w, 3) != '!'))
		return copy_named_group(w);
	return copy_flags(w);
}

/* The length of {n}, {n,} or {n,m}, or 0. */
static size_t braces(const struct walk *w, unsigned *ret_from, unsigned *ret_to)
{
	size_t n = 1;
	unsigned *bound = ret_from;

	*ret_from = *ret_to = 0;
	if (!is_digit(peek(w, n)))
		return 0;
	for (; is_digit(peek(w, n)) || (peek(w, n) == ',' && bound == ret_from); n++) {
		if (peek(w, n) == ',')
			bound = ret_to;
		else if (*bound <= FILTER_REPEAT_MAX)
			*bound = *bound * 10 + (unsigned)(peek(w, n) - '0');
	}
	if (bound == ret_from || !is_digit(peek(w, n - 1)))
		*ret_to = *ret_from;
	return peek(w, n) == '}' ? n + 1 : 0;
}

/* The matcher counts how often x of x+ was there, so that each beginning is a place of its own; xx* means the same. */
static void copy_plus(struct walk *w)
{
	size_t n = w->atom == NO_ATOM ? 0 : w->out->n - w->atom;
	char *to = n ? buf_reserve(w->out, n) : NULL;

	if (to) {
		memcpy(to, w->out->p + w->atom, n);
		w->out->n += n;
	}
	buf_char(w->out, n ? '*' : '+');
}

static enum err copy_repetition(struct walk *w, size_t n)
{
	if (w->repeated)
		return refuse(w, "a repetition of a repetition");
	if (peek(w, 0) == '+')
		copy_plus(w);
	else
		buf_add(w->out, w->pattern.p + w->at, n);
	w->at += n;
	if (peek(w, 0) == '?') {
		buf_char(w->out, '?');
		w->at++;
	}
	w->repeated = true;
	return E_OK;
}

static enum err copy_braces(struct walk *w)
{
	unsigned from, to;
	size_t n = braces(w, &from, &to);

	if (n == 0) {
		copy_literal(w);
		w->repeated = false;
		return E_OK;
	}
	if (from > FILTER_REPEAT_MAX || to > FILTER_REPEAT_MAX || to < from)
		return refuse(w, "at most 1000 times, and not fewer at most than at least");
	return copy_repetition(w, n);
}

/* ---- the pattern -------------------------------------------------------------------------------------------------------------------- */

/* `.`, an escape or a class is one character, however it is written. */
static enum err copy_character(struct walk *w)
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

static enum err copy_one(struct walk *w)
{
	char c = peek(w, 0);

	if (c == '*' || c == '+' || c == '?')
		return copy_repetition(w, 1);
	if (c == '{')
		return copy_braces(w);
	w->repeated = false;
	w->atom = NO_ATOM;
	if (c == '\\' || c == '[' || c == '.')
		return copy_character(w);
	if (c == '(')
		return copy_group(w);
	if (c == ')') {
		close_group(w);
	} else if (c == '$' && !w->multiline) {
		buf_lit(w->out, "\\z"); /* PCRE2's also stands before a newline at the end */
		w->at++;
	} else if (c && strchr("^$|", c)) {
		buf_char(w->out, w->pattern.p[w->at++]);
	} else {
		copy_literal(w);
	}
	return E_OK;
}

enum err dialect_translate(struct str pattern, struct buf *ret_pattern, struct why *why)
{
	struct walk w = { .pattern = pattern, .out = ret_pattern, .why = why, .atom = NO_ATOM };
	enum err err = E_OK;

	if (pattern.n > FILTER_PATTERN_MAX)
		return why_set(why, E_LIMIT, "the regular expression is longer than %d bytes", FILTER_PATTERN_MAX);
	if (!str_is_utf8(pattern))
		return why_set(why, E_MALFORMED, "the regular expression is not UTF-8");
	while (err == E_OK && !at_end(&w))
		err = copy_one(&w);
	return err;
}
