#include "store/queue.h"

struct mpsc_node *queue_cut(struct queue *q, size_t n)
{
	struct mpsc_node *first = q->first;
	struct mpsc_node *last = first;

	if (n >= q->n)
		return queue_take(q);
	if (n == 0)
		return NULL;
	for (size_t i = 1; i < n; i++)
		last = last->next;
	q->first = last->next;
	q->n -= n;
	last->next = NULL;
	return first;
}
