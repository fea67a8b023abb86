/* Arithmetic of sprig: whole numbers, out of whatever says one. */
#include "filter/functions_code.h"
#include "filter/number.h"

static struct str without_zeros(struct str s)
{
	size_t n = s.n;

	while (n && s.p[n - 1] == '0')
		n--;
	return n && n < s.n && s.p[n - 1] == '.' ? str_sub(s, 0, n - 1) : s;
}

/* Strings and bools count as the number they say, everything else as 0. As in Go, 0x10 is 16, 010 is 8, 1.5 none and 1.0 one. */
static int64_t whole(struct value v)
{
	int64_t n = 0;

	switch ((enum value_type)v.type) {
	case VALUE_BOOL:
		return v.truth;
	case VALUE_INT:
	case VALUE_DURATION:
		return v.integer;
	case VALUE_FLOAT:
		return number_to_int(v.number, &n) ? n : 0;
	case VALUE_STRING:
		return number_read_int(without_zeros(v.text), 0, &n) ? n : 0;
	default:
		return 0;
	}
}

enum err fn_sprig_int(struct call *c, struct value *ret)
{
	*ret = value_int(whole(c->args[0]));
	return E_OK;
}

enum err fn_sprig_atoi(struct call *c, struct value *ret)
{
	int64_t n;

	*ret = value_int(number_read_int(c->args[0].text, 10, &n) ? n : 0);
	return E_OK;
}

enum err fn_sprig_float(struct call *c, struct value *ret)
{
	struct value v = c->args[0];
	double number = 0;

	if (v.type == VALUE_FLOAT)
		number = v.number;
	else if (v.type != VALUE_STRING)
		number = (double)whole(v);
	else if (!number_read_float(v.text, &number))
		number = 0;
	*ret = value_float(number);
	return E_OK;
}

enum err fn_sprig_add(struct call *c, struct value *ret)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->count; i++)
		sum += (uint64_t)whole(c->args[i]);
	*ret = value_int((int64_t)sum);
	return E_OK;
}

enum err fn_sprig_add1(struct call *c, struct value *ret)
{
	*ret = value_int((int64_t)((uint64_t)whole(c->args[0]) + 1));
	return E_OK;
}

enum err fn_sprig_sub(struct call *c, struct value *ret)
{
	*ret = value_int((int64_t)((uint64_t)whole(c->args[0]) - (uint64_t)whole(c->args[1])));
	return E_OK;
}

enum err fn_sprig_mul(struct call *c, struct value *ret)
{
	uint64_t product = 1;

	for (size_t i = 0; i < c->count; i++)
		product *= (uint64_t)whole(c->args[i]);
	*ret = value_int((int64_t)product);
	return E_OK;
}

static enum err divide(struct call *c, bool rest, struct value *ret)
{
	int64_t a = whole(c->args[0]), b = whole(c->args[1]);

	if (b == 0)
		return call_misfit(c, "%s(a, b): division by zero", c->function->name);
	if (b == -1) /* the quotient of the smallest number does not fit: wraps, as Go does */
		*ret = value_int(rest ? 0 : (int64_t)(0 - (uint64_t)a));
	else
		*ret = value_int(rest ? a % b : a / b);
	return E_OK;
}

enum err fn_sprig_div(struct call *c, struct value *ret)
{
	return divide(c, /* rest= */ false, ret);
}

enum err fn_sprig_mod(struct call *c, struct value *ret)
{
	return divide(c, /* rest= */ true, ret);
}

enum err fn_sprig_max(struct call *c, struct value *ret)
{
	*ret = value_int(whole(c->args[0]));
	for (size_t i = 1; i < c->count; i++)
		if (whole(c->args[i]) > ret->integer)
			ret->integer = whole(c->args[i]);
	return E_OK;
}

enum err fn_sprig_min(struct call *c, struct value *ret)
{
	*ret = value_int(whole(c->args[0]));
	for (size_t i = 1; i < c->count; i++)
		if (whole(c->args[i]) < ret->integer)
			ret->integer = whole(c->args[i]);
	return E_OK;
}
