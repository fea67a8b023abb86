#include "store/store_metrics.h"

#include "base/mem.h"

#define X(field, type, name, scale, help) METRIC_ROW(struct store_metrics, field, type, name, scale, help)
static const struct metric_row rows[] = { STORE_METRICS(X) };
#undef X

enum err store_metrics_init(struct store_metrics *m, struct metrics *registry)
{
	*m = (struct store_metrics){ 0 };
	if (!registry)
		registry = m->own = metrics_new();
	if (!registry)
		return E_NOMEM;
	metrics_get_rows(registry, rows, ARRAY_LEN(rows), m);
	return E_OK;
}

void store_metrics_release(struct store_metrics *m)
{
	metrics_free(m->own);
	*m = (struct store_metrics){ 0 };
}
