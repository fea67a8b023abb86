/*
 * outgoing.h -- a stored event as a publish.
 *
 * Shape     the row's texts and its CloudEvent in the upstream JSON form, copied into one block that the publish points to.
 *           Its id for the bus is the sender's key where there is one, else the CloudEvent id, so that every re-send, also
 *           by another process, is the same message to the bus's de-duplication.
 * Owner     outgoing_release() frees the block; the publish must have been answered.
 * Source    facts argo-events 3.1 (payload), 4.1 (Nats-Msg-Id)
 */
#pragma once

#include "bus/bus.h"
#include "store/store.h"

struct outgoing {
	struct bus_publish publish;
	struct str event_id;
	struct buf block;
};

/* Fills everything but timeout_ms and on_done. `suffix` is appended to the id; it may be empty. */
enum err outgoing_build(const struct store_row *row, struct str suffix, struct outgoing *ret_outgoing);

void outgoing_release(struct outgoing *o);
