/* Functions of numbers. */
#include <math.h>

#include "filter/functions_code.h"

enum err fn_abs(struct call *c, struct value *ret)
{
	*ret = c->args[0];
	if (ret->type == VALUE_FLOAT)
		ret->number = ret->number < 0 ? -ret->number : ret->number;
	else if (ret->integer < 0)
		ret->integer = (int64_t)(0 - (uint64_t)ret->integer);
	return E_OK;
}

enum err fn_ceil(struct call *c, struct value *ret)
{
	*ret = value_float(ceil(value_number(c->args[0])));
	return E_OK;
}

enum err fn_floor(struct call *c, struct value *ret)
{
	*ret = value_float(floor(value_number(c->args[0])));
	return E_OK;
}

enum err fn_round(struct call *c, struct value *ret)
{
	*ret = value_float(round(value_number(c->args[0])));
	return E_OK;
}

static enum err extreme(struct call *c, int sign, struct value *ret)
{
	int order;

	*ret = c->args[0];
	for (size_t i = 1; i < c->count; i++)
		if (value_compare(c->args[i], *ret, &order) && order * sign > 0)
			*ret = c->args[i];
	return E_OK;
}

enum err fn_max(struct call *c, struct value *ret)
{
	return extreme(c, 1, ret);
}

enum err fn_min(struct call *c, struct value *ret)
{
	return extreme(c, -1, ret);
}

/* ---- of a list -------------------------------------------------------------------------------------------------------------- */

/* Adds up the list; a float makes all of it a float. */
static enum err add_up(struct call *c, struct value *ret, size_t *ret_n)
{
	struct value_seq s = value_seq(c->args[0]);
	struct value v;

	*ret = value_int(0);
	*ret_n = 0;
	while (value_seq_next(c->run, &s, &v)) {
		if (!value_is_number(v))
			return call_misfit(c, "%s(array): element %zu is %s, not a number", c->function->name, *ret_n,
					   value_type_name(v.type));
		if (v.type == VALUE_INT && ret->type == VALUE_INT)
			ret->integer = (int64_t)((uint64_t)ret->integer + (uint64_t)v.integer);
		else
			*ret = value_float(value_number(*ret) + value_number(v));
		++*ret_n;
	}
	return c->run->err;
}

enum err fn_sum(struct call *c, struct value *ret)
{
	size_t n;

	return add_up(c, ret, &n);
}

enum err fn_mean(struct call *c, struct value *ret)
{
	size_t n;

	if (add_up(c, ret, &n) != E_OK)
		return c->run->err;
	*ret = value_float(n ? value_number(*ret) / (double)n : 0);
	return E_OK;
}

static int compare_numbers(const void *a, const void *b, void *ctx)
{
	int order = 0;

	(void)ctx;
	(void)value_compare(*(const struct value *)a, *(const struct value *)b, &order);
	return order;
}

enum err fn_median(struct call *c, struct value *ret)
{
	struct value ignored, held, *sorted;
	size_t n;

	if (add_up(c, &ignored, &n) != E_OK)
		return c->run->err;
	held = value_list_held(c->run, c->args[0]);
	sorted = run_array(c->run, n, sizeof(*sorted));
	*ret = value_float(0);
	if (!sorted || n == 0 || held.n != n)
		return c->run->err;
	memcpy(sorted, held.items, n * sizeof(*sorted));
	run_sort(c->run, sorted, n, sizeof(*sorted), compare_numbers, NULL);
	ret->number = value_number(sorted[n / 2]);
	if (n % 2 == 0)
		ret->number = (ret->number + value_number(sorted[n / 2 - 1])) / 2;
	return c->run->err;
}
