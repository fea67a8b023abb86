#include "base/mem.h"
#include "daemon/traffic_impl.h"

/* clang-format off */
/*    field        name                          type       scale help */
#define TRAFFIC_ROWS(X, EVENTS, OURS)                                                                                     \
	X(received,    EVENTS "_events_received",    COUNTER,   0,    "Events of the other side that were processed.")    \
	X(sent,        EVENTS "_events_sent",        COUNTER,   0,    "Events of ours that the other side confirmed.")    \
	X(lag_ms,      OURS "_lag_seconds",          HISTOGRAM, 1e-3, "From a change here to its confirmation.")          \
	X(waiting,     OURS "_waiting",              GAUGE,     0,    "Events that wait to be sent.")                     \
	X(in_flight,   OURS "_in_flight",            GAUGE,     0,    "Events that were sent and not confirmed.")         \
	X(quarantined, OURS "_quarantined",          GAUGE,     0,    "Events set aside: rejected for good by the other side, or too large to be sent.") \
	X(oldest_ms,   OURS "_oldest_seconds",       GAUGE,     1e-3, "Age of the oldest event that is not confirmed.")   \
	X(resent,      OURS "_resent_total",         COUNTER,   0,    "Events that were sent again.")                     \
	X(rejected,    OURS "_rejected_total",       COUNTER,   0,    "Answers of the other side that rejected an event.") \
	X(held,        OURS "_held_deletes",         GAUGE,     0,    "Deletes that the guard holds (holdfast release).") \
	X(no_room,     OURS "_no_room_total",        COUNTER,   0,    "Events of the other side that were refused for want of room (--peer-objects, --peer-bytes) and come again.") \
	X(reverted,    OURS "_reverted_total",       COUNTER,   0,    "Changes by others to copies that were reverted.")  \
	X(problems,    OURS "_backend_problems",     GAUGE,     0,    "Files of the backend that cannot be used, read or written now.")

/*    field          name                                                       type       scale help */
#define QUEUE_ROWS(X, UPSTREAM)                                                                                       \
	X(depth,         UPSTREAM "_workqueue_depth",                             GAUGE,     0,    "Events that wait.")   \
	X(unfinished_ms, UPSTREAM "_workqueue_unfinished_work_seconds",           GAUGE,     1e-3, "Seconds that all events in progress have taken so far, in sum.") \
	X(longest_ms,    UPSTREAM "_workqueue_longest_running_processor_seconds", GAUGE,     1e-3, "Seconds that the oldest event in progress has taken so far.") \
	X(adds,          UPSTREAM "_workqueue_adds_total",                        COUNTER,   0,    "Events added to the queue.") \
	X(retries,       UPSTREAM "_workqueue_retries_total",                     COUNTER,   0,    "Events that were sent, or came, again.") \
	X(queued_ms,     UPSTREAM "_workqueue_queue_duration_seconds",            HISTOGRAM, 1e-3, "Seconds that events waited in the queue.") \
	X(worked_ms,     UPSTREAM "_workqueue_work_duration_seconds",             HISTOGRAM, 1e-3, "Seconds from leaving the queue to the answer.")
/* clang-format on */

#define FAMILY(name_, type_, scale_, buckets_, help_) \
	.name = (name_), .help = (help_), .type = METRIC_##type_, .scale = (scale_), .buckets = (buckets_)

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static const struct traffic_side sides[TRAFFIC_END_COUNT] = {
	[TRAFFIC_PRINCIPAL] = {
		.errors = { FAMILY("principal_errors", COUNTER, 0, NULL,
				   "Events of agents that were refused, and of ours that were rejected."),
			    .labels = { "resource_type" } },
		.processing_ms = { FAMILY("principal_event_processing_time", HISTOGRAM, 1e-3, metric_default_buckets_ms,
					  "Seconds that an agent's event took to process."),
				   .labels = { "status", "agent_name", "resource_type" } },
		.discarded = { FAMILY("argocd_principal_event_writer_events_discarded_total", COUNTER, 0, NULL,
				      "Events that are not sent again until a newer version comes (quarantined)."),
			       .labels = { "agent_name", "event_type", "resource_type" } },
		.statuses = { "success", "failure", "not-allowed" },
	},
	[TRAFFIC_AGENT] = {
		.errors = { FAMILY("agent_errors", COUNTER, 0, NULL,
				   "Events of the principal that were refused, and of ours that were rejected."),
			    .labels = { "resource_type" } },
		.processing_ms = { FAMILY("agent_event_processing_time", HISTOGRAM, 1e-3, metric_default_buckets_ms,
					  "Seconds that an event of the principal took to process."),
				   .labels = { "status", "agent_mode", "resource_type" } },
		.discarded = { FAMILY("argocd_agent_event_writer_events_discarded_total", COUNTER, 0, NULL,
				      "Events that are not sent again until a newer version comes (quarantined)."),
			       .labels = { "event_type", "resource_type" } },
		.statuses = { "success", "failure", "discarded" },
	},
};

/* An agent's. */
static const struct metric_family propagation = {
	FAMILY("agent_event_propagation_latency_seconds", HISTOGRAM, 1e-3, metric_default_buckets_ms,
	       "Seconds from the principal's sending to the beginning here, by the clocks of both."),
	.labels = { "resource_type" },
};

#define ROW(field, name, type, scale, help) \
	{ { FAMILY(name, type, scale, lag_bounds, help) }, offsetof(struct traffic, field) },

static const struct metric_row principal_rows[] = { TRAFFIC_ROWS(ROW, "principal", "holdfast_principal") };
static const struct metric_row agent_rows[] = { TRAFFIC_ROWS(ROW, "agent", "holdfast_agent") };

#define QUEUE_ROW(field, name, type, scale, help)                                                \
	{ { FAMILY(name, type, scale, metric_default_buckets_ms, help), .labels = { "queue" } }, \
	  offsetof(struct traffic_queue, field) },

static const struct metric_row principal_queue[] = { QUEUE_ROWS(QUEUE_ROW, "argocd_principal") };
static const struct metric_row agent_queue[] = { QUEUE_ROWS(QUEUE_ROW, "argocd_agent") };

const struct traffic_side *traffic_side(const struct traffic *t)
{
	return &sides[t->end];
}

const char *traffic_resource_type(enum wire_target target)
{
	return target == WIRE_UNKNOWN_TARGET ? "unknown" : wire_target_text(target).p;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

/* What is looked at first is there from the start. */
static void kinds_init(struct traffic *t)
{
	for (enum wire_target target = 0; target < WIRE_TARGET_COUNT; target++) {
		const char *const values[] = { traffic_resource_type(target) };
		bool kind = object_kind_of(wire_kind_of(target)) != OBJECT_KIND_COUNT;

		if (kind || target == WIRE_UNKNOWN_TARGET)
			t->errors[target] = metrics_get(t->registry, &sides[t->end].errors, values);
		if (kind && t->end == TRAFFIC_AGENT)
			t->propagation_ms[target] = metrics_get(t->registry, &propagation, values);
	}
}

void traffic_init(struct traffic *t, struct metrics *registry, enum traffic_end end)
{
	*t = (struct traffic){ .end = end, .registry = registry };
	if (end == TRAFFIC_PRINCIPAL) {
		metrics_get_rows(registry, principal_rows, ARRAY_LEN(principal_rows), t);
		metrics_get_labelled(registry, principal_queue, ARRAY_LEN(principal_queue), (const char *[]){ "send" },
				     &t->send);
		metrics_get_labelled(registry, principal_queue, ARRAY_LEN(principal_queue), (const char *[]){ "recv" },
				     &t->recv);
	} else {
		metrics_get_rows(registry, agent_rows, ARRAY_LEN(agent_rows), t);
		metrics_get_labelled(registry, agent_queue, ARRAY_LEN(agent_queue), (const char *[]){ "default-send" },
				     &t->send);
		metrics_get_labelled(registry, agent_queue, ARRAY_LEN(agent_queue), (const char *[]){ "default-recv" },
				     &t->recv);
	}
	kinds_init(t);
}

void traffic_release(struct traffic *t)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&t->names, &at)))
		mem_free(e->value);
	map_release(&t->names);
}

const char *traffic_name(struct traffic *t, struct str agent)
{
	char *name = map_get(&t->names, agent);

	if (name)
		return name;
	name = t->names.n < TRAFFIC_NAMED_MAX ? str_dup(agent) : NULL;
	if (name && map_put(&t->names, str_of(name), name) == E_OK)
		return name;
	mem_free(name);
	return TRAFFIC_OTHERS;
}
