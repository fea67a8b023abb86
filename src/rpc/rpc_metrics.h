/*
 * rpc_metrics.h -- what is counted about connections and calls.
 *
 * Shape     one row per reason for which a connection ends: name, label, the HTTP/2 error code we send with it, text.
 *           Handles are looked up once per server or channel; without a registry they count into nothing.
 * Threads   any.
 */
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/metrics.h"
#include "rpc/code.h"

#define RPC_ENDS(X)                                                                                \
	X(PEER, "peer", NO_ERROR, "the peer closed the connection")                                \
	X(DRAINED, "drained", NO_ERROR, "all calls are done")                                      \
	X(STOPPED, "stopped", NO_ERROR, "we stop")                                                 \
	X(IDLE, "idle", NO_ERROR, "no call for too long")                                          \
	X(IO, "io", NO_ERROR, "the connection broke")                                              \
	X(TLS, "tls", NO_ERROR, "TLS failed")                                                      \
	X(PROTOCOL, "protocol", PROTOCOL_ERROR, "the peer broke HTTP/2")                           \
	X(HANDSHAKE_TIME, "handshake_time", SETTINGS_TIMEOUT, "the handshake took too long")       \
	X(HEAD_TIME, "head_time", ENHANCE_YOUR_CALM, "the header of a call took too long")         \
	X(WRITE_TIME, "write_time", NO_ERROR, "the peer takes no bytes")                           \
	X(KEEPALIVE, "keepalive", NO_ERROR, "the peer does not answer pings")                      \
	X(CONNS, "connections", NO_ERROR, "too many connections")                                  \
	X(RESETS, "resets", ENHANCE_YOUR_CALM, "too many streams were reset")                      \
	X(PINGS, "pings", ENHANCE_YOUR_CALM, "too many PING frames")                               \
	X(SETTINGS, "settings", ENHANCE_YOUR_CALM, "too many SETTINGS frames")                     \
	X(EMPTIES, "empties", ENHANCE_YOUR_CALM, "too many frames without content")                \
	X(CONTINUATIONS, "continuations", ENHANCE_YOUR_CALM, "too many CONTINUATION frames")       \
	X(HEADERS, "headers", ENHANCE_YOUR_CALM, "a header list far over the limit")               \
	X(UNREAD, "unread", ENHANCE_YOUR_CALM, "the peer asks for answers and does not read them") \
	X(MEMORY, "memory", INTERNAL_ERROR, "out of memory")

enum rpc_end_reason {
#define X(name, label, h2, text) RPC_END_##name,
	RPC_ENDS(X)
#undef X
		RPC_END_COUNT,
};

/* "too many PING frames". Never NULL. */
const char *rpc_end_text(enum rpc_end_reason reason);

uint32_t rpc_end_h2(enum rpc_end_reason reason);

struct rpc_metrics {
	struct metrics *registry; /* NULL: none */
	struct metric *conns;     /* open now */
	struct metric *conns_begun;
	struct metric *conns_ended[RPC_END_COUNT];
	struct metric *calls[RPC_CODE_COUNT]; /* ended, by code */
	struct metric *sent, *sent_bytes;     /* messages */
	struct metric *received, *received_bytes;
	struct metric nothing;
};

/* `side`: "server" or "client". `registry` NULL: count into nothing. */
void rpc_metrics_init(struct rpc_metrics *m, struct metrics *registry, const char *side);
