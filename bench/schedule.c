#include "schedule.h"

#define NS_PER_S 1000000000ull

/* start + k / rate without overflow for any k. */
static uint64_t time_of(const struct schedule *s, uint64_t k)
{
	return s->start_ns + k / s->rate * NS_PER_S + k % s->rate * NS_PER_S / s->rate;
}

uint64_t schedule_due(const struct schedule *s, uint64_t now_ns)
{
	uint64_t due;

	if (s->requests && s->next >= s->requests)
		return SCHEDULE_NEVER;
	if (s->rate)
		due = time_of(s, s->next);
	else
		due = now_ns > s->start_ns ? now_ns : s->start_ns;
	return due < s->end_ns ? due : SCHEDULE_NEVER;
}

bool schedule_take(struct schedule *s, uint64_t now_ns, uint64_t *ret_intended_ns)
{
	uint64_t due = schedule_due(s, now_ns);

	if (due == SCHEDULE_NEVER || due > now_ns)
		return false;
	s->next += s->step;
	*ret_intended_ns = due;
	return true;
}

uint64_t schedule_late(const struct schedule *s, uint64_t now_ns)
{
	uint64_t until = now_ns < s->end_ns ? now_ns : s->end_ns;
	uint64_t due_by_then; /* requests 0 .. due_by_then - 1 have time_of() < until */

	if (!s->rate || until <= s->start_ns)
		return 0;
	due_by_then = (until - s->start_ns) / NS_PER_S * s->rate +
		      ((until - s->start_ns) % NS_PER_S * s->rate + NS_PER_S - 1) / NS_PER_S;
	if (s->requests && due_by_then > s->requests)
		due_by_then = s->requests;
	return s->next < due_by_then ? (due_by_then - s->next + s->step - 1) / s->step : 0;
}
