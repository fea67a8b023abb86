/*
 * channel.h -- a client's connection to one gRPC server.
 *
 * Shape     rpc_channel_connect() makes one attempt: look up the name, try its addresses in order, TLS, HTTP/2. It reports on_up or
 *           on_down, and on_down once more when a connection that was up ends. When to try again is the caller's decision.
 *
 *     DOWN --connect--> CONNECTING --on_up--> UP --GOAWAY--> DRAINING
 *      ^                    |                 |                 |
 *      +----- on_down ------+-----------------+-----------------+
 *
 * Owner     the channel is the caller's until rpc_channel_close(); TLS and metrics are borrowed until its callback.
 * Threads   the loop's only.
 * Errors    of rpc_start(): E_UNAVAILABLE (not up), E_MALFORMED (a path or metadata that cannot be sent), E_LIMIT, E_NOMEM
 */
#pragma once

#include "base/metrics.h"
#include "net/loop.h"
#include "rpc/call.h"
#include "rpc/limit.h"

struct rpc_channel_options {
	const char *host; /* name or address */
	uint16_t port;
	const char *authority;    /* :authority, and the name in the server's certificate; NULL: host */
	const char *user_agent;   /* NULL: "holdfast" */
	struct tls_client *tls;   /* NULL: plaintext */
	struct rpc_limits limits; /* keepalive_ms and idle_ms do not count here */
	uint64_t connect_ms;      /* for one attempt, all of it; 0: 20 s */
	/*
	 * Ping the server when nothing has come for so long while a call is open. 0: never. gRPC servers end connections of
	 * clients that ping more often than they allow, usually every 5 minutes.
	 */
	uint64_t keepalive_ms;
	struct metrics *metrics; /* NULL: none */
	/* The server's first SETTINGS are there: calls may start. */
	void (*on_up)(void *ctx);
	/* The attempt failed, or the connection ended (all its calls had their on_close). E_UNAVAILABLE, E_TIMEOUT, E_NOMEM, ... */
	void (*on_down)(void *ctx, enum err err, const struct why *why);
	/* The server takes no more calls, and says why; those that are open go on, then on_down comes. NULL: not of interest. */
	void (*on_drain)(void *ctx, const struct why *why);
	void *ctx;
};

struct rpc_channel;

/* What `options` points to is copied. */
enum err rpc_channel_new(struct loop *loop, const struct rpc_channel_options *options, struct why *why,
			 struct rpc_channel **ret_channel);

/*
 * One attempt. Only when the channel is down: before the first, and from on_down on (inside it, too). E_NOMEM: there was none, and
 * on_down does not come for it.
 */
enum err rpc_channel_connect(struct rpc_channel *ch);

/*
 * The end: calls get on_close with CANCELLED; on_down does not come any more. `on_closed` comes when the channel is freed, never
 * before this returns.
 */
void rpc_channel_close(struct rpc_channel *ch, void (*on_closed)(void *ctx), void *ctx);

/* Would rpc_start() begin a call now? Not while the server drains. */
bool rpc_channel_is_up(const struct rpc_channel *ch);

/* End the connection, when there is one; on_down comes for it, never before this returns. */
void rpc_channel_disconnect(struct rpc_channel *ch);

struct rpc_call_options {
	const char *path;                    /* "/package.Service/Method" */
	enum rpc_kind kind;                  /* for the metrics */
	const struct rpc_metadata *metadata; /* NULL: none */
	uint64_t timeout_ms;                 /* 0: none */
	bool gzip;                           /* pack what gets smaller by it */
	size_t message_max; /* one message of the answer, when less than the channel's limit; 0: that */
	/* The server's headers are there. NULL: not of interest. */
	void (*on_headers)(struct rpc_call *call);
	void (*on_message)(struct rpc_call *call, struct str message);
	/* There is room again after E_BUSY. NULL: not of interest. */
	void (*on_writable)(struct rpc_call *call);
	/* The last one: how it ended, and the trailing metadata. */
	void (*on_close)(struct rpc_call *call, const struct rpc_status *status, const struct rpc_metadata *trailing);
	void *user;
};

/* Begin a call; `options` is copied, metadata too. The handle is the caller's as call.h has it. On an error there is no call. */
enum err rpc_start(struct rpc_channel *ch, const struct rpc_call_options *options, struct rpc_call **ret_call);
