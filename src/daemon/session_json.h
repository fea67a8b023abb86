/*
 * session_json.h -- one session in a status document: what is where with one peer. And its numbers, for metrics over all of them.
 */
#pragma once

#include "base/buf.h"
#include "sync/session.h"

/* What waits with one peer, or with all. */
struct session_sums {
	uint64_t sessions, waiting, in_flight, quarantined, held, resent;
	uint64_t oldest_ms; /* age of the oldest event that is not confirmed */
};

void session_sum(struct session *s, uint64_t now_ms, struct session_sums *sums);

/* Members of an object that has begun and has members already: ,"objects":1,"behind":0, ... */
void session_json(struct session *s, uint64_t now_ms, struct buf *json);
