#include "sync/selector_syntax.h"

#define LABEL_MAX  63
#define PREFIX_MAX 253

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static enum token_type one_byte(char c)
{
	switch (c) {
	case '!':
		return TOKEN_NOT;
	case '=':
		return TOKEN_EQUAL;
	case '>':
		return TOKEN_GREATER;
	case '<':
		return TOKEN_LESS;
	case ',':
		return TOKEN_COMMA;
	case '(':
		return TOKEN_OPEN;
	default:
		return TOKEN_CLOSE;
	}
}

static size_t read_special(struct token_reader *r)
{
	r->type = one_byte(r->rest.p[0]);
	if (r->rest.n < 2 || r->rest.p[1] != '=' || (r->type != TOKEN_NOT && r->type != TOKEN_EQUAL))
		return 1;
	if (r->type == TOKEN_NOT)
		r->type = TOKEN_UNEQUAL;
	return 2;
}

static size_t read_word(struct token_reader *r)
{
	size_t n = 0;

	while (n < r->rest.n && !is_space(r->rest.p[n]) && !is_special(r->rest.p[n]))
		n++;
	r->text = str_sub(r->rest, 0, n);
	r->type = str_is(r->text, "in") ? TOKEN_IN : str_is(r->text, "notin") ? TOKEN_NOT_IN : TOKEN_WORD;
	return n;
}

void token_next(struct token_reader *r)
{
	size_t n;

	while (r->rest.n && is_space(r->rest.p[0]))
		r->rest = str_sub(r->rest, 1, r->rest.n);
	r->began = r->all.n - r->rest.n;
	r->text = (struct str){ 0 };
	r->type = TOKEN_END;
	if (r->rest.n == 0)
		return;
	n = is_special(r->rest.p[0]) ? read_special(r) : read_word(r);
	r->rest = str_sub(r->rest, n, r->rest.n);
}

bool token_is_word(enum token_type type)
{
	return type == TOKEN_WORD || type == TOKEN_IN || type == TOKEN_NOT_IN;
}

static bool is_alnum(char c, bool upper)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z');
}

/* Letters and digits at both ends, and in between those or one of `others`. */
static bool is_name(struct str s, size_t max, bool upper, const char *others)
{
	if (s.n == 0 || s.n > max || !is_alnum(s.p[0], upper) || !is_alnum(s.p[s.n - 1], upper))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i], upper) && str_find(str_of(others), s.p[i]) == strlen(others))
			return false;
	return true;
}

static bool is_subdomain(struct str s)
{
	if (s.n == 0 || s.n > PREFIX_MAX || s.p[s.n - 1] == '.')
		return false;
	while (s.n)
		if (!is_name(str_cut(&s, '.'), PREFIX_MAX, /* upper= */ false, "-"))
			return false;
	return true;
}

bool label_key_ok(struct str key)
{
	size_t slash = str_find(key, '/');

	if (slash < key.n && !is_subdomain(str_sub(key, 0, slash)))
		return false;
	return is_name(slash < key.n ? str_sub(key, slash + 1, key.n) : key, LABEL_MAX, /* upper= */ true, "-_.");
}

bool label_value_ok(struct str value)
{
	return value.n == 0 || is_name(value, LABEL_MAX, /* upper= */ true, "-_.");
}

bool label_number(struct str value, int64_t *ret_number)
{
	bool negative = value.n && value.p[0] == '-';
	uint64_t number;

	if (!str_to_u64(str_sub(value, negative, value.n), INT64_MAX, &number))
		return false;
	*ret_number = negative ? -(int64_t)number : (int64_t)number;
	return true;
}
