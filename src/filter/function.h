/*
 * function.h -- functions of the language, a row each.
 *
 * Shape     functions.h has the rows: the parser finds names there, call.c checks the arguments against the row's types
 *           before the function runs, the reference is printed from them.
 * Source    the language definition of expr 1.15; sprig 3 (generic functions); facts argo-events 3.2
 */
#pragma once

#include "filter/run.h"

/* One call while it runs. */
struct call {
	struct run *run;
	const struct expr *expr;
	const struct function *function;
	struct value *args; /* a predicate's place holds nil */
	size_t count;
};

struct function {
	const char *space; /* "", "sprig", or "time" for what stands behind a dot */
	const char *name;
	unsigned min; /* arguments */
	unsigned max;
	/*
	 * Of the arguments, the last one repeats: a letter of VALUE_TYPES each; n: any number, v: anything, p: a predicate, q: an
	 * expression for each element.
	 */
	const char *types;
	char result; /* the same; v when it depends */
	enum err (*call)(struct call *c, struct value *ret);
	const char *usage; /* "str[, chars]" */
	const char *meaning;
};

#define FUNCTION_ARGS_MAX 64

const struct function *function_find(const char *space, struct str name);

/* The function with the name nearest to a misspelt one, or NULL. */
const struct function *function_nearest(const char *space, struct str name);

/* All rows, ended by one without a name. */
extern const struct function functions[];

/* Is this argument looked at for each element, not evaluated before the call? */
static inline bool function_type_is_lazy(char letter)
{
	return letter == 'p' || letter == 'q';
}

/* The type that argument `i` of `f` must have. */
char function_type_at(const struct function *f, size_t i);

/* "string" for 's'; "number" for 'n', "any" for 'v'. */
const char *function_type_name(char letter);

/* Is a value of this type what the letter asks for? */
bool function_takes(char letter, struct value v);

/* Fails the call: the value does not do, whatever its type. */
#define call_misfit(c, ...) run_misfit((c)->run, __VA_ARGS__)
