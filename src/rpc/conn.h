/*
 * conn.h -- one HTTP/2 connection: its bytes, its clocks, its end. Internal to rpc.
 *
 * Shape     conn.c states and end; conn_io.c bytes; conn_time.c deadlines and keepalive; h2.c what nghttp2 tells us.
 *
 *     DIALING --> TLS --> SETTINGS --> OPEN --> ENDING --> LINGER --> CLOSING
 *        |         |         |           |         ^ |                   ^
 *        +---------+---------+-----------+---------+ +-------------------+
 *
 *           Whatever wants the connection to end says so with rpc_conn_end() and goes on; the end itself happens at the end of
 *           the turn: GOAWAY is sent, calls are told, the rest of what the peer sends is read and dropped for a moment so that it
 *           sees why (a close with unread bytes would make the kernel take our last words back).
 * Owner     libuv's handle keeps it until on_gone.
 * Threads   the loop's.
 */
#pragma once

#include <netinet/in.h>

#include "base/rate.h"
#include "net/tls.h"
#include "rpc/call.h"
#include "rpc/end.h"

/* Bytes that are written, or unpacked, in one turn for one connection before the others have theirs. */
#define RPC_TURN_MAX   (1 << 20)

#define RPC_LINGER_MS  1000
#define RPC_LINGER_MAX (1 << 20) /* bytes */

enum rpc_conn_state {
	RPC_CONN_DIALING,  /* a client's: not connected */
	RPC_CONN_TLS,      /* handshake */
	RPC_CONN_SETTINGS, /* waiting for the peer's first frame, which must be SETTINGS */
	RPC_CONN_OPEN,
	RPC_CONN_ENDING,  /* no input, no new calls; ends with this turn */
	RPC_CONN_LINGER,  /* our side is shut; what comes is dropped */
	RPC_CONN_CLOSING, /* libuv closes the handle */
};

struct rpc_conn {
	uv_tcp_t tcp;
	struct loop_timer timer;
	struct rpc_end *end;
	struct rpc_conn *prev, *next; /* of the owner */
	struct rpc_conn *next_touched;
	nghttp2_session *h2;
	struct tls_session *tls; /* NULL: plaintext */
	struct rpc_call *calls;
	size_t call_count;
	size_t blocked_count; /* calls that were told E_BUSY */
	size_t queued;        /* bytes of messages that wait to be sent */
	struct rpc_budget memory;
	struct rpc_peer peer;
	struct tls_peer cert;
	struct rate resets, pings, settings, empties;
	uint64_t state_ms;   /* when the state began */
	uint64_t heard_ms;   /* when bytes came last */
	uint64_t pinged_ms;  /* when our keepalive ping left; 0: none is waiting */
	uint64_t writing_ms; /* since when bytes wait for the kernel */
	uint64_t head_ms;    /* when a header block began; 0: none is open */
	uint64_t idle_ms;    /* since when there is no call */
	uint64_t keepalive_ms;
	size_t lingered;
	size_t head_bytes; /* of the header block that is coming, of every stream */
	unsigned writes;   /* given to libuv and not done */
	enum rpc_conn_state state;
	enum rpc_end_reason reason;
	struct why why;     /* the story of its end, as far as somebody has told it */
	size_t unpack_left; /* bytes that messages may still unpack to in this turn */
	bool unpacking;     /* a call has a message that goes on in the next */
	bool touched;
	bool peer_eof;
	bool draining;   /* GOAWAY was said or heard: no new calls */
	bool drain_told; /* with the real last stream */
	bool counted;    /* in the metrics */
	bool stranger;   /* a server's: nobody has vouched for it */
	char address[INET6_ADDRSTRLEN];
};

/* conn.c */

/* A connection that is not connected yet. */
void rpc_conn_init(struct rpc_conn *c, struct rpc_end *end);

/* The socket is connected: begin, with TLS when c->tls is set (owned from then on). */
void rpc_conn_start(struct rpc_conn *c);

/* End with this turn; the first reason counts. */
void rpc_conn_end(struct rpc_conn *c, enum rpc_end_reason reason);

/* No new calls; end when the last one is done. */
void rpc_conn_drain(struct rpc_conn *c);

/* A call more, a call less. */
void rpc_conn_add(struct rpc_conn *c, struct rpc_call *call);
void rpc_conn_remove(struct rpc_conn *c, struct rpc_call *call);

/* The next state; checked against the drawing. */
void rpc_conn_move(struct rpc_conn *c, enum rpc_conn_state state);

/* TLS is done, or there is none: HTTP/2 begins. */
void rpc_conn_begin_h2(struct rpc_conn *c);

/* Tear down what is above the socket, and close it. */
void rpc_conn_close(struct rpc_conn *c);

/* An end that flush carries out. */
void rpc_conn_finish(struct rpc_conn *c);

/* conn_io.c */

/* Send what there is to send, hand out room, and end what has ended. */
void rpc_conn_flush(struct rpc_conn *c);

/* Begin to read. */
void rpc_conn_read(struct rpc_conn *c);

/* Send frames as far as the kernel takes them; true: nothing is left. */
bool rpc_conn_send_frames(struct rpc_conn *c);

/* conn_time.c */

/* Wake up for the next deadline. */
void rpc_conn_settle(struct rpc_conn *c);

/* The peer has answered our ping. */
void rpc_conn_on_pong(struct rpc_conn *c, const uint8_t *opaque);

/* Ask for the answer that shows that the peer has seen the first GOAWAY. */
void rpc_conn_ping_for_drain(struct rpc_conn *c);

static inline bool rpc_conn_is_live(const struct rpc_conn *c)
{
	return c->state < RPC_CONN_ENDING;
}
