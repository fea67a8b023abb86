#include "filter/rune.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

static locale_t utf8;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_locale(void)
{
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
}

static locale_t locale_now(void)
{
	(void)pthread_once(&once, open_locale);
	return utf8;
}

/* The length that a first byte promises; 0: it is none. */
static size_t length_of(unsigned char c)
{
	if (c < 0x80)
		return 1;
	return c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

uint32_t rune_read(struct str s, size_t *ret_n)
{
	static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t n = length_of((unsigned char)s.p[0]);
	uint32_t rune;

	*ret_n = 1;
	if (n == 1)
		return (unsigned char)s.p[0];
	if (n == 0 || n > s.n || !str_is_utf8(str_sub(s, 0, n)))
		return RUNE_BAD;
	rune = (unsigned char)s.p[0] & mask[n];
	for (size_t i = 1; i < n; i++)
		rune = rune << 6 | ((unsigned char)s.p[i] & 0x3f);
	*ret_n = n;
	return rune;
}

size_t rune_write(uint32_t rune, char to[4])
{
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n;

	if (rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		rune = RUNE_BAD;
	n = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; rune >>= 6)
		to[i] = (char)(0x80 | (rune & 0x3f));
	to[0] = (char)(lead[n] | rune);
	return n;
}

bool rune_is_space(uint32_t c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202f || c == 0x205f || c == 0x3000;
}

bool rune_is_letter(uint32_t c)
{
	if (c < 0x80)
		return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
	return c != RUNE_BAD && iswalpha_l((wint_t)c, locale_now());
}

bool rune_is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

uint32_t rune_upper(uint32_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z' ? c - 0x20 : c;
	return (uint32_t)towupper_l((wint_t)c, locale_now());
}

uint32_t rune_lower(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 0x20 : c;
	return (uint32_t)towlower_l((wint_t)c, locale_now());
}

void rune_repair(struct str s, struct buf *ret_text)
{
	char text[4];
	size_t n;

	for (; s.n; s = str_sub(s, n, s.n)) {
		uint32_t rune = rune_read(s, &n);

		buf_add(ret_text, text, rune_write(rune, text));
	}
}

size_t rune_count(struct str s)
{
	size_t count = 0, n;

	for (; s.n; s = str_sub(s, n, s.n), count++)
		(void)rune_read(s, &n);
	return count;
}

struct str rune_trim(struct str s)
{
	size_t n, end = 0;
	struct str rest;

	while (s.n && rune_is_space(rune_read(s, &n)))
		s = str_sub(s, n, s.n);
	for (rest = s; rest.n; rest = str_sub(rest, n, rest.n))
		if (!rune_is_space(rune_read(rest, &n)))
			end = s.n - rest.n + n;
	return str_sub(s, 0, end);
}
