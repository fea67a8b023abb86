/*
 * kf_flow.c -- publishes of the Kafka bus: out as messages, and back as delivery reports. In the io thread.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/kf_bus.h"

/* Longer than whoever published takes to hear that an event failed, so that it stops sending the ones behind it. */
#define HOLD_MS 200

/* ---- routes ----------------------------------------------------------------------------------------------------------- */

static struct kf_route *route_new(struct kafka *kf, struct str key)
{
	struct kf_route *route = mem_alloc(sizeof(*route) + key.n);

	if (!route)
		return NULL;
	memcpy(route->text, key.p, key.n);
	route->key = (struct str){ route->text, key.n };
	if (map_put(&kf->routes, route->key, route) == E_OK)
		return route;
	mem_free(route);
	return NULL;
}

/* <EventSource name>.<event name>, in kf->text. */
static struct str write_key(struct kafka *kf, const struct bus_publish *p)
{
	buf_clear(&kf->text);
	buf_str(&kf->text, p->source);
	buf_char(&kf->text, '.');
	buf_str(&kf->text, p->name);
	return buf_view(&kf->text);
}

static bool is_held(struct kf_route *route, uint64_t now_ms)
{
	if (route->held && !route->flying && now_ms >= route->held_until_ms)
		route->held = false;
	return route->held;
}

enum err kf_route_for(struct kafka *kf, struct bus_publish *p, uint64_t now_ms, struct kf_route **ret_route)
{
	struct str key = write_key(kf, p);
	struct kf_route *route = kf->text.err ? NULL : map_get(&kf->routes, key);

	if (!route && !kf->text.err)
		route = route_new(kf, key);
	if (!route)
		return why_set(&p->why, E_NOMEM, "publish");
	if (is_held(route, now_ms))
		return why_set(&p->why, E_UNAVAILABLE, "an earlier event of this route was not taken");
	*ret_route = route;
	return E_OK;
}

static void hold(struct kafka *kf, struct kf_route *route)
{
	if (!route->held && route->flying)
		kf->held_flying++;
	route->held = true;
	route->held_until_ms = clock_mono_ms() + HOLD_MS;
}

void kf_forget_routes(struct kafka *kf)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&kf->routes, &at)))
		mem_free(e->value);
	map_release(&kf->routes);
	kf->routes = (struct map){ 0 };
	kf->held_flying = 0;
}

/* ---- flights ---------------------------------------------------------------------------------------------------------- */

static void take_off(struct kafka *kf, struct kf_flight *f)
{
	f->next = kf->flights;
	if (f->next)
		f->next->prev = f;
	kf->flights = f;
	f->route->flying++;
	if (f->route->held && f->route->flying == 1)
		kf->held_flying++;
}

static void land(struct kafka *kf, struct kf_flight *f)
{
	if (f->next)
		f->next->prev = f->prev;
	if (f->prev)
		f->prev->next = f->next;
	else
		kf->flights = f->next;
	f->route->flying--;
	if (f->route->held && f->route->flying == 0)
		kf->held_flying--;
	mem_free(f);
}

void kf_forget_flights(struct kafka *kf)
{
	while (kf->flights)
		land(kf, kf->flights);
}

/* The slot that still waits for this message; NULL: it was given up on. */
static struct window_slot *slot_of(const struct kf_flight *f)
{
	return f->slot->publish && f->slot->use == f->use ? f->slot : NULL;
}

/* ---- out -------------------------------------------------------------------------------------------------------------- */

static enum err produce_failed(rd_kafka_resp_err_t code, struct why *why)
{
	if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		return why_set(why, E_LIMIT, "larger than maxMessageBytes");
	return why_set(why, E_UNAVAILABLE, "publish: %s", rd_kafka_err2str(code));
}

/* The library copies: a publish that is given up on goes back to its owner while the message may still be under way. */
static enum err produce(struct kafka *kf, struct bus_publish *p, struct kf_flight *f)
{
	int32_t partition = kf->config.partitioner == KAFKA_MANUAL ? 0 : RD_KAFKA_PARTITION_UA;

	if (rd_kafka_produce(kf->topic, partition, RD_KAFKA_MSG_F_COPY, (void *)p->payload.p, p->payload.n,
			     f->route->key.p, f->route->key.n, f))
		return produce_failed(rd_kafka_last_error(), &p->why);
	return E_OK;
}

static void send_one(struct kafka *kf, struct window_slot *slot)
{
	struct bus_publish *p = slot->publish;
	struct kf_flight *f = mem_alloc(sizeof(*f));
	enum err err;

	if (f) {
		*f = (struct kf_flight){ .slot = slot, .use = slot->use, .route = p->impl };
		err = produce(kf, p, f);
	} else {
		err = why_set(&p->why, E_NOMEM, "publish");
	}
	if (err != E_OK || !f) {
		if (err != E_LIMIT)
			hold(kf, p->impl);
		mem_free(f);
		kf_finish(kf, slot, err);
		return;
	}
	take_off(kf, f);
	window_mark_sent(&kf->window, slot, clock_mono_ns());
}

/* Held since it was accepted: refused, so that it does not overtake. */
static void refuse_held(struct kafka *kf, struct window_slot *slot)
{
	struct bus_publish *p = slot->publish;

	kf_finish(kf, slot, why_set(&p->why, E_UNAVAILABLE, "an earlier event of this route was not taken"));
}

void kf_send_unsent(struct kafka *kf)
{
	struct window_slot *slot;

	while ((slot = window_next(&kf->window))) {
		const struct kf_route *route = slot->publish->impl;

		if (route->held)
			refuse_held(kf, slot);
		else
			send_one(kf, slot);
	}
}

/* ---- back ------------------------------------------------------------------------------------------------------------- */

/*
 * A broker refuses a batch as a whole: what it says is true of an event only when that came alone. Until then all of them
 * are sent again, one at a time.
 */
static enum err refused_for_good(struct kafka *kf, enum err err, const char *text, struct why *why)
{
	if (kf->solo)
		return why_set(why, err, "the broker refuses it: %s", text);
	if (!kf->want_solo)
		log_warn("bus", "the broker refused a batch; sending one event at a time", LOG_S("error", text),
			 LOG_S("fix", "set spec.holdfast.maxMessageBytes to what the topic takes"));
	kf->want_solo = true;
	kf->lost = true;
	return why_set(why, E_UNAVAILABLE, "the broker refused its batch: %s", text);
}

enum err kf_no_ack(const struct kafka *kf, uint32_t ms, struct why *why)
{
	bool known = kf->said.err != E_OK;

	return why_set(why, E_TIMEOUT, "no ack in %u ms%s%.200s", ms, known ? "; the last error: " : "",
		       known ? kf->said.text : "");
}

static enum err outcome_of(struct kafka *kf, const rd_kafka_message_t *m, struct why *why)
{
	switch (m->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return E_OK;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return refused_for_good(kf, E_LIMIT, rd_kafka_err2str(m->err), why);
	case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		return refused_for_good(kf, E_MALFORMED, rd_kafka_err2str(m->err), why);
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		return kf_no_ack(kf, KAFKA_GIVE_UP_MS, why);
	default:
		return why_set(why, E_UNAVAILABLE, "publish: %s", rd_kafka_err2str(m->err));
	}
}

static void take_report(struct kafka *kf, const rd_kafka_message_t *m)
{
	struct kf_flight *f = m->_private;
	struct window_slot *slot = slot_of(f);
	struct why why = { 0 };
	enum err err = outcome_of(kf, m, slot ? &slot->publish->why : &why);

	if (err && err != E_LIMIT && err != E_MALFORMED) {
		hold(kf, f->route);
		kf->purge_due |= m->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE && f->route->flying > 1;
	}
	land(kf, f);
	if (!err)
		kf->said.err = E_OK;
	if (!slot)
		return;
	if (!err)
		metric_observe(kf->metrics.ack_ns, (int64_t)(clock_mono_ns() - slot->sent_ns));
	kf_finish(kf, slot, err);
}

/* " (after 3ms in state CONNECT, 1 identical error(s) suppressed)" at the end would make each try a piece of news. */
static struct str reason_of(rd_kafka_event_t *event)
{
	const char *text = rd_kafka_event_error_string(event), *after = strstr(text, " (after ");

	return (struct str){ text, after ? (size_t)(after - text) : strlen(text) };
}

/*
 * While there is no connection the same broker has the word, in whatever order they were tried: a reason that changes is a line in the
 * log.
 */
static void note_reason(struct kafka *kf, struct str reason)
{
	struct why said = { 0 };

	(void)why_set(&said, E_UNAVAILABLE, "%.*s", STR_ARG(reason));
	if (atomic_load(&kf->state) == BUS_UP || kf->said.err == E_OK || strcmp(said.text, kf->said.text) < 0)
		kf->said = said;
}

static void take_error(struct kafka *kf, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);

	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		kf->doubtful = true; /* what it says is a number of brokers; why they are down was said before */
		return;
	}
	kf->lost |= rd_kafka_event_error_is_fatal(event) != 0;
	note_reason(kf, reason_of(event));
}

void kf_take_event(struct kafka *kf, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *m;

	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_DR:
		kf->heard_ms = clock_mono_ms();
		while ((m = rd_kafka_event_message_next(event)))
			take_report(kf, m);
		break;
	case RD_KAFKA_EVENT_ERROR:
		take_error(kf, event);
		break;
	default:
		break;
	}
	rd_kafka_event_destroy(event);
}

void kf_clear_reports(struct kafka *kf)
{
	uint64_t count;

	while (read(kf->reports, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

void kf_take_reports(struct kafka *kf)
{
	rd_kafka_event_t *event;

	kf_clear_reports(kf);
	while ((event = rd_kafka_queue_poll(kf->queue, 0)))
		kf_take_event(kf, event);
}
