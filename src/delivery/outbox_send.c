#include <assert.h>

#include "base/seed.h"
#include "delivery/backoff.h"
#include "delivery/outbox_impl.h"

#define TIMERS_A_CALL 64 /* due timers handled in one take(); the next call goes on */

/* Whose turn it is: of 8 in a row 5, 2 and 1 (outbox.h, "Turns"). */
static const enum delivery_lane turns[8] = {
	LANE_COMMAND, LANE_COMMAND, LANE_STATE, LANE_COMMAND, LANE_COMMAND, LANE_STATE, LANE_COMMAND, LANE_STATUS,
};

uint64_t outbox_backoff(const struct outbox *o, struct item *item, uint64_t random)
{
	struct backoff b = { .base_ms = o->options.resend_base_ms,
			     .factor = o->options.resend_factor,
			     .cap_ms = o->options.resend_cap_ms,
			     .attempts = item->attempts };
	uint64_t wait = backoff_next(&b, random);

	item->attempts = b.attempts < UINT32_MAX ? b.attempts : UINT32_MAX - 1;
	return wait > o->options.resend_floor_ms ? wait : o->options.resend_floor_ms;
}

/* Time is up: what got no answer waits again, what was held back may go. */
static void run_timers(struct outbox *o, uint64_t now_ms)
{
	for (int i = 0; i < TIMERS_A_CALL; i++) {
		struct heap_node *node = heap_first(&o->timers);
		struct item *item;

		if (!node || node->key > now_ms)
			return;
		item = CONTAINER_OF(node, struct item, timer);
		struct line *line = item->resource->line;

		if (item->state == ITEM_RETRYING) {
			item_let_go(o, item);
			continue;
		}
		item_return(o, item, ITEM_WAITING, 0);
		line_settle(o, line, /* first= */ false);
	}
}

static uint64_t flying(const struct outbox *o)
{
	return o->states[ITEM_TAKEN] + o->states[ITEM_SENT] + o->states[ITEM_RECEIVED];
}

/* The window takes `item`; an event larger than the whole window goes alone. */
static bool fits(const struct outbox *o, const struct item *item)
{
	uint64_t n = blob_view(item->bytes).n;

	if (flying(o) == 0)
		return true;
	return flying(o) < o->options.window_events && n <= o->options.window_bytes &&
	       o->flying_bytes <= o->options.window_bytes - n;
}

/* The line whose turn it is, or NULL when none is ready. */
static struct line *next_line(const struct outbox *o)
{
	const struct link *ring = &o->rings[turns[o->turn % ARRAY_LEN(turns)]];

	for (int lane = 0; list_empty(ring) && lane < LANE_COUNT; lane++)
		ring = &o->rings[lane];
	return list_empty(ring) ? NULL : CONTAINER_OF(ring->next, struct line, in_ring);
}

/* The next event that the window takes, whatever the rate says; NULL: none. */
static struct item *next_item(const struct outbox *o)
{
	struct line *line = o->connected ? next_line(o) : NULL;
	struct item *head = line ? line_head(line) : NULL;

	return head && fits(o, head) ? head : NULL;
}

static bool rate_allows(struct outbox *o, uint64_t now_ms)
{
	uint64_t wait_ms = 0;

	if (rate_take(&o->rate, now_ms, &wait_ms))
		return true;
	o->rate_ready_ms = now_ms + wait_ms;
	return false;
}

static void take(struct outbox *o, struct item *item, uint64_t now_ms, struct outbox_frame *ret_frame)
{
	struct resource *r = item->resource;

	o->turn++;
	o->total.taken++;
	o->total.resent += item->first != 0;
	item_ground(o, item);
	item_move(o, item, ITEM_TAKEN);
	item->last = ++o->order;
	if (item->first == 0) {
		item->first = item->last;
		item->first_ms = now_ms;
	}
	list_put_last(&o->taken, &item->in_group);
	line_settle(o, r->line, /* first= */ false);
	*ret_frame = (struct outbox_frame){
		.type = item->type,
		.order = item->last,
		.attempt = item->attempts + 1,
		.epoch = o->epoch,
		.resource_id = resource_id(r),
		.event_id = item_event_id(item),
		.bytes = item->bytes,
	};
}

static void take_control(struct outbox *o, struct outbox_frame *ret_frame)
{
	struct control *c = CONTAINER_OF(list_first(&o->control), struct control, in_queue);

	list_remove(&c->in_queue);
	o->control_n--;
	o->lent = TAKE(c->bytes);
	mem_free(c);
	*ret_frame = (struct outbox_frame){ .control = true, .epoch = o->epoch, .bytes = o->lent };
}

bool outbox_take(struct outbox *o, uint64_t now_ms, struct outbox_frame *ret_frame)
{
	struct item *item;

	blob_unref(TAKE(o->lent));
	run_timers(o, now_ms);
	if (!o->connected)
		return false;
	if (!list_empty(&o->control)) {
		take_control(o, ret_frame);
		return true;
	}
	item = next_item(o);
	if (!item || !rate_allows(o, now_ms))
		return false;
	take(o, item, now_ms, ret_frame);
	return true;
}

void outbox_sent(struct outbox *o, uint64_t order, uint64_t now_ms, uint64_t random)
{
	while (!list_empty(&o->taken)) {
		struct item *item = ITEM_OF(o->taken.next, in_group);
		uint64_t wait_ms;

		if (item->last > order)
			return;
		list_remove(&item->in_group);
		list_put_last(&o->sent, &item->in_group);
		if (item->state == ITEM_RECEIVED)
			continue;
		item_move(o, item, ITEM_SENT);
		/* One random number serves a whole group: each item gets its own from it. */
		wait_ms = outbox_backoff(o, item, seed_nth(random, item->last));
		(void)heap_put(&o->timers, &item->timer, now_ms + wait_ms);
	}
}

uint64_t outbox_due(const struct outbox *o, uint64_t now_ms)
{
	const struct heap_node *timer = heap_first(&o->timers);
	uint64_t due_ms = UINT64_MAX;

	if (!o->connected)
		return UINT64_MAX;
	if (!list_empty(&o->control))
		return now_ms;
	if (next_item(o))
		due_ms = o->rate_ready_ms > now_ms ? o->rate_ready_ms : now_ms;
	return timer && timer->key < due_ms ? timer->key : due_ms;
}
