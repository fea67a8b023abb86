#include <assert.h>

#include "delivery/outbox_impl.h"

#define MAY(state) (1U << ITEM_##state)

/* The drawing in outbox.h as a table: where each state may lead. */
static const unsigned allowed[ITEM_STATES] = {
	[ITEM_NEW] = MAY(WAITING) | MAY(GONE),
	[ITEM_WAITING] = MAY(TAKEN) | MAY(RETRYING) | MAY(QUARANTINED) | MAY(GONE),
	[ITEM_TAKEN] = MAY(SENT) | MAY(RECEIVED) | MAY(WAITING) | MAY(RETRYING) | MAY(QUARANTINED) | MAY(GONE),
	[ITEM_SENT] = MAY(RECEIVED) | MAY(WAITING) | MAY(RETRYING) | MAY(QUARANTINED) | MAY(GONE),
	[ITEM_RECEIVED] = MAY(WAITING) | MAY(RETRYING) | MAY(QUARANTINED) | MAY(GONE),
	[ITEM_RETRYING] = MAY(WAITING) | MAY(QUARANTINED) | MAY(GONE),
	[ITEM_QUARANTINED] = MAY(GONE),
};

struct item *item_new(const struct delivery_event *e, uint64_t now_ms)
{
	struct item *item = mem_alloc(sizeof(*item));

	if (!item)
		return NULL;
	item->event_id = str_dup(e->event_id);
	if (!item->event_id) {
		mem_free(item);
		return NULL;
	}
	item->event_id_n = (uint32_t)e->event_id.n;
	item->type = e->type;
	item->bytes = blob_ref(e->bytes);
	item->since_ms = now_ms;
	return item;
}

void item_free(struct item *item)
{
	if (!item)
		return;
	blob_unref(item->bytes);
	mem_free(item->event_id);
	mem_free(item->reason);
	mem_free(item);
}

void item_move(struct outbox *o, struct item *item, enum item_state to)
{
	uint64_t n = blob_view(item->bytes).n;
	bool flew = item_flying(item);

	assert(allowed[item->state] & (1U << to));
	o->states[item->state]--;
	o->states[to]++;
	item->state = to;
	if (item_flying(item) != flew)
		o->flying_bytes += flew ? -n : n;
}

void item_ground(struct outbox *o, struct item *item)
{
	struct resource *r = item->resource;

	list_remove(&item->in_group);
	heap_remove(&o->timers, &item->timer);
	if (r->unsent[item->type] == item)
		r->unsent[item->type] = NULL;
}

void item_forget(struct item *item)
{
	for (enum track t = 0; t < TRACKS; t++)
		if (item->resource->newest[t] == item)
			item->resource->newest[t] = NULL;
}

void item_drop(struct outbox *o, struct item *item)
{
	struct resource *r = item->resource;

	item_ground(o, item);
	item_forget(item);
	if (link_held(&item->in_line))
		r->line->holds[delivery_lane_of(item->type)]--;
	list_remove(&item->in_line);
	list_remove(&item->in_resource);
	list_remove(&item->in_age);
	item_move(o, item, ITEM_GONE);
	o->states[ITEM_GONE]--;
	o->items--;
	o->bytes -= blob_view(item->bytes).n;
	item_free(item);
}

static void swap_versions(struct item *a, struct item *b)
{
	struct item was = *a;

	a->event_id = b->event_id;
	a->event_id_n = b->event_id_n;
	a->bytes = b->bytes;
	b->event_id = was.event_id;
	b->event_id_n = was.event_id_n;
	b->bytes = was.bytes;
}

void item_let_go(struct outbox *o, struct item *item)
{
	list_remove(&item->in_group);
	heap_remove(&o->timers, &item->timer);
	item_move(o, item, ITEM_WAITING);
	line_settle(o, item->resource->line, /* first= */ false);
}

/* What people have changed since the older was refused may be right now. A status changes too often for that. */
static bool may_go(const struct item *older)
{
	return older->state == ITEM_RETRYING && older->type != DELIVERY_STATUS;
}

void item_replace(struct outbox *o, struct item *older, struct item *newer)
{
	struct resource *r = older->resource;

	assert(newer->resource == r && older->type == newer->type && item_unsent(older));
	for (enum track t = 0; t < TRACKS; t++) {
		if (r->newest[t] == newer)
			r->newest[t] = older;
		if (r->line->newest[t] == older->seq)
			r->line->newest[t] = newer->seq;
	}
	swap_versions(older, newer);
	older->seq = newer->seq;
	older->first = older->last = 0;
	item_drop(o, newer);
	r->unsent[older->type] = older;
	o->total.coalesced++;
	if (may_go(older))
		item_let_go(o, older);
}

void item_return(struct outbox *o, struct item *item, enum item_state to, uint64_t until_ms)
{
	struct resource *r = item->resource;
	struct item *newer;

	item_ground(o, item);
	newer = item_coalesces(item->type) ? r->unsent[item->type] : NULL;
	item_move(o, item, to);
	if (to == ITEM_RETRYING) {
		(void)heap_put(&o->timers, &item->timer, until_ms);
		list_put_last(&o->held, &item->in_group);
	}
	if (newer && newer->before == item->seq)
		item_replace(o, item, newer);
	else if (item_coalesces(item->type) && !newer)
		r->unsent[item->type] = item;
}
