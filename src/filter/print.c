/* The tree as an expression again, fully in parentheses. */
#include <inttypes.h>

#include "filter/function.h"
#include "filter/number.h"

struct printer {
	const struct filter *filter;
	struct buf *out;
};

static void print(const struct printer *p, const struct expr *e);

static void print_string(const struct printer *p, struct str s)
{
	buf_char(p->out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_char(p->out, '\\');
		if (c < ' ' || c == 0x7f)
			buf_addf(p->out, "\\x%02x", c);
		else
			buf_char(p->out, (char)c);
	}
	buf_char(p->out, '"');
}

static void print_float(const struct printer *p, double number)
{
	char text[NUMBER_TEXT_MAX];
	struct str s = { text, number_write(number, text) };

	buf_str(p->out, s);
	if (str_find(s, '.') == s.n && str_find(s, 'e') == s.n)
		buf_lit(p->out, ".0");
}

/* A name that a let could hide is written in a way that none can. */
static void print_name(const struct printer *p, const struct expr *e)
{
	if (lexer_is_name(e->text) && !expr_is_reserved(e->text) && p->filter->local_count == 0) {
		buf_str(p->out, e->text);
		return;
	}
	buf_lit(p->out, "$env[");
	print_string(p, e->text);
	buf_char(p->out, ']');
}

static void print_simple(const struct printer *p, const struct expr *e)
{
	static const char *const pointers[] = { "#", "#index", "#acc" };

	switch ((enum expr_kind)e->kind) {
	case EXPR_BOOL:
		buf_str(p->out, e->truth ? STR("true") : STR("false"));
		break;
	case EXPR_INT:
		buf_addf(p->out, "%" PRId64, e->integer);
		break;
	case EXPR_FLOAT:
		print_float(p, e->number);
		break;
	case EXPR_STRING:
		print_string(p, e->text);
		break;
	case EXPR_NAME:
		print_name(p, e);
		break;
	case EXPR_EVENT:
		buf_lit(p->out, "$env");
		break;
	case EXPR_LOCAL:
		buf_str(p->out, e->text);
		break;
	case EXPR_POINTER:
		buf_str(p->out, str_of(pointers[e->pointer]));
		break;
	default:
		buf_lit(p->out, "nil");
		break;
	}
}

/* What a dot, a bracket or a method follows. */
static void print_base(const struct printer *p, const struct expr *e)
{
	bool bare = e->kind == EXPR_NAME || e->kind == EXPR_LOCAL || e->kind == EXPR_EVENT || e->kind == EXPR_POINTER ||
		    e->kind == EXPR_MEMBER || e->kind == EXPR_SLICE || e->kind == EXPR_CALL;

	if (!bare)
		buf_char(p->out, '(');
	print(p, e);
	if (!bare)
		buf_char(p->out, ')');
}

static void print_member(const struct printer *p, const struct expr *e)
{
	print_base(p, e->a);
	if (e->dotted) {
		buf_str(p->out, e->optional ? STR("?.") : STR("."));
		buf_str(p->out, e->b->text);
		return;
	}
	buf_str(p->out, e->optional ? STR("?.[") : STR("["));
	print(p, e->b);
	buf_char(p->out, ']');
}

static void print_slice(const struct printer *p, const struct expr *e)
{
	print_base(p, e->a);
	buf_char(p->out, '[');
	if (e->b)
		print(p, e->b);
	buf_char(p->out, ':');
	if (e->c)
		print(p, e->c);
	buf_char(p->out, ']');
}

static void print_call(const struct printer *p, const struct expr *e)
{
	bool method = strcmp(e->function->space, "time") == 0;

	if (method)
		print_base(p, e->items[0]);
	else
		buf_str(p->out, str_of(e->function->space));
	if (e->function->space[0])
		buf_char(p->out, '.');
	buf_addf(p->out, "%s(", e->function->name);
	for (size_t i = method; i < e->count; i++) {
		bool lazy = function_type_is_lazy(function_type_at(e->function, i));

		if (i > method)
			buf_lit(p->out, ", ");
		if (lazy)
			buf_char(p->out, '{');
		print(p, e->items[i]);
		if (lazy)
			buf_char(p->out, '}');
	}
	buf_char(p->out, ')');
}

static void print_cond(const struct printer *p, const struct expr *e)
{
	buf_char(p->out, '(');
	print(p, e->a);
	buf_lit(p->out, " ?");
	if (e->b) {
		buf_char(p->out, ' ');
		print(p, e->b);
		buf_char(p->out, ' ');
	}
	buf_lit(p->out, ": ");
	print(p, e->c);
	buf_char(p->out, ')');
}

static void print_array(const struct printer *p, const struct expr *e)
{
	buf_char(p->out, '[');
	for (size_t i = 0; i < e->count; i++) {
		if (i)
			buf_lit(p->out, ", ");
		print(p, e->items[i]);
	}
	buf_char(p->out, ']');
}

static void print_map(const struct printer *p, const struct expr *e)
{
	buf_char(p->out, '{');
	for (size_t i = 0; i + 1 < e->count; i += 2) {
		bool plain = e->items[i]->kind == EXPR_STRING;

		if (i)
			buf_lit(p->out, ", ");
		if (!plain)
			buf_char(p->out, '(');
		print(p, e->items[i]);
		buf_str(p->out, plain ? STR(": ") : STR("): "));
		print(p, e->items[i + 1]);
	}
	buf_char(p->out, '}');
}

static void print_operator(const struct printer *p, const struct expr *e)
{
	buf_char(p->out, '(');
	if (e->kind == EXPR_BINARY) {
		print(p, e->a);
		buf_addf(p->out, " %s ", expr_operator((enum op)e->op));
		print(p, e->b);
	} else if (e->kind == EXPR_LET) {
		buf_addf(p->out, "let %.*s = ", STR_ARG(e->text));
		print(p, e->a);
		buf_lit(p->out, "; ");
		print(p, e->b);
	} else {
		buf_addf(p->out, "%s ", expr_operator((enum op)e->op));
		print(p, e->a);
	}
	buf_char(p->out, ')');
}

static void print(const struct printer *p, const struct expr *e)
{
	switch ((enum expr_kind)e->kind) {
	case EXPR_UNARY:
	case EXPR_BINARY:
	case EXPR_LET:
		print_operator(p, e);
		break;
	case EXPR_MEMBER:
		print_member(p, e);
		break;
	case EXPR_SLICE:
		print_slice(p, e);
		break;
	case EXPR_CHAIN:
		print(p, e->a);
		break;
	case EXPR_CALL:
		print_call(p, e);
		break;
	case EXPR_COND:
		print_cond(p, e);
		break;
	case EXPR_ARRAY:
		print_array(p, e);
		break;
	case EXPR_MAP:
		print_map(p, e);
		break;
	default:
		print_simple(p, e);
		break;
	}
}

void filter_print(const struct filter *f, struct buf *ret_text)
{
	print(&(struct printer){ f, ret_text }, f->root);
}
