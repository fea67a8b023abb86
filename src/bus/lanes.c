#include "bus/lanes.h"

#include <assert.h>

#include "base/mem.h"

#define RETRY_BASE_MS 100
#define RETRY_FACTOR  2
#define RETRY_CAP_MS  30000
#define LANES_KEPT    256
#define LANE_KEEPS    1024  /* events that wait in a lane that is stuck, */
#define KEEPS         65536 /* and all events */
#define STUCK         8     /* failures one after the other */
#define FEW           8     /* lanes that may read on their own when the bus takes nothing at all */

#define MAY(state)    (1u << LANE_##state)

static const unsigned allowed[] = {
	[LANE_OPEN] = MAY(HELD) | MAY(DRAINING),    [LANE_HELD] = MAY(PROBING),
	[LANE_PROBING] = MAY(HELD) | MAY(DRAINING), [LANE_DRAINING] = MAY(HELD) | MAY(LANDING),
	[LANE_LANDING] = MAY(HELD) | MAY(OPEN),
};

void lanes_init(struct lanes *l, uint64_t forwarded)
{
	*l = (struct lanes){ .read_pos = forwarded };
}

static void lane_free(struct lane *lane)
{
	while (lane->first) {
		struct entry *next = lane->first->next;

		mem_free(lane->first);
		lane->first = next;
	}
	mem_free(lane->key);
	mem_free(lane);
}

void lanes_release(struct lanes *l)
{
	const struct map_entry *m;
	size_t at = 0;

	while ((m = map_next(&l->map, &at)))
		lane_free(m->value);
	map_release(&l->map);
	heap_release(&l->busy);
	*l = (struct lanes){ 0 };
}

/* ---- lanes ----------------------------------------------------------------------------------------------------------- */

/* Its place among those that have something in flight, after a change. */
static void note_first(struct lanes *l, struct lane *lane)
{
	if (lane->state != LANE_OPEN || !lane->first)
		heap_remove(&l->busy, &lane->busy);
	else if (!heap_holds(&lane->busy))
		(void)heap_put(&l->busy, &lane->busy, lane->first->pos); /* there is room for every lane */
	else if (lane->busy.key != lane->first->pos)
		heap_move(&l->busy, &lane->busy, lane->first->pos);
}

static void into_trouble(struct lanes *l, struct lane *lane)
{
	lane->next = NULL;
	lane->prev = l->trouble_last;
	*(lane->prev ? &lane->prev->next : &l->trouble) = lane;
	l->trouble_last = lane;
	l->trouble_n++;
}

static void out_of_trouble(struct lanes *l, struct lane *lane)
{
	*(lane->prev ? &lane->prev->next : &l->trouble) = lane->next;
	*(lane->next ? &lane->next->prev : &l->trouble_last) = lane->prev;
	l->trouble_n--;
}

static bool sends_at_once(enum lane_state state)
{
	return state == LANE_OPEN || state == LANE_LANDING;
}

static void move(struct lanes *l, struct lane *lane, enum lane_state to)
{
	assert(allowed[lane->state] & 1u << to);
	l->silent_n += sends_at_once(lane->state);
	l->silent_n -= sends_at_once(to);
	if (lane->state == LANE_OPEN)
		into_trouble(l, lane);
	if (to == LANE_OPEN)
		out_of_trouble(l, lane);
	lane->state = to;
	note_first(l, lane);
}

/* It counts as in trouble until all that it sent again came back: others went past that. */
static void open_if_landed(struct lanes *l, struct lane *lane)
{
	if (lane->state == LANE_LANDING && (!lane->first || lane->first->pos > lane->sent_pos))
		move(l, lane, LANE_OPEN);
}

static void land_if_empty(struct lanes *l, struct lane *lane)
{
	if (lane->waiting || lane->behind)
		return;
	lane->sent_pos = l->read_pos;
	move(l, lane, LANE_LANDING);
	open_if_landed(l, lane);
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
	if (heap_reserve(&l->busy, l->map.n + 1))
		return NULL;
	lane = lane_new(buf_view(&key));
	if (lane && map_put(&l->map, (struct str){ lane->key, lane->key_n }, lane)) {
		lane_free(lane);
		return NULL;
	}
	return lane;
}

/* ---- entries --------------------------------------------------------------------------------------------------------- */

static struct entry *add_last(struct lanes *l, struct lane *lane, uint64_t pos, int64_t stored_ms)
{
	struct entry *e = mem_alloc(sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct entry){ .pos = pos, .stored_ms = stored_ms, .lane = lane, .prev = lane->last };
	if (lane->last)
		lane->last->next = e;
	else
		lane->first = e;
	lane->last = e;
	lane->entries++;
	l->count++;
	return e;
}

static void drop(struct lanes *l, struct entry *e)
{
	struct lane *lane = e->lane;

	*(e->prev ? &e->prev->next : &lane->first) = e->next;
	*(e->next ? &e->next->prev : &lane->last) = e->prev;
	lane->entries--;
	l->count--;
	note_first(l, lane);
	mem_free(e);
}

static void take_off(struct lanes *l, struct entry *e)
{
	e->flying = true;
	e->lane->flying++;
	l->flying++;
}

static void land(struct lanes *l, struct entry *e)
{
	assert(e->flying);
	e->flying = false;
	e->lane->flying--;
	l->flying--;
}

static void wait_in_lane(struct entry *e)
{
	if (!e->lane->waiting || e->pos < e->lane->waiting->pos)
		e->lane->waiting = e;
}

/* When a lane sends again, all behind its first that waits does so, too. */
static struct entry *take_waiting(struct lanes *l, struct lane *lane)
{
	struct entry *e = lane->waiting;

	lane->waiting = e->next;
	assert(!e->next || !e->next->flying);
	take_off(l, e);
	return e;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

/* Nobody is known that could be passed by the others. */
static bool nobody_sends(const struct lanes *l)
{
	return l->silent_n == l->map.n;
}

static bool is_stuck(const struct lane *lane)
{
	return lane->backoff.attempts >= STUCK;
}

static bool are_few_and_stuck(const struct lanes *l)
{
	const struct lane *lane = l->trouble;

	while (lane && is_stuck(lane))
		lane = lane->next;
	return !lane && l->trouble_n <= FEW;
}

bool lanes_may_append(const struct lanes *l)
{
	return l->count < KEEPS || !nobody_sends(l) || are_few_and_stuck(l);
}

static bool keeps(const struct lanes *l, const struct lane *lane)
{
	if (sends_at_once(lane->state))
		return true;
	return !lane->behind && l->count < KEEPS && (lane->entries < LANE_KEEPS || !is_stuck(lane) || nobody_sends(l));
}

enum err lanes_hold(struct lanes *l, struct str source, struct str name, uint64_t forwarded, uint64_t waiting)
{
	struct lane *lane = lane_of(l, source, name);

	if (!lane)
		return E_NOMEM;
	move(l, lane, LANE_DRAINING);
	lane->behind = true;
	lane->read_pos = forwarded;
	lane->passed = waiting ? waiting : 1;
	l->passed += lane->passed;
	return E_OK;
}

static void pass_by(struct lanes *l, struct lane *lane, uint64_t pos)
{
	if (!lane->behind)
		lane->read_pos = pos - 1;
	lane->behind = true;
	lane->passed++;
	l->passed++;
}

enum err lanes_append(struct lanes *l, uint64_t pos, int64_t stored_ms, struct str source, struct str name,
		      struct entry **ret_entry)
{
	struct lane *lane = lane_of(l, source, name);
	struct entry *e = NULL;

	assert(pos > l->read_pos);
	if (!lane)
		return E_NOMEM;
	if (!keeps(l, lane)) {
		pass_by(l, lane, pos);
	} else {
		e = add_last(l, lane, pos, stored_ms);
		if (!e)
			return E_NOMEM;
		if (sends_at_once(lane->state))
			take_off(l, e);
		else
			wait_in_lane(e);
		note_first(l, lane);
	}
	l->read_pos = pos;
	*ret_entry = e;
	return E_OK;
}

static bool is_to_fill(const struct lane *lane)
{
	return lane->behind && !lane->waiting && lane->state == LANE_DRAINING;
}

struct lane *lanes_to_fill(const struct lanes *l)
{
	struct lane *lane = l->trouble;

	while (lane && !is_to_fill(lane))
		lane = lane->next;
	return lane;
}

static void found(struct lanes *l, struct lane *lane, uint64_t n)
{
	lane->passed -= n;
	l->passed -= n;
}

enum err lanes_fill(struct lanes *l, struct lane *lane, uint64_t pos, int64_t stored_ms)
{
	struct entry *e = add_last(l, lane, pos, stored_ms);

	assert(pos > lane->read_pos && pos <= l->read_pos && lane->behind);
	if (!e)
		return E_NOMEM;
	wait_in_lane(e);
	lane->read_pos = pos;
	found(l, lane, lane->passed > 1); /* it counts as waiting until it has looked everywhere */
	return E_OK;
}

void lanes_filled(struct lanes *l, struct lane *lane, uint64_t read_pos)
{
	lane->read_pos = read_pos;
	if (read_pos >= l->read_pos) {
		found(l, lane, lane->passed);
		lane->behind = false;
	}
	out_of_trouble(l, lane);
	into_trouble(l, lane);
	land_if_empty(l, lane);
}

/* ---- sending --------------------------------------------------------------------------------------------------------- */

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
		struct entry *e = take_waiting(l, lane);

		if (lane->state == LANE_HELD)
			move(l, lane, LANE_PROBING);
		else
			land_if_empty(l, lane);
		return e;
	}
	return NULL;
}

bool lanes_done(struct lanes *l, struct entry *e)
{
	struct lane *lane = e->lane;
	bool recovered = lane->state == LANE_PROBING;

	land(l, e);
	drop(l, e);
	if (recovered) {
		backoff_reset(&lane->backoff);
		move(l, lane, LANE_DRAINING);
		land_if_empty(l, lane);
	}
	open_if_landed(l, lane);
	return recovered;
}

bool lanes_failed(struct lanes *l, struct entry *e, uint64_t now_ms, uint64_t random)
{
	struct lane *lane = e->lane;
	bool was_well = lane->state != LANE_HELD && lane->state != LANE_PROBING;

	land(l, e);
	wait_in_lane(e);
	if (lane->state != LANE_HELD) {
		lane->held_until_ms = now_ms + backoff_next(&lane->backoff, random);
		move(l, lane, LANE_HELD);
	}
	return was_well;
}

void lanes_retry_all(struct lanes *l, uint64_t now_ms)
{
	for (struct lane *lane = l->trouble; lane; lane = lane->next) {
		backoff_reset(&lane->backoff);
		lane->held_until_ms = now_ms;
	}
}

uint64_t lane_position(const struct lane *lane)
{
	if (lane->first)
		return lane->first->pos - 1;
	return lane->behind ? lane->read_pos : UINT64_MAX;
}

/* The one with the oldest event that is not done. */
static const struct lane *slowest(const struct lanes *l)
{
	const struct heap_node *busy = heap_first(&l->busy);
	const struct lane *slow = busy ? CONTAINER_OF(busy, struct lane, busy) : l->trouble;

	for (const struct lane *lane = l->trouble; lane; lane = lane->next)
		if (lane_position(lane) < lane_position(slow))
			slow = lane;
	return slow;
}

uint64_t lanes_position(const struct lanes *l)
{
	const struct lane *slow = slowest(l);

	return slow ? lane_position(slow) : l->read_pos;
}

uint64_t lanes_position_of_open(const struct lanes *l)
{
	const struct heap_node *busy = heap_first(&l->busy);

	if (l->trouble_n > LANES_HELD_MAX)
		return lanes_position(l);
	return busy ? busy->key - 1 : l->read_pos;
}

int64_t lanes_oldest_ms(const struct lanes *l)
{
	const struct lane *slow = slowest(l);

	return slow && slow->first ? slow->first->stored_ms : 0;
}

uint64_t lanes_undone(const struct lanes *l)
{
	return l->count + l->passed;
}

uint64_t lanes_next_ms(const struct lanes *l)
{
	uint64_t next = UINT64_MAX;

	for (const struct lane *lane = l->trouble; lane; lane = lane->next) {
		if (lane->state == LANE_DRAINING && (lane->waiting || lane->behind))
			return 0;
		if (lane->state == LANE_HELD && lane->flying == 0 && lane->held_until_ms < next)
			next = lane->held_until_ms;
	}
	return next;
}
