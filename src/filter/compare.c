/* Values side by side: equal, before, empty. */
#include "filter/run.h"

#include <math.h>

static bool equal(struct run *r, struct value a, struct value b, unsigned depth);

static bool equal_lists(struct run *r, struct value a, struct value b, unsigned depth)
{
	struct value_seq left = value_seq(a), right = value_seq(b);
	struct value x, y;

	while (value_seq_next(r, &left, &x))
		if (!value_seq_next(r, &right, &y) || !equal(r, x, y, depth + 1))
			return false;
	return r->err == E_OK && !value_seq_next(r, &right, &y);
}

static bool equal_maps(struct run *r, struct value a, struct value b, unsigned depth)
{
	a = value_map_held(r, a);
	b = value_map_held(r, b);
	if (r->err != E_OK || a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (!run_look(r, a.pairs[i].key.n) || !str_eq(a.pairs[i].key, b.pairs[i].key) ||
		    !equal(r, a.pairs[i].value, b.pairs[i].value, depth + 1))
			return false;
	return true;
}

static bool equal_numbers(struct value a, struct value b)
{
	if (a.type == VALUE_INT && b.type == VALUE_INT)
		return a.integer == b.integer;
	return value_number(a) == value_number(b);
}

static bool equal(struct run *r, struct value a, struct value b, unsigned depth)
{
	if (!run_depth(r, depth))
		return false;
	if (value_is_number(a) && value_is_number(b))
		return equal_numbers(a, b);
	if (a.type != b.type)
		return false;
	switch ((enum value_type)a.type) {
	case VALUE_NIL:
		return true;
	case VALUE_BOOL:
		return a.truth == b.truth;
	case VALUE_STRING:
		return run_look(r, a.text.n) && str_eq(a.text, b.text);
	case VALUE_LIST:
		return equal_lists(r, a, b, depth);
	case VALUE_MAP:
		return equal_maps(r, a, b, depth);
	default:
		return a.integer == b.integer;
	}
}

bool value_equal(struct run *r, struct value a, struct value b)
{
	return equal(r, a, b, 0);
}

static int order_of(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

bool value_compare(struct value a, struct value b, int *ret_order)
{
	if (a.type == VALUE_INT && b.type == VALUE_INT) {
		*ret_order = order_of(a.integer, b.integer);
		return true;
	}
	if (value_is_number(a) && value_is_number(b)) {
		*ret_order = value_number(a) < value_number(b) ? -1 : value_number(a) > value_number(b);
		return true;
	}
	if (a.type != b.type || (a.type != VALUE_STRING && a.type != VALUE_TIME && a.type != VALUE_DURATION))
		return false;
	*ret_order = a.type == VALUE_STRING ? str_cmp(a.text, b.text) : order_of(a.integer, b.integer);
	return true;
}

bool value_ordered(struct value a, struct value b)
{
	return !(a.type == VALUE_FLOAT && isnan(a.number)) && !(b.type == VALUE_FLOAT && isnan(b.number));
}

bool value_empty(struct value v)
{
	switch ((enum value_type)v.type) {
	case VALUE_NIL:
		return true;
	case VALUE_BOOL:
		return !v.truth;
	case VALUE_FLOAT:
		return v.number == 0;
	case VALUE_STRING:
		return v.text.n == 0;
	case VALUE_LIST:
	case VALUE_MAP:
		return v.form == FORM_JSON ? v.text.n == 2 : v.n == 0;
	default:
		return v.integer == 0;
	}
}
