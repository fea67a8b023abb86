#include "bus/bus_metrics.h"

#include "base/mem.h"

/* clang-format off */
#define ROWS(X)                                                                                                                            \
	X(connected,  GAUGE,     "holdfast_bus_connected",        1,    "1 while events can be published.")                                \
	X(reconnects, COUNTER,   "holdfast_bus_reconnects_total", 1,    "Connections after the first.")                                    \
	X(sync,       GAUGE,     "holdfast_bus_syncs_before_ack", 1,    "1: the bus syncs its disk before it acknowledges, 0: it does not, -1: unknown.") \
	X(in_flight,  GAUGE,     "holdfast_bus_in_flight",        1,    "Publishes that wait for their ack.")                              \
	X(ack_ns,     HISTOGRAM, "holdfast_bus_ack_seconds",      1e-9, "From sending a publish to its ack.")
/* clang-format on */

#define X(field, type, name, scale, help) METRIC_ROW(struct bus_metrics, field, type, name, scale, help)
static const struct metric_row rows[] = { ROWS(X) };
#undef X

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
	metrics_get_rows(metrics, rows, ARRAY_LEN(rows), m);
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
