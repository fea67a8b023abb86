#include "base/str.h"

#include "base/mem.h"

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq((struct str){ s.p, prefix.n }, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_same_letters(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq_nocase((struct str){ s.p, prefix.n }, prefix);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order != 0)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = (struct str){ s.p + 1, s.n - 1 };
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

size_t str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

bool str_contains(struct str s, struct str part)
{
	return part.n == 0 || (s.n && memmem(s.p, s.n, part.p, part.n));
}

struct str str_cut(struct str *rest, char sep)
{
	size_t at = str_find(*rest, sep);
	struct str head = { rest->p, at };

	*rest = str_sub(*rest, at + 1, rest->n);
	return head;
}

bool str_eq_secret(struct str a, struct str b)
{
	volatile unsigned char diff = a.n != b.n;
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++)
		diff = (unsigned char)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

struct str str_from_u64(uint64_t value, char text[static STR_U64_MAX])
{
	size_t at = STR_U64_MAX;

	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	return (struct str){ text + at, STR_U64_MAX - at };
}

/* The length of the sequence that starts at p, or 0 when it is ill-formed (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* How many bytes at the front are ASCII, in whole groups of eight. */
static size_t ascii_groups(const unsigned char *p, size_t n)
{
	size_t i = 0;
	uint64_t group;

	for (; n - i >= sizeof(group); i += sizeof(group)) {
		memcpy(&group, p + i, sizeof(group));
		if (group & 0x8080808080808080u)
			break;
	}
	return i;
}

bool str_is_utf8(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0;

	while (i < s.n) {
		size_t len = utf8_sequence(p + i, s.n - i);

		if (len == 0)
			return false;
		i += len;
		i += ascii_groups(p + i, s.n - i);
	}
	return true;
}

/* How many bytes at the front are ASCII without NUL: all, in nearly all texts. */
static size_t plain_bytes(struct str s)
{
	size_t i = 0;
	uint64_t group;

	for (; s.n - i >= sizeof(group); i += sizeof(group)) {
		memcpy(&group, s.p + i, sizeof(group));
		if (((group - 0x0101010101010101u) | group) & 0x8080808080808080u)
			break;
	}
	while (i < s.n && s.p[i] > 0)
		i++;
	return i;
}

bool str_is_text(struct str s)
{
	size_t plain = plain_bytes(s);
	struct str rest = str_sub(s, plain, s.n);

	return rest.n == 0 || (str_find(rest, '\0') == rest.n && str_is_utf8(rest));
}

char *str_dup(struct str s)
{
	return mem_dup(s.p, s.n);
}

unsigned str_distance(struct str a, struct str b)
{
	unsigned row[65];
	size_t an = a.n < 64 ? a.n : 64, bn = b.n < 64 ? b.n : 64;

	for (unsigned j = 0; j <= bn; j++)
		row[j] = j;
	for (unsigned i = 1; i <= an; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= bn; j++) {
			unsigned cost = diagonal + (lower(a.p[i - 1]) != lower(b.p[j - 1]));
			unsigned best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = cost < best ? cost : best;
		}
	}
	return row[bn];
}
