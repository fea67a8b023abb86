#include "filter/number.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The fewest digits behind the point of "d.ddde+XX" that read back as the same number. */
static int shortest(double number, char text[NUMBER_TEXT_MAX])
{
	int digits = 0;

	for (; digits < 17; digits++) {
		(void)snprintf(text, NUMBER_TEXT_MAX, "%.*e", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	return digits;
}

/* With an exponent when it is below `low` or at least `high`. */
static size_t write(double number, long low, long high, char to[NUMBER_TEXT_MAX])
{
	char text[NUMBER_TEXT_MAX];
	int digits = shortest(number, text);
	long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);

	if (number != 0 && (exponent < low || exponent >= high))
		return (size_t)snprintf(to, NUMBER_TEXT_MAX, "%s", text);
	return (size_t)snprintf(to, NUMBER_TEXT_MAX, "%.*f", digits > exponent ? digits - (int)exponent : 0, number);
}

size_t number_write(double number, char to[NUMBER_TEXT_MAX])
{
	if (!isfinite(number))
		return (size_t)snprintf(to, NUMBER_TEXT_MAX, "%s",
					isnan(number) ? "NaN"
					: number > 0  ? "+Inf"
						      : "-Inf");
	return write(number, -4, 6, to);
}

/* encoding/json writes e-7, not e-07. */
size_t number_write_json(double number, char to[NUMBER_TEXT_MAX])
{
	bool whole = number > -1e15 && number < 1e15 && number == (double)(int64_t)number;
	size_t n = whole ? (size_t)snprintf(to, NUMBER_TEXT_MAX, "%.0f", number) : write(number, -6, 21, to);

	if (n < 4 || to[n - 4] != 'e' || to[n - 3] != '-' || to[n - 2] != '0')
		return n;
	to[n - 2] = to[n - 1];
	return n - 1;
}

static bool terminate(struct str s, char *to, size_t room)
{
	if (s.n == 0 || s.n >= room || memchr(s.p, '\0', s.n) || strchr(" \t\n\v\f\r", s.p[0]))
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return true;
}

bool number_read_int(struct str s, int base, int64_t *ret_value)
{
	char text[32], *end;
	long long value;

	if (!terminate(s, text, sizeof(text)))
		return false;
	errno = 0;
	value = strtoll(text, &end, base);
	*ret_value = value;
	return errno == 0 && *end == '\0' && end != text;
}

bool number_read_float(struct str s, double *ret_value)
{
	char text[400], *end;

	if (!terminate(s, text, sizeof(text)) || strpbrk(text, "xX"))
		return false;
	*ret_value = strtod(text, &end);
	return *end == '\0' && end != text;
}

bool number_to_int(double number, int64_t *ret_value)
{
	if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0))
		return false;
	*ret_value = (int64_t)number;
	return true;
}
