/* What is inside a value: members, elements, slices. */
#include "filter/number.h"
#include "filter/run.h"

static bool index_of(struct value v, int64_t *ret_index)
{
	if (v.type == VALUE_INT) {
		*ret_index = v.integer;
		return true;
	}
	return v.type == VALUE_FLOAT && number_to_int(v.number, ret_index);
}

/* Says nothing of what the event holds: the story goes into the stored event and the log. */
static enum err nothing(struct run *r, struct value base, struct value key)
{
	if (base.type == VALUE_NIL)
		return run_misfit(r, "nil has no members: ?. passes over what is not there");
	return run_misfit(r, "%s has no member under a key that is %s", value_type_name(base.type),
			  value_type_name(key.type));
}

static enum err element(struct run *r, struct value list, int64_t i, struct value *ret)
{
	size_t n = value_list_size(r, list);

	if (r->err != E_OK)
		return r->err;
	if (i < 0)
		i += (int64_t)n;
	if (i < 0 || (uint64_t)i >= n)
		return run_misfit(r, "the array has %zu elements, none at this place", n);
	(void)value_list_at(r, list, (size_t)i, ret);
	return r->err;
}

/* As in Go, a string is made of bytes. */
static enum err byte(struct run *r, struct str text, int64_t i, struct value *ret)
{
	if (i < 0)
		i += (int64_t)text.n;
	if (i < 0 || (uint64_t)i >= text.n)
		return run_misfit(r, "the string has %zu bytes, none at this place", text.n);
	*ret = value_int((unsigned char)text.p[i]);
	return E_OK;
}

/* `.length` in a JSONPath. */
static bool is_length(const struct run *r, struct value base, struct value key)
{
	return r->filter->json_path && base.type == VALUE_LIST && key.type == VALUE_STRING &&
	       str_is(key.text, "length");
}

enum err run_member(struct run *r, struct value base, struct value key, struct value *ret)
{
	int64_t i;

	if (base.type == VALUE_MAP && key.type == VALUE_STRING) {
		if (!value_map_get(r, base, key.text, ret))
			*ret = value_nil();
		return r->err;
	}
	if (is_length(r, base, key)) {
		*ret = value_int((int64_t)value_list_size(r, base));
		return r->err;
	}
	if ((base.type != VALUE_LIST && base.type != VALUE_STRING) || !index_of(key, &i))
		return nothing(r, base, key);
	return base.type == VALUE_LIST ? element(r, base, i, ret) : byte(r, base.text, i, ret);
}

/* ---- slices --------------------------------------------------------------------------------------------------------------- */

/* The bound that `e` says, from the end when negative, cut to what is there. */
static enum err bound(struct run *r, const struct expr *e, size_t n, size_t dflt, size_t *ret_bound)
{
	struct value v;
	int64_t i;

	*ret_bound = dflt;
	if (!e)
		return E_OK;
	if (run_eval(r, e, &v) != E_OK)
		return r->err;
	r->at = e->at;
	if (!index_of(v, &i))
		return run_misfit(r, "a place in a slice is a number, not %s", value_type_name(v.type));
	if (i < 0)
		i = i + (int64_t)n < 0 ? 0 : i + (int64_t)n;
	*ret_bound = (uint64_t)i < n ? (size_t)i : n;
	return E_OK;
}

enum err run_slice(struct run *r, const struct expr *e, struct value *ret)
{
	struct value v;
	size_t from, to, n;
	enum err err = run_eval(r, e->a, &v);

	if (err != E_OK)
		return err;
	r->at = e->at;
	if (v.type != VALUE_LIST && v.type != VALUE_STRING)
		return run_misfit(r, "%s has no slices", value_type_name(v.type));
	if (v.type == VALUE_LIST)
		v = value_list_held(r, v);
	n = v.type == VALUE_LIST ? v.n : v.text.n;
	if (bound(r, e->b, n, 0, &from) != E_OK || bound(r, e->c, n, n, &to) != E_OK)
		return r->err;
	if (from > to)
		from = to;
	*ret = v.type == VALUE_LIST ? value_list(v.items + from, to - from)
				    : value_string(str_sub(v.text, from, to - from));
	return r->err;
}
