#include "bus/forwarder.h"

#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bus/lanes.h"
#include "bus/outgoing.h"
#include "store/wake.h"

#define BATCH         256
#define READ_AGAIN_MS 1000

/* Entries kept in memory, done or not: how far others go on past an event that the bus does not take. */
#define SPAN_MAX      65536

static const struct metric_family waiting_family = {
	.name = "holdfast_forwarder_waiting",
	.help = "Stored events that the bus has not confirmed.",
	.type = METRIC_GAUGE,
};
static const struct metric_family oldest_family = {
	.name = "holdfast_forwarder_oldest_timestamp_seconds",
	.help = "When the oldest of them was stored; 0: none waits.",
	.type = METRIC_GAUGE,
	.scale = 1e-3,
};
static const struct metric_family forwarded_family = {
	.name = "holdfast_forwarder_forwarded_total",
	.help = "Events that the bus confirmed.",
	.type = METRIC_COUNTER,
};
static const struct metric_family failed_family = {
	.name = "holdfast_forwarder_failed_total",
	.help = "Publishes that were not confirmed and are sent again.",
	.type = METRIC_COUNTER,
};
static const struct metric_family dead_family = {
	.name = "holdfast_forwarder_dead_letters_total",
	.help = "Events set aside because the bus can never take them.",
	.type = METRIC_COUNTER,
};

struct forwarder {
	struct forwarder_config config;
	char *dir;
	char *bus_name;
	struct store *store;
	struct bus *bus;
	struct store_listener listener;
	pthread_t thread;

	/* any thread */
	struct wake wake;
	struct mpsc returned;       /* flights that came back */
	_Atomic uint64_t stop_ms;   /* 0: go on; else stop then, or earlier when nothing waits */
	_Atomic uint64_t forwarded; /* position */
	_Atomic int64_t oldest_ms;  /* wall clock; 0: not known or none */

	/* its own thread */
	struct store_reader *reader;
	struct lanes lanes;
	size_t flying_bytes;
	bool bus_up;
	bool read_failed; /* said so already */
	uint64_t read_again_ms;
	uint64_t peeked;     /* position whose time stands in oldest_ms */
	struct metrics *own; /* when the caller counts nothing */
	struct metric *waiting_metric;
	struct metric *oldest_metric;
	struct metric *forwarded_metric;
	struct metric *failed_metric;
	struct metric *dead_metric;
};

/* One publish, or the dead letter that it became. */
struct flight {
	struct outgoing out;
	struct store_dead_put dead;
	struct mpsc_node node;
	struct forwarder *f;
	struct entry *entry;
	enum { FLIGHT_TO_BUS, FLIGHT_TO_DEAD } to;
};

/* ---- out and back ---------------------------------------------------------------------------------------------------- */

static void give_back(struct flight *flight)
{
	struct forwarder *f = flight->f;

	if (mpsc_put(&f->returned, &flight->node))
		wake_signal(&f->wake);
}

static void on_published(struct bus_publish *p)
{
	give_back(CONTAINER_OF(p, struct flight, out.publish));
}

static void on_dead(struct store_dead_put *dead)
{
	give_back(CONTAINER_OF(dead, struct flight, dead));
}

static void failed(struct forwarder *f, struct entry *e, const struct why *why)
{
	struct lane *lane = e->lane;
	bool first = lanes_failed(&f->lanes, e, clock_mono_ms(), rand_u64());

	metric_inc(f->failed_metric);
	/* While the bus is down, that is the news, and the bus tells it. */
	if (first && f->bus->ops->state(f->bus) == BUS_UP)
		log_warn("forwarder", "a route's events are not taken; they wait", LOG_S("route", lane->key),
			 LOG_S("event_name", lane->key + strlen(lane->key) + 1), LOG_WHY(why));
}

static void flight_free(struct flight *flight)
{
	flight->f->flying_bytes -= flight->out.block.n;
	outgoing_release(&flight->out);
	mem_free(flight);
}

static void send_row(struct forwarder *f, struct entry *e, const struct store_row *row)
{
	struct flight *flight = mem_alloc(sizeof(*flight));
	struct why why = { 0 };

	if (!flight || outgoing_build(row, (struct str){ 0 }, &flight->out)) {
		mem_free(flight);
		(void)why_set(&why, E_NOMEM, "forward an event");
		failed(f, e, &why);
		return;
	}
	flight->f = f;
	flight->entry = e;
	flight->out.publish.timeout_ms = f->config.timeout_ms;
	flight->out.publish.on_done = on_published;
	f->flying_bytes += flight->out.block.n;
	f->bus->ops->publish(f->bus, &flight->out.publish);
}

static bool never_taken(enum err err)
{
	return err == E_LIMIT || err == E_MALFORMED;
}

static void set_aside(struct forwarder *f, struct flight *flight)
{
	const struct bus_publish *p = &flight->out.publish;

	log_warn("forwarder", "the bus can never take this event; set aside as a dead letter",
		 LOG_U("position", flight->entry->pos), LOG_STRN("event_source", p->source),
		 LOG_STRN("event_name", p->name), LOG_WHY(&p->why));
	flight->to = FLIGHT_TO_DEAD;
	flight->dead = (struct store_dead_put){
		.pos = flight->entry->pos,
		.bus = f->bus_name,
		.reason = p->why.text,
		.what = STORE_DEAD_ADD,
		.on_done = on_dead,
	};
	store_dead(f->store, &flight->dead);
}

static void taken(struct forwarder *f, struct entry *e)
{
	struct lane *lane = e->lane;

	if (lanes_done(&f->lanes, e))
		log_info("forwarder", "a route's events are taken again", LOG_S("route", lane->key),
			 LOG_S("event_name", lane->key + strlen(lane->key) + 1));
}

static void back_from_bus(struct forwarder *f, struct flight *flight)
{
	const struct bus_publish *p = &flight->out.publish;

	if (never_taken(p->err)) {
		set_aside(f, flight);
		return;
	}
	if (p->err)
		failed(f, flight->entry, &p->why);
	else {
		metric_inc(f->forwarded_metric);
		taken(f, flight->entry);
	}
	flight_free(flight);
}

static void back_from_store(struct forwarder *f, struct flight *flight)
{
	struct why why = { 0 };

	if (flight->dead.err) {
		(void)why_set(&why, flight->dead.err, "store a dead letter: %s", err_text(flight->dead.err));
		failed(f, flight->entry, &why);
	} else {
		metric_inc(f->dead_metric);
		taken(f, flight->entry);
	}
	flight_free(flight);
}

static void take_returned(struct forwarder *f)
{
	struct mpsc_node *node = mpsc_take(&f->returned);

	while (node) {
		struct flight *flight = CONTAINER_OF(node, struct flight, node);

		node = node->next;
		if (flight->to == FLIGHT_TO_DEAD)
			back_from_store(f, flight);
		else
			back_from_bus(f, flight);
	}
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static bool has_room(const struct forwarder *f)
{
	return f->lanes.flying < f->config.window && f->lanes.count < SPAN_MAX &&
	       (f->flying_bytes < f->config.window_bytes || f->lanes.flying == 0);
}

static void read_trouble(struct forwarder *f, const struct why *why)
{
	if (!f->read_failed)
		log_error("forwarder", "the store cannot be read; trying again", LOG_WHY(why));
	f->read_failed = true;
	f->read_again_ms = clock_mono_ms() + READ_AGAIN_MS;
	store_reader_close(f->reader);
	f->reader = NULL;
}

static bool read_rows(struct forwarder *f, const struct store_query *query,
		      bool (*on_row)(void *ctx, const struct store_row *row), void *ctx)
{
	struct why why = { 0 };
	enum err err = E_OK;

	if (f->read_again_ms > clock_mono_ms())
		return false;
	f->read_again_ms = 0;
	if (!f->reader)
		err = store_reader_open(f->dir, &why, &f->reader);
	if (!err)
		err = store_read(f->reader, query, on_row, ctx, &why);
	if (err) {
		read_trouble(f, &why);
		return false;
	}
	f->read_failed = false;
	return true;
}

struct reading {
	struct forwarder *f;
	bool stopped; /* before the end of what is there */
};

static bool on_next_row(void *ctx, const struct store_row *row)
{
	struct reading *r = ctx;
	struct forwarder *f = r->f;
	struct entry *e = NULL;

	r->stopped = lanes_append(&f->lanes, row->pos, row->stored_ms, row->source, row->name, &e) != E_OK;
	if (r->stopped) {
		f->read_again_ms = clock_mono_ms() + READ_AGAIN_MS;
		return false;
	}
	if (e->flying)
		send_row(f, e, row);
	r->stopped = !has_room(f) || f->bus->ops->state(f->bus) != BUS_UP;
	return !r->stopped;
}

/* Past rows that are no longer there. */
static void skip_to(struct forwarder *f, uint64_t pos)
{
	if (!f->lanes.first && pos > f->lanes.read_pos)
		f->lanes.read_pos = pos;
}

/* True: there may be more to read at once. */
static bool read_next(struct forwarder *f)
{
	uint64_t last = store_last(f->store);
	uint64_t before = f->lanes.read_pos;
	struct store_query query = { .from = before + 1, .limit = BATCH };
	struct reading r = { .f = f };

	if (before >= last || !has_room(f))
		return false;
	if (!read_rows(f, &query, on_next_row, &r))
		return false;
	if (!r.stopped && f->lanes.read_pos == before)
		skip_to(f, last);
	return !r.stopped && f->lanes.read_pos > before;
}

struct loading {
	struct forwarder *f;
	struct entry *entry;
	bool found;
};

static bool on_loaded(void *ctx, const struct store_row *row)
{
	struct loading *l = ctx;

	l->found = true;
	send_row(l->f, l->entry, row);
	return false;
}

static void send_again(struct forwarder *f, struct entry *e)
{
	struct store_query query = { .from = e->pos, .to = e->pos, .limit = 1 };
	struct loading l = { .f = f, .entry = e };
	struct why why = { 0 };

	if (!read_rows(f, &query, on_loaded, &l)) {
		(void)why_set(&why, E_UNAVAILABLE, "the store cannot be read");
		failed(f, e, &why);
	} else if (!l.found) {
		log_error("forwarder", "an event is no longer in the store", LOG_U("position", e->pos));
		taken(f, e);
	}
}

static void send_all(struct forwarder *f)
{
	struct entry *e;

	while (has_room(f) && (e = lanes_resend(&f->lanes, clock_mono_ms())))
		send_again(f, e);
	while (read_next(f))
		;
}

/* ---- what others see ------------------------------------------------------------------------------------------------- */

static bool on_peeked(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row->stored_ms;
	return false;
}

/* Since when the first one waits, also while nothing is read because the bus is down: one row for each position. */
static int64_t oldest_ms(struct forwarder *f, uint64_t forwarded)
{
	struct store_query query = { .from = forwarded + 1, .limit = 1 };
	int64_t oldest = 0;

	if (f->lanes.first)
		return f->lanes.first->stored_ms;
	if (forwarded >= store_last(f->store))
		return 0;
	if (f->peeked == forwarded + 1)
		return atomic_load(&f->oldest_ms);
	if (read_rows(f, &query, on_peeked, &oldest))
		f->peeked = forwarded + 1;
	return oldest;
}

static void report(struct forwarder *f)
{
	uint64_t forwarded = lanes_position(&f->lanes);
	uint64_t last = store_last(f->store);

	if (forwarded != atomic_load(&f->forwarded)) {
		atomic_store(&f->forwarded, forwarded);
		store_set_forwarded(f->store, f->bus_name, forwarded);
	}
	atomic_store(&f->oldest_ms, oldest_ms(f, forwarded));
	metric_set(f->oldest_metric, atomic_load(&f->oldest_ms));
	metric_set(f->waiting_metric, last > forwarded ? (int64_t)(last - forwarded) : 0);
}

uint64_t forwarder_waiting(const struct forwarder *f, int64_t *ret_oldest_ms)
{
	uint64_t forwarded = atomic_load(&f->forwarded);
	uint64_t last = store_last(f->store);

	*ret_oldest_ms = last > forwarded ? atomic_load(&f->oldest_ms) : 0;
	return last > forwarded ? last - forwarded : 0;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------ */

static void look_at_bus(struct forwarder *f)
{
	bool up = f->bus->ops->state(f->bus) == BUS_UP;

	if (up && !f->bus_up)
		lanes_retry_all(&f->lanes, clock_mono_ms());
	f->bus_up = up;
}

static bool stopping(const struct forwarder *f)
{
	uint64_t stop = atomic_load(&f->stop_ms);

	return stop && (clock_mono_ms() >= stop || lanes_position(&f->lanes) >= store_last(f->store));
}

static void earlier(uint64_t *when, uint64_t other)
{
	if (other && other < *when)
		*when = other;
}

static uint32_t sleep_ms(const struct forwarder *f)
{
	uint64_t now = clock_mono_ms();
	uint64_t until = UINT64_MAX;

	earlier(&until, atomic_load(&f->stop_ms));
	if (f->bus_up) {
		if (has_room(f) && lanes_next_ms(&f->lanes) < until)
			until = lanes_next_ms(&f->lanes);
		earlier(&until, f->read_again_ms);
	}
	if (until == UINT64_MAX)
		return WAKE_FOREVER;
	return until <= now ? 0 : until - now < 60000 ? (uint32_t)(until - now) : 60000;
}

/* What is in flight comes back within its timeout; its memory is ours until then. */
static void land_all(struct forwarder *f)
{
	take_returned(f);
	while (f->lanes.flying) {
		wake_wait(&f->wake, WAKE_FOREVER);
		take_returned(f);
	}
	report(f);
}

static void *run(void *arg)
{
	struct forwarder *f = arg;

	for (;;) {
		take_returned(f);
		look_at_bus(f);
		if (f->bus_up)
			send_all(f);
		report(f);
		if (stopping(f))
			break;
		wake_wait(&f->wake, sleep_ms(f));
	}
	land_all(f);
	return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------------------------------- */

static void on_commit(struct store_listener *l, uint64_t last)
{
	(void)last;
	wake_signal(&CONTAINER_OF(l, struct forwarder, listener)->wake);
}

static void forwarder_free(struct forwarder *f)
{
	if (!f)
		return;
	lanes_release(&f->lanes);
	store_reader_close(f->reader);
	metrics_free(f->own);
	mem_free(f->dir);
	mem_free(f->bus_name);
	mem_free(f);
}

DEFINE_FREEP(forwarder_free, struct forwarder, forwarder_free)

static enum err count_in(struct forwarder *f)
{
	struct metrics *metrics = f->config.metrics;

	if (!metrics)
		metrics = f->own = metrics_new();
	if (!metrics)
		return E_NOMEM;
	f->waiting_metric = metrics_get(metrics, &waiting_family, NULL);
	f->oldest_metric = metrics_get(metrics, &oldest_family, NULL);
	f->forwarded_metric = metrics_get(metrics, &forwarded_family, NULL);
	f->failed_metric = metrics_get(metrics, &failed_family, NULL);
	f->dead_metric = metrics_get(metrics, &dead_family, NULL);
	return E_OK;
}

static enum err prepare(struct forwarder *f, struct why *why)
{
	uint64_t forwarded = 0;
	enum err err;

	f->dir = str_dup(str_of(f->config.dir));
	f->bus_name = str_dup(str_of(f->config.bus_name));
	if (!f->dir || !f->bus_name || count_in(f))
		return why_set(why, E_NOMEM, "start the forwarder");
	err = store_reader_open(f->dir, why, &f->reader);
	if (!err)
		err = store_forwarded(f->store, f->bus_name, &forwarded, why);
	lanes_init(&f->lanes, forwarded);
	atomic_store(&f->forwarded, forwarded);
	return err;
}

/* Signals are for the program's own threads. */
static enum err start_thread(struct forwarder *f, struct why *why)
{
	sigset_t all;
	sigset_t before;
	int failure;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failure = pthread_create(&f->thread, NULL, run, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failure ? why_errno(why, E_UNAVAILABLE, failure, "start the forwarder") : E_OK;
}

enum err forwarder_start(const struct forwarder_config *config, struct store *store, struct bus *bus, struct why *why,
			 struct forwarder **ret_forwarder)
{
	CLEANUP(forwarder_free_freep) struct forwarder *f = mem_alloc(sizeof(*f));
	enum err err;

	if (!f)
		return why_set(why, E_NOMEM, "start the forwarder");
	f->config = *config;
	f->store = store;
	f->bus = bus;
	f->listener.on_commit = on_commit;
	wake_init(&f->wake);
	err = prepare(f, why);
	if (err)
		return err;
	store_listen(store, &f->listener);
	err = start_thread(f, why);
	if (err) {
		store_unlisten(store, &f->listener);
		return err;
	}
	*ret_forwarder = TAKE(f);
	return E_OK;
}

void forwarder_stop(struct forwarder *f, uint32_t flush_ms)
{
	if (!f)
		return;
	atomic_store(&f->stop_ms, clock_mono_ms() + flush_ms);
	wake_signal(&f->wake);
	(void)pthread_join(f->thread, NULL);
	store_unlisten(f->store, &f->listener);
	forwarder_free(f);
}

void forwarder_kick(struct forwarder *f)
{
	wake_signal(&f->wake);
}
