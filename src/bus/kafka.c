#include "bus/kafka.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "bus/kf_bus.h"
#include "bus/kf_options.h"

#define IN_FLIGHT_DEFAULT 1024
#define IN_FLIGHT_MAX     65536

/* ---- publish ---------------------------------------------------------------------------------------------------------- */

/* What is refused at once is answered in the caller's thread. */
static enum err admit(struct kafka *kf, struct bus_publish *p)
{
	size_t size = p->payload.n + p->source.n + 1 + p->name.n;
	uint32_t before;

	if (size > kf->config.message_max)
		return why_set(&p->why, E_LIMIT, "%zu bytes with the key; maxMessageBytes is %llu", size,
			       (unsigned long long)kf->config.message_max);
	if (atomic_load(&kf->state) != BUS_UP)
		return why_set(&p->why, E_UNAVAILABLE, "the bus is not connected");
	before = atomic_fetch_add(&kf->in_flight, 1);
	if (before < kf->config.in_flight) {
		metric_set(kf->metrics.in_flight, (int64_t)before + 1);
		return E_OK;
	}
	atomic_fetch_sub(&kf->in_flight, 1);
	return why_set(&p->why, E_UNAVAILABLE, "%u publishes wait for their ack already", kf->config.in_flight);
}

static void kafka_publish(struct bus *bus, struct bus_publish *p)
{
	struct kafka *kf = CONTAINER_OF(bus, struct kafka, bus);
	enum err err;

	p->duplicate = false;
	err = admit(kf, p);
	if (err) {
		bus_answer(&kf->metrics, p, err);
		return;
	}
	(void)mpsc_put(&kf->inbox, &p->node);
	bell_ring(&kf->bell);
}

static enum bus_state kafka_state(const struct bus *bus)
{
	return (enum bus_state)atomic_load(&CONTAINER_OF(bus, struct kafka, bus)->state);
}

/* A broker acknowledges when all replicas in sync have the event, and says nothing about their disks. */
static enum bus_sync kafka_sync(const struct bus *bus)
{
	(void)bus;
	return BUS_SYNC_UNKNOWN;
}

static size_t kafka_max_payload(const struct bus *bus)
{
	return (size_t)CONTAINER_OF(bus, struct kafka, bus)->config.message_max;
}

/* ---- open and close --------------------------------------------------------------------------------------------------- */

static char **texts_of(struct kafka_config *c, size_t i)
{
	char **texts[] = { &c->url,         &c->topic,         &c->user_path,   &c->password_path,
			   &c->tls.ca_path, &c->tls.cert_path, &c->tls.key_path };

	return i < ARRAY_LEN(texts) ? texts[i] : NULL;
}

static void config_release(struct kafka_config *c)
{
	char **text;

	for (size_t i = 0; (text = texts_of(c, i)); i++)
		mem_free(*text);
}

static void set_defaults(struct kafka_config *c)
{
	if (c->in_flight == 0)
		c->in_flight = IN_FLIGHT_DEFAULT;
	if (c->in_flight > IN_FLIGHT_MAX)
		c->in_flight = IN_FLIGHT_MAX;
	if (c->message_max == 0)
		c->message_max = KAFKA_MESSAGE_MAX_DEFAULT;
}

static enum err config_copy(const struct kafka_config *from, struct kafka_config *to)
{
	char **text;
	bool ok = true;

	*to = *from;
	for (size_t i = 0; (text = texts_of(to, i)); i++) {
		const char *borrowed = *text;

		*text = borrowed ? str_dup(str_of(borrowed)) : NULL;
		ok &= !borrowed || *text;
	}
	set_defaults(to);
	return ok ? E_OK : E_NOMEM;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void kafka_free(struct kafka *kf)
{
	if (!kf)
		return;
	window_release(&kf->window);
	bell_release(&kf->bell);
	close_fd(kf->epoll);
	close_fd(kf->reports);
	config_release(&kf->config);
	buf_release(&kf->text);
	trouble_release(&kf->trouble);
	bus_metrics_release(&kf->metrics);
	mem_free(kf);
}

DEFINE_FREEP(kafka_free, struct kafka, kafka_free)

static void kafka_close(struct bus *bus)
{
	struct kafka *kf = CONTAINER_OF(bus, struct kafka, bus);

	atomic_store(&kf->stop, true);
	bell_ring(&kf->bell);
	(void)pthread_join(kf->io, NULL);
	kafka_free(kf);
}

static void kafka_trouble(struct bus *bus, struct buf *ret_text)
{
	trouble_write(&CONTAINER_OF(bus, struct kafka, bus)->trouble, ret_text);
}

static const struct bus_ops kafka_ops = {
	.kind = "kafka",
	.publish = kafka_publish,
	.state = kafka_state,
	.sync = kafka_sync,
	.max_payload = kafka_max_payload,
	.trouble = kafka_trouble,
	.close = kafka_close,
};

static struct kafka *kafka_new(void)
{
	struct kafka *kf = mem_alloc(sizeof(*kf));

	if (!kf)
		return NULL;
	kf->bus.ops = &kafka_ops;
	kf->bell.fd = kf->epoll = kf->reports = -1;
	trouble_init(&kf->trouble);
	return kf;
}

static bool add_fd(struct kafka *kf, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(kf->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum err make_parts(struct kafka *kf, struct metrics *metrics, struct why *why)
{
	enum err err = bell_init(&kf->bell, why);

	if (err)
		return err;
	kf->epoll = epoll_create1(EPOLL_CLOEXEC);
	kf->reports = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (kf->epoll < 0 || kf->reports < 0 || !add_fd(kf, kf->bell.fd) || !add_fd(kf, kf->reports))
		return why_errno(why, E_UNAVAILABLE, errno, "open the bus: epoll");
	if (bus_metrics_init(&kf->metrics, metrics) || window_init(&kf->window, kf->config.in_flight))
		return why_set(why, E_NOMEM, "open the bus");
	return E_OK;
}

enum err kafka_open(const struct kafka_config *config, struct metrics *metrics,
		    void (*on_state)(void *ctx, enum bus_state state), void *ctx, struct why *why, struct bus **ret_bus)
{
	CLEANUP(kafka_free_freep) struct kafka *kf = kafka_new();
	enum err err;

	if (!kf)
		return why_set(why, E_NOMEM, "open the bus");
	kf->on_state = on_state;
	kf->ctx = ctx;
	if (config_copy(config, &kf->config))
		return why_set(why, E_NOMEM, "open the bus");
	err = kf_options_check(&kf->config, why);
	if (!err)
		err = make_parts(kf, metrics, why);
	if (!err)
		err = thread_start("kafka", kf_io_run, kf, why, &kf->io);
	if (err)
		return err;
	*ret_bus = &TAKE(kf)->bus;
	return E_OK;
}

enum err kafka_check(const struct kafka_config *config, struct why *why)
{
	struct kafka_config whole = *config;

	set_defaults(&whole);
	return kf_options_check(&whole, why);
}

/* ---- the list --------------------------------------------------------------------------------------------------------- */

static bool host_ok(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if ((unsigned char)host.p[i] <= ' ' || host.p[i] == 0x7f || strchr("/@,[]", host.p[i]))
			return false;
	return host.n > 0;
}

static bool broker_ok(struct str broker)
{
	struct str host = broker;
	uint64_t port = 9092;
	size_t colon = broker.n;

	while (colon && broker.p[colon - 1] != ':')
		colon--;
	if (colon) {
		host = str_sub(broker, 0, colon - 1);
		if (!str_to_u64(str_sub(broker, colon, broker.n), 65535, &port) || port == 0)
			return false;
	}
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_sub(host, 1, host.n - 2);
	else if (str_find(host, ':') < host.n)
		return false;
	return host_ok(host);
}

bool kafka_url_ok(struct str list)
{
	if (str_trim(list).n == 0)
		return false;
	while (list.n)
		if (!broker_ok(str_trim(str_cut(&list, ','))))
			return false;
	return true;
}
