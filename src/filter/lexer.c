#include "filter/lexer.h"

#include "base/hex.h"
#include "filter/rune.h"

/* Longest first. */
static const char *const signs[] = { "&&", "||", "==", "!=", "<=", ">=", "..", "**", "??", "?.", "(",
				     ")",  "[",  "]",  "{",  "}",  ",",  ":",  ";",  "%",  "+",  "-",
				     "^",  "/",  "*",  "<",  ">",  "!",  "=",  "?",  ".",  "#",  "|" };

static struct str rest_of(const struct lexer *l)
{
	return str_sub(l->text, l->at, l->text.n);
}

static char byte_at(const struct lexer *l, size_t at)
{
	return at < l->text.n ? l->text.p[at] : '\0';
}

/* ---- white space and comments ------------------------------------------------------------------------------------- */

static size_t find(struct str s, size_t from, const char *what)
{
	const char *found = from < s.n ? memmem(s.p + from, s.n - from, what, strlen(what)) : NULL;

	return found ? (size_t)(found - s.p) : s.n;
}

static enum err skip_comment(struct lexer *l, struct why *why)
{
	size_t end;

	if (byte_at(l, l->at + 1) == '/') {
		l->at = find(l->text, l->at, "\n");
		return E_OK;
	}
	end = find(l->text, l->at + 2, "*/");
	if (end == l->text.n)
		return why_set(why, E_MALFORMED, "the comment has no end");
	l->at = end + 2;
	return E_OK;
}

static bool at_comment(const struct lexer *l)
{
	return byte_at(l, l->at) == '/' && (byte_at(l, l->at + 1) == '/' || byte_at(l, l->at + 1) == '*');
}

static enum err skip_space(struct lexer *l, struct why *why)
{
	enum err err = E_OK;
	size_t n;

	while (l->at < l->text.n && err == E_OK) {
		if (at_comment(l))
			err = skip_comment(l, why);
		else if (rune_is_space(rune_read(rest_of(l), &n)))
			l->at += n;
		else
			break;
	}
	return err;
}

/* ---- names and numbers --------------------------------------------------------------------------------------------- */

static bool begins_name(const struct lexer *l, uint32_t c)
{
	return c == '_' || c == '$' || rune_is_letter(c) || (c == '@' && l->json_path);
}

static bool in_name(uint32_t c)
{
	return c == '_' || c == '$' || rune_is_letter(c) || rune_is_digit(c);
}

static void skip_name(struct lexer *l)
{
	size_t n;

	while (l->at < l->text.n && in_name(rune_read(rest_of(l), &n)))
		l->at += n;
}

static void skip_digits(struct lexer *l)
{
	while (rune_is_digit((unsigned char)byte_at(l, l->at)) || byte_at(l, l->at) == '_')
		l->at++;
}

static void skip_exponent(struct lexer *l)
{
	if ((byte_at(l, l->at) | 0x20) != 'e')
		return;
	l->at++;
	if (byte_at(l, l->at) == '+' || byte_at(l, l->at) == '-')
		l->at++;
	skip_digits(l);
}

/* `1..3` is a range of two numbers; what follows a number must not be part of a name: the parser judges the rest. */
static enum err read_number(struct lexer *l, struct token *t, struct why *why)
{
	if (byte_at(l, l->at) == '0' && (byte_at(l, l->at + 1) | 0x20) == 'x') {
		skip_name(l);
	} else {
		skip_digits(l);
		if (byte_at(l, l->at) == '.' && byte_at(l, l->at + 1) != '.') {
			l->at++;
			skip_digits(l);
		}
		skip_exponent(l);
	}
	t->kind = TOKEN_NUMBER;
	t->text = str_sub(l->text, t->at, l->at - t->at);
	skip_name(l);
	if (l->at != t->at + t->text.n) {
		l->at = t->at;
		return why_set(why, E_MALFORMED, "a name cannot begin with a digit");
	}
	return E_OK;
}

/* ---- strings --------------------------------------------------------------------------------------------------------- */

/* `n` digits of `base` at l->at, as a character. */
static bool read_code(struct lexer *l, size_t n, int base, uint32_t *ret_rune)
{
	uint32_t rune = 0;

	for (size_t i = 0; i < n; i++, l->at++) {
		int digit = hex_value(byte_at(l, l->at));

		if (digit < 0 || digit >= base)
			return false;
		rune = rune * (uint32_t)base + (uint32_t)digit;
	}
	*ret_rune = rune;
	return rune <= 0x10ffff;
}

static bool read_escape(struct lexer *l, uint32_t *ret_rune)
{
	static const char from[] = "abfnrtv\\'\"`?", to[] = "\a\b\f\n\r\t\v\\'\"`?";
	char c = byte_at(l, l->at);
	const char *found = c ? strchr(from, c) : NULL;

	if (found) {
		l->at++;
		*ret_rune = (unsigned char)to[found - from];
		return true;
	}
	if (c >= '0' && c <= '3')
		return read_code(l, 3, 8, ret_rune);
	l->at++;
	return c == 'x' || c == 'X' ? read_code(l, 2, 16, ret_rune)
	       : c == 'u'           ? read_code(l, 4, 16, ret_rune)
	       : c == 'U'           ? read_code(l, 8, 16, ret_rune)
				    : false;
}

static enum err read_string_rune(struct lexer *l, uint32_t *ret_rune, struct why *why)
{
	size_t from = l->at, n;

	if (byte_at(l, l->at) != '\\') {
		*ret_rune = rune_read(rest_of(l), &n);
		l->at += n;
		return E_OK;
	}
	l->at++;
	if (read_escape(l, ret_rune))
		return E_OK;
	l->at = from;
	return why_set(why, E_MALFORMED, "no escape of this language: write \\\\ for a backslash");
}

/* Bytes up to the quote that ends the string: what it says is never longer. */
static size_t room_of(const struct lexer *l, char quote)
{
	size_t i = l->at;

	while (i < l->text.n && l->text.p[i] != quote)
		i += l->text.p[i] == '\\' ? 2 : 1;
	return i - l->at;
}

static enum err read_string(struct lexer *l, struct token *t, struct why *why)
{
	char quote = byte_at(l, l->at++);
	char *text = pool_alloc(l->pool, room_of(l, quote));
	size_t n = 0;
	uint32_t rune = 0;
	enum err err;

	if (!text)
		return why_set(why, l->pool->err, "the expression");
	while (byte_at(l, l->at) != quote) {
		if (l->at >= l->text.n || byte_at(l, l->at) == '\n') {
			l->at = t->at;
			return why_set(why, E_MALFORMED, "the string has no end");
		}
		err = read_string_rune(l, &rune, why);
		if (err != E_OK)
			return err;
		n += rune_write(rune, text + n);
	}
	l->at++;
	t->kind = TOKEN_STRING;
	t->text = (struct str){ text, n };
	return E_OK;
}

/* ---- the token ------------------------------------------------------------------------------------------------------- */

static enum err read_sign(struct lexer *l, struct token *t, struct why *why)
{
	struct str rest = rest_of(l);
	size_t n;

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (!str_starts(rest, str_of(signs[i])))
			continue;
		t->kind = TOKEN_SIGN;
		t->text = str_of(signs[i]);
		l->at += t->text.n;
		return E_OK;
	}
	(void)rune_read(rest, &n);
	return why_set(why, E_MALFORMED, "'%.*s' means nothing here", (int)n, rest.p);
}

enum err lexer_next(struct lexer *l, struct token *ret_token, struct why *why)
{
	enum err err = skip_space(l, why);
	struct token t = { .kind = TOKEN_END, .at = l->at };
	size_t n;
	char c = byte_at(l, l->at);

	if (err != E_OK)
		return err;
	if (l->at >= l->text.n)
		err = E_OK;
	else if (c == '"' || c == '\'')
		err = read_string(l, &t, why);
	else if (rune_is_digit((unsigned char)c) || (c == '.' && rune_is_digit((unsigned char)byte_at(l, l->at + 1))))
		err = read_number(l, &t, why);
	else if (begins_name(l, rune_read(rest_of(l), &n))) {
		l->at += n;
		skip_name(l);
		t.kind = TOKEN_NAME;
		t.text = str_sub(l->text, t.at, l->at - t.at);
	} else {
		err = read_sign(l, &t, why);
	}
	if (err == E_OK)
		*ret_token = t;
	return err;
}
