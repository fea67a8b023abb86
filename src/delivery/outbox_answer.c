#include "delivery/outbox_impl.h"

/* The first of its line, when it was sent and the answer means it; else NULL. */
static struct item *answered(const struct outbox *o, const struct delivery_answer *a)
{
	struct resource *r = map_get(&o->resources, a->resource_id);
	struct item *item = r ? line_head(r->line) : NULL;

	if (!item || item->resource != r || item->first == 0 || !str_eq(item_event_id(item), a->event_id))
		return NULL;
	if (a->order && (a->order < item->first || a->order > item->last))
		return NULL;
	return item;
}

/* Dropped; the next of its line may go. */
static void finish(struct outbox *o, struct item *item)
{
	struct resource *r = item->resource;
	struct line *line = r->line;

	item_drop(o, item);
	line_settle(o, line, /* first= */ false);
	resource_settle(o, r);
}

static enum outbox_effect received(struct outbox *o, struct item *item)
{
	if (item->state != ITEM_TAKEN && item->state != ITEM_SENT)
		return OUTBOX_NOTHING;
	heap_remove(&o->timers, &item->timer);
	item_move(o, item, ITEM_RECEIVED);
	return OUTBOX_HELD;
}

static enum outbox_effect again(struct outbox *o, struct item *item, uint64_t now_ms, uint64_t random)
{
	struct line *line = item->resource->line;

	if (item->state == ITEM_RETRYING)
		return OUTBOX_NOTHING;
	o->total.rejected_retryable++;
	item->refused = true;
	item->attempts -= item->attempts > 0; /* its sending has counted already: the wait is of the same step */
	item_return(o, item, ITEM_RETRYING, now_ms + outbox_backoff(o, item, random));
	line_settle(o, line, /* first= */ false);
	return OUTBOX_AGAIN;
}

static enum outbox_effect quarantine(struct outbox *o, struct item *item, struct str reason, uint64_t now_ms)
{
	struct resource *r = item->resource;

	reason = delivery_reason_cut(reason);
	item_ground(o, item);
	item_forget(item);
	list_remove(&item->in_line);
	list_remove(&item->in_resource);
	list_remove(&item->in_age);
	r->line->holds[delivery_lane_of(item->type)]--;
	item_move(o, item, ITEM_QUARANTINED);
	list_put_last(&o->quarantined, &item->in_group);
	list_put_last(&r->quarantined, &item->in_resource);
	item->since_ms = now_ms;
	item->reason = reason.n ? mem_dup(reason.p, reason.n) : NULL;
	line_settle(o, r->line, /* first= */ false);
	return OUTBOX_QUARANTINED;
}

/* A newer version waits already: nobody needs to see the old one. */
static bool overtaken(const struct item *item)
{
	return item_coalesces(item->type) && item->resource->unsent[item->type] &&
	       item->resource->unsent[item->type] != item;
}

/* Nothing comes after a deletion that would let it go: it is kept to be seen, and not where all the rest would find no room. */
static bool is_kept(const struct outbox *o, const struct item *item)
{
	if (item->type == DELIVERY_REQUEST || overtaken(item))
		return false;
	return item->type != DELIVERY_DELETE || o->items <= o->options.entries_max / 2;
}

static enum outbox_effect rejected(struct outbox *o, struct item *item, const struct delivery_answer *a,
				   uint64_t now_ms, uint64_t random)
{
	if (a->retryable)
		return again(o, item, now_ms, random);
	o->total.rejected++;
	if (is_kept(o, item))
		return quarantine(o, item, a->reason, now_ms);
	finish(o, item);
	return OUTBOX_REFUSED;
}

/* What was refused is taken now, and so may be what was refused with it: two more for each that was, so that what is not is no storm. */
static enum outbox_effect applied(struct outbox *o, struct item *item, uint64_t now_ms)
{
	bool refused = item->refused;

	o->total.confirmed++;
	lag_note(&o->lag, now_ms - item->since_ms);
	finish(o, item);
	if (refused)
		outbox_hurry(o, 2);
	return OUTBOX_CONFIRMED;
}

static enum outbox_effect effect_of(struct outbox *o, struct item *item, const struct delivery_answer *a,
				    uint64_t now_ms, uint64_t random)
{
	switch (a->outcome) {
	case DELIVERY_RECEIVED:
		return received(o, item);
	case DELIVERY_APPLIED:
		return applied(o, item, now_ms);
	case DELIVERY_REJECTED:
		return rejected(o, item, a, now_ms, random);
	}
	return OUTBOX_NOTHING;
}

/* The item may be gone when its owner asks. */
static void remember(struct outbox *o, const struct item *item, uint64_t now_ms)
{
	const struct line *line = item->resource->line;
	size_t kind_n = strnlen(line->key, line->key_n);

	o->last.kind_n = kind_n < sizeof(o->last.kind) ? kind_n : sizeof(o->last.kind);
	memcpy(o->last.kind, line->key, o->last.kind_n);
	o->last.waited_ms = item->first_ms - item->since_ms;
	o->last.out_ms = now_ms - item->first_ms;
}

enum outbox_effect outbox_answer(struct outbox *o, uint64_t epoch, const struct delivery_answer *a, uint64_t now_ms,
				 uint64_t random, enum delivery_type *ret_type)
{
	bool current = o->connected && epoch == o->epoch;
	struct item *item = current ? answered(o, a) : NULL;
	enum delivery_type type = item ? item->type : DELIVERY_TYPE_COUNT;
	enum outbox_effect effect;

	if (item)
		remember(o, item, now_ms);
	effect = item ? effect_of(o, item, a, now_ms, random) : OUTBOX_NOTHING;

	if (effect == OUTBOX_NOTHING)
		o->total.answers_ignored++;
	else if (ret_type)
		*ret_type = type;
	return effect;
}

void outbox_answered(const struct outbox *o, struct outbox_answered *ret_answered)
{
	*ret_answered = (struct outbox_answered){ .kind = { o->last.kind, o->last.kind_n },
						  .waited_ms = o->last.waited_ms,
						  .out_ms = o->last.out_ms };
}
