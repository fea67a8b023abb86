#include "base/mem.h"
#include "sim.h"

void net_later(struct sim *s, uint64_t at_ms, const struct happening *what)
{
	struct happening *h = mem_alloc(sizeof(*h));

	if (!h)
		sim_broken(s, "no memory");
	*h = *what;
	h->node = (struct heap_node){ 0 };
	(void)blob_ref(h->bytes);
	if (heap_put(&s->happenings, &h->node, at_ms) != E_OK)
		sim_broken(s, "no memory");
}

void net_free(struct happening *h)
{
	blob_unref(h->bytes);
	mem_free(h);
}

struct happening *net_next(struct sim *s)
{
	struct heap_node *node = heap_first(&s->happenings);

	if (!node || node->key > s->now)
		return NULL;
	heap_remove(&s->happenings, node);
	return CONTAINER_OF(node, struct happening, node);
}

/* When it arrives: at any time on a wild network, after everything before it in an orderly stream. */
static uint64_t arrival(struct peer *p, uint64_t *until_ms)
{
	struct sim *s = p->sim;
	uint64_t at_ms = s->now + 1 + sim_random(s) % (sim_once_in(s, 20) ? 3000 : 40);

	if (p->nature == WILD && !s->healed)
		return at_ms;
	*until_ms = at_ms > *until_ms ? at_ms : *until_ms + 1;
	return *until_ms;
}

static bool lost(struct peer *p)
{
	return p->nature == WILD && !p->sim->healed && sim_once_in(p->sim, 12);
}

static bool doubled(struct peer *p)
{
	return p->nature == WILD && !p->sim->healed && sim_once_in(p->sim, 12);
}

void net_send_frame(struct peer *p, const struct outbox_frame *f)
{
	struct happening h = { .type = FRAME_ARRIVES,
			       .peer = p,
			       .epoch = f->epoch,
			       .order = p->nature == UPSTREAM ? 0 : f->order,
			       .bytes = f->bytes };
	bool gone = lost(p);

	sim_trace(p->sim, "hub -> %u  %.*s%s", p->index, STR_ARG(f->event_id), gone ? ", lost" : "");
	if (!gone)
		net_later(p->sim, arrival(p, &p->frames_until_ms), &h);
	if (doubled(p))
		net_later(p->sim, arrival(p, &p->frames_until_ms), &h);
}

static struct str keep(struct happening *h, size_t at, size_t max, struct str s)
{
	size_t n = s.n < max ? s.n : max;

	if (n)
		memcpy(h->text + at, s.p, n);
	return (struct str){ NULL, n };
}

void net_send_answer(struct peer *p, const struct delivery_answer *a)
{
	static const char *const outcomes[] = { "received", "applied", "rejected" };
	struct happening h = { .type = ANSWER_ARRIVES, .peer = p, .epoch = p->epoch, .answer = *a };

	h.answer.resource_id = keep(&h, 0, 24, a->resource_id);
	h.answer.event_id = keep(&h, 24, 40, a->event_id);
	h.answer.reason = keep(&h, 64, 256, a->reason);
	if (p->nature == UPSTREAM)
		h.answer.order = 0;
	sim_trace(p->sim, "hub <- %u  %.*s %s%s", p->index, STR_ARG(a->event_id), outcomes[a->outcome],
		  a->retryable ? ", retryable" : "");
	if (!p->connected || lost(p))
		return;
	net_later(p->sim, arrival(p, &p->answers_until_ms), &h);
	if (doubled(p))
		net_later(p->sim, arrival(p, &p->answers_until_ms), &h);
}
