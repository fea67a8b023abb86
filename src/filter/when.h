/*
 * when.h -- times and durations as text.
 *
 * Units     ns; times since 1970 in UTC, years 1678 to 2262.
 * Source    Go's time.ParseDuration, Duration.String and the layouts of time.Parse; proleptic Gregorian calendar
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define WHEN_TEXT_MAX 64
#define WHEN_SECOND   1000000000LL

/* "1h30m", "-1.5s", "0". */
bool when_read_duration(struct str s, int64_t *ret_ns);

/* `layout` in Go's notation: 2006-01-02T15:04:05Z07:00. */
bool when_read_layout(struct str s, struct str layout, int64_t *ret_ns);

/* One of the layouts that date() knows. */
bool when_read_date(struct str s, int64_t *ret_ns);

/* RFC 3339, as many digits behind the seconds as it takes. Returns the length. */
size_t when_write_time(int64_t ns, char to[WHEN_TEXT_MAX]);

/* "1h30m0s", "1.5s", "0s". Returns the length. */
size_t when_write_duration(int64_t ns, char to[WHEN_TEXT_MAX]);

struct when {
	int64_t year;
	int month; /* 1 .. 12 */
	int day;
	int hour;
	int minute;
	int second;
	int year_day; /* 1 .. 366 */
};

struct when when_of(int64_t ns);
