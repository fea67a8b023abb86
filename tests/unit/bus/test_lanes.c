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

static void the_position_is_what_is_done_without_a_gap(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 10);
	assert_int_equal(lanes_position(&l), 10);
	struct entry *a = append(&l, 11, "a");
	struct entry *b = append(&l, 12, "b");
	struct entry *c = append(&l, 15, "a");

	assert_true(a->flying && b->flying && c->flying);
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
	assert_false(append(&l, 5, "a")->flying);
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
	assert_int_equal(resend(&l, 2200, &e), 2); /* then the rest, in order */
	assert_false(append(&l, 7, "a")->flying);
	assert_int_equal(resend(&l, 2200, NULL), 5);
	assert_int_equal(resend(&l, 2200, NULL), 7);
	assert_int_equal(resend(&l, 2200, NULL), 0);
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
	lanes_failed(&l, e, now, 99);
	assert_int_equal(lanes_next_ms(&l), now + 100);
	lanes_release(&l);
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
	assert_true(l.map.n <= 257);
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
	lanes_release(&l);
}

/* Gives back whether it was kept. */
static bool append_many(struct lanes *l, uint64_t from, uint64_t to, const char *name)
{
	struct entry *e = NULL;

	for (uint64_t pos = from; pos <= to; pos++)
		e = append(l, pos, name);
	return e != NULL;
}

/* Its next event is refused eight times. */
static void get_stuck(struct lanes *l, uint64_t pos, const char *name)
{
	struct entry *e = append(l, pos, name);

	lanes_failed(l, e, 0, 0);
	for (unsigned i = 1; i < 8; i++) {
		assert_int_equal(resend(l, i, &e), pos);
		lanes_failed(l, e, i, 0);
	}
}

static void what_waits_behind_many_is_passed_by_and_read_again(void **state)
{
	struct lanes l;
	struct lane *a;
	struct entry *e = NULL;

	(void)state;
	lanes_init(&l, 0);
	get_stuck(&l, 1, "a");
	struct entry *b = append(&l, 2, "b");

	assert_true(b->flying);
	assert_true(append_many(&l, 3, 1025, "a"));
	assert_false(append_many(&l, 1026, 2001, "a"));
	assert_int_equal(l.count, 1025);
	assert_int_equal(lanes_undone(&l), 2001);
	lanes_done(&l, b);
	assert_int_equal(resend(&l, 10, &e), 1);
	assert_true(lanes_done(&l, e));
	assert_null(lanes_to_fill(&l));
	for (uint64_t pos = 3; pos <= 1025; pos++) {
		assert_int_equal(resend(&l, 10, &e), pos);
		lanes_done(&l, e);
	}
	assert_int_equal(lanes_position(&l), 1025);
	assert_int_equal(lanes_next_ms(&l), 0);
	a = lanes_to_fill(&l);
	assert_string_equal(lane_name(a), "a");
	assert_int_equal(a->read_pos, 1025);
	assert_null(append(&l, 2002, "a")); /* what comes meanwhile comes behind them */
	for (uint64_t pos = 1026; pos <= 2001; pos++)
		assert_int_equal(lanes_fill(&l, a, pos, 0), E_OK);
	lanes_filled(&l, a, 2001);
	assert_int_equal(resend(&l, 10, &e), 1026);
	while (resend(&l, 10, &e))
		;
	assert_ptr_equal(lanes_to_fill(&l), a);
	lanes_filled(&l, a, 2002); /* it is no longer there */
	assert_null(lanes_to_fill(&l));
	assert_true(append(&l, 2003, "a")->flying);
	assert_int_equal(lanes_undone(&l), 977);
	lanes_release(&l);
}

static void what_fails_for_a_moment_passes_by_nothing(void **state)
{
	struct lanes l;
	uint64_t pos = 1;

	(void)state;
	lanes_init(&l, 0);
	lanes_failed(&l, append(&l, pos, "a"), 0, 0);
	while (lanes_may_append(&l))
		assert_non_null(append(&l, ++pos, "a"));
	assert_int_equal(pos, 65536);
	assert_non_null(append(&l, ++pos, "b")); /* which sends: so there is more to find */
	assert_true(lanes_may_append(&l));
	assert_null(append(&l, ++pos, "a"));
	lanes_release(&l);
}

static void behind_few_that_are_stuck_there_may_be_others(void **state)
{
	struct lanes l;
	uint64_t pos;

	(void)state;
	lanes_init(&l, 0);
	get_stuck(&l, 1, "a");
	for (pos = 2; pos <= 70000; pos++) {
		assert_true(lanes_may_append(&l));
		append(&l, pos, "a");
	}
	assert_int_equal(l.count, 65536);
	assert_true(append(&l, pos, "b")->flying);
	lanes_release(&l);
}

static void while_all_of_many_are_in_trouble_reading_stops_with_what_is_kept(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };
	struct lanes l;
	uint64_t pos = 0;

	(void)state;
	lanes_init(&l, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		lanes_failed(&l, append(&l, ++pos, names[i]), 0, 0);
	while (lanes_may_append(&l))
		assert_non_null(append(&l, ++pos, "a"));
	assert_int_equal(pos, 65536);
	assert_int_equal(l.passed, 0);
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
	lanes_release(&l);
}

static void the_position_does_not_go_back_for_a_lane_that_is_well_again(void **state)
{
	struct lanes l;
	struct entry *e = NULL;

	(void)state;
	lanes_init(&l, 0);
	lanes_failed(&l, append(&l, 1, "a"), 0, 0);
	assert_false(append(&l, 2, "a")->flying);
	lanes_done(&l, append(&l, 3, "b"));
	assert_int_equal(resend(&l, 10, &e), 1);
	lanes_done(&l, e);
	assert_int_equal(resend(&l, 10, &e), 2);
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

static void lanes_that_passed_by_events_take_turns(void **state)
{
	struct lanes l;

	(void)state;
	lanes_init(&l, 100);
	assert_int_equal(lanes_hold(&l, STR("s"), STR("a"), 0, 5), E_OK);
	assert_int_equal(lanes_hold(&l, STR("s"), STR("b"), 0, 5), E_OK);
	for (uint64_t pos = 10; pos <= 50; pos += 10) {
		assert_string_equal(lane_name(lanes_to_fill(&l)), "a");
		lanes_filled(&l, lanes_to_fill(&l), pos);
		assert_string_equal(lane_name(lanes_to_fill(&l)), "b");
		lanes_filled(&l, lanes_to_fill(&l), pos);
	}
	assert_int_equal(lanes_undone(&l), 10);
	lanes_filled(&l, lanes_to_fill(&l), 100);
	lanes_filled(&l, lanes_to_fill(&l), 100);
	assert_null(l.trouble);
	assert_int_equal(lanes_undone(&l), 0);
	lanes_release(&l);
}

/* ---- any order of things -------------------------------------------------------------------------------------------- */

#define EVENTS 30000
#define ROUTES 6
#define WINDOW 64

/* A store, a bus and the one between them. */
struct play {
	struct lanes l;
	uint64_t seed;
	unsigned char route[EVENTS + 1];
	bool done[EVENTS + 1];
	uint64_t first; /* everything before is done */
	uint64_t done_n;
	bool refuses[ROUTES];
	size_t refused[ROUTES]; /* in flight, and will not be taken */
	uint64_t taken[ROUTES]; /* the last */
	struct {
		struct entry *e;
		bool taken;
	} flights[WINDOW];
	size_t flight_n;
	unsigned starts;
	bool killed; /* once: from then on what waits is not known exactly */
};

static uint64_t dice(struct play *p, uint64_t sides)
{
	p->seed = p->seed * 6364136223846793005u + 1442695040888963407u;
	return (p->seed >> 33) % sides;
}

/* The bus takes or refuses in the order of sending; what it says of it comes in any order. */
static void send(struct play *p, struct entry *e)
{
	unsigned route = p->route[e->pos];
	bool taken = !p->refuses[route];

	assert_true(p->flight_n < WINDOW);
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

static void read_on(struct play *p)
{
	static const char *const names[ROUTES] = { "a", "b", "c", "d", "e", "f" };

	for (uint64_t n = dice(p, 64); n && p->flight_n < WINDOW && p->l.read_pos < EVENTS; n--) {
		struct entry *e = append(&p->l, p->l.read_pos + 1, names[p->route[p->l.read_pos + 1]]);

		if (e && e->flying)
			send(p, e);
	}
}

static void send_again(struct play *p)
{
	struct entry *e;

	for (uint64_t n = dice(p, 64); n && p->flight_n < WINDOW && (e = lanes_resend(&p->l, UINT64_MAX)); n--)
		send(p, e);
}

static void fill(struct play *p)
{
	struct lane *lane = lanes_to_fill(&p->l);
	uint64_t pos, end;

	if (!lane)
		return;
	pos = lane->read_pos;
	end = pos + 1 + dice(p, 3000);
	while (pos < end && pos < p->l.read_pos)
		if (p->route[++pos] == (unsigned char)(lane_name(lane)[0] - 'a'))
			assert_int_equal(lanes_fill(&p->l, lane, pos, 0), E_OK);
	lanes_filled(&p->l, lane, pos);
}

/* What was refused comes back before the bus takes the route again: else it takes what is behind it first. */
static void change_mind(struct play *p, bool well)
{
	unsigned route = (unsigned)dice(p, ROUTES);

	if (dice(p, 400) && !well)
		return;
	if (!p->refuses[route])
		p->refuses[route] = !well;
	else if (!p->refused[route])
		p->refuses[route] = false;
}

/* All that is in flight has come back: nothing comes twice. Else what was on its way is not known. */
static void start_again(struct play *p)
{
	uint64_t pos = lanes_position_of_open(&p->l);
	uint64_t done[ROUTES];
	struct lanes next;

	lanes_init(&next, pos);
	for (size_t i = 0; i < ROUTES; i++)
		done[i] = pos;
	for (struct lane *lane = p->l.trouble; lane; lane = lane->next) {
		if (lane_position(lane) >= pos)
			continue;
		assert_int_equal(lanes_hold(&next, str_of(lane_source(lane)), str_of(lane_name(lane)),
					    lane_position(lane), lane->entries + lane->passed),
				 E_OK);
		done[lane_name(lane)[0] - 'a'] = lane_position(lane);
	}
	for (size_t i = 0; p->flight_n && i < ROUTES; i++)
		p->taken[i] = 0;
	for (uint64_t at = 1; at <= p->l.read_pos; at++) {
		assert_true(p->done[at] || at > done[p->route[at]]);
		if (!p->flight_n || at <= done[p->route[at]])
			continue;
		p->done_n -= p->done[at];
		p->done[at] = false;
	}
	for (uint64_t at = 1; p->flight_n && at <= p->l.read_pos; at++)
		if (at <= done[p->route[at]])
			p->taken[p->route[at]] = at;
	memset(p->refused, 0, sizeof(p->refused));
	p->first = 1;
	lanes_release(&p->l);
	p->l = next;
	p->killed |= p->flight_n > 0;
	p->flight_n = 0;
	p->starts++;
}

static void stop_and_start(struct play *p)
{
	if (dice(p, 200))
		return;
	while (p->starts % 4 && p->flight_n)
		come_back(p);
	start_again(p);
}

/* Between what a lane did and what it passed by may lie others' events. */
static bool position_is_exact(const struct lanes *l)
{
	const struct lane *lane = l->trouble;

	while (lane && lane->first)
		lane = lane->next;
	return !lane;
}

static void check(struct play *p)
{
	while (p->first <= p->l.read_pos && p->done[p->first])
		p->first++;
	if (p->killed)
		assert_true(lanes_undone(&p->l) || p->done_n == p->l.read_pos);
	else
		assert_in_range(lanes_undone(&p->l) - (p->l.read_pos - p->done_n), 0, ROUTES); /* a lane that looks */
	assert_true(lanes_position(&p->l) <= p->first - 1);
	if (position_is_exact(&p->l))
		assert_int_equal(lanes_position(&p->l), p->first - 1);
	assert_int_equal(p->l.flying, p->flight_n);
}

static uint64_t play(uint64_t seed, bool starts)
{
	struct play *p = mem_alloc(sizeof(*p));
	uint64_t passed = 0;

	*p = (struct play){ .seed = seed, .first = 1 };
	lanes_init(&p->l, 0);
	for (size_t i = 1; i <= EVENTS; i++)
		p->route[i] = (unsigned char)(dice(p, 8) ? dice(p, 2) : dice(p, ROUTES));
	while (p->done_n < EVENTS) {
		void (*const steps[])(struct play *) = { read_on, send_again, fill, come_back, come_back, come_back };

		steps[dice(p, ARRAY_LEN(steps))](p);
		if (starts)
			stop_and_start(p);
		change_mind(p, /* well= */ p->l.read_pos == EVENTS);
		check(p);
		passed = p->l.passed > passed ? p->l.passed : passed;
	}
	assert_null(p->l.trouble);
	assert_int_equal(p->l.count, 0);
	lanes_release(&p->l);
	mem_free(p);
	return passed;
}

static void each_event_is_taken_once_and_in_order_per_route_whatever_happens(void **state)
{
	uint64_t passed = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		passed += play(seed, seed % 2);
	assert_true(passed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_position_is_what_is_done_without_a_gap),
		cmocka_unit_test(after_a_failure_the_route_goes_on_in_order_and_others_do_not_notice),
		cmocka_unit_test(waits_grow_to_a_cap_and_start_again_when_the_bus_returns),
		cmocka_unit_test(routes_that_went_away_are_forgotten),
		cmocka_unit_test(without_memory_nothing_is_added),
		cmocka_unit_test(what_waits_behind_many_is_passed_by_and_read_again),
		cmocka_unit_test(what_fails_for_a_moment_passes_by_nothing),
		cmocka_unit_test(behind_few_that_are_stuck_there_may_be_others),
		cmocka_unit_test(while_all_of_many_are_in_trouble_reading_stops_with_what_is_kept),
		cmocka_unit_test(the_position_goes_past_a_few_lanes_in_trouble_and_not_past_many),
		cmocka_unit_test(the_position_does_not_go_back_for_a_lane_that_is_well_again),
		cmocka_unit_test(lanes_that_passed_by_events_take_turns),
		cmocka_unit_test(each_event_is_taken_once_and_in_order_per_route_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
