#include "principal/principal_metrics.h"

#include "delivery/lag.h"

/* clang-format off */
/*    field        name                                         type       scale help */
#define PRINCIPAL_METRICS(X)                                                                                             \
	X(connected,   "argocd_principal_connected_agents",         GAUGE,     1,    "Agents with an open stream.")          \
	X(connections, "argocd_principal_agent_connections_total",  COUNTER,   1,    "Streams that were opened.")            \
	X(connected_ms, "principal_agent_avg_connection_time",      GAUGE,     1.0 / 60000, "Minutes that open streams have been open, on average.") \
	X(refused,     "holdfast_principal_logins_refused_total",   COUNTER,   1,    "Logins and calls that were refused.")  \
	X(received,    "principal_events_received",                 COUNTER,   1,    "Events of agents that were dealt with.") \
	X(sent,        "principal_events_sent",                     COUNTER,   1,    "Events of ours that agents confirmed.") \
	X(errors,      "principal_errors",                          COUNTER,   1,    "Events of agents that were refused, and of ours that were rejected.") \
	X(reverted,    "holdfast_principal_reverted_total",         COUNTER,   1,    "Changes by others to copies that were undone.") \
	X(lag_ms,      "holdfast_principal_lag_seconds",            HISTOGRAM, 1e-3, "From a change of an object to the confirmation of its agent.") \
	X(waiting,     "holdfast_principal_waiting",                GAUGE,     1,    "Events that wait to be sent, over all agents.") \
	X(in_flight,   "holdfast_principal_in_flight",              GAUGE,     1,    "Events that were sent and not confirmed.") \
	X(quarantined, "holdfast_principal_quarantined",            GAUGE,     1,    "Events that agents rejected for good.") \
	X(oldest_ms,   "holdfast_principal_oldest_seconds",         GAUGE,     1e-3, "Age of the oldest event that is not confirmed.") \
	X(resent,      "holdfast_principal_resent_total",           COUNTER,   1,    "Events that were sent again.")         \
	X(rejected,    "holdfast_principal_rejected_total",         COUNTER,   1,    "Answers of agents that rejected an event.") \
	X(held,        "holdfast_principal_held_deletes",           GAUGE,     1,    "Deletes that the guard holds (holdfast release).") \
	X(agents,      "holdfast_principal_agents",                 GAUGE,     1,    "Agents known, connected or not.")      \
	X(objects,     "holdfast_principal_objects",                GAUGE,     1,    "Objects of the backend.")              \
	X(problems,    "holdfast_principal_backend_problems",       GAUGE,     1,    "Things the backend cannot read or write now.")
/* clang-format on */

enum err principal_metrics_init(struct principal_metrics *m, struct metrics *registry)
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
	PRINCIPAL_METRICS(X)
#undef X
	return E_OK;
}
