#include "delivery/outbox_impl.h"

/* A newer event of type `newer` lets a quarantined one of type `older` go. */
static bool releases(enum delivery_type newer, enum delivery_type older)
{
	if (newer == DELIVERY_DELETE)
		return true;
	if (newer == DELIVERY_CREATE || newer == DELIVERY_SPEC)
		return older == DELIVERY_CREATE || older == DELIVERY_SPEC || older == DELIVERY_DELETE;
	return newer == older;
}

static bool same_version(const struct item *item, const struct delivery_event *e)
{
	return item->type == e->type && str_eq(item_event_id(item), e->event_id);
}

static struct item *oldest_item(const struct resource *r)
{
	return list_empty(&r->items) ? NULL : ITEM_OF(r->items.next, in_resource);
}

/* The delete of this resource that is on its way, or NULL. */
static struct item *flying_delete(const struct resource *r)
{
	struct item *item = oldest_item(r);

	return item && item->type == DELIVERY_DELETE && item_flying(item) ? item : NULL;
}

static bool quarantined_already(const struct resource *r, const struct delivery_event *e)
{
	for (const struct link *l = r->quarantined.next; l != &r->quarantined; l = l->next)
		if (same_version(ITEM_OF(l, in_resource), e))
			return true;
	return false;
}

/*
 * The same version is here already and nothing came after it: adding it again changes nothing. A create serves for the
 * spec of its version. Creates, commands and requests repeat only what is quarantined.
 */
static bool is_repeat(const struct resource *r, const struct delivery_event *e)
{
	enum track track = track_of(e->type);
	const struct item *newest = r->newest[track];

	if (quarantined_already(r, e))
		return true;
	if (!newest || newest->seq != r->line->newest[track] || !str_eq(item_event_id(newest), e->event_id))
		return false;
	if (e->type == DELIVERY_SPEC)
		return newest->type == DELIVERY_SPEC || newest->type == DELIVERY_CREATE;
	return e->type == DELIVERY_STATUS && newest->type == DELIVERY_STATUS;
}

/* A delete makes everything of its resource pointless but requests, and itself when it is in flight. */
static bool pointless(const struct item *item)
{
	return item->type != DELIVERY_REQUEST && !(item->type == DELIVERY_DELETE && item_flying(item));
}

/* Adding `e` takes at least one entry out: it may come in even when the outbox is full. */
static bool makes_room(const struct resource *r, const struct delivery_event *e)
{
	for (const struct link *l = r->quarantined.next; l != &r->quarantined; l = l->next)
		if (releases(e->type, ITEM_OF(l, in_resource)->type))
			return true;
	if (e->type == DELIVERY_SPEC || e->type == DELIVERY_STATUS)
		return r->unsent[e->type] != NULL;
	if (e->type == DELIVERY_DELETE)
		for (const struct link *l = r->items.next; l != &r->items; l = l->next)
			if (pointless(ITEM_OF(l, in_resource)))
				return true;
	return false;
}

static bool has_room(const struct outbox *o, const struct resource *r, const struct delivery_event *e)
{
	uint64_t n = blob_view(e->bytes).n;

	if (o->items < o->options.entries_max && n <= o->options.bytes_max && o->bytes <= o->options.bytes_max - n)
		return true;
	return r && makes_room(r, e);
}

static void release_quarantined(struct outbox *o, struct resource *r, enum delivery_type type)
{
	for (struct link *l = r->quarantined.next, *next; l != &r->quarantined; l = next) {
		next = l->next;
		if (releases(type, ITEM_OF(l, in_resource)->type)) {
			item_drop(o, ITEM_OF(l, in_resource));
			o->total.coalesced++;
		}
	}
}

/* Everything of the resource that a delete makes pointless, but its unsent delete: the newer one takes that place. */
static void clear_for_delete(struct outbox *o, struct resource *r)
{
	for (struct link *l = r->items.next, *next; l != &r->items; l = next) {
		struct item *item = ITEM_OF(l, in_resource);

		next = l->next;
		if (pointless(item) && item != r->unsent[DELIVERY_DELETE]) {
			item_drop(o, item);
			o->total.coalesced++;
		}
	}
}

static void append(struct outbox *o, struct item *item)
{
	struct resource *r = item->resource;

	list_put_last(&r->line->items, &item->in_line);
	list_put_last(&r->items, &item->in_resource);
	list_put_last(&o->age, &item->in_age);
	r->line->holds[delivery_lane_of(item->type)]++;
	for (enum track t = 0; t < TRACKS; t++)
		if (on_track(item->type, t)) {
			r->line->newest[t] = item->seq;
			r->newest[t] = item;
		}
	item_move(o, item, ITEM_WAITING);
}

/*
 * The older unsent one of its type gives up its place, so that commands behind it still follow the state they were given
 * for; unless there is a create or a delete behind it, of whatever resource: then the newer goes to the end.
 */
static void place(struct outbox *o, struct item *item)
{
	struct resource *r = item->resource;
	struct item *older = NULL;

	if (item_coalesces(item->type))
		older = r->unsent[item->type];
	item->before = r->line->newest[track_of(item->type)];
	if (older && (older->seq == item->before || item->type == DELIVERY_DELETE)) {
		item_replace(o, older, item);
		return;
	}
	append(o, item);
	if (older) {
		item->since_ms = older->since_ms;
		list_remove(&item->in_age);
		list_put_behind(&older->in_age, &item->in_age);
		item_drop(o, older);
		o->total.coalesced++;
	}
	if (item_coalesces(item->type))
		r->unsent[item->type] = item;
}

/* A create leaves as its object is by then: what it was refused for may be right now, as with a spec. */
static void let_create_go(struct outbox *o, const struct resource *r)
{
	struct item *head = line_head(r->line);

	if (head && head->resource == r && head->type == DELIVERY_CREATE && head->state == ITEM_RETRYING)
		item_let_go(o, head);
}

/* A delete that is on its way serves for this one too once nothing of the resource is left behind it. */
static bool served_by_flying_delete(const struct resource *r, enum delivery_type type)
{
	return type == DELIVERY_DELETE && flying_delete(r);
}

static void hold(struct outbox *o, struct resource *r, struct item *item)
{
	item->resource = r;
	item->seq = ++o->seq;
	o->items++;
	o->bytes += blob_view(item->bytes).n;
	o->states[ITEM_NEW]++;
	o->total.added++;
	if (item->type == DELIVERY_DELETE)
		clear_for_delete(o, r);
	release_quarantined(o, r, item->type);
	if (item->type == DELIVERY_SPEC)
		let_create_go(o, r);
	place(o, item);
	line_settle(o, r->line, /* first= */ false);
}

static enum err refused(struct outbox *o, enum err err)
{
	o->total.refused++;
	return err;
}

/* Only clears; the delete in flight does the rest. */
static void serve(struct outbox *o, struct resource *r)
{
	clear_for_delete(o, r);
	release_quarantined(o, r, DELIVERY_DELETE);
	o->total.repeats++;
	line_settle(o, r->line, /* first= */ false);
}

static enum err add_new(struct outbox *o, struct resource *r, const struct delivery_event *e, uint64_t now_ms)
{
	CLEANUP(item_freep) struct item *item = item_new(e, now_ms);

	if (!item || heap_reserve(&o->timers, o->items + 1) != E_OK)
		return refused(o, E_NOMEM);
	if (!r)
		r = resource_new(o, e);
	if (!r)
		return refused(o, E_NOMEM);
	hold(o, r, TAKE(item));
	return E_OK;
}

enum err outbox_add(struct outbox *o, const struct delivery_event *e, uint64_t now_ms)
{
	struct resource *r = NULL;

	if (!delivery_event_ok(e) || resource_find(o, e, &r) != E_OK)
		return refused(o, E_MALFORMED);
	if (r && is_repeat(r, e)) {
		o->total.repeats++;
		return E_OK;
	}
	if (r && served_by_flying_delete(r, e->type)) {
		serve(o, r);
		return E_OK;
	}
	if (!has_room(o, r, e))
		return refused(o, E_LIMIT);
	return add_new(o, r, e, now_ms);
}
