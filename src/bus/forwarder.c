#include "bus/forwarder.h"

#include <sched.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "bus/forwarder_impl.h"

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

	return stop && (clock_mono_ms() >= stop || atomic_load(&f->settled) >= store_last(f->store));
}

/* When there is something to read or to send; UINT64_MAX: not before somebody wakes us. */
static uint64_t next_ms(const struct forwarder *f, uint64_t now)
{
	if (!f->bus_up)
		return UINT64_MAX;
	if (f->read_again_ms > now)
		return f->read_again_ms;
	if (!forwarder_has_room(f))
		return UINT64_MAX;
	return f->more ? now : lanes_next_ms(&f->lanes);
}

static uint32_t sleep_ms(const struct forwarder *f)
{
	uint64_t now = clock_mono_ms();
	uint64_t stop = atomic_load(&f->stop_ms);
	uint64_t until = next_ms(f, now);

	if (stop && stop < until)
		until = stop;
	if (until == UINT64_MAX)
		return WAKE_FOREVER;
	return until <= now ? 0 : until - now < 60000 ? (uint32_t)(until - now) : 60000;
}

/* What is in flight comes back within its timeout; its memory is ours until then. */
static void land_all(struct forwarder *f)
{
	forwarder_take_returned(f);
	while (f->lanes.flying) {
		wake_wait(&f->wake, WAKE_FOREVER);
		forwarder_take_returned(f);
	}
	while (atomic_load(&f->returning))
		sched_yield();
	forwarder_report(f);
}

static void *run(void *arg)
{
	struct forwarder *f = arg;

	for (;;) {
		forwarder_take_returned(f);
		look_at_bus(f);
		if (f->bus_up)
			forwarder_send_all(f);
		forwarder_report(f);
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

/* A damaged store may have some behind the position, where all is read anyway. */
static enum err hold(void *ctx, const struct store_held *held)
{
	struct lanes *l = ctx;

	if (held->forwarded >= l->read_pos)
		return E_OK;
	return lanes_hold(l, held->source, held->name, held->forwarded, held->waiting);
}

/* Of what held routes wait for, retention may have let some go while another bus was in use. */
static enum err look_for_gap(struct forwarder *f, struct why *why)
{
	uint64_t from = lanes_position(&f->lanes) + 1;
	uint64_t gone = 0;
	enum err err = E_OK;

	if (f->lanes.trouble)
		err = store_gone(f->reader, from, f->lanes.read_pos, &gone, why);
	if (err == E_OK && gone)
		forwarder_note_gap(f, from, gone + 1);
	return err;
}

static enum err begin(struct forwarder *f, struct why *why)
{
	uint64_t forwarded = 0;
	enum err err = store_forwarded(f->store, f->bus_name, &forwarded, why);

	lanes_init(&f->lanes, forwarded);
	if (err == E_OK && store_each_held(f->store, f->bus_name, hold, &f->lanes))
		err = why_set(why, E_NOMEM, "start the forwarder");
	f->forwarded = forwarded;
	f->held = f->lanes.trouble_n;
	atomic_store(&f->settled, forwarder_settled(f));
	if (err == E_OK && forwarded == 0 && store_last(f->store))
		log_info("forwarder", "this bus has taken nothing yet: it gets all that is stored",
			 LOG_S("bus", f->bus_name), LOG_U("last_position", store_last(f->store)));
	return err;
}

static enum err prepare(struct forwarder *f, struct why *why)
{
	enum err err;

	f->dir = str_dup(str_of(f->config.dir));
	f->bus_name = str_dup(str_of(f->config.bus_name));
	if (!f->dir || !f->bus_name || forwarder_count_in(f))
		return why_set(why, E_NOMEM, "start the forwarder");
	err = store_reader_open(f->dir, why, &f->reader);
	if (err == E_OK)
		err = begin(f, why);
	return err == E_OK ? look_for_gap(f, why) : err;
}

enum err forwarder_start(const struct forwarder_config *config, struct store *store, struct bus *bus, struct why *why,
			 struct forwarder **ret_forwarder)
{
	CLEANUP(forwarder_free_freep) struct forwarder *f = mem_alloc(sizeof(*f));
	enum err err;

	if (!f)
		return why_set(why, E_NOMEM, "start the forwarder");
	f->config = *config;
	if (!f->config.random)
		f->config.random = rand_u64;
	f->store = store;
	f->bus = bus;
	f->listener.on_commit = on_commit;
	wake_init(&f->wake);
	err = prepare(f, why);
	if (err)
		return err;
	store_listen(store, &f->listener);
	err = thread_start("forwarder", run, f, why, &f->thread);
	if (err) {
		store_unlisten(store, &f->listener);
		return err;
	}
	*ret_forwarder = TAKE(f);
	return E_OK;
}

uint64_t forwarder_stop(struct forwarder *f, uint32_t flush_ms)
{
	uint64_t waiting;
	int64_t oldest_ms;

	if (!f)
		return 0;
	atomic_store(&f->stop_ms, clock_mono_ms() + flush_ms);
	wake_signal(&f->wake);
	(void)pthread_join(f->thread, NULL);
	store_unlisten(f->store, &f->listener);
	waiting = forwarder_waiting(f, &oldest_ms);
	forwarder_free(f);
	return waiting;
}

void forwarder_kick(struct forwarder *f)
{
	wake_signal(&f->wake);
}
