#include "store/reader_impl.h"

#define WINDOW 16384 /* positions a transaction looks at: a filter may match none of them */

static enum err last(struct store_reader *r, struct why *why, uint64_t *ret_last)
{
	enum err err = reader_begin(r, why);
	sqlite3_stmt *stmt = db_stmt(&r->db, READ_LAST);

	if (err != E_OK)
		return err;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret_last = (uint64_t)sqlite3_column_int64(stmt, 0);
	return reader_done(r, stmt, why);
}

enum err store_end(struct store_reader *r, uint64_t *ret_pos, struct why *why)
{
	uint64_t newest = 0;
	enum err err = last(r, why, &newest);

	if (err == E_OK)
		*ret_pos = newest + 1;
	return err;
}

static void bind_filter(sqlite3_stmt *stmt, int at, struct str word)
{
	if (word.n)
		sqlite3_bind_text64(stmt, at, word.p, word.n, SQLITE_STATIC, SQLITE_UTF8);
	else
		sqlite3_bind_null(stmt, at);
}

static uint64_t window_end(const struct store_query *query, uint64_t from, uint64_t to)
{
	size_t window = query->window ? query->window : WINDOW;

	return to - from < window ? to : from + window - 1;
}

/* Without its route: left out it would look like one that retention let go. SQLite takes the order of the rows on trust. */
static enum err copy_row(struct store_reader *r, sqlite3_stmt *stmt, struct why *why)
{
	reader_copy_event(r, stmt);
	if (r->rows[r->count].row.pos < r->least)
		return why_set(why, E_CORRUPT, "event %lld: is not behind the one before it",
			       (long long)sqlite3_column_int64(stmt, 0));
	r->least = r->rows[r->count].row.pos + 1;
	if (sqlite3_column_type(stmt, 2) != SQLITE_NULL)
		return E_OK;
	return why_set(why, E_CORRUPT, "event %lld: no route %lld", (long long)sqlite3_column_int64(stmt, 0),
		       (long long)sqlite3_column_int64(stmt, 9));
}

static enum err read_chunk(struct store_reader *r, const struct store_query *query, uint64_t from, uint64_t to,
			   size_t left, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&r->db, READ_ROWS);

	r->least = from;
	sqlite3_bind_int64(stmt, 1, (int64_t)from);
	sqlite3_bind_int64(stmt, 2, (int64_t)to);
	bind_filter(stmt, 3, query->source);
	bind_filter(stmt, 4, query->name);
	return reader_fill(r, READ_ROWS, left, copy_row, why);
}

/* The first row at or behind `*pos`, or none. */
static enum err row_from(struct store_reader *r, struct why *why, uint64_t *pos, int64_t *ret_ms, bool *ret_found)
{
	sqlite3_stmt *stmt = db_stmt(&r->db, READ_FROM);

	sqlite3_bind_int64(stmt, 1, (int64_t)*pos);
	*ret_found = sqlite3_step(stmt) == SQLITE_ROW;
	if (*ret_found) {
		*pos = (uint64_t)sqlite3_column_int64(stmt, 0);
		*ret_ms = sqlite3_column_int64(stmt, 1);
	}
	return reader_done(r, stmt, why);
}

/* From an empty window to the next row: retention may have let billions of positions go. */
static enum err skip_gap(struct store_reader *r, uint64_t to, struct why *why, uint64_t *from)
{
	uint64_t pos = *from;
	int64_t ms;
	bool found;
	enum err err = row_from(r, why, &pos, &ms, &found);

	*from = found && pos <= to ? pos : to + 1;
	return err;
}

/* The last row of the chunk, or the position before it. */
static uint64_t read_up_to(const struct store_reader *r, uint64_t from)
{
	return r->count ? r->rows[r->count - 1].row.pos : from ? from - 1 : 0;
}

enum err store_read(struct store_reader *r, const struct store_query *query,
		    bool (*on_row)(void *ctx, const struct store_row *row), void *ctx, struct why *why)
{
	uint64_t from = query->from;
	uint64_t to = 0;
	size_t left = query->limit;
	enum err err = last(r, why, &to);

	if (query->to && query->to < to)
		to = query->to;
	while (err == E_OK && from <= to) {
		uint64_t end = window_end(query, from, to);

		err = read_chunk(r, query, from, end, left, why);
		for (size_t i = 0; i < r->count; i++)
			if (!on_row(ctx, reader_row(r, i)))
				return E_OK;
		if (err != E_OK)
			return why_add(why, "events behind position %llu", (unsigned long long)read_up_to(r, from));
		if (query->limit && (left -= r->count) == 0)
			break;
		from = reader_is_full(r) ? r->rows[r->count - 1].row.pos + 1 : end + 1;
		if (r->count == 0 && from <= to)
			err = skip_gap(r, to, why, &from);
		if (err == E_OK && query->on_window && !query->on_window(ctx, from))
			break;
	}
	return err;
}

/* Retention let everything up to `*ret_pos` go, but what is set aside; the last of it was stored by `*ret_ms`. */
static enum err removed(struct store_reader *r, struct why *why, uint64_t *ret_pos, int64_t *ret_ms)
{
	sqlite3_stmt *stmt = db_stmt(&r->db, READ_GONE);

	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*ret_pos = (uint64_t)sqlite3_column_int64(stmt, 0);
		*ret_ms = sqlite3_column_int64(stmt, 1);
	}
	return reader_done(r, stmt, why);
}

/* Is there an event at each position? Looks no further than the first that is missing. */
static enum err is_whole(struct store_reader *r, uint64_t from, uint64_t to, struct why *why, bool *ret_whole)
{
	sqlite3_stmt *stmt = db_stmt(&r->db, READ_THERE);
	uint64_t next = from;

	sqlite3_bind_int64(stmt, 1, (int64_t)from);
	sqlite3_bind_int64(stmt, 2, (int64_t)to);
	while (sqlite3_step(stmt) == SQLITE_ROW && (uint64_t)sqlite3_column_int64(stmt, 0) == next)
		next++;
	*ret_whole = next > to;
	return reader_done(r, stmt, why);
}

enum err store_gone(struct store_reader *r, uint64_t from, uint64_t to, uint64_t *ret_pos, struct why *why)
{
	uint64_t end = 0;
	bool whole = true;
	int64_t ms = 0;
	enum err err = reader_begin(r, why);

	if (err == E_OK)
		err = removed(r, why, &end, &ms);
	if (to < end)
		end = to;
	if (err == E_OK && from && from <= end)
		err = is_whole(r, from, end, why, &whole);
	if (err == E_OK)
		*ret_pos = whole ? 0 : end;
	return err;
}

/* Stored times rise with the positions, so halving finds the place without an index. */
enum err store_pos_at(struct store_reader *r, int64_t wall_ms, uint64_t *ret_pos, struct why *why)
{
	uint64_t low = 1;
	uint64_t high = 0;
	uint64_t gone = 0;
	int64_t gone_ms = 0;
	enum err err = last(r, why, &high);

	high++; /* the answer lies in [low, high] */
	while (err == E_OK && low < high) {
		uint64_t middle = low + (high - low) / 2;
		uint64_t pos = middle;
		int64_t ms = 0;
		bool found;

		err = row_from(r, why, &pos, &ms, &found);
		if (!found || ms >= wall_ms)
			high = middle;
		else
			low = pos + 1;
	}
	if (err == E_OK)
		err = removed(r, why, &gone, &gone_ms);
	if (err == E_OK)
		*ret_pos = gone_ms < wall_ms && low <= gone ? gone + 1 : low;
	return err;
}
