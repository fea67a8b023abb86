#include "filter/when_impl.h"

#include <stdio.h>

#include "base/mem.h"

/* ---- the calendar -------------------------------------------------------------------------------------------------------------- */

/* Days from 1970-01-01 to a date; the year begins in March, so that leap days come last. */
int64_t when_days(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

struct when when_of(int64_t ns)
{
	int64_t seconds = floor_div(ns, WHEN_SECOND), days = floor_div(seconds, 86400), of_day = seconds - days * 86400;
	int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * years + years / 4 - years / 100), month = (5 * of_year + 2) / 153;
	struct when w = { .month = (int)(month < 10 ? month + 3 : month - 9),
			  .day = (int)(of_year - (153 * month + 2) / 5 + 1) };

	w.year = years + era * 400 + (w.month <= 2);
	w.hour = (int)(of_day / 3600);
	w.minute = (int)(of_day / 60 % 60);
	w.second = (int)(of_day % 60);
	w.year_day = (int)(days - when_days(w.year, 1, 1) + 1);
	return w;
}

/* ---- durations ------------------------------------------------------------------------------------------------------------------ */

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },       { "us", 1000 },       { "\xc2\xb5s", 1000 },     { "\xce\xbcs", 1000 },
	{ "ms", 1000000 }, { "s", WHEN_SECOND }, { "m", 60 * WHEN_SECOND }, { "h", 3600 * WHEN_SECOND },
};

static bool read_digits(struct str *s, int64_t max, int64_t *ret_value, size_t *ret_n)
{
	int64_t value = 0;
	size_t n = 0;

	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		if (value > (max - (s->p[n] - '0')) / 10)
			return false;
		value = value * 10 + (s->p[n] - '0');
	}
	*s = str_sub(*s, n, s->n);
	*ret_value = value;
	*ret_n = n;
	return true;
}

/* Digits behind a point, as a part of one; what is too fine is left out. */
double when_read_fraction(struct str *s, size_t *ret_n)
{
	double part = 0, scale = 0.1;
	size_t n = 0;

	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
		part += scale * (s->p[n] - '0');
		scale /= 10;
	}
	*s = str_sub(*s, n, s->n);
	*ret_n = n;
	return part;
}

static const struct unit *read_unit(struct str *s)
{
	size_t n = 0;

	while (n < s->n && s->p[n] != '.' && (s->p[n] < '0' || s->p[n] > '9'))
		n++;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!str_is(str_sub(*s, 0, n), units[i].name))
			continue;
		*s = str_sub(*s, n, s->n);
		return &units[i];
	}
	return NULL;
}

static bool read_part(struct str *s, int64_t *total)
{
	size_t digits, behind = 0;
	int64_t whole, ns;
	double part = 0;
	const struct unit *unit;

	if (!read_digits(s, INT64_MAX, &whole, &digits))
		return false;
	if (s->n && s->p[0] == '.') {
		*s = str_sub(*s, 1, s->n);
		part = when_read_fraction(s, &behind);
	}
	unit = digits + behind ? read_unit(s) : NULL;
	return unit && !__builtin_mul_overflow(whole, unit->ns, &ns) &&
	       !__builtin_add_overflow(ns, (int64_t)(part * (double)unit->ns + 0.5), &ns) &&
	       !__builtin_add_overflow(*total, ns, total);
}

bool when_read_duration(struct str s, int64_t *ret_ns)
{
	bool negative = s.n && s.p[0] == '-';
	int64_t total = 0;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s = str_sub(s, 1, s.n);
	if (s.n == 0)
		return false;
	if (!str_is(s, "0"))
		do
			if (!read_part(&s, &total))
				return false;
		while (s.n);
	*ret_ns = negative ? -total : total;
	return true;
}

/* ---- as text ------------------------------------------------------------------------------------------------------------------------ */

/* The digits behind a point, without zeros at the end, and the point. */
static size_t write_fraction(int64_t part, int digits, char *to)
{
	size_t n = (size_t)snprintf(to, 16, ".%0*lld", digits, (long long)part);

	while (to[n - 1] == '0')
		n--;
	return to[n - 1] == '.' ? 0 : n;
}

size_t when_write_time(int64_t ns, char to[WHEN_TEXT_MAX])
{
	struct when w = when_of(ns);
	size_t n = (size_t)snprintf(to, WHEN_TEXT_MAX, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)w.year, w.month,
				    w.day, w.hour, w.minute, w.second);

	n += write_fraction(ns - floor_div(ns, WHEN_SECOND) * WHEN_SECOND, 9, to + n);
	to[n++] = 'Z';
	return n;
}

static size_t write_small(uint64_t ns, char *to)
{
	uint64_t unit = ns < 1000 ? 1 : ns < 1000000 ? 1000 : 1000000;
	size_t n = (size_t)snprintf(to, 24, "%llu", (unsigned long long)(ns / unit));

	if (unit > 1)
		n += write_fraction((int64_t)(ns % unit), unit == 1000 ? 3 : 6, to + n);
	return n + (size_t)snprintf(to + n, 8, "%s", unit == 1 ? "ns" : unit == 1000 ? "\xc2\xb5s" : "ms");
}

size_t when_write_duration(int64_t ns, char to[WHEN_TEXT_MAX])
{
	uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, seconds = left / WHEN_SECOND;
	size_t n = 0;

	if (ns == 0)
		return (size_t)snprintf(to, WHEN_TEXT_MAX, "0s");
	if (ns < 0)
		to[n++] = '-';
	if (seconds == 0)
		return n + write_small(left, to + n);
	if (seconds >= 3600)
		n += (size_t)snprintf(to + n, 24, "%lluh", (unsigned long long)(seconds / 3600));
	if (seconds >= 60)
		n += (size_t)snprintf(to + n, 8, "%um", (unsigned)(seconds / 60 % 60));
	n += (size_t)snprintf(to + n, 8, "%u", (unsigned)(seconds % 60));
	n += write_fraction((int64_t)(left % WHEN_SECOND), 9, to + n);
	to[n++] = 's';
	return n;
}
