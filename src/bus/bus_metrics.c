#include "bus/bus_metrics.h"

static const struct metric_family connected_family = {
	.name = "holdfast_bus_connected",
	.help = "1 while events can be published.",
	.type = METRIC_GAUGE,
};
static const struct metric_family reconnects_family = {
	.name = "holdfast_bus_reconnects_total",
	.help = "Connections after the first.",
	.type = METRIC_COUNTER,
};
static const struct metric_family sync_family = {
	.name = "holdfast_bus_syncs_before_ack",
	.help = "1: the bus syncs its disk before it acknowledges, 0: it does not, -1: unknown.",
	.type = METRIC_GAUGE,
};
static const struct metric_family in_flight_family = {
	.name = "holdfast_bus_in_flight",
	.help = "Publishes that wait for their ack.",
	.type = METRIC_GAUGE,
};
static const struct metric_family ack_family = {
	.name = "holdfast_bus_ack_seconds",
	.help = "From sending a publish to its ack.",
	.type = METRIC_HISTOGRAM,
	.scale = 1e-9,
	.buckets = metric_latency_buckets,
};
static const struct metric_family published_family = {
	.name = "holdfast_bus_publishes_total",
	.help = "Publishes by outcome: ok, duplicate, refused, timeout, unavailable.",
	.type = METRIC_COUNTER,
	.labels = { "outcome" },
};

static const char *const outcomes[BUS_OUTCOMES] = {
	[BUS_TAKEN] = "ok",          [BUS_DUPLICATE] = "duplicate",     [BUS_REFUSED] = "refused",
	[BUS_TIMED_OUT] = "timeout", [BUS_UNAVAILABLE] = "unavailable",
};

enum err bus_metrics_init(struct bus_metrics *m, struct metrics *metrics)
{
	if (!metrics)
		metrics = m->own = metrics_new();
	if (!metrics)
		return E_NOMEM;
	m->connected = metrics_get(metrics, &connected_family, NULL);
	m->reconnects = metrics_get(metrics, &reconnects_family, NULL);
	m->sync = metrics_get(metrics, &sync_family, NULL);
	m->in_flight = metrics_get(metrics, &in_flight_family, NULL);
	m->ack_ns = metrics_get(metrics, &ack_family, NULL);
	for (size_t i = 0; i < BUS_OUTCOMES; i++)
		m->published[i] = metrics_get(metrics, &published_family, &outcomes[i]);
	metric_set(m->sync, -1);
	return E_OK;
}

void bus_metrics_release(struct bus_metrics *m)
{
	metrics_free(m->own);
	*m = (struct bus_metrics){ 0 };
}

static enum bus_outcome outcome_of(const struct bus_publish *p, enum err err)
{
	switch (err) {
	case E_OK:
		return p->duplicate ? BUS_DUPLICATE : BUS_TAKEN;
	case E_LIMIT:
	case E_MALFORMED:
		return BUS_REFUSED;
	case E_TIMEOUT:
		return BUS_TIMED_OUT;
	default:
		return BUS_UNAVAILABLE;
	}
}

void bus_answer(const struct bus_metrics *m, struct bus_publish *p, enum err err)
{
	p->err = err;
	metric_inc(m->published[outcome_of(p, err)]);
	p->on_done(p);
}
