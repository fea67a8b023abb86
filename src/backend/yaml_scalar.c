#include "backend/object_yaml.h"
#include "base/hex.h"
#include "base/mem.h"

#define INT_MAX_TEXT 80 /* digits, underscores and all */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t digits(struct str s, size_t at)
{
	size_t from = at;

	while (at < s.n && is_digit(s.p[at]))
		at++;
	return at - from;
}

/* [eE][-+]?[0-9]+ or nothing, up to the end. */
static bool ends_with_exponent(struct str s, size_t at)
{
	size_t n;

	if (at == s.n)
		return true;
	if (s.p[at] != 'e' && s.p[at] != 'E')
		return false;
	at++;
	if (at < s.n && (s.p[at] == '+' || s.p[at] == '-'))
		at++;
	n = digits(s, at);
	return n > 0 && at + n == s.n;
}

bool yaml_is_json_number(struct str s)
{
	size_t at = s.n > 0 && s.p[0] == '-';
	size_t n = digits(s, at);

	if (n == 0 || (n > 1 && s.p[at] == '0'))
		return false;
	at += n;
	if (at < s.n && s.p[at] == '.') {
		n = digits(s, at + 1);
		if (n == 0)
			return false;
		at += 1 + n;
	}
	return ends_with_exponent(s, at);
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(struct str s)
{
	size_t at = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
	size_t before = digits(s, at);
	size_t after = 0;

	at += before;
	if (at < s.n && s.p[at] == '.') {
		after = digits(s, at + 1);
		at += 1 + after;
	}
	return before + after > 0 && ends_with_exponent(s, at);
}

/* 0x, 0b, 0o, or 0 for octal; cuts the prefix off. */
static int base_of(struct str *s)
{
	char second = s->n > 1 && s->p[0] == '0' ? s->p[1] : '\0';
	int base = second == 'x' || second == 'X'   ? 16
		   : second == 'b' || second == 'B' ? 2
		   : second == 'o' || second == 'O' ? 8
						    : 0;

	if (base) {
		*s = str_sub(*s, 2, s->n);
		return base;
	}
	if (second) {
		*s = str_sub(*s, 1, s->n);
		return 8;
	}
	return 10;
}

static bool parse_int(struct str s, int64_t *ret_int)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	uint64_t value = 0;
	int base;

	if (negative || (s.n > 0 && s.p[0] == '+'))
		s = str_sub(s, 1, s.n);
	base = base_of(&s);
	for (size_t i = 0; i < s.n; i++) {
		int d = hex_value(s.p[i]);

		if (d < 0 || d >= base || value > (limit - (uint64_t)d) / (uint64_t)base)
			return false;
		value = value * (uint64_t)base + (uint64_t)d;
	}
	*ret_int = negative ? (int64_t)(0 - value) : (int64_t)value;
	return s.n > 0;
}

static bool without_underscores(struct str s, char ret_text[static INT_MAX_TEXT], struct str *ret_s)
{
	size_t n = 0;

	if (s.n > INT_MAX_TEXT)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '_')
			ret_text[n++] = s.p[i];
	*ret_s = (struct str){ ret_text, n };
	return true;
}

static enum yaml_meaning number_meaning(struct str s, int64_t *ret_int)
{
	char text[INT_MAX_TEXT];
	struct str plain;

	if (yaml_is_json_number(s))
		return YAML_NUMBER;
	if (without_underscores(s, text, &plain) && parse_int(plain, ret_int))
		return YAML_INT;
	return is_float(s) ? YAML_NUMBER : YAML_STRING;
}

enum yaml_meaning yaml_meaning(struct str text, int64_t *ret_int)
{
	static const struct {
		const char *word;
		enum yaml_meaning meaning;
	} words[] = {
		{ "", YAML_NULL },           { "~", YAML_NULL },          { "null", YAML_NULL },
		{ "Null", YAML_NULL },       { "NULL", YAML_NULL },       { "true", YAML_TRUE },
		{ "True", YAML_TRUE },       { "TRUE", YAML_TRUE },       { "y", YAML_TRUE },
		{ "Y", YAML_TRUE },          { "yes", YAML_TRUE },        { "Yes", YAML_TRUE },
		{ "YES", YAML_TRUE },        { "on", YAML_TRUE },         { "On", YAML_TRUE },
		{ "ON", YAML_TRUE },         { "false", YAML_FALSE },     { "False", YAML_FALSE },
		{ "FALSE", YAML_FALSE },     { "n", YAML_FALSE },         { "N", YAML_FALSE },
		{ "no", YAML_FALSE },        { "No", YAML_FALSE },        { "NO", YAML_FALSE },
		{ "off", YAML_FALSE },       { "Off", YAML_FALSE },       { "OFF", YAML_FALSE },
		{ ".inf", YAML_NO_NUMBER },  { ".Inf", YAML_NO_NUMBER },  { ".INF", YAML_NO_NUMBER },
		{ "+.inf", YAML_NO_NUMBER }, { "+.Inf", YAML_NO_NUMBER }, { "+.INF", YAML_NO_NUMBER },
		{ "-.inf", YAML_NO_NUMBER }, { "-.Inf", YAML_NO_NUMBER }, { "-.INF", YAML_NO_NUMBER },
		{ ".nan", YAML_NO_NUMBER },  { ".NaN", YAML_NO_NUMBER },  { ".NAN", YAML_NO_NUMBER },
	};

	if (text.n <= 5)
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (str_is(text, words[i].word))
				return words[i].meaning;
	if (text.p[0] != '.' && text.p[0] != '+' && text.p[0] != '-' && !is_digit(text.p[0]))
		return YAML_STRING;
	return number_meaning(text, ret_int);
}
