/*
 * route.h -- from port and path to the event of an EventSource.
 *
 * Shape     a table built from one configuration snapshot and never changed: a reload builds a new one. Requests keep a
 *           reference to theirs until they are answered.
 * Owner     reference counted; holds its snapshot.
 * Threads   shared by all loops. The parts that change (secret, rate, metrics) have their own locks or are atomic.
 * Source    facts argo-events 2.2 (the first route that matches wins; exact paths)
 */
#pragma once

#include <pthread.h>

#include "base/map.h"
#include "base/metrics.h"
#include "base/rate.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/secret_file.h"

/* What one key of the source names; any of them is right. */
struct route_secret {
	struct secret_file *files;
	size_t count; /* 0: not configured */
};

struct route {
	const struct route_config *config;
	struct buf meta;              /* what the attributes of its events share: event_write_shared() */
	struct secret_file auth;      /* path NULL: none */
	struct route_secret *secrets; /* of the source, in the order of ops->secrets */
	size_t secret_count;
	pthread_mutex_t rate_lock;
	struct rate rate;
	struct regex *expression; /* of a template; NULL: literal */
	struct route_metrics metrics;
	_Atomic bool filter_failed;   /* once is enough for the log: the metric counts */
	_Atomic uint64_t bus_told_ms; /* when the log had last why the bus takes nothing of it, in a loop's time */
};

struct route_port {
	uint16_t port;
	struct map literals;      /* path -> struct route */
	struct route **templates; /* in order of the manifests */
	size_t template_count;
	const struct route_config *tls; /* the route whose certificate the port uses; NULL: plain */
};

struct route_table {
	atomic_int refs;
	struct gateway_config *config;
	struct route *routes;
	size_t route_count;
	struct route_port *ports;
	size_t port_count;
};

/* Takes a reference to `config`. */
enum err route_table_new(struct gateway_config *config, struct metrics *metrics, struct why *why,
			 struct route_table **ret_table);
/* `t` replaces `before`: what that knows of secrets that have changed goes on. */
void route_table_inherit(struct route_table *t, struct route_table *before);

struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t);

/* The port's part of the table, or NULL. */
const struct route_port *route_table_port(const struct route_table *t, uint16_t port);

/* The route of a decoded path, or NULL. */
struct route *route_find(const struct route_port *port, struct str path);

/* Takes a token of the route's rate. False: none left, wait so long. */
bool route_take_rate(struct route *r, uint64_t now_ms, uint64_t *ret_wait_ms);
