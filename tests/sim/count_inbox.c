#include "count.h"
#include "delivery/inbox_impl.h"

struct tally {
	uint64_t queued;
	uint64_t applying;
	uint64_t bytes;
	uint64_t older;
	uint64_t unsaid;
};

static size_t length(const struct link *list)
{
	size_t n = 0;

	for (const struct link *l = list->next; l != list; l = l->next)
		n++;
	return n;
}

static const char *count_queue(const struct inbox *i, const struct queue *q, struct tally *t)
{
	const struct parcel *first = queue_first(q);

	HOLDS(first);
	for (const struct link *l = q->parcels.next; l != &q->parcels; l = l->next) {
		const struct parcel *p = CONTAINER_OF(l, struct parcel, in_queue);

		HOLDS(p->queue == q && p->memory && p->memory->in_progress);
		HOLDS(p->outcome == DELIVERY_RECEIVED);
		HOLDS(p == first || !link_held(&p->in_ready));
		t->bytes += blob_view(p->work.event.bytes).n;
		t->older += p->work.epoch != i->epoch;
		HOLDS(!link_held(&p->in_unsaid) || !link_held(&p->in_answers));
		t->unsaid += link_held(&p->in_unsaid);
		t->queued++;
	}
	t->applying += !link_held(&first->in_ready);
	t->queued -= !link_held(&first->in_ready);
	return NULL;
}

static const char *count_memories(const struct inbox *i, const struct tally *t)
{
	const struct map_entry *entry;
	uint64_t held = 0, used = 0;
	size_t at = 0;

	while ((entry = map_next(&i->memories, &at))) {
		const struct memory *m = entry->value;

		HOLDS(link_held(&m->in_use) == (m->in_progress == 0));
		held += m->in_progress;
		used += m->in_progress == 0;
	}
	HOLDS(held == t->queued + t->applying);
	HOLDS(used == length(&i->in_use));
	return NULL;
}

const char *count_inbox(const struct inbox *i)
{
	const struct map_entry *entry;
	struct tally t = { 0 };
	const char *wrong;
	size_t at = 0;

	while ((entry = map_next(&i->queues, &at)))
		if ((wrong = count_queue(i, entry->value, &t)))
			return wrong;
	HOLDS(t.queued == i->stats.queued);
	HOLDS(t.applying == i->stats.applying);
	HOLDS(t.applying <= i->options.parallel_max);
	HOLDS(t.bytes == i->stats.bytes);
	HOLDS(t.older == i->stats.older);
	HOLDS(length(&i->answers) == i->stats.answers);
	HOLDS(length(&i->unsaid) == t.unsaid);
	return count_memories(i, &t);
}
