/*
 * parser.h -- what the files of the parser share: parser.c (operators), parser_primary.c (what stands between them),
 * parser_postfix.c (what follows a value) and parser_call.c.
 *
 * Shape     precedence climbing; one function per form. After the first error every function returns NULL.
 */
#pragma once

#include "filter/expr.h"

struct parser {
	struct filter *filter;
	struct lexer lexer;
	struct token now;
	struct expr_name **last_name;
	struct local *locals; /* in scope, innermost first */
	unsigned nest;
	unsigned predicates; /* around this place */
	enum err err;
	size_t err_at;
	struct why *why;
};

struct local {
	struct str name;
	unsigned slot;
	struct local *outer;
};

/* Sets the error unless there is one. Returns NULL, so that it ends a function. */
void *parser_fail(struct parser *p, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "unexpected ..." about the token at hand. */
void *parser_unexpected(struct parser *p, const char *wanted);

/* The next token becomes the one at hand; nothing happens after an error. */
void parser_advance(struct parser *p);

/* Is it the one at hand? skip: and if so, go on behind it; expect: else "unexpected ..., `wanted`". False after an error. */
bool parser_is(const struct parser *p, const char *sign_or_word);
bool parser_skip(struct parser *p, const char *sign_or_word);
bool parser_expect(struct parser *p, const char *sign, const char *wanted);

/* A node of `kind` at the byte `at` above up to three others. */
struct expr *parser_node(struct parser *p, enum expr_kind kind, size_t at, struct expr *a, struct expr *b,
			 struct expr *c);

/* Collects the items of a list into an array of the pool. */
struct parser_items {
	struct expr **items;
	size_t count;
	size_t room;
};
bool parser_add(struct parser *p, struct parser_items *list, struct expr *item);
struct expr *parser_list_node(struct parser *p, enum expr_kind kind, size_t at, const struct parser_items *list);

/* An expression of operators that bind at least as `precedence`; one operand with what is in front of it. NULL: an error. */
struct expr *parser_expression(struct parser *p, int precedence);
struct expr *parser_primary(struct parser *p);

/* The members, slices and methods behind `e`. */
struct expr *parser_postfix(struct parser *p, struct expr *e);

/* The member `name` of the event. */
struct expr *parser_name(struct parser *p, struct str name, size_t at);

/* The call of the function at hand with `first` before its arguments (a pipe), or NULL. */
struct expr *parser_call(struct parser *p, const struct token *name, struct expr *first);

/* The same for a function of `space` ("sprig", "time"). */
struct expr *parser_call_of(struct parser *p, const char *space, const struct token *name, struct expr *first);
