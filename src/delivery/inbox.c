#include <assert.h>

#include "base/rand.h"
#include "delivery/inbox_impl.h"

const struct inbox_options inbox_defaults = {
#define X(name, type, min, max, default_, unit, meaning) .name = (default_),
	INBOX_LIMITS(X)
#undef X
		.two_step = true,
};

static uint64_t within(uint64_t value, uint64_t min, uint64_t max)
{
	if (value < min)
		return min;
	return value > max ? max : value;
}

struct inbox *inbox_new(const struct inbox_options *options)
{
	struct inbox *i = mem_alloc(sizeof(*i));

	if (!i)
		return NULL;
	i->options = *options;
#define X(name, type, min, max, default_, unit, meaning) i->options.name = (type)within(options->name, min, max);
	INBOX_LIMITS(X)
#undef X
	list_init(&i->in_use);
	list_init(&i->ready);
	list_init(&i->answers);
	list_init(&i->unsaid);
	rand_bytes(i->keys, sizeof(i->keys));
	return i;
}

void parcel_free(struct parcel *p)
{
	if (!p)
		return;
	blob_unref(p->work.event.bytes);
	mem_free(p->reason);
	mem_free(p);
}

struct parcel *queue_first(const struct queue *q)
{
	return list_empty(&q->parcels) ? NULL : CONTAINER_OF(q->parcels.next, struct parcel, in_queue);
}

static void free_queue(struct queue *q)
{
	struct parcel *p;

	while ((p = queue_first(q))) {
		list_remove(&p->in_queue);
		list_remove(&p->in_answers);
		parcel_free(p);
	}
	mem_free(q);
}

void inbox_free(struct inbox *i)
{
	const struct map_entry *entry;
	size_t at = 0;

	if (!i)
		return;
	while ((entry = map_next(&i->queues, &at)))
		free_queue(entry->value);
	while (!list_empty(&i->answers)) {
		struct parcel *p = CONTAINER_OF(i->answers.next, struct parcel, in_answers);

		list_remove(&p->in_answers);
		parcel_free(p);
	}
	parcel_free(i->lent);
	at = 0;
	while ((entry = map_next(&i->memories, &at)))
		mem_free(entry->value);
	map_release(&i->queues);
	map_release(&i->memories);
	mem_free(i);
}

/* The first of a queue may be applied. An empty queue goes. */
static void queue_settle(struct inbox *i, struct queue *q)
{
	struct parcel *p = queue_first(q);

	if (p) {
		list_put_last(&i->ready, &p->in_ready);
		return;
	}
	(void)map_remove(&i->queues, (struct str){ q->key, q->key_n });
	mem_free(q);
}

void parcel_answer(struct inbox *i, struct parcel *p)
{
	list_remove(&p->in_unsaid);
	if (link_held(&p->in_answers))
		return;
	list_put_last(&i->answers, &p->in_answers);
	i->stats.answers++;
}

/* Out of its queue, its window and its memory's hold. */
static void leave(struct inbox *i, struct parcel *p)
{
	list_remove(&p->in_ready);
	list_remove(&p->in_queue);
	p->queue = NULL;
	i->stats.bytes -= blob_view(p->work.event.bytes).n;
	i->stats.older -= p->work.epoch != i->epoch;
	memory_let_go(i, p->memory);
	p->memory = NULL;
}

enum err inbox_connected(struct inbox *i, uint64_t epoch)
{
	if (epoch <= i->epoch)
		return E_CANCELLED;
	i->epoch = epoch;
	i->stats.older = i->stats.queued + i->stats.applying;
	return E_OK;
}

void inbox_two_step(struct inbox *i, bool two_step)
{
	i->options.two_step = two_step;
}

enum err inbox_remember(struct inbox *i, const struct delivery_event *e)
{
	struct memory *m;

	if (!delivery_event_ok(e))
		return E_MALFORMED;
	m = memory_get(i, e->resource_id);
	if (!m)
		return E_NOMEM;
	memory_note(m, e->type, memory_mark(i, e));
	return E_OK;
}

struct inbox_work *inbox_next(struct inbox *i)
{
	struct parcel *p;

	if (list_empty(&i->ready) || i->stats.applying >= i->options.parallel_max)
		return NULL;
	p = CONTAINER_OF(i->ready.next, struct parcel, in_ready);
	list_remove(&p->in_ready);
	i->stats.queued--;
	i->stats.applying++;
	return &p->work;
}

static void count(struct inbox *i, const struct parcel *p)
{
	if (p->outcome == DELIVERY_APPLIED)
		i->stats.applied++;
	else if (p->retryable)
		i->stats.rejected_retryable++;
	else
		i->stats.rejected++;
}

void inbox_done(struct inbox *i, struct inbox_work *work, enum delivery_outcome outcome, bool retryable,
		struct str reason)
{
	struct parcel *p = CONTAINER_OF(work, struct parcel, work);
	struct queue *q = p->queue;

	assert(outcome != DELIVERY_RECEIVED && q && queue_first(q) == p && !link_held(&p->in_ready));
	p->outcome = outcome;
	p->retryable = outcome == DELIVERY_REJECTED && retryable;
	reason = delivery_reason_cut(reason);
	if (outcome == DELIVERY_REJECTED && reason.n)
		p->reason = mem_dup(reason.p, reason.n);
	if (outcome == DELIVERY_APPLIED)
		memory_note(p->memory, p->work.event.type, p->mark);
	count(i, p);
	i->stats.applying--;
	leave(i, p);
	blob_unref(TAKE(p->work.event.bytes));
	queue_settle(i, q);
	parcel_answer(i, p);
}

/* When its peer should be told that we have what came first of all that it was not told of. */
static uint64_t receipt_due(const struct inbox *i)
{
	const struct link *first = list_first(&i->unsaid);

	return first ? CONTAINER_OF(first, struct parcel, in_unsaid)->work.event.came_ms + i->options.receipt_ms
		     : UINT64_MAX;
}

uint64_t inbox_due(const struct inbox *i)
{
	return list_empty(&i->answers) ? receipt_due(i) : 0;
}

bool inbox_answer(struct inbox *i, uint64_t now_ms, struct delivery_answer *ret_answer)
{
	struct parcel *p;

	parcel_free(TAKE(i->lent));
	while (receipt_due(i) <= now_ms)
		parcel_answer(i, CONTAINER_OF(i->unsaid.next, struct parcel, in_unsaid));
	if (list_empty(&i->answers))
		return false;
	p = CONTAINER_OF(i->answers.next, struct parcel, in_answers);
	list_remove(&p->in_answers);
	i->stats.answers--;
	if (p->outcome != DELIVERY_RECEIVED)
		i->lent = p;
	*ret_answer = (struct delivery_answer){
		.outcome = p->outcome,
		.retryable = p->retryable,
		.resource_id = p->work.event.resource_id,
		.event_id = p->work.event.event_id,
		.reason = str_of(p->reason),
		.order = p->work.event.order,
	};
	return true;
}

void inbox_stats(const struct inbox *i, struct inbox_stats *ret_stats)
{
	*ret_stats = i->stats;
	ret_stats->remembered = i->memories.n;
}

void inbox_progress(const struct inbox *i, uint64_t now_ms, struct delivery_progress *p)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&i->queues, &at))) {
		const struct parcel *first = queue_first(e->value);

		if (first && first->work.event.begun_ms)
			delivery_progress_add(p, first->work.event.begun_ms, now_ms);
	}
}
