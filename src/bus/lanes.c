#include "bus/lanes.h"

#include <assert.h>

#include "base/mem.h"

#define RETRY_BASE_MS 100
#define RETRY_FACTOR  2
#define RETRY_CAP_MS  30000
#define LANES_KEPT    256

#define MAY(state)    (1u << LANE_##state)

static const unsigned allowed[] = {
	[LANE_OPEN] = MAY(HELD),
	[LANE_HELD] = MAY(PROBING),
	[LANE_PROBING] = MAY(HELD) | MAY(DRAINING) | MAY(OPEN),
	[LANE_DRAINING] = MAY(HELD) | MAY(OPEN),
};

void lanes_init(struct lanes *l, uint64_t forwarded)
{
	*l = (struct lanes){ .read_pos = forwarded };
}

static void lane_free(struct lane *lane)
{
	mem_free(lane->key);
	mem_free(lane);
}

void lanes_release(struct lanes *l)
{
	const struct map_entry *m;
	size_t at = 0;

	while (l->first) {
		struct entry *next = l->first->next;

		mem_free(l->first);
		l->first = next;
	}
	while ((m = map_next(&l->map, &at)))
		lane_free(m->value);
	map_release(&l->map);
	*l = (struct lanes){ 0 };
}

/* ---- lanes ----------------------------------------------------------------------------------------------------------- */

static void move(struct lanes *l, struct lane *lane, enum lane_state to)
{
	assert(allowed[lane->state] & 1u << to);
	if (lane->state == LANE_OPEN) {
		lane->prev = NULL;
		lane->next = l->trouble;
		if (lane->next)
			lane->next->prev = lane;
		l->trouble = lane;
	}
	if (to == LANE_OPEN) {
		if (lane->prev)
			lane->prev->next = lane->next;
		else
			l->trouble = lane->next;
		if (lane->next)
			lane->next->prev = lane->prev;
	}
	lane->state = to;
}

static struct lane *lane_new(struct str key)
{
	struct lane *lane = mem_alloc(sizeof(*lane));

	if (!lane)
		return NULL;
	lane->key = mem_dup(key.p, key.n);
	lane->key_n = key.n;
	lane->backoff = (struct backoff){ RETRY_BASE_MS, RETRY_FACTOR, RETRY_CAP_MS, 0 };
	if (lane->key)
		return lane;
	mem_free(lane);
	return NULL;
}

/* Routes come and go with configurations; many idle ones are not kept: each new one takes the place of an idle one. */
static void forget_an_idle_one(struct lanes *l)
{
	const struct map_entry *m;
	size_t at = 0;

	while (l->map.n > LANES_KEPT && (m = map_next(&l->map, &at))) {
		struct lane *lane = m->value;

		if (lane->entries || lane->state != LANE_OPEN)
			continue;
		(void)map_remove(&l->map, m->key);
		lane_free(lane);
		return;
	}
}

static struct lane *lane_of(struct lanes *l, struct str source, struct str name)
{
	CLEANUP(buf_release) struct buf key = { 0 };
	struct lane *lane;

	buf_str(&key, source);
	buf_char(&key, 0);
	buf_str(&key, name);
	if (key.err)
		return NULL;
	lane = map_get(&l->map, buf_view(&key));
	if (lane)
		return lane;
	forget_an_idle_one(l);
	lane = lane_new(buf_view(&key));
	if (lane && map_put(&l->map, (struct str){ lane->key, lane->key_n }, lane)) {
		lane_free(lane);
		return NULL;
	}
	return lane;
}

/* Into its place by position; what comes back comes mostly in order. */
static void wait_in_lane(struct lane *lane, struct entry *e)
{
	struct entry **place = &lane->waiting;

	if (lane->waiting_last && lane->waiting_last->pos < e->pos)
		place = &lane->waiting_last->lane_next;
	while (*place && (*place)->pos < e->pos)
		place = &(*place)->lane_next;
	e->lane_next = *place;
	*place = e;
	if (!e->lane_next)
		lane->waiting_last = e;
}

static struct entry *take_waiting(struct lane *lane)
{
	struct entry *e = lane->waiting;

	lane->waiting = e->lane_next;
	if (!lane->waiting)
		lane->waiting_last = NULL;
	e->lane_next = NULL;
	return e;
}

/* ---- entries --------------------------------------------------------------------------------------------------------- */

static void take_off(struct lanes *l, struct entry *e)
{
	e->flying = true;
	e->lane->flying++;
	l->flying++;
}

static void land(struct lanes *l, struct entry *e)
{
	assert(e->flying && !e->done);
	e->flying = false;
	e->lane->flying--;
	l->flying--;
}

enum err lanes_append(struct lanes *l, uint64_t pos, int64_t stored_ms, struct str source, struct str name,
		      struct entry **ret_entry)
{
	struct entry *e = mem_alloc(sizeof(*e));
	struct lane *lane = e ? lane_of(l, source, name) : NULL;

	assert(pos > l->read_pos);
	if (!lane) {
		mem_free(e);
		return E_NOMEM;
	}
	*e = (struct entry){ .pos = pos, .stored_ms = stored_ms, .lane = lane };
	if (l->last)
		l->last->next = e;
	else
		l->first = e;
	l->last = e;
	l->count++;
	l->read_pos = pos;
	lane->entries++;
	if (lane->state == LANE_OPEN)
		take_off(l, e);
	else
		wait_in_lane(lane, e);
	*ret_entry = e;
	return E_OK;
}

static bool may_send(const struct lane *lane, uint64_t now_ms)
{
	if (!lane->waiting)
		return false;
	if (lane->state == LANE_HELD)
		return lane->flying == 0 && lane->held_until_ms <= now_ms;
	return lane->state == LANE_DRAINING;
}

struct entry *lanes_resend(struct lanes *l, uint64_t now_ms)
{
	for (struct lane *lane = l->trouble; lane; lane = lane->next) {
		if (!may_send(lane, now_ms))
			continue;
		struct entry *e = take_waiting(lane);

		take_off(l, e);
		if (lane->state == LANE_HELD)
			move(l, lane, LANE_PROBING);
		else if (!lane->waiting)
			move(l, lane, LANE_OPEN);
		return e;
	}
	return NULL;
}

static void drop_done(struct lanes *l)
{
	while (l->first && l->first->done) {
		struct entry *next = l->first->next;

		mem_free(l->first);
		l->first = next;
		l->count--;
	}
	if (!l->first)
		l->last = NULL;
}

bool lanes_done(struct lanes *l, struct entry *e)
{
	struct lane *lane = e->lane;
	bool recovered = lane->state == LANE_PROBING;

	land(l, e);
	e->done = true;
	lane->entries--;
	if (recovered) {
		backoff_reset(&lane->backoff);
		move(l, lane, lane->waiting ? LANE_DRAINING : LANE_OPEN);
	}
	drop_done(l);
	return recovered;
}

bool lanes_failed(struct lanes *l, struct entry *e, uint64_t now_ms, uint64_t random)
{
	struct lane *lane = e->lane;
	bool was_open = lane->state == LANE_OPEN;

	land(l, e);
	wait_in_lane(lane, e);
	if (lane->state != LANE_HELD) {
		lane->held_until_ms = now_ms + backoff_next(&lane->backoff, random);
		move(l, lane, LANE_HELD);
	}
	return was_open;
}

void lanes_retry_all(struct lanes *l, uint64_t now_ms)
{
	for (struct lane *lane = l->trouble; lane; lane = lane->next) {
		backoff_reset(&lane->backoff);
		lane->held_until_ms = now_ms;
	}
}

uint64_t lanes_position(const struct lanes *l)
{
	return l->first ? l->first->pos - 1 : l->read_pos;
}

uint64_t lanes_next_ms(const struct lanes *l)
{
	uint64_t next = UINT64_MAX;

	for (const struct lane *lane = l->trouble; lane; lane = lane->next) {
		if (lane->state == LANE_DRAINING && lane->waiting)
			return 0;
		if (lane->state == LANE_HELD && lane->flying == 0 && lane->held_until_ms < next)
			next = lane->held_until_ms;
	}
	return next;
}
