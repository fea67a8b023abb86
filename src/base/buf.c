#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

static size_t grown(const struct buf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : 256;

	while (cap < need && cap <= SIZE_MAX / 2)
		cap *= 2;
	if (cap < need)
		cap = need;
	return b->max && cap > b->max ? b->max : cap;
}

char *buf_reserve(struct buf *b, size_t n)
{
	size_t cap;
	char *p;

	if (b->err != E_OK)
		return NULL;
	if (n > SIZE_MAX - b->n || (b->max && b->n + n > b->max)) {
		b->err = E_LIMIT;
		return NULL;
	}
	if (b->n + n <= b->cap && b->p)
		return b->p + b->n;
	cap = grown(b, b->n + n);
	p = mem_realloc(b->p, cap);
	if (!p) {
		b->err = E_NOMEM;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->n;
}

void buf_add_growing(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (!to || n == 0)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void buf_u64(struct buf *b, uint64_t value)
{
	char digits[STR_U64_MAX];

	buf_str(b, str_from_u64(value, digits));
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	char *to;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	to = n >= 0 ? buf_reserve(b, (size_t)n + 1) : NULL;
	if (n < 0 && b->err == E_OK)
		b->err = E_LIMIT; /* longer than printf can count */
	if (to) {
		(void)vsnprintf(to, (size_t)n + 1, format, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

static void json_byte(struct buf *b, unsigned char c)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *e = escapes; *e; e += 2) {
		if (c == (unsigned char)*e) {
			buf_char(b, '\\');
			buf_char(b, e[1]);
			return;
		}
	}
	if (c < 0x20 || c == 0x7f)
		buf_addf(b, "\\u%04x", c);
	else
		buf_char(b, (char)c);
}

/* A character over 0x7f; the control characters among them could steer a terminal. */
static void json_sequence(struct buf *b, const char *p, size_t n)
{
	if (n == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0)
		buf_addf(b, "\\u%04x", (unsigned char)p[1]);
	else
		buf_add(b, p, n);
}

/* How many bytes at the front stand for themselves: printable ASCII without quote and backslash, as most texts are. */
static size_t json_plain(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7f && s.p[n] != '"' && s.p[n] != '\\')
		n++;
	return n;
}

void buf_json(struct buf *b, struct str s)
{
	size_t i = json_plain(s);

	buf_char(b, '"');
	buf_add(b, s.p, i);
	while (i < s.n) {
		size_t len = 1;

		if ((unsigned char)s.p[i] < 0x80) {
			json_byte(b, (unsigned char)s.p[i]);
			i++;
			continue;
		}
		while (len < 4 && i + len < s.n && !str_is_utf8(str_sub(s, i, len)))
			len++;
		if (str_is_utf8(str_sub(s, i, len))) {
			json_sequence(b, s.p + i, len);
			i += len;
		} else {
			buf_lit(b, "\xef\xbf\xbd");
			i++;
		}
	}
	buf_char(b, '"');
}

const char *buf_cstr(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (!end)
		return NULL;
	*end = '\0';
	return b->p;
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->err = E_OK;
}

void buf_release(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	buf_release(b);
}
