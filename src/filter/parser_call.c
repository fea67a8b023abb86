/* Calls of functions. */
#include "filter/function.h"
#include "filter/parser.h"

static struct expr *parse_predicate(struct parser *p)
{
	bool braces = parser_skip(p, "{");
	struct expr *e;

	p->predicates++;
	e = parser_expression(p, 0);
	p->predicates--;
	if (e && braces && !parser_expect(p, "}", "} ends the predicate"))
		return NULL;
	return e;
}

static bool parse_arguments(struct parser *p, const struct function *f, struct parser_items *list)
{
	bool first = true;

	if (!parser_expect(p, "(", "the arguments of a function stand in parentheses"))
		return false;
	while (!parser_is(p, ")")) {
		bool predicate = function_type_is_lazy(function_type_at(f, list->count));

		if (!first && !parser_expect(p, ",", "arguments are separated by commas, and ) ends them"))
			return false;
		if (!parser_add(p, list, predicate ? parse_predicate(p) : parser_expression(p, 0)))
			return false;
		first = false;
	}
	parser_advance(p);
	return p->err == E_OK;
}

static struct expr *unknown(struct parser *p, const char *space, const struct token *name)
{
	const struct function *near = function_nearest(space, name->text);
	const char *dot = *space ? "." : "";

	if (near)
		return parser_fail(p, name->at, "there is no function %s%s%.*s: did you mean %s%s%s?", space, dot,
				   STR_ARG(str_sub(name->text, 0, 40)), space, dot, near->name);
	return parser_fail(p, name->at, "there is no function %s%s%.*s", space, dot,
			   STR_ARG(str_sub(name->text, 0, 40)));
}

struct expr *parser_call_of(struct parser *p, const char *space, const struct token *name, struct expr *first)
{
	const struct function *f = function_find(space, name->text);
	struct parser_items list = { 0 };
	struct expr *e;

	if (p->err != E_OK)
		return NULL;
	if (!f)
		return unknown(p, space, name);
	if ((first && !parser_add(p, &list, first)) || !parse_arguments(p, f, &list))
		return NULL;
	if (list.count < f->min || list.count > f->max)
		return parser_fail(p, name->at, "%s(%s) does not take %zu argument%s", f->name, f->usage, list.count,
				   list.count == 1 ? "" : "s");
	e = parser_list_node(p, EXPR_CALL, name->at, &list);
	if (e)
		e->function = f;
	return e;
}

struct expr *parser_call(struct parser *p, const struct token *name, struct expr *first)
{
	return parser_call_of(p, "", name, first);
}
