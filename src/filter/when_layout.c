/* Times by a layout in Go's notation. */
#include "base/mem.h"
#include "filter/when_impl.h"

static int days_in(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

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
	p->ns = (int64_t)(when_read_fraction(&p->rest, &n) * 1e9 + 0.5);
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
	seconds = when_days(w.year, w.month, w.day) * 86400 + w.hour * 3600 + w.minute * 60 + w.second - p->offset;
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
