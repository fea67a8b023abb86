/*
 * method_metrics.h -- what is counted about the calls of each method, under the names of the middleware that Go's programs use.
 *
 * Shape     a list of the methods that were called, in the server or channel that they belong to; without a registry there is none.
 *           A server counts only methods that it has: what strangers ask for makes no series.
 * Units     ms of the loop's clock.
 * Owner     the list's; call_metrics live as long as it does.
 * Threads   the loop's.
 * Source    go-grpc-middleware providers/prometheus; argocd-agent facts 7.3
 */
#pragma once

#include "base/metrics.h"
#include "rpc/call.h"

/* Of one method. */
struct method_metrics {
	struct method_metrics *next;
	struct metrics *registry;
	bool server;
	const char *labels[4]; /* type, service, method; the fourth is the code */
	struct metric *started, *received, *sent, *handling_ms;
	struct metric *handled[RPC_CODE_COUNT]; /* NULL: there was none yet */
	char text[];                            /* service and method, each with a zero byte behind it */
};

/* Of `path`, made when it is called first; NULL: no registry, no memory, or no path of gRPC's. */
struct method_metrics *method_metrics_of(struct method_metrics **list, struct metrics *registry, bool server,
					 const char *path, enum rpc_kind kind);

/* A call ended. */
void method_metrics_handled(struct method_metrics *m, enum rpc_code code, uint64_t took_ms);

void method_metrics_free(struct method_metrics **list);
