#include "rpc/percent.h"

#include "base/hex.h"

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

void percent_read(struct str coded, struct buf *ret_text)
{
	for (size_t i = 0; i < coded.n; i++) {
		int high = coded.p[i] == '%' && coded.n - i > 2 ? hex_value(coded.p[i + 1]) : -1;
		int low = high >= 0 ? hex_value(coded.p[i + 2]) : -1;

		if (low < 0) {
			buf_char(ret_text, coded.p[i]);
		} else {
			buf_char(ret_text, (char)(high << 4 | low));
			i += 2;
		}
	}
}
