#include "delivery/inbox_impl.h"

struct mark memory_mark(const struct inbox *i, const struct delivery_event *e)
{
	struct mark mark = { { siphash(i->keys[0], e->event_id), siphash(i->keys[1], e->event_id) } };

	mark.bits[0] += (uint64_t)e->type + 1;
	mark.bits[1] |= 1; /* never zero */
	return mark;
}

static struct memory *memory_new(struct inbox *i, struct str resource_id)
{
	struct memory *m = mem_alloc(sizeof(*m) + resource_id.n);

	if (!m)
		return NULL;
	m->id_n = resource_id.n;
	memcpy(m->id, resource_id.p, resource_id.n);
	if (map_put(&i->memories, (struct str){ m->id, m->id_n }, m) != E_OK) {
		mem_free(m);
		return NULL;
	}
	list_put_last(&i->in_use, &m->in_use);
	return m;
}

static void forget_oldest(struct inbox *i)
{
	struct memory *m = CONTAINER_OF(i->in_use.next, struct memory, in_use);

	list_remove(&m->in_use);
	(void)map_remove(&i->memories, (struct str){ m->id, m->id_n });
	mem_free(m);
	i->stats.forgotten++;
}

struct memory *memory_get(struct inbox *i, struct str resource_id)
{
	struct memory *m = map_get(&i->memories, resource_id);

	if (m)
		return m;
	if (i->memories.n >= i->options.resources_max && !list_empty(&i->in_use))
		forget_oldest(i);
	return memory_new(i, resource_id);
}

void memory_hold(struct memory *m)
{
	m->in_progress++;
	list_remove(&m->in_use);
}

void memory_let_go(struct inbox *i, struct memory *m)
{
	if (--m->in_progress == 0)
		list_put_last(&i->in_use, &m->in_use);
}

void memory_note(struct memory *m, enum delivery_type type, struct mark mark)
{
	switch (type) {
	case DELIVERY_COMMAND:
	case DELIVERY_REQUEST:
		m->commands[m->next_command++ % MEMORY_COMMANDS] = mark;
		return;
	case DELIVERY_STATUS:
		m->status = mark;
		return;
	default:
		m->state = mark;
	}
}

void memory_overtake(struct memory *m, enum delivery_type type)
{
	if (type != DELIVERY_COMMAND && type != DELIVERY_REQUEST)
		memory_note(m, type, (struct mark){ { 0 } });
}

bool memory_knows(const struct memory *m, enum delivery_type type, struct mark mark)
{
	if (type == DELIVERY_STATUS)
		return mark_eq(m->status, mark);
	if (type != DELIVERY_COMMAND && type != DELIVERY_REQUEST)
		return mark_eq(m->state, mark);
	for (size_t k = 0; k < MEMORY_COMMANDS; k++)
		if (mark_eq(m->commands[k], mark))
			return true;
	return false;
}

bool memory_is_outdated(const struct memory *m, uint64_t epoch, uint64_t order)
{
	return order && m->epoch == epoch && order < m->order;
}
