/*
 * outbox_impl.h -- the inside of an outbox, shared by its files.
 *
 * Shape     outbox.c      life, connection, statistics
 *           outbox_add.c  what a new event replaces, and where it stands
 *           outbox_send.c taking turns, timers
 *           outbox_answer.c  what the peer said
 *           line.c        lines, resources and the rings
 *           item.c        one event and its states
 * Owner     the outbox owns lines, a line its resources and a resource its items; each lives as long as it holds something.
 */
#pragma once

#include "base/heap.h"
#include "base/map.h"
#include "base/rate.h"
#include "delivery/list.h"
#include "delivery/outbox.h"

enum item_state {
	ITEM_NEW, /* allocated, in no list */
	ITEM_WAITING,
	ITEM_TAKEN,
	ITEM_SENT,
	ITEM_RECEIVED,
	ITEM_RETRYING,
	ITEM_QUARANTINED,
	ITEM_GONE,
	ITEM_STATES,
};

/*
 * Spec and status are different fields of an object: each replaces the older one of its kind whatever lies between, but
 * never across a create or a delete, which are on both tracks. Commands and requests are on none.
 */
enum track { TRACK_DESIRED, TRACK_OBSERVED, TRACKS };

struct item {
	struct link in_line;     /* in order; not while quarantined */
	struct link in_resource; /* in order of adding; while quarantined: in the resource's other list */
	struct link in_group;    /* outbox: taken, sent (and received), held back or quarantined */
	struct link in_age;      /* outbox: oldest first; not while quarantined */
	struct heap_node timer;  /* SENT: send again; RETRYING: hold back no longer */
	struct resource *resource;
	struct blob *bytes;
	char *event_id;
	char *reason;      /* quarantined; NULL: none, or no memory for it */
	uint64_t seq;      /* when it was added */
	uint64_t before;   /* seq of the newest on its track when this one was added */
	uint64_t first;    /* order of its first sending; 0: never sent */
	uint64_t last;     /* order of its latest sending */
	uint64_t since_ms; /* waiting since; quarantined since */
	uint64_t first_ms; /* when it was sent first */
	uint32_t attempts; /* failures since the connection was made: the backoff's */
	uint32_t event_id_n;
	enum delivery_type type : 8;
	enum item_state state : 8;
	bool refused; /* for now, once at least */
};

struct resource {
	struct line *line;
	struct link items; /* not quarantined */
	struct link quarantined;
	struct item *unsent[DELIVERY_TYPE_COUNT]; /* the newest unsent one; of DELETE, SPEC and STATUS only */
	struct item *newest[TRACKS];              /* the newest of `items` on each track, unless it is gone */
	size_t id_n;
	char id[];
};

struct line {
	struct link items; /* in order; only the first may be in flight */
	struct link in_ring;
	uint64_t newest[TRACKS]; /* seq of the newest event on each track that was added */
	uint64_t resources;
	uint32_t holds[LANE_COUNT]; /* items by lane */
	enum delivery_lane ring;    /* where it stands, if it does */
	size_t key_n;
	char key[];
};

struct control {
	struct link in_queue;
	struct blob *bytes;
};

#define ANSWERED_KIND_MAX 32 /* a longer kind is cut: it is for a label */

struct answered {
	char kind[ANSWERED_KIND_MAX];
	size_t kind_n;
	uint64_t waited_ms;
	uint64_t out_ms;
};

struct outbox {
	struct outbox_options options;
	struct map lines;     /* by ordering key */
	struct map resources; /* by resource id */
	struct link rings[LANE_COUNT];
	struct link control;
	struct link taken; /* in order of `last` */
	struct link sent;
	struct link held; /* RETRYING, in the order in which they were refused */
	struct link quarantined;
	struct link age;
	struct heap timers;
	struct rate rate;
	uint64_t rate_ready_ms; /* the rate allows nothing before */
	uint64_t items;         /* not GONE */
	uint64_t states[ITEM_STATES];
	uint64_t bytes;
	uint64_t flying_bytes;
	uint64_t seq;
	uint64_t order;
	uint64_t epoch;
	uint32_t turn; /* payload events taken, for the lanes' turns */
	uint32_t control_n;
	bool connected;
	struct blob *lent; /* what the last frame of control borrowed */
	struct lag lag;
	struct answered last;      /* what was answered */
	struct outbox_stats total; /* the counters since the start */
};

#define ITEM_OF(link_ptr, member) CONTAINER_OF(link_ptr, struct item, member)

/* -- item.c ---------------------------------------------------------------------------------------------------------- */

/* A new item in no list, with a reference to the bytes; NULL without memory. */
struct item *item_new(const struct delivery_event *e, uint64_t now_ms);
void item_free(struct item *item);

DEFINE_FREEP(item, struct item, item_free)

/* The one place where a state changes; checks the move. */
void item_move(struct outbox *o, struct item *item, enum item_state to);

static inline bool item_flying(const struct item *item)
{
	return item->state == ITEM_TAKEN || item->state == ITEM_SENT || item->state == ITEM_RECEIVED;
}

static inline bool item_unsent(const struct item *item)
{
	return item->state == ITEM_WAITING || item->state == ITEM_RETRYING;
}

/* The one on which it replaces, or is replaced. */
static inline enum track track_of(enum delivery_type type)
{
	return type == DELIVERY_STATUS ? TRACK_OBSERVED : TRACK_DESIRED;
}

static inline bool on_track(enum delivery_type type, enum track track)
{
	if (type == DELIVERY_CREATE || type == DELIVERY_DELETE)
		return true;
	return type == (track == TRACK_OBSERVED ? DELIVERY_STATUS : DELIVERY_SPEC);
}

/* Only these are replaced by newer ones of their type. */
static inline bool item_coalesces(enum delivery_type type)
{
	return type == DELIVERY_SPEC || type == DELIVERY_STATUS || type == DELIVERY_DELETE;
}

static inline struct str item_event_id(const struct item *item)
{
	return (struct str){ item->event_id, item->event_id_n };
}

/* Leaves the place that stands for its state: a group, the timers, the resource's pointer to its newest unsent. */
void item_ground(struct outbox *o, struct item *item);

/* No longer the newest of its resource. */
void item_forget(struct item *item);

/* Gone: out of every list, freed; its resource and line with it when they hold nothing more. The line is not settled. */
void item_drop(struct outbox *o, struct item *item);

/* `older` (unsent) takes the version of `newer` (same resource and type, never sent), keeps its place and age;
 * `newer` is dropped. A status goes on being held back, the rest does not. */
void item_replace(struct outbox *o, struct item *older, struct item *newer);

/* Held back no longer. */
void item_let_go(struct outbox *o, struct item *item);

/* No longer in flight: waits, or is held back until `until_ms`; gives way to a newer version that stands right behind it. */
void item_return(struct outbox *o, struct item *item, enum item_state to, uint64_t until_ms);

/* -- line.c ---------------------------------------------------------------------------------------------------------- */

/* The resource of `e`, or NULL. E_MALFORMED: its id belongs to another ordering key. */
enum err resource_find(const struct outbox *o, const struct delivery_event *e, struct resource **ret_resource);

/* A resource for `e`, which has none yet; NULL without memory. */
struct resource *resource_new(struct outbox *o, const struct delivery_event *e);

/* Free the resource when it holds nothing, and its line when that holds no other. */
void resource_settle(struct outbox *o, struct resource *r);

/* Stand in the ring where it belongs, or in none. `first`: before those that stand there already. */
void line_settle(struct outbox *o, struct line *line, bool first);

/* Its first item, or NULL. */
static inline struct item *line_head(const struct line *line)
{
	return list_empty(&line->items) ? NULL : ITEM_OF(line->items.next, in_line);
}

static inline struct str resource_id(const struct resource *r)
{
	return (struct str){ r->id, r->id_n };
}

/* -- outbox_send.c --------------------------------------------------------------------------------------------------- */

/* The wait before the next sending of `item`, drawn from `random`; counts one more failure. */
uint64_t outbox_backoff(const struct outbox *o, struct item *item, uint64_t random);
