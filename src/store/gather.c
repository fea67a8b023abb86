#include "store/gather.h"

uint64_t gather_wait_ns(const struct gather *g, size_t waiting)
{
	uint64_t wait = g->commit_ns / GATHER_SHARE;

	if (waiting == 0 || waiting >= g->last || wait < GATHER_MIN_NS)
		return 0;
	return wait < GATHER_MAX_NS ? wait : GATHER_MAX_NS;
}

void gather_begin(struct gather *g, size_t requests)
{
	g->last = requests;
}

void gather_learn(struct gather *g, uint64_t ns)
{
	g->commit_ns = g->commit_ns ? (7 * g->commit_ns + ns) / 8 : ns;
}
