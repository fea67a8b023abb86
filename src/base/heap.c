#include "base/heap.h"

#include <assert.h>

#include "base/mem.h"

static void place(struct heap *h, size_t at, struct heap_node *node)
{
	h->nodes[at] = node;
	node->at = at + 1;
}

static void sift_up(struct heap *h, size_t at, struct heap_node *node)
{
	while (at && h->nodes[(at - 1) / 2]->key > node->key) {
		place(h, at, h->nodes[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(h, at, node);
}

static void sift_down(struct heap *h, size_t at, struct heap_node *node)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (h->nodes[child]->key >= node->key)
			break;
		place(h, at, h->nodes[child]);
		at = child;
	}
	place(h, at, node);
}

enum err heap_reserve(struct heap *h, size_t n)
{
	size_t cap = h->cap ? h->cap : 16;
	struct heap_node **nodes;

	if (n <= h->cap)
		return E_OK;
	while (cap < n)
		cap *= 2;
	nodes = mem_realloc(h->nodes, cap * sizeof(*nodes));
	if (!nodes)
		return E_NOMEM;
	h->nodes = nodes;
	h->cap = cap;
	return E_OK;
}

enum err heap_put(struct heap *h, struct heap_node *node, uint64_t key)
{
	assert(!heap_holds(node));
	if (heap_reserve(h, h->n + 1) != E_OK)
		return E_NOMEM;
	node->key = key;
	h->n++;
	sift_up(h, h->n - 1, node);
	return E_OK;
}

void heap_move(struct heap *h, struct heap_node *node, uint64_t key)
{
	uint64_t before = node->key;

	assert(heap_holds(node) && h->nodes[node->at - 1] == node);
	node->key = key;
	if (key < before)
		sift_up(h, node->at - 1, node);
	else
		sift_down(h, node->at - 1, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	struct heap_node *last;
	size_t at;

	if (!heap_holds(node))
		return;
	assert(h->nodes[node->at - 1] == node);
	at = node->at - 1;
	node->at = 0;
	last = h->nodes[--h->n];
	if (last == node)
		return;
	if (at && h->nodes[(at - 1) / 2]->key > last->key)
		sift_up(h, at, last);
	else
		sift_down(h, at, last);
}

void heap_release(struct heap *h)
{
	mem_free(h->nodes);
	*h = (struct heap){ 0 };
}
