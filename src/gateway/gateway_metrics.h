/*
 * gateway_metrics.h -- what the gateway counts.
 *
 * Shape     the upstream's families under their own names and labels, and ours.
 * Source    facts argo-events 6.1
 */
#pragma once

#include "base/metrics.h"
#include "gateway/config.h"

#define GATEWAY_HELP_URL                  "https://argoproj.github.io/argo-events/metrics/#"

/* clang-format off */
/*    field              type       name                                              scale  help */
#define ROUTE_METRICS(X) \
	X(sent,              COUNTER,   "argo_events_events_sent_total",                   1, "How many events were stored (ack: spool) or taken by the bus (ack: bus). " GATEWAY_HELP_URL "argo_events_events_sent_total") \
	X(sent_failed,       COUNTER,   "argo_events_events_sent_failed_total",            1, "How many events could not be stored or were not taken by the bus. " GATEWAY_HELP_URL "argo_events_events_sent_failed_total") \
	X(processing_failed, COUNTER,   "argo_events_events_processing_failed_total",      1, "How many events failed to be processed for any reason, events_sent_failed_total included. " GATEWAY_HELP_URL "argo_events_events_processing_failed_total") \
	X(duration_ms,       SUMMARY,   "argo_events_event_processing_duration_milliseconds", 1e-6, "Time from the head of a request to its answer. " GATEWAY_HELP_URL "argo_events_event_processing_duration_milliseconds") \
	X(seconds,           HISTOGRAM, "holdfast_gateway_request_seconds",             1e-9, "Time from the head of a request to its answer.") \
	X(duplicates,        COUNTER,   "holdfast_gateway_duplicates_total",               1, "Events that were stored before under the same sender's id and answered with success.") \
	X(bytes,             COUNTER,   "holdfast_gateway_received_bytes_total",           1, "Bytes of request bodies received.") \
	X(filtered,          COUNTER,   "holdfast_gateway_filtered_total",                 1, "Events that their filter held back: answered with success and not stored.") \
	X(filter_errors,     COUNTER,   "holdfast_gateway_filter_errors_total",            1, "Events that their filter could not judge: stored with the attribute filtererror.")

#define GATEWAY_METRICS(X) \
	X(body_memory,       GAUGE,     "holdfast_gateway_body_memory_bytes",              1, "Bytes of bodies held in memory by requests in flight.") \
	X(ready,             GAUGE,     "holdfast_ready",                                  1, "1 when the gateway takes events: what /readyz says.") \
	X(loops,             GAUGE,     "holdfast_gateway_loops",                          1, "Event loops that serve requests.") \
	X(connections,       GAUGE,     "holdfast_gateway_connections",                    1, "Open connections over all ports, looked at once a second.") \
	X(tls_failures,      COUNTER,   "holdfast_gateway_tls_failures_total",             1, "Clients that did not get through the handshake of TLS; --log-level debug says why.")
/* clang-format on */

#define X(field, type, name, scale, help) struct metric *field;

/* Handles of one route, looked up once. */
struct route_metrics {
	struct metric *running; /* argo_events_event_service_running_total, which has no label for the event */
	ROUTE_METRICS(X)
};

#define GATEWAY_STATUS_MAX 600

/* Handles of the whole gateway. */
struct gateway_metrics {
	struct metrics *registry;
	/* holdfast_gateway_answers_total, by status; NULL: not used yet */
	_Atomic(struct metric *) answers[GATEWAY_STATUS_MAX];
	GATEWAY_METRICS(X)
	struct metric *reloads_ok;
	struct metric *reloads_refused;
};
#undef X

void route_metrics_init(struct route_metrics *ret_metrics, struct metrics *m, const struct route_config *config);
void gateway_metrics_init(struct gateway_metrics *ret_metrics, struct metrics *m);

/* build_info{version}: 1. */
void gateway_metrics_build(struct metrics *m, const char *version);

/* Counts an answer: holdfast_gateway_answers_total{code}. Any thread. */
void gateway_count_answer(struct gateway_metrics *g, unsigned status);
