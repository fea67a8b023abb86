/*
 * rpctest.h -- the two halves of rpctest.
 */
#pragma once

#include "base/str.h"
#include "rpc/limit.h"

/* "client HOST PORT ...". Returns the exit status. */
int rpctest_client(int argc, char **argv);

/* A row of rpc_limits.h by its name; false: there is none. */
bool rpctest_set_limit(struct rpc_limits *limits, struct str name, uint64_t value);
