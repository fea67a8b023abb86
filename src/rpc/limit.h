/*
 * limit.h -- what peers may do to us: the values of rpc_limits.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RPC_LIMIT_FIELD_SIZE  size_t
#define RPC_LIMIT_FIELD_COUNT uint32_t
#define RPC_LIMIT_FIELD_TIME  uint64_t

struct rpc_limits {
#define X(field, type, min, max, value, unit, meaning) RPC_LIMIT_FIELD_##type field;
#include "rpc/rpc_limits.h"
#undef X
};

static inline struct rpc_limits rpc_limits_default(void)
{
	return (struct rpc_limits){
#define X(field, type, min, max, value, unit, meaning) .field = (RPC_LIMIT_FIELD_##type)(value),
#include "rpc/rpc_limits.h"
#undef X
	};
}
