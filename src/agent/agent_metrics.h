/*
 * agent_metrics.h -- what an agent counts beside its events (daemon/traffic.h). Upstream's names where they apply, and ours.
 *
 * Shape     handles, looked up once. Gauges of what is where are set when somebody looks (web.c).
 * Source    argocd-agent facts 7.2; docs/reference/metrics.md
 */
#pragma once

#include "base/metrics.h"

struct agent_metrics {
	struct metric *connected;     /* argocd_agent_connection_status */
	struct metric *since_ms;      /* argocd_agent_connection_start_timestamp_seconds */
	struct metric *connections;   /* argocd_agent_connections_total */
	struct metric *auth_failures; /* argocd_agent_auth_failures_total */
	struct metric *failures;      /* attempts and streams that ended otherwise */
	struct metric *records;       /* objects that are the principal's */
};

void agent_metrics_init(struct agent_metrics *m, struct metrics *registry);
