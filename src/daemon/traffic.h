/*
 * traffic.h -- what one end of the sync counts about its events: how many, of what, and how long they took.
 *
 * Shape     the same for both ends, under the names that upstream gives it at each (a row of traffic_sides). Series that name an agent
 *           are for the first TRAFFIC_NAMED_MAX agents; all others share those of TRAFFIC_OTHERS, so that a page stays a page. What can
 *           be read off the sessions is set when somebody looks: traffic_refresh().
 *
 *               queues   send   waiting: to leave for the first time;   work: from there to the peer's answer
 *                        recv   waiting: to be begun;                   work: from there to our answer
 *
 * Units     ms of the loop's clock; wall clock in ns.
 * Owner     embedded; the registry is borrowed. Handles are the registry's.
 * Threads   the loop's.
 * Source    argocd-agent facts 7.1 to 7.3, 9.3; docs/reference/metrics.md
 */
#pragma once

#include "base/map.h"
#include "base/metrics.h"
#include "sync/session.h"

#define TRAFFIC_NAMED_MAX 1000
#define TRAFFIC_OTHERS    "_other" /* the name of no agent */

enum traffic_end { TRAFFIC_PRINCIPAL, TRAFFIC_AGENT, TRAFFIC_END_COUNT };

/* How an event of the peer's ended. The third is upstream's "not-allowed" at the principal and "discarded" at an agent. */
enum traffic_status { TRAFFIC_SUCCESS, TRAFFIC_FAILURE, TRAFFIC_FOR_GOOD, TRAFFIC_STATUS_COUNT };

/* One of the two queues, over all peers. */
struct traffic_queue {
	struct metric *depth, *unfinished_ms, *longest_ms; /* gauges */
	struct metric *adds, *retries;                     /* counters */
	struct metric *queued_ms, *worked_ms;              /* histograms */
};

/* What is counted per agent (at an agent: per mode), looked up when it is needed first. Zeroed before traffic_begin(). */
struct traffic_peer {
	const char *name; /* borrowed; NULL: not begun */
	struct metric *processing_ms[TRAFFIC_STATUS_COUNT][WIRE_TARGET_COUNT];
};

struct traffic {
	enum traffic_end end;
	struct metrics *registry;
	struct map names; /* of agents that have series of their own */
	struct metric *received, *sent;
	struct metric *errors[WIRE_TARGET_COUNT];
	struct metric *propagation_ms[WIRE_TARGET_COUNT]; /* an agent's */
	struct traffic_queue send, recv;
	/* Ours, over all peers. */
	struct metric *lag_ms; /* from a change to its confirmation */
	struct metric *waiting, *in_flight, *quarantined, *oldest_ms, *resent, *rejected, *held;
	struct metric *no_room;  /* events of peers that were refused for want of it */
	struct metric *reverted; /* changes by others to copies */
	struct metric *problems; /* the backend's, now */
};

/* Sums over sessions. */
struct traffic_sums {
	uint64_t sessions, waiting, in_flight, quarantined, held, added, resent, no_room;
	uint64_t queued, accepted, repeats; /* of what comes */
	uint64_t oldest_ms;                 /* age of the oldest event that is not confirmed */
	struct delivery_progress out, in;   /* under way */
};

void traffic_init(struct traffic *t, struct metrics *registry, enum traffic_end end);
void traffic_release(struct traffic *t);

/* What series are called that name this agent: by it, or TRAFFIC_OTHERS. Borrowed until traffic_release(). */
const char *traffic_name(struct traffic *t, struct str agent);

/* `name`: traffic_name() at the principal, the mode at an agent. */
void traffic_begin(struct traffic *t, struct traffic_peer *peer, const char *name);

/* An event of the peer's was dealt with. */
void traffic_applied(struct traffic *t, struct traffic_peer *peer, const struct delivery_event *event,
		     enum delivery_outcome outcome, bool retryable, uint64_t now_ms, int64_t wall_ns);

/* The peer answered, or sent what cannot be taken. */
void traffic_heard(struct traffic *t, const struct traffic_peer *peer, const struct peer_heard *heard,
		   const struct outbox *outbox);

/* Add one session; and show them all. A counter does not go back, also when a session has gone with its count. */
void traffic_sum(struct session *s, uint64_t now_ms, struct traffic_sums *sums);
void traffic_refresh(struct traffic *t, const struct traffic_sums *sums);
