#include "store/ledger_metrics.h"

#include "base/mem.h"

#define X(field, type, name, scale, help) METRIC_ROW(struct ledger_metrics, field, type, name, scale, help)
static const struct metric_row rows[] = { LEDGER_METRICS(X) };
#undef X

enum err ledger_metrics_init(struct ledger_metrics *m, struct metrics *registry)
{
	*m = (struct ledger_metrics){ 0 };
	if (!registry)
		registry = m->own = metrics_new();
	if (!registry)
		return E_NOMEM;
	metrics_get_rows(registry, rows, ARRAY_LEN(rows), m);
	return E_OK;
}

void ledger_metrics_release(struct ledger_metrics *m)
{
	metrics_free(m->own);
	*m = (struct ledger_metrics){ 0 };
}
