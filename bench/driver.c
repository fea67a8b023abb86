#include "driver.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conn.h"

#define MS         1000000ull
#define TICK_NS    (100 * MS)  /* time-outs, the id log */
#define REOPEN_NS  (10 * MS)   /* the tick while a connection is down */
#define DRAIN_NS   (1000 * MS) /* for answers after a signal */
#define EVENTS_MAX 256

static void count(_Atomic uint64_t *counter)
{
	/* one writer: no locked instruction */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static struct str id_of(const struct conn *c)
{
	return (struct str){ c->id, REQUEST_ID_LEN };
}

static void put_idle(struct driver *d, struct conn *c)
{
	if (c->queued)
		return;
	assert(d->idle_count < d->conn_count);
	c->queued = true;
	d->idle[(d->idle_from + d->idle_count++) % d->conn_count] = c;
}

static struct conn *take_idle(struct driver *d)
{
	while (d->idle_count) {
		struct conn *c = d->idle[d->idle_from];

		d->idle_from = (d->idle_from + 1) % d->conn_count;
		d->idle_count--;
		c->queued = false;
		if (c->state == CONN_IDLE) /* else it was lost while it waited here */
			return c;
	}
	return NULL;
}

static void went_down(struct driver *d, struct conn *c)
{
	if (c->state != CONN_CONNECTING && d->down++ == 0)
		d->tick_ns = 0; /* the faster tick, from now */
	conn_close(c);
}

/* The socket is of no more use. What was on its way has no answer. */
static void on_lost(struct driver *d, struct conn *c)
{
	if (c->state == CONN_BUSY) {
		idlog_add(&d->ids, IDLOG_UNKNOWN, id_of(c), 0);
		count(&d->seen.lost);
		c->again = d->plan->retry;
		if (!c->again)
			d->waiting--;
	}
	went_down(d, c);
}

/* The request of `c` has waited from when it was meant to leave until now; false: it does not count yet. */
static bool add_latency(struct driver *d, const struct conn *c, uint64_t now_ns)
{
	if (c->intended_ns < d->sched.start_ns + d->plan->warmup_ns)
		return false;
	hist_add(&d->latency, now_ns - c->intended_ns);
	return true;
}

static void start(struct driver *d, struct conn *c, uint64_t intended_ns, uint64_t now_ns)
{
	if (c->again) {
		count(&d->seen.retried);
	} else {
		count(&d->seen.sent);
		d->waiting++;
		c->intended_ns = intended_ns;
	}
	conn_take_id(c, &d->plan->request, d->plan->run);
	c->since_ns = now_ns;
	if (conn_send(c) == CONN_LOST)
		on_lost(d, c);
}

/* `c` has nothing to do: the next event that is due, or the queue. */
static void next_on(struct driver *d, struct conn *c, uint64_t now_ns)
{
	uint64_t intended_ns;

	if (c->again)
		start(d, c, 0, now_ns);
	else if (schedule_take(&d->sched, now_ns, &intended_ns))
		start(d, c, intended_ns, now_ns);
	else
		put_idle(d, c);
}

static void on_answered(struct driver *d, struct conn *c, uint64_t now_ns)
{
	bool good = c->status >= 200 && c->status < 300;

	d->waiting--;
	d->last_ns = now_ns;
	d->statuses[c->status]++;
	count(good ? &d->seen.acked : &d->seen.refused);
	idlog_add(&d->ids, good ? IDLOG_ACKNOWLEDGED : IDLOG_REFUSED, id_of(c), c->status);
	if (good && add_latency(d, c, now_ns))
		d->measured++;
	c->state = CONN_IDLE;
	if (c->closes)
		went_down(d, c);
	else
		next_on(d, c, now_ns);
}

static void on_connecting(struct driver *d, struct conn *c, uint32_t events)
{
	if (!(events & EPOLLOUT) || conn_opened(c) != CONN_DONE) {
		on_lost(d, c);
		return;
	}
	count(&d->seen.opened);
	d->down--;
	next_on(d, c, clock_mono_ns());
}

static void on_ready(struct driver *d, struct conn *c, uint32_t events)
{
	if (c->state == CONN_CONNECTING) {
		on_connecting(d, c, events);
		return;
	}
	if (c->state == CONN_BUSY && c->sent < c->size && conn_send(c) == CONN_LOST) {
		on_lost(d, c);
		return;
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	switch (conn_recv(c)) {
	case CONN_MORE:
		break;
	case CONN_DONE:
		c->closes = c->closes || (events & EPOLLRDHUP);
		on_answered(d, c, clock_mono_ns());
		break;
	case CONN_LOST:
		on_lost(d, c);
		break;
	}
}

static void start_due(struct driver *d, uint64_t now_ns)
{
	while (d->idle_count && schedule_due(&d->sched, now_ns) <= now_ns) {
		struct conn *c = take_idle(d);

		if (c)
			next_on(d, c, now_ns);
	}
}

/* A request that is given up has waited at least this long: it must not make the rest look faster. */
static void on_time_out(struct driver *d, struct conn *c, uint64_t now_ns)
{
	if (c->state == CONN_BUSY && !d->plan->retry)
		add_latency(d, c, now_ns);
	on_lost(d, c);
}

static void tick(struct driver *d, uint64_t now_ns)
{
	for (size_t i = 0; i < d->conn_count; i++) {
		struct conn *c = &d->conns[i];

		if ((c->state == CONN_BUSY || c->state == CONN_CONNECTING) &&
		    now_ns > c->since_ns + d->plan->timeout_ns)
			on_time_out(d, c, now_ns);
		if (c->state == CONN_DOWN)
			conn_open(c, d->epoll, &d->plan->addr, d->plan->addr_len, now_ns);
	}
	if (d->down < d->conn_count)
		d->down_since_ns = now_ns;
	d->err = idlog_flush(&d->ids);
	d->tick_ns = now_ns + (d->down ? REOPEN_NS : TICK_NS);
}

static void wait_and_handle(struct driver *d, uint64_t now_ns)
{
	uint64_t due = d->idle_count ? schedule_due(&d->sched, now_ns) : SCHEDULE_NEVER;
	uint64_t until = due < d->tick_ns ? due : d->tick_ns;
	uint64_t wait = until > now_ns ? until - now_ns : 0;
	struct timespec timeout = { (time_t)(wait / 1000000000), (long)(wait % 1000000000) };
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_pwait2(d->epoll, events, EVENTS_MAX, &timeout, NULL);

	for (int i = 0; i < n; i++)
		on_ready(d, events[i].data.ptr, events[i].events);
}

/* Open loop: what was due and found no connection until the end has waited at least until now. */
static void count_unsent(struct driver *d, uint64_t now_ns)
{
	struct schedule rest = d->sched;
	uint64_t late = schedule_late(&rest, now_ns);
	uint64_t intended_ns;

	d->unsent = late;
	rest.end_ns = SCHEDULE_NEVER;
	while (late-- && schedule_take(&rest, SCHEDULE_NEVER - 1, &intended_ns)) {
		if (intended_ns >= rest.start_ns + d->plan->warmup_ns && now_ns > intended_ns)
			hist_add(&d->latency, now_ns - intended_ns);
	}
}

/* At the end of the time, or after a signal, nothing more is sent; returns until when answers are waited for. */
static uint64_t end_sending(struct driver *d, uint64_t now_ns, uint64_t give_up_ns)
{
	bool stop = atomic_load_explicit(&d->plan->stop, memory_order_relaxed);

	if (give_up_ns != SCHEDULE_NEVER)
		return stop && give_up_ns > now_ns + DRAIN_NS ? now_ns + DRAIN_NS : give_up_ns;
	if (!stop && now_ns < d->sched.end_ns)
		return SCHEDULE_NEVER;
	count_unsent(d, now_ns);
	d->sched.end_ns = 0;
	return now_ns + (stop ? DRAIN_NS : d->plan->timeout_ns);
}

/* What is still on its way has no answer. */
static void abandon(struct driver *d, uint64_t now_ns)
{
	for (size_t i = 0; i < d->conn_count; i++) {
		struct conn *c = &d->conns[i];

		if (c->state == CONN_BUSY || c->again)
			add_latency(d, c, now_ns);
		if (c->state != CONN_BUSY)
			continue;
		idlog_add(&d->ids, IDLOG_UNKNOWN, id_of(c), 0);
		count(&d->seen.lost);
	}
	d->err = idlog_flush(&d->ids);
}

void driver_run(struct driver *d)
{
	uint64_t now_ns = clock_mono_ns();
	uint64_t give_up_ns = SCHEDULE_NEVER; /* of waiting for answers */

	d->down_since_ns = now_ns;
	for (;;) {
		if (now_ns >= d->tick_ns)
			tick(d, now_ns);
		start_due(d, now_ns);
		give_up_ns = end_sending(d, now_ns, give_up_ns);
		if ((schedule_due(&d->sched, now_ns) == SCHEDULE_NEVER && !d->waiting) || now_ns >= give_up_ns ||
		    now_ns > d->down_since_ns + d->plan->give_up_ns)
			break;
		wait_and_handle(d, now_ns);
		now_ns = clock_mono_ns();
	}
	abandon(d, now_ns);
}

DEFINE_FREEP(driver, struct driver, driver_free)

enum err driver_new(struct plan *plan, const struct schedule *sched, unsigned first_conn, size_t conn_count, int ids_fd,
		    struct why *why, struct driver **ret_driver)
{
	CLEANUP(driver_freep) struct driver *d = mem_alloc(sizeof(*d));

	if (!d)
		return why_set(why, E_NOMEM, "make a thread's state");
	d->epoll = -1;
	d->plan = plan;
	d->sched = *sched;
	d->ids.fd = ids_fd;
	d->down = conn_count;
	d->conns = mem_array(conn_count, sizeof(*d->conns));
	d->idle = mem_array(conn_count, sizeof(struct conn *));
	if (!d->conns || !d->idle)
		return why_set(why, E_NOMEM, "make %zu connections", conn_count);
	for (size_t i = 0; i < conn_count; i++, d->conn_count++) {
		if (conn_init(&d->conns[i], first_conn + (unsigned)i, &plan->request) != E_OK)
			return why_set(why, E_NOMEM, "make %zu connections", conn_count);
	}
	d->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (d->epoll < 0)
		return why_errno(why, E_IO, errno, "epoll_create1");
	*ret_driver = TAKE(d);
	return E_OK;
}

void driver_free(struct driver *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->conn_count; i++)
		conn_release(&d->conns[i]);
	if (d->epoll >= 0)
		close(d->epoll);
	mem_free(d->conns);
	mem_free(d->idle);
	idlog_release(&d->ids);
	mem_free(d);
}
