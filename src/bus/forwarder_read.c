/*
 * forwarder_read.c -- rows of the store for the forwarder: the next ones, those to send again and those to read again.
 */
#include "base/clock.h"
#include "base/log.h"
#include "bus/forwarder_impl.h"

#define BATCH         256
#define SLICE         4096 /* positions that are read again before others have their turn */
#define READ_AGAIN_MS 1000

bool forwarder_has_room(const struct forwarder *f)
{
	return f->lanes.flying < f->config.window && (f->flying_bytes < f->config.window_bytes || f->lanes.flying == 0);
}

/* Rows that are read at a time: no more than may fly, as those that may not have to be read again. */
static size_t rows_at_a_time(const struct forwarder *f)
{
	size_t free = f->config.window - f->lanes.flying;

	return free < BATCH ? free : BATCH;
}

static void read_trouble(struct forwarder *f, const struct why *why)
{
	if (!f->read_failed)
		log_error("forwarder", "the store cannot be read; trying again", LOG_WHY(why));
	f->read_failed = true;
	f->read_again_ms = clock_mono_ms() + READ_AGAIN_MS;
	store_reader_close(f->reader);
	f->reader = NULL;
}

bool forwarder_read(struct forwarder *f, const struct store_query *query,
		    bool (*on_row)(void *ctx, const struct store_row *row), void *ctx)
{
	struct why why = { 0 };
	enum err err = E_OK;

	if (f->read_again_ms > clock_mono_ms())
		return false;
	f->read_again_ms = 0;
	if (!f->reader)
		err = store_reader_open(f->dir, &why, &f->reader);
	if (!err)
		err = store_read(f->reader, query, on_row, ctx, &why);
	if (err) {
		read_trouble(f, &why);
		return false;
	}
	f->read_failed = false;
	return true;
}

/* Reading stops, and is tried again. */
static bool lacks_memory(struct forwarder *f)
{
	f->read_again_ms = clock_mono_ms() + READ_AGAIN_MS;
	return false;
}

struct reading {
	struct forwarder *f;
	bool stopped; /* before the end of what is there */
};

void forwarder_note_gap(const struct forwarder *f, uint64_t from, uint64_t next)
{
	if (next > from)
		log_warn("forwarder", "this bus never took events that retention let go while another was in use",
			 LOG_S("bus", f->bus_name), LOG_U("from", from), LOG_U("to", next - 1));
}

static bool on_next_row(void *ctx, const struct store_row *row)
{
	struct reading *r = ctx;
	struct forwarder *f = r->f;
	struct entry *e = NULL;

	forwarder_note_gap(f, f->lanes.read_pos + 1, row->pos);
	r->stopped = lanes_append(&f->lanes, row->pos, row->stored_ms, row->source, row->name, &e) != E_OK;
	if (r->stopped)
		return lacks_memory(f);
	if (e)
		forwarder_send(f, e, row);
	r->stopped = !forwarder_has_room(f) || f->bus->ops->state(f->bus) != BUS_UP;
	return !r->stopped;
}

/* Past rows that are no longer there. */
static void skip_to(struct forwarder *f, uint64_t pos)
{
	if (pos <= f->lanes.read_pos)
		return;
	forwarder_note_gap(f, f->lanes.read_pos + 1, pos + 1);
	f->lanes.read_pos = pos;
}

/* True: there may be more to read at once. */
static bool read_next(struct forwarder *f)
{
	uint64_t last = store_last(f->store);
	uint64_t before = f->lanes.read_pos;
	struct store_query query = { .from = before + 1, .limit = rows_at_a_time(f) };
	struct reading r = { .f = f };

	if (before >= last || !forwarder_has_room(f))
		return false;
	if (!forwarder_read(f, &query, on_next_row, &r))
		return false;
	if (!r.stopped && f->lanes.read_pos == before)
		skip_to(f, last);
	return !r.stopped && f->lanes.read_pos > before && f->lanes.read_pos < last;
}

struct loading {
	struct forwarder *f;
	struct entry *entry;
	bool found;
};

static bool on_loaded(void *ctx, const struct store_row *row)
{
	struct loading *l = ctx;

	l->found = true;
	forwarder_send(l->f, l->entry, row);
	return false;
}

static void send_again(struct forwarder *f, struct entry *e)
{
	struct store_query query = { .from = e->pos, .to = e->pos, .limit = 1 };
	struct loading l = { .f = f, .entry = e };
	struct why why = { 0 };

	if (!forwarder_read(f, &query, on_loaded, &l)) {
		(void)why_set(&why, E_UNAVAILABLE, "the store cannot be read");
		forwarder_failed(f, e, &why);
	} else if (!l.found) {
		log_error("forwarder", "an event is no longer in the store", LOG_U("position", e->pos));
		forwarder_taken(f, e);
	}
}

struct again {
	struct forwarder *f;
	uint64_t behind;   /* where it began, */
	uint64_t read_pos; /* and came to */
};

static bool on_row_again(void *ctx, const struct store_row *row)
{
	struct again *a = ctx;
	struct forwarder *f = a->f;
	struct entry *e = NULL;

	a->read_pos = row->pos - 1;
	if (lanes_append_again(&f->lanes, a->behind, row->pos, row->stored_ms, row->source, row->name, &e))
		return lacks_memory(f);
	a->read_pos = row->pos;
	if (e)
		forwarder_send(f, e, row);
	return forwarder_has_room(f) && f->bus->ops->state(f->bus) == BUS_UP;
}

static bool on_slice(void *ctx, uint64_t next)
{
	((struct again *)ctx)->read_pos = next - 1;
	return false;
}

/* What this lane was passed by, and with it those that are near. */
static void read_again(struct forwarder *f, struct lane *lane)
{
	struct again again = { .f = f, .behind = lane->read_pos, .read_pos = f->lanes.read_pos };
	struct store_query query = {
		.from = lane->read_pos + 1,
		.to = f->lanes.read_pos,
		.limit = rows_at_a_time(f),
		.window = SLICE,
		.on_window = on_slice,
	};

	if (!lanes_share(&f->lanes, lane, SLICE)) {
		query.source = str_of(lane_source(lane));
		query.name = str_of(lane_name(lane));
	}
	if (forwarder_read(f, &query, on_row_again, &again))
		lanes_have_read_again(&f->lanes, lane, again.behind, again.read_pos);
}

static void send_waiting(struct forwarder *f)
{
	struct entry *e;
	struct lane *lane;

	while (forwarder_has_room(f) && (e = lanes_resend(&f->lanes, clock_mono_ms())))
		send_again(f, e);
	lane = forwarder_has_room(f) ? lanes_to_read_again(&f->lanes) : NULL;
	if (lane)
		read_again(f, lane);
}

void forwarder_send_all(struct forwarder *f)
{
	f->read_first = !f->read_first;
	if (!f->read_first)
		send_waiting(f);
	f->more = read_next(f);
	if (f->read_first)
		send_waiting(f);
}
