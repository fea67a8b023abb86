/*
 * hub.h -- a principal without its sockets: the objects there are, and one session for each agent.
 *
 * Shape     objects come from the backend and go to the sessions they concern: an application to the agent that owns it, projects,
 *           repositories and keys to all. Agents are known by the ledger's rows, by objects that belong to them, and by logging
 *           in; one that has never connected has its session all the same. Pure but for what it was given.
 *
 *               turn   whatever happened puts sessions on the ready list; hub_turn() lets each work and hands it to on_ready, which
 *                      writes what session_take() gives; then all rows of the turn go to the ledger as one group
 *
 * Units     ms of the loop's clock; wall clock in ns.
 * Owner     options are borrowed for as long as the hub lives.
 * Threads   one.
 * Source    argocd-agent facts 2.9, 4.2, 4.4, 5
 */
#pragma once

#include "auth/agent.h"
#include "base/heap.h"
#include "base/map.h"
#include "daemon/quiet.h"
#include "daemon/traffic.h"
#include "delivery/list.h"
#include "sync/session.h"

struct hub;

/* What became of an object of the backend. */
enum hub_change { HUB_CREATED, HUB_UPDATED, HUB_DELETED, HUB_CHANGE_COUNT };

/* One agent. */
struct hub_agent {
	struct hub *hub;
	struct agent_name name;
	enum agent_mode mode;
	struct session *session;
	struct link in_ready;
	struct heap_node due;
	char *rows;        /* its name in the ledger */
	bool complete;     /* its session has been told of all there was */
	uint64_t stale_ms; /* a report was lost for want of memory: all is reported again then; 0: none was */
	void *user;        /* the owner's: its stream */
	struct journal_listener *told; /* by hub_forget(); NULL: it is not forgotten */
	uint64_t replaced;    /* the owner's: its streams that gave way to newer ones, one soon after the other, */
	uint64_t replaced_ms; /* the last one then */
	struct quiet quiet;   /* the owner's: lines about events that went wrong */
	struct quiet coming;  /* the owner's: lines about streams that come and go, and room */
	struct traffic_peer traffic; /* the owner's: series that name it */
};

struct hub_events {
	/* It has, or may have, something to write: session_take(). */
	void (*on_ready)(void *ctx, struct hub_agent *agent);
	/* It came in another mode, or is forgotten: this handle ends when its work has. Its stream must end now. */
	void (*on_retired)(void *ctx, struct hub_agent *agent);
	/* The same as of session_events, with the agent. */
	void (*on_applied)(void *ctx, struct hub_agent *agent, const struct delivery_event *event,
			   const struct replica_place *place, enum delivery_outcome outcome, bool retryable,
			   const char *text);
	void (*on_heard)(void *ctx, struct hub_agent *agent, const struct peer_heard *heard);
	void (*on_reverted)(void *ctx, struct hub_agent *agent, const struct replica_place *place, enum err err,
			    const char *text);
	void (*on_full)(void *ctx, struct hub_agent *agent, const struct room *room); /* NULL: not of interest */
	void (*on_held)(void *ctx, struct hub_agent *agent, const char *text);        /* NULL: likewise */
	void (*on_cache_info)(void *ctx, struct hub_agent *agent, struct str json);
	/* Something became of an object that the backend had, or is new since it listed them. NULL: not of interest. */
	void (*on_change)(void *ctx, enum object_kind kind, enum hub_change change);
	/* An application belongs to no agent, or for another reason than before. NULL: not of interest. */
	void (*on_unowned)(void *ctx, const struct object *application, enum mapping_reason reason);
	/* The backend has trouble, or has it no longer (`bad` false). */
	void (*on_problem)(void *ctx, const struct why *why, bool bad);
	/* Everything the backend has is known, and the agents' sessions have been told. */
	void (*on_synced)(void *ctx);
	/* From outside of a turn something became ready: call hub_turn() soon. */
	void (*on_wake)(void *ctx);
	void *ctx;
};

struct hub_options {
	struct mapping_principal mapping;
	const char *principal_uid;
	struct backend *backend;
	struct journal *journal;
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct guard_limits guard;
	struct session_limits limits;
	uint64_t peers_bytes; /* limits.peer_bytes of all of them together, and a KiB for each object; 0: no limit */
	struct str source;
	uint64_t message_max; /* as of session_options */
	uint64_t seed;
	/* The time: monotonic ms and wall ns. */
	uint64_t (*now_ms)(void *ctx);
	int64_t (*wall_ns)(void *ctx);
	struct hub_events events;
};

struct hub *hub_new(const struct hub_options *options);

/* A row of the ledger; all of SETTING, then COPY, COMMAND and REPLICA, before hub_start(). Others are not looked at. */
enum err hub_load(struct hub *h, enum ledger_table table, const struct ledger_row *row);

/* Begin to watch the backend. */
enum err hub_start(struct hub *h, struct why *why);

/*
 * The agent of this name; made when it is missing. In another mode than before it begins anew. NULL: it has to come again; there is no
 * memory, or its last time in that mode has not ended.
 */
#define HUB_COME_AGAIN "come again: out of memory, or what the agent was in its other mode has not ended"
struct hub_agent *hub_agent(struct hub *h, struct str name, enum agent_mode mode);
struct hub_agent *hub_find(const struct hub *h, struct str name);

/*
 * It is gone for good: the hub and the ledger know nothing of it any more, and one of its name that comes is new. The handle ends as in
 * another mode (on_retired); `told` hears when all that is durable.
 */
void hub_forget(struct hub_agent *agent, struct journal_listener *told);

/* Applications in the source that are this agent's: with one of them it would be known again. */
uint64_t hub_owned(const struct hub_agent *agent);

/* All agents: begin with *at = 0; ends with NULL. Do not add agents meanwhile. */
struct hub_agent *hub_next(const struct hub *h, size_t *at);

/* Something happened to this agent: it gets its turn. */
void hub_ready(struct hub_agent *agent);

/* Everything that is ready or due. Returns when to come back; UINT64_MAX: not until something happens. */
uint64_t hub_turn(struct hub *h);

/* Objects known, for status and metrics. */
uint64_t hub_objects(const struct hub *h);
uint64_t hub_objects_of(const struct hub *h, enum object_kind kind);

/* Applications that belong to no agent for this reason. */
uint64_t hub_unowned(const struct hub *h, enum mapping_reason reason);
bool hub_is_synced(const struct hub *h);

/* No more work is begun; hub_free() when hub_is_idle(). The backend is the owner's to close, after this and before that. */
void hub_stop(struct hub *h);
bool hub_is_idle(const struct hub *h);
void hub_free(struct hub *h); /* takes NULL */
