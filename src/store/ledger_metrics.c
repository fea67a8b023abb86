#include "store/ledger_metrics.h"

#define X(field, kind, title, factor, text)                                                   \
	static const struct metric_family field##_family = {                                  \
		.name = title,                                                                \
		.help = text,                                                                 \
		.type = METRIC_##kind,                                                        \
		.scale = factor,                                                              \
		.buckets = METRIC_##kind == METRIC_HISTOGRAM ? metric_latency_buckets : NULL, \
	};
LEDGER_METRICS(X)
#undef X

enum err ledger_metrics_init(struct ledger_metrics *m, struct metrics *registry)
{
	*m = (struct ledger_metrics){ 0 };
	if (!registry) {
		registry = m->own = metrics_new();
		if (!registry)
			return E_NOMEM;
	}
#define X(field, type, name, scale, help) m->field = metrics_get(registry, &field##_family, NULL);
	LEDGER_METRICS(X)
#undef X
	return E_OK;
}

void ledger_metrics_release(struct ledger_metrics *m)
{
	metrics_free(m->own);
	*m = (struct ledger_metrics){ 0 };
}
