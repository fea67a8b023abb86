/*
 * reflection.h -- grpc.reflection: what a server serves, for tools such as grpcurl.
 *
 * Shape     two services of the same content, v1 and v1alpha, for rpc_server_options. They answer from the files that the
 *           services bring; extensions, which proto3 has not, are NOT_FOUND.
 * Owner     services are borrowed; free it after the server has stopped.
 * Threads   the loop's.
 * Errors    E_MALFORMED: a service's file does not parse; E_NOMEM
 * Source    grpc/reflection/v1/reflection.proto; gRPC documentation, server-reflection.md
 */
#pragma once

#include "rpc/server.h"

struct rpc_reflection;

/* Reflection of `services`, and of itself. */
enum err rpc_reflection_new(const struct rpc_service *const *services, size_t count, struct rpc_reflection **ret);
void rpc_reflection_free(struct rpc_reflection *r);

const struct rpc_service *rpc_reflection_service(const struct rpc_reflection *r);       /* v1 */
const struct rpc_service *rpc_reflection_service_alpha(const struct rpc_reflection *r); /* v1alpha */
