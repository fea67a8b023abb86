#include "config/value.h"

#include <arpa/inet.h>

#include "base/mem.h"

static const struct {
	const char *unit;
	uint64_t bytes;
} sizes[] = {
	{ "TiB", 1ull << 40 },
	{ "GiB", 1ull << 30 },
	{ "MiB", 1ull << 20 },
	{ "KiB", 1ull << 10 },
	{ "Ti", 1ull << 40 },
	{ "Gi", 1ull << 30 },
	{ "Mi", 1ull << 20 },
	{ "Ki", 1ull << 10 },
	{ "TB", 1000000000000 },
	{ "GB", 1000000000 },
	{ "MB", 1000000 },
	{ "kB", 1000 },
	{ "T", 1000000000000 },
	{ "G", 1000000000 },
	{ "M", 1000000 },
	{ "k", 1000 },
	{ "B", 1 },
	{ "", 1 },
};

static const struct {
	const char *unit;
	uint64_t ms;
} times[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

/* The digits at the front of `*s`. */
static struct str take_digits(struct str *s)
{
	struct str digits = { s->p, 0 };

	while (digits.n < s->n && s->p[digits.n] >= '0' && s->p[digits.n] <= '9')
		digits.n++;
	*s = str_sub(*s, digits.n, s->n);
	return digits;
}

bool value_size(struct str s, uint64_t *ret_bytes)
{
	struct str digits = take_digits(&s);
	uint64_t n;

	if (!str_to_u64(digits, UINT64_MAX, &n))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (str_is(s, sizes[i].unit))
			return !__builtin_mul_overflow(n, sizes[i].bytes, ret_bytes);
	return false;
}

/* 0.<digits> of `ms`; false when that is no whole number. */
static bool fraction_of(uint64_t ms, struct str digits, uint64_t *ret_ms)
{
	uint64_t n = 0, scale = 1;

	while (digits.n && digits.p[digits.n - 1] == '0')
		digits.n--;
	if (digits.n > 9 || (digits.n && !str_to_u64(digits, UINT64_MAX, &n)))
		return false;
	for (size_t i = 0; i < digits.n; i++)
		scale *= 10;
	*ret_ms = n * ms / scale;
	return n * ms % scale == 0;
}

/* One "<number><unit>" at the front of `*s`, added to `*sum`. */
static bool take_time(struct str *s, uint64_t *sum)
{
	struct str whole = take_digits(s), fraction = { 0 }, unit = { s->p, 0 };
	uint64_t n, ms = 0, part, rest;

	if (!str_to_u64(whole, UINT64_MAX, &n))
		return false;
	if (s->n && s->p[0] == '.') {
		*s = str_sub(*s, 1, s->n);
		fraction = take_digits(s);
		if (!fraction.n)
			return false;
	}
	unit.p = s->p;
	while (unit.n < s->n && s->p[unit.n] >= 'a' && s->p[unit.n] <= 'z')
		unit.n++;
	*s = str_sub(*s, unit.n, s->n);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (str_is(unit, times[i].unit))
			ms = times[i].ms;
	return ms && !__builtin_mul_overflow(n, ms, &part) && fraction_of(ms, fraction, &rest) &&
	       !__builtin_add_overflow(*sum, part, sum) && !__builtin_add_overflow(*sum, rest, sum);
}

bool value_time(struct str s, uint64_t *ret_ms)
{
	uint64_t sum = 0;

	if (!s.n)
		return false;
	while (s.n && !str_is(s, "0"))
		if (!take_time(&s, &sum))
			return false;
	*ret_ms = sum;
	return true;
}

bool value_int(struct str s, int64_t *ret_value)
{
	bool minus = s.n && s.p[0] == '-';
	uint64_t n;

	if (!str_to_u64(minus ? str_sub(s, 1, s.n) : s, INT64_MAX, &n))
		return false;
	*ret_value = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

void value_write_size(uint64_t bytes, struct buf *ret_text)
{
	for (size_t i = 0; i < 4; i++) {
		if (bytes && bytes % sizes[i].bytes == 0) {
			buf_u64(ret_text, bytes / sizes[i].bytes);
			buf_str(ret_text, str_of(sizes[i].unit));
			return;
		}
	}
	buf_u64(ret_text, bytes);
}

void value_write_time(uint64_t ms, struct buf *ret_text)
{
	/* Days are ours; hours are what Go prints. */
	for (size_t i = 1; i < ARRAY_LEN(times); i++) {
		if (ms % times[i].ms == 0 && (ms || times[i].ms == 1000)) {
			buf_u64(ret_text, ms / times[i].ms);
			buf_str(ret_text, str_of(times[i].unit));
			return;
		}
	}
}

static bool is_ip(struct str host, int family)
{
	unsigned char address[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	return inet_pton(family, text, address) == 1;
}

bool value_address(struct str s, struct str *ret_host, uint16_t *ret_port)
{
	struct str host = s, port;
	bool v6 = s.n && s.p[0] == '[';
	uint64_t n;

	while (host.n && host.p[host.n - 1] != ':')
		host.n--;
	if (!host.n)
		return false;
	host.n--;
	port = str_sub(s, host.n + 1, s.n);
	if (v6 && (host.n < 2 || host.p[host.n - 1] != ']'))
		return false;
	if (v6)
		host = str_sub(host, 1, host.n - 2);
	if (!str_to_u64(port, UINT16_MAX, &n) || (host.n && !is_ip(host, v6 ? AF_INET6 : AF_INET)) || (v6 && !host.n))
		return false;
	*ret_host = host;
	*ret_port = (uint16_t)n;
	return true;
}
