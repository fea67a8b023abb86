#include "rpc/method_metrics.h"

#include "base/mem.h"

#define METHOD_LABELS "grpc_type", "grpc_service", "grpc_method"

/* clang-format off */
/*    field        name               type       scale help */
#define METHOD_METRICS(X, SIDE)                                                                                          \
	X(started,     SIDE "_started_total",      COUNTER,   0,    "gRPC calls that began, by method.")                      \
	X(received,    SIDE "_msg_received_total", COUNTER,   0,    "gRPC messages that came, by method.")                    \
	X(sent,        SIDE "_msg_sent_total",     COUNTER,   0,    "gRPC messages that were sent, by method.")               \
	X(handling_ms, SIDE "_handling_seconds",   HISTOGRAM, 1e-3, "Seconds that gRPC calls took, streams included, by method.")
/* clang-format on */

static const struct metric_row rows[2][4] = {
#define X(field, name_, type_, scale_, help_)     \
	{ { .name = (name_),                      \
	    .help = (help_),                      \
	    .type = METRIC_##type_,               \
	    .scale = (scale_),                    \
	    .buckets = metric_default_buckets_ms, \
	    .labels = { METHOD_LABELS } },        \
	  offsetof(struct method_metrics, field) },
	{ METHOD_METRICS(X, "grpc_client") },
	{ METHOD_METRICS(X, "grpc_server") },
#undef X
};

static const struct metric_family handled[2] = {
#define HANDLED(name_)                                                                                                \
	{                                                                                                             \
		.name = (name_), .help = "gRPC calls that ended, by method and status code.", .type = METRIC_COUNTER, \
		.labels = {                                                                                           \
			METHOD_LABELS,                                                                                \
			"grpc_code"                                                                                   \
		}                                                                                                     \
	}
	HANDLED("grpc_client_handled_total"),
	HANDLED("grpc_server_handled_total"),
};

static const char *kind_name(enum rpc_kind kind)
{
	static const char *const names[] = { [RPC_UNARY] = "unary",
					     [RPC_CLIENT_STREAM] = "client_stream",
					     [RPC_SERVER_STREAM] = "server_stream",
					     [RPC_BIDI] = "bidi_stream" };

	return names[kind];
}

static struct method_metrics *find(struct method_metrics *list, struct str service, struct str method)
{
	while (list && !(str_is(service, list->labels[1]) && str_is(method, list->labels[2])))
		list = list->next;
	return list;
}

static struct method_metrics *make(struct metrics *registry, bool server, struct str service, struct str method,
				   enum rpc_kind kind)
{
	struct method_metrics *m = mem_alloc(sizeof(*m) + service.n + method.n + 2);

	if (!m)
		return NULL;
	m->registry = registry;
	m->server = server;
	memcpy(m->text, service.p, service.n);
	memcpy(m->text + service.n + 1, method.p, method.n);
	m->labels[0] = kind_name(kind);
	m->labels[1] = m->text;
	m->labels[2] = m->text + service.n + 1;
	metrics_get_labelled(registry, rows[server], ARRAY_LEN(rows[server]), m->labels, m);
	return m;
}

struct method_metrics *method_metrics_of(struct method_metrics **list, struct metrics *registry, bool server,
					 const char *path, enum rpc_kind kind)
{
	struct str method = str_of(path), service;
	struct method_metrics *m;

	(void)str_cut(&method, '/'); /* what stands before the first slash is nothing */
	service = str_cut(&method, '/');
	if (!registry || service.n == 0 || method.n == 0)
		return NULL;
	m = find(*list, service, method);
	if (m || !(m = make(registry, server, service, method, kind)))
		return m;
	m->next = *list;
	*list = m;
	return m;
}

void method_metrics_handled(struct method_metrics *m, enum rpc_code code, uint64_t took_ms)
{
	m->labels[3] = rpc_code_go_name(code);
	if (!m->handled[code])
		m->handled[code] = metrics_get(m->registry, &handled[m->server], m->labels);
	metric_inc(m->handled[code]);
	metric_observe(m->handling_ms, (int64_t)took_ms);
}

void method_metrics_free(struct method_metrics **list)
{
	while (*list) {
		struct method_metrics *next = (*list)->next;

		mem_free(*list);
		*list = next;
	}
}
