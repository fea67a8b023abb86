/*
 * process.h -- the running agent. Internal to agent.
 *
 * Shape     agent.c        start, reload, stop
 *           connection.c   from nothing to a stream, and again when it ended
 *           login_calls.c  Authenticate, Version, RefreshToken
 *           stream.c       Subscribe: messages both ways
 *           retry.c        when it connects again
 *           observe.c      note_...(): log lines and metrics
 *           web.c          /metrics, /healthz, /readyz, /status
 *
 *               IDLE --connect--> DIALLING --up--> LOGGING_IN --tokens--> ASKING --version--> OPENING --headers--> OPEN
 *                 ^                   |                 |                    |                   |              |
 *                 +---- backoff ------+-----------------+--------------------+-------------------+--------------+
 */
#pragma once

#include "agent/agent.h"
#include "agent/agent_metrics.h"
#include "agent/outage.h"
#include "agent/retry.h"
#include "agent/site.h"
#include "auth/identity.h"
#include "auth/jwt.h"
#include "auth/pattern.h"
#include "backend/backend.h"
#include "daemon/pump.h"
#include "daemon/quiet.h"
#include "daemon/traffic.h"
#include "daemon/web.h"
#include "rpc/channel.h"
#include "sync/selector.h"

#define AGENT_LOG "agent"

enum connection_state {
	CONNECTION_IDLE,       /* waits for its time, or ends */
	CONNECTION_DIALLING,   /* rpc_channel_connect() */
	CONNECTION_LOGGING_IN, /* Authenticate */
	CONNECTION_ASKING,     /* Version */
	CONNECTION_OPENING,    /* Subscribe was sent to a principal of ours, which will answer at once */
	CONNECTION_OPEN,       /* events flow; upstream's principals answer with their first event, whenever that is */
	CONNECTION_STATE_COUNT,
};

struct agent;

struct connection {
	struct agent *agent;
	enum connection_state state;
	struct rpc_channel *channel;
	struct tls_client *tls;
	struct rpc_call *call; /* the unary call that is under way; NULL: none */
	char *access_token, *refresh_token;
	struct jwt_claims claims;   /* of the access token */
	uint64_t token_ends_ms;     /* when it does */
	bool stale;                 /* it could not be renewed, and that was said */
	bool refused;               /* the refresh token was: log in again instead */
	struct backoff renewal;     /* between tries to renew it */
	struct buf answer;          /* of the unary call */
	struct wire_dialect speaks; /* what the principal said with Version */
	struct retry retry;
	/* IDLE: the next attempt; OPENING: out of patience; OPEN: leave. Always runs, so that moving it needs no memory. */
	struct loop_timer again;
	uint64_t wait_ms;          /* IDLE: between the end of the old connection and the next attempt */
	struct loop_timer refresh; /* OPEN: before the access token ends */
	struct loop_timer heartbeat;
	uint64_t open_ms; /* since when it is OPEN */
	bool up;          /* the channel is */
	bool closing;
	bool closed;
};

/* The open stream. */
struct stream {
	struct pump pump;
	struct rpc_call *telling; /* a refusal that has a call of its own; NULL: none */
	struct wire_dialect asked;
};

struct agent {
	struct daemon daemon;
	const struct agent_options *options;
	enum agent_mode mode;
	struct backend *backend;
	struct site *site;
	struct auth_creds creds;
	struct credentials credentials;
	struct patterns *allowed;
	struct selector *selector;
	struct connection connection;
	struct stream stream;
	struct agent_metrics metrics;
	struct traffic traffic;
	struct traffic_peer principal; /* whom all of it is with */
	struct outage outage;          /* attempts that failed since there was a stream */
	char failure[512];             /* where and why the last one did; "": none has */
	struct quiet quiet;            /* lines about events that went wrong */
	struct web web;
	uint64_t next_epoch;
	bool backend_open;
	bool stopping;
	bool closing;
	struct loop_timer drain;
};

/* connection.c */
enum err connection_init(struct connection *c, struct agent *agent, struct why *why);

/* The first attempt, at once; further ones follow by themselves. */
void connection_start(struct connection *c);

/* Why it failed may be over, for something was reloaded: the attempt that it waits for is made now. */
void connection_hurry(struct connection *c);

/* What was begun failed, or the stream ended: again after a while. `code` RPC_OK: not refused, the connection was lost. */
void connection_failed(struct connection *c, enum rpc_code code, const char *what, struct str why);

/* There is a new access token, with `claims`. */
void connection_renewed(struct connection *c);

/* Steps that succeeded. */
void connection_logged_in(struct connection *c);
void connection_asked(struct connection *c);
void connection_opened(struct connection *c);

/* No further attempts; `agent_ended()` when all is closed. */
void connection_stop(struct connection *c);
void connection_release(struct connection *c);

/* login_calls.c: each ends in a step of connection.c, or in connection_failed(). */
void login_authenticate(struct connection *c);
void login_ask_version(struct connection *c);
void login_renew_token(struct connection *c);

/* stream.c */
void stream_init(struct agent *a);
void stream_open(struct agent *a);
void stream_write(struct agent *a);

/* It is over for us: the session is told, the call cancelled. */
void stream_drop(struct agent *a);

/* The reply to a request that we do not serve: a call of one message. */
void stream_refuse(struct agent *a, enum wire_refusal refusal, struct str message);
void stream_heartbeat(struct agent *a);

/* observe.c */
enum err note_init(struct agent *a);
void note_release(struct agent *a);
struct site_events note_events(struct agent *a);
void note_connected(struct agent *a, const struct wire_dialect *dialect);
void note_failed(struct agent *a, enum rpc_code code, const char *what, struct str why, uint64_t again_ms);
void note_leaving(const struct why *why, uint64_t in_ms);
void note_closed(struct agent *a);

/* web.c */
enum err agent_web_start(struct agent *a, struct why *why);

/* agent.c: something ended; stop goes on when all has. */
void agent_ended(struct agent *a);
