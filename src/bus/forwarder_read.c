/*
 * forwarder_read.c -- rows of the store for the forwarder: the next ones, and those to send again.
 */
#include "base/clock.h"
#include "base/log.h"
#include "bus/forwarder_impl.h"

#define BATCH         256
#define SLICE         4096 /* positions that are searched for one route's events, before others have their turn */
#define READ_AGAIN_MS 1000

bool forwarder_has_room(const struct forwarder *f)
{
	return f->lanes.flying < f->config.window && (f->flying_bytes < f->config.window_bytes || f->lanes.flying == 0);
}

static bool may_read(const struct forwarder *f)
{
	return forwarder_has_room(f) && lanes_may_append(&f->lanes);
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
	if (e && e->flying)
		forwarder_send(f, e, row);
	r->stopped = !may_read(f) || f->bus->ops->state(f->bus) != BUS_UP;
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

/* True: there may be more to read at once. No more is read than may fly: a lane that drains would fall behind what is read. */
static bool read_next(struct forwarder *f)
{
	uint64_t last = store_last(f->store);
	uint64_t before = f->lanes.read_pos;
	size_t room = f->config.window - f->lanes.flying;
	struct store_query query = { .from = before + 1, .limit = room < BATCH ? room : BATCH };
	struct reading r = { .f = f };

	if (before >= last || !may_read(f))
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

struct filling {
	struct forwarder *f;
	struct lane *lane;
	uint64_t read_pos;
};

static bool on_passed_row(void *ctx, const struct store_row *row)
{
	struct filling *fill = ctx;

	if (lanes_fill(&fill->f->lanes, fill->lane, row->pos, row->stored_ms)) {
		fill->read_pos = row->pos - 1;
		return lacks_memory(fill->f);
	}
	fill->read_pos = row->pos;
	return true;
}

static bool on_slice(void *ctx, uint64_t next)
{
	((struct filling *)ctx)->read_pos = next - 1;
	return false;
}

/* What was passed by of a route that is taken again. */
static void fill_lane(struct forwarder *f, struct lane *lane)
{
	struct filling fill = { .f = f, .lane = lane, .read_pos = f->lanes.read_pos };
	struct store_query query = {
		.from = lane->read_pos + 1,
		.to = f->lanes.read_pos,
		.limit = BATCH,
		.source = str_of(lane_source(lane)),
		.name = str_of(lane_name(lane)),
		.window = SLICE,
		.on_window = on_slice,
	};

	if (forwarder_read(f, &query, on_passed_row, &fill))
		lanes_filled(&f->lanes, lane, fill.read_pos);
}

static void send_waiting(struct forwarder *f)
{
	struct entry *e;
	struct lane *lane;

	while (forwarder_has_room(f) && (e = lanes_resend(&f->lanes, clock_mono_ms())))
		send_again(f, e);
	lane = forwarder_has_room(f) ? lanes_to_fill(&f->lanes) : NULL;
	if (lane)
		fill_lane(f, lane);
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
