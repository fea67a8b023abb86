/*
 * run.h -- one evaluation: what it has used up, and what names and `#` stand for.
 *
 * Shape     the first error is kept and ends everything: functions that can fail return it, walks stop at it.
 * Owner     on the stack of filter_eval(); its pool is freed at the end.
 */
#pragma once

#include "filter/expr.h"
#include "filter/value.h"

/* The element that a predicate looks at. */
struct scope {
	struct value element;
	int64_t index;
	struct value acc;
	struct scope *outer;
};

struct run {
	const struct filter *filter;
	const struct filter_input *in;
	struct value event;  /* what $env is: the input's object */
	struct value *names; /* of the filter's names, once they were looked up */
	bool named;
	struct value *locals;
	struct scope *scope;
	struct pool *pool;
	uint64_t *steps; /* left; shared with the runs of conditions inside */
	int64_t now_ns;
	size_t at; /* the node at work: errors point there */
	struct why *why;
	enum err err;
};

/* One node of the tree. */
enum err run_eval(struct run *r, const struct expr *e, struct value *ret);

/* As run_eval(), and it must be a bool. */
enum err run_eval_bool(struct run *r, const struct expr *e, bool *ret);

/* Keep this error, unless there is one; points to r->at. Returns r->err. */
enum err run_fail(struct run *r, enum err err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The event does not fit the expression: run_fail() with E_MALFORMED. */
#define run_misfit(r, ...) run_fail((r), E_MALFORMED, __VA_ARGS__)

/* Use up so many steps. False: there are none left, and the run has failed. */
bool run_step(struct run *r, uint64_t steps);

/* ... for `n` bytes that are looked at. */
static inline bool run_look(struct run *r, size_t n)
{
	return run_step(r, 1 + n / 64);
}

/* May a walk through a value go so deep? False: no, and the run has failed. */
bool run_depth(struct run *r, unsigned depth);

/* Memory of this run, or NULL, and the run has failed. */
void *run_alloc(struct run *r, size_t n);
void *run_array(struct run *r, size_t n, size_t size);

/* A copy in the pool of what a buffer holds, which is released. */
struct str run_keep(struct run *r, struct buf *b);

/* A buffer that grows up to what the run may still have. */
struct buf run_buf(const struct run *r);

/* Sorts in a stable way. */
void run_sort(struct run *r, void *items, size_t n, size_t size,
	      int (*compare)(const void *a, const void *b, void *ctx), void *ctx);

/* operators.c */
enum err run_binary(struct run *r, const struct expr *e, struct value *ret);
enum err run_unary(struct run *r, const struct expr *e, struct value *ret);
bool run_in(struct run *r, struct value needle, struct value hay);

/* member.c: base[key]; fails on what has no members. */
enum err run_member(struct run *r, struct value base, struct value key, struct value *ret);
enum err run_slice(struct run *r, const struct expr *e, struct value *ret);

/* call.c */
enum err run_call(struct run *r, const struct expr *e, struct value *ret);

/* filter.c: an expression inside a JSONPath. False: it does not fit this element, or the run has failed. */
bool run_condition_value(struct run *r, const struct filter *condition, struct value root, struct value element,
			 struct value *ret);

/* Does it give true, or something that is not empty? */
bool run_condition(struct run *r, const struct filter *condition, struct value root, struct value element);
