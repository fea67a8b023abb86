#include <assert.h>

#include "delivery/outbox_impl.h"

static struct line *line_new(struct str key)
{
	struct line *line = mem_alloc(sizeof(*line) + key.n);

	if (!line)
		return NULL;
	list_init(&line->items);
	line->key_n = key.n;
	memcpy(line->key, key.p, key.n);
	return line;
}

static struct resource *resource_alloc(struct str id)
{
	struct resource *r = mem_alloc(sizeof(*r) + id.n);

	if (!r)
		return NULL;
	list_init(&r->items);
	list_init(&r->quarantined);
	r->id_n = id.n;
	memcpy(r->id, id.p, id.n);
	return r;
}

static struct str line_key(const struct line *line)
{
	return (struct str){ line->key, line->key_n };
}

static void line_free_if_empty(struct outbox *o, struct line *line)
{
	if (line->resources)
		return;
	assert(list_empty(&line->items) && !link_held(&line->in_ring));
	(void)map_remove(&o->lines, line_key(line));
	mem_free(line);
}

static struct line *line_get(struct outbox *o, struct str key)
{
	struct line *line = map_get(&o->lines, key);

	if (line)
		return line;
	line = line_new(key);
	if (line && map_put(&o->lines, line_key(line), line) != E_OK) {
		mem_free(line);
		return NULL;
	}
	return line;
}

enum err resource_find(const struct outbox *o, const struct delivery_event *e, struct resource **ret_resource)
{
	char text[DELIVERY_TEXT_MAX];
	struct resource *r = map_get(&o->resources, e->resource_id);

	if (r && !str_eq(delivery_key(e, text), line_key(r->line)))
		return E_MALFORMED;
	*ret_resource = r;
	return E_OK;
}

struct resource *resource_new(struct outbox *o, const struct delivery_event *e)
{
	char text[DELIVERY_TEXT_MAX];
	struct line *line = line_get(o, delivery_key(e, text));
	struct resource *r = line ? resource_alloc(e->resource_id) : NULL;

	if (r && map_put(&o->resources, resource_id(r), r) != E_OK) {
		mem_free(r);
		r = NULL;
	}
	if (r) {
		r->line = line;
		line->resources++;
	} else if (line) {
		line_free_if_empty(o, line);
	}
	return r;
}

void resource_settle(struct outbox *o, struct resource *r)
{
	struct line *line = r->line;

	if (!list_empty(&r->items) || !list_empty(&r->quarantined))
		return;
	(void)map_remove(&o->resources, resource_id(r));
	mem_free(r);
	line->resources--;
	line_free_if_empty(o, line);
}

/* The most urgent lane of what it holds: a command behind a spec pulls the spec along. */
static enum delivery_lane line_lane(const struct line *line)
{
	enum delivery_lane lane = LANE_COMMAND;

	while (lane < LANE_STATUS && line->holds[lane] == 0)
		lane++;
	return lane;
}

void line_settle(struct outbox *o, struct line *line, bool first)
{
	struct item *head = line_head(line);
	enum delivery_lane lane;

	if (!head || head->state != ITEM_WAITING) {
		list_remove(&line->in_ring);
		return;
	}
	lane = line_lane(line);
	if (link_held(&line->in_ring) && line->ring == lane)
		return;
	list_remove(&line->in_ring);
	if (first)
		list_put_behind(&o->rings[lane], &line->in_ring);
	else
		list_put_last(&o->rings[lane], &line->in_ring);
	line->ring = lane;
}
