/*
 * peer_impl.h -- the inside of a peer. Internal to sync.
 *
 * Shape     peer.c       life, streams, what comes
 *           peer_send.c  what goes
 */
#pragma once

#include "sync/peer.h"

struct peer {
	struct outbox *outbox;
	struct inbox *inbox;
	struct inbox_options inbox_options;
	struct outbox_options outbox_options;
	char *source;
	uint64_t epoch; /* of the open stream; 0: none */
	struct wire_dialect dialect;
	uint64_t requests; /* of peer_request() that are not answered */
	struct buf arena;  /* names of the message that is being read */
	uint64_t seed;
	uint64_t message_max; /* what we take; bytes, as all of these; 0: no limit */
	uint64_t told_max; /* what a peer that does not say it when a stream begins said when one ended; 0: nothing */
	uint64_t limit;    /* of the stream, for what we send: the smaller of ours and the peer's */
};

/* An answer, or what counts as one: was it the end of a peer_request()? Of these alone both ids are the same. */
static inline void peer_note_end(struct peer *p, const struct peer_heard *heard)
{
	bool over = heard->effect == OUTBOX_CONFIRMED || heard->effect == OUTBOX_REFUSED;

	if (over && heard->type == DELIVERY_REQUEST && str_eq(heard->resource_id, heard->event_id))
		p->requests -= p->requests > 0;
}
