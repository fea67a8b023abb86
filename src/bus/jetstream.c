#include "bus/jetstream.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/thread.h"
#include "bus/js_bus.h"
#include "bus/js_options.h"
#include "bus/monitor.h"
#include "bus/subject.h"

/* "NATS/1.0\r\n" "Nats-Msg-Id: " "\r\n\r\n" around the id: the header counts against max_payload. */
#define HEADER_BYTES      (10 + 13 + 4)

#define END_MS            2000 /* of the library */
#define IN_FLIGHT_DEFAULT 1024
#define IN_FLIGHT_MAX     65536

/* ---- publish --------------------------------------------------------------------------------------------------------- */

static enum err check_size(const struct jetstream *js, const struct bus_publish *p, struct why *why)
{
	uint64_t max = atomic_load_explicit(&js->max_payload, memory_order_relaxed);
	uint64_t size = p->payload.n + (p->msg_id.n ? HEADER_BYTES + p->msg_id.n : 0);

	if ((max && size > max) || size > INT_MAX / 2)
		return why_set(why, E_LIMIT, "%llu bytes with the header; the server's max_payload is %llu",
			       (unsigned long long)size, (unsigned long long)max);
	return E_OK;
}

/* What is refused at once is answered in the caller's thread. */
static enum err admit(struct jetstream *js, struct bus_publish *p)
{
	enum err err = subject_check(p->source, p->name, &p->why);

	if (!err && atomic_load(&js->state) != BUS_UP) /* the next server may have another limit */
		err = why_set(&p->why, E_UNAVAILABLE, "the bus is not connected");
	if (!err)
		err = check_size(js, p, &p->why);
	if (err)
		return err;
	uint32_t before = atomic_fetch_add(&js->in_flight, 1);

	if (before < js->config.in_flight) {
		metric_set(js->metrics.in_flight, (int64_t)before + 1);
		return E_OK;
	}
	atomic_fetch_sub(&js->in_flight, 1);
	return why_set(&p->why, E_UNAVAILABLE, "%u publishes wait for their ack already", js->config.in_flight);
}

static void jetstream_publish(struct bus *bus, struct bus_publish *p)
{
	struct jetstream *js = CONTAINER_OF(bus, struct jetstream, bus);
	enum err err;

	p->duplicate = false;
	err = admit(js, p);
	if (err) {
		bus_answer(&js->metrics, p, err);
		return;
	}
	(void)mpsc_put(&js->inbox, &p->node);
	bell_ring(&js->bell);
}

static enum bus_state jetstream_state(const struct bus *bus)
{
	return (enum bus_state)atomic_load(&CONTAINER_OF(bus, struct jetstream, bus)->state);
}

static enum bus_sync jetstream_sync(const struct bus *bus)
{
	return (enum bus_sync)atomic_load(&CONTAINER_OF(bus, struct jetstream, bus)->sync);
}

static size_t jetstream_max_payload(const struct bus *bus)
{
	return (size_t)atomic_load(&CONTAINER_OF(bus, struct jetstream, bus)->max_payload);
}

/* ---- open and close -------------------------------------------------------------------------------------------------- */

static void config_release(struct jetstream_config *c)
{
	mem_free(c->url);
	mem_free(c->auth_path);
	mem_free(c->credentials_path);
	mem_free(c->monitor_url);
	mem_free(c->tls.ca_path);
	mem_free(c->tls.cert_path);
	mem_free(c->tls.key_path);
}

/* In place of a borrowed text its copy; false: no memory. */
static bool own(char **text)
{
	const char *borrowed = *text;

	*text = borrowed ? str_dup(str_of(borrowed)) : NULL;
	return !borrowed || *text;
}

static enum err config_copy(const struct jetstream_config *from, struct jetstream_config *to)
{
	bool ok = true;

	*to = *from;
	ok &= own(&to->url);
	ok &= own(&to->auth_path);
	ok &= own(&to->credentials_path);
	ok &= own(&to->monitor_url);
	ok &= own(&to->tls.ca_path);
	ok &= own(&to->tls.cert_path);
	ok &= own(&to->tls.key_path);
	if (to->in_flight == 0)
		to->in_flight = IN_FLIGHT_DEFAULT;
	if (to->in_flight > IN_FLIGHT_MAX)
		to->in_flight = IN_FLIGHT_MAX;
	if (to->replicas < 1)
		to->replicas = 1;
	return ok ? E_OK : E_NOMEM;
}

static void jetstream_free(struct jetstream *js)
{
	if (!js)
		return;
	window_release(&js->window);
	bell_release(&js->bell);
	if (js->epoll >= 0)
		(void)close(js->epoll);
	servers_release(&js->servers);
	config_release(&js->config);
	buf_release(&js->text);
	trouble_release(&js->trouble);
	bus_metrics_release(&js->metrics);
	pthread_cond_destroy(&js->changed);
	pthread_mutex_destroy(&js->lock);
	mem_free(js);
}

DEFINE_FREEP(jetstream_free, struct jetstream, jetstream_free)

static void jetstream_close(struct bus *bus)
{
	struct jetstream *js = CONTAINER_OF(bus, struct jetstream, bus);
	uint64_t running = atomic_load(&js->give_up_ms);

	pthread_mutex_lock(&js->lock);
	js->stop = true;
	pthread_cond_broadcast(&js->changed);
	pthread_mutex_unlock(&js->lock);
	while (running && !atomic_compare_exchange_weak(&js->give_up_ms, &running, clock_mono_ms()))
		;
	bell_ring(&js->bell);
	(void)pthread_join(js->supervisor, NULL);
	atomic_store(&js->stop_io, true);
	bell_ring(&js->bell);
	(void)pthread_join(js->io, NULL);
	jetstream_free(js);
}

void jetstream_end(void)
{
	(void)nats_CloseAndWait(END_MS);
}

static void jetstream_trouble(struct bus *bus, struct buf *ret_text)
{
	trouble_write(&CONTAINER_OF(bus, struct jetstream, bus)->trouble, ret_text);
}

static const struct bus_ops jetstream_ops = {
	.kind = "jetstream",
	.publish = jetstream_publish,
	.state = jetstream_state,
	.sync = jetstream_sync,
	.max_payload = jetstream_max_payload,
	.trouble = jetstream_trouble,
	.close = jetstream_close,
};

static void init_lock(struct jetstream *js)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&js->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&js->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static struct jetstream *jetstream_new(void)
{
	struct jetstream *js = mem_alloc(sizeof(*js));

	if (!js)
		return NULL;
	js->bus.ops = &jetstream_ops;
	js->bell.fd = -1;
	js->epoll = -1;
	js->logged_sync = -1;
	init_lock(js);
	trouble_init(&js->trouble);
	return js;
}

enum err jetstream_check(const struct jetstream_config *config, struct why *why)
{
	struct servers servers = { 0 };
	enum err err = servers_parse(config->url, &servers, why);

	for (size_t i = 0; !err && i < servers.n; i++)
		err = js_options_check(config, &servers.list[i], why);
	if (!err && config->monitor_url)
		err = monitor_check(config->monitor_url, why);
	servers_release(&servers);
	return err;
}

static enum err read_config(struct jetstream *js, const struct jetstream_config *config, struct why *why)
{
	enum err err = config_copy(config, &js->config);

	if (err)
		return why_set(why, err, "open the bus");
	err = jetstream_check(&js->config, why);
	if (!err)
		err = servers_parse(js->config.url, &js->servers, why);
	servers_shuffle(&js->servers, rand_u64);
	return err;
}

static enum err make_parts(struct jetstream *js, struct metrics *metrics, struct why *why)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	enum err err = bell_init(&js->bell, why);

	if (err)
		return err;
	js->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (js->epoll < 0 || epoll_ctl(js->epoll, EPOLL_CTL_ADD, js->bell.fd, &event))
		return why_errno(why, E_UNAVAILABLE, errno, "open the bus: epoll");
	if (bus_metrics_init(&js->metrics, metrics) || window_init(&js->window, js->config.in_flight))
		return why_set(why, E_NOMEM, "open the bus");
	return E_OK;
}

static void on_urgent(int number)
{
	(void)number;
}

/* SIGURG ends a system call that the supervisor waits in (js_io.c); nobody else here uses it. */
static void listen_to_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_urgent };

	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGURG, &action, NULL);
}

static enum err start_threads(struct jetstream *js, struct why *why)
{
	enum err err = thread_start("nats-io", js_io_run, js, why, &js->io);

	if (err != E_OK)
		return err;
	err = thread_start("nats-supervisor", js_supervisor_run, js, why, &js->supervisor);
	if (err != E_OK) {
		atomic_store(&js->stop_io, true);
		bell_ring(&js->bell);
		(void)pthread_join(js->io, NULL);
	}
	return err;
}

enum err jetstream_open(const struct jetstream_config *config, struct metrics *metrics,
			void (*on_state)(void *ctx, enum bus_state state), void *ctx, struct why *why,
			struct bus **ret_bus)
{
	CLEANUP(jetstream_free_freep) struct jetstream *js = jetstream_new();
	enum err err;

	if (!js)
		return why_set(why, E_NOMEM, "open the bus");
	js->on_state = on_state;
	js->ctx = ctx;
	listen_to_interrupts();
	err = read_config(js, config, why);
	if (!err)
		err = make_parts(js, metrics, why);
	if (!err)
		err = start_threads(js, why);
	if (err)
		return err;
	*ret_bus = &TAKE(js)->bus;
	return E_OK;
}
