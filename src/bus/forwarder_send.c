/*
 * forwarder_send.c -- flights: out to the bus and back, dead letters.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "bus/forwarder_impl.h"

/* One publish, or the dead letter that it became. */
struct flight {
	struct outgoing out;
	struct store_dead_put dead;
	struct mpsc_node node;
	struct forwarder *f;
	struct entry *entry;
	enum { FLIGHT_TO_BUS, FLIGHT_TO_DEAD } to;
};

/*
 * The forwarder may see the flight and end before its waker is done with the wake: `returning` tells it to wait. Its last
 * use of the forwarder is the one that takes it back.
 */
static void give_back(struct flight *flight)
{
	struct forwarder *f = flight->f;

	atomic_fetch_add(&f->returning, 1);
	if (mpsc_put(&f->returned, &flight->node))
		wake_signal(&f->wake);
	atomic_fetch_sub(&f->returning, 1);
}

static void on_published(struct bus_publish *p)
{
	give_back(CONTAINER_OF(p, struct flight, out.publish));
}

static void on_dead(struct store_dead_put *dead)
{
	give_back(CONTAINER_OF(dead, struct flight, dead));
}

/* In a thread of the bus. Only the end has no time for a slow link: what was on its way is sent again by the next start. */
static bool may_wait(const struct bus_publish *p)
{
	uint64_t stop = atomic_load(&CONTAINER_OF(p, const struct flight, out.publish)->f->stop_ms);

	return !stop || clock_mono_ms() < stop;
}

void forwarder_failed(struct forwarder *f, struct entry *e, const struct why *why)
{
	struct lane *lane = e->lane;
	bool first = lanes_failed(&f->lanes, e, clock_mono_ms(), f->config.random());

	metric_inc(f->failed_metric);
	/* While the bus is down, that is the news, and the bus tells it. */
	if (first && f->bus->ops->state(f->bus) == BUS_UP)
		log_warn("forwarder", "a route's events are not taken; they wait",
			 LOG_S("event_source", lane_source(lane)), LOG_S("event_name", lane_name(lane)), LOG_WHY(why));
}

static void flight_free(struct flight *flight)
{
	flight->f->flying_bytes -= flight->out.block.n;
	outgoing_release(&flight->out);
	mem_free(flight);
}

void forwarder_send(struct forwarder *f, struct entry *e, const struct store_row *row)
{
	struct flight *flight = mem_alloc(sizeof(*flight));
	struct why why = { 0 };

	if (!flight || outgoing_build(row, (struct str){ 0 }, &flight->out)) {
		mem_free(flight);
		(void)why_set(&why, E_NOMEM, "forward an event");
		forwarder_failed(f, e, &why);
		return;
	}
	flight->f = f;
	flight->entry = e;
	flight->out.publish.timeout_ms = f->config.timeout_ms;
	flight->out.publish.may_wait = may_wait;
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
		 LOG_STRN("event_id", flight->out.event_id), LOG_STRN("event_source", p->source),
		 LOG_STRN("event_name", p->name), LOG_U("position", flight->entry->pos), LOG_WHY(&p->why));
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

void forwarder_taken(struct forwarder *f, struct entry *e)
{
	struct lane *lane = e->lane;

	if (lanes_done(&f->lanes, e))
		log_info("forwarder", "a route's events are taken again", LOG_S("event_source", lane_source(lane)),
			 LOG_S("event_name", lane_name(lane)));
}

static void back_from_bus(struct forwarder *f, struct flight *flight)
{
	const struct bus_publish *p = &flight->out.publish;

	if (never_taken(p->err)) {
		set_aside(f, flight);
		return;
	}
	if (p->err)
		forwarder_failed(f, flight->entry, &p->why);
	else {
		metric_inc(f->forwarded_metric);
		forwarder_taken(f, flight->entry);
	}
	flight_free(flight);
}

static void back_from_store(struct forwarder *f, struct flight *flight)
{
	struct why why = { 0 };

	if (flight->dead.err) {
		(void)why_set(&why, flight->dead.err, "store a dead letter: %s", err_text(flight->dead.err));
		forwarder_failed(f, flight->entry, &why);
	} else {
		metric_inc(f->dead_metric);
		forwarder_taken(f, flight->entry);
	}
	flight_free(flight);
}

void forwarder_take_returned(struct forwarder *f)
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
