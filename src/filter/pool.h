/*
 * pool.h -- memory that is freed all at once: of a compiled expression, or of one evaluation.
 *
 * Shape     blocks, filled one after another; the first may be the caller's own, so that small work allocates nothing.
 * Units     `max` in bytes, over all blocks.
 * Owner     embedded; pool_release() frees.
 * Errors    sticky in `err`: E_LIMIT over `max`, E_NOMEM
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct pool_block;

struct pool {
	struct pool_block *blocks;
	char *at;
	size_t left;
	size_t used; /* bytes given out */
	size_t max;
	enum err err;
};

/* `first`: `n` bytes that outlive the pool, or NULL and 0. */
void pool_init(struct pool *p, void *first, size_t n, size_t max);

/* `n` zeroed bytes aligned for anything, or NULL. Of none: not NULL, and none are used. */
void *pool_alloc(struct pool *p, size_t n);

/* The same for `n` times `size`. */
void *pool_array(struct pool *p, size_t n, size_t size);

void pool_release(struct pool *p);
