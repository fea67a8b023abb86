/*
 * channel_impl.h -- a channel from the inside. Internal to rpc.
 *
 * Shape     channel.c the channel; channel_dial.c one attempt to connect; channel_call.c a client's end of a call.
 */
#pragma once

#include <netdb.h>

#include "base/mem.h"
#include "rpc/call_impl.h"

enum channel_state { CHANNEL_DOWN, CHANNEL_CONNECTING, CHANNEL_UP };

struct channel_lookup;

struct rpc_channel {
	struct rpc_end end;
	struct rpc_channel_options o;
	char *host;
	char *authority; /* ":authority" of requests */
	char *name;      /* that the certificate must have */
	char *user_agent;
	enum channel_state state;
	struct loop_timer timer;
	struct channel_lookup *lookup;
	struct addrinfo *addresses;
	const struct addrinfo *next_address;
	uv_connect_t connect;
	struct rpc_conn *conn;
	struct why why; /* of this attempt */
	bool connected; /* some address took us: the others are not tried */
	bool closing;
	void (*on_closed)(void *ctx);
	void *on_closed_ctx;
};

static inline struct rpc_channel *channel_of(struct rpc_end *end)
{
	return CONTAINER_OF(end, struct rpc_channel, end);
}

/* channel.c */

/* The attempt, or the connection, is over: tell. The last thing that anybody does with the channel in this call. */
void channel_down(struct rpc_channel *ch);

/* channel_dial.c */

/* Nothing of the attempt is left. */
void channel_end_attempt(struct rpc_channel *ch);

/* The next address; true: something is under way that calls back. */
bool channel_dial_next(struct rpc_channel *ch);

/* The story of the attempt; the first one counts. */
void channel_tell_why(struct rpc_channel *ch, enum err err, const char *text);

/* The attempt takes too long. */
void channel_on_due(struct loop_timer *timer);
