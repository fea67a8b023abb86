/* The forwarder and replay: a real store, toward a scripted bus and toward a real nats-server. */
#include "peer.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../store/fixture.h"
#include "../store/power_vfs.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/embedded.h"
#include "bus/forwarder_impl.h"
#include "bus/replay.h"

/* ---- a bus that does what the test says ------------------------------------------------------------------------------ */

#define LOG_MAX 4096

struct script_bus {
	struct bus bus;
	_Atomic int state;
	_Atomic size_t calls;
	_Atomic size_t seen;      /* how often the forwarder asked for its state, */
	_Atomic size_t seen_down; /* and was told that it is down */
	enum err (*answer)(struct script_bus *b, const struct bus_publish *p);
	size_t refusals;
	bool holds; /* answers when script_let_go() is called */
	struct mpsc held;
	_Atomic size_t held_n;
	pthread_mutex_t lock;
	char taken[LOG_MAX][24]; /* ids, in order */
	size_t taken_count;
	char last_payload[512];
	struct bus_publish *last; /* of those that are held */
};

static enum err take(struct script_bus *b, const struct bus_publish *p)
{
	if (b->taken_count < LOG_MAX)
		snprintf(b->taken[b->taken_count++], sizeof(b->taken[0]), "%.*s", STR_ARG(p->msg_id));
	snprintf(b->last_payload, sizeof(b->last_payload), "%.*s", STR_ARG(p->payload));
	return E_OK;
}

static void script_publish(struct bus *bus, struct bus_publish *p)
{
	struct script_bus *b = CONTAINER_OF(bus, struct script_bus, bus);

	atomic_fetch_add(&b->calls, 1);
	pthread_mutex_lock(&b->lock);
	p->err = atomic_load(&b->state) == BUS_UP ? b->answer(b, p) : E_UNAVAILABLE;
	pthread_mutex_unlock(&b->lock);
	if (p->err)
		(void)why_set(&p->why, p->err, "because the test says so");
	if (b->holds) {
		b->last = p;
		(void)mpsc_put(&b->held, &p->node);
		atomic_fetch_add(&b->held_n, 1);
	} else {
		p->on_done(p);
	}
}

static void script_let_go(struct script_bus *b)
{
	struct mpsc_node *node = mpsc_take(&b->held);

	while (node) {
		struct bus_publish *p = CONTAINER_OF(node, struct bus_publish, node);

		node = node->next;
		atomic_fetch_sub(&b->held_n, 1);
		p->on_done(p);
	}
}

static enum bus_state script_state(const struct bus *bus)
{
	struct script_bus *b = CONTAINER_OF((struct bus *)bus, struct script_bus, bus);
	enum bus_state state = (enum bus_state)atomic_load(&b->state);

	atomic_fetch_add(&b->seen, 1);
	if (state == BUS_DOWN)
		atomic_fetch_add(&b->seen_down, 1);
	return state;
}

static const struct bus_ops script_ops = { .kind = "script", .publish = script_publish, .state = script_state };

static void script_init(struct script_bus *b, enum err (*answer)(struct script_bus *b, const struct bus_publish *p))
{
	memset(b, 0, sizeof(*b));
	b->bus.ops = &script_ops;
	b->answer = answer;
	atomic_store(&b->state, BUS_UP);
	pthread_mutex_init(&b->lock, NULL);
}

/* ---- rig ------------------------------------------------------------------------------------------------------------- */

static struct script_bus script;

static struct fixture *open_store(void)
{
	struct fixture *f = fixture_new();

	assert_int_equal(fixture_open(f), E_OK);
	return f;
}

static void put(struct fixture *f, const char *name, const char *id, const char *key)
{
	struct store_row row = fixture_row(id, key, "{}");

	row.name = str_of(name);
	assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
}

static uint64_t (*dice)(void); /* of the forwarders that start next; NULL: their own */

static struct forwarder *start_within(struct fixture *f, struct bus *bus, uint32_t window, size_t window_bytes)
{
	struct forwarder_config config = {
		.dir = f->dir,
		.bus_name = "test",
		.window = window,
		.window_bytes = window_bytes,
		.timeout_ms = 1000,
		.random = dice,
	};
	struct forwarder *forwarder = NULL;
	struct why why = { 0 };

	if (forwarder_start(&config, f->store, bus, &why, &forwarder))
		fail_msg("%s", why.text);
	return forwarder;
}

static struct forwarder *start(struct fixture *f, struct bus *bus, uint32_t window)
{
	return start_within(f, bus, window, 1 << 20);
}

static void wait_until_forwarded(struct forwarder *f)
{
	uint64_t until = clock_mono_ms() + 2 * DEADLINE_MS;
	int64_t oldest;

	while (forwarder_waiting(f, &oldest)) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
	assert_int_equal(oldest, 0);
}

static void wait_until_waiting(struct forwarder *f, uint64_t n)
{
	uint64_t until = clock_mono_ms() + 2 * DEADLINE_MS;
	int64_t oldest;

	while (forwarder_waiting(f, &oldest) != n) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
}

static bool on_dead_row(void *ctx, const struct store_dead_row *row)
{
	snprintf(ctx, 200, "%llu %s %s: %s", (unsigned long long)row->pos, row->bus, row->event.id.p ? "event" : "none",
		 row->reason);
	return true;
}

static void read_dead(struct fixture *f, char ret_text[static 200])
{
	struct store_reader *r = NULL;

	ret_text[0] = 0;
	assert_int_equal(store_reader_open(f->dir, NULL, &r), E_OK);
	assert_int_equal(store_read_dead(r, 0, on_dead_row, ret_text, NULL), E_OK);
	store_reader_close(r);
}

/* ---- toward a script ------------------------------------------------------------------------------------------------- */

static void what_is_stored_is_forwarded_in_order_under_its_id_or_its_senders_key(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, take);
	put(f, "a", "id-1", "");
	forwarder = start(f, &script.bus, 64);
	put(f, "a", "id-2", "key-2");
	put(f, "b", "id-3", "");
	wait_until_forwarded(forwarder);
	assert_int_equal(script.taken_count, 3);
	assert_string_equal(script.taken[0], "id-1");
	assert_string_equal(script.taken[1], "key-2");
	assert_string_equal(script.taken[2], "id-3");
	assert_string_equal(script.last_payload, "{\"specversion\":\"1.0\",\"data_base64\":\"e30=\"}");
	forwarder_stop(forwarder, 0);
	fixture_free(f);
}

static void nothing_is_forwarded_again_after_a_restart(void **state)
{
	struct fixture *f = open_store();

	(void)state;
	script_init(&script, take);
	for (int i = 0; i < 3; i++) {
		struct forwarder *forwarder = start(f, &script.bus, 4);

		put(f, "a", "id", "");
		wait_until_forwarded(forwarder);
		forwarder_stop(forwarder, 0);
		fixture_close(f);
		assert_int_equal(fixture_open(f), E_OK);
	}
	assert_int_equal(script.taken_count, 3);
	fixture_free(f);
}

static void wait_for(_Atomic size_t *count, size_t want)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	while (atomic_load(count) < want) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
}

/* SLEEPING of wake.c. */
static void wait_until_asleep(struct forwarder *f)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	while (atomic_load(&f->wake.word) != 2) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
}

static void what_has_nothing_to_do_sleeps(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, take);
	forwarder = start(f, &script.bus, /* window= */ 1);
	wait_until_asleep(forwarder);
	put(f, "a", "1", "");
	wait_until_forwarded(forwarder);
	wait_until_asleep(forwarder);
	script.holds = true; /* as much in flight as may be, and more behind it */
	put(f, "a", "2", "");
	put(f, "a", "3", "");
	wait_for(&script.held_n, 1);
	wait_until_asleep(forwarder);
	atomic_store(&script.state, BUS_DOWN);
	script_let_go(&script);
	forwarder_kick(forwarder);
	wait_until_asleep(forwarder);
	forwarder_stop(forwarder, 0);
	fixture_free(f);
}

static uint64_t at_once(void)
{
	return 0;
}

static enum err refuse_a(struct script_bus *b, const struct bus_publish *p)
{
	return str_is(p->name, "a") ? E_UNAVAILABLE : take(b, p);
}

/* What would go at once if it might: until there is room, or the bus is back, there is nothing to do. */
static void what_is_due_and_may_not_go_lets_it_sleep(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t due_ms;

	(void)state;
	script_init(&script, refuse_a);
	script.holds = true;
	dice = at_once;
	forwarder = start(f, &script.bus, /* window= */ 1);
	dice = NULL;
	put(f, "a", "1", "");
	put(f, "b", "2", "");
	wait_for(&script.held_n, 1);
	while (str_is(script.last->name, "a")) {
		script_let_go(&script);
		wait_for(&script.held_n, 1);
	}
	due_ms = clock_mono_ms() + 1; /* the shortest pause */
	while (clock_mono_ms() <= due_ms)
		poll(NULL, 0, 1);
	wait_until_asleep(forwarder);
	atomic_store(&script.state, BUS_DOWN);
	script_let_go(&script);
	wait_until_asleep(forwarder);
	assert_int_equal(forwarder_stop(forwarder, 0), 1);
	assert_int_equal(script.taken_count, 1);
	fixture_free(f);
}

static void while_the_bus_is_down_nothing_is_tried(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	int64_t oldest = 0;

	(void)state;
	script_init(&script, take);
	atomic_store(&script.state, BUS_DOWN);
	forwarder = start(f, &script.bus, 4);
	put(f, "a", "1", "");
	put(f, "a", "2", "");
	while (oldest == 0)
		assert_int_equal(forwarder_waiting(forwarder, &oldest), 2);
	assert_true(oldest <= clock_wall_ms() && oldest > clock_wall_ms() - DEADLINE_MS);
	assert_int_equal(atomic_load(&script.calls), 0);
	assert_int_equal(forwarder_stop(forwarder, 0), 2);
	forwarder = start(f, &script.bus, 4);
	atomic_store(&script.state, BUS_UP);
	forwarder_kick(forwarder);
	wait_until_forwarded(forwarder);
	assert_int_equal(script.taken_count, 2);
	assert_int_equal(forwarder_stop(forwarder, 0), 0);
	fixture_free(f);
}

static void since_when_something_waits_is_told_by_the_first_that_does(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	int64_t oldest = 0;

	(void)state;
	script_init(&script, take);
	forwarder = start(f, &script.bus, 4);
	put(f, "a", "1", "");
	wait_until_forwarded(forwarder);
	fixture_sql(f->dir, "UPDATE events SET stored_ms = 1");
	atomic_store(&script.state, BUS_DOWN);
	put(f, "a", "2", "");
	while (oldest == 0)
		assert_int_equal(forwarder_waiting(forwarder, &oldest), 1);
	assert_true(oldest > 1);
	forwarder_stop(forwarder, 0);
	fixture_free(f);
}

/* Some times, and until all 200 of a are through: how fast they go is the machine's affair. */
static enum err refuse_b_some_times(struct script_bus *b, const struct bus_publish *p)
{
	if (str_is(p->name, "b") && (b->refusals < 4 || b->taken_count < 200)) {
		b->refusals++;
		return E_TIMEOUT;
	}
	return take(b, p);
}

#define QUICK_TRIES 10

/* No pause at first, then the longest, 30 s. */
static uint64_t long_in_the_end(void)
{
	return atomic_load(&script.calls) < QUICK_TRIES ? 0 : 29999;
}

static enum err refuse_quick_tries(struct script_bus *b, const struct bus_publish *p)
{
	return atomic_load(&b->calls) <= QUICK_TRIES ? E_UNAVAILABLE : take(b, p);
}

static void a_bus_that_comes_back_is_tried_at_once(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t back_ms;

	(void)state;
	script_init(&script, refuse_quick_tries);
	dice = long_in_the_end;
	forwarder = start(f, &script.bus, 4);
	dice = NULL;
	put(f, "a", "1", "");
	wait_for(&script.calls, QUICK_TRIES);
	atomic_store(&script.state, BUS_DOWN);
	forwarder_kick(forwarder);
	wait_for(&script.seen_down, 1);
	atomic_store(&script.state, BUS_UP);
	back_ms = clock_mono_ms();
	forwarder_kick(forwarder);
	wait_until_forwarded(forwarder);
	assert_true(clock_mono_ms() < back_ms + 20000);
	forwarder_stop(forwarder, 0);
	fixture_free(f);
}

/* A turn of the forwarder for whatever reason is none to try again, and what was not taken is never passed by. */
static void what_is_refused_waits_its_time_while_others_are_taken(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t forwarded = 0;

	(void)state;
	script_init(&script, refuse_quick_tries);
	dice = long_in_the_end;
	forwarder = start(f, &script.bus, 4);
	dice = NULL;
	put(f, "a", "1", "");
	wait_for(&script.calls, QUICK_TRIES);
	put(f, "b", "2", "");
	wait_for(&script.calls, QUICK_TRIES + 1);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 1);
	assert_string_equal(script.taken[0], "2");
	assert_int_equal(store_forwarded(f->store, "test", &forwarded, NULL), E_OK);
	assert_int_equal(forwarded, 2);
	forwarder = start(f, &script.bus, 4);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 2);
	assert_string_equal(script.taken[1], "1");
	fixture_free(f);
}

/* Reading goes on where nothing of what was read may go, and so nothing comes back that would wake it. */
static void what_lies_behind_many_that_are_held_back_does_not_wait_with_them(void **state)
{
	struct store_row rows[40];
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t start_ms;
	int64_t oldest;

	(void)state;
	script_init(&script, refuse_quick_tries);
	dice = long_in_the_end;
	forwarder = start(f, &script.bus, /* window= */ 4);
	dice = NULL;
	put(f, "a", "1", "");
	wait_for(&script.calls, QUICK_TRIES);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rows[i] = fixture_row("2", "", "{}");
		rows[i].name = i + 1 < ARRAY_LEN(rows) ? STR("a") : STR("b");
	}
	start_ms = clock_mono_ms();
	assert_int_equal(fixture_put(f, rows, ARRAY_LEN(rows), NULL), E_OK);
	while (forwarder_waiting(forwarder, &oldest) != ARRAY_LEN(rows)) { /* all but b's */
		assert_true(clock_mono_ms() < start_ms + 20000);
		poll(NULL, 0, 1);
	}
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 1);
	fixture_free(f);
}

static void what_is_no_longer_stored_when_it_is_tried_again_holds_nothing_up(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, refuse_quick_tries);
	dice = long_in_the_end;
	forwarder = start(f, &script.bus, 4);
	dice = NULL;
	put(f, "a", "1", "");
	put(f, "a", "2", "");
	wait_for(&script.calls, QUICK_TRIES);
	fixture_sql(f->dir, "DELETE FROM events WHERE pos = 1");
	atomic_store(&script.state, BUS_DOWN);
	forwarder_kick(forwarder);
	wait_for(&script.seen_down, 1);
	atomic_store(&script.state, BUS_UP);
	forwarder_kick(forwarder);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 1);
	assert_string_equal(script.taken[0], "2");
	fixture_free(f);
}

#define TURNS 200

/* Each turn would look, for whatever reason it came; and when it can be read, nobody has to say so. */
static void a_store_that_cannot_be_read_is_looked_at_now_and_then_and_read_when_it_can(void **state)
{
	struct fixture *f;
	struct forwarder *forwarder;
	int64_t oldest;

	(void)state;
	power_reset(1);
	f = open_store();
	script_init(&script, take);
	atomic_store(&script.state, BUS_DOWN);
	forwarder = start(f, &script.bus, 4);
	put(f, "a", "1", "");
	fixture_sql(f->dir, "ALTER TABLE events RENAME TO hidden");
	atomic_store(&script.state, BUS_UP);
	power_fail(POWER_OPEN, 0, 0); /* counts */
	for (size_t n = 0; n < TURNS; n++) {
		size_t seen = atomic_load(&script.seen);

		forwarder_kick(forwarder);
		wait_for(&script.seen, seen + 1);
	}
	assert_true(power_count() < TURNS / 4);
	assert_int_equal(forwarder_waiting(forwarder, &oldest), 1);
	fixture_sql(f->dir, "ALTER TABLE hidden RENAME TO events");
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	fixture_free(f);
}

static void what_cannot_be_read_when_it_is_tried_again_is_not_given_up(void **state)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;
	struct forwarder *forwarder;
	struct fixture *f;

	(void)state;
	power_reset(1);
	f = open_store();
	script_init(&script, refuse_quick_tries);
	put(f, "a", "1", "");
	forwarder = start(f, &script.bus, 4);
	wait_for(&script.calls, 1);
	fixture_sql(f->dir, "ALTER TABLE events RENAME TO hidden");
	atomic_store(&script.calls, QUICK_TRIES); /* it would be taken now */
	power_fail(POWER_OPEN, 0, 0);
	while (power_count() == 0) { /* the reader that failed is opened anew */
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
	fixture_sql(f->dir, "ALTER TABLE hidden RENAME TO events");
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 1);
	fixture_free(f);
}

static void a_route_in_trouble_keeps_its_order_and_holds_nobody_up(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	unsigned next_b = 0;
	size_t first_b = 0;

	(void)state;
	script_init(&script, refuse_b_some_times);
	for (unsigned i = 0; i < 300; i++) {
		char id[16];

		snprintf(id, sizeof(id), "%c%u", i % 3 ? 'a' : 'b', i);
		put(f, i % 3 ? "a" : "b", id, "");
	}
	forwarder = start(f, &script.bus, 8);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 300);
	for (size_t i = 0; i < script.taken_count; i++) {
		char id[16];

		if (script.taken[i][0] != 'b')
			continue;
		snprintf(id, sizeof(id), "b%u", next_b);
		assert_string_equal(script.taken[i], id);
		first_b = next_b ? first_b : i;
		next_b += 3;
	}
	assert_int_equal(next_b, 300);
	assert_int_equal(first_b, 200); /* all of a went by */
	fixture_free(f);
}

#define OTHERS 200000
#define HELD   3000

static _Atomic bool b_may;
static _Atomic uint64_t next_id[2]; /* of a and b */
static _Atomic bool in_order;

static enum err take_in_order(struct script_bus *b, const struct bus_publish *p)
{
	size_t route = str_is(p->name, "b");
	char id[24];

	(void)b;
	if (route && !atomic_load(&b_may))
		return E_UNAVAILABLE;
	snprintf(id, sizeof(id), "%llu", (unsigned long long)atomic_fetch_add(&next_id[route], 1));
	if (!str_eq(p->msg_id, str_of(id)))
		atomic_store(&in_order, false);
	return E_OK;
}

/* `others` of a, and among them `held` of b. */
static void put_two(struct fixture *f, size_t others, size_t held)
{
	size_t n = others + held;
	struct store_row *rows = mem_array(n, sizeof(*rows));
	char(*ids)[24] = mem_array(n, sizeof(*ids));
	size_t next[2] = { 0 };

	for (size_t i = 0; i < n; i++) {
		size_t route = i * held / n != (i + 1) * held / n;

		snprintf(ids[i], sizeof(ids[i]), "%zu", next[route]++);
		rows[i] = fixture_row(ids[i], "", "{}");
		rows[i].name = route ? STR("b") : STR("a");
	}
	assert_int_equal(fixture_put(f, rows, n, NULL), E_OK);
	mem_free(ids);
	mem_free(rows);
}

static void a_route_that_is_refused_for_ever_holds_up_nobody_and_comes_in_order_in_the_end(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, take_in_order);
	atomic_store(&in_order, true);
	put_two(f, OTHERS, HELD);
	dice = at_once;
	forwarder = start(f, &script.bus, 64);
	dice = NULL;
	wait_until_waiting(forwarder, HELD);
	assert_int_equal(atomic_load(&next_id[0]), OTHERS);
	assert_int_equal(atomic_load(&next_id[1]), 0);
	atomic_store(&b_may, true);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(atomic_load(&next_id[1]), HELD);
	assert_true(atomic_load(&in_order));
	fixture_free(f);
}

static size_t log_count(int log, const char *text)
{
	char all[4096] = "";
	size_t n = 0;

	assert_true(pread(log, all, sizeof(all) - 1, 0) >= 0);
	for (const char *at = all; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void what_retention_let_go_of_a_held_route_is_named_and_the_rest_of_it_sent(void **state)
{
	const struct store_held held = { STR("webhook"), STR("b"), 0, 3 };
	int log = memfd_create("log", MFD_CLOEXEC);
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t pos;

	(void)state;
	script_init(&script, take);
	put(f, "b", "1", "");
	put(f, "b", "2", "");
	put(f, "a", "3", "");
	put(f, "b", "4", "");
	assert_int_equal(store_forwarded(f->store, "test", &pos, NULL), E_OK);
	store_set_forwarded_but(f->store, "test", 4, &held, 1);
	fixture_sql(f->dir, "DELETE FROM events WHERE pos = 1; INSERT INTO settings VALUES('removed_pos', 1)");
	log_setup(log, LOG_WARN, LOG_FORMAT_JSON);
	forwarder = start(f, &script.bus, 4);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	assert_true(log_count(log, "let go while another was in use\",\"bus\":\"test\",\"from\":1,\"to\":1"));
	assert_int_equal(script.taken_count, 2);
	assert_string_equal(script.taken[0], "2");
	assert_string_equal(script.taken[1], "4");
	close(log);
	fixture_free(f);
}

static enum err take_b(struct script_bus *b, const struct bus_publish *p)
{
	return str_is(p->name, "b") ? take(b, p) : E_UNAVAILABLE;
}

/* The position stays before all of them, and what went by is known as long as the process lives. */
static void with_more_held_routes_than_are_kept_nothing_is_passed_by(void **state)
{
	struct store_row rows[LANES_HELD_MAX + 2];
	char names[LANES_HELD_MAX + 1][8];
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t forwarded = 1;

	(void)state;
	script_init(&script, take_b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rows[i] = fixture_row("1", "", "{}");
		rows[i].name = STR("b");
		if (i < ARRAY_LEN(names)) {
			(void)snprintf(names[i], sizeof(names[i]), "r%zu", i);
			rows[i].name = str_of(names[i]);
		}
	}
	assert_int_equal(fixture_put(f, rows, ARRAY_LEN(rows), NULL), E_OK);
	forwarder = start(f, &script.bus, 4);
	wait_until_waiting(forwarder, ARRAY_LEN(names));
	forwarder_stop(forwarder, 0);
	assert_int_equal(store_forwarded(f->store, "test", &forwarded, NULL), E_OK);
	assert_int_equal(forwarded, 0);
	script.answer = take;
	forwarder = start(f, &script.bus, 4);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, ARRAY_LEN(rows) + 1); /* of b's nobody knew any more */
	fixture_free(f);
}

static void that_a_route_is_in_trouble_is_said_once_and_its_end_too(void **state)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, refuse_quick_tries);
	log_setup(log, LOG_INFO, LOG_FORMAT_JSON);
	dice = at_once;
	forwarder = start(f, &script.bus, 4);
	dice = NULL;
	put(f, "a", "1", "");
	wait_until_forwarded(forwarder);
	assert_int_equal(metric_value(forwarder->failed_metric), QUICK_TRIES);
	forwarder_stop(forwarder, 0);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	assert_int_equal(log_count(log, "events are not taken; they wait"), 1);
	assert_int_equal(log_count(log, "events are taken again"), 1);
	close(log);
	fixture_free(f);
}

/* The bus itself says that it is down. */
static void a_refusal_of_a_bus_that_is_down_is_no_news(void **state)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, refuse_a);
	script.holds = true;
	log_setup(log, LOG_WARN, LOG_FORMAT_JSON);
	forwarder = start(f, &script.bus, 4);
	put(f, "a", "1", "");
	wait_for(&script.held_n, 1);
	atomic_store(&script.state, BUS_DOWN);
	script_let_go(&script);
	wait_until_asleep(forwarder);
	forwarder_stop(forwarder, 0);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	assert_int_equal(log_count(log, "events are not taken"), 0);
	close(log);
	fixture_free(f);
}

static void what_retention_let_go_before_a_bus_came_is_named_and_passed(void **state)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, take);
	for (char id[] = "1"; id[0] <= '5'; id[0]++)
		put(f, "a", id, "");
	fixture_sql(f->dir, "DELETE FROM events WHERE pos IN (1, 2, 5)");
	log_setup(log, LOG_WARN, LOG_FORMAT_JSON);
	forwarder = start(f, &script.bus, 4);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	assert_int_equal(log_count(log, "let go while another was in use"), 2);
	assert_true(log_count(log, "\"from\":1,\"to\":2"));
	assert_true(log_count(log, "\"from\":5,\"to\":5"));
	assert_int_equal(script.taken_count, 2);
	close(log);
	fixture_free(f);
}

#define FAR 8300

/* All are a's and taken, but for b's at the edges and c's eight behind them. */
static void put_at_edges(struct fixture *f, const uint64_t *edges, size_t n)
{
	struct store_row *rows = mem_array(FAR, sizeof(*rows));

	for (size_t i = 0; i < FAR; i++) {
		rows[i] = fixture_row("a", "", "{}");
		rows[i].name = STR("a");
	}
	for (size_t i = 0; i < n; i++) {
		rows[edges[i] - 1] = fixture_row("b", "", "{}");
		rows[edges[i] - 1].name = STR("b");
		rows[edges[i] + 7] = fixture_row("c", "", "{}");
		rows[edges[i] + 7].name = STR("c");
	}
	assert_int_equal(fixture_put(f, rows, FAR, NULL), E_OK);
	mem_free(rows);
}

static void what_lies_at_the_edge_of_what_is_read_at_a_time_is_not_left_out(void **state)
{
	static const uint64_t edges[] = { 256, 257, 1024, 4096, 4097, 8192, 8193 };
	const struct store_held held[] = { { STR("webhook"), STR("b"), 0, 1 }, { STR("webhook"), STR("c"), 0, 1 } };

	(void)state;
	for (size_t routes = 1; routes <= 2; routes++) {
		struct fixture *f = open_store();
		struct forwarder *forwarder;
		uint64_t pos;

		script_init(&script, take);
		put_at_edges(f, edges, ARRAY_LEN(edges));
		assert_int_equal(store_forwarded(f->store, "test", &pos, NULL), E_OK);
		store_set_forwarded_but(f->store, "test", FAR, held, routes);
		forwarder = start(f, &script.bus, 256);
		wait_until_forwarded(forwarder);
		forwarder_stop(forwarder, 0);
		assert_int_equal(script.taken_count, routes * ARRAY_LEN(edges));
		fixture_free(f);
	}
}

/* What is new and what is read again share the way to the bus. */
static void a_route_that_is_taken_again_and_the_others_take_turns(void **state)
{
	const struct store_held held = { STR("webhook"), STR("b"), 0, 50 };
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t pos;

	(void)state;
	script_init(&script, take);
	for (unsigned i = 0; i < 100; i++)
		put(f, i < 50 ? "b" : "a", i < 50 ? "b" : "a", "");
	assert_int_equal(store_forwarded(f->store, "test", &pos, NULL), E_OK);
	store_set_forwarded_but(f->store, "test", 50, &held, 1);
	forwarder = start(f, &script.bus, /* window= */ 1);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 100);
	for (size_t i = 1; i < 100; i++)
		assert_string_not_equal(script.taken[i], script.taken[i - 1]);
	fixture_free(f);
}

/* ---- any mood, any number of starts ---- */

#define MOODY_EVENTS 6000
#define MOODY_ROUTES 100
#define MOODY_STARTS 12

static struct {
	uint64_t seed;
	unsigned routes;
	bool ends;                      /* all is taken from now on */
	bool refuses[MOODY_ROUTES];     /* its mood */
	bool has_refused[MOODY_ROUTES]; /* the next; until it takes that, it takes none */
	unsigned next[MOODY_ROUTES];    /* of the events of a route, from 0 */
	unsigned stored[MOODY_ROUTES];
	unsigned left_out;
	unsigned again;
	unsigned dead;
} moody;

static uint64_t moody_seed; /* for whoever sees it fail */

static unsigned moody_dice(unsigned sides)
{
	moody.seed = moody.seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((moody.seed >> 33) % sides);
}

static void change_mood(void)
{
	bool refuses = !moody.ends && moody_dice(2);

	if (moody_dice(20) == 0 || moody.ends)
		moody.refuses[moody_dice(moody.routes)] = refuses;
	if (moody_dice(2000) == 0)
		memset(moody.refuses, refuses, sizeof(moody.refuses));
}

static enum err answer_by_mood(struct script_bus *b, const struct bus_publish *p)
{
	char id[24];
	char *end;

	(void)b;
	snprintf(id, sizeof(id), "%.*s", STR_ARG(p->msg_id));
	unsigned route = (unsigned)strtoul(id, &end, 10);
	unsigned n = (unsigned)strtoul(end + 1, NULL, 10);

	change_mood();
	if (n < moody.next[route]) {
		moody.again++;
		return E_OK;
	}
	moody.left_out += n > moody.next[route] && !moody.has_refused[route];
	if (n > moody.next[route] || moody.refuses[route]) {
		moody.has_refused[route] = true;
		return E_UNAVAILABLE;
	}
	moody.has_refused[route] = false;
	moody.next[route]++;
	moody.dead += n % 64 == 63;
	return n % 64 == 63 ? E_LIMIT : E_OK;
}

static void put_for_the_moody(struct fixture *f)
{
	struct store_row *rows = mem_array(MOODY_EVENTS, sizeof(*rows));
	char(*texts)[2][24] = mem_array(MOODY_EVENTS, sizeof(*texts));

	for (size_t i = 0; i < MOODY_EVENTS; i++) {
		unsigned route = moody_dice(moody_dice(4) ? moody.routes : 2);

		snprintf(texts[i][0], sizeof(texts[i][0]), "%u-%u", route, moody.stored[route]++);
		snprintf(texts[i][1], sizeof(texts[i][1]), "%u", route);
		rows[i] = fixture_row(texts[i][0], "", "{}");
		rows[i].name = str_of(texts[i][1]);
	}
	assert_int_equal(fixture_put(f, rows, MOODY_EVENTS, NULL), E_OK);
	mem_free(texts);
	mem_free(rows);
}

static bool count_dead(void *ctx, const struct store_dead_row *row)
{
	(void)row;
	++*(unsigned *)ctx;
	return true;
}

static void check_the_moody(struct fixture *f)
{
	struct store_reader *r = NULL;
	unsigned dead = 0;

	assert_int_equal(moody.left_out, 0);
	assert_memory_equal(moody.next, moody.stored, sizeof(moody.next));
	assert_int_equal(store_reader_open(f->dir, NULL, &r), E_OK);
	assert_int_equal(store_read_dead(r, 0, count_dead, &dead, NULL), E_OK);
	store_reader_close(r);
	assert_int_equal(dead, moody.dead);
}

/* Or until all is taken. */
static void wait_for_calls(struct forwarder *f, size_t calls)
{
	uint64_t until = clock_mono_ms() + 2 * DEADLINE_MS;
	int64_t oldest;

	while (atomic_load(&script.calls) < calls && forwarder_waiting(f, &oldest)) {
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
}

static void run_the_moody(uint64_t seed, unsigned routes)
{
	struct fixture *f = open_store();

	memset(&moody, 0, sizeof(moody));
	moody.seed = seed;
	moody.routes = routes;
	script_init(&script, answer_by_mood);
	put_for_the_moody(f);
	for (unsigned i = 0; i <= MOODY_STARTS; i++) {
		size_t calls = atomic_load(&script.calls) + moody_dice(2 * MOODY_EVENTS / MOODY_STARTS);
		struct forwarder *forwarder;

		moody.ends = i == MOODY_STARTS;
		forwarder = start(f, &script.bus, 1 + moody_dice(i % 2 ? 8 : 256));
		if (moody.ends)
			wait_until_forwarded(forwarder);
		else
			wait_for_calls(forwarder, calls);
		forwarder_stop(forwarder, 0);
		fixture_close(f);
		assert_int_equal(fixture_open(f), E_OK);
	}
	check_the_moody(f);
	fixture_free(f);
}

static int name_the_moody_seed(void **state)
{
	(void)state;
	dice = NULL;
	if (moody_seed)
		print_error("the seed was %llu\n", (unsigned long long)moody_seed);
	return 0;
}

static void whatever_the_bus_refuses_and_however_often_it_starts_all_comes_once_and_in_order(void **state)
{
	(void)state;
	dice = at_once;
	for (moody_seed = 1; moody_seed <= 3; moody_seed++) {
		run_the_moody(moody_seed, 20);
		assert_int_equal(moody.again, 0);
		run_the_moody(moody_seed,
			      MOODY_ROUTES); /* more than have positions of their own, when all are refused */
	}
	moody_seed = 0;
}

static enum err refuse_b(struct script_bus *b, const struct bus_publish *p)
{
	return str_is(p->name, "b") ? E_LIMIT : take(b, p);
}

static void what_can_never_be_taken_is_set_aside_with_its_reason(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	char dead[200];

	(void)state;
	script_init(&script, refuse_b);
	forwarder = start(f, &script.bus, 8);
	put(f, "a", "1", "");
	put(f, "b", "2", "");
	put(f, "a", "3", "");
	wait_until_forwarded(forwarder);
	assert_int_equal(metric_value(forwarder->forwarded_metric), 2);
	assert_int_equal(metric_value(forwarder->dead_metric), 1);
	assert_int_equal(metric_value(forwarder->failed_metric), 0);
	forwarder_stop(forwarder, 0);
	assert_int_equal(script.taken_count, 2);
	read_dead(f, dead);
	assert_string_equal(dead, "2 test event: because the test says so");
	fixture_free(f);
}

/* Files may grow no further: a dead letter cannot be stored either. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int lift_limit(void **state)
{
	(void)state;
	limit_files(RLIM_INFINITY);
	return 0;
}

static void a_dead_letter_that_cannot_be_stored_is_not_given_up(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t until = clock_mono_ms() + 2 * DEADLINE_MS;
	int64_t oldest;
	char dead[200];

	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	script_init(&script, refuse_b);
	put(f, "b", "1", "");
	limit_files(4096);
	forwarder = start(f, &script.bus, 8);
	while (atomic_load(&script.calls) < 2) { /* it was tried again, so it was kept */
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
	assert_int_equal(forwarder_waiting(forwarder, &oldest), 1);
	read_dead(f, dead);
	assert_string_equal(dead, "");
	limit_files(RLIM_INFINITY);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	read_dead(f, dead);
	assert_string_equal(dead, "1 test event: because the test says so");
	fixture_free(f);
}

/* Of three events, and, when these are back, of three more. */
static void expect_in_flight(uint32_t window, size_t window_bytes, size_t want)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	int64_t oldest;

	script_init(&script, take);
	script.holds = true;
	forwarder = start_within(f, &script.bus, window, window_bytes);
	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < 3; i++)
			put(f, "a", "id", "");
		wait_for(&script.held_n, want);
		wait_until_asleep(forwarder);
		assert_int_equal(atomic_load(&script.held_n), want);
		while (forwarder_waiting(forwarder, &oldest))
			script_let_go(&script);
		assert_int_equal(script.taken_count, 3 * round);
	}
	forwarder_stop(forwarder, 0);
	fixture_free(f);
}

static void what_is_in_flight_is_bounded_in_number_and_bytes(void **state)
{
	(void)state;
	expect_in_flight(8, /* window_bytes= */ 1000, 3);
	expect_in_flight(2, /* window_bytes= */ 1 << 20, 2);
	expect_in_flight(8, /* window_bytes= */ 1, 1); /* one goes always */
}

static void *let_go_late(void *arg)
{
	while (script.last->may_wait(script.last)) /* on a slow bus, until the end begins */
		poll(NULL, 0, 1);
	script_let_go(&script);
	return arg;
}

/* A publish belongs to the forwarder until the bus has answered it, also when nobody waits for it any more. */
static void the_end_waits_for_what_is_in_flight(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	pthread_t thread;

	(void)state;
	script_init(&script, take);
	script.holds = true;
	put(f, "a", "id", "");
	forwarder = start(f, &script.bus, 8);
	while (!atomic_load(&script.held_n))
		poll(NULL, 0, 1);
	assert_int_equal(pthread_create(&thread, NULL, let_go_late, NULL), 0);
	forwarder_stop(forwarder, 0);
	assert_int_equal(atomic_load(&script.held_n), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	fixture_free(f);
}

/* A slow link has its time, and only the end has none for it. */
static void what_is_on_its_way_may_take_its_time_until_the_end_has_come(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;

	(void)state;
	script_init(&script, take);
	script.holds = true;
	put(f, "a", "1", "");
	forwarder = start(f, &script.bus, 8);
	wait_for(&script.held_n, 1);
	assert_true(script.last->may_wait(script.last));
	atomic_store(&forwarder->stop_ms, clock_mono_ms() + 2 * DEADLINE_MS);
	assert_true(script.last->may_wait(script.last));
	atomic_store(&forwarder->stop_ms, 1);
	assert_false(script.last->may_wait(script.last));
	script_let_go(&script);
	assert_int_equal(forwarder_stop(forwarder, 0), 0);
	fixture_free(f);
}

static void stopping_waits_for_what_waits_but_not_for_ever(void **state)
{
	struct fixture *f = open_store();
	struct forwarder *forwarder;
	uint64_t forwarded = 0;

	(void)state;
	script_init(&script, take);
	forwarder = start(f, &script.bus, 8);
	for (int i = 0; i < 50; i++)
		put(f, "a", "1", "");
	forwarder_stop(forwarder, DEADLINE_MS);
	assert_int_equal(script.taken_count, 50);
	assert_int_equal(store_forwarded(f->store, "test", &forwarded, NULL), E_OK);
	assert_int_equal(forwarded, 50);
	atomic_store(&script.state, BUS_DOWN);
	forwarder = start(f, &script.bus, 8);
	put(f, "a", "1", "");
	uint64_t before = clock_mono_ms();

	forwarder_stop(forwarder, 100);
	assert_true(clock_mono_ms() - before < DEADLINE_MS);
	assert_int_equal(script.taken_count, 50);
	fixture_free(f);
}

struct visitor {
	struct fixture *f;
	struct forwarder *forwarder;
};

/* The news wakes the forwarder, as long as it is there. */
static void *come_back_while_it_stops(void *ctx)
{
	const struct visitor *v = ctx;

	while (!atomic_load(&v->forwarder->stop_ms))
		poll(NULL, 0, 1);
	atomic_store(&script.state, BUS_UP);
	put(v->f, "b", "2", "");
	return NULL;
}

static void a_bus_that_comes_back_while_it_stops_gets_what_waits(void **state)
{
	struct visitor v = { .f = open_store() };
	pthread_t thread;

	(void)state;
	script_init(&script, take);
	atomic_store(&script.state, BUS_DOWN);
	put(v.f, "a", "1", "");
	v.forwarder = start(v.f, &script.bus, 8);
	wait_until_asleep(v.forwarder);
	assert_int_equal(pthread_create(&thread, NULL, come_back_while_it_stops, &v), 0);
	forwarder_stop(v.forwarder, 2 * DEADLINE_MS);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(script.taken_count > 0);
	assert_string_equal(script.taken[0], "1");
	fixture_free(v.f);
}

static void note_answer(struct bus_publish *p)
{
	assert_int_equal(p->err, E_UNSUPPORTED);
	assert_false(p->duplicate);
	p->timeout_ms = 0; /* seen */
}

/* It keeps nothing itself: what is published to it alone would be lost, and must not be taken for kept. */
static void the_embedded_bus_takes_no_publish(void **state)
{
	struct bus *bus = embedded_open();
	struct bus_publish p = { .timeout_ms = 1000, .duplicate = true, .on_done = note_answer };

	(void)state;
	bus->ops->publish(bus, &p);
	assert_int_equal(p.timeout_ms, 0);
	assert_string_equal(p.why.text, "the embedded bus is the store, and keeps nothing else");
	bus->ops->close(bus);
}

static void the_embedded_bus_is_as_good_as_the_store(void **state)
{
	struct bus *bus = embedded_open();

	(void)state;
	assert_int_equal(bus->ops->state(bus), BUS_UP);
	assert_int_equal(bus->ops->sync(bus), BUS_SYNC_ALWAYS);
	assert_int_equal(bus->ops->max_payload(bus), 0);
	bus->ops->close(bus);
}

/* An event of a held route, which is read again, and a new one. */
static void put_held_and_new(struct fixture *f)
{
	struct store_held held = { STR("webhook"), STR("held"), store_last(f->store), 1 };
	uint64_t pos;

	put(f, "held", "1", "");
	put(f, "taken", "2", "");
	assert_int_equal(store_forwarded(f->store, "test", &pos, NULL), E_OK);
	store_set_forwarded_but(f->store, "test", store_last(f->store), &held, 1);
	put(f, "new", "3", "");
}

static void no_allocation_failure_loses_an_event(void **state)
{
	struct fixture *f = open_store();
	size_t expected = 0;

	(void)state;
	script_init(&script, take);
	for (long at = 1; at < 40; at++) {
		struct forwarder_config config = {
			.dir = f->dir, .bus_name = "test", .window = 8, .window_bytes = 1 << 20, .timeout_ms = 1000
		};
		struct forwarder *forwarder = NULL;

		put_held_and_new(f);
		expected += 2;
		mem_fail_at(at);
		enum err err = forwarder_start(&config, f->store, &script.bus, &f->why, &forwarder);

		if (err) {
			assert_int_equal(err, E_NOMEM);
			mem_fail_at(0);
			forwarder = start(f, &script.bus, 8);
		}
		wait_until_forwarded(forwarder);
		mem_fail_at(0);
		forwarder_stop(forwarder, 0);
		assert_int_equal(script.taken_count, expected);
	}
	fixture_free(f);
}

/* ---- toward a real server -------------------------------------------------------------------------------------------- */

static const char *const routes[] = { "r0", "r1", "r2" };

/* `n` events on three routes in turn, ids <route>-<number in the route>. */
static void put_many(struct fixture *f, unsigned from, unsigned n)
{
	struct store_row *rows = mem_array(n, sizeof(*rows));
	char(*ids)[24] = mem_array(n, sizeof(*ids));

	for (unsigned i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%s-%u", routes[(from + i) % 3], (from + i) / 3);
		rows[i] = fixture_row(ids[i], "", "{\"x\":1}");
		rows[i].name = str_of(routes[(from + i) % 3]);
	}
	assert_int_equal(fixture_put(f, rows, n, NULL), E_OK);
	mem_free(ids);
	mem_free(rows);
}

static void check_stream(const char *url, unsigned n)
{
	struct seen seen;
	unsigned next[3] = { 0 };

	seen_read(&seen, url);
	assert_int_equal(seen.n, n);
	for (size_t i = 0; i < seen.n; i++) {
		unsigned route = (unsigned)(seen.ids[i][1] - '0');
		char id[24];

		assert_in_range(route, 0, 2);
		snprintf(id, sizeof(id), "r%u-%u", route, next[route]++);
		assert_string_equal(seen.ids[i], id);
	}
	seen_release(&seen);
}

static void a_server_that_stops_and_returns_gets_all_once_and_in_order(void **state)
{
	static const struct {
		int signal;
		bool frozen;
	} ways[] = { { SIGKILL, false }, { SIGTERM, false }, { SIGSTOP, true } };
	struct nats *nats = nats_new(NULL);
	struct fixture *f = open_store();
	struct peer peer;
	struct forwarder *forwarder;
	unsigned n = 0;

	(void)state;
	peer_init(&peer, nats->url);
	assert_int_equal(peer_open(&peer), E_OK);
	forwarder = start(f, peer.bus, 64);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		int64_t oldest;

		assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
		forwarder_kick(forwarder);
		put_many(f, n, 900);
		n += 900;
		while (forwarder_waiting(forwarder, &oldest) > 600)
			poll(NULL, 0, 1);
		if (ways[i].frozen)
			nats_freeze(nats);
		else
			nats_stop(nats, ways[i].signal);
		put_many(f, n, 300);
		n += 300;
		if (!ways[i].frozen) {
			assert_true(peer_wait(&peer, BUS_DOWN, DEADLINE_MS));
			nats_start(nats);
			assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
		} else {
			poll(NULL, 0, 1200); /* longer than a publish waits */
			kill(nats->pid, SIGCONT);
		}
		forwarder_kick(forwarder);
		wait_until_forwarded(forwarder);
	}
	check_stream(nats->url, n);
	forwarder_stop(forwarder, 0);
	peer_release(&peer);
	fixture_free(f);
	nats_free(nats);
}

static void our_own_restart_in_the_middle_leaves_no_gap(void **state)
{
	struct nats *nats = nats_new(NULL);
	struct fixture *f = open_store();
	struct peer peer;

	(void)state;
	peer_init(&peer, nats->url);
	put_many(f, 0, 3000);
	for (int i = 0; i < 4; i++) {
		struct forwarder *forwarder;

		assert_int_equal(peer_open(&peer), E_OK);
		assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
		forwarder = start(f, peer.bus, 64);
		if (i == 3)
			wait_until_forwarded(forwarder);
		forwarder_stop(forwarder, 5);
		peer_close(&peer);
		fixture_close(f);
		assert_int_equal(fixture_open(f), E_OK);
	}
	check_stream(nats->url, 3000);
	peer_release(&peer);
	fixture_free(f);
	nats_free(nats);
}

static bool on_progress(void *ctx, const struct replay_progress *progress)
{
	*(struct replay_progress *)ctx = *progress;
	return progress->last_pos < 1000;
}

static enum err take_what_may_wait(struct script_bus *b, const struct bus_publish *p)
{
	assert_true(p->may_wait(p));
	return take(b, p);
}

static bool end_after_a_batch(void *ctx, const struct replay_progress *progress)
{
	return on_progress(ctx, progress) && !progress->taken;
}

/* It has give_up_ms for all of it, and what is on its way meanwhile is not sent again. */
static void a_batch_of_a_replay_is_small_enough_for_a_slow_link(void **state)
{
	static char data[100000];
	struct fixture *f = open_store();
	struct store_reader *reader = NULL;
	struct replay_config config = { .range = { .from = 1 }, .timeout_ms = 1, .give_up_ms = DEADLINE_MS };
	struct replay_progress progress;
	struct replay_progress first = { 0 };

	(void)state;
	snprintf(data, sizeof(data), "\"%0*d\"", (int)sizeof(data) - 4, 0);
	for (int i = 0; i < 20; i++) {
		struct store_row row = fixture_row("id", "", data);

		assert_int_equal(fixture_put(f, &row, 1, NULL), E_OK);
	}
	script_init(&script, take_what_may_wait);
	assert_int_equal(store_reader_open(f->dir, NULL, &reader), E_OK);
	assert_int_equal(replay_run(&config, reader, &script.bus, end_after_a_batch, &first, NULL, &progress),
			 E_CANCELLED);
	assert_in_range(first.taken, 1, 11);
	store_reader_close(reader);
	fixture_free(f);
}

static void a_replay_is_not_swallowed_by_the_de_duplication_of_the_bus(void **state)
{
	struct nats *nats = nats_new(NULL);
	struct fixture *f = open_store();
	struct peer peer;
	struct forwarder *forwarder;
	struct store_reader *reader = NULL;
	struct replay_config config = { .range = { .from = 11, .to = 110 },
					.timeout_ms = DEADLINE_MS,
					.give_up_ms = DEADLINE_MS };
	struct replay_progress progress;
	struct replay_progress heard = { 0 };

	(void)state;
	put_many(f, 0, 300);
	put(f, "bad.name", "x", "");
	peer_init(&peer, nats->url);
	assert_int_equal(peer_open(&peer), E_OK);
	assert_true(peer_wait(&peer, BUS_UP, DEADLINE_MS));
	forwarder = start(f, peer.bus, 64);
	wait_until_forwarded(forwarder);
	forwarder_stop(forwarder, 0);
	assert_int_equal(stream_messages(nats->url), 300);
	assert_int_equal(store_reader_open(f->dir, NULL, &reader), E_OK);
	/* With the first ids the bus knows them all. */
	assert_int_equal(replay_run(&config, reader, peer.bus, NULL, NULL, NULL, &progress), E_OK);
	assert_int_equal(progress.taken, 100);
	assert_int_equal(stream_messages(nats->url), 300);
	config.run = STR("run1");
	assert_int_equal(replay_run(&config, reader, peer.bus, on_progress, &heard, NULL, &progress), E_OK);
	assert_int_equal(progress.taken, 100);
	assert_int_equal(heard.last_pos, 110);
	assert_int_equal(stream_messages(nats->url), 400);
	/* A limit, one route, and an event that no bus takes. */
	config.range = (struct store_query){ .from = 1, .limit = 70, .name = STR("r1") };
	config.run = STR("run2");
	assert_int_equal(replay_run(&config, reader, peer.bus, NULL, NULL, NULL, &progress), E_OK);
	assert_int_equal(progress.taken, 70);
	config.range = (struct store_query){ .from = 300 };
	assert_int_equal(replay_run(&config, reader, peer.bus, NULL, NULL, NULL, &progress), E_OK);
	assert_int_equal(progress.taken, 1);
	assert_int_equal(progress.refused, 1);
	assert_int_equal(progress.last_pos, 301);
	nats_stop(nats, SIGKILL);
	assert_true(peer_wait(&peer, BUS_DOWN, DEADLINE_MS));
	config.give_up_ms = 50;
	assert_int_equal(replay_run(&config, reader, peer.bus, NULL, NULL, NULL, &progress), E_UNAVAILABLE);
	store_reader_close(reader);
	peer_release(&peer);
	fixture_free(f);
	nats_free(nats);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_forwarded_in_order_under_its_id_or_its_senders_key),
		cmocka_unit_test(nothing_is_forwarded_again_after_a_restart),
		cmocka_unit_test(what_has_nothing_to_do_sleeps),
		cmocka_unit_test(what_is_due_and_may_not_go_lets_it_sleep),
		cmocka_unit_test(while_the_bus_is_down_nothing_is_tried),
		cmocka_unit_test(since_when_something_waits_is_told_by_the_first_that_does),
		cmocka_unit_test(a_bus_that_comes_back_is_tried_at_once),
		cmocka_unit_test(what_is_refused_waits_its_time_while_others_are_taken),
		cmocka_unit_test(what_lies_behind_many_that_are_held_back_does_not_wait_with_them),
		cmocka_unit_test(what_is_no_longer_stored_when_it_is_tried_again_holds_nothing_up),
		cmocka_unit_test(a_store_that_cannot_be_read_is_looked_at_now_and_then_and_read_when_it_can),
		cmocka_unit_test(what_cannot_be_read_when_it_is_tried_again_is_not_given_up),
		cmocka_unit_test(a_route_in_trouble_keeps_its_order_and_holds_nobody_up),
		cmocka_unit_test(a_route_that_is_refused_for_ever_holds_up_nobody_and_comes_in_order_in_the_end),
		cmocka_unit_test(what_retention_let_go_of_a_held_route_is_named_and_the_rest_of_it_sent),
		cmocka_unit_test(with_more_held_routes_than_are_kept_nothing_is_passed_by),
		cmocka_unit_test(that_a_route_is_in_trouble_is_said_once_and_its_end_too),
		cmocka_unit_test(a_refusal_of_a_bus_that_is_down_is_no_news),
		cmocka_unit_test(what_retention_let_go_before_a_bus_came_is_named_and_passed),
		cmocka_unit_test(what_lies_at_the_edge_of_what_is_read_at_a_time_is_not_left_out),
		cmocka_unit_test(a_route_that_is_taken_again_and_the_others_take_turns),
		cmocka_unit_test_teardown(
			whatever_the_bus_refuses_and_however_often_it_starts_all_comes_once_and_in_order,
			name_the_moody_seed),
		cmocka_unit_test(what_can_never_be_taken_is_set_aside_with_its_reason),
		cmocka_unit_test_teardown(a_dead_letter_that_cannot_be_stored_is_not_given_up, lift_limit),
		cmocka_unit_test(what_is_in_flight_is_bounded_in_number_and_bytes),
		cmocka_unit_test(the_end_waits_for_what_is_in_flight),
		cmocka_unit_test(what_is_on_its_way_may_take_its_time_until_the_end_has_come),
		cmocka_unit_test(stopping_waits_for_what_waits_but_not_for_ever),
		cmocka_unit_test(a_bus_that_comes_back_while_it_stops_gets_what_waits),
		cmocka_unit_test(the_embedded_bus_takes_no_publish),
		cmocka_unit_test(the_embedded_bus_is_as_good_as_the_store),
		cmocka_unit_test(no_allocation_failure_loses_an_event),
		cmocka_unit_test(a_server_that_stops_and_returns_gets_all_once_and_in_order),
		cmocka_unit_test(our_own_restart_in_the_middle_leaves_no_gap),
		cmocka_unit_test(a_batch_of_a_replay_is_small_enough_for_a_slow_link),
		cmocka_unit_test(a_replay_is_not_swallowed_by_the_de_duplication_of_the_bus),
	};

	peer_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
