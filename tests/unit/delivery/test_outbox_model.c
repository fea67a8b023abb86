/*
 * The outbox against a reference that is as simple as can be: one array, searched from end to end for every question.
 * Waits are all the same, so that both know when a timer ends. A failure prints its seed.
 */
/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#include "base/rand.h"
#include "delivery/outbox.h"

#define KEYS    4
#define UIDS    3 /* objects of one name */
#define ITEMS   600
#define WINDOW  3
#define WAIT_MS 1000
#define MOST    40 /* entries */

enum what { WAITS, FLIES, RESTS /* received */, BACK /* held back */, ASIDE };

struct event {
	enum delivery_type type;
	unsigned key, uid, version;
	enum what what;
	bool was_sent;
	bool was_refused;
	uint64_t at_ms;  /* FLIES, BACK: until */
	uint64_t back;   /* BACK: rises with each that is held back */
	uint64_t id;     /* tells one addition from another */
	uint64_t before; /* the newest of its name that had come before, commands and what it may pass left out */
};

/* In the order in which they would go, all keys mixed. */
struct model {
	struct event e[ITEMS];
	unsigned n;
	unsigned turn;
	uint64_t next_id;
	uint64_t next_back;
	uint64_t newest[KEYS][2]; /* ids: of create, spec, delete; of create, status, delete */
};

struct run {
	struct outbox *o;
	struct model m;
	uint64_t seed, random, now, epoch;
	bool connected;
	unsigned version;
};

static uint64_t dice(struct run *r)
{
	uint64_t z = r->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	return z ^ (z >> 29);
}

#define MUST(r, condition)                                                                    \
	do {                                                                                  \
		if (!(condition))                                                             \
			fail_msg("seed %llu: %s", (unsigned long long)(r)->seed, #condition); \
	} while (0)

static bool same_resource(const struct event *a, const struct event *b)
{
	return a->key == b->key && a->uid == b->uid;
}

static bool flies(const struct event *e)
{
	return e->what == FLIES || e->what == RESTS;
}

static bool coalesces(enum delivery_type type)
{
	return type == DELIVERY_SPEC || type == DELIVERY_STATUS || type == DELIVERY_DELETE;
}

static void erase(struct model *m, unsigned i)
{
	memmove(&m->e[i], &m->e[i + 1], (--m->n - i) * sizeof(m->e[0]));
}

/* It counts among the desired (0) or the observed (1). */
static bool counts_for(enum delivery_type type, int side)
{
	return type == DELIVERY_CREATE || type == DELIVERY_DELETE || type == (side ? DELIVERY_STATUS : DELIVERY_SPEC);
}

static bool lets_go(enum delivery_type newer, enum delivery_type older)
{
	bool state = older == DELIVERY_CREATE || older == DELIVERY_SPEC || older == DELIVERY_DELETE;

	if (newer == DELIVERY_DELETE)
		return true;
	return newer == DELIVERY_CREATE || newer == DELIVERY_SPEC ? state : newer == older;
}

static int unsent_of(const struct model *m, const struct event *e)
{
	for (int i = (int)m->n - 1; i >= 0; i--)
		if (same_resource(&m->e[i], e) && m->e[i].type == e->type && !flies(&m->e[i]) && m->e[i].what != ASIDE)
			return i;
	return -1;
}

/* Adding `e` clears away event i. */
static bool clears(const struct event *e, const struct event *old)
{
	if (!same_resource(e, old))
		return false;
	if (old->what == ASIDE)
		return lets_go(e->type, old->type);
	if (e->type != DELIVERY_DELETE || old->type == DELIVERY_REQUEST)
		return false;
	return old->type != DELIVERY_DELETE;
}

static bool delete_flies(const struct model *m, const struct event *e)
{
	for (unsigned i = 0; i < m->n; i++)
		if (same_resource(&m->e[i], e) && m->e[i].type == DELIVERY_DELETE && flies(&m->e[i]))
			return true;
	return false;
}

/* Versions never repeat in this test, so nothing is a repetition. */
static bool has_room(const struct model *m, const struct event *e)
{
	if (m->n < MOST || (e->type == DELIVERY_DELETE && delete_flies(m, e)))
		return true;
	for (unsigned i = 0; i < m->n; i++)
		if (clears(e, &m->e[i]))
			return true;
	return coalesces(e->type) && unsent_of(m, e) >= 0;
}

static enum err model_add(struct model *m, struct event e)
{
	bool served = e.type == DELIVERY_DELETE && delete_flies(m, &e);
	int old;

	if (!has_room(m, &e))
		return E_LIMIT;
	for (unsigned i = 0; i < m->n && e.type == DELIVERY_SPEC; i++)
		if (same_resource(&m->e[i], &e) && m->e[i].type == DELIVERY_CREATE && m->e[i].what == BACK)
			m->e[i].what = WAITS;
	e.id = ++m->next_id;
	e.before = m->newest[e.key][e.type == DELIVERY_STATUS];
	for (unsigned i = m->n; i-- > 0;)
		if (clears(&e, &m->e[i]))
			erase(m, i);
	old = coalesces(e.type) ? unsent_of(m, &e) : -1;
	if (served) {
		if (old >= 0)
			erase(m, (unsigned)old);
		return E_OK;
	}
	if (old >= 0 && (e.type == DELIVERY_DELETE || m->e[old].id == e.before)) {
		e.what = m->e[old].what == BACK && e.type != DELIVERY_STATUS ? WAITS : m->e[old].what;
		e.at_ms = m->e[old].at_ms;
		e.back = m->e[old].back;
		e.was_refused = m->e[old].was_refused;
		e.before = m->e[old].before;
		for (int side = 0; side < 2; side++)
			if (m->newest[e.key][side] == m->e[old].id)
				m->newest[e.key][side] = e.id;
		m->e[old] = e;
		return E_OK;
	}
	if (old >= 0)
		erase(m, (unsigned)old);
	for (int side = 0; side < 2; side++)
		if (counts_for(e.type, side))
			m->newest[e.key][side] = e.id;
	m->e[m->n++] = e;
	return E_OK;
}

static int head_of(const struct model *m, unsigned key)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->e[i].key == key && m->e[i].what != ASIDE)
			return (int)i;
	return -1;
}

static enum delivery_lane lane_of(const struct model *m, unsigned key)
{
	enum delivery_lane lane = LANE_STATUS;

	for (unsigned i = 0; i < m->n; i++)
		if (m->e[i].key == key && m->e[i].what != ASIDE && delivery_lane_of(m->e[i].type) < lane)
			lane = delivery_lane_of(m->e[i].type);
	return lane;
}

/* Not confirmed: it waits (or is held back), unless the newer of its type right behind it can take its place. */
static void model_return(struct model *m, unsigned i, enum what what, uint64_t at_ms)
{
	m->e[i].what = what;
	m->e[i].at_ms = at_ms;
	for (unsigned k = i + 1; k < m->n && coalesces(m->e[i].type); k++) {
		const struct event *e = &m->e[k];

		if (same_resource(e, &m->e[i]) && e->type == m->e[i].type && e->what != ASIDE &&
		    e->before == m->e[i].id) {
			struct event newer = *e;

			newer.what = what == BACK && newer.type != DELIVERY_STATUS ? WAITS : what;
			newer.at_ms = at_ms;
			newer.back = m->e[i].back;
			newer.was_refused = m->e[i].was_refused;
			newer.before = m->e[i].before;
			erase(m, k);
			m->e[i] = newer;
			return;
		}
	}
}

static unsigned count(const struct model *m, enum what a, enum what b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += m->e[i].what == a || m->e[i].what == b;
	return n;
}

static bool ready(const struct model *m, unsigned key)
{
	int head = head_of(m, key);

	return head >= 0 && m->e[head].what == WAITS;
}

static bool lane_ready(const struct model *m, enum delivery_lane lane)
{
	for (unsigned key = 0; key < KEYS; key++)
		if (ready(m, key) && lane_of(m, key) == lane)
			return true;
	return false;
}

/* The lane whose turn it is. LANE_COUNT: nothing is ready. */
static enum delivery_lane turn(const struct model *m)
{
	static const char turns[] = "ccsccsct";
	char c = turns[m->turn % 8];
	enum delivery_lane lane = c == 'c' ? LANE_COMMAND : c == 's' ? LANE_STATE : LANE_STATUS;

	if (lane_ready(m, lane))
		return lane;
	for (lane = LANE_COMMAND; lane < LANE_COUNT && !lane_ready(m, lane); lane++)
		;
	return lane;
}

static void timers(struct run *r)
{
	for (unsigned i = 0; i < r->m.n; i++) {
		struct event *e = &r->m.e[i];

		if (e->what == FLIES && e->at_ms <= r->now)
			model_return(&r->m, i, WAITS, 0);
		else if (e->what == BACK && e->at_ms <= r->now)
			e->what = WAITS;
	}
}

/* -- what is done to both -------------------------------------------------------------------------------------------- */

struct texts {
	char name[2], resource_id[24], event_id[40];
};

static struct texts texts_of(const struct event *e)
{
	struct texts t = { .name = { (char)('a' + e->key) } };

	(void)snprintf(t.resource_id, sizeof(t.resource_id), "%u_%u", e->key, e->uid);
	(void)snprintf(t.event_id, sizeof(t.event_id), "%u_%u_%u", e->key, e->uid, e->version);
	return t;
}

static void do_add(struct run *r)
{
	struct event e = { .type = (enum delivery_type)(dice(r) % DELIVERY_TYPE_COUNT),
			   .key = (unsigned)(dice(r) % KEYS),
			   .uid = (unsigned)(dice(r) % UIDS),
			   .version = ++r->version };
	struct texts t = texts_of(&e);
	struct delivery_event d = { .type = e.type,
				    .name = str_of(t.name),
				    .resource_id = str_of(t.resource_id),
				    .event_id = str_of(t.event_id) };

	MUST(r, outbox_add(r->o, &d, r->now) == model_add(&r->m, e));
}

static void do_take(struct run *r)
{
	bool possible;
	struct outbox_frame f;
	unsigned key;
	int head;

	timers(r);
	possible = r->connected && count(&r->m, FLIES, RESTS) < WINDOW && turn(&r->m) < LANE_COUNT;
	MUST(r, outbox_take(r->o, r->now, &f) == possible);
	if (!possible)
		return;
	key = (unsigned)(f.resource_id.p[0] - '0');
	head = head_of(&r->m, key);
	MUST(r, head >= 0 && r->m.e[head].what == WAITS);
	MUST(r, str_is(f.event_id, texts_of(&r->m.e[head]).event_id));
	MUST(r, lane_of(&r->m, key) == turn(&r->m));
	r->m.turn++;
	r->m.e[head].what = FLIES;
	r->m.e[head].was_sent = true;
	r->m.e[head].at_ms = r->now + WAIT_MS;
	outbox_sent(r->o, f.order, r->now, dice(r));
}

/* A newer version of event i waits. */
static bool newer_waits(const struct model *m, unsigned i)
{
	for (unsigned k = 0; k < m->n && coalesces(m->e[i].type); k++)
		if (k != i && same_resource(&m->e[k], &m->e[i]) && m->e[k].type == m->e[i].type &&
		    m->e[k].what != ASIDE)
			return true;
	return false;
}

static void model_hurry(struct model *m, unsigned most)
{
	while (most--) {
		struct event *first = NULL;

		for (unsigned i = 0; i < m->n; i++)
			if (m->e[i].what == BACK && (!first || m->e[i].back < first->back))
				first = &m->e[i];
		if (first)
			first->what = WAITS;
	}
}

/* The answer means event i, which was sent and is the first of its name. */
static enum outbox_effect model_answer(struct model *m, unsigned i, const struct delivery_answer *a, uint64_t now)
{
	struct event *e = &m->e[i];

	if (a->outcome == DELIVERY_RECEIVED) {
		if (e->what != FLIES)
			return OUTBOX_NOTHING;
		e->what = RESTS;
		return OUTBOX_HELD;
	}
	if (a->outcome == DELIVERY_APPLIED) {
		bool was_refused = e->was_refused;

		erase(m, i);
		model_hurry(m, was_refused ? 2 : 0);
		return OUTBOX_CONFIRMED;
	}
	if (a->retryable) {
		if (e->what == BACK)
			return OUTBOX_NOTHING;
		e->was_refused = true;
		e->back = ++m->next_back;
		model_return(m, i, BACK, now + WAIT_MS);
		return OUTBOX_AGAIN;
	}
	if (e->type == DELIVERY_REQUEST || newer_waits(m, i) || (e->type == DELIVERY_DELETE && m->n > MOST / 2)) {
		erase(m, i);
		return OUTBOX_REFUSED;
	}
	e->what = ASIDE;
	return OUTBOX_QUARANTINED;
}

/* Any event may be answered, also one that never went, and any version. */
static void do_answer(struct run *r)
{
	static const struct {
		enum delivery_outcome outcome;
		bool retryable;
	} kinds[] = { { DELIVERY_RECEIVED, false },
		      { DELIVERY_APPLIED, false },
		      { DELIVERY_APPLIED, false },
		      { DELIVERY_REJECTED, true },
		      { DELIVERY_REJECTED, false } };
	unsigned kind = (unsigned)(dice(r) % ARRAY_LEN(kinds)), i;
	enum outbox_effect want = OUTBOX_NOTHING;
	struct event e;
	bool counts;

	if (r->m.n == 0)
		return;
	i = (unsigned)(dice(r) % r->m.n);
	e = r->m.e[i];
	counts = r->connected && head_of(&r->m, e.key) == (int)i && e.was_sent;
	if (dice(r) % 10 == 0) {
		e.version = r->version + 1;
		counts = false;
	}
	struct texts t = texts_of(&e);
	struct delivery_answer a = { .outcome = kinds[kind].outcome,
				     .retryable = kinds[kind].retryable,
				     .resource_id = str_of(t.resource_id),
				     .event_id = str_of(t.event_id) };

	if (counts)
		want = model_answer(&r->m, i, &a, r->now);
	MUST(r, outbox_answer(r->o, r->epoch, &a, r->now, dice(r), NULL) == want);
}

static void do_connection(struct run *r)
{
	if (r->connected) {
		outbox_disconnected(r->o);
		for (unsigned i = 0; i < r->m.n; i++)
			if (flies(&r->m.e[i]))
				model_return(&r->m, i, WAITS, 0);
	} else {
		MUST(r, outbox_connected(r->o, ++r->epoch) == E_OK);
		for (unsigned i = 0; i < r->m.n; i++)
			if (r->m.e[i].what == BACK)
				r->m.e[i].what = WAITS;
	}
	r->connected = !r->connected;
}

static void do_hurry(struct run *r)
{
	unsigned most = (unsigned)(dice(r) % 4);

	outbox_hurry(r->o, most);
	model_hurry(&r->m, most);
}

static uint64_t model_due(const struct run *r)
{
	uint64_t due = UINT64_MAX;

	if (!r->connected)
		return due;
	if (count(&r->m, FLIES, RESTS) < WINDOW && turn(&r->m) < LANE_COUNT)
		return r->now;
	for (unsigned i = 0; i < r->m.n; i++)
		if ((r->m.e[i].what == FLIES || r->m.e[i].what == BACK) && r->m.e[i].at_ms < due)
			due = r->m.e[i].at_ms;
	return due;
}

static void compare(struct run *r)
{
	struct outbox_stats s;
	uint64_t due = outbox_due(r->o, r->now), want = model_due(r);

	outbox_stats(r->o, &s);
	MUST(r, s.waiting == count(&r->m, WAITS, BACK));
	MUST(r, s.held_back == count(&r->m, BACK, BACK));
	MUST(r, s.in_flight == count(&r->m, FLIES, RESTS));
	MUST(r, s.quarantined == count(&r->m, ASIDE, ASIDE));
	MUST(r, due == want || (due <= r->now && want <= r->now));
}

static void step(struct run *r)
{
	uint64_t what = dice(r) % 100;

	if (what < 35)
		do_add(r);
	else if (what < 65)
		do_take(r);
	else if (what < 90)
		do_answer(r);
	else if (what < 91)
		do_hurry(r);
	else if (what < 98)
		r->now += dice(r) % 700;
	else
		do_connection(r);
	compare(r);
}

static void random_operations_do_what_the_reference_does(void **state)
{
	struct outbox_options options = outbox_defaults;
	uint64_t first = rand_u64() >> 20;
	static struct run r;

	(void)state;
	options.resend_base_ms = options.resend_floor_ms = WAIT_MS;
	options.resend_factor = 1;
	options.window_events = WINDOW;
	options.entries_max = MOST;
	print_message("seeds from %llu\n", (unsigned long long)first);
	for (uint64_t seed = first; seed < first + 300; seed++) {
		r = (struct run){ .seed = seed, .random = seed, .o = outbox_new(&options, 0) };
		assert_non_null(r.o);
		for (int i = 0; i < 600; i++)
			step(&r);
		outbox_free(r.o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_operations_do_what_the_reference_does) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
