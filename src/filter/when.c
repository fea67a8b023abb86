#include "filter/when.h"

#include <stdio.h>

#include "base/mem.h"

/* ---- the calendar -------------------------------------------------------------------------------------------------------------- */

/* Days from 1970-01-01 to a date; the year begins in March, so that leap days come last. */
static int64_t days_to(int64_t year, int month, int day)
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
	w.year_day = (int)(days - days_to(w.year, 1, 1) + 1);
	return w;
}

static int days_in(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
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
static double read_fraction(struct str *s, size_t *ret_n)
{
	double part = 0, scale = 0.1;
	size_t n = 0;

	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, scale /= 10)
		part += scale * (s->p[n] - '0');
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
		part = read_fraction(s, &behind);
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

/* ---- times by layout ------------------------------------------------------------------------------------------------------------- */

enum part {
	PART_YEAR,
	PART_YEAR2,
	PART_MONTH,
	PART_DAY,
	PART_HOUR,
	PART_HOUR12,
	PART_MINUTE,
	PART_SECOND,
	PART_MONTH_NAME,
	PART_WEEKDAY,
	PART_PM,
	PART_ZONE,
	PART_ZONE_NAME
};

/* Longest first. `width`: of digits; 0: one or two. */
static const struct token {
	const char *text;
	enum part part;
	int width;
} tokens[] = {
	{ "January", PART_MONTH_NAME, 9 },
	{ "Monday", PART_WEEKDAY, 9 },
	{ "Z07:00", PART_ZONE, 1 },
	{ "-07:00", PART_ZONE, 0 },
	{ "-0700", PART_ZONE, 2 },
	{ "2006", PART_YEAR, 4 },
	{ "Jan", PART_MONTH_NAME, 3 },
	{ "Mon", PART_WEEKDAY, 3 },
	{ "MST", PART_ZONE_NAME, 3 },
	{ "01", PART_MONTH, 2 },
	{ "02", PART_DAY, 2 },
	{ "03", PART_HOUR12, 2 },
	{ "04", PART_MINUTE, 2 },
	{ "05", PART_SECOND, 2 },
	{ "06", PART_YEAR2, 2 },
	{ "15", PART_HOUR, 2 },
	{ "PM", PART_PM, 0 },
	{ "pm", PART_PM, 0 },
	{ "_2", PART_DAY, 0 },
	{ "1", PART_MONTH, 0 },
	{ "2", PART_DAY, 0 },
	{ "3", PART_HOUR12, 0 },
	{ "4", PART_MINUTE, 0 },
	{ "5", PART_SECOND, 0 },
};

static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
				      "July",    "August",   "September", "October", "November", "December" };
static const char *const weekdays[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

struct parsing {
	struct str rest;
	struct when when;
	int64_t ns;
	int64_t offset; /* seconds east of Greenwich */
	bool pm;
	bool twelve; /* the hour is one of twelve */
};

static bool read_number(struct parsing *p, int width, int *ret_value)
{
	int value = 0, n = 0, most = width ? width : 2;

	if (width == 0 && p->rest.n && p->rest.p[0] == ' ')
		p->rest = str_sub(p->rest, 1, p->rest.n);
	for (; n < most && (size_t)n < p->rest.n && p->rest.p[n] >= '0' && p->rest.p[n] <= '9'; n++)
		value = value * 10 + (p->rest.p[n] - '0');
	p->rest = str_sub(p->rest, (size_t)n, p->rest.n);
	*ret_value = value;
	return n > 0 && (width == 0 || n == width);
}

/* One of `names`, of which the first `width` letters count; its place. */
static bool read_name(struct parsing *p, const char *const *names, size_t count, size_t width, int *ret_place)
{
	for (size_t i = 0; i < count; i++) {
		struct str name = str_sub(str_of(names[i]), 0, width);

		if (!str_starts_nocase(p->rest, name))
			continue;
		p->rest = str_sub(p->rest, name.n, p->rest.n);
		*ret_place = (int)i;
		return true;
	}
	return false;
}

static bool read_zone(struct parsing *p, int form)
{
	int hours, minutes, sign;

	if (form == 1 && p->rest.n && p->rest.p[0] == 'Z') {
		p->rest = str_sub(p->rest, 1, p->rest.n);
		return true;
	}
	if (p->rest.n == 0 || (p->rest.p[0] != '+' && p->rest.p[0] != '-'))
		return false;
	sign = p->rest.p[0] == '-' ? -1 : 1;
	p->rest = str_sub(p->rest, 1, p->rest.n);
	if (!read_number(p, 2, &hours))
		return false;
	if (form != 2) {
		if (p->rest.n == 0 || p->rest.p[0] != ':')
			return false;
		p->rest = str_sub(p->rest, 1, p->rest.n);
	}
	if (!read_number(p, 2, &minutes) || hours > 24 || minutes > 59)
		return false;
	p->offset = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* Abbreviations mean different things in different places: only UTC and GMT are times. */
static bool read_zone_name(struct parsing *p)
{
	bool known = str_starts(p->rest, STR("UTC")) || str_starts(p->rest, STR("GMT"));

	p->rest = str_sub(p->rest, 3, p->rest.n);
	return known;
}

static bool read_pm(struct parsing *p)
{
	p->pm = str_starts_nocase(p->rest, STR("pm"));
	if (!p->pm && !str_starts_nocase(p->rest, STR("am")))
		return false;
	p->rest = str_sub(p->rest, 2, p->rest.n);
	return true;
}

/* Go reads digits behind the seconds even where the layout has none. */
static bool read_second(struct parsing *p, int width)
{
	size_t n;

	if (!read_number(p, width, &p->when.second))
		return false;
	if (p->rest.n < 2 || p->rest.p[0] != '.' || p->rest.p[1] < '0' || p->rest.p[1] > '9')
		return true;
	p->rest = str_sub(p->rest, 1, p->rest.n);
	p->ns = (int64_t)(read_fraction(&p->rest, &n) * 1e9 + 0.5);
	return true;
}

static bool read_year(struct parsing *p, int width)
{
	int year;

	if (!read_number(p, width, &year))
		return false;
	p->when.year = width == 4 ? year : year >= 69 ? 1900 + year : 2000 + year;
	return true;
}

static bool read_part_of(struct parsing *p, const struct token *t)
{
	int place = 0;

	switch (t->part) {
	case PART_YEAR:
	case PART_YEAR2:
		return read_year(p, t->width);
	case PART_MONTH:
		return read_number(p, t->width, &p->when.month);
	case PART_DAY:
		return read_number(p, t->width, &p->when.day);
	case PART_HOUR:
		return read_number(p, t->width, &p->when.hour);
	case PART_HOUR12:
		p->twelve = true;
		return read_number(p, t->width, &p->when.hour) && p->when.hour >= 1 && p->when.hour <= 12;
	case PART_MINUTE:
		return read_number(p, t->width, &p->when.minute);
	case PART_SECOND:
		return read_second(p, t->width);
	case PART_MONTH_NAME:
		if (!read_name(p, months, ARRAY_LEN(months), (size_t)t->width, &place))
			return false;
		p->when.month = place + 1;
		return true;
	case PART_WEEKDAY:
		return read_name(p, weekdays, ARRAY_LEN(weekdays), (size_t)t->width, &place);
	case PART_PM:
		return read_pm(p);
	case PART_ZONE:
		return read_zone(p, t->width);
	default:
		return read_zone_name(p);
	}
}

static const struct token *token_at(struct str layout)
{
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		if (str_starts(layout, str_of(tokens[i].text)))
			return &tokens[i];
	return NULL;
}

static bool finish(const struct parsing *p, int64_t *ret_ns)
{
	struct when w = p->when;
	int64_t seconds;

	if (p->twelve)
		w.hour = w.hour % 12 + (p->pm ? 12 : 0);
	if (w.month < 1 || w.month > 12 || w.day < 1 || w.day > days_in(w.year, w.month) || w.hour > 23 ||
	    w.minute > 59 || w.second > 59 || p->rest.n)
		return false;
	seconds = days_to(w.year, w.month, w.day) * 86400 + w.hour * 3600 + w.minute * 60 + w.second - p->offset;
	return !__builtin_mul_overflow(seconds, WHEN_SECOND, ret_ns) && !__builtin_add_overflow(*ret_ns, p->ns, ret_ns);
}

/* ".000" and ".999" behind the seconds: read_second() has them. */
static size_t fraction_at(struct str layout)
{
	size_t n = 1;

	if (layout.n < 2 || layout.p[0] != '.' || (layout.p[1] != '0' && layout.p[1] != '9'))
		return 0;
	while (n < layout.n && layout.p[n] == layout.p[1])
		n++;
	return n;
}

bool when_read_layout(struct str s, struct str layout, int64_t *ret_ns)
{
	struct parsing p = { .rest = s, .when = { .year = 1, .month = 1, .day = 1 } };

	while (layout.n) {
		size_t n = fraction_at(layout);
		const struct token *t = n ? NULL : token_at(layout);

		if (t) {
			if (!read_part_of(&p, t))
				return false;
			n = strlen(t->text);
		} else if (n == 0) {
			if (p.rest.n == 0 || p.rest.p[0] != layout.p[0])
				return false;
			p.rest = str_sub(p.rest, 1, p.rest.n);
			n = 1;
		}
		layout = str_sub(layout, n, layout.n);
	}
	return finish(&p, ret_ns);
}

bool when_read_date(struct str s, int64_t *ret_ns)
{
	static const char *const layouts[] = {
		"2006-01-02",
		"2006-01-02 15:04:05",
		"2006-01-02T15:04:05Z07:00",
		"02 Jan 06 15:04 MST",
		"Monday, 02-Jan-06 15:04:05 MST",
		"Mon, 02 Jan 2006 15:04:05 MST",
	};

	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (when_read_layout(s, str_of(layouts[i]), ret_ns))
			return true;
	return false;
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
