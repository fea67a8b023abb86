#include "store/store_metrics.h"

#define X(field, kind, title, factor, text)                                                   \
	static const struct metric_family field##_family = {                                  \
		.name = title,                                                                \
		.help = text,                                                                 \
		.type = METRIC_##kind,                                                        \
		.scale = factor,                                                              \
		.buckets = METRIC_##kind == METRIC_HISTOGRAM ? metric_latency_buckets : NULL, \
	};
STORE_METRICS(X)
#undef X

enum err store_metrics_init(struct store_metrics *m, struct metrics *registry)
{
	*m = (struct store_metrics){ 0 };
	if (!registry) {
		registry = m->own = metrics_new();
		if (!registry)
			return E_NOMEM;
	}
#define X(field, type, name, scale, help) m->field = metrics_get(registry, &field##_family, NULL);
	STORE_METRICS(X)
#undef X
	return E_OK;
}

void store_metrics_release(struct store_metrics *m)
{
	metrics_free(m->own);
	*m = (struct store_metrics){ 0 };
}
