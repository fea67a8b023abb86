/*
 * gateway.h -- webhooks in, answered when they are stored.
 *
 * Shape     the main thread has signals, the admin listener and reloads; each worker thread has a loop with its own
 *           listening sockets (SO_REUSEPORT) and shares nothing with the others but the store, the bus and counters.
 */
#pragma once

#include <stdatomic.h>

#include "base/log.h"
#include "bus/bus.h"
#include "bus/forwarder.h"
#include "gateway/certificates.h"
#include "gateway/gateway_metrics.h"
#include "gateway/route.h"
#include "net/http_quota.h"
#include "net/work.h"
#include "store/store.h"

struct gateway_options {
	struct config_input input;
	const char *version; /* of the program: build_info */
	enum log_level level;
	enum log_format format;
};

/* What the workers share. Set up before they start; only the atomics change afterwards. */
struct gateway {
	struct metrics *registry;
	struct gateway_metrics metrics;
	struct store *store; /* NULL: no data directory, every route acknowledges by the bus */
	struct bus *bus;
	struct forwarder *forwarder;      /* NULL: nothing to forward */
	_Atomic uint64_t body_max;        /* budget of metrics.body_memory */
	struct http_quota connections;    /* of all workers and ports */
	uint64_t open_files;              /* how many descriptors this process may have */
	uint64_t memory;                  /* bytes that its container may have; 0: no limit */
	struct work_pool *errands;        /* what has to be asked of the world before a request can be answered */
	struct certificates certificates; /* that providers sign with */
	struct worker *workers;
	size_t worker_count;
};

/* How many connections there may be; the other descriptors are for the admin port, which probes ask, the bus, and files. */
uint64_t gateway_connections(const struct gateway *g, const struct gateway_limits *l);

/* Runs until SIGTERM or SIGINT, then drains. Returns the exit code. */
int gateway_run(const struct gateway_options *options);
