#include "rpc/percent.h"

static const char digits[] = "0123456789ABCDEF";

void percent_write(struct str text, struct buf *ret_coded)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];
		const char escape[] = { '%', digits[c >> 4], digits[c & 15] };

		if (c >= ' ' && c <= '~' && c != '%')
			buf_char(ret_coded, (char)c);
		else
			buf_add(ret_coded, escape, sizeof(escape));
	}
}

/* 0..15, or -1. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void percent_read(struct str coded, struct buf *ret_text)
{
	for (size_t i = 0; i < coded.n; i++) {
		int high = coded.p[i] == '%' && coded.n - i > 2 ? digit(coded.p[i + 1]) : -1;
		int low = high >= 0 ? digit(coded.p[i + 2]) : -1;

		if (low < 0) {
			buf_char(ret_text, coded.p[i]);
		} else {
			buf_char(ret_text, (char)(high << 4 | low));
			i += 2;
		}
	}
}
