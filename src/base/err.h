/*
 * err.h -- what can go wrong, said once.
 *
 * Shape     one row per error: name, text for people, HTTP status, gRPC status.
 *           Functions that can fail return `enum err`; `struct why` (why.h) tells the story.
 * Source    HTTP: RFC 9110 15; gRPC: statuscodes.md of the gRPC documentation.
 */
#pragma once

/*    name             text                                   http  grpc */
#define ERRORS(X)                                                \
	X(OK, "ok", 200, 0)                                      \
	X(MALFORMED, "malformed input", 400, 3)                  \
	X(UNAUTHENTICATED, "not authenticated", 401, 16)         \
	X(FORBIDDEN, "not allowed", 403, 7)                      \
	X(NOT_FOUND, "not found", 404, 5)                        \
	X(TIMEOUT, "not done in time", 503, 4)                   \
	X(EXISTS, "exists already", 409, 6)                      \
	X(CONFLICT, "changed meanwhile", 409, 10)                \
	X(LIMIT, "over a configured limit", 413, 8)              \
	X(UNSUPPORTED, "not supported", 415, 12)                 \
	X(BUSY, "in use by another process", 503, 14)            \
	X(FULL, "the store is full", 503, 8)                     \
	X(NOMEM, "out of memory", 503, 8)                        \
	X(UNAVAILABLE, "peer, bus or disk unavailable", 503, 14) \
	X(CANCELLED, "cancelled", 503, 1)                        \
	X(IO, "input or output failed", 500, 13)                 \
	X(CORRUPT, "stored data is corrupt", 500, 15)            \
	X(CONFIG, "bad configuration", 500, 9)                   \
	X(INTERNAL, "unexpected condition", 500, 13)

enum err {
#define X(name, text, http, grpc) E_##name,
	ERRORS(X)
#undef X
		ERR_COUNT,
};

/* The row's text, for logs and people. Never NULL. */
const char *err_text(enum err err);

/* The row's name in lower case ("unavailable"), for metrics labels and JSON. Never NULL. */
const char *err_name(enum err err);

/* The HTTP status that says this to a client. */
int err_http(enum err err);

/* The gRPC status code that says this to a peer. */
int err_grpc(enum err err);
