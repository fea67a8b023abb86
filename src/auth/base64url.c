#include "auth/base64url.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_write(struct str bytes, struct buf *ret_text)
{
	for (size_t at = 0; at < bytes.n; at += 3) {
		struct str group = str_sub(bytes, at, 3);
		unsigned bits = 0;

		for (size_t i = 0; i < 3; i++)
			bits = bits << 8 | (i < group.n ? (unsigned char)group.p[i] : 0u);
		for (size_t i = 0; i <= group.n; i++)
			buf_char(ret_text, digits[bits >> (18 - 6 * i) & 63]);
	}
}

/* What a digit is worth, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* 2 to 4 digits. */
static bool read_group(struct str group, struct buf *ret_bytes)
{
	unsigned bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < group.n ? value_of(group.p[i]) : 0;

		if (value < 0)
			return false;
		bits = bits << 6 | (unsigned)value;
	}
	if (group.n < 2 || (bits & ((1u << (8 * (4 - group.n))) - 1)))
		return false;
	for (size_t i = 0; i + 1 < group.n; i++)
		buf_char(ret_bytes, (char)(bits >> (16 - 8 * i) & 255));
	return true;
}

bool base64url_read(struct str text, struct buf *ret_bytes)
{
	size_t before = ret_bytes->n;

	for (size_t at = 0; at < text.n; at += 4) {
		if (!read_group(str_sub(text, at, 4), ret_bytes)) {
			ret_bytes->n = before;
			return false;
		}
	}
	return true;
}
