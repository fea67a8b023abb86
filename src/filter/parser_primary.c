#include <errno.h>
#include <stdlib.h>

#include "filter/parser.h"

/* ---- literals --------------------------------------------------------------------------------------------------------- */

/* Digits without their underscores, terminated. */
static bool plain_number(struct str s, char *to, size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '_')
			continue;
		if (n + 1 >= room)
			return false;
		to[n++] = s.p[i];
	}
	to[n] = '\0';
	return n > 0;
}

static bool read_integer(const char *s, bool hex, int64_t *ret_value)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(s, &end, hex ? 16 : 10);
	*ret_value = value;
	return errno == 0 && *end == '\0' && end != s;
}

static bool read_float(const char *s, double *ret_value)
{
	char *end;

	*ret_value = strtod(s, &end);
	return *end == '\0' && end != s && *ret_value <= 1.7976931348623157e308;
}

static struct expr *parse_number(struct parser *p)
{
	char text[400];
	struct token t = p->now;
	bool plain = plain_number(t.text, text, sizeof(text)), hex = plain && (text[1] | 0x20) == 'x';
	bool whole = plain && (hex || !strpbrk(text, ".eE"));
	struct expr *e = parser_node(p, whole ? EXPR_INT : EXPR_FLOAT, t.at, NULL, NULL, NULL);

	if (!e)
		return NULL;
	if (!plain || !(whole ? read_integer(text, hex, &e->integer) : read_float(text, &e->number)))
		return parser_fail(p, t.at, "%.*s is no number of 64 bits", STR_ARG(str_sub(t.text, 0, 40)));
	parser_advance(p);
	return e;
}

static struct expr *parse_string(struct parser *p)
{
	struct expr *e = parser_node(p, EXPR_STRING, p->now.at, NULL, NULL, NULL);

	if (e)
		e->text = p->now.text;
	parser_advance(p);
	return e;
}

static struct expr *parse_array(struct parser *p)
{
	struct parser_items list = { 0 };
	size_t at = p->now.at;

	parser_advance(p);
	while (!parser_is(p, "]")) {
		if (!parser_add(p, &list, parser_expression(p, 0)))
			return NULL;
		if (!parser_is(p, "]") && !parser_expect(p, ",", "elements are separated by commas, and ] ends them"))
			return NULL;
	}
	parser_advance(p);
	return parser_list_node(p, EXPR_ARRAY, at, &list);
}

static struct expr *parse_key(struct parser *p)
{
	struct expr *e;

	if (parser_is(p, "("))
		return parser_expression(p, 0);
	if (p->now.kind != TOKEN_NAME && p->now.kind != TOKEN_STRING && p->now.kind != TOKEN_NUMBER)
		return parser_unexpected(p, "a key is a name, a string, a number or an expression in parentheses");
	e = parse_string(p);
	return e;
}

static struct expr *parse_map(struct parser *p)
{
	struct parser_items list = { 0 };
	size_t at = p->now.at;

	parser_advance(p);
	while (!parser_is(p, "}")) {
		if (!parser_add(p, &list, parse_key(p)) ||
		    !parser_expect(p, ":", "a : stands between a key and its value") ||
		    !parser_add(p, &list, parser_expression(p, 0)))
			return NULL;
		if (!parser_is(p, "}") && !parser_expect(p, ",", "members are separated by commas, and } ends them"))
			return NULL;
	}
	parser_advance(p);
	return parser_list_node(p, EXPR_MAP, at, &list);
}

/* ---- names ------------------------------------------------------------------------------------------------------------- */

struct expr *parser_name(struct parser *p, struct str name, size_t at)
{
	struct expr *e = parser_node(p, EXPR_NAME, at, NULL, NULL, NULL);
	struct expr_name *n = p->filter->names;
	unsigned slot = 0;

	if (!e)
		return NULL;
	while (n && !str_eq(n->text, name)) {
		n = n->next;
		slot++;
	}
	e->text = name;
	e->slot = slot;
	if (n)
		return e;
	n = pool_alloc(&p->filter->pool, sizeof(*n));
	if (!n)
		return parser_fail(p, at, "too many names");
	n->text = name;
	*p->last_name = n;
	p->last_name = &n->next;
	p->filter->name_count++;
	return e;
}

static struct expr *local_node(struct parser *p, const struct token *t)
{
	for (struct local *l = p->locals; l; l = l->outer) {
		struct expr *e;

		if (!str_eq(l->name, t->text))
			continue;
		e = parser_node(p, EXPR_LOCAL, t->at, NULL, NULL, NULL);
		if (e)
			e->slot = l->slot;
		return e;
	}
	return NULL;
}

static struct expr *constant(struct parser *p, const struct token *t)
{
	bool yes = str_is(t->text, "true"),
	     nil = str_is(t->text, "nil") || (p->filter->json_path && str_is(t->text, "null"));
	struct expr *e;

	if (!yes && !nil && !str_is(t->text, "false"))
		return NULL;
	e = parser_node(p, nil ? EXPR_NIL : EXPR_BOOL, t->at, NULL, NULL, NULL);
	if (e)
		e->truth = yes;
	return e;
}

static bool is_sprig(struct parser *p, const struct token *t)
{
	return str_is(t->text, "sprig") && parser_is(p, ".");
}

/* sprig.name( */
static struct expr *parse_sprig(struct parser *p)
{
	struct token name;

	parser_advance(p);
	name = p->now;
	if (name.kind != TOKEN_NAME)
		return parser_unexpected(p, "sprig. is followed by the name of a function");
	parser_advance(p);
	return parser_call_of(p, "sprig", &name, NULL);
}

/* A word of the language where a value should stand. */
static bool is_operator_word(struct str s)
{
	static const char *const words[] = {
		"in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let"
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_is(s, words[i]))
			return true;
	return false;
}

static struct expr *parse_name(struct parser *p)
{
	struct token t = p->now;
	struct expr *e;

	if (is_operator_word(t.text))
		return parser_unexpected(p, "a value was expected");
	parser_advance(p);
	e = constant(p, &t);
	if (!e && p->err == E_OK)
		e = local_node(p, &t);
	if (e || p->err != E_OK)
		return e;
	if (is_sprig(p, &t))
		return parse_sprig(p);
	if (parser_is(p, "("))
		return parser_call(p, &t, NULL);
	if (str_is(t.text, "$env") || (p->filter->json_path && str_is(t.text, "$")))
		return parser_node(p, EXPR_EVENT, t.at, NULL, NULL, NULL);
	if (p->filter->json_path && str_is(t.text, "@"))
		return parser_node(p, EXPR_POINTER, t.at, NULL, NULL, NULL);
	return parser_name(p, t.text, t.at);
}

/* `#`, `#index`, `#acc`, or the dot of `.field`, which stays for the member. */
static struct expr *parse_pointer(struct parser *p)
{
	size_t at = p->now.at;
	bool dot = parser_is(p, ".");
	struct expr *e = parser_node(p, EXPR_POINTER, at, NULL, NULL, NULL);

	if (p->predicates == 0)
		return parser_fail(p, at, "%s stands for an element, and only inside a predicate: any(list, %s ...)",
				   dot ? "a leading ." : "#", dot ? ".field" : "#");
	if (dot)
		return e;
	parser_advance(p);
	if (!e || p->now.kind != TOKEN_NAME || p->now.at != at + 1)
		return e;
	if (!str_is(p->now.text, "index") && !str_is(p->now.text, "acc"))
		return parser_unexpected(p, "there are #, #index and, in reduce, #acc");
	e->pointer = str_is(p->now.text, "acc") ? POINTER_ACC : POINTER_INDEX;
	parser_advance(p);
	return e;
}

/* ---- what stands between operators ---------------------------------------------------------------------------------------- */

static struct expr *parse_unary(struct parser *p, enum op op, int precedence)
{
	size_t at = p->now.at;
	struct expr *a, *e;

	parser_advance(p);
	a = parser_expression(p, precedence);
	e = a ? parser_node(p, EXPR_UNARY, at, a, NULL, NULL) : NULL;
	if (e)
		e->op = (unsigned char)op;
	return e;
}

static struct expr *parse_parentheses(struct parser *p)
{
	struct expr *e;

	parser_advance(p);
	e = parser_expression(p, 0);
	return e && parser_expect(p, ")", "an opening parenthesis has no closing one") ? e : NULL;
}

static struct expr *parse_operand(struct parser *p)
{
	if (p->now.kind == TOKEN_NUMBER)
		return parse_number(p);
	if (p->now.kind == TOKEN_STRING)
		return parse_string(p);
	if (parser_is(p, "#") || parser_is(p, "."))
		return parse_pointer(p);
	if (p->now.kind == TOKEN_NAME)
		return parse_name(p);
	if (parser_is(p, "["))
		return parse_array(p);
	if (parser_is(p, "{"))
		return parse_map(p);
	if (parser_is(p, "("))
		return parse_parentheses(p);
	return parser_unexpected(p, "a value was expected");
}

struct expr *parser_primary(struct parser *p)
{
	if (p->err != E_OK)
		return NULL;
	if (parser_is(p, "!") || parser_is(p, "not"))
		return parse_unary(p, OP_NOT, PRECEDENCE_NOT);
	if (parser_is(p, "-"))
		return parse_unary(p, OP_MINUS, PRECEDENCE_SIGN);
	if (parser_is(p, "+"))
		return parse_unary(p, OP_PLUS, PRECEDENCE_SIGN);
	return parser_postfix(p, parse_operand(p));
}
