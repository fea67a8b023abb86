/*
 * fields.h -- header fields on their way out. Internal to rpc.
 *
 * Shape     a struct rpc_metadata of fields as they stand on the wire, and the array that nghttp2 wants of it.
 * Errors    sticky in the list: E_NOMEM
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "rpc/code.h"
#include "rpc/metadata.h"

/* Metadata (NULL: none) as fields: "-bin" values become text. */
void rpc_fields_add(struct rpc_metadata *fields, const struct rpc_metadata *metadata);

/* grpc-status and, unless empty, grpc-message. */
void rpc_fields_status(struct rpc_metadata *fields, enum rpc_code code, struct str message);

/* The array: mem_free() it before the list changes. NULL without memory. */
nghttp2_nv *rpc_fields_nv(const struct rpc_metadata *fields);
