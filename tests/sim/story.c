#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

void story_line(uint64_t now_ms, const char *format, va_list args)
{
	printf("[%8" PRIu64 "] ", now_ms);
	(void)vprintf(format, args);
	(void)putchar('\n');
}

_Noreturn void story_broken(const char *program, uint64_t seed, uint64_t step, uint64_t now_ms, const char *format,
			    va_list args)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "seed %" PRIu64 ", step %" PRIu64 ", %" PRIu64 " ms: ", seed, step, now_ms);
	(void)vfprintf(stderr, format, args);
	(void)fprintf(stderr, "\nsee it with: %s --seed %" PRIu64 "\n", program, seed);
	_exit(1); /* no list of what leaks by ending here */
}
