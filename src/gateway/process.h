/*
 * process.h -- the gateway's main thread: what it owns, and the order in which things start and stop.
 *
 *   config -> store, bus, forwarder (outlet.c) -> listeners and workers (ports.c) -> admin -> ready
 *   SIGHUP -> reload.c        SIGTERM -> drain: workers -> forwarder -> bus -> store
 *
 * Threads   everything here belongs to the main thread.
 */
#pragma once

#include "gateway/admin.h"
#include "gateway/gateway.h"
#include "gateway/hooks/hooks.h"
#include "gateway/ports.h"
#include "gateway/worker.h"

struct process {
	struct gateway gateway;
	const struct gateway_options *options;
	struct loop loop;
	struct gateway_config *config;
	/* What store, bus and admin address were opened with, whatever a newer one says. */
	struct gateway_config *opened;
	struct route_table *table;
	struct ports ports;
	struct admin admin;
	struct hooks hooks;
	uv_signal_t signals[3];
	struct loop_timer heartbeat;
	struct loop_timer drain;
	uint64_t heartbeat_ms;
	size_t workers_running;
	bool stopping;
	bool cut;
	bool was_ready;
	bool said_ready;
};

/* ---- outlet.c: where events go ------------------------------------------------------------------------------------- */

/* Opens the store, the bus and the forwarder as the configuration says. */
enum err outlet_open(struct process *p, struct why *why);

/* Forwards what it can for a moment, then closes in the order forwarder, bus, store. */
void outlet_close(struct process *p);

/* The bus that was opened is the store. */
bool outlet_embedded(const struct process *p);

/* Limits that may change while it runs. */
void outlet_set_limits(struct process *p);

/* ---- reload.c: another configuration -------------------------------------------------------------------------------- */

/* Reads the files, for a start or for one that is `running`; problems go to standard error, a line each. */
enum err config_read(const struct gateway_options *options, bool running, struct gateway_config **ret_config);

/* Makes `config` the one in use, or leaves everything as it was. Takes the reference on success. */
enum err config_apply(struct process *p, struct gateway_config *config, struct why *why);

/* SIGHUP. */
void config_reload(struct process *p);

/* ---- health.c: alive, ready, and telling others ---------------------------------------------------------------------- */

void health_start(struct process *p);
void health_stop(struct process *p);

/* Every loop answered a ping within the last ten seconds. */
bool health_alive(const struct process *p);

/* The gateway takes events. Appends a line that says so, or why not, with the bus's state. */
bool health_ready(const struct process *p, struct buf *ret_text);
