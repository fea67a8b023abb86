#include "rpc/timeout.h"

#include <stdio.h>

#include "base/mem.h"

#define DIGITS_MAX 8
#define NUMBER_MAX 99999999

/* From the smallest that we write to the largest. */
static const struct unit {
	char letter;
	uint64_t ms;
} units[] = { { 'm', 1 }, { 'S', 1000 }, { 'M', 60000 }, { 'H', 3600000 } };

bool rpc_timeout_parse(struct str field, uint64_t *ret_ms)
{
	uint64_t number;

	if (field.n < 2 || field.n > DIGITS_MAX + 1 || !str_to_u64(str_sub(field, 0, field.n - 1), NUMBER_MAX, &number))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].letter != field.p[field.n - 1])
			continue;
		*ret_ms = number * units[i].ms;
		return true;
	}
	switch (field.p[field.n - 1]) {
	case 'u':
		*ret_ms = (number + 999) / 1000;
		return true;
	case 'n':
		*ret_ms = (number + 999999) / 1000000;
		return true;
	default:
		return false;
	}
}

size_t rpc_timeout_write(uint64_t ms, char ret_text[static RPC_TIMEOUT_MAX])
{
	const struct unit *unit = units;
	uint64_t number = ms;

	while (number > NUMBER_MAX && unit < units + ARRAY_LEN(units) - 1) {
		unit++;
		number = ms / unit->ms + (ms % unit->ms != 0);
	}
	if (number > NUMBER_MAX)
		number = NUMBER_MAX;
	return (size_t)snprintf(ret_text, RPC_TIMEOUT_MAX, "%u%c", (unsigned)number, unit->letter);
}
