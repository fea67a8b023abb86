/*
 * session_impl.h -- the inside of a session. Internal to sync.
 *
 * Shape     session.c           life, reports, streams
 *           session_messages.c  what comes, what leaves, and the work in between
 *           session_request.c   comparisons and requests of the peer, and ours
 */
#pragma once

#include "sync/session.h"

struct session {
	struct session_options o;
	struct role role;
	struct peer *peer;
	struct room room;
	struct source *source;
	struct replica *replica;
	enum wire_mapping peer_maps; /* as it said when the last stream began */
	uint64_t now_ms;
	uint64_t resync_at; /* UINT64_MAX: not connected, or the peer asks */
	uint64_t asked_at;  /* when the last comparison began, or was answered with a list; 0: none was */
	bool compare_next;  /* one is due, when the requests of the last are answered */
	bool compared;      /* an upstream peer was asked about everything, or told to ask, once */
	bool synced;        /* the backend has reported all */
	bool more;          /* work was left for the next turn */
	struct buf arena;
};

static inline void session_set_time(struct session *s, uint64_t now_ms, int64_t wall_ns)
{
	s->now_ms = now_ms;
	s->role.wall_ns = wall_ns;
}

/* session.c */

/* An operation, or the wish for a refresh: what is asked of an agent's controllers, and gone when they have done it. */
bool session_asks(const struct session *s, enum delivery_type type, struct str message);

/* Say once more what became of the copy at this place. */
void session_tell_again(struct session *s, const struct replica_place *place);

/* session_request.c */

/* Deal with an event that is not about an object, and answer it. */
void session_request(struct session *s, struct inbox_work *work, const struct wire_event *e);

/* What was in the way of something of the peer's is gone: does it still want that here? */
void session_ask_for(struct session *s, enum object_kind kind, struct str namespace, struct str name);

/* The peer has answered: a comparison that waited for it begins. */
void session_compare_next(struct session *s);

/* Begin a comparison, and plan the next one; the end that holds copies does, the other does nothing. */
void session_compare(struct session *s);
