#include "gateway/gateway_metrics.h"

#include <stdio.h>

#define ROUTE_LABELS                                          \
	{                                                     \
		"namespace", "eventsource_name", "event_name" \
	}
#define HELP_URL "https://argoproj.github.io/argo-events/metrics/#"

static const struct metric_family running = {
	.name = "argo_events_event_service_running_total",
	.type = METRIC_GAUGE,
	.help = "How many configured events in the EventSource object are actively running. " HELP_URL
		"argo_events_event_service_running_total",
	.labels = { "namespace", "eventsource_name" },
};

static const struct metric_family sent = {
	.name = "argo_events_events_sent_total",
	.type = METRIC_COUNTER,
	.help = "How many events were stored (ack: spool) or taken by the bus (ack: bus). " HELP_URL
		"argo_events_events_sent_total",
	.labels = ROUTE_LABELS,
};

static const struct metric_family sent_failed = {
	.name = "argo_events_events_sent_failed_total",
	.type = METRIC_COUNTER,
	.help = "How many events could not be stored or were not taken by the bus. " HELP_URL
		"argo_events_events_sent_failed_total",
	.labels = ROUTE_LABELS,
};

static const struct metric_family processing_failed = {
	.name = "argo_events_events_processing_failed_total",
	.type = METRIC_COUNTER,
	.help = "How many events failed to be processed for any reason, events_sent_failed_total included. " HELP_URL
		"argo_events_events_processing_failed_total",
	.labels = ROUTE_LABELS,
};

static const struct metric_family duration_ms = {
	.name = "argo_events_event_processing_duration_milliseconds",
	.type = METRIC_SUMMARY,
	.scale = 1e-6,
	.help = "Time from the head of a request to its answer. " HELP_URL
		"argo_events_event_processing_duration_milliseconds",
	.labels = ROUTE_LABELS,
};

static const struct metric_family seconds = {
	.name = "holdfast_gateway_request_seconds",
	.type = METRIC_HISTOGRAM,
	.scale = 1e-9,
	.buckets = metric_latency_buckets,
	.help = "Time from the head of a request to its answer.",
	.labels = ROUTE_LABELS,
};

static const struct metric_family duplicates = {
	.name = "holdfast_gateway_duplicates_total",
	.type = METRIC_COUNTER,
	.help = "Events that were stored before under the same sender's id and answered with success.",
	.labels = ROUTE_LABELS,
};

static const struct metric_family bytes = {
	.name = "holdfast_gateway_received_bytes_total",
	.type = METRIC_COUNTER,
	.help = "Bytes of request bodies received.",
	.labels = ROUTE_LABELS,
};

static const struct metric_family filtered = {
	.name = "holdfast_gateway_filtered_total",
	.type = METRIC_COUNTER,
	.help = "Events that their filter held back: answered with success and not stored.",
	.labels = ROUTE_LABELS,
};

static const struct metric_family filter_errors = {
	.name = "holdfast_gateway_filter_errors_total",
	.type = METRIC_COUNTER,
	.help = "Events that their filter could not judge: stored with the attribute filtererror.",
	.labels = ROUTE_LABELS,
};

static const struct metric_family body_memory = {
	.name = "holdfast_gateway_body_memory_bytes",
	.type = METRIC_GAUGE,
	.help = "Bytes of bodies held in memory by requests in flight.",
};

static const struct metric_family ready = {
	.name = "holdfast_ready",
	.type = METRIC_GAUGE,
	.help = "1 when the gateway takes events: what /readyz says.",
};

static const struct metric_family loops = {
	.name = "holdfast_gateway_loops",
	.type = METRIC_GAUGE,
	.help = "Event loops that serve requests.",
};

static const struct metric_family connections = {
	.name = "holdfast_gateway_connections",
	.type = METRIC_GAUGE,
	.help = "Open connections over all ports, looked at once a second.",
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

	*ret_metrics = (struct route_metrics){
		.running = metrics_get(m, &running, labels),
		.sent = metrics_get(m, &sent, labels),
		.sent_failed = metrics_get(m, &sent_failed, labels),
		.processing_failed = metrics_get(m, &processing_failed, labels),
		.duration_ms = metrics_get(m, &duration_ms, labels),
		.seconds = metrics_get(m, &seconds, labels),
		.duplicates = metrics_get(m, &duplicates, labels),
		.bytes = metrics_get(m, &bytes, labels),
		.filtered = metrics_get(m, &filtered, labels),
		.filter_errors = metrics_get(m, &filter_errors, labels),
	};
}

void gateway_metrics_init(struct gateway_metrics *ret_metrics, struct metrics *m)
{
	*ret_metrics = (struct gateway_metrics){
		.registry = m,
		.body_memory = metrics_get(m, &body_memory, NULL),
		.ready = metrics_get(m, &ready, NULL),
		.loops = metrics_get(m, &loops, NULL),
		.connections = metrics_get(m, &connections, NULL),
		.reloads_ok = metrics_get(m, &reloads, (const char *[]){ "ok" }),
		.reloads_refused = metrics_get(m, &reloads, (const char *[]){ "refused" }),
	};
}

/* A code is looked up once; two threads that meet here find the same metric. */
void gateway_count_answer(struct gateway_metrics *g, unsigned status)
{
	struct metric *metric;
	char code[8];

	if (status >= GATEWAY_STATUS_MAX)
		return;
	metric = atomic_load_explicit(&g->answers[status], memory_order_acquire);
	if (!metric) {
		(void)snprintf(code, sizeof(code), "%u", status);
		metric = metrics_get(g->registry, &answers, (const char *[]){ code });
		atomic_store_explicit(&g->answers[status], metric, memory_order_release);
	}
	metric_inc(metric);
}
