/* Functions of sprig over any value. */
#include "filter/functions_code.h"

enum err fn_sprig_default(struct call *c, struct value *ret)
{
	bool given = c->count > 1 && !value_empty(c->args[1]);

	*ret = c->args[given];
	return E_OK;
}

enum err fn_sprig_empty(struct call *c, struct value *ret)
{
	*ret = value_bool(value_empty(c->args[0]));
	return E_OK;
}

enum err fn_sprig_coalesce(struct call *c, struct value *ret)
{
	*ret = value_nil();
	for (size_t i = 0; i < c->count && ret->type == VALUE_NIL; i++)
		if (!value_empty(c->args[i]))
			*ret = c->args[i];
	return E_OK;
}

enum err fn_sprig_all(struct call *c, struct value *ret)
{
	*ret = value_bool(true);
	for (size_t i = 0; i < c->count; i++)
		ret->truth &= !value_empty(c->args[i]);
	return E_OK;
}

enum err fn_sprig_any(struct call *c, struct value *ret)
{
	*ret = value_bool(false);
	for (size_t i = 0; i < c->count; i++)
		ret->truth |= !value_empty(c->args[i]);
	return E_OK;
}

enum err fn_sprig_ternary(struct call *c, struct value *ret)
{
	*ret = c->args[c->args[2].truth ? 0 : 1];
	return E_OK;
}

/* Go's names. */
static const char *kind_of(enum value_type type)
{
	static const char *const kinds[] = {
		[VALUE_NIL] = "invalid",   [VALUE_BOOL] = "bool",     [VALUE_INT] = "int",
		[VALUE_FLOAT] = "float64", [VALUE_STRING] = "string", [VALUE_LIST] = "slice",
		[VALUE_MAP] = "map",       [VALUE_TIME] = "struct",   [VALUE_DURATION] = "int64",
	};

	return kinds[type];
}

enum err fn_sprig_kind_of(struct call *c, struct value *ret)
{
	*ret = value_string(str_of(kind_of(c->args[0].type)));
	return E_OK;
}

enum err fn_sprig_kind_is(struct call *c, struct value *ret)
{
	*ret = value_bool(str_is(c->args[0].text, kind_of(c->args[1].type)));
	return E_OK;
}

enum err fn_sprig_deep_equal(struct call *c, struct value *ret)
{
	*ret = value_bool(value_equal(c->run, c->args[0], c->args[1]));
	return c->run->err;
}
