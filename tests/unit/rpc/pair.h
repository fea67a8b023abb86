/*
 * pair.h -- a server and a client in one loop, for the tests of rpc.
 *
 * Shape     the service: /t/Echo answers each message with itself; /t/Unary one message with itself, metadata "x-a" in head and
 *           trailer; /t/Address with the caller's address; /t/Hang never; /t/Wait takes one message and pauses; /t/Full fills its queue
 *           until E_BUSY, then ends when there is room again.
 *           What happens is written down, a word each: "up", "down", "msg:TEXT", "close:CODE:TEXT", "cancel", ...
 */
#pragma once

#include "rpc/channel.h"
#include "rpc/server.h"

struct pair {
	struct loop loop;
	struct rpc_server *server;
	struct rpc_channel *channel;
	struct tls_server *tls_server;
	struct tls_client *tls_client;
	struct metrics *metrics;
	struct buf log;
	size_t server_messages; /* that handlers were given */
	size_t filled;          /* messages of /t/Full before E_BUSY */
	uv_timer_t patience;
	uint16_t port;
	long fail_at; /* this allocation fails, counted from where rpc begins; 0: none */
};

/* False without memory: nothing is left but pair_end(). `limits` NULL: the usual. */
bool pair_start(struct pair *p, const struct rpc_limits *server_limits, const struct rpc_limits *client_limits);

/* Stop everything and free it. */
void pair_end(struct pair *p);

/* Connect and wait until it is up or down. */
bool pair_connect(struct pair *p);

/* Turn the loop until `done` holds. False: it does not within the patience. */
bool pair_until(struct pair *p, bool (*done)(const struct pair *p));

/* Turn the loop until `word` stands in the log; fails the test when it does not come. */
void pair_await(struct pair *p, const char *word);

bool pair_logged(const struct pair *p, const char *word);

/*
 * A call that writes down what it hears; E_OK or why it could not begin. Its user may be another call, which is cancelled when it hears
 * that it is writable.
 */
enum err pair_call(struct pair *p, const char *path, const struct rpc_metadata *metadata, uint64_t timeout_ms,
		   bool gzip, struct rpc_call **ret_call);
