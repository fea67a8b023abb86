#include "gateway/hooks/pace.h"

#define IS_A_DATE  1000000000ull /* seconds: 2001; smaller ones count from now */
#define DEFAULT_MS 60000

static bool is_spent(const struct pace_fields *f)
{
	uint64_t n;

	return str_to_u64(f->remaining, UINT64_MAX, &n) && n == 0;
}

/* Until the hour, or whatever it is, begins anew; a second more for clocks that are not the same. */
static uint64_t until_reset_s(const struct pace_fields *f, int64_t wall_s)
{
	uint64_t now = wall_s > 0 ? (uint64_t)wall_s : 0, at;

	if (!str_to_u64(f->reset, UINT64_MAX / 2, &at))
		return 0;
	if (at < IS_A_DATE)
		return at + 1;
	return at >= now ? at - now + 1 : 1;
}

static uint64_t wait_of(const struct pace_fields *f, int64_t wall_s)
{
	uint64_t s = f->retry_after_s ? f->retry_after_s : is_spent(f) ? until_reset_s(f, wall_s) : 0;

	return s > PACE_WAIT_MAX_MS / 1000 ? PACE_WAIT_MAX_MS : s * 1000;
}

enum pace pace_judge(unsigned status, const struct pace_fields *f, int64_t wall_s, uint64_t *ret_wait_ms)
{
	*ret_wait_ms = wait_of(f, wall_s);
	if (status == 429 || (status == 403 && *ret_wait_ms)) {
		if (!*ret_wait_ms)
			*ret_wait_ms = DEFAULT_MS;
		return PACE_LIMITED;
	}
	if (status == 408 || status == 425 || status >= 500)
		return PACE_LATER;
	if ((status >= 200 && status < 300) || status == 404 || status == 410)
		return PACE_GOOD;
	return PACE_REFUSED;
}
