#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S  1000000000LL
#define NS_PER_MS 1000000LL

static int64_t now_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
	return (uint64_t)now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / NS_PER_MS;
}

int64_t clock_wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
	return clock_wall_ns() / NS_PER_MS;
}

size_t clock_rfc3339(int64_t wall_ns, char ret_text[static CLOCK_RFC3339_MAX])
{
	int64_t ns = wall_ns % NS_PER_S;
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;
	size_t n;

	if (ns < 0) {
		ns += NS_PER_S;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	n = strftime(ret_text, CLOCK_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	if (ns) {
		n += (size_t)snprintf(ret_text + n, CLOCK_RFC3339_MAX - n, ".%09d", (int)ns);
		while (ret_text[n - 1] == '0')
			n--;
	}
	ret_text[n++] = 'Z';
	ret_text[n] = '\0';
	return n;
}

/* Exactly `n` digits at the front of `*s`. */
static bool take_number(struct str *s, size_t n, int max, int *ret_value)
{
	uint64_t value;

	if (s->n < n || !str_to_u64(str_sub(*s, 0, n), (uint64_t)max, &value))
		return false;
	*s = str_sub(*s, n, s->n);
	*ret_value = (int)value;
	return true;
}

static bool take_char(struct str *s, const char *any_of)
{
	if (s->n == 0 || !strchr(any_of, s->p[0]) || s->p[0] == '\0')
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

static bool take_fraction(struct str *s, int64_t *ret_ns)
{
	int64_t ns = 0, scale = NS_PER_S / 10;
	size_t digits = 0;

	while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9') {
		ns += (s->p[digits] - '0') * scale;
		scale /= 10;
		digits++;
	}
	*s = str_sub(*s, digits, s->n);
	*ret_ns = ns;
	return digits > 0;
}

static bool take_offset(struct str *s, int64_t *ret_seconds)
{
	bool west;
	int hours, minutes;

	if (take_char(s, "Zz")) {
		*ret_seconds = 0;
		return true;
	}
	west = s->n && s->p[0] == '-';
	if (!take_char(s, "+-") || !take_number(s, 2, 23, &hours) || !take_char(s, ":") ||
	    !take_number(s, 2, 59, &minutes))
		return false;
	*ret_seconds = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

bool clock_parse_rfc3339(struct str s, int64_t *ret_wall_ns)
{
	int year, month, day, hour, minute, second;
	int64_t ns = 0, offset;
	struct tm tm;

	if (!take_number(&s, 4, 9999, &year) || !take_char(&s, "-") || !take_number(&s, 2, 12, &month) ||
	    !take_char(&s, "-") || !take_number(&s, 2, 31, &day) || !take_char(&s, "Tt ") ||
	    !take_number(&s, 2, 23, &hour) || !take_char(&s, ":") || !take_number(&s, 2, 59, &minute) ||
	    !take_char(&s, ":") || !take_number(&s, 2, 60, &second))
		return false;
	if (take_char(&s, ".") && !take_fraction(&s, &ns))
		return false;
	if (!take_offset(&s, &offset) || s.n != 0)
		return false;
	if (month == 0 || day == 0 || day > days_in_month(year, month) || year < 1678 || year > 2261)
		return false;
	tm = (struct tm){ .tm_year = year - 1900,
			  .tm_mon = month - 1,
			  .tm_mday = day,
			  .tm_hour = hour,
			  .tm_min = minute,
			  .tm_sec = second };
	*ret_wall_ns = ((int64_t)timegm(&tm) - offset) * NS_PER_S + ns;
	return true;
}
