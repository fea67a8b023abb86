#include "rpc/binary.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void binary_write(struct str bytes, struct buf *ret_text)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < bytes.n; i++) {
		bits = bits << 8 | (unsigned char)bytes.p[i];
		for (have += 8; have >= 6;) {
			have -= 6;
			buf_char(ret_text, letters[bits >> have & 63]);
		}
	}
	if (have)
		buf_char(ret_text, letters[bits << (6 - have) & 63]);
}

/* 0..63, or -1. */
static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

bool binary_read(struct str text, struct buf *ret_bytes)
{
	uint32_t bits = 0;
	unsigned have = 0;

	if (text.n % 4 == 0)
		for (unsigned pads = 0; pads < 2 && text.n && text.p[text.n - 1] == '='; pads++)
			text.n--;
	if (text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int value = sextet(text.p[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_char(ret_bytes, (char)(bits >> have & 255));
		}
	}
	return true;
}
