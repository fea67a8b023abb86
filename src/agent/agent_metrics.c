#include "agent/agent_metrics.h"

#include "base/mem.h"

/* clang-format off */
/*    field          name                                              type     scale help */
#define AGENT_METRICS(X)                                                                                              \
	X(connected,     "argocd_agent_connection_status",                 GAUGE,   0,    "1 while the stream is open.")      \
	X(since_ms,      "argocd_agent_connection_start_timestamp_seconds", GAUGE,  1e-3, "When the stream was opened; 0: it is not.") \
	X(connections,   "argocd_agent_connections_total",                 COUNTER, 0,    "Streams that were opened.")        \
	X(auth_failures, "argocd_agent_auth_failures_total",               COUNTER, 0,    "Logins that the principal refused.") \
	X(failures,      "holdfast_agent_connection_failures_total",       COUNTER, 0,    "Attempts that failed, and streams that ended.") \
	X(records,       "holdfast_agent_objects",                         GAUGE,   0,    "Objects here that are the principal's.")
/* clang-format on */

static const struct metric_row rows[] = {
#define X(field_, name_, type_, scale_, help_)                                             \
	{ { .name = (name_), .help = (help_), .type = METRIC_##type_, .scale = (scale_) }, \
	  offsetof(struct agent_metrics, field_) },
	AGENT_METRICS(X)
#undef X
};

void agent_metrics_init(struct agent_metrics *m, struct metrics *registry)
{
	metrics_get_rows(registry, rows, ARRAY_LEN(rows), m);
}
