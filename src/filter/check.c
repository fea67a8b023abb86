/* What can be known before there is an event: types that cannot fit, patterns and paths that are none. */
#include "filter/function.h"
#include "filter/json_path.h"
#include "filter/pattern.h"

struct checker {
	struct filter *filter;
	struct why *why;
	enum err err;
	size_t at;
};

/* Types are the letters of VALUE_TYPES; v is any, n a number of either type. */
static char type_of(struct checker *c, struct expr *e);

/* Keeps the first error; its words are in `why` already. */
static char fail(struct checker *c, size_t at, enum err err)
{
	if (c->err == E_OK) {
		c->err = err;
		c->at = at;
	}
	return 'v';
}

#define FAIL(c, at, ...) fail((c), (at), (c)->err != E_OK ? (c)->err : why_set((c)->why, E_MALFORMED, __VA_ARGS__))

static bool is_number(char type)
{
	return type == 'i' || type == 'f' || type == 'n';
}

/* May a value of this type turn out to be one of `letters`? */
static bool may_be(char type, const char *letters)
{
	if (type == 'v')
		return true;
	for (; *letters; letters++)
		if (*letters == type || *letters == 'v' || (*letters == 'n' && is_number(type)) ||
		    (*letters == 'i' && is_number(type)))
			return true;
	return false;
}

static char mismatch(struct checker *c, const struct expr *e, char a, char b)
{
	return FAIL(c, e->at, "%s does not go with %s and %s", expr_operator((enum op)e->op), function_type_name(a),
		    function_type_name(b));
}

static char wants(struct checker *c, const struct expr *e, char type, const char *letters, const char *what)
{
	if (!may_be(type, letters))
		return FAIL(c, e->at, "%s, not %s", what, function_type_name(type));
	return type;
}

/* ---- operators ------------------------------------------------------------------------------------------------------------------------ */

static bool same_order(char a, char b)
{
	static const char *const orders[] = { "n", "s", "t", "d" };

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (may_be(a, orders[i]) && may_be(b, orders[i]))
			return true;
	return false;
}

static bool may_be_equal(char a, char b)
{
	return a == 'v' || b == 'v' || a == b || a == '0' || b == '0' || (is_number(a) && is_number(b));
}

static char type_of_sum(struct checker *c, const struct expr *e, char a, char b)
{
	if (is_number(a) && is_number(b))
		return a == 'i' && b == 'i' ? 'i' : a == 'f' || b == 'f' ? 'f' : 'n';
	if (e->op == OP_ADD && may_be(a, "s") && may_be(b, "s"))
		return a == 's' || b == 's' ? 's' : 'v';
	if (!may_be(a, "ntd") || !may_be(b, "ntd") || (is_number(a) && b != 'v' && b != 'd') ||
	    (is_number(b) && a != 'v' && a != 'd'))
		return mismatch(c, e, a, b);
	return 'v';
}

static char type_of_arithmetic(struct checker *c, const struct expr *e, char a, char b)
{
	if (e->op == OP_ADD || e->op == OP_SUB || e->op == OP_MUL)
		return type_of_sum(c, e, a, b);
	if (!may_be(a, "n") || !may_be(b, "n"))
		return mismatch(c, e, a, b);
	if (e->op == OP_MOD && (a == 'f' || b == 'f'))
		return FAIL(c, e->at, "%% goes with integers: int() makes them");
	return e->op == OP_MOD ? 'i' : e->op == OP_RANGE ? 'l' : 'f';
}

static void bind_pattern(struct checker *c, struct expr *e, const struct expr *pattern)
{
	enum err err;

	if (c->err != E_OK || pattern->kind != EXPR_STRING)
		return;
	err = pattern_new(pattern->text, c->why, &e->pattern);
	if (err != E_OK)
		(void)fail(c, pattern->at, err);
}

static char type_of_textual(struct checker *c, struct expr *e, char a, char b)
{
	if (!may_be(a, "s") || !may_be(b, "s"))
		return mismatch(c, e, a, b);
	if (e->op == OP_MATCHES)
		bind_pattern(c, e, e->b);
	return 'b';
}

static char type_of_in(struct checker *c, const struct expr *e, char a, char b)
{
	if (b == 's')
		return FAIL(c, e->at, "in does not look into strings: write `text contains part`");
	if (!may_be(b, "lm0") || (b == 'm' && !may_be(a, "s0")))
		return mismatch(c, e, a, b);
	return 'b';
}

static char type_of_binary(struct checker *c, struct expr *e)
{
	char a = type_of(c, e->a), b = type_of(c, e->b);

	switch ((enum op)e->op) {
	case OP_OR:
	case OP_AND:
		return may_be(a, "b") && may_be(b, "b") ? 'b' : mismatch(c, e, a, b);
	case OP_EQ:
	case OP_NE:
		return may_be_equal(a, b) ? 'b' : mismatch(c, e, a, b);
	case OP_LT:
	case OP_GT:
	case OP_LE:
	case OP_GE:
		return same_order(a, b) ? 'b' : mismatch(c, e, a, b);
	case OP_IN:
		return type_of_in(c, e, a, b);
	case OP_MATCHES:
	case OP_CONTAINS:
	case OP_STARTS:
	case OP_ENDS:
		return type_of_textual(c, e, a, b);
	case OP_COALESCE:
		return a == '0' ? b : a == b ? a : 'v';
	default:
		return type_of_arithmetic(c, e, a, b);
	}
}

static char type_of_unary(struct checker *c, struct expr *e)
{
	char a = type_of(c, e->a);

	if (e->op == OP_NOT) {
		(void)wants(c, e, a, "b", "not wants true or false");
		return 'b';
	}
	return wants(c, e, a, "nd", "a sign stands before a number");
}

/* ---- the others -------------------------------------------------------------------------------------------------------------------------- */

static char type_of_member(struct checker *c, struct expr *e)
{
	char base = type_of(c, e->a), key = type_of(c, e->b);

	if (e->optional && base == '0')
		return 'v';
	(void)wants(c, e, base, e->dotted && !c->filter->json_path ? "m" : "mls", "only maps and arrays have members");
	if (base == 'l' && !c->filter->json_path)
		(void)wants(c, e->b, key, "n", "an element's place is a number");
	return base == 's' ? 'i' : 'v';
}

static char type_of_slice(struct checker *c, struct expr *e)
{
	char base = type_of(c, e->a);

	if (e->b)
		(void)wants(c, e->b, type_of(c, e->b), "n", "a place in a slice is a number");
	if (e->c)
		(void)wants(c, e->c, type_of(c, e->c), "n", "a place in a slice is a number");
	return wants(c, e, base, "ls", "only arrays and strings have slices");
}

static char type_of_cond(struct checker *c, struct expr *e)
{
	char condition = type_of(c, e->a), yes = e->b ? type_of(c, e->b) : 'b', no = type_of(c, e->c);

	(void)wants(c, e->a, condition, "b", "a condition is true or false");
	return yes == no ? yes : 'v';
}

static void bind_path(struct checker *c, struct expr *e, const struct expr *path)
{
	enum err err;

	if (c->err != E_OK || path->kind != EXPR_STRING)
		return;
	err = json_path_read(path->text, &c->filter->pool, c->why, &e->path);
	if (err != E_OK)
		(void)fail(c, path->at, err);
}

static void check_argument(struct checker *c, struct expr *e, size_t i)
{
	const struct function *f = e->function;
	char letter = function_type_at(f, i), type = type_of(c, e->items[i]), wanted[] = { letter, '\0' };

	if (letter == 'p')
		(void)wants(c, e->items[i], type, "b", "a predicate is true or false");
	else if (letter != 'q' && !may_be(type, wanted))
		(void)FAIL(c, e->items[i]->at, "%s(%s): argument %zu is %s, not %s", f->name, f->usage, i + 1,
			   function_type_name(type), function_type_name(letter));
}

static char type_of_call(struct checker *c, struct expr *e)
{
	const struct function *f = e->function;

	for (size_t i = 0; i < e->count; i++)
		check_argument(c, e, i);
	if (strcmp(f->name, "regexMatch") == 0)
		bind_pattern(c, e, e->items[0]);
	if (strcmp(f->name, "jsonpath") == 0)
		bind_path(c, e, e->items[1]);
	return f->result;
}

static char type_of_items(struct checker *c, struct expr *e)
{
	for (size_t i = 0; i < e->count; i++) {
		char type = type_of(c, e->items[i]);

		if (e->kind == EXPR_MAP && i % 2 == 0)
			(void)wants(c, e->items[i], type, "s", "a key is a string");
	}
	return e->kind == EXPR_MAP ? 'm' : 'l';
}

static char type_of(struct checker *c, struct expr *e)
{
	static const char simple[] = {
		[EXPR_NIL] = '0', [EXPR_BOOL] = 'b', [EXPR_INT] = 'i', [EXPR_FLOAT] = 'f', [EXPR_STRING] = 's'
	};

	switch ((enum expr_kind)e->kind) {
	case EXPR_UNARY:
		return type_of_unary(c, e);
	case EXPR_BINARY:
		return type_of_binary(c, e);
	case EXPR_MEMBER:
		return type_of_member(c, e);
	case EXPR_SLICE:
		return type_of_slice(c, e);
	case EXPR_CHAIN:
		(void)type_of(c, e->a);
		return 'v';
	case EXPR_CALL:
		return type_of_call(c, e);
	case EXPR_COND:
		return type_of_cond(c, e);
	case EXPR_LET:
		(void)type_of(c, e->a);
		return type_of(c, e->b);
	case EXPR_ARRAY:
	case EXPR_MAP:
		return type_of_items(c, e);
	case EXPR_POINTER:
		return e->pointer == POINTER_INDEX ? 'i' : 'v';
	case EXPR_NAME:
	case EXPR_LOCAL:
	case EXPR_EVENT:
		return 'v';
	default:
		return simple[e->kind];
	}
}

enum err filter_check(struct filter *f, bool wants_bool, struct why *why, size_t *ret_at)
{
	struct checker c = { .filter = f, .why = why };
	char type = type_of(&c, f->root);

	if (wants_bool)
		(void)wants(&c, f->root, type, "b", "a filter gives true or false");
	if (c.err != E_OK)
		*ret_at = c.at;
	return c.err;
}
