/*
 * gather.h -- how long the writer waits for the rest of a group.
 *
 * Shape     senders that were answered by one commit tend to come again together, a moment later: when the next one comes first, the
 *           others wait for a whole commit of their own, and two half groups take turns. Where a commit takes long, a wait that
 *           is short beside it brings them into one. It ends by itself: a smaller group is what the next one is measured
 *           against, and a sender alone never waits. A fast disk is never waited for.
 * Units     ns
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GATHER_SHARE  8     /* of a commit that is waited at most */
#define GATHER_MIN_NS 50000 /* a sleep that is shorter takes as long; for such a disk it is not worth it */
#define GATHER_MAX_NS 1000000

struct gather {
	size_t last;        /* requests in the last group */
	uint64_t commit_ns; /* what a commit takes, on a moving average */
};

/* With `waiting` requests at hand: how long to wait before they are committed; 0: not at all. */
uint64_t gather_wait_ns(const struct gather *g, size_t waiting);

/* A group with `requests` is about to be committed. */
void gather_begin(struct gather *g, size_t requests);

/* Its commit took `ns`. */
void gather_learn(struct gather *g, uint64_t ns);
