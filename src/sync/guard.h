/*
 * guard.h -- holds a resync that would delete too much: an empty source after a bad restore must not wipe the sites.
 *
 * Shape     a decision over the counts of one peer. Held deletes wait; creates and updates go on. An operator's release is good for
 *           as many deletes as were held when it was given, and no more.
 * Source    issue 3 "Resync"; argocd-agent facts 10 (#831)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*    name       type      min  max         default  unit       meaning */
#define GUARD_LIMITS(X)                                                       \
	X(share_max, uint32_t, 0, 100, 50, "percent",                         \
	  "A resync that deletes a larger share of a peer's copies is held; " \
	  "100: never.")                                                      \
	X(count_min, uint32_t, 1, 1000000000, 3, "copies", "Fewer deletes than this are never held.")

struct guard_limits {
#define X(name, type, min, max, default, unit, meaning) type name;
	GUARD_LIMITS(X)
#undef X
};

extern const struct guard_limits GUARD_DEFAULTS;

struct guard_case {
	const char *peer;
	uint64_t copies; /* the peer has, or may have, before this resync */
	/* Of these the resync would delete, and those of it that were sent since the last one that ended. */
	uint64_t deletes;
	uint64_t released; /* deletes an operator has released; 0: none */
};

struct guard_verdict {
	bool held;
	char text[256]; /* for the log and the status; "" when there is nothing to say */
};

void guard_decide(const struct guard_limits *limits, const struct guard_case *c, struct guard_verdict *ret_verdict);
