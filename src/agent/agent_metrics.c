#include "agent/agent_metrics.h"

#include "delivery/lag.h"

/* clang-format off */
/*    field          name                                           type       scale help */
#define AGENT_METRICS(X)                                                                                                  \
	X(connected,     "argocd_agent_connection_status",              GAUGE,     1,    "1 while the stream is open.")            \
	X(since_ms,      "argocd_agent_connection_start_timestamp_seconds", GAUGE, 1e-3, "When the stream was opened; 0: it is not.") \
	X(connections,   "argocd_agent_connections_total",              COUNTER,   1,    "Streams that were opened.")              \
	X(auth_failures, "argocd_agent_auth_failures_total",            COUNTER,   1,    "Logins that the principal refused.")     \
	X(failures,      "holdfast_agent_connection_failures_total",    COUNTER,   1,    "Attempts that failed, and streams that ended.") \
	X(received,      "agent_events_received",                       COUNTER,   1,    "Events of the principal that were dealt with.") \
	X(sent,          "agent_events_sent",                           COUNTER,   1,    "Events of ours that the principal confirmed.") \
	X(errors,        "agent_errors",                                COUNTER,   1,    "Events of the principal that were refused, and of ours that were rejected.") \
	X(reverted,      "holdfast_agent_reverted_total",               COUNTER,   1,    "Changes by others to objects of the principal that were undone.") \
	X(lag_ms,        "holdfast_agent_lag_seconds",                  HISTOGRAM, 1e-3, "From a change here to the principal's confirmation.") \
	X(waiting,       "holdfast_agent_waiting",                      GAUGE,     1,    "Events that wait to be sent.")           \
	X(in_flight,     "holdfast_agent_in_flight",                    GAUGE,     1,    "Events that were sent and not confirmed.") \
	X(quarantined,   "holdfast_agent_quarantined",                  GAUGE,     1,    "Events that the principal rejected for good.") \
	X(oldest_ms,     "holdfast_agent_oldest_seconds",               GAUGE,     1e-3, "Age of the oldest event that is not confirmed.") \
	X(resent,        "holdfast_agent_resent_total",                 COUNTER,   1,    "Events that were sent again.")           \
	X(rejected,      "holdfast_agent_rejected_total",               COUNTER,   1,    "Answers of the principal that rejected an event.") \
	X(held,          "holdfast_agent_held_deletes",                 GAUGE,     1,    "Deletes that the guard holds (holdfast release).") \
	X(records,       "holdfast_agent_objects",                      GAUGE,     1,    "Objects here that are the principal's.") \
	X(problems,      "holdfast_agent_backend_problems",             GAUGE,     1,    "Things the backend cannot read or write now.")
/* clang-format on */

enum err agent_metrics_init(struct agent_metrics *m, struct metrics *registry)
{
#define X(field, name_, type_, scale_, help_)                                         \
	{                                                                             \
		static const struct metric_family family = { .name = (name_),         \
							     .help = (help_),         \
							     .type = METRIC_##type_,  \
							     .scale = (scale_),       \
							     .buckets = lag_bounds }; \
		if (!(m->field = metrics_get(registry, &family, NULL)))               \
			return E_NOMEM;                                               \
	}
	AGENT_METRICS(X)
#undef X
	return E_OK;
}
