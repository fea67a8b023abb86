#include "event/json_feed.h"
#include "event/json_run.h"

static const char *string_ends(struct feed *f, const char *p)
{
	if (f->s->key)
		f->s->state = COLON;
	else
		value_ends(f->s);
	return p + 1;
}

/* Write the byte at p, or the three of a separator that end there, as its escape. */
static const char *escape(struct feed *f, const char *p, const char prefix[static 4])
{
	static const char hex[] = "0123456789abcdef";
	char text[] = { '\\', 'u', prefix[0], prefix[1], prefix[2], hex[*p & 0xf] };

	emit(f, text, sizeof(text));
	f->run = p + 1;
	return p + 1;
}

static const char *html(struct feed *f, const char *p)
{
	if (f->s->plain)
		return p + 1;
	flush(f, p);
	return escape(f, p, *p == '&' ? "002" : "003");
}

static bool ends_separator(char c)
{
	return c == '\xa8' || c == '\xa9';
}

/* At 0xe2: is it U+2028 or U+2029? Hold the byte back when the chunk ends before that is known. */
static const char *separator(struct feed *f, const char *p)
{
	if (f->s->plain)
		return p + 1;
	if (f->end - p >= 3) {
		if (p[1] != '\x80' || !ends_separator(p[2]))
			return p + 1;
		flush(f, p);
		return escape(f, p + 2, "202");
	}
	flush(f, p);
	f->s->state = HELD;
	f->s->pending = 1;
	f->run = p + 1;
	return p + 1;
}

static const char *in_held(struct feed *f, const char *p)
{
	struct json_scan *s = f->s;

	if (s->pending == 1 && *p == '\x80') {
		s->pending = 2;
		f->run = p + 1;
		return p + 1;
	}
	s->state = STRING;
	if (s->pending == 2 && ends_separator(*p))
		return escape(f, p, "202");
	emit(f, "\xe2\x80", s->pending);
	return p;
}

static const char *in_text(struct feed *f, const char *p)
{
	while (f->s->state == STRING && (p = json_run(p, f->end)) < f->end) {
		switch (*p) {
		case '"':
			return string_ends(f, p);
		case '\\':
			f->s->state = ESCAPE;
			return p + 1;
		case '&':
		case '<':
		case '>':
			p = html(f, p);
			break;
		case '\xe2':
			p = separator(f, p);
			break;
		default:
			return fail(f, p, "in string literal");
		}
	}
	return p;
}

static const char *begin(struct feed *f, const char *p, bool key)
{
	f->s->state = STRING;
	f->s->key = key;
	return in_text(f, p + 1);
}

/* The quote that ends the string whose first byte is p, when nothing in it needs a look; else NULL. */
static inline const char *plain_string(const char *p, const char *end)
{
	p = json_run(p, end);
	return p < end && *p == '"' ? p : NULL;
}

/*
 * At the quote of a key. The shape of nearly all input is "key":"text","key":.. in one piece: go through as much of that
 * as there is without a state, and stop with the right one in front of anything else.
 */
const char *json_in_members(struct feed *f, const char *p)
{
	const char *end = f->end, *q;

	while ((q = plain_string(p + 1, end)) && end - q > 2 && q[1] == ':') {
		p = q + 2;
		if (*p != '"') {
			f->s->state = VALUE;
			return p;
		}
		q = plain_string(p + 1, end);
		if (!q)
			return begin(f, p, /* key= */ false);
		p = q + 1;
		if (end - p < 2 || p[0] != ',' || p[1] != '"') {
			f->s->state = AFTER;
			return p;
		}
		p++;
	}
	return begin(f, p, /* key= */ true);
}

static const char *in_escape(struct feed *f, const char *p)
{
	switch (*p) {
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
	case '\\':
	case '/':
	case '"':
		f->s->state = STRING;
		return p + 1;
	case 'u':
		f->s->state = HEX;
		f->s->pending = 4;
		return p + 1;
	default:
		return fail(f, p, "in string escape code");
	}
}

static const char *in_hex(struct feed *f, const char *p)
{
	if (!json_is_digit(*p) && !(*p >= 'a' && *p <= 'f') && !(*p >= 'A' && *p <= 'F'))
		return fail(f, p, "in \\u hexadecimal character escape");
	if (--f->s->pending == 0)
		f->s->state = STRING;
	return p + 1;
}

const char *json_begin_string(struct feed *f, const char *p)
{
	return begin(f, p, /* key= */ false);
}

const char *json_in_string(struct feed *f, const char *p)
{
	switch (f->s->state) {
	case HELD:
		return in_held(f, p);
	case ESCAPE:
		return in_escape(f, p);
	case HEX:
		return in_hex(f, p);
	default:
		return in_text(f, p);
	}
}
