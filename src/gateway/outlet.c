#include <pthread.h>

#include "gateway/bus_open.h"
#include "gateway/process.h"

#define FLUSH_MS              2000
#define RETAIN_MS             259200000 /* 72 h: what was forwarded can be replayed over a long weekend */
#define WINDOW_BYTES          (16 << 20) /* or, of a container's memory, one part in so many: it is held twice on its way */
#define WINDOW_PARTS          12
#define FORWARD_TIMEOUT       5000 /* ms; the upstream's own for one try: facts argo-events 4.1 */

/* Kafka's producer gives up first, within a second, so that an event is not sent again while it is still on its way. */
#define FORWARD_TIMEOUT_KAFKA (KAFKA_GIVE_UP_MS + 2000)

bool outlet_embedded(const struct process *p)
{
	return p->opened->bus.kind == BUS_EMBEDDED;
}

static uint64_t body_memory(const struct process *p)
{
	const struct gateway_config *c = p->config;
	uint64_t bytes = limit_or_share(c->limits.body_memory, BODY_MEMORY_MOST, p->gateway.memory, BODY_MEMORY_PARTS);

	for (size_t i = 0; i < c->route_count; i++) /* config_check.c refuses what is more than was set */
		if (c->routes[i].max_payload > bytes)
			bytes = c->routes[i].max_payload;
	return bytes;
}

static struct store_config store_config_of(const struct process *p)
{
	const struct gateway_limits *l = &p->config->limits;
	bool embedded = outlet_embedded(p);

	return (struct store_config){
		.dir = p->opened->data_dir,
		.max_bytes = l->store_max,
		.dedup_ms = l->dedup_ms,
		.dedup_memory = limit_or_share(l->dedup_memory, DEDUP_MEMORY_MOST, p->gateway.memory,
					       DEDUP_MEMORY_PARTS),
		.retain_ms = embedded || l->retain_age_ms ? l->retain_age_ms : RETAIN_MS,
		.retain_bytes = embedded || l->retain_bytes ? l->retain_bytes : l->store_max / 2,
		.forward_all = embedded,
		.metrics = p->gateway.registry,
	};
}

/* The bus comes up and goes down in a thread of its own, also while the forwarder starts and ends. */
static pthread_mutex_t kick_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_bus_state(void *ctx, enum bus_state state)
{
	struct process *p = ctx;

	(void)state;
	pthread_mutex_lock(&kick_lock);
	if (p->gateway.forwarder)
		forwarder_kick(p->gateway.forwarder);
	pthread_mutex_unlock(&kick_lock);
}

/* For on_bus_state(); returns the one before. */
static struct forwarder *set_forwarder(struct process *p, struct forwarder *f)
{
	struct forwarder *before;

	pthread_mutex_lock(&kick_lock);
	before = p->gateway.forwarder;
	p->gateway.forwarder = f;
	pthread_mutex_unlock(&kick_lock);
	return before;
}

static enum err start_forwarder(struct process *p, struct why *why)
{
	struct forwarder_config config = {
		.dir = p->opened->data_dir,
		.bus_name = p->opened->bus.name,
		.window = (uint32_t)(p->config->limits.in_flight + 1) / 2, /* the rest is for routes with `ack: bus` */
		.window_bytes = limit_or_share(0, WINDOW_BYTES, p->gateway.memory, WINDOW_PARTS),
		.timeout_ms = p->opened->bus.kind == BUS_KAFKA ? FORWARD_TIMEOUT_KAFKA : FORWARD_TIMEOUT,
		.metrics = p->gateway.registry,
	};

	struct forwarder *f = NULL;
	enum err err;

	if (!p->gateway.store || outlet_embedded(p))
		return E_OK;
	err = forwarder_start(&config, p->gateway.store, p->gateway.bus, why, &f);
	if (err)
		return err;
	(void)set_forwarder(p, f);
	forwarder_kick(f); /* the bus may have come up since the forwarder looked at it */
	return E_OK;
}

enum err outlet_open(struct process *p, struct why *why)
{
	if (p->opened->data_dir) {
		struct store_config config = store_config_of(p);

		if (store_open(&config, why, &p->gateway.store) != E_OK)
			return why->err;
	}
	if (bus_open(&p->opened->bus, p->gateway.registry, on_bus_state, p, why, &p->gateway.bus) != E_OK)
		return why_add(why, "bus %s", p->opened->bus.name);
	return start_forwarder(p, why);
}

void outlet_set_limits(struct process *p)
{
	struct store_config config = store_config_of(p);

	atomic_store(&p->gateway.body_max, body_memory(p));
	if (p->gateway.store)
		store_set_limits(p->gateway.store, &config);
}

void outlet_close(struct process *p)
{
	struct bus *bus = p->gateway.bus;
	uint64_t waiting = forwarder_stop(set_forwarder(p, NULL), FLUSH_MS);

	/* Who removes the directory, or goes back to another program, would lose them. */
	if (waiting)
		log_warn("gateway", "events wait in the store for the bus: the next start sends them",
			 LOG_U("waiting", waiting), LOG_S("dir", p->opened->data_dir));
	if (bus)
		bus->ops->close(bus);
	p->gateway.bus = NULL;
	store_close(p->gateway.store);
	p->gateway.store = NULL;
}
