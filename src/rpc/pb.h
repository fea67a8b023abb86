/*
 * pb.h -- protobuf messages to and from calls.
 *
 * Shape     a thin layer over protobuf-c: its allocator is base/mem.h, and a message is packed into a buffer once.
 * Owner     pb_free() what pb_read() gave.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/buf.h"
#include "rpc/call.h"

/* The message in `bytes`; E_MALFORMED (also for a string that is not UTF-8, or has a NUL in it), E_NOMEM. */
enum err pb_read(const ProtobufCMessageDescriptor *type, struct str bytes, ProtobufCMessage **ret_message);
void pb_free(ProtobufCMessage *message);

/* rpc_send() of `message`. */
enum err pb_send(struct rpc_call *call, const ProtobufCMessage *message);
