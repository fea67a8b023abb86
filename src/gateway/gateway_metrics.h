/*
 * gateway_metrics.h -- what the gateway counts.
 *
 * Shape     the upstream's families under their own names and labels, and ours.
 * Source    facts argo-events 6.1
 */
#pragma once

#include "base/metrics.h"
#include "gateway/config.h"

/* Handles of one route, looked up once. */
struct route_metrics {
	struct metric *running;           /* argo_events_event_service_running_total */
	struct metric *sent;              /* argo_events_events_sent_total */
	struct metric *sent_failed;       /* argo_events_events_sent_failed_total */
	struct metric *processing_failed; /* argo_events_events_processing_failed_total */
	struct metric *duration_ms;       /* argo_events_event_processing_duration_milliseconds */
	struct metric *seconds;           /* holdfast_gateway_request_seconds */
	struct metric *duplicates;        /* holdfast_gateway_duplicates_total */
	struct metric *bytes;             /* holdfast_gateway_received_bytes_total */
	struct metric *filtered;          /* holdfast_gateway_filtered_total */
	struct metric *filter_errors;     /* holdfast_gateway_filter_errors_total */
};

#define GATEWAY_STATUS_MAX 600

/* Handles of the whole gateway. */
struct gateway_metrics {
	struct metrics *registry;
	/* holdfast_gateway_answers_total, by status; NULL: not used yet */
	_Atomic(struct metric *) answers[GATEWAY_STATUS_MAX];
	struct metric *body_memory; /* holdfast_gateway_body_memory_bytes */
	struct metric *ready;       /* holdfast_ready */
	struct metric *loops;       /* holdfast_gateway_loops */
	struct metric *connections; /* holdfast_gateway_connections, as of the last heartbeat */
	struct metric *reloads_ok;
	struct metric *reloads_refused;
};

void route_metrics_init(struct route_metrics *ret_metrics, struct metrics *m, const struct route_config *config);
void gateway_metrics_init(struct gateway_metrics *ret_metrics, struct metrics *m);

/* build_info{version}: 1. */
void gateway_metrics_build(struct metrics *m, const char *version);

/* Counts an answer: holdfast_gateway_answers_total{code}. Any thread. */
void gateway_count_answer(struct gateway_metrics *g, unsigned status);
