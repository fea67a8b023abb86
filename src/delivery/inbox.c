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
	rand_bytes(i->keys, sizeof(i->keys));
	return i;
}

static void parcel_free(struct parcel *p)
{
	if (!p)
		return;
	blob_unref(p->work.event.bytes);
	mem_free(p->reason);
	mem_free(p);
}

DEFINE_FREEP(parcel, struct parcel, parcel_free)

static struct parcel *first_of(const struct queue *q)
{
	return list_empty(&q->parcels) ? NULL : CONTAINER_OF(q->parcels.next, struct parcel, in_queue);
}

static void free_queue(struct queue *q)
{
	struct parcel *p;

	while ((p = first_of(q))) {
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

static struct str copy_text(char **at, struct str s)
{
	char *to = *at;

	if (s.n)
		memcpy(to, s.p, s.n);
	*at += s.n;
	return (struct str){ to, s.n };
}

static struct parcel *parcel_new(const struct delivery_event *e)
{
	size_t n = e->kind.n + e->namespace.n + e->name.n + e->resource_id.n + e->event_id.n;
	struct parcel *p = mem_alloc(sizeof(*p) + n);
	char *at;

	if (!p)
		return NULL;
	at = p->text;
	p->work.event = *e;
	p->work.event.kind = copy_text(&at, e->kind);
	p->work.event.namespace = copy_text(&at, e->namespace);
	p->work.event.name = copy_text(&at, e->name);
	p->work.event.resource_id = copy_text(&at, e->resource_id);
	p->work.event.event_id = copy_text(&at, e->event_id);
	p->work.event.bytes = blob_ref(e->bytes);
	return p;
}

static struct queue *queue_new(struct inbox *i, struct str key)
{
	struct queue *q = mem_alloc(sizeof(*q) + key.n);

	if (!q)
		return NULL;
	list_init(&q->parcels);
	q->key_n = key.n;
	memcpy(q->key, key.p, key.n);
	if (map_put(&i->queues, (struct str){ q->key, q->key_n }, q) == E_OK)
		return q;
	mem_free(q);
	return NULL;
}

/* The first of a queue may be applied. An empty queue goes. */
static void queue_settle(struct inbox *i, struct queue *q)
{
	struct parcel *p = first_of(q);

	if (p) {
		list_put_last(&i->ready, &p->in_ready);
		return;
	}
	(void)map_remove(&i->queues, (struct str){ q->key, q->key_n });
	mem_free(q);
}

static void answer(struct inbox *i, struct parcel *p)
{
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
	memory_let_go(i, p->memory);
	p->memory = NULL;
}

enum err inbox_connected(struct inbox *i, uint64_t epoch)
{
	if (epoch <= i->epoch)
		return E_CANCELLED;
	i->epoch = epoch;
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

/* The same event in progress, or NULL. */
static struct parcel *in_progress(const struct queue *q, const struct delivery_event *e, struct mark mark)
{
	for (const struct link *l = q ? q->parcels.next : NULL; q && l != &q->parcels; l = l->next) {
		struct parcel *p = CONTAINER_OF(l, struct parcel, in_queue);

		if (mark_eq(p->mark, mark) && str_eq(p->work.event.resource_id, e->resource_id))
			return p;
	}
	return NULL;
}

static uint64_t unanswered(const struct inbox *i)
{
	return i->stats.queued + i->stats.applying;
}

/* An event larger than the whole window comes alone. */
static bool has_room(const struct inbox *i, const struct delivery_event *e)
{
	uint64_t n = blob_view(e->bytes).n;

	if (unanswered(i) == 0)
		return true;
	return unanswered(i) < i->options.window_events && n <= i->options.window_bytes &&
	       i->stats.bytes <= i->options.window_bytes - n;
}

static enum err accept(struct inbox *i, struct queue *q, struct str key, const struct delivery_event *e)
{
	CLEANUP(parcel_freep) struct parcel *p = parcel_new(e);
	struct memory *m = p ? memory_get(i, e->resource_id) : NULL;

	if (!m)
		return E_NOMEM;
	if (!q)
		q = queue_new(i, key);
	if (!q)
		return E_NOMEM;
	memory_hold(m);
	m->epoch = i->epoch;
	m->order = e->order;
	p->mark = memory_mark(i, e);
	p->memory = m;
	p->queue = q;
	p->work.epoch = i->epoch;
	i->stats.bytes += blob_view(e->bytes).n;
	i->stats.queued++;
	p->work.number = ++i->stats.accepted;
	if (i->options.two_step)
		answer(i, p);
	list_put_last(&q->parcels, &p->in_queue);
	if (first_of(q) == p)
		list_put_last(&i->ready, &p->in_ready);
	p = NULL;
	return E_OK;
}

/* It is being dealt with: that is all there is to say, under the order of the latest copy. */
static void repeat_in_progress(struct inbox *i, struct parcel *p, uint64_t order)
{
	i->stats.repeats++;
	p->work.event.order = order;
	if (i->options.two_step)
		answer(i, p);
}

static enum err repeat_applied(struct inbox *i, const struct delivery_event *e)
{
	struct parcel *p = parcel_new(e);

	if (!p)
		return E_NOMEM;
	blob_unref(TAKE(p->work.event.bytes));
	p->outcome = DELIVERY_APPLIED;
	i->stats.repeats++;
	answer(i, p);
	return E_OK;
}

static enum err put(struct inbox *i, uint64_t epoch, const struct delivery_event *e)
{
	char text[DELIVERY_TEXT_MAX];
	struct str key = delivery_key(e, text);
	struct mark mark = memory_mark(i, e);
	struct memory *m = map_get(&i->memories, e->resource_id);
	struct queue *q = map_get(&i->queues, key);
	struct parcel *p;

	if (m && memory_is_outdated(m, epoch, e->order)) {
		i->stats.outdated++;
		return E_OK;
	}
	p = m && m->in_progress ? in_progress(q, e, mark) : NULL;
	if (p) {
		m->epoch = epoch;
		m->order = e->order;
		repeat_in_progress(i, p, e->order);
		return E_OK;
	}
	if (m && memory_knows(m, e->type, mark))
		return repeat_applied(i, e);
	return has_room(i, e) ? accept(i, q, key, e) : E_LIMIT;
}

enum err inbox_put(struct inbox *i, uint64_t epoch, const struct delivery_event *e)
{
	enum err err;

	if (epoch != i->epoch)
		err = E_CANCELLED;
	else if (!delivery_event_ok(e))
		err = E_MALFORMED;
	else if (i->stats.answers >= i->options.answers_max)
		err = E_LIMIT;
	else
		err = put(i, epoch, e);
	i->stats.refused += err != E_OK;
	return err;
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

	assert(outcome != DELIVERY_RECEIVED && q && first_of(q) == p && !link_held(&p->in_ready));
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
	answer(i, p);
}

bool inbox_answer(struct inbox *i, struct delivery_answer *ret_answer)
{
	struct parcel *p;

	parcel_free(TAKE(i->lent));
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
		const struct parcel *first = first_of(e->value);

		if (first && !link_held(&first->in_ready) && first->work.event.begun_ms)
			delivery_progress_add(p, first->work.event.begun_ms, now_ms);
	}
}
