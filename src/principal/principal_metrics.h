/*
 * principal_metrics.h -- what a principal counts. Upstream's names where they apply, and ours.
 *
 * Shape     handles, looked up once. Gauges over all agents are set when somebody looks (observe_refresh()).
 * Source    argocd-agent facts 7.1; no label names an agent: there are thousands (facts 9.3)
 */
#pragma once

#include "base/metrics.h"

struct principal_metrics {
	struct metric *connected;   /* argocd_principal_connected_agents */
	struct metric *connections; /* argocd_principal_agent_connections_total */
	struct metric *refused;     /* logins */
	struct metric *received;    /* principal_events_received: events of agents that were dealt with */
	struct metric *sent;        /* principal_events_sent: events of ours that were confirmed */
	struct metric *errors;      /* principal_errors: events that could not be taken, or were rejected */
	struct metric *reverted;
	struct metric *connected_ms; /* principal_agent_avg_connection_time: of open streams */
	struct metric *lag_ms;       /* from a change to its confirmation */
	struct metric *waiting, *in_flight, *quarantined, *oldest_ms, *resent, *rejected, *held;
	struct metric *agents, *objects;
	struct metric *problems; /* the backend's, now */
};

/* E_NOMEM. */
enum err principal_metrics_init(struct principal_metrics *m, struct metrics *registry);
