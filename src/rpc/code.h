/*
 * code.h -- how a call ended: gRPC's status codes.
 *
 * Shape     one row per code: name as gRPC writes it, and as Go's programs do; the number is the row's place.
 * Source    gRPC documentation, statuscodes.md, http-grpc-status-mapping.md, PROTOCOL-HTTP2.md ("Errors")
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/*    name                 as Go writes it */
#define RPC_CODES(X)                                 \
	X(OK, "OK")                                  \
	X(CANCELLED, "Canceled")                     \
	X(UNKNOWN, "Unknown")                        \
	X(INVALID_ARGUMENT, "InvalidArgument")       \
	X(DEADLINE_EXCEEDED, "DeadlineExceeded")     \
	X(NOT_FOUND, "NotFound")                     \
	X(ALREADY_EXISTS, "AlreadyExists")           \
	X(PERMISSION_DENIED, "PermissionDenied")     \
	X(RESOURCE_EXHAUSTED, "ResourceExhausted")   \
	X(FAILED_PRECONDITION, "FailedPrecondition") \
	X(ABORTED, "Aborted")                        \
	X(OUT_OF_RANGE, "OutOfRange")                \
	X(UNIMPLEMENTED, "Unimplemented")            \
	X(INTERNAL, "Internal")                      \
	X(UNAVAILABLE, "Unavailable")                \
	X(DATA_LOSS, "DataLoss")                     \
	X(UNAUTHENTICATED, "Unauthenticated")

enum rpc_code {
#define X(name, go) RPC_##name,
	RPC_CODES(X)
#undef X
		RPC_CODE_COUNT,
};

/* The end of a call: code and a text for people. */
struct rpc_status {
	enum rpc_code code;
	struct str message; /* UTF-8 as a rule; a peer may send anything */
};

/* "NOT_FOUND"; "UNKNOWN" for a number without a row. Never NULL. */
const char *rpc_code_name(enum rpc_code code);

/* "NotFound": as the metrics of Go's programs have it. Of a row. */
const char *rpc_code_go_name(enum rpc_code code);

/* The value of a grpc-status field; what is no number or has no row is UNKNOWN. */
enum rpc_code rpc_code_parse(struct str field);

/* What an answer without a grpc-status means: its HTTP status says it. */
enum rpc_code rpc_code_of_http(unsigned status);

/* What a stream that was reset means: the HTTP/2 error code says it. */
enum rpc_code rpc_code_of_h2(uint32_t error_code);

/* The code that tells a peer about `err`. */
enum rpc_code rpc_code_of_err(enum err err);
