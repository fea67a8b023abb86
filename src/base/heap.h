/*
 * heap.h -- the earliest of many, in O(log n).
 *
 * Shape     a binary min-heap of embedded nodes ordered by `key` (a time, usually); equal keys in any order.
 * Owner     the heap owns its array of pointers; nodes belong to whoever embeds them. A zeroed struct heap is empty.
 * Errors    E_NOMEM from heap_put() and heap_reserve() only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct heap_node {
	uint64_t key;
	size_t at; /* place in the heap, from 1; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t n;
	size_t cap;
};

/* Room for `n` nodes in all: up to that many heap_put() cannot fail. */
enum err heap_reserve(struct heap *h, size_t n);

/* Put `node` (in no heap) with `key`. */
enum err heap_put(struct heap *h, struct heap_node *node, uint64_t key);

/* Change the key of a node that is in the heap. */
void heap_move(struct heap *h, struct heap_node *node, uint64_t key);

/* Take out a node; nothing happens when it is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The node with the smallest key, still in the heap; NULL when empty. */
static inline struct heap_node *heap_first(const struct heap *h)
{
	return h->n ? h->nodes[0] : NULL;
}

static inline bool heap_holds(const struct heap_node *node)
{
	return node->at != 0;
}

void heap_release(struct heap *h);
