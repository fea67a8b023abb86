#include "delivery/outbox.h"

#include "delivery/outbox_impl.h"

const struct outbox_options outbox_defaults = {
#define X(name, type, min, max, default_, unit, meaning) .name = (default_),
	OUTBOX_LIMITS(X)
#undef X
};

static uint64_t within(uint64_t value, uint64_t min, uint64_t max)
{
	if (value < min)
		return min;
	return value > max ? max : value;
}

static void keep_in_ranges(struct outbox_options *options)
{
#define X(name, type, min, max, default_, unit, meaning) options->name = (type)within(options->name, min, max);
	OUTBOX_LIMITS(X)
#undef X
}

struct outbox *outbox_new(const struct outbox_options *options, uint64_t now_ms)
{
	struct outbox *o = mem_alloc(sizeof(*o));

	if (!o)
		return NULL;
	o->options = *options;
	keep_in_ranges(&o->options);
	for (int lane = 0; lane < LANE_COUNT; lane++)
		list_init(&o->rings[lane]);
	list_init(&o->control);
	list_init(&o->taken);
	list_init(&o->sent);
	list_init(&o->held);
	list_init(&o->quarantined);
	list_init(&o->age);
	rate_init(&o->rate, o->options.rate_per_minute, o->options.rate_burst, now_ms);
	return o;
}

static void drop_control(struct outbox *o)
{
	while (!list_empty(&o->control)) {
		struct control *c = CONTAINER_OF(o->control.next, struct control, in_queue);

		list_remove(&c->in_queue);
		blob_unref(c->bytes);
		mem_free(c);
	}
	o->control_n = 0;
	blob_unref(TAKE(o->lent));
}

static void free_items(struct link *list)
{
	while (!list_empty(list)) {
		struct item *item = ITEM_OF(list->next, in_resource);

		list_remove(&item->in_resource);
		item_free(item);
	}
}

void outbox_free(struct outbox *o)
{
	const struct map_entry *entry;
	size_t at = 0;

	if (!o)
		return;
	while ((entry = map_next(&o->resources, &at))) {
		struct resource *r = entry->value;

		free_items(&r->items);
		free_items(&r->quarantined);
		mem_free(r);
	}
	at = 0;
	while ((entry = map_next(&o->lines, &at)))
		mem_free(entry->value);
	drop_control(o);
	map_release(&o->resources);
	map_release(&o->lines);
	heap_release(&o->timers);
	mem_free(o);
}

enum err outbox_control(struct outbox *o, struct blob *bytes)
{
	struct control *c;

	if (!o->connected)
		return E_UNAVAILABLE;
	if (o->control_n >= o->options.control_max)
		return E_LIMIT;
	c = mem_alloc(sizeof(*c));
	if (!c)
		return E_NOMEM;
	c->bytes = blob_ref(bytes);
	list_put_last(&o->control, &c->in_queue);
	o->control_n++;
	return E_OK;
}

/* The last goes first to the front, so that they keep their order before those that never went. */
static void return_all(struct outbox *o, struct link *group)
{
	while (!list_empty(group)) {
		struct item *item = ITEM_OF(group->prev, in_group);
		struct line *line = item->resource->line;

		item->attempts = 0;
		item_return(o, item, ITEM_WAITING, 0);
		line_settle(o, line, /* first= */ true);
	}
}

void outbox_hurry(struct outbox *o, uint64_t most)
{
	struct link *first;

	while (most-- && (first = list_first(&o->held)))
		item_let_go(o, ITEM_OF(first, in_group));
}

/* From the first step, too. */
static void begin_anew(struct outbox *o)
{
	for (struct link *l = o->held.next; l != &o->held; l = l->next)
		ITEM_OF(l, in_group)->attempts = 0;
	outbox_hurry(o, UINT64_MAX);
}

void outbox_disconnected(struct outbox *o)
{
	if (!o->connected)
		return;
	o->connected = false;
	drop_control(o);
	return_all(o, &o->taken);
	return_all(o, &o->sent);
}

enum err outbox_connected(struct outbox *o, uint64_t epoch)
{
	if (epoch <= o->epoch)
		return E_CANCELLED;
	outbox_disconnected(o);
	begin_anew(o);
	o->connected = true;
	o->epoch = epoch;
	return E_OK;
}

void outbox_window(struct outbox *o, uint32_t events, uint64_t bytes)
{
	o->options.window_events = events;
	o->options.window_bytes = bytes;
	keep_in_ranges(&o->options);
}

void outbox_stats(const struct outbox *o, struct outbox_stats *ret_stats)
{
	*ret_stats = o->total;
	ret_stats->waiting = o->states[ITEM_WAITING] + o->states[ITEM_RETRYING];
	ret_stats->held_back = o->states[ITEM_RETRYING];
	ret_stats->in_flight = o->states[ITEM_TAKEN] + o->states[ITEM_SENT] + o->states[ITEM_RECEIVED];
	ret_stats->quarantined = o->states[ITEM_QUARANTINED];
	ret_stats->control = o->control_n;
	ret_stats->bytes = o->bytes;
	ret_stats->in_flight_bytes = o->flying_bytes;
	ret_stats->oldest_ms = list_empty(&o->age) ? UINT64_MAX : ITEM_OF(o->age.next, in_age)->since_ms;
}

const struct lag *outbox_lag(const struct outbox *o)
{
	return &o->lag;
}

bool outbox_quarantine_next(const struct outbox *o, const void **cursor, struct outbox_quarantined *ret_entry)
{
	const struct link *l = *cursor ? ((const struct link *)*cursor)->next : o->quarantined.next;
	const struct item *item;

	if (l == &o->quarantined)
		return false;
	item = CONTAINER_OF(l, const struct item, in_group);
	*cursor = l;
	*ret_entry = (struct outbox_quarantined){
		.type = item->type,
		.resource_id = resource_id(item->resource),
		.event_id = item_event_id(item),
		.reason = str_of(item->reason),
		.since_ms = item->since_ms,
	};
	return true;
}

static void add_progress(const struct link *group, uint64_t now_ms, struct delivery_progress *p)
{
	for (const struct link *l = group->next; l != group; l = l->next)
		delivery_progress_add(p, CONTAINER_OF(l, const struct item, in_group)->first_ms, now_ms);
}

void outbox_progress(const struct outbox *o, uint64_t now_ms, struct delivery_progress *p)
{
	add_progress(&o->taken, now_ms, p);
	add_progress(&o->sent, now_ms, p);
}
