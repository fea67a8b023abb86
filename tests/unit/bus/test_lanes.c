/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "base/mem.h"
#include "bus/lanes.h"

static struct entry *append(struct lanes *l, uint64_t pos, const char *name)
{
	struct entry *e = NULL;

	assert_int_equal(lanes_append(l, pos, (int64_t)pos * 10, STR("s"), str_of(name), &e), E_OK);
	return e;
}

static uint64_t resend(struct lanes *l, uint64_t now_ms, struct entry **ret_entry)
{
	struct entry *e = lanes_resend(l, now_ms);

	if (ret_entry)
		*ret_entry = e;
	return e ? e->pos : 0;
}

static struct entry *append_again(struct lanes *l, uint64_t behind, uint64_t pos, const char *name)
{
	struct entry *e = NULL;

	assert_int_equal(lanes_append_again(l, behind, pos, 0, STR("s"), str_of(name), &e), E_OK);
	return e;
}

/* Of the lane whose turn it is: these events, and nothing else up to where all was read. */
static void read_again(struct lanes *l, const char *name, uint64_t behind, const uint64_t *pos, size_t n)
{
	struct lane *lane = lanes_to_read_again(l);

	assert_string_equal(lane_name(lane), name);
	assert_int_equal(lane->read_pos, behind);
	for (size_t i = 0; i < n; i++)
		assert_true(append_again(l, behind, pos[i], name)->flying);
	lanes_have_read_again(l, lane, behind, l->read_pos);
}

static void the_position_is_what_is_done_without_a_gap(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 10);
	assert_int_equal(lanes_position(&l), 10);
	assert_int_equal(lanes_oldest_ms(&l), 0);
	struct entry *a = append(&l, 11, "a");
	struct entry *b = append(&l, 12, "b");
	struct entry *c = append(&l, 15, "a");

	assert_true(a->flying && b->flying && c->flying);
	assert_int_equal(lanes_oldest_ms(&l), 110);
	lanes_done(&l, b);
	assert_int_equal(lanes_position(&l), 10);
	lanes_done(&l, a);
	assert_int_equal(lanes_position(&l), 14);
	lanes_done(&l, c);
	assert_int_equal(lanes_position(&l), 15);
	assert_int_equal(l.count, 0);
	lanes_release(&l);
}

static void after_a_failure_the_route_goes_on_in_order_and_others_do_not_notice(void **state)
{
	struct lanes l;
	struct entry *e;

	(void)state;
	lanes_init(&l, 0);
	struct entry *a1 = append(&l, 1, "a");
	struct entry *a2 = append(&l, 2, "a");
	struct entry *b3 = append(&l, 3, "b");
	struct entry *a4 = append(&l, 4, "a");

	assert_true(lanes_failed(&l, a2, /* now_ms= */ 1000, /* random= */ 49)); /* held until 1050 */
	assert_int_equal(lanes_next_ms(&l), UINT64_MAX);                         /* two are still in flight */
	assert_null(append(&l, 5, "a"));
	assert_true(append(&l, 6, "b")->flying);
	lanes_done(&l, b3);
	assert_int_equal(resend(&l, 5000, NULL), 0);
	assert_false(lanes_failed(&l, a1, 1001, 0)); /* the same trouble: no longer wait */
	lanes_done(&l, a4);
	assert_int_equal(lanes_next_ms(&l), 1050);
	assert_int_equal(resend(&l, 1049, NULL), 0);
	assert_int_equal(resend(&l, 1050, &e), 1); /* the oldest, alone */
	assert_int_equal(resend(&l, 1050, NULL), 0);
	assert_true(lanes_failed(&l, e, 2000, 199) == false); /* the next step: 200 ms */
	assert_int_equal(lanes_next_ms(&l), 2200);
	assert_int_equal(resend(&l, 2200, &e), 1);
	assert_true(lanes_done(&l, e));
	assert_int_equal(lanes_position(&l), 1);
	assert_null(append(&l, 7, "a"));
	assert_null(lanes_to_read_again(&l));
	assert_int_equal(resend(&l, 2200, &e), 2); /* then the rest, in order */
	assert_int_equal(resend(&l, 2200, NULL), 0);
	assert_int_equal(lanes_next_ms(&l), 0);
	read_again(&l, "a", 4, (uint64_t[]){ 5, 7 }, 2);
	assert_true(append(&l, 8, "a")->flying);
	lanes_done(&l, e);
	assert_int_equal(lanes_position(&l), 4);
	lanes_release(&l);
}

static void waits_grow_to_a_cap_and_start_again_when_the_bus_returns(void **state)
{
	static const uint64_t steps[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	struct lanes l;
	uint64_t now = 0;

	(void)state;
	lanes_init(&l, 0);
	struct entry *e = append(&l, 1, "a");

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		lanes_failed(&l, e, now, steps[i] - 1);
		assert_int_equal(lanes_next_ms(&l), now + steps[i]);
		now += steps[i];
		assert_int_equal(resend(&l, now, &e), 1);
	}
	lanes_failed(&l, e, now, 29999);
	lanes_retry_all(&l, now);
	assert_int_equal(resend(&l, now, &e), 1);
	lanes_failed(&l, e, now, 199); /* the first step: the second would make it 200 */
	assert_int_equal(lanes_next_ms(&l), now + 100);
	now += 100;
	assert_int_equal(resend(&l, now, &e), 1);
	lanes_failed(&l, e, now, 199);
	assert_int_equal(lanes_next_ms(&l), now + 200);
	now += 200;
	assert_int_equal(resend(&l, now, &e), 1);
	lanes_done(&l, e); /* nor does the next trouble know of this one */
	lanes_failed(&l, append(&l, 2, "a"), now, 199);
	assert_int_equal(lanes_next_ms(&l), now + 100);
	lanes_release(&l);
}

static void the_next_try_is_that_of_the_route_that_may_first(void **state)
{
	(void)state;
	for (uint64_t first = 20; first <= 80; first += 60) {
		struct lanes l;
		struct entry *e;

		lanes_init(&l, 0);
		lanes_failed(&l, append(&l, 1, "a"), /* now_ms= */ 1000, /* random= */ first - 1);
		lanes_failed(&l, append(&l, 2, "b"), /* now_ms= */ 1000, /* random= */ 100 - first - 1);
		assert_int_equal(lanes_next_ms(&l), 1020);
		assert_int_equal(resend(&l, 1020, &e), first == 20 ? 1 : 2);
		assert_int_equal(lanes_next_ms(&l), 1080);
		lanes_release(&l);
	}
}

static void routes_that_went_away_are_forgotten(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		char name[24];

		snprintf(name, sizeof(name), "route-%llu", (unsigned long long)i);
		lanes_done(&l, append(&l, i, name));
	}
	assert_int_equal(l.map.n, 257);
	lanes_release(&l);
}

static void routes_with_events_under_way_or_in_trouble_are_not_forgotten(void **state)
{
	static struct entry *e[400];
	struct lanes l;

	(void)state;
	lanes_init(&l, 10);
	assert_int_equal(lanes_hold(&l, STR("s"), STR("held"), 5, 1), E_OK);
	for (size_t i = 0; i < ARRAY_LEN(e); i++) {
		char name[24];

		snprintf(name, sizeof(name), "route-%zu", i);
		e[i] = append(&l, 11 + i, name);
	}
	assert_int_equal(l.map.n, 1 + ARRAY_LEN(e));
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		lanes_done(&l, e[i]);
	read_again(&l, "held", 5, (uint64_t[]){ 6 }, 1);
	lanes_release(&l);
}

static void without_memory_nothing_is_added(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	for (long at = 1;; at++) {
		struct entry *e = NULL;

		mem_fail_at(at);
		enum err err = lanes_append(&l, 1, 0, STR("s"), STR("n"), &e);

		mem_fail_at(0);
		if (!err)
			break;
		assert_int_equal(err, E_NOMEM);
		assert_int_equal(l.read_pos, 0);
		assert_int_equal(l.count, 0);
	}
	assert_int_equal(lanes_position(&l), 0);
	lanes_release(&l);
}

/* Its only event is not taken. */
static void hold_back(struct lanes *l, uint64_t pos, const char *name)
{
	lanes_failed(l, append(l, pos, name), 0, 0);
}

/* The event that was not taken is, so that the lane is to read again; gives it back. */
static struct lane *let_go(struct lanes *l, uint64_t pos)
{
	struct entry *e = NULL;

	assert_int_equal(resend(l, 10, &e), pos);
	assert_true(lanes_done(l, e));
	return e ? lanes_to_read_again(l) : NULL;
}

static void what_waits_is_passed_by_and_read_again(void **state)
{
	struct lanes l;
	struct lane *a;
	struct entry *e = NULL;

	(void)state;
	lanes_init(&l, 0);
	hold_back(&l, 1, "a");
	lanes_done(&l, append(&l, 2, "b"));
	assert_null(append(&l, 3, "a"));
	assert_null(append(&l, 4, "a"));
	assert_int_equal(l.count, 1);
	assert_int_equal(lanes_undone(&l), 3);
	a = let_go(&l, 1);
	assert_int_equal(lanes_position(&l), 2);
	assert_int_equal(lanes_next_ms(&l), 0);
	e = append_again(&l, 2, 3, "a");
	assert_true(e->flying);
	lanes_have_read_again(&l, a, 2, 3);
	assert_null(append(&l, 5, "a")); /* what comes meanwhile comes behind them */
	lanes_done(&l, e);
	assert_int_equal(lanes_undone(&l), 2);
	read_again(&l, "a", 3, (uint64_t[]){ 4 }, 1); /* 5 is no longer there */
	assert_null(lanes_to_read_again(&l));
	assert_true(append(&l, 6, "a")->flying);
	assert_int_equal(lanes_undone(&l), 2);
	lanes_release(&l);
}

static void lanes_at_the_same_place_read_again_together(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	hold_back(&l, 1, "a");
	hold_back(&l, 2, "b");
	for (uint64_t pos = 3; pos <= 8; pos++)
		assert_null(append(&l, pos, pos % 2 ? "a" : "b"));
	struct lane *a = let_go(&l, 1);

	assert_false(lanes_share(&l, a, 100));
	assert_ptr_equal(let_go(&l, 2), a);
	assert_true(lanes_share(&l, a, /* reach= */ 1));
	assert_false(lanes_share(&l, a, /* reach= */ 0));
	assert_true(append_again(&l, 2, 3, "a")->flying);
	assert_true(append_again(&l, 2, 4, "b")->flying);
	assert_null(append_again(&l, 2, 5, "c"));
	lanes_have_read_again(&l, a, 2, 5); /* it may have looked for others there */
	struct lane *b = lanes_to_read_again(&l);

	assert_string_equal(lane_name(b), "b");
	assert_int_equal(a->read_pos, 5);
	assert_int_equal(b->read_pos, 5);
	assert_null(append_again(&l, 6, 7, "a")); /* 6 might be its own */
	assert_true(append_again(&l, 5, 6, "b")->flying);
	assert_true(append_again(&l, 5, 7, "a")->flying);
	assert_true(append_again(&l, 5, 8, "b")->flying);
	lanes_have_read_again(&l, b, 5, 8);
	assert_null(lanes_to_read_again(&l));
	assert_int_equal(lanes_next_ms(&l), UINT64_MAX);
	assert_int_equal(lanes_undone(&l), 5);
	lanes_release(&l);
}

static void what_failed_while_it_was_read_again_is_not_left_behind(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	hold_back(&l, 1, "a");
	for (uint64_t pos = 2; pos <= 4; pos++)
		assert_null(append(&l, pos, "a"));
	struct lane *a = let_go(&l, 1);

	lanes_failed(&l, append_again(&l, 1, 2, "a"), 0, 0);
	assert_null(append_again(&l, 1, 3, "a"));
	lanes_have_read_again(&l, a, 1, 4);
	assert_ptr_equal(let_go(&l, 2), a);
	assert_int_equal(a->read_pos, 2);
	lanes_release(&l);
}

static void lanes_that_send_again_take_turns(void **state)
{
	struct lanes l;
	struct entry *e[7];

	(void)state;
	lanes_init(&l, 0);
	for (uint64_t pos = 1; pos <= 6; pos++)
		e[pos] = append(&l, pos, pos <= 3 ? "a" : "b");
	for (uint64_t pos = 1; pos <= 6; pos++)
		lanes_failed(&l, e[pos], 0, 0);
	for (uint64_t pos = 1; pos <= 4; pos += 3) {
		assert_int_equal(resend(&l, 10, NULL), pos);
		lanes_done(&l, e[pos]);
	}
	assert_int_equal(resend(&l, 10, NULL), 2);
	assert_int_equal(resend(&l, 10, NULL), 5);
	assert_int_equal(resend(&l, 10, NULL), 3);
	assert_int_equal(resend(&l, 10, NULL), 6);
	lanes_release(&l);
}

static void the_position_goes_past_a_few_lanes_in_trouble_and_not_past_many(void **state)
{
	struct lanes l;
	uint64_t pos = 0;

	(void)state;
	lanes_init(&l, 0);
	for (unsigned i = 0; i < LANES_HELD_MAX; i++) {
		char name[24];

		snprintf(name, sizeof(name), "route-%u", i);
		lanes_failed(&l, append(&l, ++pos, name), 0, 0);
	}
	lanes_done(&l, append(&l, ++pos, "well"));
	assert_int_equal(lanes_position_of_open(&l), LANES_HELD_MAX + 1);
	assert_int_equal(lanes_position(&l), 0);
	lanes_failed(&l, append(&l, ++pos, "one more"), 0, 0);
	assert_int_equal(lanes_position_of_open(&l), 0);
	struct entry *e = NULL;

	assert_int_equal(resend(&l, 10, &e), 1);
	lanes_done(&l, e); /* one is well again */
	assert_int_equal(lanes_position_of_open(&l), pos);
	lanes_release(&l);
}

/* As only a damaged store has it. */
static void a_route_that_is_held_twice_begins_where_it_is_older(void **state)
{
	(void)state;
	for (uint64_t first = 2; first <= 4; first += 2) {
		struct lanes l;

		lanes_init(&l, 10);
		assert_int_equal(lanes_hold(&l, STR("s"), STR("a"), first, 1), E_OK);
		assert_int_equal(lanes_hold(&l, STR("s"), STR("a"), 6 - first, 1), E_OK);
		assert_int_equal(lanes_position(&l), 2);
		read_again(&l, "a", 2, (uint64_t[]){ 3, 7 }, 2);
		assert_int_equal(lanes_undone(&l), 2);
		lanes_release(&l);
	}
}

static void the_position_does_not_go_back_for_a_lane_that_is_well_again(void **state)
{
	struct lanes l;
	struct entry *e = NULL;

	(void)state;
	lanes_init(&l, 0);
	hold_back(&l, 1, "a");
	assert_null(append(&l, 2, "a"));
	lanes_done(&l, append(&l, 3, "b"));
	struct lane *a = let_go(&l, 1);

	e = append_again(&l, 1, 2, "a");
	lanes_have_read_again(&l, a, 1, 3);
	assert_int_equal(lanes_position_of_open(&l), 3);
	assert_int_equal(lane_position(l.trouble), 1);
	struct entry *next = append(&l, 4, "a");

	assert_true(next->flying);
	lanes_done(&l, e);
	assert_null(l.trouble);
	assert_int_equal(lanes_position_of_open(&l), 3);
	lanes_done(&l, next);
	assert_int_equal(lanes_position_of_open(&l), 4);
	lanes_release(&l);
}

/* Whether it sends again what it kept, or what it read again, up to the last that was read at all. */
static void a_lane_is_well_when_the_last_it_sent_again_is_back(void **state)
{
	struct entry *e;
	struct lanes l;

	(void)state;
	lanes_init(&l, 0);
	e = append(&l, 1, "b");
	lanes_failed(&l, append(&l, 2, "b"), 0, 0);
	lanes_failed(&l, e, 0, 0);
	assert_int_equal(resend(&l, 10, &e), 1);
	lanes_done(&l, e);
	assert_int_equal(resend(&l, 10, &e), 2);
	assert_int_equal(lanes_next_ms(&l), UINT64_MAX);
	lanes_done(&l, e);
	assert_null(l.trouble);
	lanes_release(&l);

	lanes_init(&l, 0);
	hold_back(&l, 1, "a");
	assert_null(append(&l, 2, "a"));
	struct lane *a = let_go(&l, 1);

	e = append_again(&l, 1, 2, "a");
	lanes_have_read_again(&l, a, 1, 2);
	assert_ptr_equal(l.trouble, a);
	assert_int_equal(lanes_position_of_open(&l), 2);
	lanes_done(&l, e);
	assert_null(l.trouble);
	lanes_release(&l);
}

static void lanes_that_passed_by_events_take_turns(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 100);
	assert_int_equal(lanes_hold(&l, STR("s"), STR("a"), 0, 5), E_OK);
	assert_int_equal(lanes_hold(&l, STR("s"), STR("b"), 50, 5), E_OK);
	for (uint64_t pos = 0; pos < 50; pos += 10) {
		struct lane *a = lanes_to_read_again(&l);

		assert_string_equal(lane_name(a), "a");
		lanes_have_read_again(&l, a, pos, pos + 10);
		struct lane *b = lanes_to_read_again(&l);

		assert_string_equal(lane_name(b), "b");
		lanes_have_read_again(&l, b, pos + 50, pos + 60);
	}
	assert_int_equal(lanes_undone(&l), 5); /* of b nothing was left */
	read_again(&l, "a", 50, NULL, 0);
	assert_null(l.trouble);
	assert_int_equal(lanes_undone(&l), 0);
	lanes_release(&l);
}

/* ---- any order of things -------------------------------------------------------------------------------------------- */

#define EVENTS     20000
#define ROUTES_MAX 100
#define WINDOW_MAX 64
#define REACH      500
#define STARTS_MAX 40
#define STEPS_MAX  (100 * EVENTS)

/* What the store was told last: who starts again starts here. */
struct told {
	uint64_t pos;
	size_t n;
	struct {
		unsigned route;
		uint64_t forwarded;
		uint64_t waiting;
	} held[LANES_HELD_MAX];
};

/* A store, a bus and the one between them. */
struct play {
	struct lanes l;
	uint64_t seed;
	unsigned routes;
	size_t window;
	unsigned char route[EVENTS + 1];
	bool done[EVENTS + 1];
	uint64_t first; /* everything before is done */
	uint64_t done_n;
	bool refuses[ROUTES_MAX];
	size_t refused[ROUTES_MAX]; /* in flight, and will not be taken */
	uint64_t taken[ROUTES_MAX]; /* the last */
	struct {
		struct entry *e;
		bool taken;
	} flights[WINDOW_MAX];
	size_t flight_n;
	struct told told;
	unsigned starts;
	bool killed;     /* once: from then on what waits is not known exactly */
	size_t together; /* how often lanes read again what others needed, too, */
	size_t most;     /* and most lanes in trouble at a time */
};

static uint64_t playing; /* the seed, for whoever sees it fail */

static uint64_t dice(struct play *p, uint64_t sides)
{
	p->seed = p->seed * 6364136223846793005u + 1442695040888963407u;
	return (p->seed >> 33) % sides;
}

static const char *name_of(unsigned route)
{
	static char name[8];

	snprintf(name, sizeof(name), "%u", route);
	return name;
}

static unsigned route_of(const struct lane *lane)
{
	return (unsigned)strtoul(lane_name(lane), NULL, 10);
}

/* The bus takes or refuses in the order of sending; what it says of it comes in any order. Some do not even reach it. */
static void send(struct play *p, struct entry *e)
{
	unsigned route = p->route[e->pos];
	bool taken = !p->refuses[route];

	if (!dice(p, 1000)) {
		lanes_failed(&p->l, e, 0, 0);
		return;
	}
	assert_true(p->flight_n < p->window);
	p->flights[p->flight_n].e = e;
	p->flights[p->flight_n++].taken = taken;
	if (!taken) {
		p->refused[route]++;
		return;
	}
	assert_true(e->pos > p->taken[route]);
	for (uint64_t pos = p->taken[route] + 1; pos < e->pos; pos++)
		assert_true(p->route[pos] != route);
	p->taken[route] = e->pos;
}

static void come_back(struct play *p)
{
	size_t i = p->flight_n ? dice(p, p->flight_n) : 0;

	if (!p->flight_n)
		return;
	struct entry *e = p->flights[i].e;
	bool taken = p->flights[i].taken;

	p->flights[i] = p->flights[--p->flight_n];
	if (taken) {
		p->done[e->pos] = true;
		p->done_n++;
		lanes_done(&p->l, e);
		return;
	}
	p->refused[p->route[e->pos]]--;
	lanes_failed(&p->l, e, 0, 0);
}

static bool has_room(const struct play *p)
{
	return p->flight_n < p->window;
}

static void read_on(struct play *p)
{
	for (uint64_t n = dice(p, 64); n && has_room(p) && p->l.read_pos < EVENTS; n--) {
		struct entry *e = append(&p->l, p->l.read_pos + 1, name_of(p->route[p->l.read_pos + 1]));

		if (e)
			send(p, e);
	}
}

static void send_again(struct play *p)
{
	struct entry *e;

	for (uint64_t n = dice(p, 64); n && has_room(p) && (e = lanes_resend(&p->l, UINT64_MAX)); n--)
		send(p, e);
}

static void read_on_again(struct play *p)
{
	struct lane *lane = has_room(p) ? lanes_to_read_again(&p->l) : NULL;
	bool alone = lane && !lanes_share(&p->l, lane, REACH);
	uint64_t behind = lane ? lane->read_pos : 0;
	uint64_t end = behind + 1 + dice(p, REACH);
	uint64_t pos = behind;

	if (!lane)
		return;
	p->together += !alone;
	while (has_room(p) && pos < end && pos < p->l.read_pos) {
		unsigned route = p->route[++pos];
		struct entry *e = !alone || route == route_of(lane) ? append_again(&p->l, behind, pos, name_of(route))
								    : NULL;

		if (e)
			send(p, e);
	}
	lanes_have_read_again(&p->l, lane, behind, pos);
}

/* What was refused comes back before the bus takes the route again: else it takes what is behind it first. */
static void change_mind(struct play *p, unsigned route, bool refuses)
{
	if (refuses || !p->refused[route])
		p->refuses[route] = refuses;
}

/* Of one route, or of all at once. */
static void change_minds(struct play *p, bool well)
{
	bool refuses = !well && dice(p, 2);

	if (dice(p, 400) == 0 || well)
		change_mind(p, (unsigned)dice(p, p->routes), refuses);
	if (dice(p, 4000) == 0)
		for (unsigned i = 0; i < p->routes; i++)
			change_mind(p, i, refuses);
}

/* ---- and starts again ---- */

static void told_up_to(const struct play *p, uint64_t ret_done[static ROUTES_MAX])
{
	for (size_t i = 0; i < ROUTES_MAX; i++)
		ret_done[i] = p->told.pos;
	for (size_t i = 0; i < p->told.n; i++)
		ret_done[p->told.held[i].route] = p->told.held[i].forwarded;
}

/* As the forwarder does. */
static void tell(struct play *p)
{
	uint64_t done[ROUTES_MAX];

	p->told = (struct told){ .pos = lanes_position_of_open(&p->l) };
	for (struct lane *lane = p->l.trouble; lane; lane = lane->next) {
		if (p->l.trouble_n > LANES_HELD_MAX || lane_position(lane) >= p->told.pos)
			continue;
		p->told.held[p->told.n].route = route_of(lane);
		p->told.held[p->told.n].forwarded = lane_position(lane);
		p->told.held[p->told.n++].waiting = lane->entries + lane->passed;
	}
	told_up_to(p, done);
	for (uint64_t at = 1; at <= p->l.read_pos; at++)
		assert_true(p->done[at] || at > done[p->route[at]]);
}

/* Whether the bus has what was taken behind these places nobody knows any more; it is sent again. */
static void forget_what_was_done(struct play *p)
{
	uint64_t done[ROUTES_MAX];

	told_up_to(p, done);
	for (uint64_t at = 1; at <= p->l.read_pos; at++) {
		if (at <= done[p->route[at]])
			continue;
		p->done_n -= p->done[at];
		p->done[at] = false;
	}
	memcpy(p->taken, done, sizeof(done));
}

static void start_again(struct play *p)
{
	lanes_release(&p->l);
	lanes_init(&p->l, p->told.pos);
	for (size_t i = 0; i < p->told.n; i++)
		assert_int_equal(lanes_hold(&p->l, STR("s"), str_of(name_of(p->told.held[i].route)),
					    p->told.held[i].forwarded, p->told.held[i].waiting),
				 E_OK);
	memset(p->refused, 0, sizeof(p->refused));
	p->first = 1;
	p->flight_n = 0;
	p->starts++;
}

/* After an orderly stop nothing is sent twice, but for when too many routes were held. */
static void stop_and_start(struct play *p)
{
	while (p->flight_n)
		come_back(p);
	tell(p);
	if (p->l.trouble_n > LANES_HELD_MAX)
		forget_what_was_done(p);
	start_again(p);
}

/* The store may have been told long ago. */
static void kill_and_start(struct play *p)
{
	forget_what_was_done(p);
	start_again(p);
	p->killed = true;
}

static void end_at_times(struct play *p, bool kills)
{
	if (dice(p, 50) == 0)
		tell(p);
	if (p->starts < STARTS_MAX && dice(p, 500) == 0)
		(kills && dice(p, 2) ? kill_and_start : stop_and_start)(p);
}

/* ---- what must hold ---- */

/* Between what a lane did and what it passed by may lie others' events. */
static bool position_is_exact(const struct lanes *l)
{
	const struct lane *lane = l->trouble;

	while (lane && lane->first)
		lane = lane->next;
	return !lane;
}

/* There is something that it may do, or that comes back. */
static bool goes_on(const struct play *p)
{
	return p->flight_n || lanes_next_ms(&p->l) < UINT64_MAX || (p->l.read_pos < EVENTS);
}

/* Whoever is told to look at once finds something. */
static bool finds_something(const struct lanes *l)
{
	const struct lane *lane = l->trouble;

	while (lane && !(lane->state == LANE_DRAINING && lane->waiting))
		lane = lane->next;
	return lane || lanes_to_read_again(l);
}

static void check(struct play *p)
{
	while (p->first <= p->l.read_pos && p->done[p->first])
		p->first++;
	if (p->killed)
		assert_true(lanes_undone(&p->l) || p->done_n == p->l.read_pos);
	else
		assert_in_range(lanes_undone(&p->l) - (p->l.read_pos - p->done_n), 0, p->routes); /* lanes that look */
	assert_true(lanes_position(&p->l) <= p->first - 1);
	if (position_is_exact(&p->l))
		assert_int_equal(lanes_position(&p->l), p->first - 1);
	assert_int_equal(p->l.flying, p->flight_n);
	assert_true(p->l.count <= p->window * p->routes);
	assert_true(p->done_n == EVENTS || goes_on(p));
	assert_true(lanes_next_ms(&p->l) || finds_something(&p->l));
	p->most = p->l.trouble_n > p->most ? p->l.trouble_n : p->most;
}

static void play(struct play *p, uint64_t seed)
{
	*p = (struct play){ .seed = seed, .first = 1 };
	playing = seed;
	p->routes = seed % 2 ? 6 : ROUTES_MAX;
	p->window = 1 + dice(p, WINDOW_MAX);
	lanes_init(&p->l, 0);
	for (size_t i = 1; i <= EVENTS; i++)
		p->route[i] = (unsigned char)dice(p, dice(p, 4) ? p->routes : 2);
	for (size_t steps = 0; p->done_n < EVENTS || p->l.trouble; steps++) {
		void (*const all[])(struct play *) = { read_on,   send_again, read_on_again,
						       come_back, come_back,  come_back };

		assert_true(steps < STEPS_MAX);
		all[dice(p, ARRAY_LEN(all))](p);
		if (seed % 4 >= 2)
			end_at_times(p, /* kills= */ seed % 8 >= 4);
		change_minds(p, /* well= */ p->l.read_pos == EVENTS);
		check(p);
	}
	assert_int_equal(p->l.count, 0);
	assert_int_equal(lanes_undone(&p->l), 0);
	lanes_release(&p->l);
	playing = 0;
}

static int name_the_seed(void **state)
{
	(void)state;
	if (playing)
		print_error("the seed was %llu\n", (unsigned long long)playing);
	return 0;
}

static void each_event_is_taken_once_and_in_order_per_route_whatever_happens(void **state)
{
	struct play *p = mem_alloc(sizeof(*p));
	size_t together = 0;
	size_t most = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 24; seed++) {
		play(p, seed);
		together += p->together;
		most = p->most > most ? p->most : most;
	}
	assert_true(together > 100);
	assert_true(most > LANES_HELD_MAX);
	mem_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_position_is_what_is_done_without_a_gap),
		cmocka_unit_test(after_a_failure_the_route_goes_on_in_order_and_others_do_not_notice),
		cmocka_unit_test(waits_grow_to_a_cap_and_start_again_when_the_bus_returns),
		cmocka_unit_test(the_next_try_is_that_of_the_route_that_may_first),
		cmocka_unit_test(routes_that_went_away_are_forgotten),
		cmocka_unit_test(routes_with_events_under_way_or_in_trouble_are_not_forgotten),
		cmocka_unit_test(without_memory_nothing_is_added),
		cmocka_unit_test(what_waits_is_passed_by_and_read_again),
		cmocka_unit_test(lanes_at_the_same_place_read_again_together),
		cmocka_unit_test(what_failed_while_it_was_read_again_is_not_left_behind),
		cmocka_unit_test(lanes_that_send_again_take_turns),
		cmocka_unit_test(the_position_goes_past_a_few_lanes_in_trouble_and_not_past_many),
		cmocka_unit_test(a_route_that_is_held_twice_begins_where_it_is_older),
		cmocka_unit_test(the_position_does_not_go_back_for_a_lane_that_is_well_again),
		cmocka_unit_test(a_lane_is_well_when_the_last_it_sent_again_is_back),
		cmocka_unit_test(lanes_that_passed_by_events_take_turns),
		cmocka_unit_test_teardown(each_event_is_taken_once_and_in_order_per_route_whatever_happens,
					  name_the_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
