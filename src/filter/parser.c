#include "filter/parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "filter/limits.h"

/* ---- errors, tokens, nodes ------------------------------------------------------------------------------------------- */

void *parser_fail(struct parser *p, size_t at, const char *format, ...)
{
	char text[256];
	va_list args;

	if (p->err != E_OK)
		return NULL;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->err = why_set(p->why, E_MALFORMED, "%s", text);
	p->err_at = at;
	return NULL;
}

static void *fail_pool(struct parser *p)
{
	if (p->err != E_OK)
		return NULL;
	p->err = why_set(p->why, p->filter->pool.err, "the expression takes more than %d bytes of memory",
			 FILTER_TREE_MAX);
	p->err_at = p->now.at;
	return NULL;
}

void *parser_unexpected(struct parser *p, const char *wanted)
{
	struct str text = str_sub(p->now.text, 0, 40);

	if (p->now.kind == TOKEN_END)
		return parser_fail(p, p->now.at, "the expression ends too early: %s", wanted);
	return parser_fail(p, p->now.at, "unexpected %s%.*s%s: %s", p->now.kind == TOKEN_STRING ? "string \"" : "'",
			   STR_ARG(text), p->now.kind == TOKEN_STRING ? "\"" : "'", wanted);
}

void parser_advance(struct parser *p)
{
	enum err err;

	if (p->err != E_OK)
		return;
	err = lexer_next(&p->lexer, &p->now, p->why);
	if (err == E_OK)
		return;
	p->err = err;
	p->err_at = p->lexer.at;
}

bool parser_is(const struct parser *p, const char *sign_or_word)
{
	return p->err == E_OK && (p->now.kind == TOKEN_SIGN || p->now.kind == TOKEN_NAME) &&
	       str_is(p->now.text, sign_or_word);
}

bool parser_skip(struct parser *p, const char *sign_or_word)
{
	if (!parser_is(p, sign_or_word))
		return false;
	parser_advance(p);
	return p->err == E_OK;
}

bool parser_expect(struct parser *p, const char *sign, const char *wanted)
{
	if (!parser_is(p, sign)) {
		(void)parser_unexpected(p, wanted);
		return false;
	}
	return parser_skip(p, sign);
}

static bool set_height(struct parser *p, struct expr *e, const struct expr *child)
{
	if (child && child->height >= e->height)
		e->height = (unsigned short)(child->height + 1);
	if (e->height < FILTER_HEIGHT_MAX)
		return true;
	(void)parser_fail(p, e->at, "more than %d operators and brackets inside each other", FILTER_HEIGHT_MAX);
	return false;
}

struct expr *parser_node(struct parser *p, enum expr_kind kind, size_t at, struct expr *a, struct expr *b,
			 struct expr *c)
{
	struct expr *e;

	if (p->err != E_OK)
		return NULL;
	e = pool_alloc(&p->filter->pool, sizeof(*e));
	if (!e)
		return fail_pool(p);
	e->kind = (unsigned char)kind;
	e->at = at;
	e->a = a;
	e->b = b;
	e->c = c;
	return set_height(p, e, a) && set_height(p, e, b) && set_height(p, e, c) ? e : NULL;
}

bool parser_add(struct parser *p, struct parser_items *list, struct expr *item)
{
	size_t room = list->room ? 2 * list->room : 4;
	struct expr **items;

	if (!item)
		return false;
	if (list->count == list->room) {
		items = pool_array(&p->filter->pool, room, sizeof(struct expr *));
		if (!items) {
			(void)fail_pool(p);
			return false;
		}
		if (list->count)
			memcpy(items, list->items, list->count * sizeof(struct expr *));
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = item;
	return true;
}

struct expr *parser_list_node(struct parser *p, enum expr_kind kind, size_t at, const struct parser_items *list)
{
	struct expr *e = parser_node(p, kind, at, NULL, NULL, NULL);

	if (!e)
		return NULL;
	e->items = list->items;
	e->count = list->count;
	for (size_t i = 0; i < list->count; i++)
		if (!set_height(p, e, list->items[i]))
			return NULL;
	return e;
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

struct binary {
	const char *word;
	enum op op;
	int precedence;
};

static const struct binary binaries[] = {
#define X(word, op, precedence) { word, OP_##op, precedence },
	BINARY_OPERATORS(X)
#undef X
};

static const struct binary *binary_of(const struct token *t)
{
	for (size_t i = 0; i < ARRAY_LEN(binaries); i++)
		if ((t->kind == TOKEN_SIGN || t->kind == TOKEN_NAME) && str_is(t->text, binaries[i].word))
			return &binaries[i];
	return NULL;
}

/* Words that may have a `not` in front. */
static bool can_be_negated(const struct binary *b)
{
	return b && b->op >= OP_IN && b->op <= OP_ENDS;
}

/* `not` between two operands: the operator behind it, or NULL, and then nothing has moved. */
static const struct binary *negated_of(struct parser *p)
{
	struct lexer ahead = p->lexer;
	struct token next;
	const struct binary *b = NULL;

	if (parser_is(p, "not") && lexer_next(&ahead, &next, NULL) == E_OK)
		b = binary_of(&next);
	return can_be_negated(b) ? b : NULL;
}

static struct expr *parse_pipe(struct parser *p, struct expr *left)
{
	struct token name = p->now;

	if (name.kind != TOKEN_NAME)
		return parser_unexpected(p, "a function stands behind |");
	parser_advance(p);
	return parser_call(p, &name, left);
}

static struct expr *join(struct parser *p, struct expr *left, const struct binary *b, size_t at, bool negated)
{
	struct expr *right = parser_expression(p, b->op == OP_POW ? b->precedence : b->precedence + 1);
	struct expr *e = right ? parser_node(p, EXPR_BINARY, at, left, right, NULL) : NULL;

	if (!e)
		return NULL;
	e->op = (unsigned char)b->op;
	if (!negated)
		return e;
	e = parser_node(p, EXPR_UNARY, at, e, NULL, NULL);
	if (e)
		e->op = OP_NOT;
	return e;
}

/* The operators of at least `precedence` behind `left`. */
static struct expr *parse_binaries(struct parser *p, struct expr *left, int precedence)
{
	bool coalesced = false;

	while (left && p->err == E_OK) {
		const struct binary *negated = negated_of(p), *b = negated ? negated : binary_of(&p->now);
		size_t at = p->now.at;

		if (!b || b->precedence < precedence)
			break;
		if (coalesced && b->op != OP_COALESCE && b->op != OP_PIPE)
			return parser_fail(p, at, "%s beside ??: put one of them in parentheses", b->word);
		if (negated)
			parser_advance(p);
		parser_advance(p);
		left = b->op == OP_PIPE ? parse_pipe(p, left) : join(p, left, b, at, negated != NULL);
		coalesced = b->op == OP_COALESCE;
	}
	return left;
}

/* a ? b : c, and a ?: c for a ? a : c. */
static struct expr *parse_conditional(struct parser *p, struct expr *condition)
{
	while (condition && parser_is(p, "?")) {
		size_t at = p->now.at;
		struct expr *yes = NULL, *no;

		parser_advance(p);
		if (!parser_is(p, ":"))
			yes = parser_expression(p, 0);
		if (!parser_expect(p, ":", "a ? is followed by two values with a : between them"))
			return NULL;
		no = parser_expression(p, 0);
		condition = no ? parser_node(p, EXPR_COND, at, condition, yes, no) : NULL;
	}
	return condition;
}

/* let name = value; expression */
static struct expr *parse_let(struct parser *p)
{
	struct token name;
	struct expr *value, *body, *e;
	struct local local;

	parser_advance(p);
	name = p->now;
	if (name.kind != TOKEN_NAME)
		return parser_unexpected(p, "let is followed by a name");
	parser_advance(p);
	if (!parser_expect(p, "=", "let is followed by a name and ="))
		return NULL;
	value = parser_expression(p, 0);
	if (!value || !parser_expect(p, ";", "a ; ends the value of let"))
		return NULL;
	local = (struct local){ name.text, p->filter->local_count++, p->locals };
	p->locals = &local;
	body = parser_expression(p, 0);
	p->locals = local.outer;
	e = body ? parser_node(p, EXPR_LET, name.at, value, body, NULL) : NULL;
	if (e)
		e->slot = local.slot;
	return e;
}

struct expr *parser_expression(struct parser *p, int precedence)
{
	struct expr *e;

	if (p->err != E_OK)
		return NULL;
	if (p->nest >= FILTER_NEST_MAX)
		return parser_fail(p, p->now.at, "more than %d levels inside each other", FILTER_NEST_MAX);
	p->nest++;
	if (precedence == 0 && parser_is(p, "let")) {
		e = parse_let(p);
	} else {
		e = parse_binaries(p, parser_primary(p), precedence);
		if (precedence == 0)
			e = parse_conditional(p, e);
	}
	p->nest--;
	return p->err == E_OK ? e : NULL;
}

enum err filter_parse(struct filter *f, struct why *why, size_t *ret_at)
{
	struct parser p = { .filter = f, .last_name = &f->names, .why = why };

	p.lexer = (struct lexer){ .text = f->text, .pool = &f->pool, .json_path = f->json_path };
	p.predicates = f->json_path;
	parser_advance(&p);
	f->root = parser_expression(&p, 0);
	if (p.err == E_OK && p.now.kind != TOKEN_END)
		(void)parser_unexpected(&p, "an operator or the end was expected");
	if (p.err != E_OK)
		*ret_at = p.err_at;
	return p.err;
}
