/* Functions of times and durations. */
#include "filter/functions_code.h"
#include "filter/when.h"

static enum err give(struct value *ret, enum value_type type, int64_t ns)
{
	*ret = (struct value){ .type = (unsigned char)type, .integer = ns };
	return E_OK;
}

enum err fn_now(struct call *c, struct value *ret)
{
	return give(ret, VALUE_TIME, c->run->now_ns);
}

enum err fn_duration(struct call *c, struct value *ret)
{
	int64_t ns;

	if (!when_read_duration(c->args[0].text, &ns))
		return call_misfit(c, "duration(str): the string is no duration such as \"1h30m\"");
	return give(ret, VALUE_DURATION, ns);
}

enum err fn_date(struct call *c, struct value *ret)
{
	bool known = c->count == 1;
	int64_t ns;

	if (!(known ? when_read_date(c->args[0].text, &ns) : when_read_layout(c->args[0].text, c->args[1].text, &ns)))
		return call_misfit(c, "date(str): the string is no time %s",
				   known ? "in a known layout" : "in this layout");
	return give(ret, VALUE_TIME, ns);
}

/* Whole seconds before or at the time. */
enum err fn_unix(struct call *c, struct value *ret)
{
	int64_t ns = c->args[0].integer;

	return give(ret, VALUE_INT, ns / WHEN_SECOND - (ns % WHEN_SECOND < 0));
}

enum err fn_year(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, when_of(c->args[0].integer).year);
}

enum err fn_day(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, when_of(c->args[0].integer).day);
}

enum err fn_hour(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, when_of(c->args[0].integer).hour);
}

enum err fn_minute(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, when_of(c->args[0].integer).minute);
}

enum err fn_second(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, when_of(c->args[0].integer).second);
}

enum err fn_year_day(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, when_of(c->args[0].integer).year_day);
}

enum err fn_before(struct call *c, struct value *ret)
{
	*ret = value_bool(c->args[0].integer < c->args[1].integer);
	return E_OK;
}

enum err fn_after(struct call *c, struct value *ret)
{
	*ret = value_bool(c->args[0].integer > c->args[1].integer);
	return E_OK;
}

enum err fn_time_sub(struct call *c, struct value *ret)
{
	return give(ret, VALUE_DURATION, (int64_t)((uint64_t)c->args[0].integer - (uint64_t)c->args[1].integer));
}

enum err fn_hours(struct call *c, struct value *ret)
{
	*ret = value_float((double)c->args[0].integer / (3600.0 * WHEN_SECOND));
	return E_OK;
}

enum err fn_minutes(struct call *c, struct value *ret)
{
	*ret = value_float((double)c->args[0].integer / (60.0 * WHEN_SECOND));
	return E_OK;
}

enum err fn_seconds(struct call *c, struct value *ret)
{
	*ret = value_float((double)c->args[0].integer / (double)WHEN_SECOND);
	return E_OK;
}

enum err fn_milliseconds(struct call *c, struct value *ret)
{
	return give(ret, VALUE_INT, c->args[0].integer / (WHEN_SECOND / 1000));
}
