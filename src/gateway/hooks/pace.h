/*
 * pace.h -- may the provider be asked again, and when? Judged by an answer.
 *
 * Shape     pure.
 * Units     waits in ms; Retry-After in seconds; the time of a reset in seconds since 1970, or from now when it is small.
 * Source    RFC 9110 10.2.3 (Retry-After); GitHub "Rate limits for the REST API" (403 and 429, X-RateLimit-*); GitLab "Rate limits"
 *           (429, RateLimit-*); Bitbucket Cloud, Stripe, Amazon: 429 or "Throttling"
 */
#pragma once

#include "base/str.h"

#define PACE_WAIT_MAX_MS 3600000ull

struct pace_fields {
	uint64_t retry_after_s; /* 0: not said */
	struct str remaining;   /* X-RateLimit-Remaining or RateLimit-Remaining */
	struct str reset;       /* X-RateLimit-Reset or RateLimit-Reset */
};

enum pace {
	PACE_GOOD,    /* an answer to what was asked; so is 404 */
	PACE_LIMITED, /* too many requests: nobody asks there before the wait is over */
	PACE_LATER,   /* the provider is not well */
	PACE_REFUSED, /* asking again would not help */
};

/* `*ret_wait_ms` is what the provider asks for; 0: nothing. With PACE_GOOD too: the last request of this hour. */
enum pace pace_judge(unsigned status, const struct pace_fields *f, int64_t wall_s, uint64_t *ret_wait_ms);
