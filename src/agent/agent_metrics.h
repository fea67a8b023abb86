/*
 * agent_metrics.h -- what an agent counts. Upstream's names where they apply, and ours.
 *
 * Shape     handles, looked up once. Gauges of what waits are set when somebody looks (web.c).
 * Source    argocd-agent facts 7.2
 */
#pragma once

#include "base/metrics.h"

struct agent_metrics {
	struct metric *connected;     /* argocd_agent_connection_status */
	struct metric *since_ms;      /* argocd_agent_connection_start_timestamp_seconds */
	struct metric *connections;   /* argocd_agent_connections_total */
	struct metric *auth_failures; /* argocd_agent_auth_failures_total */
	struct metric *failures;      /* attempts and streams that ended otherwise */
	struct metric *received;      /* agent_events_received: events of the principal that were dealt with */
	struct metric *sent;          /* agent_events_sent: events of ours that were confirmed */
	struct metric *errors;        /* agent_errors: events that could not be taken, or were rejected */
	struct metric *reverted;
	struct metric *lag_ms; /* from a change to its confirmation */
	struct metric *waiting, *in_flight, *quarantined, *oldest_ms, *resent, *rejected, *held;
	struct metric *records;  /* objects that are the principal's */
	struct metric *problems; /* the backend's, now */
};

/* E_NOMEM. */
enum err agent_metrics_init(struct agent_metrics *m, struct metrics *registry);
