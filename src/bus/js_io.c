/*
 * js_io.c -- the io thread of the JetStream bus: one turn after another, none of which waits for the server.
 *
 * A turn: adopt or lose a link, take what callers put, read, take acks, follow the supervisor, send, flush once, expire.
 */
#include <assert.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bus/js_bus.h"
#include "bus/js_said.h"

#define INTERRUPT_EVERY_MS 100

/* ---- the link -------------------------------------------------------------------------------------------------------- */

static void finish_all(struct jetstream *js, const char *reason)
{
	struct window_slot *slot;

	while ((slot = window_first(&js->window))) {
		(void)why_set(&slot->publish->why, E_UNAVAILABLE, "%s", reason);
		js_finish(js, slot, E_UNAVAILABLE);
	}
}

/* Down: callers are refused first, then what is in flight is answered. */
static void set_state(struct jetstream *js, enum bus_state state, const char *reason)
{
	if (atomic_exchange(&js->state, (int)state) == (int)state)
		return;
	metric_set(js->metrics.connected, state == BUS_UP);
	if (state == BUS_DOWN)
		finish_all(js, reason);
	if (js->on_state)
		js->on_state(js->ctx, state);
}

static void tell(struct jetstream *js, struct js_link *link, bool up, bool gone)
{
	pthread_mutex_lock(&js->lock);
	link->is_up = up;
	link->gone = gone;
	pthread_cond_broadcast(&js->changed);
	pthread_mutex_unlock(&js->lock);
}

/* What the supervisor decided about this link. */
static void follow(struct jetstream *js)
{
	bool ready = atomic_load(&js->link->ready);

	if (ready == js_is_up(js))
		return;
	set_state(js, ready ? BUS_UP : BUS_DOWN, "the stream is gone; it is created again");
	tell(js, js->link, ready, /* gone= */ false);
}

/* The last step on a link: the supervisor frees it. */
static void lose(struct jetstream *js)
{
	struct js_link *link = js->link;

	(void)epoll_ctl(js->epoll, EPOLL_CTL_DEL, link->fd, NULL);
	js->link = NULL;
	set_state(js, BUS_DOWN, "the connection to the server was lost");
	tell(js, link, /* up= */ false, /* gone= */ true);
}

static void poll_for_room(struct jetstream *js, bool on)
{
	struct epoll_event event = { .events = on ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = js->link };

	if (js->link->polling_out != on && epoll_ctl(js->epoll, EPOLL_CTL_MOD, js->link->fd, &event) == 0)
		js->link->polling_out = on;
}

/* A read or a write of the library: only this can be stuck. What is done with answers takes its time on a busy machine. */
static void process(struct js_link *link, void (*event)(natsConnection *nc))
{
	atomic_store(&link->busy_ms, clock_mono_ms());
	event(atomic_load(&link->nc));
	atomic_store(&link->busy_ms, 0);
}

static void note_oldest(struct jetstream *js)
{
	const struct window_slot *oldest = js->window.sent.first;

	atomic_store(&js->link->oldest_ms, oldest ? oldest->sent_ns / 1000000 : 0);
}

static void flush(struct jetstream *js)
{
	struct js_link *link = js->link;

	note_oldest(js);
	/* Without bytes to write the library would take the 0 of send(2) for a closed connection. */
	if (atomic_load(&link->want_write) && natsConnection_Buffered(atomic_load(&link->nc)) > 0)
		process(link, natsConnection_ProcessWriteEvent);
	poll_for_room(js, atomic_load(&link->want_write));
}

static void use_link(struct jetstream *js, bool readable)
{
	struct js_link *link = js->link;

	if (readable) {
		process(link, natsConnection_ProcessReadEvent);
		js_said_by_server(atomic_load(&link->nc), &link->said);
	}
	js_take_acks(js);
	follow(js);
	if (js_is_up(js))
		js_send_unsent(js);
	flush(js);
	if (atomic_load(&link->detached))
		lose(js);
}

/* ---- the turn -------------------------------------------------------------------------------------------------------- */

static void accept_one(struct jetstream *js, struct bus_publish *p, uint64_t now_ms)
{
	enum err err = js_is_up(js) ? window_add(&js->window, p, now_ms) : E_UNAVAILABLE;

	if (!err)
		return;
	metric_set(js->metrics.in_flight, (int64_t)atomic_fetch_sub(&js->in_flight, 1) - 1);
	bus_answer(&js->metrics, p, why_set(&p->why, err, "the bus is not connected"));
}

static void accept_all(struct jetstream *js, uint64_t now_ms)
{
	struct mpsc_node *node = mpsc_take(&js->inbox);

	while (node) {
		struct mpsc_node *next = node->next;

		accept_one(js, CONTAINER_OF(node, struct bus_publish, node), now_ms);
		node = next;
	}
}

/* The server has read it: it answers in order, and answered what was sent later, be it a ping. */
static bool is_read(const struct js_link *link, const struct window_slot *slot)
{
	return slot->sent && (slot->number < link->answered || slot->number <= atomic_load(&link->ponged));
}

/* On a slow link it takes its time; whether the server is there at all is for the supervisor to find out. */
static bool waits_on(const struct js_link *link, const struct window_slot *slot)
{
	const struct bus_publish *p = slot->publish;

	return link && p->may_wait && !is_read(link, slot) && p->may_wait(p);
}

static void give_up(struct jetstream *js, struct window_slot *slot)
{
	CLEANUP(buf_release) struct buf said = { 0 };

	if (js->link)
		trouble_write(&js->link->said, &said);
	js_finish(js, slot,
		  why_set(&slot->publish->why, E_TIMEOUT, "no ack in %u ms%s%.*s", slot->publish->timeout_ms,
			  said.n ? "; the server said: " : "", STR_ARG(buf_view(&said))));
}

static void expire(struct jetstream *js, uint64_t now_ms)
{
	struct window_slot *slot;
	bool doubtful = false;

	while ((slot = window_due(&js->window, now_ms))) {
		if (waits_on(js->link, slot)) {
			window_postpone(&js->window, slot, now_ms + 1 + slot->publish->timeout_ms / 2);
			doubtful = true;
		} else {
			give_up(js, slot);
		}
	}
	if (js->link)
		note_oldest(js);
	if (doubtful)
		js_supervisor_ping(js);
}

/*
 * A connect of the supervisor that lasts too long: a signal ends the system call it waits in, again until it is out. It takes
 * the lock between a connect and its own end, so it is there.
 */
static void interrupt_connect(struct jetstream *js, uint64_t now_ms)
{
	uint64_t give_up = atomic_load(&js->give_up_ms);

	if (!give_up || now_ms < give_up)
		return;
	pthread_mutex_lock(&js->lock);
	if (atomic_compare_exchange_strong(&js->give_up_ms, &give_up, now_ms + INTERRUPT_EVERY_MS))
		(void)pthread_kill(js->supervisor_self, SIGURG);
	pthread_mutex_unlock(&js->lock);
}

static int sleep_ms(struct jetstream *js, uint64_t now_ms)
{
	uint64_t next = window_next_ms(&js->window);
	uint64_t give_up = atomic_load(&js->give_up_ms);

	if (give_up && give_up < next)
		next = give_up;
	if (next == UINT64_MAX)
		return -1;
	return next <= now_ms ? 0 : next - now_ms < INT_MAX ? (int)(next - now_ms) : INT_MAX;
}

/* In TLS each flush may take long: what came meanwhile has its turn before the next. */
static bool can_send(struct jetstream *js)
{
	return window_next(&js->window) && js_is_up(js) && !atomic_load(&js->link->want_write);
}

static bool is_idle(struct jetstream *js)
{
	return !atomic_load(&js->inbox.head) && !atomic_load(&js->incoming) && !atomic_load(&js->stop_io) &&
	       !(js->link && (can_send(js) || atomic_load(&js->link->want_write) != js->link->polling_out ||
			      atomic_load(&js->link->ready) != js_is_up(js) || atomic_load(&js->link->detached)));
}

/* Sleeps until there is something to do; the link whose socket has something, to be compared only. */
static const void *wait_turn(struct jetstream *js)
{
	struct epoll_event events[4];
	const void *readable = NULL;
	int n;

	bell_announce(&js->bell);
	n = epoll_wait(js->epoll, events, ARRAY_LEN(events), is_idle(js) ? sleep_ms(js, clock_mono_ms()) : 0);
	bell_clear(&js->bell);
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			readable = events[i].data.ptr;
	return readable;
}

static void adopt(struct jetstream *js)
{
	struct js_link *link = atomic_exchange(&js->incoming, NULL);

	if (!link)
		return;
	assert(!js->link);
	js->link = link;
}

void *js_io_run(void *arg)
{
	struct jetstream *js = arg;

	while (!atomic_load(&js->stop_io)) {
		const void *readable = wait_turn(js);
		uint64_t now = clock_mono_ms();

		adopt(js);
		accept_all(js, now);
		if (js->link)
			use_link(js, readable == js->link);
		expire(js, clock_mono_ms());
		interrupt_connect(js, now);
	}
	accept_all(js, clock_mono_ms());
	js_dig_up(js);
	return NULL;
}
