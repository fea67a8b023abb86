/*
 * expr.h -- the tree of an expression.
 *
 * Shape     one kind of node for everything; what its fields mean stands at its kind. Locals and names of the event are
 *           numbered, so that an evaluation finds them in arrays.
 * Owner     all of it lies in the filter's pool, except what `pattern` and `path` hold (filter.c frees those).
 */
#pragma once

#include "filter/filter.h"
#include "filter/lexer.h"
#include "filter/pool.h"

struct function;
struct pattern;
struct json_path;

/* clang-format off */
/*        word          op        precedence */
#define BINARY_OPERATORS(X)                  \
	X("|",          PIPE,         0)     \
	X("or",         OR,          10)     \
	X("||",         OR,          10)     \
	X("and",        AND,         15)     \
	X("&&",         AND,         15)     \
	X("==",         EQ,          20)     \
	X("!=",         NE,          20)     \
	X("<",          LT,          20)     \
	X(">",          GT,          20)     \
	X("<=",         LE,          20)     \
	X(">=",         GE,          20)     \
	X("in",         IN,          20)     \
	X("matches",    MATCHES,     20)     \
	X("contains",   CONTAINS,    20)     \
	X("startsWith", STARTS,      20)     \
	X("endsWith",   ENDS,        20)     \
	X("..",         RANGE,       25)     \
	X("+",          ADD,         30)     \
	X("-",          SUB,         30)     \
	X("*",          MUL,         60)     \
	X("/",          DIV,         60)     \
	X("%",          MOD,         60)     \
	X("**",         POW,        100)     \
	X("^",          POW,        100)     \
	X("??",         COALESCE,   500)
/* clang-format on */

#define PRECEDENCE_NOT  50
#define PRECEDENCE_SIGN 90

enum op {
	OP_PIPE,
	OP_OR,
	OP_AND,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_GT,
	OP_LE,
	OP_GE,
	OP_IN,
	OP_MATCHES,
	OP_CONTAINS,
	OP_STARTS,
	OP_ENDS,
	OP_RANGE,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_COALESCE,
	OP_NOT, /* unary, as the next two */
	OP_MINUS,
	OP_PLUS,
};

/* What stands for an element inside a predicate. */
enum pointer { POINTER_ELEMENT, POINTER_INDEX, POINTER_ACC };

enum expr_kind {
	EXPR_NIL,
	EXPR_BOOL,    /* truth */
	EXPR_INT,     /* integer */
	EXPR_FLOAT,   /* number */
	EXPR_STRING,  /* text */
	EXPR_NAME,    /* a member of the event: text, slot */
	EXPR_EVENT,   /* $env, and $ in a JSONPath */
	EXPR_LOCAL,   /* of a let: slot */
	EXPR_POINTER, /* pointer */
	EXPR_UNARY,   /* op, a */
	EXPR_BINARY,  /* op, a, b; pattern: when b is constant */
	EXPR_MEMBER,  /* a[b] or a.b; optional: nil when a is; dotted: b is a constant string behind a dot */
	EXPR_SLICE,   /* a[b:c]; b and c may be NULL */
	EXPR_CHAIN,   /* a; nil when an optional member inside has no object */
	EXPR_CALL,    /* function, items; predicate is an item, too; path: of a constant JSONPath */
	EXPR_COND,    /* a ? b : c; b NULL: a itself */
	EXPR_LET,     /* slot; a: its value, b: where it holds */
	EXPR_ARRAY,   /* items */
	EXPR_MAP,     /* items: key, value, key, value .. */
};

struct expr {
	unsigned char kind;
	unsigned char op;
	unsigned char pointer;
	bool optional;
	bool dotted;
	bool truth;
	unsigned short height;
	unsigned slot;
	size_t at; /* offset in the text: what errors point to */
	union {
		int64_t integer;
		double number;
		struct str text;
	};
	struct expr *a, *b, *c;
	struct expr **items;
	size_t count;
	const struct function *function;
	struct pattern *pattern;
	struct json_path *path;
};

/* A member of the event that the expression names. */
struct expr_name {
	struct str text;
	struct expr_name *next; /* slot numbers rise from the first */
};

struct filter {
	struct str text; /* a copy */
	struct pool pool;
	struct expr *root;
	struct expr_name *names;
	unsigned name_count;
	unsigned local_count;
	bool json_path; /* a condition inside a JSONPath: `@` and `$` */
};

/* The word of an operator, the longer one where there are two: "or". */
const char *expr_operator(enum op op);

/* "column 7: " or "line 2, column 7: ", in front of a message about the byte `at` of `text`. */
struct filter_place filter_place_of(struct str text, size_t at);

/* Begin the story of an error at the byte `at`. Returns `err`. */
enum err filter_say(struct str text, size_t at, struct why *why, enum err err, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* parser.c: the text of `f` into its tree. `ret_at` is set on an error. */
enum err filter_parse(struct filter *f, struct why *why, size_t *ret_at);

/* check.c: types that cannot fit, patterns and paths that are none; binds constants. `wants_bool`: of the whole. */
enum err filter_check(struct filter *f, bool wants_bool, struct why *why, size_t *ret_at);

/* A condition inside a JSONPath, compiled into `text` with `@` and `$`. */
enum err filter_compile_condition(struct str text, struct why *why, struct filter **ret_filter);
