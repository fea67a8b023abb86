#include "count.h"
#include "delivery/outbox_impl.h"

struct tally {
	uint64_t states[ITEM_STATES];
	uint64_t items;
	uint64_t bytes;
	uint64_t flying_bytes;
	uint64_t timers;
	uint64_t resources;
};

static size_t length(const struct link *list)
{
	size_t n = 0;

	for (const struct link *l = list->next; l != list; l = l->next)
		n++;
	return n;
}

static bool has_timer(const struct item *item)
{
	return item->state == ITEM_SENT || item->state == ITEM_RETRYING;
}

static const char *count_item(const struct outbox *o, const struct resource *r, struct item *item, struct tally *t)
{
	uint64_t n = blob_view(item->bytes).n;
	bool aside = item->state == ITEM_QUARANTINED;

	HOLDS(item->resource == r);
	HOLDS(item->state != ITEM_NEW && item->state != ITEM_GONE);
	HOLDS(link_held(&item->in_group) == (item->state != ITEM_WAITING));
	HOLDS(link_held(&item->in_line) != aside);
	HOLDS(link_held(&item->in_age) != aside);
	HOLDS(heap_holds(&item->timer) == has_timer(item));
	HOLDS(!item_flying(item) || line_head(r->line) == item);
	HOLDS(!item_flying(item) || (item->first && item->last >= item->first && item->last <= o->order));
	t->states[item->state]++;
	t->items++;
	t->bytes += n;
	t->flying_bytes += item_flying(item) ? n : 0;
	t->timers += heap_holds(&item->timer);
	return NULL;
}

/* The newest of `r` that has not left, of this type; NULL: none. */
static const struct item *newest_unsent(const struct resource *r, enum delivery_type type)
{
	const struct item *newest = NULL;

	for (const struct link *l = r->items.next; l != &r->items; l = l->next) {
		const struct item *item = ITEM_OF(l, in_resource);

		if (item->type == type && item_unsent(item) && (!newest || item->seq > newest->seq))
			newest = item;
	}
	return newest;
}

static size_t unsent(const struct resource *r, enum delivery_type type)
{
	size_t n = 0;

	for (const struct link *l = r->items.next; l != &r->items; l = l->next) {
		const struct item *item = ITEM_OF(l, in_resource);

		n += item->type == type && item_unsent(item);
	}
	return n;
}

static const char *count_pointers(const struct resource *r)
{
	for (enum delivery_type type = 0; type < DELIVERY_TYPE_COUNT; type++) {
		const struct item *newest = item_coalesces(type) ? newest_unsent(r, type) : NULL;

		HOLDS(r->unsent[type] == newest);
		HOLDS(!item_coalesces(type) || unsent(r, type) <= 2);
	}
	for (enum track track = 0; track < TRACKS; track++) {
		const struct item *newest = r->newest[track];

		HOLDS(!newest || (newest->resource == r && newest->state != ITEM_QUARANTINED));
		HOLDS(!newest || on_track(newest->type, track));
		HOLDS(!newest || newest->seq <= r->line->newest[track]);
		for (const struct link *l = r->items.next; l != &r->items && newest; l = l->next)
			HOLDS(!on_track(ITEM_OF(l, in_resource)->type, track) ||
			      ITEM_OF(l, in_resource)->seq <= newest->seq);
	}
	return NULL;
}

static const char *count_resource(const struct outbox *o, const struct resource *r, struct tally *t)
{
	const char *wrong;

	HOLDS(!list_empty(&r->items) || !list_empty(&r->quarantined));
	for (const struct link *l = r->items.next; l != &r->items; l = l->next) {
		HOLDS(ITEM_OF(l, in_resource)->state != ITEM_QUARANTINED);
		if ((wrong = count_item(o, r, ITEM_OF(l, in_resource), t)))
			return wrong;
	}
	for (const struct link *l = r->quarantined.next; l != &r->quarantined; l = l->next) {
		HOLDS(ITEM_OF(l, in_resource)->state == ITEM_QUARANTINED);
		if ((wrong = count_item(o, r, ITEM_OF(l, in_resource), t)))
			return wrong;
	}
	t->resources++;
	return count_pointers(r);
}

static const char *count_line(const struct line *line)
{
	struct item *head = line_head(line);
	uint32_t holds[LANE_COUNT] = { 0 };
	enum delivery_lane lane = LANE_COMMAND;

	for (const struct link *l = line->items.next; l != &line->items; l = l->next) {
		struct item *item = ITEM_OF(l, in_line);

		HOLDS(item->resource->line == line);
		HOLDS(item == head || item_unsent(item));
		holds[delivery_lane_of(item->type)]++;
	}
	HOLDS(memcmp(holds, line->holds, sizeof(holds)) == 0);
	HOLDS(link_held(&line->in_ring) == (head && head->state == ITEM_WAITING));
	while (lane < LANE_STATUS && !holds[lane])
		lane++;
	HOLDS(!link_held(&line->in_ring) || line->ring == lane);
	return NULL;
}

static const char *count_lines(const struct outbox *o, const struct tally *t)
{
	const struct map_entry *entry;
	const char *wrong;
	uint64_t resources = 0, rings = 0, lines = 0;
	size_t at = 0;

	while ((entry = map_next(&o->lines, &at))) {
		const struct line *line = entry->value;

		HOLDS(line->resources > 0);
		resources += line->resources;
		lines += link_held(&line->in_ring);
		if ((wrong = count_line(line)))
			return wrong;
	}
	for (int lane = 0; lane < LANE_COUNT; lane++)
		rings += length(&o->rings[lane]);
	HOLDS(rings == lines);
	HOLDS(resources == t->resources);
	return NULL;
}

static const char *count_groups(const struct outbox *o, const struct tally *t)
{
	uint64_t last = 0;

	for (const struct link *l = o->taken.next; l != &o->taken; l = l->next) {
		const struct item *item = ITEM_OF(l, in_group);

		HOLDS(item->state == ITEM_TAKEN || item->state == ITEM_RECEIVED);
		HOLDS(item->last > last);
		last = item->last;
	}
	for (const struct link *l = o->sent.next; l != &o->sent; l = l->next)
		HOLDS(ITEM_OF(l, in_group)->state == ITEM_SENT || ITEM_OF(l, in_group)->state == ITEM_RECEIVED);
	HOLDS(length(&o->taken) + length(&o->sent) ==
	      t->states[ITEM_TAKEN] + t->states[ITEM_SENT] + t->states[ITEM_RECEIVED]);
	HOLDS(length(&o->held) == t->states[ITEM_RETRYING]);
	HOLDS(length(&o->quarantined) == t->states[ITEM_QUARANTINED]);
	HOLDS(length(&o->age) + t->states[ITEM_QUARANTINED] == t->items);
	HOLDS(length(&o->control) == o->control_n);
	HOLDS(o->connected || (list_empty(&o->taken) && list_empty(&o->sent) && list_empty(&o->control)));
	return NULL;
}

const char *count_outbox(const struct outbox *o)
{
	const struct map_entry *entry;
	struct tally t = { 0 };
	const char *wrong;
	size_t at = 0;

	while ((entry = map_next(&o->resources, &at)))
		if ((wrong = count_resource(o, entry->value, &t)))
			return wrong;
	HOLDS(memcmp(t.states, o->states, sizeof(t.states)) == 0);
	HOLDS(t.items == o->items);
	HOLDS(t.bytes == o->bytes);
	HOLDS(t.flying_bytes == o->flying_bytes);
	HOLDS(t.timers == o->timers.n);
	HOLDS(o->timers.cap >= o->items);
	wrong = count_groups(o, &t);
	return wrong ? wrong : count_lines(o, &t);
}

static bool is_one(const struct item *item, enum delivery_type type, struct str event_id)
{
	bool state = type == DELIVERY_SPEC && item->type == DELIVERY_CREATE; /* it says the same */

	return (item->type == type || state) && (!event_id.n || str_eq(item_event_id(item), event_id));
}

bool count_holds(const struct outbox *o, struct str resource_id, enum delivery_type type, struct str event_id)
{
	const struct resource *r = map_get(&o->resources, resource_id);
	const struct link *lists[] = { r ? &r->items : NULL, r ? &r->quarantined : NULL };

	for (size_t i = 0; i < ARRAY_LEN(lists) && r; i++)
		for (const struct link *l = lists[i]->next; l != lists[i]; l = l->next)
			if (is_one(ITEM_OF(l, in_resource), type, event_id))
				return true;
	return false;
}

uint64_t count_requests(const struct outbox *o)
{
	const struct map_entry *entry;
	size_t at = 0;
	uint64_t n = 0;

	while ((entry = map_next(&o->resources, &at))) {
		const struct resource *r = entry->value;

		for (const struct link *l = r->items.next; l != &r->items; l = l->next)
			n += ITEM_OF(l, in_resource)->type == DELIVERY_REQUEST &&
			     str_eq(item_event_id(ITEM_OF(l, in_resource)), resource_id(r));
	}
	return n;
}
