#include "event/json_walk.h"

#include "event/json_run.h"

char json_walk_peek(const struct json_walk *w)
{
	return w->p < w->end ? *w->p : '\0';
}

/* Behind the string that begins at p. */
static const char *skip_string(const char *p, const char *end)
{
	for (p = json_run(p + 1, end); p < end && *p != '"'; p = json_run(p, end))
		p += *p == '\\' && end - p > 1 ? 2 : 1;
	return p < end ? p + 1 : end;
}

static const char *skip_brackets(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return p;
}

static bool ends_scalar(char c)
{
	return c == ',' || c == '}' || c == ']';
}

static const char *skip_value(const char *p, const char *end)
{
	if (p < end && *p == '"')
		return skip_string(p, end);
	if (p < end && (*p == '{' || *p == '['))
		return skip_brackets(p, end);
	while (p < end && !ends_scalar(*p))
		p++;
	return p;
}

struct str json_walk_value(struct json_walk *w)
{
	const char *from = w->p;

	w->p = skip_value(w->p, w->end);
	return (struct str){ from, (size_t)(w->p - from) };
}

void json_walk_enter(struct json_walk *w)
{
	if (w->p < w->end)
		w->p++;
}

bool json_walk_next(struct json_walk *w)
{
	char c = json_walk_peek(w);

	if (c == ',' || c == '}' || c == ']')
		w->p++;
	return c != '}' && c != ']' && c != '\0';
}

struct str json_walk_key(struct json_walk *w)
{
	struct str key = json_walk_value(w);

	if (w->p < w->end)
		w->p++; /* the colon */
	return key;
}

static unsigned hex_digit(char c)
{
	if (c <= '9')
		return (unsigned)(c - '0') & 0xf;
	return (unsigned)((c | 0x20) - 'a' + 10) & 0xf;
}

static unsigned hex_four(const char *p)
{
	return hex_digit(p[0]) << 12 | hex_digit(p[1]) << 8 | hex_digit(p[2]) << 4 | hex_digit(p[3]);
}

static void add_code_point(struct buf *b, unsigned code)
{
	char text[4];
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)(lead[n] | code);
	buf_add(b, text, n);
}

/* The escape \uXXXX at p, perhaps the first of a pair; returns its length, 0 for half a pair. */
static size_t decode_unicode(const char *p, const char *end, struct buf *b)
{
	unsigned code, low;

	if (end - p < 6)
		return 0;
	code = hex_four(p + 2);
	if (code < 0xd800 || code > 0xdfff) {
		add_code_point(b, code);
		return 6;
	}
	if (code > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return 0;
	low = hex_four(p + 8);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	add_code_point(b, 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff)));
	return 12;
}

static size_t decode_escape(const char *p, const char *end, struct buf *b)
{
	static const char escapes[] = "b\bf\fn\nr\rt\t";

	if (end - p < 2)
		return 0;
	if (p[1] == 'u')
		return decode_unicode(p, end, b);
	for (const char *e = escapes; *e; e += 2) {
		if (p[1] == *e) {
			buf_char(b, e[1]);
			return 2;
		}
	}
	buf_char(b, p[1]);
	return 2;
}

/* `lenient`: half of a pair becomes U+FFFD. */
static bool decode(struct str inside, struct buf *arena, bool lenient)
{
	const char *p = inside.p, *end = inside.p + inside.n;

	while (p < end) {
		size_t plain = str_find((struct str){ p, (size_t)(end - p) }, '\\'), n;

		buf_add(arena, p, plain);
		p += plain;
		n = p < end ? decode_escape(p, end, arena) : 0;
		if (p < end && n == 0) {
			if (!lenient)
				return false;
			add_code_point(arena, 0xfffd);
			n = end - p < 6 ? (size_t)(end - p) : 6;
		}
		p += n;
	}
	return true;
}

bool json_decode(struct str raw, struct buf *arena, struct str *ret_text)
{
	struct str inside = raw.n >= 2 ? str_sub(raw, 1, raw.n - 2) : (struct str){ 0 };
	size_t from = arena->n;

	if (str_find(inside, '\\') == inside.n) {
		*ret_text = inside;
		return true;
	}
	if (!decode(inside, arena, /* lenient= */ false))
		return false;
	*ret_text = str_sub(buf_view(arena), from, arena->n);
	return true;
}

void json_decode_lenient(struct str raw, struct buf *ret_text)
{
	(void)decode(raw.n >= 2 ? str_sub(raw, 1, raw.n - 2) : (struct str){ 0 }, ret_text, /* lenient= */ true);
}
