#include "delivery/lag.h"

const int64_t lag_bounds[LAG_BOUNDS + 1] = { 1,    2,    5,     10,    20,    50,     100,    200,    500,     1000,
					     2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 0 };

static void halve(struct lag *l)
{
	l->total = 0;
	for (unsigned i = 0; i <= LAG_BOUNDS; i++) {
		l->counts[i] /= 2;
		l->total += l->counts[i];
	}
}

void lag_note(struct lag *l, uint64_t ms)
{
	unsigned i = 0;

	while (i < LAG_BOUNDS && ms > (uint64_t)lag_bounds[i])
		i++;
	l->counts[i]++;
	l->total++;
	l->last_ms = ms;
	if (l->total >= LAG_FULL)
		halve(l);
}

/* Its share of the way from the bound below to its own, rounded up: 0 would mean that nothing was measured. */
static uint64_t within(const struct lag *l, unsigned i, uint64_t rank)
{
	uint64_t below = i ? (uint64_t)lag_bounds[i - 1] : 0;

	if (i == LAG_BOUNDS)
		return below;
	return below + (((uint64_t)lag_bounds[i] - below) * rank + l->counts[i] - 1) / l->counts[i];
}

uint64_t lag_quantile(const struct lag *l, unsigned permille)
{
	uint64_t rank = ((uint64_t)l->total * permille + 999) / 1000;

	for (unsigned i = 0; i <= LAG_BOUNDS && rank; i++) {
		if (rank <= l->counts[i])
			return within(l, i, rank);
		rank -= l->counts[i];
	}
	return 0;
}
