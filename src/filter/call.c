/* The call of a function: its arguments, checked against its row. */
#include "filter/function.h"
#include "filter/number.h"

static enum err wrong_type(struct call *c, size_t i, char letter)
{
	const struct function *f = c->function;

	c->run->at = c->expr->items[i]->at;
	return call_misfit(c, "%s(%s): argument %zu is %s, not %s", f->name, f->usage, i + 1,
			   value_type_name(c->args[i].type), function_type_name(letter));
}

/* A whole number may come as a float: all numbers of an event do. Of a text all is looked at, as most functions do. */
static enum err check(struct call *c, size_t i)
{
	char letter = function_type_at(c->function, i);
	struct value *v = &c->args[i];
	int64_t whole;

	if (!function_takes(letter, *v))
		return wrong_type(c, i, letter);
	if (v->type == VALUE_STRING && !run_look(c->run, v->text.n))
		return c->run->err;
	if (letter != 'i' || v->type == VALUE_INT)
		return E_OK;
	if (!number_to_int(v->number, &whole))
		return wrong_type(c, i, letter);
	*v = value_int(whole);
	return E_OK;
}

/* What comes back may be E_NOT_FOUND of a chain: eval.c. */
static enum err eval_arguments(struct call *c)
{
	for (size_t i = 0; i < c->count; i++) {
		enum err err = E_OK;

		if (function_type_is_lazy(function_type_at(c->function, i)))
			continue;
		err = run_eval(c->run, c->expr->items[i], &c->args[i]);
		if (err == E_OK)
			err = check(c, i);
		if (err != E_OK)
			return err;
	}
	return E_OK;
}

enum err run_call(struct run *r, const struct expr *e, struct value *ret)
{
	struct value few[4] = { 0 };
	struct call c = { .run = r, .expr = e, .function = e->function, .args = few, .count = e->count };
	enum err err;

	if (e->count > sizeof(few) / sizeof(few[0])) {
		c.args = run_array(r, e->count, sizeof(*c.args));
		if (!c.args)
			return r->err;
	}
	err = eval_arguments(&c);
	if (err != E_OK)
		return err;
	r->at = e->at;
	return c.function->call(&c, ret);
}
