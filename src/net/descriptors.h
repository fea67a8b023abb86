/*
 * descriptors.h -- how many files and sockets this process may have open.
 */
#pragma once

#include <stdint.h>

/* Kept for everything that is no connection: files of the backend, the ledger, pages. */
#define DESCRIPTORS_OTHER 128

/* Take what the hard limit gives; returns how many there are now. */
uint64_t descriptors_raise(void);

/* Of so many, how many may be connections, when `wanted` would be good. */
static inline uint64_t descriptors_for(uint64_t all, uint64_t wanted)
{
	uint64_t rest = all > 2 * DESCRIPTORS_OTHER ? all - DESCRIPTORS_OTHER : all / 2;

	return wanted < rest ? wanted : rest;
}
