/*
 * site.h -- an agent without its sockets: the objects there are, and its one session with the principal.
 *
 * Shape     as principal/hub.h with one peer: what the backend reports goes to the session; site_turn() lets it work and calls
 *           on_ready, which writes what session_take() gives; then the rows of the turn go to the ledger.
 * Units     ms of the loop's clock; wall clock in ns.
 * Owner     options are borrowed for as long as the site lives.
 * Threads   one.
 * Source    argocd-agent facts 2.9, 4.3, 4.4, 4.5
 */
#pragma once

#include "auth/agent.h"
#include "sync/session.h"

struct site;

struct site_events {
	/* The session has, or may have, something to write. */
	void (*on_ready)(void *ctx, struct session *session);
	/* As of session_events. */
	void (*on_applied)(void *ctx, const struct delivery_event *event, const struct replica_place *place,
			   enum delivery_outcome outcome, bool retryable, const char *text);
	void (*on_heard)(void *ctx, const struct peer_heard *heard);
	void (*on_reverted)(void *ctx, const struct replica_place *place, enum err err, const char *text);
	void (*on_full)(void *ctx, const struct room *room); /* NULL: not of interest */
	void (*on_held)(void *ctx, const char *text);        /* NULL: likewise */
	void (*on_refusal)(void *ctx, enum wire_refusal refusal, struct str message);
	/* As of hub_events. */
	void (*on_problem)(void *ctx, const struct why *why, bool bad);
	void (*on_synced)(void *ctx);
	void (*on_wake)(void *ctx);
	void *ctx;
};

struct site_options {
	enum agent_mode mode;
	struct agent_name name;       /* as the principal knows it; may become known only when it lets us in */
	struct mapping_agent mapping; /* principal_namespace is set by site_let_in() */
	struct identity_policy policy;
	enum merge_recreate recreate;
	struct backend *backend;
	struct journal *journal;
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct guard_limits guard;
	struct session_limits limits;
	struct str source;
	uint64_t message_max; /* as of session_options */
	uint64_t seed;
	uint64_t (*now_ms)(void *ctx);
	int64_t (*wall_ns)(void *ctx);
	struct site_events events;
};

struct site *site_new(const struct site_options *options);

/* A row of the ledger; all of COPY, then COMMAND and REPLICA, before site_start(). Others are not looked at. */
enum err site_load(struct site *s, enum ledger_table table, const struct ledger_row *row);
enum err site_start(struct site *s, struct why *why);

/* The principal let us in: who we are to it, and the namespace that it calls its own. E_NOMEM. */
enum err site_let_in(struct site *s, const struct agent_name *name, struct str principal_namespace);

struct session *site_session(struct site *s);
bool site_is_synced(const struct site *s);

/* Something happened to the session: it gets its turn. */
void site_ready(struct site *s);

/* Returns when to come back; UINT64_MAX: not until something happens. */
uint64_t site_turn(struct site *s);

void site_stop(struct site *s);
bool site_is_idle(const struct site *s);
void site_free(struct site *s); /* takes NULL */
