/* Functions of sprig over lists. */
#include "filter/functions_code.h"
#include "filter/list.h"

enum err fn_sprig_list(struct call *c, struct value *ret)
{
	struct list list = { 0 };

	for (size_t i = 0; i < c->count && list_add(c->run, &list, c->args[i]);)
		i++;
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_sprig_rest(struct call *c, struct value *ret)
{
	*ret = value_list_held(c->run, c->args[0]);
	if (ret->n)
		*ret = value_list(ret->items + 1, ret->n - 1);
	return c->run->err;
}

enum err fn_sprig_initial(struct call *c, struct value *ret)
{
	*ret = value_list_held(c->run, c->args[0]);
	ret->n -= ret->n > 0;
	return c->run->err;
}

static void add_all(struct call *c, struct value from, struct list *to)
{
	struct value_seq s = value_seq(from);
	struct value v;

	while (value_seq_next(c->run, &s, &v))
		if (!list_add(c->run, to, v))
			break;
}

enum err fn_sprig_append(struct call *c, struct value *ret)
{
	struct list list = { 0 };

	add_all(c, c->args[0], &list);
	(void)list_add(c->run, &list, c->args[1]);
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_sprig_prepend(struct call *c, struct value *ret)
{
	struct list list = { 0 };

	(void)list_add(c->run, &list, c->args[1]);
	add_all(c, c->args[0], &list);
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_sprig_concat(struct call *c, struct value *ret)
{
	struct list list = { 0 };

	for (size_t i = 0; i < c->count; i++)
		add_all(c, c->args[i], &list);
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_sprig_reverse(struct call *c, struct value *ret)
{
	struct value held = value_list_held(c->run, c->args[0]);
	struct list list = { 0 };

	for (size_t i = held.n; i-- > 0;)
		if (!list_add(c->run, &list, held.items[i]))
			break;
	*ret = list_value(&list);
	return c->run->err;
}

/* The elements of a list that `keep` says yes to. */
static enum err choose(struct call *c, bool (*keep)(struct call *c, struct value v, const struct list *so_far),
		       struct value *ret)
{
	struct value_seq s = value_seq(c->args[0]);
	struct list list = { 0 };
	struct value v;

	while (value_seq_next(c->run, &s, &v))
		if (keep(c, v, &list) && !list_add(c->run, &list, v))
			break;
	*ret = list_value(&list);
	return c->run->err;
}

static bool is_new(struct call *c, struct value v, const struct list *so_far)
{
	return !run_in(c->run, v, list_value(so_far));
}

enum err fn_sprig_uniq(struct call *c, struct value *ret)
{
	return choose(c, is_new, ret);
}

static bool is_something(struct call *c, struct value v, const struct list *so_far)
{
	(void)c;
	(void)so_far;
	return !value_empty(v);
}

enum err fn_sprig_compact(struct call *c, struct value *ret)
{
	return choose(c, is_something, ret);
}

static bool is_unnamed(struct call *c, struct value v, const struct list *so_far)
{
	(void)so_far;
	for (size_t i = 1; i < c->count; i++)
		if (value_equal(c->run, v, c->args[i]))
			return false;
	return true;
}

enum err fn_sprig_without(struct call *c, struct value *ret)
{
	return choose(c, is_unnamed, ret);
}

enum err fn_sprig_has(struct call *c, struct value *ret)
{
	struct value list = c->args[1];

	if (list.type != VALUE_LIST && list.type != VALUE_NIL)
		return call_misfit(c, "has(v, array): argument 2 is %s, not array", value_type_name(list.type));
	*ret = value_bool(list.type == VALUE_LIST && run_in(c->run, c->args[0], list));
	return c->run->err;
}

static int compare_text(const void *a, const void *b, void *ctx)
{
	const struct value *x = a, *y = b;

	(void)ctx;
	return str_cmp(x->text, y->text);
}

static bool add_text(struct call *c, struct value v, struct list *to)
{
	struct buf b = run_buf(c->run);

	if (v.type == VALUE_STRING)
		return list_add(c->run, to, v);
	value_write_text(c->run, v, &b);
	return list_add(c->run, to, value_string(run_keep(c->run, &b)));
}

/* The elements as text, without nil; what is no list is its only element. */
static struct list texts_of(struct call *c, struct value v)
{
	struct list list = { 0 };
	struct value_seq s;

	if (v.type != VALUE_LIST) {
		(void)add_text(c, v, &list);
		return list;
	}
	s = value_seq(v);
	while (value_seq_next(c->run, &s, &v))
		if (v.type != VALUE_NIL && !add_text(c, v, &list))
			break;
	return list;
}

enum err fn_sprig_sort_alpha(struct call *c, struct value *ret)
{
	struct list list = texts_of(c, c->args[0]);

	run_sort(c->run, list.items, list.n, sizeof(*list.items), compare_text, NULL);
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_sprig_join(struct call *c, struct value *ret)
{
	struct value separator = c->args[0], list = c->args[1];
	struct list texts = { 0 };

	if (list.type != VALUE_NIL)
		texts = texts_of(c, list);
	c->args[0] = list_value(&texts);
	c->args[1] = separator;
	return fn_join(c, ret);
}
