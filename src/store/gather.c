#include "store/gather.h"

uint64_t gather_wait_ns(const struct gather *g, size_t waiting)
{
	uint64_t half = g->commit_ns / 2;

	if (waiting == 0 || waiting >= g->last || waiting >= GATHER_ENOUGH)
		return 0;
	return half < GATHER_MAX_NS ? half : GATHER_MAX_NS;
}

void gather_begin(struct gather *g, size_t requests)
{
	g->last = requests;
}

void gather_learn(struct gather *g, uint64_t ns)
{
	g->commit_ns = g->commit_ns ? (7 * g->commit_ns + ns) / 8 : ns;
}
