/*
 * health.h -- grpc.health.v1: is the server ready?
 *
 * Shape     a service for rpc_server_options and a status for each name; "" is the server as a whole. Watchers get each change
 *           at once, the newest when they are slow.
 * Owner     rpc_health_new(), given to one server; free it after that has stopped.
 * Threads   the loop's.
 * Source    grpc/health/v1/health.proto; unknown names: NOT_FOUND (Check), SERVICE_UNKNOWN (Watch)
 */
#pragma once

#include "rpc/server.h"

struct rpc_health;

/* The server as a whole is not serving yet. NULL without memory. */
struct rpc_health *rpc_health_new(void);
void rpc_health_free(struct rpc_health *h);

const struct rpc_service *rpc_health_service(const struct rpc_health *h);

/* The status of `name`; tells its watchers. E_NOMEM: unchanged. */
enum err rpc_health_set(struct rpc_health *h, const char *name, bool serving);
