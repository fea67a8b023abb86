/*
 * kf_io.c -- the io thread of the Kafka bus: one turn after another.
 *
 * A turn: take what callers put, take reports, follow what they said about the connection, send, expire.
 */
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bus/kf_bus.h"
#include "delivery/backoff.h"

#define PURGE_EVERY_MS 50    /* a message that is sent again stands in the queue before that */
#define LAND_MS        1000  /* for what is on its way when the bus is closed */
#define LOOK_EVERY_MS  10000 /* at brokers that nothing was heard of, while nothing is sent */
#define LONG_LIVED_MS  10000
#define PAUSE_MIN_MS   100 /* longer than whoever published takes to hear that everything failed */

/* ---- state ------------------------------------------------------------------------------------------------------------ */

void kf_finish(struct kafka *kf, struct window_slot *slot, enum err err)
{
	struct bus_publish *p = window_take(&kf->window, slot);

	metric_set(kf->metrics.in_flight, (int64_t)atomic_fetch_sub(&kf->in_flight, 1) - 1);
	bus_answer(&kf->metrics, p, err);
}

static void finish_all(struct kafka *kf, const char *reason)
{
	struct window_slot *slot;

	while ((slot = window_first(&kf->window)))
		kf_finish(kf, slot, why_set(&slot->publish->why, E_UNAVAILABLE, "%s", reason));
}

static void set_state(struct kafka *kf, enum bus_state state)
{
	if (atomic_exchange(&kf->state, (int)state) == (int)state)
		return;
	metric_set(kf->metrics.connected, state == BUS_UP);
	if (kf->on_state)
		kf->on_state(kf->ctx, state);
}

static void report_up(struct kafka *kf)
{
	if (kf->was_up)
		metric_inc(kf->metrics.reconnects);
	kf->was_up = true;
	trouble_clear(&kf->trouble);
	log_info("bus", "connected", LOG_S("servers", kf->config.url), LOG_S("topic", kf->config.topic),
		 LOG_B("one_event_a_batch", kf->solo));
}

static void report_failure(struct kafka *kf, const struct why *why)
{
	if (trouble_set(&kf->trouble, why))
		log_warn("bus", "not connected; trying again until it is", LOG_WHY(why));
}

/* ---- what callers put ------------------------------------------------------------------------------------------------- */

static void refuse(struct kafka *kf, struct bus_publish *p, enum err err)
{
	metric_set(kf->metrics.in_flight, (int64_t)atomic_fetch_sub(&kf->in_flight, 1) - 1);
	bus_answer(&kf->metrics, p, err);
}

static enum err take_in(struct kafka *kf, struct bus_publish *p, uint64_t now_ms)
{
	struct kf_route *route = NULL;
	enum err err;

	if (atomic_load(&kf->state) != BUS_UP)
		return why_set(&p->why, E_UNAVAILABLE, "the bus is not connected");
	err = kf_route_for(kf, p, now_ms, &route);
	if (err)
		return err;
	p->impl = route;
	err = window_add(&kf->window, p, now_ms);
	return err ? why_set(&p->why, err, "publish") : E_OK;
}

static void accept_all(struct kafka *kf, uint64_t now_ms)
{
	struct mpsc_node *node = mpsc_take(&kf->inbox);

	while (node) {
		struct bus_publish *p = CONTAINER_OF(node, struct bus_publish, node);
		enum err err;

		node = node->next;
		err = take_in(kf, p, now_ms);
		if (err)
			refuse(kf, p, err);
	}
}

void kf_refuse_inbox(struct kafka *kf)
{
	accept_all(kf, clock_mono_ms());
}

/* ---- while it is up --------------------------------------------------------------------------------------------------- */

/* What stands behind a failed message must not be delivered before that is sent again: it comes back too. */
static void purge(struct kafka *kf, uint64_t now_ms)
{
	bool again = kf->held_flying && now_ms >= kf->purge_ms + PURGE_EVERY_MS;

	if (!kf->purge_due && !again)
		return;
	kf->purge_due = false;
	kf->purge_ms = now_ms;
	(void)rd_kafka_purge(kf->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void expire(struct kafka *kf, uint64_t now_ms)
{
	struct window_slot *slot;

	while ((slot = window_due(&kf->window, now_ms)))
		kf_finish(kf, slot, kf_no_ack(kf, slot->publish->timeout_ms, &slot->publish->why));
}

static void fall(struct kafka *kf, const struct why *why)
{
	log_warn("bus", "connection lost; connecting again", LOG_WHY(why));
	set_state(kf, BUS_DOWN);
	kf_disconnect(kf);
	finish_all(kf, "the connection to the brokers was lost");
	kf_forget_routes(kf);
	kf->solo = kf->want_solo;
	kf->want_solo = false;
}

/* Do the brokers still answer, when there is a reason to ask? */
static void follow(struct kafka *kf, uint64_t now_ms)
{
	struct why why = { 0 };
	enum err err = E_OK;

	if (kf->lost)
		err = why_set(&why, E_UNAVAILABLE, "%s", kf->want_solo ? "a batch was refused" : kf->said.text);
	else if (kf->doubtful || (!kf->flights && now_ms >= kf->heard_ms + LOOK_EVERY_MS))
		err = kf_probe(kf, &why);
	if (err)
		fall(kf, &why);
}

static uint64_t next_ms(const struct kafka *kf)
{
	uint64_t next = window_next_ms(&kf->window);
	uint64_t look = kf->flights ? UINT64_MAX : kf->heard_ms + LOOK_EVERY_MS;
	uint64_t again = kf->held_flying ? kf->purge_ms + PURGE_EVERY_MS : UINT64_MAX;

	next = look < next ? look : next;
	return again < next ? again : next;
}

static bool is_idle(struct kafka *kf)
{
	return !atomic_load(&kf->inbox.head) && !atomic_load(&kf->stop);
}

/* Sleeps until there is something to do, at most until `until_ms`. */
static void wait_turn(struct kafka *kf, uint64_t until_ms)
{
	struct epoll_event events[2];
	uint64_t now = clock_mono_ms();
	uint64_t ms = until_ms > now ? until_ms - now : 0;

	bell_announce(&kf->bell);
	(void)epoll_wait(kf->epoll, events, ARRAY_LEN(events), is_idle(kf) ? ms < INT_MAX ? (int)ms : INT_MAX : 0);
	bell_clear(&kf->bell);
}

static void run_turn(struct kafka *kf)
{
	uint64_t now;

	wait_turn(kf, next_ms(kf));
	now = clock_mono_ms();
	kf_take_reports(kf);
	accept_all(kf, now);
	follow(kf, now);
	if (!kf->rk)
		return;
	kf_send_unsent(kf);
	purge(kf, now);
	expire(kf, clock_mono_ms());
}

/* ---- down and up ------------------------------------------------------------------------------------------------------ */

static void pause_ms(struct kafka *kf, uint64_t ms)
{
	uint64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until && !atomic_load(&kf->stop)) {
		wait_turn(kf, until);
		kf_refuse_inbox(kf);
	}
}

static bool come_up(struct kafka *kf)
{
	struct why why = { 0 };

	if (kf_connect(kf, &why) == E_OK) {
		report_up(kf);
		set_state(kf, BUS_UP);
		return true;
	}
	if (!atomic_load(&kf->stop))
		report_failure(kf, &why);
	return false;
}

static void close_down(struct kafka *kf)
{
	accept_all(kf, clock_mono_ms());
	if (kf->rk)
		kf_send_unsent(kf);
	set_state(kf, BUS_DOWN);
	kf_let_land(kf, LAND_MS);
	kf_disconnect(kf);
	finish_all(kf, "the bus is closed");
	kf_forget_routes(kf);
	kf_refuse_inbox(kf);
}

void *kf_io_run(void *arg)
{
	struct kafka *kf = arg;
	struct backoff backoff = { .base_ms = 100, .factor = 2, .cap_ms = 5000 };
	uint64_t since = 0;

	while (!atomic_load(&kf->stop)) {
		if (kf->rk) {
			run_turn(kf);
			continue;
		}
		if (since && clock_mono_ms() - since > LONG_LIVED_MS)
			backoff_reset(&backoff);
		if (since)
			pause_ms(kf, PAUSE_MIN_MS + backoff_next(&backoff, rand_u64()));
		since = clock_mono_ms();
		if (!atomic_load(&kf->stop) && come_up(kf))
			since = clock_mono_ms();
	}
	close_down(kf);
	return NULL;
}
