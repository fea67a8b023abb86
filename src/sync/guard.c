#include "sync/guard.h"

#include <inttypes.h>
#include <stdio.h>

const struct guard_limits GUARD_DEFAULTS = {
#define X(name, type, min, max, default, unit, meaning) .name = default,
	GUARD_LIMITS(X)
#undef X
};

/* In whole percent, down; more deletes than copies are all of them. */
static uint64_t percent(uint64_t deletes, uint64_t copies)
{
	if (deletes >= copies)
		return 100;
	return (uint64_t)((double)deletes / (double)copies * 100);
}

static bool exceeds(const struct guard_limits *limits, const struct guard_case *c)
{
	if (limits->share_max >= 100 || c->deletes < limits->count_min)
		return false;
	return (double)c->deletes * 100 > (double)c->copies * limits->share_max;
}

void guard_decide(const struct guard_limits *limits, const struct guard_case *c, struct guard_verdict *ret_verdict)
{
	bool exceeded = exceeds(limits, c);
	struct guard_verdict v = { .held = exceeded && c->deletes > c->released };
	const char *what = "an operator has released them";

	if (v.held)
		what = c->released ? "held: more than an operator has released"
				   : "held until an operator releases them";
	if (exceeded)
		(void)snprintf(v.text, sizeof(v.text),
			       "%s: a resync would delete %" PRIu64 " of %" PRIu64 " copies (%" PRIu64
			       " %%, more than %u %%): %s",
			       c->peer, c->deletes, c->copies, percent(c->deletes, c->copies), limits->share_max, what);
	*ret_verdict = v;
}
