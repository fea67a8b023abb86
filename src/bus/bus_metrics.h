/*
 * bus_metrics.h -- what every bus with a server counts.
 *
 * Owner     handles of the caller's registry, or of one of our own when the caller counts nothing.
 * Threads   any, after bus_metrics_init().
 */
#pragma once

#include "base/metrics.h"
#include "bus/bus.h"

enum bus_outcome {
	BUS_TAKEN,
	BUS_DUPLICATE,
	BUS_REFUSED,
	BUS_TIMED_OUT,
	BUS_UNAVAILABLE,
	BUS_OUTCOMES,
};

struct bus_metrics {
	struct metrics *own; /* when the caller counts nothing */
	struct metric *connected;
	struct metric *reconnects;
	struct metric *sync;
	struct metric *in_flight;
	struct metric *ack_ns;
	struct metric *published[BUS_OUTCOMES];
};

/* `metrics` may be NULL. E_NOMEM. */
enum err bus_metrics_init(struct bus_metrics *m, struct metrics *metrics);
void bus_metrics_release(struct bus_metrics *m);

/* Counts the outcome of `p` and tells its owner; `p` is the owner's again. */
void bus_answer(const struct bus_metrics *m, struct bus_publish *p, enum err err);
