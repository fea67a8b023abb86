/*
 * Canonical JSON. Properties: what comes out is valid JSON without white space, bounded by the input, with keys in order; it is its
 * own canonical form (but for the sign of a zero, which an integer has not); a spec's sum does not see its destination.
 */
#include <stdint.h>
#include <stdlib.h>

#include "event/json_text.h"
#include "wire/canonical.h"
#include "wire/checksum.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void must_be_compact(struct str text)
{
	struct buf again = { 0 };

	MUST(json_compact(text, /* plain= */ false, &again, NULL) == E_OK);
	MUST(str_eq(buf_view(&again), text));
	buf_release(&again);
}

static void must_be_in_order(const struct tape *t, size_t node)
{
	struct str last = { 0 };

	if (!tape_is_object(t, node))
		return;
	for (size_t i = node + 1; i < t->nodes[node].end; i = t->nodes[i].end) {
		MUST(i == node + 1 || str_cmp(last, t->nodes[i].key) < 0);
		last = t->nodes[i].key;
	}
}

static void must_be_sorted(struct str text)
{
	struct tape t = { 0 };

	MUST(tape_read(&t, text, NULL) == E_OK);
	for (size_t i = 0; i < t.n; i++)
		must_be_in_order(&t, i);
	tape_release(&t);
}

/* {"spec":..} with and without a destination that is added. */
static void check_sum(struct str json)
{
	unsigned char plain[WIRE_CHECKSUM], extended[WIRE_CHECKSUM];
	struct buf a = { 0 }, b = { 0 };
	enum err err;

	buf_lit(&a, "{\"spec\":");
	buf_str(&a, json);
	buf_lit(&a, "}");
	err = wire_spec_checksum(WIRE_TO_APPLICATION, buf_view(&a), plain, NULL);
	if (err == E_OK && json.n > 2) {
		buf_lit(&b, "{\"spec\":{\"destination\":[1],");
		buf_str(&b, str_sub(json, 1, json.n));
		buf_lit(&b, "}");
		MUST(wire_spec_checksum(WIRE_TO_APPLICATION, buf_view(&b), extended, NULL) == E_OK);
		MUST(memcmp(plain, extended, WIRE_CHECKSUM) == 0);
	}
	buf_release(&a);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str json = { (const char *)data, size };
	struct buf once = { 0 }, twice = { 0 }, thrice = { 0 };
	enum err err = canonical_write(json, &once, NULL);

	MUST(err == E_OK || err == E_MALFORMED || err == E_LIMIT);
	if (err != E_OK)
		goto out;
	MUST(once.n <= 8 * size + 32);
	must_be_compact(buf_view(&once));
	must_be_sorted(buf_view(&once));
	MUST(canonical_write(buf_view(&once), &twice, NULL) == E_OK);
	MUST(canonical_write(buf_view(&twice), &thrice, NULL) == E_OK);
	MUST(str_eq(buf_view(&twice), buf_view(&thrice)));
	if (once.p[0] == '{')
		check_sum(buf_view(&once));
out:
	buf_release(&once);
	buf_release(&twice);
	buf_release(&thrice);
	return 0;
}
