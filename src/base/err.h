/*
 * err.h -- what can go wrong, said once.
 *
 * Shape     one row per error: name, text for people, gRPC status.
 *           Functions that can fail return `enum err`; `struct why` (why.h) tells the story.
 * Source    statuscodes.md of the gRPC documentation.
 */
#pragma once

/* enumerator, name, text, gRPC status */
#define ERRORS(X)                                                          \
	X(OK, "ok", "ok", 0)                                               \
	X(MALFORMED, "malformed", "malformed input", 3)                    \
	X(UNAUTHENTICATED, "unauthenticated", "not authenticated", 16)     \
	X(FORBIDDEN, "forbidden", "not allowed", 7)                        \
	X(NOT_FOUND, "not_found", "not found", 5)                          \
	X(TIMEOUT, "timeout", "not done in time", 4)                       \
	X(EXISTS, "exists", "exists already", 6)                           \
	X(CONFLICT, "conflict", "changed meanwhile", 10)                   \
	X(LIMIT, "limit", "over a configured limit", 8)                    \
	X(UNSUPPORTED, "unsupported", "not supported", 12)                 \
	X(BUSY, "busy", "in use by another process", 14)                   \
	X(FULL, "full", "the store is full", 8)                            \
	X(NOMEM, "nomem", "out of memory", 8)                              \
	X(UNAVAILABLE, "unavailable", "peer, bus or disk unavailable", 14) \
	X(CANCELLED, "cancelled", "cancelled", 1)                          \
	X(IO, "io", "input or output failed", 13)                          \
	X(CORRUPT, "corrupt", "stored data is corrupt", 15)                \
	X(CONFIG, "config", "bad configuration", 9)                        \
	X(INTERNAL, "internal", "unexpected condition", 13)

enum err {
#define X(id, name, text, grpc) E_##id,
	ERRORS(X)
#undef X
		ERR_COUNT,
};

/* The row's text, for logs and people. Never NULL. */
const char *err_text(enum err err);

/* The row's name ("unavailable"), for what tests and tools print. Never NULL. */
const char *err_name(enum err err);

/* The gRPC status code that says this to a peer. */
int err_grpc(enum err err);
