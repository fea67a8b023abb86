/* Operators over values. */
#include <math.h>

#include "filter/number.h"
#include "filter/pattern.h"
#include "filter/run.h"

static enum err mismatch(struct run *r, enum op op, struct value a, struct value b)
{
	return run_misfit(r, "%s does not go with %s and %s", expr_operator(op), value_type_name(a.type),
			  value_type_name(b.type));
}

/* ---- arithmetic ---------------------------------------------------------------------------------------------------------- */

static bool compute_int(enum op op, int64_t a, int64_t b, int64_t *ret)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b; /* wraps, as Go does */

	switch (op) {
	case OP_ADD:
		*ret = (int64_t)(x + y);
		return true;
	case OP_SUB:
		*ret = (int64_t)(x - y);
		return true;
	case OP_MUL:
		*ret = (int64_t)(x * y);
		return true;
	default:
		return false;
	}
}

static double compute_float(enum op op, double a, double b)
{
	switch (op) {
	case OP_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_MUL:
		return a * b;
	case OP_DIV:
		return a / b;
	default:
		return pow(a, b);
	}
}

static enum err modulo(struct run *r, struct value a, struct value b, struct value *ret)
{
	if (a.type != VALUE_INT || b.type != VALUE_INT)
		return run_misfit(
			r, "%% goes with integers, not %s and %s: numbers of an event are floats, int() makes integers",
			value_type_name(a.type), value_type_name(b.type));
	if (b.integer == 0)
		return run_misfit(r, "division by zero");
	*ret = value_int(b.integer == -1 ? 0 : a.integer % b.integer);
	return E_OK;
}

/* A time and a duration, two times, or two durations. */
static bool compute_when(enum op op, struct value a, struct value b, struct value *ret)
{
	bool times = a.type == VALUE_TIME && b.type == VALUE_TIME;
	bool shift = (a.type == VALUE_TIME && b.type == VALUE_DURATION) ||
		     (op == OP_ADD && a.type == VALUE_DURATION && b.type == VALUE_TIME);
	bool durations = a.type == VALUE_DURATION && b.type == VALUE_DURATION;

	if ((op != OP_ADD && op != OP_SUB) || (times && op == OP_ADD) || !(times || shift || durations) ||
	    !compute_int(op, a.integer, b.integer, &ret->integer))
		return false;
	ret->type = shift ? VALUE_TIME : VALUE_DURATION;
	return true;
}

/* 7 * duration("24h") */
static bool scale_duration(enum op op, struct value a, struct value b, struct value *ret)
{
	bool left = a.type == VALUE_INT && b.type == VALUE_DURATION,
	     right = a.type == VALUE_DURATION && b.type == VALUE_INT;

	if (op != OP_MUL || !(left || right))
		return false;
	ret->type = VALUE_DURATION;
	return compute_int(op, a.integer, b.integer, &ret->integer);
}

static enum err concatenate(struct run *r, struct value a, struct value b, struct value *ret)
{
	char *p = run_alloc(r, a.text.n + b.text.n);

	if (!p || !run_look(r, a.text.n + b.text.n))
		return r->err;
	if (a.text.n)
		memcpy(p, a.text.p, a.text.n);
	if (b.text.n)
		memcpy(p + a.text.n, b.text.p, b.text.n);
	*ret = value_string((struct str){ p, a.text.n + b.text.n });
	return E_OK;
}

static enum err arithmetic(struct run *r, enum op op, struct value a, struct value b, struct value *ret)
{
	int64_t whole;

	if (op == OP_MOD)
		return modulo(r, a, b, ret);
	if (op == OP_ADD && a.type == VALUE_STRING && b.type == VALUE_STRING)
		return concatenate(r, a, b, ret);
	if (compute_when(op, a, b, ret) || scale_duration(op, a, b, ret))
		return E_OK;
	if (!value_is_number(a) || !value_is_number(b))
		return mismatch(r, op, a, b);
	if (a.type == VALUE_INT && b.type == VALUE_INT && compute_int(op, a.integer, b.integer, &whole))
		*ret = value_int(whole);
	else
		*ret = value_float(compute_float(op, value_number(a), value_number(b)));
	return E_OK;
}

/* ---- comparing ----------------------------------------------------------------------------------------------------------- */

static enum err compare(struct run *r, enum op op, struct value a, struct value b, struct value *ret)
{
	int order;

	if (a.type == VALUE_STRING && b.type == VALUE_STRING && !run_look(r, a.text.n < b.text.n ? a.text.n : b.text.n))
		return r->err;
	if (!value_compare(a, b, &order))
		return mismatch(r, op, a, b);
	*ret = value_bool(value_ordered(a, b) && (op == OP_LT   ? order < 0
						  : op == OP_GT ? order > 0
						  : op == OP_LE ? order <= 0
								: order >= 0));
	return E_OK;
}

static bool in_range(struct value needle, struct value range)
{
	int64_t n = needle.integer;

	if (!value_is_number(needle) ||
	    (needle.type == VALUE_FLOAT && (!number_to_int(needle.number, &n) || (double)n != needle.number)))
		return false;
	return n >= range.from && (uint64_t)n - (uint64_t)range.from < range.n;
}

bool run_in(struct run *r, struct value needle, struct value hay)
{
	struct value_seq s = value_seq(hay);
	struct value element;

	if (hay.form == FORM_RANGE)
		return in_range(needle, hay);
	while (value_seq_next(r, &s, &element))
		if (value_equal(r, element, needle))
			return true;
	return false;
}

static enum err in(struct run *r, struct value needle, struct value hay, struct value *ret)
{
	struct value ignored;

	if (hay.type == VALUE_NIL)
		*ret = value_bool(false);
	else if (hay.type == VALUE_LIST)
		*ret = value_bool(run_in(r, needle, hay));
	else if (hay.type == VALUE_MAP && needle.type == VALUE_NIL)
		*ret = value_bool(value_map_get(r, hay, STR(""), &ignored)); /* the zero of keys, in Go */
	else if (hay.type == VALUE_MAP && needle.type == VALUE_STRING)
		*ret = value_bool(value_map_get(r, hay, needle.text, &ignored));
	else if (hay.type == VALUE_STRING)
		return run_misfit(r, "in does not look into strings: write `text contains part`");
	else
		return mismatch(r, OP_IN, needle, hay);
	return r->err;
}

/* ---- text ---------------------------------------------------------------------------------------------------------------- */

static enum err matches(struct run *r, const struct expr *e, struct value a, struct value b, struct value *ret)
{
	bool yes;

	if (pattern_match(r, e->pattern, b.text, a.text, &yes) != E_OK)
		return r->err;
	*ret = value_bool(yes);
	return E_OK;
}

static enum err textual(struct run *r, const struct expr *e, struct value a, struct value b, struct value *ret)
{
	enum op op = (enum op)e->op;

	if (a.type != VALUE_STRING || b.type != VALUE_STRING)
		return mismatch(r, op, a, b);
	if (op == OP_MATCHES)
		return matches(r, e, a, b, ret);
	if (!run_look(r, a.text.n))
		return r->err;
	*ret = value_bool(op == OP_STARTS ? str_starts(a.text, b.text)
			  : op == OP_ENDS ? str_ends(a.text, b.text)
					  : str_contains(a.text, b.text));
	return E_OK;
}

static enum err range(struct run *r, struct value a, struct value b, struct value *ret)
{
	int64_t from = a.integer, to = b.integer;

	if ((a.type == VALUE_FLOAT && !number_to_int(a.number, &from)) ||
	    (b.type == VALUE_FLOAT && !number_to_int(b.number, &to)) || !value_is_number(a) || !value_is_number(b))
		return mismatch(r, OP_RANGE, a, b);
	*ret = (struct value){ .type = VALUE_LIST, .form = FORM_RANGE, .from = from };
	if (from <= to)
		ret->n = (size_t)((uint64_t)to - (uint64_t)from + 1);
	if (from <= to && ret->n == 0)
		ret->n = SIZE_MAX;
	return E_OK;
}

/* ---- one operator ---------------------------------------------------------------------------------------------------------- */

/* What looks at its right side only when it must. */
static enum err logic(struct run *r, const struct expr *e, struct value *ret)
{
	bool yes;

	if (e->op == OP_COALESCE) {
		if (run_eval(r, e->a, ret) != E_OK || ret->type != VALUE_NIL)
			return r->err;
		return run_eval(r, e->b, ret);
	}
	if (run_eval_bool(r, e->a, &yes) != E_OK)
		return r->err;
	if (yes != (e->op == OP_OR) && run_eval_bool(r, e->b, &yes) != E_OK)
		return r->err;
	*ret = value_bool(yes);
	return E_OK;
}

enum err run_binary(struct run *r, const struct expr *e, struct value *ret)
{
	struct value a, b;

	if (e->op == OP_OR || e->op == OP_AND || e->op == OP_COALESCE)
		return logic(r, e, ret);
	if (run_eval(r, e->a, &a) != E_OK || run_eval(r, e->b, &b) != E_OK)
		return r->err;
	r->at = e->at;
	switch ((enum op)e->op) {
	case OP_EQ:
	case OP_NE:
		*ret = value_bool(value_equal(r, a, b) == (e->op == OP_EQ));
		return r->err;
	case OP_LT:
	case OP_GT:
	case OP_LE:
	case OP_GE:
		return compare(r, (enum op)e->op, a, b, ret);
	case OP_IN:
		return in(r, a, b, ret);
	case OP_MATCHES:
	case OP_CONTAINS:
	case OP_STARTS:
	case OP_ENDS:
		return textual(r, e, a, b, ret);
	case OP_RANGE:
		return range(r, a, b, ret);
	default:
		return arithmetic(r, (enum op)e->op, a, b, ret);
	}
}

enum err run_unary(struct run *r, const struct expr *e, struct value *ret)
{
	struct value v;
	bool yes;

	if (e->op == OP_NOT) {
		if (run_eval_bool(r, e->a, &yes) != E_OK)
			return r->err;
		*ret = value_bool(!yes);
		return E_OK;
	}
	if (run_eval(r, e->a, &v) != E_OK)
		return r->err;
	r->at = e->at;
	if (!value_is_number(v) && v.type != VALUE_DURATION)
		return run_misfit(r, "%s does not go with %s", expr_operator((enum op)e->op), value_type_name(v.type));
	if (e->op == OP_MINUS && v.type == VALUE_FLOAT)
		v.number = -v.number;
	else if (e->op == OP_MINUS)
		v.integer = (int64_t)(0 - (uint64_t)v.integer);
	*ret = v;
	return E_OK;
}
