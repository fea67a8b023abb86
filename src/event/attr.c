#include "event/attr.h"

#include "base/base64.h"
#include "base/hex.h"

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* The code point of the sequence at the front of well-formed UTF-8. */
static unsigned code_point(const unsigned char *p)
{
	if (p[0] < 0x80)
		return p[0];
	if (p[0] < 0xe0)
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	if (p[0] < 0xf0)
		return (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

static bool may_stand(unsigned code)
{
	bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
	bool noncharacter = (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);

	return !control && !noncharacter;
}

bool attr_is_string(struct str s)
{
	if (is_visible(s))
		return true;
	if (!str_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool continues = (s.p[i] & 0xc0) == 0x80;

		if (!continues && !may_stand(code_point((const unsigned char *)s.p + i)))
			return false;
	}
	return true;
}

static bool is_boolean(struct str s)
{
	return str_is(s, "true") || str_is(s, "false");
}

/* Decimal without leading zeros or '+', in 32 bits. */
static bool is_integer(struct str s)
{
	bool minus = s.n && s.p[0] == '-';
	struct str digits = str_sub(s, minus, s.n);
	uint64_t value;

	if (digits.n && digits.p[0] == '0')
		return digits.n == 1 && !minus;
	return str_to_u64(digits, (uint64_t)INT32_MAX + minus, &value);
}

/* The characters of RFC 3986, whole escapes, one '#' at most. */
static bool has_uri_characters(struct str s)
{
	size_t fragments = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%' && !(s.n - i > 2 && hex_value(s.p[i + 1]) >= 0 && hex_value(s.p[i + 2]) >= 0))
			return false;
		if (!is_alpha(c) && !is_digit(c) && !is_one_of(c, "%-._~:/?#[]@!$&'()*+,;="))
			return false;
		fragments += c == '#';
	}
	return fragments <= 1;
}

static bool is_scheme(struct str s)
{
	if (s.n == 0 || !is_alpha(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && !is_one_of(s.p[i], "+-."))
			return false;
	return true;
}

/* What stands before a ':' in the first path segment; false when there is none. */
static bool take_scheme(struct str s, struct str *ret_scheme)
{
	for (size_t i = 0; i < s.n && !is_one_of(s.p[i], "/?#"); i++) {
		if (s.p[i] == ':') {
			*ret_scheme = str_sub(s, 0, i);
			return true;
		}
	}
	return false;
}

/* Absolute: with a scheme. */
static bool is_uri(struct str s)
{
	struct str scheme;

	return has_uri_characters(s) && take_scheme(s, &scheme) && is_scheme(scheme);
}

bool attr_is_uri_reference(struct str s)
{
	struct str scheme;

	return has_uri_characters(s) && (!take_scheme(s, &scheme) || is_scheme(scheme));
}

/* Two digits at the front, from min to max. */
static bool take_two(struct str *s, unsigned min, unsigned max, unsigned *ret_value)
{
	uint64_t value;

	if (s->n < 2 || !str_to_u64(str_sub(*s, 0, 2), max, &value) || value < min)
		return false;
	*s = str_sub(*s, 2, s->n);
	*ret_value = (unsigned)value;
	return true;
}

static bool take_one_of(struct str *s, const char *set)
{
	if (s->n == 0 || !is_one_of(s->p[0], set))
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static bool take_date(struct str *s)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned century, year, month, day;
	bool leap;

	if (!take_two(s, 0, 99, &century) || !take_two(s, 0, 99, &year) || !take_one_of(s, "-") ||
	    !take_two(s, 1, 12, &month) || !take_one_of(s, "-") || !take_two(s, 1, 31, &day))
		return false;
	leap = year ? year % 4 == 0 : century % 4 == 0;
	return day <= days[month - 1] + (unsigned)(month == 2 && leap);
}

/* Second 60 is a leap second. */
static bool take_clock(struct str *s)
{
	unsigned ignored;

	if (!take_two(s, 0, 23, &ignored) || !take_one_of(s, ":") || !take_two(s, 0, 59, &ignored) ||
	    !take_one_of(s, ":") || !take_two(s, 0, 60, &ignored))
		return false;
	if (!take_one_of(s, "."))
		return true;
	if (!take_one_of(s, "0123456789"))
		return false;
	while (take_one_of(s, "0123456789"))
		;
	return true;
}

static bool take_offset(struct str *s)
{
	unsigned ignored;

	if (take_one_of(s, "Zz"))
		return true;
	return take_one_of(s, "+-") && take_two(s, 0, 23, &ignored) && take_one_of(s, ":") &&
	       take_two(s, 0, 59, &ignored);
}

bool attr_is_time(struct str s)
{
	return take_date(&s) && take_one_of(&s, "Tt") && take_clock(&s) && take_offset(&s) && s.n == 0;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && !is_one_of(s.p[i], "!#$%&'*+-.^_`|~"))
			return false;
	return s.n > 0;
}

bool attr_is_media_type(struct str s)
{
	struct str rest = s, full = str_trim(str_cut(&rest, ';'));
	struct str type = str_cut(&full, '/');

	return is_token(type) && is_token(full) && is_visible(rest);
}

const char *attr_problem(enum event_attr_type type, struct str text)
{
	static const struct {
		bool (*holds)(struct str text);
		const char *problem;
	} rules[] = {
		[EVENT_ATTR_STRING] = { attr_is_string,
					"has a control character, a noncharacter or bytes that are not UTF-8" },
		[EVENT_ATTR_BOOLEAN] = { is_boolean, "is not true or false" },
		[EVENT_ATTR_INTEGER] = { is_integer, "is not a whole number of 32 bits" },
		[EVENT_ATTR_BINARY] = { base64_ok, "is not base64 (RFC 4648 section 4)" },
		[EVENT_ATTR_URI] = { is_uri, "is not an absolute URI (RFC 3986)" },
		[EVENT_ATTR_URI_REF] = { attr_is_uri_reference, "is not a URI reference (RFC 3986); percent-encode "
								"what may not stand in one" },
		[EVENT_ATTR_TIMESTAMP] = { attr_is_time, "is not an RFC 3339 time" },
	};

	return rules[type].holds(text) ? NULL : rules[type].problem;
}
