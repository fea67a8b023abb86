/* What follows a value: members, elements, slices, methods. */
#include "filter/function.h"
#include "filter/parser.h"

static struct expr *member_node(struct parser *p, struct expr *base, struct expr *key, size_t at, bool optional)
{
	struct expr *e;

	/* $env["x"] is the name x, whatever characters are in it. */
	if (base->kind == EXPR_EVENT && key->kind == EXPR_STRING && !p->filter->json_path)
		return parser_name(p, key->text, at);
	e = parser_node(p, EXPR_MEMBER, at, base, key, NULL);
	if (e)
		e->optional = optional;
	return e;
}

static struct expr *parse_dot(struct parser *p, struct expr *base, bool optional)
{
	struct token t = p->now;
	struct expr *key, *e;

	if (t.kind != TOKEN_NAME)
		return parser_unexpected(p, "a . is followed by a name; other keys go in brackets: [\"X-Key\"]");
	parser_advance(p);
	if (parser_is(p, "(") && function_find("time", t.text))
		return parser_call_of(p, "time", &t, base);
	if (parser_is(p, "("))
		return parser_fail(p, t.at, "there is no method %.*s", STR_ARG(str_sub(t.text, 0, 40)));
	key = parser_node(p, EXPR_STRING, t.at, NULL, NULL, NULL);
	if (!key)
		return NULL;
	key->text = t.text;
	e = member_node(p, base, key, t.at, optional);
	if (e)
		e->dotted = true;
	return e;
}

/* Behind the bracket: [key], [from:to], [from:], [:to], [:]. */
static struct expr *parse_bracket(struct parser *p, struct expr *base, size_t at, bool optional)
{
	struct expr *from = NULL, *to = NULL, *e;

	if (!parser_is(p, ":")) {
		from = parser_expression(p, 0);
		if (!from)
			return NULL;
	}
	if (parser_skip(p, ":")) {
		if (!parser_is(p, "]"))
			to = parser_expression(p, 0);
		e = parser_node(p, EXPR_SLICE, at, base, from, to);
	} else {
		e = from ? member_node(p, base, from, at, optional) : NULL;
	}
	return e && parser_expect(p, "]", "] ends what stands in brackets") ? e : NULL;
}

static struct expr *parse_one_postfix(struct parser *p, struct expr *e, bool *chain)
{
	size_t at = p->now.at;
	bool optional = parser_is(p, "?.");

	*chain |= optional;
	if (parser_skip(p, "[") || (optional && parser_skip(p, "?.") && parser_skip(p, "[")))
		return parse_bracket(p, e, at, optional);
	(void)parser_skip(p, ".");
	return parse_dot(p, e, optional);
}

struct expr *parser_postfix(struct parser *p, struct expr *e)
{
	bool chain = false;

	while (e && (parser_is(p, ".") || parser_is(p, "?.") || parser_is(p, "["))) {
		if (e->kind == EXPR_CHAIN) {
			e = e->a;
			chain = true;
		}
		e = parse_one_postfix(p, e, &chain);
	}
	return e && chain ? parser_node(p, EXPR_CHAIN, e->at, e, NULL, NULL) : e;
}
