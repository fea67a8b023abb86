/*
 * forwarder_report.c -- what the forwarder tells the store, the metrics and whoever asks.
 */
#include "base/mem.h"
#include "bus/forwarder_impl.h"

/* clang-format off */
/*    field             type     name                                          scale help */
#define ROWS(X) \
	X(waiting_metric,   GAUGE,   "holdfast_forwarder_waiting",                  1,    "Stored events that the bus has not confirmed.") \
	X(oldest_metric,    GAUGE,   "holdfast_forwarder_oldest_timestamp_seconds", 1e-3, "When the oldest waiting event was stored; 0: none waits.") \
	X(forwarded_metric, COUNTER, "holdfast_forwarder_forwarded_total",          1,    "Events that the bus confirmed.") \
	X(failed_metric,    COUNTER, "holdfast_forwarder_failed_total",             1,    "Publishes that were not confirmed and are sent again.") \
	X(dead_metric,      COUNTER, "holdfast_forwarder_dead_letters_total",       1,    "Events set aside because the bus can never take them.")
/* clang-format on */

#define X(field, type, name, scale, help) METRIC_ROW(struct forwarder, field, type, name, scale, help)
static const struct metric_row rows[] = { ROWS(X) };
#undef X

enum err forwarder_count_in(struct forwarder *f)
{
	struct metrics *metrics = f->config.metrics;

	if (!metrics)
		metrics = f->own = metrics_new();
	if (!metrics)
		return E_NOMEM;
	metrics_get_rows(metrics, rows, ARRAY_LEN(rows), f);
	return E_OK;
}

static bool on_peeked(void *ctx, const struct store_row *row)
{
	*(int64_t *)ctx = row->stored_ms;
	return false;
}

/* Since when the first one waits, also while nothing is read because the bus is down: one row for each position. */
static int64_t oldest_ms(struct forwarder *f, uint64_t forwarded)
{
	struct store_query query = { .from = forwarded + 1, .limit = 1 };
	int64_t oldest = lanes_oldest_ms(&f->lanes);

	if (oldest)
		return oldest;
	if (forwarded >= store_last(f->store))
		return 0;
	if (f->peeked == forwarded + 1)
		return atomic_load(&f->oldest_ms);
	if (forwarder_read(f, &query, on_peeked, &oldest))
		f->peeked = forwarded + 1;
	return oldest;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What a lane has behind the position counts as waiting in front of it, too: where the limit lies would have to be looked for. */
static size_t held_lanes(const struct lanes *l, uint64_t forwarded, struct store_held ret_held[static LANES_HELD_MAX])
{
	size_t n = 0;

	if (l->trouble_n > LANES_HELD_MAX)
		return 0;
	for (const struct lane *lane = l->trouble; lane; lane = lane->next)
		if (lane_position(lane) < forwarded)
			ret_held[n++] = (struct store_held){
				.source = str_of(lane_source(lane)),
				.name = str_of(lane_name(lane)),
				.forwarded = lane_position(lane),
				.waiting = min_u64(lane->entries + lane->passed, forwarded - lane_position(lane)),
			};
	return n;
}

static void tell_store(struct forwarder *f)
{
	struct store_held held[LANES_HELD_MAX];
	uint64_t forwarded = lanes_position_of_open(&f->lanes);

	if (forwarded == f->forwarded && !f->lanes.trouble && !f->held)
		return;
	f->forwarded = forwarded;
	f->held = held_lanes(&f->lanes, forwarded, held);
	store_set_forwarded_but(f->store, f->bus_name, forwarded, held, f->held);
}

uint64_t forwarder_settled(const struct forwarder *f)
{
	return f->lanes.read_pos - min_u64(lanes_undone(&f->lanes), f->lanes.read_pos);
}

void forwarder_report(struct forwarder *f)
{
	uint64_t settled = forwarder_settled(f);
	uint64_t last = store_last(f->store);

	tell_store(f);
	atomic_store(&f->oldest_ms, oldest_ms(f, lanes_position(&f->lanes)));
	atomic_store(&f->settled, settled);
	metric_set(f->oldest_metric, atomic_load(&f->oldest_ms));
	metric_set(f->waiting_metric, last > settled ? (int64_t)(last - settled) : 0);
}

uint64_t forwarder_waiting(const struct forwarder *f, int64_t *ret_oldest_ms)
{
	uint64_t settled = atomic_load(&f->settled);
	uint64_t last = store_last(f->store);

	*ret_oldest_ms = last > settled ? atomic_load(&f->oldest_ms) : 0;
	return last > settled ? last - settled : 0;
}
