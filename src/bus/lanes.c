#include "base/mem.h"
#include "bus/lanes_impl.h"

#define RETRY_BASE_MS 100
#define RETRY_FACTOR  2
#define RETRY_CAP_MS  30000
#define LANES_KEPT    256

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

/* ---- routes ---------------------------------------------------------------------------------------------------------- */

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
		(void)map_remove(&l->map, (struct str){ lane->key, lane->key_n });
		lane_free(lane);
		return;
	}
}

static struct lane *lane_add(struct lanes *l, struct str key)
{
	struct lane *lane;

	forget_an_idle_one(l);
	if (heap_reserve(&l->busy, l->map.n + 1))
		return NULL;
	lane = lane_new(key);
	if (lane && map_put(&l->map, (struct str){ lane->key, lane->key_n }, lane)) {
		lane_free(lane);
		return NULL;
	}
	return lane;
}

struct lane *lane_of(struct lanes *l, struct str source, struct str name)
{
	CLEANUP(buf_release) struct buf key = { 0 };
	struct lane *lane;

	buf_str(&key, source);
	buf_char(&key, 0);
	buf_str(&key, name);
	if (key.err)
		return NULL;
	lane = map_get(&l->map, buf_view(&key));
	return lane ? lane : lane_add(l, buf_view(&key));
}

/* ---- states ---------------------------------------------------------------------------------------------------------- */

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

void lane_to_the_end(struct lanes *l, struct lane *lane)
{
	out_of_trouble(l, lane);
	into_trouble(l, lane);
}

void lane_move(struct lanes *l, struct lane *lane, enum lane_state to)
{
	assert(allowed[lane->state] & 1u << to);
	if (lane->state == LANE_OPEN)
		into_trouble(l, lane);
	if (to == LANE_OPEN)
		out_of_trouble(l, lane);
	lane->state = to;
	note_first(l, lane);
}

void lane_open_if_landed(struct lanes *l, struct lane *lane)
{
	if (lane->state == LANE_LANDING && (!lane->first || lane->first->pos > lane->sent_pos))
		lane_move(l, lane, LANE_OPEN);
}

void lane_land_if_drained(struct lanes *l, struct lane *lane)
{
	if (lane->state != LANE_DRAINING || lane->waiting || lane->passed)
		return;
	lane->sent_pos = l->read_pos;
	lane_move(l, lane, LANE_LANDING);
	lane_open_if_landed(l, lane);
}

/* ---- entries --------------------------------------------------------------------------------------------------------- */

void entry_take_off(struct lanes *l, struct entry *e)
{
	e->flying = true;
	e->lane->flying++;
	l->flying++;
}

void entry_land(struct lanes *l, struct entry *e)
{
	assert(e->flying);
	e->flying = false;
	e->lane->flying--;
	l->flying--;
}

struct entry *entry_new(struct lanes *l, struct lane *lane, uint64_t pos, int64_t stored_ms)
{
	struct entry *e = mem_alloc(sizeof(*e));

	if (!e)
		return NULL;
	assert(!lane->waiting && (!lane->last || pos > lane->last->pos));
	*e = (struct entry){ .pos = pos, .stored_ms = stored_ms, .lane = lane, .prev = lane->last };
	*(lane->last ? &lane->last->next : &lane->first) = e;
	lane->last = e;
	lane->entries++;
	l->count++;
	entry_take_off(l, e);
	note_first(l, lane);
	return e;
}

void entry_drop(struct lanes *l, struct entry *e)
{
	struct lane *lane = e->lane;

	*(e->prev ? &e->prev->next : &lane->first) = e->next;
	*(e->next ? &e->next->prev : &lane->last) = e->prev;
	lane->entries--;
	l->count--;
	note_first(l, lane);
	mem_free(e);
}

/* ---- positions ------------------------------------------------------------------------------------------------------- */

uint64_t lane_position(const struct lane *lane)
{
	if (lane->first)
		return lane->first->pos - 1;
	return lane->passed ? lane->read_pos : UINT64_MAX;
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
