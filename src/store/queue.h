/*
 * queue.h -- requests that a writer took and has not done, in the order they came.
 *
 * Owner     embedded, and must not move: an empty one points into itself. Nodes belong to whoever embeds them.
 */
#pragma once

#include "base/mpsc.h"

struct queue {
	struct mpsc_node *first;
	struct mpsc_node **last;
	size_t n;
};

static inline void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
	q->n = 0;
}

/* Behind the others; what mpsc_take() gave. */
static inline void queue_append(struct queue *q, struct mpsc_node *list)
{
	for (*q->last = list; *q->last; q->n++)
		q->last = &(*q->last)->next;
}

/* All of it; the queue is empty then. */
static inline struct mpsc_node *queue_take(struct queue *q)
{
	struct mpsc_node *first = q->first;

	queue_init(q);
	return first;
}

/* The first `n` nodes, or fewer. */
struct mpsc_node *queue_cut(struct queue *q, size_t n);
