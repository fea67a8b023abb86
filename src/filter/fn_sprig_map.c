/* Functions of sprig over maps. */
#include "filter/functions_code.h"
#include "filter/list.h"

enum err fn_sprig_dict(struct call *c, struct value *ret)
{
	size_t n = (c->count + 1) / 2;
	struct value_pair *pairs = run_array(c->run, n, sizeof(*pairs));

	for (size_t i = 0; pairs && i < n; i++) {
		struct buf key = run_buf(c->run);

		value_write_text(c->run, c->args[2 * i], &key);
		pairs[i].key = run_keep(c->run, &key);
		pairs[i].value = 2 * i + 1 < c->count ? c->args[2 * i + 1] : value_string(STR(""));
	}
	*ret = value_map_of(c->run, pairs, pairs ? n : 0);
	return c->run->err;
}

enum err fn_sprig_get(struct call *c, struct value *ret)
{
	if (!value_map_get(c->run, c->args[0], c->args[1].text, ret))
		*ret = value_string(STR(""));
	return c->run->err;
}

enum err fn_sprig_has_key(struct call *c, struct value *ret)
{
	struct value ignored;

	*ret = value_bool(value_map_get(c->run, c->args[0], c->args[1].text, &ignored));
	return c->run->err;
}

enum err fn_sprig_keys(struct call *c, struct value *ret)
{
	struct list list = { 0 };

	for (size_t i = 0; i < c->count; i++) {
		struct value map = value_map_held(c->run, c->args[i]);

		for (size_t j = 0; j < map.n && list_add(c->run, &list, value_string(map.pairs[j].key));)
			j++;
	}
	*ret = list_value(&list);
	return c->run->err;
}

static bool is_named(const struct call *c, struct str key)
{
	for (size_t i = 1; i < c->count; i++)
		if (str_eq(c->args[i].text, key))
			return true;
	return false;
}

/* The members that the other arguments name, or do not name. */
static enum err select_members(struct call *c, bool named, struct value *ret)
{
	struct value map = value_map_held(c->run, c->args[0]);
	struct value_pair *pairs = run_array(c->run, map.n, sizeof(*pairs));
	size_t n = 0;

	for (size_t i = 0; pairs && i < map.n && run_step(c->run, c->count); i++)
		if (is_named(c, map.pairs[i].key) == named)
			pairs[n++] = map.pairs[i];
	*ret = value_map_of(c->run, pairs, n);
	return c->run->err;
}

enum err fn_sprig_pick(struct call *c, struct value *ret)
{
	return select_members(c, /* named= */ true, ret);
}

enum err fn_sprig_omit(struct call *c, struct value *ret)
{
	return select_members(c, /* named= */ false, ret);
}

enum err fn_sprig_dig(struct call *c, struct value *ret)
{
	size_t keys = c->count - 2;

	*ret = c->args[c->count - 1];
	for (size_t i = 0; i < keys; i++) {
		if (c->args[i].type != VALUE_STRING)
			return call_misfit(c, "dig: key %zu is %s, not string", i + 1,
					   value_type_name(c->args[i].type));
		if (ret->type != VALUE_MAP)
			return call_misfit(c, "dig: %s has no members", value_type_name(ret->type));
		if (!value_map_get(c->run, *ret, c->args[i].text, ret)) {
			*ret = c->args[c->count - 2];
			break;
		}
	}
	return c->run->err;
}
