/* Functions of arrays and maps. */
#include "filter/functions_code.h"
#include "filter/list.h"

/* Nil of what is no array, as upstream. */
enum err fn_first(struct call *c, struct value *ret)
{
	if (c->args[0].type != VALUE_LIST || !value_list_at(c->run, c->args[0], 0, ret))
		*ret = value_nil();
	return c->run->err;
}

enum err fn_last(struct call *c, struct value *ret)
{
	size_t n = c->args[0].type == VALUE_LIST ? value_list_size(c->run, c->args[0]) : 0;

	if (n == 0 || !value_list_at(c->run, c->args[0], n - 1, ret))
		*ret = value_nil();
	return c->run->err;
}

enum err fn_take(struct call *c, struct value *ret)
{
	int64_t n = c->args[1].integer;

	if (n < 0)
		return call_misfit(c, "take(array, n): n is below 0");
	*ret = value_list_held(c->run, c->args[0]);
	if ((uint64_t)n < ret->n)
		ret->n = (size_t)n;
	return c->run->err;
}

/* ---- sorting ------------------------------------------------------------------------------------------------------------------ */

/* What is compared, and what it stands for. */
struct sortable {
	struct value key;
	struct value element;
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct sortable *x = a, *y = b;
	int order = 0;

	(void)value_compare(x->key, y->key, &order);
	return *(const bool *)ctx ? -order : order;
}

static enum err check_keys(struct call *c, const struct sortable *s, size_t n)
{
	int order;

	for (size_t i = 0; i < n; i++) {
		if (!value_compare(s[0].key, s[i].key, &order))
			return call_misfit(c, "%s: %s and %s have no order", c->function->name,
					   value_type_name(s[0].key.type), value_type_name(s[i].key.type));
		if (s[i].key.type == VALUE_STRING && !run_look(c->run, s[i].key.text.n))
			return c->run->err;
	}
	return E_OK;
}

static enum err order_of(struct call *c, size_t i, bool *ret_descending)
{
	struct str order = i < c->count ? c->args[i].text : STR("asc");

	*ret_descending = str_is(order, "desc");
	if (!*ret_descending && !str_is(order, "asc"))
		return call_misfit(c, "%s: the order is \"asc\" or \"desc\"", c->function->name);
	return E_OK;
}

static enum err sort(struct call *c, struct sortable *s, size_t n, bool descending, struct value *ret)
{
	struct value *items = run_array(c->run, n, sizeof(*items));

	if (!items || check_keys(c, s, n) != E_OK)
		return c->run->err;
	run_sort(c->run, s, n, sizeof(*s), compare, &descending);
	for (size_t i = 0; i < n; i++)
		items[i] = s[i].element;
	*ret = value_list(items, n);
	return c->run->err;
}

/* The elements, each with itself or its member `field` as the key. */
static struct sortable *sortables(struct call *c, struct str field, size_t *ret_n)
{
	size_t n = value_list_size(c->run, c->args[0]);
	struct value_seq seq = value_seq(c->args[0]);
	struct sortable *s = run_array(c->run, n, sizeof(*s));

	*ret_n = n;
	for (size_t i = 0; s && i < n && value_seq_next(c->run, &seq, &s[i].element); i++) {
		s[i].key = s[i].element;
		if (field.p && s[i].element.type == VALUE_MAP && !value_map_get(c->run, s[i].element, field, &s[i].key))
			s[i].key = value_nil();
	}
	return c->run->err == E_OK ? s : NULL;
}

enum err fn_sort(struct call *c, struct value *ret)
{
	bool descending;
	size_t n;
	struct sortable *s = sortables(c, (struct str){ 0 }, &n);

	if (!s || order_of(c, 1, &descending) != E_OK)
		return c->run->err;
	return sort(c, s, n, descending, ret);
}

enum err fn_sort_by(struct call *c, struct value *ret)
{
	bool descending;
	size_t n;
	struct sortable *s = sortables(c, c->args[1].text.p ? c->args[1].text : STR(""), &n);

	if (!s || order_of(c, 2, &descending) != E_OK)
		return c->run->err;
	return sort(c, s, n, descending, ret);
}

/* ---- maps ----------------------------------------------------------------------------------------------------------------------- */

enum err fn_keys(struct call *c, struct value *ret)
{
	struct value map = value_map_held(c->run, c->args[0]);
	struct list list = { 0 };

	for (size_t i = 0; i < map.n && list_add(c->run, &list, value_string(map.pairs[i].key));)
		i++;
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_values(struct call *c, struct value *ret)
{
	struct value map = value_map_held(c->run, c->args[0]);
	struct list list = { 0 };

	for (size_t i = 0; i < map.n && list_add(c->run, &list, map.pairs[i].value);)
		i++;
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_to_pairs(struct call *c, struct value *ret)
{
	struct value map = value_map_held(c->run, c->args[0]);
	struct list list = { 0 };

	for (size_t i = 0; i < map.n; i++) {
		struct list pair = { 0 };

		if (!list_add(c->run, &pair, value_string(map.pairs[i].key)) ||
		    !list_add(c->run, &pair, map.pairs[i].value) || !list_add(c->run, &list, list_value(&pair)))
			break;
	}
	*ret = list_value(&list);
	return c->run->err;
}

enum err fn_from_pairs(struct call *c, struct value *ret)
{
	size_t n = value_list_size(c->run, c->args[0]), i = 0;
	struct value_pair *pairs = run_array(c->run, n, sizeof(*pairs));
	struct value_seq s = value_seq(c->args[0]);
	struct value pair;

	for (; pairs && value_seq_next(c->run, &s, &pair); i++) {
		if (pair.type == VALUE_LIST)
			pair = value_list_held(c->run, pair);
		if (pair.type != VALUE_LIST || pair.n != 2 || pair.items[0].type != VALUE_STRING)
			return call_misfit(c, "fromPairs(array): element %zu is no array of a string and a value", i);
		if (!run_look(c->run, pair.items[0].text.n))
			return c->run->err;
		pairs[i] = (struct value_pair){ pair.items[0].text, pair.items[1] };
	}
	*ret = value_map_of(c->run, pairs, c->run->err == E_OK ? i : 0);
	return c->run->err;
}
