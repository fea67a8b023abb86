#include "delivery/inbox_impl.h"

DEFINE_FREEP(parcel, struct parcel, parcel_free)

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

static enum err accept(struct inbox *i, struct queue *q, struct str key, const struct delivery_event *e,
		       struct mark mark)
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
	memory_overtake(m, e->type);
	m->epoch = i->epoch;
	m->order = e->order;
	p->mark = mark;
	p->memory = m;
	p->queue = q;
	p->work.epoch = i->epoch;
	i->stats.bytes += blob_view(e->bytes).n;
	i->stats.queued++;
	p->work.number = ++i->stats.accepted;
	if (i->options.two_step)
		list_put_last(&i->unsaid, &p->in_unsaid);
	list_put_last(&q->parcels, &p->in_queue);
	if (queue_first(q) == p)
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
		parcel_answer(i, p);
}

static enum err repeat_applied(struct inbox *i, const struct delivery_event *e)
{
	struct parcel *p = parcel_new(e);

	if (!p)
		return E_NOMEM;
	blob_unref(TAKE(p->work.event.bytes));
	p->outcome = DELIVERY_APPLIED;
	i->stats.repeats++;
	parcel_answer(i, p);
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
	if (m && !e->versionless && memory_knows(m, e->type, mark))
		return repeat_applied(i, e);
	return has_room(i, e) ? accept(i, q, key, e, mark) : E_LIMIT;
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
