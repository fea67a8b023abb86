#include "principal/principal_metrics.h"

/* clang-format off */
/*    field                                          name                                  type     scale help */
#define PRINCIPAL_METRICS(X)                                                                                                       \
	X(connected,                                   "argocd_principal_connected_agents",  GAUGE,   0, "Agents with an open stream.") \
	X(connected_ms,                                "principal_agent_avg_connection_time", GAUGE,  1.0 / 60000, "Minutes that open streams have been open, on average.") \
	X(refused,                                     "holdfast_principal_logins_refused_total", COUNTER, 0, "Logins and calls that were refused.") \
	X(agents,                                      "holdfast_principal_agents",          GAUGE,   0, "Agents known, connected or not.") \
	X(objects,                                     "holdfast_principal_objects",         GAUGE,   0, "Objects of the backend.") \
	X(unowned,                                     "holdfast_principal_unowned",         GAUGE,   0, "Applications that belong to no agent.") \
	X(gpg_keys,                                    "argocd_principal_gpg_keys_count",    GAUGE,   0, "GPG keys of the backend.") \
	X(changes[OBJECT_APPLICATION][HUB_CREATED],    "principal_applications_created",     COUNTER, 0, "Applications created.") \
	X(changes[OBJECT_APPLICATION][HUB_UPDATED],    "principal_applications_updated",     COUNTER, 0, "Applications changed.") \
	X(changes[OBJECT_APPLICATION][HUB_DELETED],    "principal_applications_deleted",     COUNTER, 0, "Applications deleted.") \
	X(changes[OBJECT_APPPROJECT][HUB_CREATED],     "principal_app_projects_created",     COUNTER, 0, "Projects created.")     \
	X(changes[OBJECT_APPPROJECT][HUB_UPDATED],     "principal_app_projects_updated",     COUNTER, 0, "Projects changed.")     \
	X(changes[OBJECT_APPPROJECT][HUB_DELETED],     "principal_app_projects_deleted",     COUNTER, 0, "Projects deleted.")     \
	X(changes[OBJECT_REPOSITORY][HUB_CREATED],     "principal_repositories_created",     COUNTER, 0, "Repositories created.") \
	X(changes[OBJECT_REPOSITORY][HUB_UPDATED],     "principal_repositories_updated",     COUNTER, 0, "Repositories changed.") \
	X(changes[OBJECT_REPOSITORY][HUB_DELETED],     "principal_repositories_deleted",     COUNTER, 0, "Repositories deleted.")
/* clang-format on */

static const struct metric_row rows[] = {
#define X(field_, name_, type_, scale_, help_)                                             \
	{ { .name = (name_), .help = (help_), .type = METRIC_##type_, .scale = (scale_) }, \
	  offsetof(struct principal_metrics, field_) },
	PRINCIPAL_METRICS(X)
#undef X
};

static const struct metric_family connections = {
	.name = "argocd_principal_agent_connections_total",
	.type = METRIC_COUNTER,
	.help = "Streams that were opened.",
	.labels = { "agent_name" },
};

static const struct metric_family cut = {
	.name = "principal_event_writer_send_errors_total",
	.type = METRIC_COUNTER,
	.help = "Streams that ended before everything given to them was sent.",
	.labels = { "agent_name", "reason" },
};

void principal_metrics_init(struct principal_metrics *m, struct metrics *registry)
{
	*m = (struct principal_metrics){ .registry = registry };
	metrics_get_rows(registry, rows, ARRAY_LEN(rows), m);
}

static struct metric *cuts(struct principal_metrics *m, const char *agent, bool by_us)
{
	const char *const values[] = { agent, by_us ? "context-canceled" : "transport-closing" };

	return metrics_get(m->registry, &cut, values);
}

void principal_metrics_connected(struct principal_metrics *m, const char *agent)
{
	metric_inc(metrics_get(m->registry, &connections, (const char *[]){ agent }));
	(void)cuts(m, agent, /* by_us= */ false); /* at 0, for those who want to know of the first */
}

void principal_metrics_cut(struct principal_metrics *m, const char *agent, bool by_us)
{
	metric_inc(cuts(m, agent, by_us));
}
