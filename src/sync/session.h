/*
 * session.h -- everything one end knows about one peer: what it should have, what came of it, and the stream of the moment.
 *
 * Shape     peer, source and replica of one role. Streams come and go; a session stays. Pure: messages, reports of the backend and
 *           the time go in; messages, writes and rows come out through what it was given. The owner's turn: put in what happened,
 *           session_work(), write what session_take() gives, journal_flush(), and come back at session_due().
 * Units     ms of the owner's monotonic clock; wall clock in ns.
 * Owner     backend, journal and configuration are borrowed and live longer.
 * Threads   one.
 * Source    argocd-agent facts 2.8 to 2.11, 3, 4; docs/delivery.md, docs/sync.md
 */
#pragma once

#include "sync/roles.h"
#include "sync/room.h"
#include "wire/refusal.h"

struct session;

/* For the log and metrics; and the few things a session cannot do itself. NULL functions: not of interest. */
struct session_events {
	/* An event of the peer's was dealt with. `text`: what was done, or why not. */
	void (*on_applied)(void *ctx, const struct delivery_event *event, const struct replica_place *place,
			   enum delivery_outcome outcome, bool retryable, const char *text);
	/* A message that could not be taken, an answer, or an event of ours that can never be sent (peer.h). */
	void (*on_heard)(void *ctx, const struct peer_heard *heard);
	/* A change by somebody else was undone (E_OK), or could not be yet. */
	void (*on_reverted)(void *ctx, const struct replica_place *place, enum err err, const char *text);
	/* The peer makes us hold too much, which is refused for now; or no longer (room.h). */
	void (*on_full)(void *ctx, const struct room *room);
	/* The guard begins to hold deletes of ours (guard.h): why. */
	void (*on_held)(void *ctx, const char *text);
	/* An agent's statistics (facts 2.8 cluster-cache-info-update): JSON. */
	void (*on_cache_info)(void *ctx, struct str json);
	/* Outside of the owner's turn something came about: there may be work, or messages to take. */
	void (*on_wake)(void *ctx);
	/* A reply that needs a call of its own (wire/refusal.h): its one message. */
	void (*on_refusal)(void *ctx, enum wire_refusal refusal, struct str message);
	void *ctx;
};

/*    name            type      min  max       default  unit  meaning */
#define SESSION_LIMITS(X)                                                                            \
	X(resync_ms, uint64_t, 1000, 86400000, 300000, "ms",                                         \
	  "While connected, the end that holds copies asks for a comparison this often.")            \
	X(peer_objects, uint64_t, 0, 100000000, 100000, "objects",                                   \
	  "Here because the peer says so, at most; more are refused for now (room.h). 0: no limit.") \
	X(peer_bytes, uint64_t, 0, 1ULL << 44, 4ULL << 30, "bytes", "The same, by size.")

struct session_limits {
#define X(name, type, min, max, default, unit, meaning) type name;
	SESSION_LIMITS(X)
#undef X
};

extern const struct session_limits SESSION_DEFAULTS;

struct session_options {
	struct role_config role;
	const char *rows; /* what the peer is called in the ledger; borrowed */
	struct backend *backend;
	struct journal *journal;
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct guard_limits guard;
	struct session_limits limits;
	struct room *all;     /* the room of all peers together; borrowed; NULL: none */
	struct str source;    /* of our CloudEvents */
	uint64_t message_max; /* bytes of the largest message that we take, and send at most; 0: no limit */
	uint64_t seed;
	struct session_events events;
};

/* Strings of the role's configuration are borrowed. */
struct session *session_new(const struct session_options *options, uint64_t now_ms);

/* No more work is begun, the stream is over. Freed when session_is_idle(). */
void session_stop(struct session *s);
bool session_is_idle(const struct session *s);
void session_free(struct session *s); /* takes NULL */

/* The peer is no more: it is idle, and is freed next. The ledger forgets it; E_NOMEM: not all of it, once more. */
enum err session_forget(struct session *s);

/* A row of the ledger that names this peer: of COPY, then COMMAND and REPLICA. Before anything else. */
enum err session_load(struct session *s, enum ledger_table table, const struct ledger_row *row);

/* The backend reports. Objects that are not for this peer may be reported too. E_NOMEM: report it again later. */
enum err session_object(struct session *s, struct object *o, uint64_t now_ms, int64_t wall_ns);
void session_object_gone(struct session *s, struct object *last, uint64_t now_ms, int64_t wall_ns);
void session_synced(struct session *s, uint64_t now_ms, int64_t wall_ns);

/* A problem of the backend is over: what was refused because of it need not wait for its time. */
void session_recovered(struct session *s);

/* What we grant a peer of our own dialect. */
struct wire_dialect session_offer(const struct session *s);

/* A new stream. E_CANCELLED: a newer one is there. */
enum err session_open(struct session *s, uint64_t epoch, const struct wire_dialect *agreed, uint64_t now_ms);
void session_close(struct session *s, uint64_t epoch);

/* Did the peer say that it maps applications in another way? Then a namespace means something else there. */
bool session_maps_otherwise(const struct session *s);

/* For people, of such a peer. */
#define SESSION_MAPS_OTHERWISE                                                                                        \
	"--destination-based-mapping is given at one end only: give it at both or at none, else applications do not " \
	"get where they should"

/* The peer ended a stream because it takes no message of more bytes; see peer_told_max(). */
void session_told_max(struct session *s, uint64_t message_max);
uint64_t session_epoch(const struct session *s);

/* A message came on the stream `epoch`; see peer_receive(). */
void session_receive(struct session *s, uint64_t epoch, struct str message, uint64_t now_ms, uint64_t random);

/* Stop reading until session_work() has made room? */
bool session_is_full(const struct session *s);

/* Deal with what came and what is due. */
void session_work(struct session *s, uint64_t now_ms, int64_t wall_ns);

/* The next message to write into the empty `message`; false: none now. See peer_take(), peer_sent(). */
bool session_take(struct session *s, uint64_t now_ms, int64_t wall_ns, struct buf *message, uint64_t *ret_order);
void session_sent(struct session *s, uint64_t order, uint64_t now_ms, uint64_t random);

/* A sign of life to the peer: an agent's (facts 2.11). */
void session_heartbeat(struct session *s);

/* When to come back though nothing happens; UINT64_MAX: never. */
uint64_t session_due(const struct session *s, uint64_t now_ms);

/* For status. */
struct source *session_source(struct session *s);
struct replica *session_replica(struct session *s);
struct peer *session_peer(struct session *s);
const struct room *session_room(const struct session *s);
