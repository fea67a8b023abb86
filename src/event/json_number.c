#include "event/json_feed.h"

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

const char *json_begin_literal(struct feed *f, const char *p)
{
	f->s->state = LITERAL;
	f->s->literal = *p == 't' ? LITERAL_TRUE : *p == 'f' ? LITERAL_FALSE : LITERAL_NULL;
	return in_literal(f, p + 1);
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && json_is_digit(*p))
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
	if (!json_is_digit(*p))
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

const char *json_begin_number(struct feed *f, const char *p)
{
	if (*p != '-')
		return begin_integer(f, p);
	f->s->state = MINUS;
	return p + 1;
}

const char *json_in_number(struct feed *f, const char *p)
{
	switch (f->s->state) {
	case LITERAL:
		return in_literal(f, p);
	case MINUS:
		return json_is_digit(*p) ? begin_integer(f, p) : fail(f, p, "in numeric literal");
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
