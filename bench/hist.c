#include "hist.h"

#include <math.h>
#include <stddef.h>

#define SUB (1u << HIST_SUB_BITS)

static size_t slot_of(uint64_t value)
{
	unsigned shift;

	if (value < SUB)
		return (size_t)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
	return ((size_t)shift << HIST_SUB_BITS) + (size_t)(value >> shift);
}

/* The largest value that falls into `slot`. */
static uint64_t slot_top(size_t slot)
{
	unsigned shift;

	if (slot < 2 * SUB)
		return slot;
	shift = (unsigned)(slot >> HIST_SUB_BITS) - 1;
	return ((((uint64_t)(slot & (SUB - 1)) + SUB) << shift) | ((1ull << shift) - 1));
}

void hist_add(struct hist *h, uint64_t value)
{
	h->slots[slot_of(value)]++;
	h->n++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	for (size_t i = 0; i < HIST_SLOTS; i++)
		into->slots[i] += from->slots[i];
	into->n += from->n;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
}

uint64_t hist_at(const struct hist *h, double percent)
{
	uint64_t want = (uint64_t)ceil((double)h->n * percent / 100);
	uint64_t seen = 0;

	if (h->n == 0)
		return 0;
	if (want == 0)
		want = 1;
	for (size_t i = 0; i < HIST_SLOTS; i++) {
		seen += h->slots[i];
		if (seen >= want)
			return slot_top(i) < h->max ? slot_top(i) : h->max;
	}
	return h->max;
}

uint64_t hist_mean(const struct hist *h)
{
	return h->n ? h->sum / h->n : 0;
}
