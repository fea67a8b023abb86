/*
 * call.h -- one gRPC call: messages both ways, and its end.
 *
 * Shape     the same handle on both ends. A server's handler gets it with on_open (server.h), a client's from rpc_start()
 *           (channel.h). Messages go out through a bounded queue: rpc_send() says E_BUSY when it is at its mark, and on_writable
 *           says when there is room. Messages come in one at a time; rpc_pause() stops them, and, as the peer's window for this
 *           call runs out, stops the peer. No call ever waits for another one's window.
 * Units     bytes; ms of the loop's clock.
 * Owner     a server's handle is the handler's until rpc_finish(), or until on_cancel returns; a client's until rpc_cancel(), or
 *           until on_close returns. Exactly one of the two happens. What callbacks get is lent until they return.
 * Threads   the loop's only. Callbacks come from the loop; none comes from inside a function of this header, except
 *           rpc_resume(), which may hand out what waited.
 * Errors    E_BUSY   the queue is at its mark; nothing was taken
 *           E_LIMIT  longer than message_max; nothing was taken
 *           E_NOMEM  nothing was taken
 */
#pragma once

#include "base/err.h"
#include "net/tls.h"
#include "rpc/code.h"
#include "rpc/metadata.h"

struct rpc_call;

enum rpc_kind {
	RPC_UNARY,         /* one message, one answer */
	RPC_CLIENT_STREAM, /* messages, one answer */
	RPC_SERVER_STREAM, /* one message, answers */
	RPC_BIDI,          /* both as they like */
};

/* The other end of a connection. */
struct rpc_peer {
	const char *address;        /* a client's as text, without the port; else empty */
	const struct tls_peer *tls; /* what its certificate says; NULL: it showed none */
};

/* Why a server's call was cancelled. */
struct rpc_ending {
	const char *text;   /* "the peer does not answer pings" */
	const char *detail; /* of a connection: what the peer or TLS said; "" when they said nothing */
	bool orderly;       /* it was the peer's wish, or ours, and nothing broke */
};

/*
 * Put a message into the queue, copied. The headers leave with the first one. A message for a call that has ended, and whose owner
 * has not been told yet because it is paused, is dropped.
 */
enum err rpc_send(struct rpc_call *call, struct str message);

/* Server: send the headers now, with metadata (NULL: none), copied. At most once and before the first message. */
enum err rpc_send_headers(struct rpc_call *call, const struct rpc_metadata *metadata);

/*
 * Server: the end. What waits in the queue is sent first, then the status and trailing metadata (NULL: none), copied. Without
 * memory for them the stream is reset. The handle is gone.
 */
void rpc_finish(struct rpc_call *call, enum rpc_code code, struct str message, const struct rpc_metadata *trailing);

/* Client: no more messages from us. */
void rpc_half_close(struct rpc_call *call);

/* Client: forget the call; the server is told. No callback comes any more. The handle is gone. */
void rpc_cancel(struct rpc_call *call);

/* Stop and go on with messages, and with the half-close or on_close behind them. */
void rpc_pause(struct rpc_call *call);
void rpc_resume(struct rpc_call *call);

/* on_writable comes when everything in the queue has left; once. Nothing comes when the queue is empty already. */
void rpc_notify_empty(struct rpc_call *call);

/* Bytes in the queue. */
size_t rpc_queued(const struct rpc_call *call);

/* What came with the headers: the client's metadata at a server, the server's at a client. */
const struct rpc_metadata *rpc_metadata(const struct rpc_call *call);

/* NULL: the connection has gone already. */
const struct rpc_peer *rpc_peer(const struct rpc_call *call);

/* Server: in on_cancel, why. Its texts are lent until that returns. */
struct rpc_ending rpc_ending(const struct rpc_call *call);

/* The owner's. */
void rpc_set_user(struct rpc_call *call, void *user);
void *rpc_user(const struct rpc_call *call);
