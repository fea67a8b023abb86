/*
 * budget.h -- memory that peers may make us hold, counted at two levels: one connection's, and everybody's.
 *
 * Units     bytes; `max` 0: no limit.
 * Threads   the loop's.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct rpc_budget {
	size_t used;
	size_t max;
	struct rpc_budget *parent; /* counted there too; NULL: none */
};

static inline bool rpc_budget_has(const struct rpc_budget *b, size_t n)
{
	for (; b; b = b->parent)
		if (b->max && (b->used > b->max || n > b->max - b->used))
			return false;
	return true;
}

/* Take `n`, here and in the parents; false, and nothing taken: it does not fit. */
static inline bool rpc_budget_take(struct rpc_budget *b, size_t n)
{
	if (!rpc_budget_has(b, n))
		return false;
	for (; b; b = b->parent)
		b->used += n;
	return true;
}

/* Give back what was taken. */
static inline void rpc_budget_give(struct rpc_budget *b, size_t n)
{
	for (; b; b = b->parent) {
		assert(b->used >= n);
		b->used -= n;
	}
}
