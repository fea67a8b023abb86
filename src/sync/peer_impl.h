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
	struct buf arena; /* names of the message that is being read */
	uint64_t seed;
	uint64_t message_max; /* what we take; bytes, as all of these; 0: no limit */
	uint64_t told_max; /* what a peer that does not say it when a stream begins said when one ended; 0: nothing */
	uint64_t limit;    /* of the stream, for what we send: the smaller of ours and the peer's */
};
