#include "argument.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

uint64_t argument_number(int argc, char **argv, int i, uint64_t max, uint64_t otherwise)
{
	uint64_t value;

	if (i >= argc)
		return otherwise;
	if (!str_to_u64(str_of(argv[i]), max, &value) || !value) {
		(void)fprintf(stderr, "%s: %s: expected a number from 1 to %llu\n", program_invocation_short_name,
			      argv[i], (unsigned long long)max);
		exit(2);
	}
	return value;
}
