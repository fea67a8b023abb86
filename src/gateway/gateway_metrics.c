#include "gateway/gateway_metrics.h"

#include <stdio.h>

#include "base/mem.h"
#include "gateway/answer.h"

#define X(field, type, name, scale, help) \
	METRIC_ROW(struct route_metrics, field, type, name, scale, help, "namespace", "eventsource_name", "event_name")
static const struct metric_row route_rows[] = { ROUTE_METRICS(X) };
#undef X

#define X(field, type, name, scale, help) METRIC_ROW(struct gateway_metrics, field, type, name, scale, help)
static const struct metric_row gateway_rows[] = { GATEWAY_METRICS(X) };
#undef X

static const struct metric_family running = {
	.name = "argo_events_event_service_running_total",
	.type = METRIC_GAUGE,
	.help = "How many configured events in the EventSource object are actively running. " GATEWAY_HELP_URL
		"argo_events_event_service_running_total",
	.labels = { "namespace", "eventsource_name" },
};

static const struct metric_family reloads = {
	.name = "holdfast_config_reloads_total",
	.type = METRIC_COUNTER,
	.help = "Reloads of the configuration by outcome.",
	.labels = { "outcome" },
};

static const struct metric_family answers = {
	.name = "holdfast_gateway_answers_total",
	.type = METRIC_COUNTER,
	.help = "Answers by HTTP status code, over all ports.",
	.labels = { "code" },
};

/* Upstream's labels; what a C program does not have is said to be so. */
static const struct metric_family build = {
	.name = "build_info",
	.type = METRIC_GAUGE,
	.help = "1; the program's version is a label.",
	.labels = { "version", "goversion", "goarch", "commit" },
};

void gateway_metrics_build(struct metrics *m, const char *version)
{
#if defined(__x86_64__)
	const char *arch = "amd64";
#elif defined(__aarch64__)
	const char *arch = "arm64";
#else
	const char *arch = "unknown";
#endif
	const char *labels[] = { version, "none", arch, "unknown" };

	metric_set(metrics_get(m, &build, labels), 1);
}

void route_metrics_init(struct route_metrics *ret_metrics, struct metrics *m, const struct route_config *config)
{
	const char *labels[] = { config->namespace, config->event_source, config->event_name };

	metrics_get_labelled(m, route_rows, ARRAY_LEN(route_rows), labels, ret_metrics);
	ret_metrics->running = metrics_get(m, &running, labels);
}

/* A code is looked up once; two threads that meet here find the same metric. */
static struct metric *answer_metric(struct gateway_metrics *g, unsigned status)
{
	struct metric *metric = atomic_load_explicit(&g->answers[status], memory_order_acquire);
	char code[8];

	if (metric)
		return metric;
	(void)snprintf(code, sizeof(code), "%u", status);
	metric = metrics_get(g->registry, &answers, (const char *[]){ code });
	atomic_store_explicit(&g->answers[status], metric, memory_order_release);
	return metric;
}

/* Each answer of the table is there with 0: the first of a series that appears with it is no increase for Prometheus. */
void gateway_metrics_init(struct gateway_metrics *ret_metrics, struct metrics *m)
{
	*ret_metrics = (struct gateway_metrics){
		.registry = m,
		.reloads_ok = metrics_get(m, &reloads, (const char *[]){ "ok" }),
		.reloads_refused = metrics_get(m, &reloads, (const char *[]){ "refused" }),
	};
	metrics_get_rows(m, gateway_rows, ARRAY_LEN(gateway_rows), ret_metrics);
	for (enum answer answer = 0; answer < ANSWER_COUNT; answer++)
		(void)answer_metric(ret_metrics, answer_status(answer, /* strict= */ false));
}

void gateway_count_answer(struct gateway_metrics *g, unsigned status)
{
	if (status < GATEWAY_STATUS_MAX)
		metric_inc(answer_metric(g, status));
}
