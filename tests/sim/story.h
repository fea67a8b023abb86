/* story.h -- what a simulation tells of one run: its lines, and the end of one that broke a promise. */
#pragma once

#include <stdarg.h>
#include <stdint.h>

void story_line(uint64_t now_ms, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* The seed, where it happened and how to see it again; the process ends. */
_Noreturn void story_broken(const char *program, uint64_t seed, uint64_t step, uint64_t now_ms, const char *format,
			    va_list args) __attribute__((format(printf, 5, 0)));
