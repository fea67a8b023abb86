/*
 * gather.h -- how long the writer waits for the rest of a group.
 *
 * Shape     senders that were answered by one commit tend to come again together, a moment later. When fewer requests
 *           wait than the last group had, a short wait brings them into one commit instead of two. It is half a commit at
 *           most, so it never costs more than it can save, and it ends by itself: a smaller group is what the next one is
 *           measured against, and a sender alone never waits.
 * Units     ns
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GATHER_MAX_NS 50000
#define GATHER_ENOUGH 16 /* requests among which a commit's fixed cost is spread well enough */

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
