/*
 * quiet.h -- how much one peer may make us write into the log.
 *
 * Shape     a token bucket for each peer: QUIET_BURST lines at once, QUIET_PER_MINUTE after that. What was not said is counted, and
 *           the next line that is says how much that was.
 * Units     ms of a monotonic clock.
 */
#pragma once

#include "base/rate.h"

#define QUIET_PER_MINUTE 30
#define QUIET_BURST      20

/* Zeroed before. */
struct quiet {
	struct rate rate;
	uint64_t unsaid;
};

/* May a line be written now? Then `*ret_unsaid` is how many were not, since the last that was. */
bool quiet_ask(struct quiet *q, uint64_t now_ms, uint64_t *ret_unsaid);

/* Lines about what addresses do before anybody knows who they are: one for each, then none for a while. */
#define QUIET_ADDRESSES   32 /* with lines in that time */
#define QUIET_ADDRESS_MS  60000
#define QUIET_ADDRESS_MAX 46

/* Zeroed before. */
struct quiet_addresses {
	struct {
		bool used;
		char address[QUIET_ADDRESS_MAX];
		uint64_t said_ms;
		uint64_t unsaid;
	} rows[QUIET_ADDRESSES];
};

/* May a line about `address` be written now? Then `*ret_unsaid` is how many about it were not, since its last. */
bool quiet_ask_address(struct quiet_addresses *q, const char *address, uint64_t now_ms, uint64_t *ret_unsaid);
