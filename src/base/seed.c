#include "base/seed.h"

#define STEP 0x9e3779b97f4a7c15ULL

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t seed_next(uint64_t *seed)
{
	return mix(*seed += STEP);
}

uint64_t seed_nth(uint64_t seed, uint64_t n)
{
	return mix(seed + n * STEP);
}
