/*
 * process.h -- the running principal. Internal to principal.
 *
 * Shape     principal.c      start, reload, stop
 *           access.c         who may come: users, blocked certificates, keys
 *           auth_service.c   Authenticate, RefreshToken
 *           event_service.c  Subscribe, Push: streams and the sessions behind them
 *           server.c         the server: certificate, limits, the table of services, Version
 *           observe.c        log lines and metrics
 *           web.c            /metrics, /healthz, /readyz, /status, /release
 *           forget.c         /forget: an agent that is gone for good
 */
#pragma once

#include "auth/login.h"
#include "auth/turns.h"
#include "backend/backend.h"
#include "daemon/pump.h"
#include "daemon/web.h"
#include "net/work.h"
#include "principal/hub.h"
#include "principal/principal.h"
#include "principal/principal_metrics.h"
#include "rpc/health.h"
#include "rpc/reflection.h"
#include "rpc/server.h"
#include "sync/selector.h"

#define PRINCIPAL_LOG "principal"

/* An agent's stream, while it is open. */
struct stream {
	struct principal *principal;
	struct hub_agent *agent;
	struct pump pump;
	uint64_t since_ms; /* wall clock */
};

/* What happened to somebody who may not be there, or happens again and again, is in the status for so long. */
#define REMEMBERED_MS 600000

struct principal {
	struct daemon daemon;
	const struct principal_options *options;
	struct backend *backend;
	struct hub *hub;
	struct rpc_server *server;
	struct tls_server *tls;
	struct rpc_health *health;
	struct rpc_reflection *reflection;
	const struct rpc_service *services[8];
	size_t service_count;
	struct auth_rule auth;
	struct passwords *passwords;
	struct blocklist *blocklist;
	struct patterns *accept;
	struct patterns *allowed;
	struct selector *selector;
	struct credentials credentials;
	struct jwt_keys *keys;
	struct work_pool *pool;
	struct turns waiting; /* logins whose password waits to be checked */
	unsigned checks;      /* passwords that workers have */
	struct login_rules rules;
	struct buf uid; /* of this principal, for ever */
	struct principal_metrics metrics;
	struct traffic traffic;
	struct quiet refusals;             /* lines about logins that were refused: by strangers, too */
	struct quiet_addresses handshakes; /* lines about TLS that did not come about */
	struct quiet unowned;              /* lines about applications that belong to nobody */
	char turned_away[512];             /* who was last, and why: */
	uint64_t turned_away_ms;           /* then */
	struct web web;
	uint64_t next_epoch;
	size_t streams;
	struct push *pushes;
	bool backend_open;
	bool stopping;
	bool closing; /* the last step of it */
	bool cut;     /* the time for open calls is over */
	struct loop_timer drain;
};

/* access.c: what decides about logins is read, and read again. */
enum err access_open(struct principal *p, struct why *why);
void access_reload(struct principal *p);

/* auth_service.c */
extern const struct rpc_method auth_methods[];
extern const size_t auth_method_count;

/* Who asks, as far as the connection and the metadata say it. */
struct login_peer principal_peer(const struct principal *p, const struct rpc_call *call);

/* It stops: whoever waits for a check of its password is told to come again. Nobody waits for what workers have. */
void logins_end(struct principal *p);

/* event_service.c */
extern const struct rpc_method event_methods[];
extern const size_t event_method_count;

/* An agent may have something to write: the hub's on_ready. */
void stream_pump(struct hub_agent *agent);

/* The agent begins anew: the hub's on_retired. */
void stream_retired(struct hub_agent *agent);

/* End the streams and pushes of agents that may no longer come (after a reload); end the streams of all. */
void streams_review(struct principal *p);
void streams_end(struct principal *p);

/* server.c: listens; and reads the certificate again. */
enum err server_start(struct principal *p, struct why *why);
void server_reload(struct principal *p);

/* observe.c */
enum err observe_init(struct principal *p);
void observe_release(struct principal *p);
struct hub_events observe_events(struct principal *p);
void observe_login(struct principal *p, const struct login_answer *answer, const struct rpc_peer *peer);
void observe_tls_failed(void *principal, const char *address, const struct why *why);
void observe_connected(struct principal *p, const struct stream *s, const struct wire_dialect *dialect);
void observe_replaced(struct principal *p, struct hub_agent *agent);
void observe_disconnected(struct principal *p, const struct stream *s, const struct rpc_ending *ending);

/* web.c */
enum err web_start(struct principal *p, struct why *why);

/* forget.c: POST /forget?agent=NAME, with &dry-run only what would be; and such a request is over. */
void forget_post(void *principal, struct http_request *r);
void forget_closed(void *principal, struct http_request *r);

/* principal.c: something ended; stop goes on when all has. */
void principal_ended(struct principal *p);

/* grpc.health.v1 says what /readyz says: after each change of that. */
void principal_tell_health(struct principal *p);
