#include "principal/hub_impl.h"

#include "base/mem.h"

#define STALE_MS     1000 /* until what had no memory is tried again */
#define OBJECT_BYTES 1024 /* that an object counts beside its text: there may be very many small ones */

struct hub *hub_new(const struct hub_options *options)
{
	struct hub *h = mem_alloc(sizeof(*h));

	if (!h)
		return NULL;
	h->o = *options;
	h->seed = options->seed;
	h->peers = (struct room){ .bytes_max = options->peers_bytes, .object_bytes = OBJECT_BYTES };
	list_init(&h->ready);
	list_init(&h->stopped);
	list_init(&h->untold);
	return h;
}

void hub_free(struct hub *h)
{
	const struct map_entry *e;
	size_t at = 0;

	if (!h)
		return;
	while ((e = map_next(&h->agents, &at)))
		hub_agent_free(e->value);
	while (!list_empty(&h->stopped))
		hub_agent_free(AGENT_OF(h->stopped.next, in_ready));
	hub_forget_objects(h);
	map_release(&h->agents);
	heap_release(&h->due);
	mem_free(h);
}

/* ---- turns ------------------------------------------------------------------------------------------------------ */

void hub_ready(struct hub_agent *agent)
{
	struct hub *h = agent->hub;

	if (!h->stopping && !link_held(&agent->in_ready) && hub_find(h, str_of(agent->name.text)) == agent)
		list_put_last(&h->ready, &agent->in_ready);
	/* Who stops or is retired has rows to write all the same. */
	if (!h->turning)
		h->o.events.on_wake(h->o.events.ctx);
}

/*
 * The copy of a project concerns the autonomous agent that has it, and those whose copies might have its name: to all others it is as if
 * there were none, so that what one agent makes takes no memory for each of the others.
 */
bool hub_concerns(const struct hub_agent *agent, const struct object *o)
{
	return !hub_is_copy(o) || mapping_unprefixed(agent->name.text, o->name);
}

void hub_report(struct hub_agent *agent, struct object *o)
{
	struct hub *h = agent->hub;
	uint64_t now_ms = h->o.now_ms(h->o.events.ctx);
	int64_t wall_ns = h->o.wall_ns(h->o.events.ctx);

	if (!hub_concerns(agent, o))
		session_object_gone(agent->session, o, now_ms, wall_ns);
	else if (session_object(agent->session, o, now_ms, wall_ns) == E_NOMEM)
		agent->stale_ms = now_ms + STALE_MS;
	hub_ready(agent);
}

static void reschedule(struct hub *h, struct hub_agent *a, uint64_t now_ms)
{
	uint64_t due_ms = session_due(a->session, now_ms);

	if (a->stale_ms && a->stale_ms < due_ms)
		due_ms = a->stale_ms;
	heap_remove(&h->due, &a->due);
	if (due_ms != UINT64_MAX)
		(void)heap_put(&h->due, &a->due, due_ms > now_ms ? due_ms : now_ms + 1);
}

static void take_due(struct hub *h, uint64_t now_ms)
{
	struct heap_node *node;

	while ((node = heap_first(&h->due)) && node->key <= now_ms) {
		struct hub_agent *a = CONTAINER_OF(node, struct hub_agent, due);

		heap_remove(&h->due, node);
		if (!link_held(&a->in_ready))
			list_put_last(&h->ready, &a->in_ready);
	}
}

static void let_work(struct hub *h, struct hub_agent *a, uint64_t now_ms)
{
	if (a->stale_ms && now_ms >= a->stale_ms) {
		a->stale_ms = 0;
		hub_report_all(a);
	}
	session_work(a->session, now_ms, h->o.wall_ns(h->o.events.ctx));
	h->o.events.on_ready(h->o.events.ctx, a);
	reschedule(h, a, now_ms);
}

static uint64_t next_due(const struct hub *h)
{
	const struct heap_node *first = heap_first(&h->due);
	uint64_t missed_ms = missed_due(&h->missed);

	return first && first->key < missed_ms ? first->key : missed_ms;
}

uint64_t hub_turn(struct hub *h)
{
	uint64_t now_ms = h->o.now_ms(h->o.events.ctx), due_ms;
	struct link *first;
	size_t turns;
	bool lacking;

	h->turning = true;
	hub_look_again(h, now_ms);
	hub_tell(h);
	take_due(h, now_ms);
	turns = h->agents.n; /* who becomes ready again in its own turn waits for the next */
	while (turns-- && (first = list_first(&h->ready))) {
		list_remove(first);
		let_work(h, AGENT_OF(first, in_ready), now_ms);
	}
	lacking = hub_end_retired(h);
	h->turning = false;
	journal_flush(h->o.journal);
	if (!list_empty(&h->ready) || hub_is_telling(h))
		return now_ms;
	due_ms = next_due(h);
	return lacking && due_ms > now_ms + STALE_MS ? now_ms + STALE_MS : due_ms;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

enum err hub_start(struct hub *h, struct why *why)
{
	struct backend_watcher watcher = hub_watcher;

	watcher.ctx = h;
	return backend_start(h->o.backend, &watcher, why);
}

void hub_stop(struct hub *h)
{
	const struct map_entry *e;
	size_t at = 0;

	h->stopping = true;
	while ((e = map_next(&h->agents, &at)))
		session_stop(((struct hub_agent *)e->value)->session);
	journal_flush(h->o.journal);
}

bool hub_is_idle(const struct hub *h)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&h->agents, &at)))
		if (!session_is_idle(((struct hub_agent *)e->value)->session))
			return false;
	for (const struct link *l = h->stopped.next; l != &h->stopped; l = l->next)
		if (!session_is_idle(AGENT_OF(l, in_ready)->session))
			return false;
	return true;
}

uint64_t hub_objects(const struct hub *h)
{
	return h->objects.n;
}

uint64_t hub_objects_of(const struct hub *h, enum object_kind kind)
{
	return h->kinds[kind];
}

uint64_t hub_unowned(const struct hub *h, enum mapping_reason reason)
{
	return reason == MAPPING_OK ? 0 : h->reasons[reason];
}

bool hub_is_synced(const struct hub *h)
{
	return h->state == HUB_SYNCED;
}
