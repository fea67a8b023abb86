/*
 * server.h -- gRPC services on one listening socket.
 *
 * Shape     a service is a table of methods; the server finds the method, reads messages, keeps deadlines, and answers by
 *           itself what no handler should see (unknown method, wrong content type, two messages to a unary method).
 * Owner     services, TLS and metrics are borrowed until on_stopped.
 * Threads   the loop's only; one server per loop, several loops may share a port (listen.h).
 * Errors    what a peer does wrong ends its call with a status, or its connection with GOAWAY; both are counted.
 * Source    gRPC over HTTP/2 (PROTOCOL-HTTP2.md); RFC 9113; docs/why/nghttp2.md
 */
#pragma once

#include "base/metrics.h"
#include "net/loop.h"
#include "rpc/call.h"
#include "rpc/limit.h"

/* Enough for all that has to be said to a method that answers everybody. */
#define RPC_SMALL_MESSAGE (16 << 10)

struct rpc_method {
	const char *path; /* "/package.Service/Method" */
	enum rpc_kind kind;
	/* The headers are there. May finish the call. `ctx` is the service's. */
	void (*on_open)(struct rpc_call *call, void *ctx);
	/* Unary and server stream: the one message, when the client has ended its side. */
	void (*on_message)(struct rpc_call *call, struct str message);
	/* The client sends no more. NULL: not of interest. */
	void (*on_half_close)(struct rpc_call *call);
	/* There is room again after E_BUSY. NULL: not of interest. */
	void (*on_writable)(struct rpc_call *call);
	/* Cancelled, past its deadline, broken, or the connection is gone. NULL: the handler keeps nothing. */
	void (*on_cancel)(struct rpc_call *call);
	/* A call that breaks (a message over the limit or malformed, no memory) ends with UNAVAILABLE: its clients come again after that. */
	bool break_unavailable;
	/* One message, when it is less than the server's limit. 0: that. */
	size_t message_max;
};

/* A .proto file as reflection hands it out. */
struct rpc_file {
	const char *name;      /* "grpc/health/v1/health.proto" */
	struct str descriptor; /* a serialized FileDescriptorProto */
};

struct rpc_service {
	const char *name; /* "package.Service" */
	const struct rpc_method *methods;
	size_t method_count;
	const struct rpc_file *const *files; /* its own and those it imports; NULL: none are shown */
	size_t file_count;
	void *ctx;
};

struct rpc_server_options {
	struct tls_server *tls;   /* NULL: plaintext, HTTP/2 with prior knowledge */
	struct rpc_limits limits; /* rpc_limits_default() */
	struct metrics *metrics;  /* NULL: none */
	const struct rpc_service *const *services;
	size_t service_count;
};

struct rpc_server;

/* Whoever made this call has shown who it is: its connection may take what agents may (rpc_limits.h), and keeps its place. */
void rpc_vouch(struct rpc_call *call);

/*
 * Serve on `fd`, a bound and listening socket (owned from here on). E_UNAVAILABLE, E_NOMEM, E_EXISTS (a path twice): `fd` is
 * closed then. With TLS the context must offer ALPN "h2".
 */
enum err rpc_server_start(struct loop *loop, int fd, const struct rpc_server_options *options, struct why *why,
			  struct rpc_server **ret_server);

/*
 * Stop: no new connections; the open ones are told (GOAWAY), take no new calls and end with their last one. With `now` all calls
 * are cancelled; a second call may turn a stop that waits into one that does not. `on_stopped` comes when all are gone and
 * the server is freed, never before this returns.
 */
void rpc_server_stop(struct rpc_server *s, bool now, void (*on_stopped)(void *ctx), void *ctx);
