/*
 * fuzz_dialect.c -- what a peer says of itself in metadata, and in the text with which it ends a stream.
 *
 * Property  What is read is in range, and written down it is read as the same; a client agrees to nothing above what it asked for.
 *           A limit that is found in a text is less than another number of that text.
 *           Input: four lines: dialect, window, limit, text.
 */
#include <stdlib.h>

#include "wire/dialect.h"

#define TEXT_MAX 4096

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool same(const struct wire_dialect *a, const struct wire_dialect *b)
{
	return a->version == b->version && a->window_events == b->window_events && a->window_bytes == b->window_bytes &&
	       a->message_max == b->message_max;
}

static void check(const struct wire_dialect *d)
{
	must((d->window_events == 0) == (d->window_bytes == 0));
	if (d->version == WIRE_UPSTREAM)
		must(d->window_events == 0 && d->message_max == 0);
}

static void write_and_read(const struct wire_dialect *d)
{
	struct rpc_metadata metadata = { 0 };
	struct wire_dialect again;

	wire_dialect_write(d, &metadata);
	must(metadata.err == E_OK);
	again = wire_dialect_accept(&metadata);
	must(same(d, &again));
	rpc_metadata_release(&metadata);
}

static void read_metadata(struct str dialect, struct str window, struct str limit)
{
	static const struct wire_dialect asked = { .version = WIRE_TWO_STEPS };
	struct rpc_metadata metadata = { 0 };
	struct wire_dialect d;

	/* As from the wire: a peer's client library need not have looked at them. */
	rpc_metadata_put(&metadata, (struct str)STR(WIRE_DIALECT_KEY), dialect);
	rpc_metadata_put(&metadata, (struct str)STR(WIRE_WINDOW_KEY), window);
	rpc_metadata_put(&metadata, (struct str)STR(WIRE_MESSAGE_MAX_KEY), limit);
	must(metadata.err == E_OK);
	d = wire_dialect_accept(&metadata);
	check(&d);
	must(d.version <= WIRE_NEWEST);
	write_and_read(&d);
	d = wire_dialect_agreed(&metadata, &asked);
	check(&d);
	must(d.version <= asked.version);
	rpc_metadata_release(&metadata);
}

static void read_text(struct str text)
{
	uint64_t max = wire_message_max_told(text), n, above = 0;

	for (struct str rest = text; max && rest.n; rest = str_sub(rest, 1, rest.n)) {
		struct str line = rest, digits = str_cut(&line, ' ');

		above |= str_to_u64(digits, UINT64_MAX, &n) && n > max;
	}
	must(!max || above);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct str dialect = str_cut(&rest, '\n'), window = str_cut(&rest, '\n'), limit = str_cut(&rest, '\n');

	if (size > TEXT_MAX)
		return 0;
	read_metadata(dialect, window, limit);
	read_text(rest);
	return 0;
}
