/*
 * argument.h -- numbers on the command line of a small benchmark.
 */
#pragma once

#include <stdint.h>

/* The i-th argument, 1 to `max`, or `otherwise` when there is none. What is no such number ends the program. */
uint64_t argument_number(int argc, char **argv, int i, uint64_t max, uint64_t otherwise);
