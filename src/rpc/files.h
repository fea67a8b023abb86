/*
 * files.h -- the .proto files of the services that come with rpc, as reflection shows them. Made by scripts/embed-proto.
 */
#pragma once

#include "rpc/server.h"

extern const struct rpc_file rpc_file_health;
extern const struct rpc_file rpc_file_reflection;
extern const struct rpc_file rpc_file_reflection_alpha;
