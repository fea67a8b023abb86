#include "base/mem.h"
#include "store/reader_impl.h"

static enum err copy_dead(struct store_reader *r, sqlite3_stmt *stmt, struct why *why)
{
	struct copied *c = &r->rows[r->count];

	(void)why;
	reader_copy_event(r, stmt);
	reader_copy_part(r, c, BUS, 9, stmt);
	buf_char(&r->bytes, '\0'); /* bus and reason are C strings */
	reader_copy_part(r, c, REASON, 10, stmt);
	buf_char(&r->bytes, '\0');
	c->at_ms = sqlite3_column_int64(stmt, 11);
	c->dead_pos = (uint64_t)sqlite3_column_int64(stmt, 12);
	return E_OK;
}

static struct store_dead_row dead_at(struct store_reader *r, size_t i)
{
	struct str parts[PARTS];
	struct store_dead_row row = {
		.pos = r->rows[i].dead_pos,
		.at_ms = r->rows[i].at_ms,
		.event = *reader_row(r, i),
	};

	reader_locate(r, i, parts);
	row.bus = parts[BUS].p;
	row.reason = parts[REASON].p;
	return row;
}

enum err store_read_dead(struct store_reader *r, uint64_t from,
			 bool (*on_row)(void *ctx, const struct store_dead_row *row), void *ctx, struct why *why)
{
	CLEANUP(buf_release) struct buf bus = { 0 };
	uint64_t pos = from;
	enum err err = reader_begin(r, why);

	if (err != E_OK)
		return err;
	do {
		sqlite3_stmt *stmt = db_stmt(&r->db, READ_DEAD);

		sqlite3_bind_int64(stmt, 1, (int64_t)pos);
		sqlite3_bind_text(stmt, 2, bus.n ? bus.p : "", (int)bus.n, SQLITE_STATIC);
		err = reader_fill(r, READ_DEAD, 0, copy_dead, why);
		if (err != E_OK)
			return err;
		for (size_t i = 0; i < r->count; i++) {
			struct store_dead_row row = dead_at(r, i);

			if (!on_row(ctx, &row))
				return E_OK;
			pos = row.pos;
			buf_clear(&bus);
			buf_str(&bus, str_of(row.bus));
		}
		if (bus.err != E_OK)
			return why_set(why, E_NOMEM, "read");
	} while (reader_is_full(r));
	return E_OK;
}
