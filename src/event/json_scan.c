#include "event/json_feed.h"

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

static const char *on_value(struct feed *f, const char *p)
{
	switch (*p) {
	case '"':
		return json_begin_string(f, p);
	case '{':
		return push(f, p, /* object= */ true);
	case '[':
		return push(f, p, /* object= */ false);
	case 't':
	case 'f':
	case 'n':
		return json_begin_literal(f, p);
	default:
		if (*p == '-' || json_is_digit(*p))
			return json_begin_number(f, p);
		return fail(f, p, "looking for beginning of value");
	}
}

static const char *on_key(struct feed *f, const char *p)
{
	if (*p == '"')
		return json_in_members(f, p);
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

static const char *step(struct feed *f, const char *p)
{
	if (f->s->state <= DONE)
		return on_structure(f, p);
	return f->s->state < LITERAL ? json_in_string(f, p) : json_in_number(f, p);
}

void json_scan_init(struct json_scan *s)
{
	memset(s, 0, offsetof(struct json_scan, stack)); /* a bit of the stack is set before it is read */
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
		p = step(&f, p);
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
