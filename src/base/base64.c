#include "base/base64.h"

/* Twelve bits make two characters: one look-up and one store for them, two for three bytes. */
/* clang-format off */
#define PAIRS(a) \
	{a,'A'},{a,'B'},{a,'C'},{a,'D'},{a,'E'},{a,'F'},{a,'G'},{a,'H'},{a,'I'},{a,'J'},{a,'K'},{a,'L'},{a,'M'}, \
	{a,'N'},{a,'O'},{a,'P'},{a,'Q'},{a,'R'},{a,'S'},{a,'T'},{a,'U'},{a,'V'},{a,'W'},{a,'X'},{a,'Y'},{a,'Z'}, \
	{a,'a'},{a,'b'},{a,'c'},{a,'d'},{a,'e'},{a,'f'},{a,'g'},{a,'h'},{a,'i'},{a,'j'},{a,'k'},{a,'l'},{a,'m'}, \
	{a,'n'},{a,'o'},{a,'p'},{a,'q'},{a,'r'},{a,'s'},{a,'t'},{a,'u'},{a,'v'},{a,'w'},{a,'x'},{a,'y'},{a,'z'}, \
	{a,'0'},{a,'1'},{a,'2'},{a,'3'},{a,'4'},{a,'5'},{a,'6'},{a,'7'},{a,'8'},{a,'9'},{a,'+'},{a,'/'}

static const char pairs[4096][2] = {
	PAIRS('A'), PAIRS('B'), PAIRS('C'), PAIRS('D'), PAIRS('E'), PAIRS('F'), PAIRS('G'), PAIRS('H'), PAIRS('I'),
	PAIRS('J'), PAIRS('K'), PAIRS('L'), PAIRS('M'), PAIRS('N'), PAIRS('O'), PAIRS('P'), PAIRS('Q'), PAIRS('R'),
	PAIRS('S'), PAIRS('T'), PAIRS('U'), PAIRS('V'), PAIRS('W'), PAIRS('X'), PAIRS('Y'), PAIRS('Z'), PAIRS('a'),
	PAIRS('b'), PAIRS('c'), PAIRS('d'), PAIRS('e'), PAIRS('f'), PAIRS('g'), PAIRS('h'), PAIRS('i'), PAIRS('j'),
	PAIRS('k'), PAIRS('l'), PAIRS('m'), PAIRS('n'), PAIRS('o'), PAIRS('p'), PAIRS('q'), PAIRS('r'), PAIRS('s'),
	PAIRS('t'), PAIRS('u'), PAIRS('v'), PAIRS('w'), PAIRS('x'), PAIRS('y'), PAIRS('z'), PAIRS('0'), PAIRS('1'),
	PAIRS('2'), PAIRS('3'), PAIRS('4'), PAIRS('5'), PAIRS('6'), PAIRS('7'), PAIRS('8'), PAIRS('9'), PAIRS('+'),
	PAIRS('/'),
};
/* clang-format on */

static void write_pair(char *to, unsigned bits)
{
	memcpy(to, pairs[bits & 0xfff], 2);
}

/* The last one or two bytes. */
static void write_tail(char *to, const unsigned char *p, size_t n)
{
	unsigned bits = (unsigned)p[0] << 16 | (n == 2 ? (unsigned)p[1] << 8 : 0);

	write_pair(to, bits >> 12);
	write_pair(to + 2, bits);
	to[3] = '=';
	if (n == 1)
		to[2] = '=';
}

void base64_write(struct str bytes, struct buf *ret_text)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	size_t left = bytes.n, need = (bytes.n / 3 + (bytes.n % 3 != 0)) * 4;
	char *to = buf_reserve(ret_text, need);

	if (!to || left == 0)
		return;
	for (; left >= 3; left -= 3, p += 3, to += 4) {
		unsigned bits = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];

		write_pair(to, bits >> 12);
		write_pair(to + 2, bits);
	}
	if (left)
		write_tail(to, p, left);
	ret_text->n += need;
}

void base64_write_bare(struct str bytes, struct buf *ret_text)
{
	base64_write(bytes, ret_text);
	if (ret_text->err == E_OK)
		ret_text->n -= (3 - bytes.n % 3) % 3;
}

void base64url_write(struct str bytes, struct buf *ret_text)
{
	size_t from = ret_text->n;

	base64_write_bare(bytes, ret_text);
	for (size_t i = from; i < ret_text->n; i++) {
		char c = ret_text->p[i];

		ret_text->p[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
}

/* The value of each character, plus one; 0: not of the alphabet. */
/* clang-format off */
#define LETTERS \
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7, ['H'] = 8, \
	['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, \
	['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24, \
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, \
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, \
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, \
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56, \
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62

static const unsigned char standard[256] = { LETTERS, ['+'] = 63, ['/'] = 64 };
static const unsigned char for_urls[256] = { LETTERS, ['-'] = 63, ['_'] = 64 };
/* clang-format on */

/* 0..63; for a byte that is not of the alphabet bit 6 is set. */
static unsigned char sextet(const unsigned char *values, char c)
{
	return (unsigned char)(values[(unsigned char)c] - 1);
}

static bool quantum(const unsigned char *values, const char *p, unsigned *ret_bits)
{
	unsigned a = sextet(values, p[0]), b = sextet(values, p[1]), c = sextet(values, p[2]), d = sextet(values, p[3]);

	*ret_bits = a << 18 | b << 12 | c << 6 | d;
	return ((a | b | c | d) & 64) == 0;
}

/* The last two or three characters. */
static bool read_tail(const unsigned char *values, const char *p, size_t n, char to[static 2])
{
	char whole[4] = { p[0], p[1], n == 3 ? p[2] : 'A', 'A' };
	unsigned bits;

	if (!quantum(values, whole, &bits) || (bits & (n == 3 ? 0xffu : 0xffffu)) != 0)
		return false;
	to[0] = (char)(bits >> 16);
	to[1] = (char)(bits >> 8);
	return true;
}

/* A text without padding. With `to` NULL only looks. */
static bool decode(const unsigned char *values, struct str text, char *to)
{
	size_t whole = text.n / 4, left = text.n % 4;
	unsigned bits;
	char tail[2];

	for (size_t i = 0; i < whole; i++) {
		if (!quantum(values, text.p + i * 4, &bits))
			return false;
		if (to) {
			to[i * 3] = (char)(bits >> 16);
			to[i * 3 + 1] = (char)(bits >> 8);
			to[i * 3 + 2] = (char)bits;
		}
	}
	if (left == 0)
		return true;
	if (left == 1 || !read_tail(values, text.p + whole * 4, left, tail))
		return false;
	if (to)
		memcpy(to + whole * 3, tail, left - 1);
	return true;
}

static bool read_bare(const unsigned char *values, struct str text, struct buf *ret_bytes)
{
	size_t n = text.n / 4 * 3 + (text.n % 4 > 1 ? text.n % 4 - 1 : 0);
	char *to = buf_reserve(ret_bytes, n);

	if (!decode(values, text, to))
		return false;
	ret_bytes->n += to ? n : 0;
	return true;
}

/* Cuts the padding off; false: it has not the one that belongs to it. */
static bool cut_padding(struct str *text)
{
	if (text->n % 4 != 0)
		return false;
	for (unsigned i = 0; i < 2 && text->n && text->p[text->n - 1] == '='; i++)
		text->n--;
	return true;
}

bool base64_read(struct str text, struct buf *ret_bytes)
{
	return cut_padding(&text) && read_bare(standard, text, ret_bytes);
}

bool base64_read_bare(struct str text, struct buf *ret_bytes)
{
	return read_bare(standard, text, ret_bytes);
}

bool base64url_read(struct str text, struct buf *ret_bytes)
{
	return read_bare(for_urls, text, ret_bytes);
}

bool base64_ok(struct str text)
{
	return cut_padding(&text) && decode(standard, text, NULL);
}
