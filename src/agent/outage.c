#include "agent/outage.h"

#include "base/map.h"

/* Where an attempt failed, and why. */
static uint64_t way(const char *step, struct str reason)
{
	static const uint64_t of_steps[2], of_reasons[2] = { 1 };

	return siphash(of_steps, str_of(step)) ^ siphash(of_reasons, reason);
}

bool outage_failed(struct outage *o, const char *step, struct str reason)
{
	uint64_t now = way(step, reason);

	o->attempts++;
	for (size_t i = 0; i < o->count; i++)
		if (o->ways[i] == now)
			return false;
	if (o->count == OUTAGE_WAYS)
		return false;
	o->ways[o->count++] = now;
	return true;
}

uint64_t outage_end(struct outage *o)
{
	uint64_t attempts = o->attempts;

	*o = (struct outage){ 0 };
	return attempts;
}
