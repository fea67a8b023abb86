#include "wire/go_string.h"

#define REPLACEMENT 0xfffd

bool go_string_is_plain(struct str raw)
{
	return !memchr(raw.p, '\\', raw.n) && str_is_utf8(raw);
}

static void add_code_point(unsigned code, struct buf *b)
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	char text[4];

	for (size_t i = n; i-- > 1; code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)(lead[n] | code);
	buf_add(b, text, n);
}

static unsigned hex_digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);
}

/* \uXXXX at the front, or over 0xffff: there is none. */
static unsigned hex_escape(struct str s)
{
	if (s.n < 6 || s.p[0] != '\\' || s.p[1] != 'u')
		return UINT32_MAX;
	return hex_digit(s.p[2]) << 12 | hex_digit(s.p[3]) << 8 | hex_digit(s.p[4]) << 4 | hex_digit(s.p[5]);
}

/* One or two \uXXXX; returns their length. */
static size_t decode_hex(struct str s, struct buf *b)
{
	unsigned high = hex_escape(s), low;

	if (high < 0xd800 || high > 0xdfff) {
		add_code_point(high, b);
		return 6;
	}
	low = hex_escape(str_sub(s, 6, s.n));
	if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) {
		add_code_point(REPLACEMENT, b);
		return 6;
	}
	add_code_point(0x10000 + ((high & 0x3ff) << 10 | (low & 0x3ff)), b);
	return 12;
}

static size_t decode_escape(struct str s, struct buf *b)
{
	static const char escapes[] = "b\bf\fn\nr\rt\t";

	if (s.p[1] == 'u')
		return decode_hex(s, b);
	for (const char *e = escapes; *e; e += 2) {
		if (s.p[1] == *e) {
			buf_char(b, e[1]);
			return 2;
		}
	}
	buf_char(b, s.p[1]);
	return 2;
}

/* The length of the UTF-8 sequence at the front; 0: none. */
static size_t sequence(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++)
		if (str_is_utf8(str_sub(s, 0, n)))
			return n;
	return 0;
}

static void add_repaired(struct str s, struct buf *b)
{
	if (str_is_utf8(s)) {
		buf_str(b, s);
		return;
	}
	while (s.n) {
		size_t n = sequence(s);

		if (n)
			buf_add(b, s.p, n);
		else
			add_code_point(REPLACEMENT, b);
		s = str_sub(s, n ? n : 1, s.n);
	}
}

void go_string_decode(struct str raw, struct buf *ret_text)
{
	struct str s = str_sub(raw, 1, raw.n - 2);

	while (s.n) {
		size_t plain = str_find(s, '\\');

		add_repaired(str_sub(s, 0, plain), ret_text);
		s = str_sub(s, plain, s.n);
		if (s.n)
			s = str_sub(s, decode_escape(s, ret_text), s.n);
	}
}
