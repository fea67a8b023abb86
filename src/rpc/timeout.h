/*
 * timeout.h -- the time a caller gives to a call, as grpc-timeout says it.
 *
 * Shape     one to eight digits and a unit: H M S m u n.
 * Units     ms here; a part of a ms counts as a whole one, so that a short timeout does not become none.
 * Source    PROTOCOL-HTTP2.md: Timeout
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

#define RPC_TIMEOUT_MAX 12 /* of the text, terminated */

/* False: not a timeout. */
bool rpc_timeout_parse(struct str field, uint64_t *ret_ms);

/* The smallest unit in which eight digits suffice, rounded up; more than 99999999 hours are said as that. Its length. */
size_t rpc_timeout_write(uint64_t ms, char ret_text[static RPC_TIMEOUT_MAX]);
