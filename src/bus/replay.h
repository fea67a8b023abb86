/*
 * replay.h -- a range of the spool once more to the bus.
 *
 * Shape     blocking; publishes the range in order, a batch at a time: a batch is done when each of its events is
 *           confirmed or can never be, and what failed is sent again meanwhile, in order.
 *           The bus drops a message whose id it has seen lately, so a replay gives its messages ids of their own: the
 *           event's id, a dot and `run`. Within one run a re-send is still the same message. The CloudEvent inside keeps
 *           its id, which is what consumers de-duplicate by (a Sensor for 60 s, facts argo-events 4.2). An empty `run`
 *           keeps the first ids: what the bus has lately is then not stored twice (dead letters tried again).
 * Errors    E_UNAVAILABLE, E_TIMEOUT  the bus did not take the batch within give_up_ms; `progress` says how far it came
 *           E_CANCELLED               on_progress said so
 *           what store_read() says
 */
#pragma once

#include "bus/bus.h"
#include "store/store.h"

struct replay_config {
	struct store_query range; /* from, to, limit, source, name */
	struct str run;           /* at most 64 bytes; "" keeps the first ids */
	uint32_t timeout_ms;      /* per publish */
	uint32_t give_up_ms;      /* how long one batch may take; the bus may connect meanwhile */
};

struct replay_progress {
	uint64_t taken;    /* confirmed by the bus */
	uint64_t refused;  /* can never be taken */
	uint64_t last_pos; /* everything in the range up to here is taken or refused */
};

/* `on_progress` (may be NULL) is called after each batch and between the tries of one; false ends the run. */
enum err replay_run(const struct replay_config *config, struct store_reader *reader, struct bus *bus,
		    bool (*on_progress)(void *ctx, const struct replay_progress *progress), void *ctx, struct why *why,
		    struct replay_progress *ret_progress);
