/* Functions that ask something of each element. */
#include "filter/functions_code.h"
#include "filter/list.h"

struct loop {
	struct call *c;
	struct value_seq seq;
	struct scope scope;
};

static struct loop loop_of(struct call *c)
{
	return (struct loop){ .c = c, .seq = value_seq(c->args[0]), .scope = { .index = -1, .outer = c->run->scope } };
}

static bool next(struct loop *l)
{
	l->scope.index++;
	return value_seq_next(l->c->run, &l->seq, &l->scope.element);
}

static enum err ask_value(struct loop *l, struct value *ret)
{
	struct run *r = l->c->run;
	enum err err;

	r->scope = &l->scope;
	err = run_eval(r, l->c->expr->items[1], ret);
	r->scope = l->scope.outer;
	return err;
}

/* False also when the run has failed. */
static bool ask(struct loop *l)
{
	struct run *r = l->c->run;
	bool yes = false;

	r->scope = &l->scope;
	(void)run_eval_bool(r, l->c->expr->items[1], &yes);
	r->scope = l->scope.outer;
	return yes && r->err == E_OK;
}

enum err fn_all(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	*ret = value_bool(true);
	while (ret->truth && next(&l))
		ret->truth = ask(&l);
	return c->run->err;
}

enum err fn_any(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	*ret = value_bool(false);
	while (!ret->truth && next(&l))
		ret->truth = ask(&l);
	return c->run->err;
}

enum err fn_none(struct call *c, struct value *ret)
{
	enum err err = fn_any(c, ret);

	ret->truth = !ret->truth;
	return err;
}

static int64_t count(struct call *c)
{
	struct loop l = loop_of(c);
	int64_t n = 0;

	while (next(&l))
		n += ask(&l);
	return n;
}

enum err fn_one(struct call *c, struct value *ret)
{
	*ret = value_bool(count(c) == 1);
	return c->run->err;
}

enum err fn_count(struct call *c, struct value *ret)
{
	*ret = value_int(count(c));
	return c->run->err;
}

enum err fn_filter(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);
	struct list list = { 0 };

	while (next(&l))
		if (ask(&l) && !list_add(c->run, &list, l.scope.element))
			break;
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_map(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);
	struct list list = { 0 };
	struct value v;

	while (next(&l))
		if (ask_value(&l, &v) != E_OK || !list_add(c->run, &list, v))
			break;
	*ret = list_value(&list);
	return c->run->err;
}

/* ---- finding -------------------------------------------------------------------------------------------------------------- */

static bool find_first(struct loop *l)
{
	while (next(l))
		if (ask(l))
			return true;
	return false;
}

static bool find_last(struct loop *l)
{
	struct run *r = l->c->run;
	struct value list = value_list_held(r, l->c->args[0]);

	for (size_t i = list.n; i-- > 0 && run_step(r, 1);) {
		l->scope.index = (int64_t)i;
		l->scope.element = list.items[i];
		if (ask(l))
			return true;
	}
	return false;
}

enum err fn_find(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	*ret = find_first(&l) ? l.scope.element : value_nil();
	return c->run->err;
}

enum err fn_find_index(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	*ret = find_first(&l) ? value_int(l.scope.index) : value_nil();
	return c->run->err;
}

enum err fn_find_last(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	*ret = find_last(&l) ? l.scope.element : value_nil();
	return c->run->err;
}

enum err fn_find_last_index(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	*ret = find_last(&l) ? value_int(l.scope.index) : value_nil();
	return c->run->err;
}

/* ---- grouping and reducing --------------------------------------------------------------------------------------------------- */

/* Pairs of key and element, sorted by key in a stable way, into a map of lists. */
static struct value groups(struct run *r, struct value_pair *pairs, size_t n)
{
	struct value_pair *out = run_array(r, n, sizeof(*out));
	struct value *items = run_array(r, n, sizeof(*items));
	size_t count_out = 0, from = 0;

	for (size_t i = 0; out && items && i < n; i++) {
		items[i] = pairs[i].value;
		if (i + 1 < n && str_eq(pairs[i].key, pairs[i + 1].key))
			continue;
		out[count_out++] = (struct value_pair){ pairs[i].key, value_list(items + from, i + 1 - from) };
		from = i + 1;
	}
	return (struct value){ .type = VALUE_MAP, .pairs = out, .n = count_out };
}

enum err fn_group_by(struct call *c, struct value *ret)
{
	struct run *r = c->run;
	struct loop l = loop_of(c);
	size_t n = value_list_size(r, c->args[0]), i = 0;
	struct value_pair *pairs = run_array(r, n, sizeof(*pairs));
	struct value key;

	while (pairs && next(&l)) {
		if (ask_value(&l, &key) != E_OK)
			return r->err;
		if (key.type != VALUE_STRING)
			return call_misfit(c, "groupBy: a key is a string, not %s", value_type_name(key.type));
		if (!run_look(r, key.text.n))
			return r->err;
		pairs[i++] = (struct value_pair){ key.text, l.scope.element };
	}
	value_sort_pairs(r, pairs, i);
	*ret = groups(r, pairs, i);
	return r->err;
}

enum err fn_reduce(struct call *c, struct value *ret)
{
	struct loop l = loop_of(c);

	if (c->count == 3)
		l.scope.acc = c->args[2];
	else if (next(&l))
		l.scope.acc = l.scope.element;
	else if (c->run->err == E_OK)
		return call_misfit(c, "reduce: the array is empty and there is no first value");
	while (next(&l))
		if (ask_value(&l, &l.scope.acc) != E_OK)
			break;
	*ret = l.scope.acc;
	return c->run->err;
}
