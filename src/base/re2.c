#include "base/re2_impl.h"

enum err re2_refuse(const struct walk *w, const char *what)
{
	return why_set(w->why, E_MALFORMED, "the regular expression is not valid at byte %zu: %s", w->at + 1, what);
}

static void open_group(struct walk *w)
{
	w->outer[w->groups++] = w->multiline;
}

static void begin_group(struct walk *w)
{
	open_group(w);
	buf_str(w->out, w->captures ? STR("(") : STR("(?:"));
}

/* (?P<name> and (?<name>; nobody asks for a group by its name. */
static enum err copy_named_group(struct walk *w)
{
	size_t n = peek(w, 2) == 'P' ? 4 : 3, from = n;

	while (is_alnum(peek(w, n)) || peek(w, n) == '_')
		n++;
	if (n == from || peek(w, n) != '>')
		return re2_refuse(w, "a group's name was expected");
	begin_group(w);
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
		return re2_refuse(w, "there is no such group: neither look-around nor atomic groups nor conditions");
	buf_add(w->out, w->pattern.p + w->at, n + 1);
	w->at += n + 1;
	return E_OK;
}

static enum err copy_group(struct walk *w)
{
	if (peek(w, 1) == '*') /* to PCRE2 a verb */
		return re2_refuse(w, "a group begins with a repetition");
	if (peek(w, 1) != '?') {
		begin_group(w);
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
		else if (*bound <= RE2_REPEAT_MAX)
			*bound = *bound * 10 + (unsigned)(peek(w, n) - '0');
	}
	if (bound == ret_from || !is_digit(peek(w, n - 1)))
		*ret_to = *ret_from;
	return peek(w, n) == '}' ? n + 1 : 0;
}

/* x+, or xx*, which means the same. */
static void copy_plus(struct walk *w)
{
	size_t n = w->captures || w->atom == NO_ATOM ? 0 : w->out->n - w->atom;
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
		return re2_refuse(w, "a repetition of a repetition");
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
		re2_copy_literal(w);
		w->repeated = false;
		return E_OK;
	}
	if (from > RE2_REPEAT_MAX || to > RE2_REPEAT_MAX || to < from)
		return re2_refuse(w, "at most 1000 times, and not fewer at most than at least");
	return copy_repetition(w, n);
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
		return re2_copy_character(w);
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
		re2_copy_literal(w);
	}
	return E_OK;
}

enum err re2_translate(struct str pattern, bool captures, struct buf *ret_pattern, struct why *why)
{
	struct walk w = { .pattern = pattern, .out = ret_pattern, .why = why, .captures = captures, .atom = NO_ATOM };
	enum err err = E_OK;

	if (pattern.n > RE2_MAX)
		return why_set(why, E_LIMIT, "the regular expression is longer than %d bytes", RE2_MAX);
	if (!str_is_utf8(pattern))
		return why_set(why, E_MALFORMED, "the regular expression is not UTF-8");
	while (err == E_OK && !at_end(&w))
		err = copy_one(&w);
	return err;
}
