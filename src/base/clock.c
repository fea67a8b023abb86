#include "base/clock.h"

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

/* `digits` decimal digits of `value`, zeros in front. */
static char *put_number(char *to, unsigned value, unsigned digits)
{
	for (unsigned i = digits; i > 0; i--) {
		to[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	return to + digits;
}

/*
 * The date of a day since 1970-01-01 in the Gregorian calendar, years counted from March so that the leap day is the
 * last (H. Hinnant, "chrono-compatible low-level date algorithms"). gmtime_r(3) takes a lock, and this is on the hot path.
 */
static char *put_date(char *to, int64_t day)
{
	uint64_t since = (uint64_t)(day + 719468), era = since / 146097, of_era = since % 146097; /* from 0000-03-01 */
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
	unsigned shown = (unsigned)(month < 10 ? month + 3 : month - 9);

	to = put_number(to, (unsigned)(era * 400 + year + (shown <= 2)), 4);
	*to++ = '-';
	to = put_number(to, shown, 2);
	*to++ = '-';
	return put_number(to, (unsigned)(of_year - (153 * month + 2) / 5 + 1), 2);
}

static char *put_time(char *to, unsigned second_of_day)
{
	to = put_number(to, second_of_day / 3600, 2);
	*to++ = ':';
	to = put_number(to, second_of_day / 60 % 60, 2);
	*to++ = ':';
	return put_number(to, second_of_day % 60, 2);
}

static void put_second(char *to, int64_t seconds)
{
	int64_t day = seconds / 86400 - (seconds % 86400 < 0);

	to = put_date(to, day);
	*to++ = 'T';
	(void)put_time(to, (unsigned)(seconds - day * 86400));
}

/* The text of a second is kept: what a thread shows next is most often of the same one. */
size_t clock_rfc3339(int64_t wall_ns, char ret_text[static CLOCK_RFC3339_MAX])
{
	static _Thread_local char text[] = "1970-01-01T00:00:00";
	static _Thread_local int64_t text_s = 0;
	int64_t ns = wall_ns % NS_PER_S, seconds = wall_ns / NS_PER_S - (ns < 0);
	char *to = ret_text + sizeof(text) - 1;

	if (seconds != text_s)
		put_second(text, seconds);
	text_s = seconds;
	memcpy(ret_text, text, sizeof(text) - 1);
	if (ns) {
		*to++ = '.';
		to = put_number(to, (unsigned)(ns < 0 ? ns + NS_PER_S : ns), 9);
		while (to[-1] == '0')
			to--;
	}
	*to++ = 'Z';
	*to = '\0';
	return (size_t)(to - ret_text);
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

/* False: the time does not fit 64 bits. */
static bool to_ns(int64_t seconds, int64_t ns, int64_t *ret_wall_ns)
{
	/* Toward zero first: the least value has a negative second that alone would not fit. */
	if (seconds < 0 && ns) {
		seconds++;
		ns -= NS_PER_S;
	}
	if (__builtin_mul_overflow(seconds, NS_PER_S, &seconds) || __builtin_add_overflow(seconds, ns, &seconds))
		return false;
	*ret_wall_ns = seconds;
	return true;
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
	if (month == 0 || day == 0 || day > days_in_month(year, month))
		return false;
	tm = (struct tm){ .tm_year = year - 1900,
			  .tm_mon = month - 1,
			  .tm_mday = day,
			  .tm_hour = hour,
			  .tm_min = minute,
			  .tm_sec = second };
	return to_ns((int64_t)timegm(&tm) - offset, ns, ret_wall_ns);
}
