/*
 * clock.h -- what time it is.
 *
 * Units     ms and ns; monotonic times count from an arbitrary start, wall times from 1970-01-01 UTC.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Monotonic; for deadlines and durations. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);

/* Wall clock; for what is stored or shown. */
int64_t clock_wall_ms(void);
int64_t clock_wall_ns(void);

#define CLOCK_RFC3339_MAX 40

/*
 * RFC 3339 in UTC with up to nine fractional digits, trailing zeros trimmed, "Z" (as Go's RFC3339Nano prints it:
 * facts argo-events 3.1). Writes a terminated text into `ret_text`; returns its length.
 */
size_t clock_rfc3339(int64_t wall_ns, char ret_text[static CLOCK_RFC3339_MAX]);

/* Parses RFC 3339 with any offset. False: not a valid time, or outside 1677-09-21..2262-04-11 (64-bit ns). */
bool clock_parse_rfc3339(struct str s, int64_t *ret_wall_ns);
