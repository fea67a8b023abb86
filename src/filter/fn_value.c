/* Functions about any value: what it is, and what it is in another type. */
#include "base/base64.h"
#include "event/json_text.h"
#include "filter/functions_code.h"
#include "filter/json_path.h"
#include "filter/limits.h"
#include "filter/number.h"

enum err fn_len(struct call *c, struct value *ret)
{
	struct value v = c->args[0];

	if (v.type == VALUE_STRING)
		*ret = value_int((int64_t)v.text.n);
	else if (v.type == VALUE_LIST)
		*ret = value_int((int64_t)value_list_size(c->run, v));
	else if (v.type == VALUE_MAP)
		*ret = value_int((int64_t)value_map_held(c->run, v).n);
	else
		return call_misfit(c, "len(v): %s has no length", value_type_name(v.type));
	return c->run->err;
}

enum err fn_type(struct call *c, struct value *ret)
{
	*ret = value_string(str_of(value_type_name(c->args[0].type)));
	return E_OK;
}

enum err fn_int(struct call *c, struct value *ret)
{
	struct value v = c->args[0];
	int64_t whole;

	if (v.type == VALUE_INT)
		whole = v.integer;
	else if (!(v.type == VALUE_FLOAT && number_to_int(v.number, &whole)) &&
		 !(v.type == VALUE_STRING && number_read_int(v.text, 10, &whole)))
		return call_misfit(c, "int(v): the %s is no whole number of 64 bits", value_type_name(v.type));
	*ret = value_int(whole);
	return E_OK;
}

enum err fn_float(struct call *c, struct value *ret)
{
	struct value v = c->args[0];
	double number;

	if (value_is_number(v))
		number = value_number(v);
	else if (v.type != VALUE_STRING || !number_read_float(v.text, &number))
		return call_misfit(c, "float(v): the %s is no number", value_type_name(v.type));
	*ret = value_float(number);
	return E_OK;
}

static enum err keep(struct call *c, struct buf *b, struct value *ret)
{
	*ret = value_string(run_keep(c->run, b));
	return c->run->err;
}

enum err fn_string(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);

	if (c->args[0].type == VALUE_STRING) {
		*ret = c->args[0];
		return E_OK;
	}
	value_write_text(c->run, c->args[0], &b);
	return keep(c, &b, ret);
}

enum err fn_get(struct call *c, struct value *ret)
{
	struct value v = c->args[0], key = c->args[1];
	int64_t i = key.integer;

	*ret = value_nil();
	if (v.type == VALUE_MAP && key.type == VALUE_STRING) {
		(void)value_map_get(c->run, v, key.text, ret);
		return c->run->err;
	}
	if (v.type != VALUE_LIST || !value_is_number(key) ||
	    (key.type == VALUE_FLOAT && !number_to_int(key.number, &i)))
		return E_OK;
	if (i < 0)
		i += (int64_t)value_list_size(c->run, v);
	if (i >= 0 && !value_list_at(c->run, v, (size_t)i, ret))
		*ret = value_nil();
	return c->run->err;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------- */

enum err fn_to_json(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);

	value_write_json(c->run, c->args[0], /* indent= */ false, &b);
	return keep(c, &b, ret);
}

enum err fn_to_json_lines(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);

	value_write_json(c->run, c->args[0], /* indent= */ true, &b);
	return keep(c, &b, ret);
}

/* False: it is no JSON, or the run has failed. */
static bool read_json(struct run *r, struct str text, struct value *ret)
{
	struct buf b = run_buf(r);

	if (json_compact(text, /* plain= */ true, &b, NULL) == E_MALFORMED) {
		buf_release(&b);
		return false;
	}
	*ret = value_of_json(r, run_keep(r, &b));
	return r->err == E_OK;
}

enum err fn_from_json(struct call *c, struct value *ret)
{
	if (!read_json(c->run, c->args[0].text, ret))
		return call_misfit(c, "%s(str): the string is no JSON", c->function->name);
	return E_OK;
}

enum err fn_sprig_from_json(struct call *c, struct value *ret)
{
	if (!read_json(c->run, c->args[0].text, ret))
		*ret = value_nil();
	return c->run->err;
}

enum err fn_jsonpath(struct call *c, struct value *ret)
{
	struct value root;

	if (!read_json(c->run, c->args[0].text, &root))
		return call_misfit(c,
				   "jsonpath(json, path): the first string is no JSON: toJson() makes one of a value");
	return json_path_find(c->run, c->expr->path, c->args[1].text, root, ret);
}

/* ---- base64 ----------------------------------------------------------------------------------------------------------------- */

enum err fn_to_base64(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);

	base64_write(c->args[0].text, &b);
	return keep(c, &b, ret);
}

enum err fn_from_base64(struct call *c, struct value *ret)
{
	struct buf b = run_buf(c->run);

	if (!base64_read(c->args[0].text, &b)) {
		buf_release(&b);
		return call_misfit(c, "%s(str): the string is no base64", c->function->name);
	}
	return keep(c, &b, ret);
}
