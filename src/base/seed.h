/*
 * seed.h -- numbers from a seed: the same each time, so that a run can be repeated. For ids and keys there is rand.h.
 *
 * Source    Vigna's splitmix64
 */
#pragma once

#include <stdint.h>

/* One after the other: the seed goes along. */
uint64_t seed_next(uint64_t *seed);

/* The n-th of a seed, from 1. */
uint64_t seed_nth(uint64_t seed, uint64_t n);
