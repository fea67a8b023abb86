/*
 * mpsc.h -- many threads put, one thread takes all.
 *
 * Shape     an intrusive lock-free stack, turned around by the taker: first in, first out per producer.
 * Owner     nodes belong to whoever embeds them; a node is in at most one queue.
 * Threads   mpsc_put() from any thread, mpsc_take() from one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mpsc_node {
	struct mpsc_node *next;
};

struct mpsc {
	_Atomic(struct mpsc_node *) head;
};

/* True when the queue was empty: only then does the taker need a wake-up. */
static inline bool mpsc_put(struct mpsc *q, struct mpsc_node *node)
{
	struct mpsc_node *head = atomic_load_explicit(&q->head, memory_order_relaxed);

	do {
		node->next = head;
	} while (!atomic_compare_exchange_weak_explicit(&q->head, &head, node, memory_order_acq_rel,
							memory_order_relaxed));
	return head == NULL;
}

/* Everything that is there, oldest first, linked by `next`; NULL when empty. */
static inline struct mpsc_node *mpsc_take(struct mpsc *q)
{
	struct mpsc_node *newest = atomic_exchange_explicit(&q->head, NULL, memory_order_acq_rel);
	struct mpsc_node *oldest = NULL;

	while (newest) {
		struct mpsc_node *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}
