/*
 * sim_sync_seeds.h -- seeds of runs that have failed; a change of the simulation makes other runs of them.
 */
#pragma once

#include <stdint.h>

static const uint64_t failed_seeds[] = { 1,
					 2,
					 4,
					 5,
					 6,
					 7,
					 8,
					 16,
					 22,
					 25,
					 31,
					 32,
					 159,
					 3924129283,
					 626934336,
					 2094959783,
					 2107751916,
					 764230662,
					 3859550279,
					 82571239,
					 660161763,
					 2562336147,
					 2888065015,
					 2071075987,
					 80377817,
					 10464322222712,
					 257838095364733,
					 933334879,
					 900086,
					 900379,
					 77000032 };
