/*
 * call_impl.h -- a call from the inside. Internal to rpc.
 *
 * Shape     call.c the handle and its queue; call_receive.c messages that come; server_call.c and channel_call.c what the two
 *           ends do with heads and ends.
 *           A call is alive as long as somebody holds it: its stream, its owner (the handle), a callback that runs.
 */
#pragma once

#include "rpc/channel.h"
#include "rpc/conn.h"
#include "rpc/fields.h"
#include "rpc/message.h"
#include "rpc/server.h"

/* A message on its way out. */
struct rpc_chunk {
	struct rpc_chunk *next;
	size_t n;
	size_t sent;
	unsigned char bytes[];
};

struct rpc_call {
	struct rpc_conn *conn; /* NULL: the connection is gone */
	struct rpc_call *prev, *next;
	unsigned refs;
	int32_t stream; /* its id; 0: not begun */
	void *user;
	char *path;
	struct method_metrics *method_metrics; /* NULL: its method is not counted */
	uint64_t begun_ms;                     /* when that was begun */
	struct loop_timer deadline;
	uint64_t timeout_ms; /* a server's: as the head says; UINT64_MAX: it has none */

	/* in */
	struct rpc_reader reader;
	struct buf waiting; /* came while paused */
	struct rpc_metadata metadata;
	struct rpc_metadata trailing; /* a client's: came with the end; a server's: fields to end with */
	struct buf message;           /* a client's: grpc-message, decoded */
	size_t head_bytes;
	size_t head_held;  /* taken from the connection's memory for fields */
	struct str single; /* the one message of a unary call, in the reader */
	bool have_single;
	bool paused;
	bool unpacking;    /* its message goes on in the next turn */
	bool handing_out;  /* messages are being handed out, further up the stack */
	bool remote_end;   /* END_STREAM came */
	bool end_told;     /* and the owner knows */
	bool head_done;    /* the first head was complete */
	bool packed_in;    /* grpc-encoding: gzip */
	bool accepts_gzip; /* grpc-accept-encoding has gzip */

	/* out */
	struct rpc_chunk *first, **last;
	size_t queued;
	bool packing;     /* messages of ours may be packed */
	bool head_sent;   /* HEADERS was given to nghttp2 */
	bool finished;    /* nothing follows what is queued */
	bool deferred;    /* nghttp2 waits for more */
	bool blocked;     /* the owner was told E_BUSY, or asked to be told */
	bool until_empty; /* and wants to hear only when the queue is empty */
	bool stream_over; /* nghttp2 has closed it */
	bool owned;       /* the handle is out */
	bool counted;     /* in the metrics */

	/* a server's */
	const struct rpc_method *method;
	void *service;
	unsigned http_status; /* to refuse with; a client's: what came */
	enum rpc_code code;   /* to refuse with; a client's: what came */
	const char *refusal;  /* why no handler sees it; static */
	struct rpc_ending ending;
	bool is_post, type_ok;
	bool have_status; /* a client's: grpc-status came */

	/* a client's */
	struct rpc_call_options options;
};

/* call.c */

/* A call of this connection, held by its stream. NULL without memory. */
struct rpc_call *rpc_call_new(struct rpc_conn *conn);
void rpc_call_ref(struct rpc_call *call);
void rpc_call_unref(struct rpc_call *call);

/* nghttp2 wants up to `n` bytes for DATA. */
ssize_t rpc_call_read(nghttp2_session *h2, int32_t stream, uint8_t *p, size_t n, uint32_t *flags,
		      nghttp2_data_source *source, void *ctx);

/* A server's end of the stream; only when no DATA is queued, which it would overtake. E_NOMEM */
enum err rpc_call_send_trailing(struct rpc_call *call);

/* There is something for DATA again, or its end. */
void rpc_call_wake(struct rpc_call *call);

/* What was counted of its header fields is given back. */
void rpc_call_drop_head(struct rpc_call *call);

/* Throw away what is queued. */
void rpc_call_drop_queue(struct rpc_call *call);

/* Tell the owner that there is room, if it was told to wait. */
void rpc_call_offer(struct rpc_call *call);

/* Reset the stream. */
void rpc_call_reset(struct rpc_call *call, uint32_t error_code);

/* Its stream is closed (an HTTP/2 error code), or will never be: the stream's hold on it ends. */
void rpc_call_on_stream_over(struct rpc_call *call, uint32_t error_code);

/* The connection ends: so does the call. */
void rpc_call_on_conn_gone(struct rpc_call *call);

/* Start the deadline. */
enum err rpc_call_set_deadline(struct rpc_call *call, uint64_t timeout_ms);

/* It failed by itself: tell the owner and the peer. */
void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *text);

/* The handle is no longer out. */
void rpc_call_disown(struct rpc_call *call);

/* It is a call of its path, of this kind. */
void rpc_call_begun(struct rpc_call *call, enum rpc_kind kind);

/* It was counted once, by its code. */
void rpc_call_count(struct rpc_call *call, enum rpc_code code);

/* server_call.c */

/* The first HEADERS of an answer, if they have not gone; with messages behind them. */
enum err rpc_server_call_head(struct rpc_call *call, const struct rpc_metadata *metadata);

/* What a server's end of a call does. */
void rpc_server_on_field(struct rpc_call *call, struct str name, struct str value);
void rpc_server_on_head(struct rpc_call *call, bool end);
void rpc_server_on_remote_end(struct rpc_call *call);
void rpc_server_on_over(struct rpc_call *call, enum rpc_code code, const char *text);

/* The method of `path`, and its service's ctx; NULL: there is none. (server.c) */
const struct rpc_method *rpc_server_method(struct rpc_end *end, struct str path, void **ret_ctx);

/* channel_call.c */

/* What a client's end of a call does. */
void rpc_channel_on_field(struct rpc_call *call, struct str name, struct str value);
void rpc_channel_on_head(struct rpc_call *call, bool end);
void rpc_channel_on_remote_end(struct rpc_call *call);
void rpc_channel_on_over(struct rpc_call *call, enum rpc_code code, const char *text);

/* A call on a connection that is up. */
enum err rpc_channel_call_start(struct rpc_conn *conn, const char *authority, const char *user_agent,
				const struct rpc_call_options *options, struct rpc_call **ret_call);

/* call_fields.c */

/* What both ends read the same way: content-type, grpc-encoding, grpc-accept-encoding, metadata. False: unknown encoding. */
bool rpc_call_on_common_field(struct rpc_call *call, struct rpc_metadata *metadata, struct str name, struct str value);

/* call_receive.c */

/* Bytes of DATA. */
void rpc_call_receive(struct rpc_call *call, struct str bytes);

/* END_STREAM. */
void rpc_call_receive_end(struct rpc_call *call);

/* Go on with what waits. */
void rpc_call_go_on(struct rpc_call *call);
