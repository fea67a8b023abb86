#include "rpc/rpc_metrics.h"

#include "base/mem.h"

static const struct metric_family conns = {
	.name = "holdfast_rpc_connections",
	.type = METRIC_GAUGE,
	.help = "gRPC connections that are open.",
	.labels = { "side" },
};

static const struct metric_family conns_begun = {
	.name = "holdfast_rpc_connections_total",
	.type = METRIC_COUNTER,
	.help = "gRPC connections that were opened.",
	.labels = { "side" },
};

static const struct metric_family conns_ended = {
	.name = "holdfast_rpc_connections_ended_total",
	.type = METRIC_COUNTER,
	.help = "gRPC connections that ended, by reason.",
	.labels = { "side", "reason" },
};

static const struct metric_family calls = {
	.name = "holdfast_rpc_calls_total",
	.type = METRIC_COUNTER,
	.help = "gRPC calls that ended, by status code.",
	.labels = { "side", "code" },
};

static const struct metric_family messages = {
	.name = "holdfast_rpc_messages_total",
	.type = METRIC_COUNTER,
	.help = "gRPC messages.",
	.labels = { "side", "direction" },
};

static const struct metric_family message_bytes = {
	.name = "holdfast_rpc_message_bytes_total",
	.type = METRIC_COUNTER,
	.help = "Bytes of gRPC messages, uncompressed.",
	.labels = { "side", "direction" },
};

static const struct end {
	const char *label;
	const char *text;
	uint32_t h2;
} ends[] = {
#define X(name, label, h2, text) [RPC_END_##name] = { label, text, NGHTTP2_##h2 },
	RPC_ENDS(X)
#undef X
};

const char *rpc_end_text(enum rpc_end_reason reason)
{
	return ends[reason].text;
}

uint32_t rpc_end_h2(enum rpc_end_reason reason)
{
	return ends[reason].h2;
}

static struct metric *get(struct rpc_metrics *m, struct metrics *registry, const struct metric_family *family,
			  const char *side, const char *second)
{
	const char *values[] = { side, second };

	return registry ? metrics_get(registry, family, values) : &m->nothing;
}

void rpc_metrics_init(struct rpc_metrics *m, struct metrics *registry, const char *side)
{
	*m = (struct rpc_metrics){ .registry = registry };
	m->conns = get(m, registry, &conns, side, NULL);
	m->conns_begun = get(m, registry, &conns_begun, side, NULL);
	for (size_t i = 0; i < RPC_END_COUNT; i++)
		m->conns_ended[i] = get(m, registry, &conns_ended, side, ends[i].label);
	for (size_t i = 0; i < RPC_CODE_COUNT; i++)
		m->calls[i] = get(m, registry, &calls, side, rpc_code_name((enum rpc_code)i));
	m->sent = get(m, registry, &messages, side, "sent");
	m->sent_bytes = get(m, registry, &message_bytes, side, "sent");
	m->received = get(m, registry, &messages, side, "received");
	m->received_bytes = get(m, registry, &message_bytes, side, "received");
}
