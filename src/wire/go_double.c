#include "wire/go_double.h"

#define DIGITS_MAX 17 /* with so many every double reads back as itself (IEEE 754) */

/* 0.d1d2d3... times ten to the power of `point`. */
struct decimal {
	char digits[DIGITS_MAX + 1];
	int n;
	int point;
};

static double read_back(const struct decimal *d)
{
	char text[DIGITS_MAX + 16];

	(void)snprintf(text, sizeof(text), "0.%se%d", d->digits, d->point);
	return strtod(text, NULL);
}

/* The `n` digits nearest to `value`, which is above zero. */
static void round_to(double value, int n, struct decimal *ret)
{
	char text[DIGITS_MAX + 16]; /* d.ddde-xxx */
	const char *exponent;

	(void)snprintf(text, sizeof(text), "%.*e", n - 1, value);
	ret->digits[0] = text[0];
	if (n > 1)
		memcpy(ret->digits + 1, text + 2, (size_t)n - 1);
	ret->digits[n] = '\0';
	ret->n = n;
	exponent = text + (n > 1 ? n + 2 : 2);
	ret->point = (int)strtol(exponent, NULL, 10) + 1;
}

/* One more in the last place. */
static void step_up(struct decimal *d)
{
	int i = d->n;

	while (i > 0 && d->digits[i - 1] == '9')
		d->digits[--i] = '0';
	if (i > 0) {
		d->digits[i - 1]++;
		return;
	}
	d->digits[0] = '1'; /* 999 became 1000 */
	d->point++;
}

/*
 * Below a power of two doubles lie closer together than above it: there the nearest digits may miss it and the next ones up still
 * read back.
 */
static void shortest(double value, struct decimal *ret)
{
	for (int n = 1; n <= DIGITS_MAX; n++) {
		round_to(value, n, ret);
		if (read_back(ret) == value)
			return;
		step_up(ret);
		if (read_back(ret) == value)
			return;
	}
}

static void trim_zeros(struct decimal *d)
{
	while (d->n > 1 && d->digits[d->n - 1] == '0')
		d->digits[--d->n] = '\0';
}

static void write_exponent(const struct decimal *d, struct buf *b)
{
	int exponent = d->point - 1;

	buf_char(b, d->digits[0]);
	if (d->n > 1)
		buf_char(b, '.');
	buf_add(b, d->digits + 1, (size_t)d->n - 1);
	buf_addf(b, "e%c%d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

static void write_zeros(int n, struct buf *b)
{
	for (; n > 0; n--)
		buf_char(b, '0');
}

static void write_plain(const struct decimal *d, struct buf *b)
{
	int whole = d->point < 0 ? 0 : d->point < d->n ? d->point : d->n;

	buf_add(b, d->digits, (size_t)whole);
	write_zeros(d->point - d->n, b);
	if (d->point <= 0)
		buf_char(b, '0');
	if (whole == d->n)
		return;
	buf_char(b, '.');
	write_zeros(-d->point, b);
	buf_add(b, d->digits + whole, (size_t)(d->n - whole));
}

void go_double_write(double value, struct buf *ret_text)
{
	struct decimal d;

	if (__builtin_signbit(value)) {
		buf_char(ret_text, '-');
		value = -value;
	}
	if (value == 0) {
		buf_char(ret_text, '0');
		return;
	}
	shortest(value, &d);
	trim_zeros(&d);
	if (value < 1e-6 || value >= 1e21)
		write_exponent(&d, ret_text);
	else
		write_plain(&d, ret_text);
}
