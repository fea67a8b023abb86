/*
 * principal_metrics.h -- what a principal counts beside its events (daemon/traffic.h). Upstream's names where they apply, and ours.
 *
 * Shape     handles, looked up once. Gauges over all agents are set when somebody looks (web.c).
 * Source    argocd-agent facts 7.1; docs/reference/metrics.md
 */
#pragma once

#include "base/metrics.h"
#include "principal/hub.h"

struct principal_metrics {
	struct metrics *registry;
	struct metric *connected;    /* argocd_principal_connected_agents */
	struct metric *connected_ms; /* principal_agent_avg_connection_time: of open streams */
	struct metric *refused;      /* logins */
	struct metric *agents, *objects, *unowned, *gpg_keys;
	struct metric *changes[OBJECT_KIND_COUNT][HUB_CHANGE_COUNT]; /* NULL: nobody counts these */
};

void principal_metrics_init(struct principal_metrics *m, struct metrics *registry);

/* A stream of this agent was opened; or ended before all that was given to it had left, because of us or not. */
void principal_metrics_connected(struct principal_metrics *m, const char *agent);
void principal_metrics_cut(struct principal_metrics *m, const char *agent, bool by_us);
