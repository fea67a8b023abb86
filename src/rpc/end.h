/*
 * end.h -- what the connections of one server, or of one channel, share. Internal to rpc.
 *
 * Shape     settings, scratch memory, and the turn: connections that were touched are flushed once, at the end of the
 *           turn of the loop, from an idle handle that runs only while there are any.
 * Owner     embedded in its server or channel; connections must be gone before rpc_end_close().
 * Threads   the loop's.
 */
#pragma once

#include "net/loop.h"
#include "rpc/budget.h"
#include "rpc/gzip.h"
#include "rpc/limit.h"
#include "rpc/method_metrics.h"
#include "rpc/rpc_metrics.h"

#define RPC_READ_SIZE  (64 << 10) /* bytes per read */
#define RPC_WRITE_SIZE (64 << 10) /* bytes per write */

/* Answers that a server's peer may leave unread: acknowledgements, resets, refusals, heads. */
#define RPC_UNREAD_MAX 5000

struct rpc_conn;
struct rpc_call;

/* What a server and a client do differently. */
struct rpc_role {
	bool is_server;
	/* A header field of `call`. */
	void (*on_field)(struct rpc_call *call, struct str name, struct str value);
	/* A header block of `call` is complete; with `end` the stream's last. */
	void (*on_head)(struct rpc_call *call, bool end);
	/* The peer has said that it sends no more, and all messages were handed out. */
	void (*on_remote_end)(struct rpc_call *call);
	/* The stream is closed, or the call failed by itself: the handle's last moment. */
	void (*on_over)(struct rpc_call *call, enum rpc_code code, const char *text);
	/* HTTP/2 is ready. */
	void (*on_open)(struct rpc_conn *conn);
	/* The peer sends GOAWAY, with an HTTP/2 error code and a text. */
	void (*on_goaway)(struct rpc_conn *conn, uint32_t error_code, struct str text);
	/* The connection is freed after this. */
	void (*on_gone)(struct rpc_conn *conn);
};

struct rpc_end {
	struct loop *loop;
	const struct rpc_role *role;
	struct rpc_limits limits;
	struct rpc_metrics metrics;
	struct method_metrics *methods;
	struct rpc_budget memory; /* of messages that come */
	struct gzip gzip;
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
	uv_idle_t turn;
	struct rpc_conn *touched;
	struct rpc_conn **touched_tail;
	size_t touched_count;
	struct buf frames;  /* what is gathered for one write */
	struct buf records; /* memory for what TLS makes of it, lent to the session that writes */
	void (*on_closed)(struct rpc_end *end);
	char input[RPC_READ_SIZE];
	char plain[RPC_READ_SIZE]; /* what TLS made of it */
};

/* E_NOMEM: nothing is left behind. */
enum err rpc_end_init(struct rpc_end *end, struct loop *loop, const struct rpc_role *role,
		      const struct rpc_limits *limits, struct metrics *metrics);

/* Frees it; `on_closed` comes when libuv is done with it, never before this returns. */
void rpc_end_close(struct rpc_end *end, void (*on_closed)(struct rpc_end *end));

/* Flush `conn` at the end of this turn. */
void rpc_end_touch(struct rpc_end *end, struct rpc_conn *conn);

/* `conn` goes away. */
void rpc_end_forget(struct rpc_end *end, struct rpc_conn *conn);

/* The memory functions for nghttp2: base/mem.h. */
nghttp2_mem *rpc_end_mem(void);
