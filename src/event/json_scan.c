#include "event/json_scan.h"

#include "event/json_run.h"

/*
 * VALUE -> a scalar, '[' (VALUE_OR_END) or '{' (KEY_OR_END); KEY -> COLON -> VALUE; behind each value AFTER, where ','
 * leads back to VALUE or KEY and the closing bracket to AFTER of the level above; behind the outermost value DONE.
 */
enum state {
	VALUE,
	VALUE_OR_END,
	KEY,
	KEY_OR_END,
	COLON,
	AFTER,
	DONE,
	STRING,
	HELD, /* in a string, `pending` bytes of e2 80 a8 or e2 80 a9 seen in an earlier chunk and not written */
	ESCAPE,
	HEX, /* `pending` digits to come */
	LITERAL,
	MINUS,
	ZERO,
	INTEGER,
	POINT,
	FRACTION,
	EXPONENT,
	EXPONENT_SIGN,
	EXPONENT_DIGITS,
	FAILED,
};

/* The letters behind the first of each literal, each with the complaint when another byte comes; 0 ends the literal. */
static const struct {
	char expected;
	const char *error;
} literals[] = {
	{ 'r', "in literal true (expecting 'r')" },
	{ 'u', "in literal true (expecting 'u')" },
	{ 'e', "in literal true (expecting 'e')" },
	{ 0, NULL },
	{ 'a', "in literal false (expecting 'a')" },
	{ 'l', "in literal false (expecting 'l')" },
	{ 's', "in literal false (expecting 's')" },
	{ 'e', "in literal false (expecting 'e')" },
	{ 0, NULL },
	{ 'u', "in literal null (expecting 'u')" },
	{ 'l', "in literal null (expecting 'l')" },
	{ 'l', "in literal null (expecting 'l')" },
	{ 0, NULL },
};
enum { LITERAL_TRUE = 0, LITERAL_FALSE = 4, LITERAL_NULL = 9 };

/* One call of json_scan_feed(). Bytes [run, p) are checked and not yet written: most input leaves in one piece. */
struct feed {
	struct json_scan *s;
	const char *run;
	const char *end;
	struct buf *out;
};

static void flush(struct feed *f, const char *to)
{
	if (f->out && to > f->run)
		buf_add(f->out, f->run, (size_t)(to - f->run));
	f->run = to;
}

static void emit(struct feed *f, const char *text, size_t n)
{
	if (f->out)
		buf_add(f->out, text, n);
}

static const char *fail(struct feed *f, const char *p, const char *error)
{
	flush(f, p);
	f->s->error = error;
	f->s->bad = (unsigned char)*p;
	f->s->state = FAILED;
	return p;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(struct feed *f, const char *p)
{
	if (p < f->end && (unsigned char)*p > ' ')
		return p;
	flush(f, p);
	while (p < f->end && is_space(*p))
		p++;
	f->run = p;
	return p;
}

static void value_ends(struct json_scan *s)
{
	s->state = s->depth ? AFTER : DONE;
}

static const char *push(struct feed *f, const char *p, bool object)
{
	struct json_scan *s = f->s;
	unsigned char bit = (unsigned char)(1u << (s->depth & 7));

	if (s->depth == JSON_DEPTH_MAX)
		return fail(f, p, "exceeded max depth");
	if (object)
		s->stack[s->depth >> 3] |= bit;
	else
		s->stack[s->depth >> 3] &= (unsigned char)~bit;
	s->depth++;
	s->object = object;
	s->state = object ? KEY_OR_END : VALUE_OR_END;
	return p + 1;
}

static const char *pop(struct feed *f, const char *p)
{
	struct json_scan *s = f->s;
	unsigned below = --s->depth - 1; /* wraps at the outermost bracket, where it is not used */

	s->object = s->depth && (s->stack[below >> 3] >> (below & 7) & 1);
	value_ends(s);
	return p + 1;
}

/* ---- strings --------------------------------------------------------------------------------------------------- */

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

static const char *in_string(struct feed *f, const char *p)
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

static const char *begin_string(struct feed *f, const char *p, bool key)
{
	f->s->state = STRING;
	f->s->key = key;
	return in_string(f, p + 1);
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
static const char *members(struct feed *f, const char *p)
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
			return begin_string(f, p, /* key= */ false);
		p = q + 1;
		if (end - p < 2 || p[0] != ',' || p[1] != '"') {
			f->s->state = AFTER;
			return p;
		}
		p++;
	}
	return begin_string(f, p, /* key= */ true);
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
	if (!is_digit(*p) && !(*p >= 'a' && *p <= 'f') && !(*p >= 'A' && *p <= 'F'))
		return fail(f, p, "in \\u hexadecimal character escape");
	if (--f->s->pending == 0)
		f->s->state = STRING;
	return p + 1;
}

/* ---- literals and numbers ----------------------------------------------------------------------------------------- */

static const char *in_literal(struct feed *f, const char *p)
{
	struct json_scan *s = f->s;

	for (; p < f->end; p++) {
		if (*p != literals[s->literal].expected)
			return fail(f, p, literals[s->literal].error);
		if (literals[++s->literal].expected == 0) {
			value_ends(s);
			return p + 1;
		}
	}
	return p;
}

static const char *begin_literal(struct feed *f, const char *p, unsigned char row)
{
	f->s->state = LITERAL;
	f->s->literal = row;
	return in_literal(f, p + 1);
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/* Behind digits: what may follow in a number, else the value ended before p. */
static const char *number_goes_on(struct feed *f, const char *p, bool point)
{
	if (p == f->end)
		return p;
	if (point && *p == '.') {
		f->s->state = POINT;
		return p + 1;
	}
	if (*p == 'e' || *p == 'E') {
		f->s->state = EXPONENT;
		return p + 1;
	}
	value_ends(f->s);
	return p;
}

static const char *in_integer(struct feed *f, const char *p)
{
	return number_goes_on(f, skip_digits(p, f->end), /* point= */ true);
}

/* A digit must come, leading to `next`. */
static const char *need_digit(struct feed *f, const char *p, enum state next, const char *error)
{
	if (!is_digit(*p))
		return fail(f, p, error);
	f->s->state = (unsigned char)next;
	return p + 1;
}

static const char *begin_integer(struct feed *f, const char *p)
{
	f->s->state = *p == '0' ? ZERO : INTEGER;
	return *p == '0' ? number_goes_on(f, p + 1, /* point= */ true) : in_integer(f, p + 1);
}

static const char *in_exponent(struct feed *f, const char *p)
{
	if (*p == '+' || *p == '-') {
		f->s->state = EXPONENT_SIGN;
		return p + 1;
	}
	return need_digit(f, p, EXPONENT_DIGITS, "in exponent of numeric literal");
}

static const char *in_exponent_digits(struct feed *f, const char *p)
{
	p = skip_digits(p, f->end);
	if (p < f->end)
		value_ends(f->s);
	return p;
}

/* ---- structure ---------------------------------------------------------------------------------------------------- */

static const char *on_value(struct feed *f, const char *p)
{
	switch (*p) {
	case '"':
		return begin_string(f, p, /* key= */ false);
	case '{':
		return push(f, p, /* object= */ true);
	case '[':
		return push(f, p, /* object= */ false);
	case 't':
		return begin_literal(f, p, LITERAL_TRUE);
	case 'f':
		return begin_literal(f, p, LITERAL_FALSE);
	case 'n':
		return begin_literal(f, p, LITERAL_NULL);
	case '-':
		f->s->state = MINUS;
		return p + 1;
	default:
		if (is_digit(*p))
			return begin_integer(f, p);
		return fail(f, p, "looking for beginning of value");
	}
}

static const char *on_key(struct feed *f, const char *p)
{
	if (*p == '"')
		return members(f, p);
	if (*p == '}' && f->s->state == KEY_OR_END)
		return pop(f, p);
	return fail(f, p, "looking for beginning of object key string");
}

static const char *on_colon(struct feed *f, const char *p)
{
	if (*p != ':')
		return fail(f, p, "after object key");
	f->s->state = VALUE;
	return p + 1;
}

static const char *on_after(struct feed *f, const char *p)
{
	bool object = f->s->object;

	if (*p == ',') {
		f->s->state = object ? KEY : VALUE;
		return p + 1;
	}
	if (*p == (object ? '}' : ']'))
		return pop(f, p);
	return fail(f, p, object ? "after object key:value pair" : "after array element");
}

/* Between tokens. */
static const char *on_structure(struct feed *f, const char *p)
{
	p = skip_space(f, p);
	if (p == f->end)
		return p;
	switch (f->s->state) {
	case VALUE_OR_END:
		if (*p == ']')
			return pop(f, p);
		return on_value(f, p);
	case VALUE:
		return on_value(f, p);
	case KEY:
	case KEY_OR_END:
		return on_key(f, p);
	case COLON:
		return on_colon(f, p);
	case AFTER:
		return on_after(f, p);
	default:
		return fail(f, p, "after top-level value");
	}
}

/* Inside a token that an earlier chunk, or an earlier turn, began. */
static const char *on_token(struct feed *f, const char *p)
{
	switch (f->s->state) {
	case STRING:
		return in_string(f, p);
	case HELD:
		return in_held(f, p);
	case ESCAPE:
		return in_escape(f, p);
	case HEX:
		return in_hex(f, p);
	case LITERAL:
		return in_literal(f, p);
	case MINUS:
		if (!is_digit(*p))
			return fail(f, p, "in numeric literal");
		return begin_integer(f, p);
	case ZERO:
		return number_goes_on(f, p, /* point= */ true);
	case INTEGER:
		return in_integer(f, p);
	case POINT:
		return need_digit(f, p, FRACTION, "after decimal point in numeric literal");
	case FRACTION:
		return number_goes_on(f, skip_digits(p, f->end), /* point= */ false);
	case EXPONENT:
		return in_exponent(f, p);
	case EXPONENT_SIGN:
		return need_digit(f, p, EXPONENT_DIGITS, "in exponent of numeric literal");
	default:
		return in_exponent_digits(f, p);
	}
}

void json_scan_init(struct json_scan *s)
{
	*s = (struct json_scan){ 0 };
}

static enum err outcome(const struct json_scan *s, const struct buf *out)
{
	if (out && out->err != E_OK)
		return out->err;
	return s->state == FAILED ? E_MALFORMED : E_OK;
}

enum err json_scan_feed(struct json_scan *s, struct str chunk, struct buf *out)
{
	struct feed f = { .s = s, .run = chunk.p, .out = out };
	const char *p = chunk.p;

	if (chunk.n == 0)
		return outcome(s, out);
	f.end = p + chunk.n;
	while (p < f.end && s->state != FAILED)
		p = s->state <= DONE ? on_structure(&f, p) : on_token(&f, p);
	if (s->state != FAILED)
		flush(&f, p);
	s->offset += (size_t)(p - chunk.p);
	return outcome(s, out);
}

/* As encoding/json: a space ends a number, and shows what an unfinished token lacks. */
enum err json_scan_finish(struct json_scan *s, struct buf *out)
{
	size_t offset = s->offset;

	(void)json_scan_feed(s, STR(" "), NULL);
	s->offset = offset;
	if (s->state != DONE && s->state != FAILED) {
		s->error = "unexpected end of JSON input";
		s->ended = true;
		s->state = FAILED;
	}
	return outcome(s, out);
}
