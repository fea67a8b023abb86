#include <assert.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/store_impl.h"

/* ---- states --------------------------------------------------------------------------------------------------------- */

static void log_state(struct store *s, enum store_state state)
{
	uint64_t used = space_used(&s->space);

	switch (state) {
	case STORE_OK:
		log_info("store", "takes writes again", LOG_S("dir", s->dir), LOG_U("bytes", used));
		break;
	case STORE_NEARLY_FULL:
		log_warn("store", "over 85 % of its size; events will be refused at 100 %", LOG_S("dir", s->dir),
			 LOG_U("bytes", used), LOG_U("max_bytes", s->space.max));
		break;
	case STORE_FULL:
		log_error("store", "full: new events are refused, nothing stored is discarded", LOG_S("dir", s->dir),
			  LOG_U("bytes", used), LOG_U("max_bytes", s->space.max));
		break;
	case STORE_FAILED:
		log_error("store", "failed: new events are refused until it can be opened again", LOG_S("dir", s->dir),
			  LOG_WHY(&s->failure));
		break;
	}
}

void writer_set_state(struct store *s, enum store_state state)
{
	enum store_state old = (enum store_state)atomic_exchange(&s->state, (int)state);

	assert(state <= STORE_FAILED);
	metric_set(s->metrics.state, (int64_t)state);
	if (state != old)
		log_state(s, state);
}

static bool is_failed(const struct store *s)
{
	return atomic_load(&s->state) == STORE_FAILED;
}

/* What may be in doubt is decided by the next opening, from the log alone: nothing of this connection is kept. */
void writer_failed(struct store *s, const struct why *why)
{
	conn_close(s);
	s->failure = *why;
	retry_failed(&s->retry, clock_mono_ms());
	metric_inc(s->metrics.failures);
	writer_set_state(s, STORE_FAILED);
}

static void come_back(struct store *s)
{
	struct why why = { 0 };

	if (conn_reopen(s, &why) != E_OK) {
		writer_failed(s, &why);
		return;
	}
	atomic_store(&s->last, s->last_pos); /* a failed group may have reached the disk after all */
	writer_set_state(s, space_update(&s->space));
}

static enum err refusal(const struct store *s)
{
	return s->failure.err == E_FULL ? E_FULL : E_UNAVAILABLE;
}

/* ---- between two groups --------------------------------------------------------------------------------------------- */

static void take_limits(struct store *s)
{
	s->space.max = atomic_load(&s->max_bytes);
	s->dedup.window_ms = atomic_load(&s->dedup_ms);
	metric_set(s->metrics.max_bytes, (int64_t)s->space.max);
}

static enum err look_at_space(struct store *s, struct why *why)
{
	enum err err = E_OK;

	if (space_is_stale(&s->space))
		err = space_measure(&s->space, &s->db, why);
	if (err != E_OK)
		return err;
	atomic_store(&s->bytes, space_used(&s->space));
	metric_set(s->metrics.bytes, (int64_t)space_used(&s->space));
	metric_set(s->metrics.dead, s->dead_count);
	writer_set_state(s, space_update(&s->space));
	return E_OK;
}

static void keep_house(struct store *s, uint64_t now_mono)
{
	struct why why = { 0 };
	enum err err = look_at_space(s, &why);

	if (err == E_OK)
		err = wal_look(&s->wal, now_mono, &why);
	metric_set(s->metrics.wal_bytes, wal_bytes(&s->wal));
	if (err != E_OK)
		writer_failed(s, &why);
}

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static void take(struct store *s)
{
	queue_append(&s->puts, mpsc_take(&s->put_queue));
	queue_append(&s->deads, mpsc_take(&s->dead_queue));
}

static void gather(struct store *s)
{
	struct timespec wait = { .tv_nsec = (long)gather_wait_ns(&s->gather, s->puts.n) };

	if (wait.tv_nsec) {
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
		take(s);
	}
	if (s->puts.n)
		gather_begin(&s->gather, s->puts.n);
}

static void turn(struct store *s)
{
	uint64_t now = clock_mono_ms();

	take(s);
	if (is_failed(s) && now >= s->retry.due_mono)
		come_back(s);
	if (is_failed(s)) {
		group_refuse(s, refusal(s));
		return;
	}
	take_limits(s);
	gather(s);
	if (group_is_due(s, now))
		group_commit(s);
	if (!is_failed(s))
		keep_house(s, clock_mono_ms()); /* not `now`: the commit lies behind it */
}

static uint32_t until(uint64_t then, uint64_t now)
{
	return then > now ? (uint32_t)(then - now) : 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* How long nothing can become due by itself. */
static uint32_t sleep_ms(struct store *s)
{
	uint64_t now = clock_mono_ms();
	uint32_t ms = WAKE_FOREVER;

	if (is_failed(s))
		return until(s->retry.due_mono, now);
	if (group_is_due(s, now))
		return 0;
	if (s->positions_mono)
		ms = least(ms, until(s->positions_mono + 1000, now));
	ms = least(ms, wal_wait_ms(&s->wal, now));
	if (retain_waits(s))
		ms = least(ms, until(s->retain_mono, now));
	return ms;
}

static bool has_requests(const struct store *s)
{
	return s->puts.first || s->deads.first || atomic_load(&s->put_queue.head) || atomic_load(&s->dead_queue.head);
}

void *writer_main(void *store)
{
	struct store *s = store;

	while (!atomic_load(&s->stopping) || has_requests(s)) {
		turn(s);
		if (!has_requests(s) && !atomic_load(&s->stopping))
			wake_wait(&s->wake, sleep_ms(s));
	}
	turn(s); /* positions that wait for a group */
	return NULL;
}
