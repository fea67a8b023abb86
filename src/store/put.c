#include "store/group.h"

#define ROW_BYTES_MAX (512u << 20) /* SQLite's own limit is 10^9 for a row */

/* ---- one row -------------------------------------------------------------------------------------------------------- */

static void bind_text(sqlite3_stmt *stmt, int at, struct str s)
{
	sqlite3_bind_text(stmt, at, s.n ? s.p : "", (int)s.n, SQLITE_STATIC);
}

/* TEXT where sqlite3 can show it. */
static void bind_data(sqlite3_stmt *stmt, int at, const struct store_row *row)
{
	if (row->data_kind == EVENT_DATA_NONE)
		sqlite3_bind_null(stmt, at);
	else if (row->data_kind == EVENT_DATA_BINARY)
		sqlite3_bind_blob(stmt, at, row->data.n ? row->data.p : "", (int)row->data.n, SQLITE_STATIC);
	else
		bind_text(stmt, at, row->data);
}

static enum err insert_row(struct store *s, const struct store_row *row, int64_t route, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_EVENT_ADD);

	sqlite3_bind_int64(stmt, 1, (int64_t)row->pos);
	sqlite3_bind_int64(stmt, 2, row->stored_ms);
	sqlite3_bind_int64(stmt, 3, route);
	bind_text(stmt, 4, row->id);
	if (row->key.n)
		bind_text(stmt, 5, row->key);
	else
		sqlite3_bind_null(stmt, 5);
	sqlite3_bind_int(stmt, 6, row->data_kind);
	bind_text(stmt, 7, row->meta);
	bind_data(stmt, 8, row);
	return db_run(&s->db, SQL_EVENT_ADD, why);
}

static void add_key(struct store *s, struct group *g, const struct store_row *row, struct dedup_fp fp)
{
	struct dedup_entry entry = { fp, row->pos, row->stored_ms };

	dedup_add(&s->dedup, &entry);
	g->keys++;
}

static void mark(struct store_put *put, size_t i, const struct dedup_entry *older)
{
	put->rows[i].pos = older->pos;
	put->rows[i].stored_ms = older->stored_ms;
	if (put->duplicates)
		put->duplicates[i] = true;
}

static bool has_key(const struct store *s, const struct store_row *row)
{
	return row->key.n && s->dedup.window_ms;
}

/* One fresh row of a request; the same key may stand twice in it. */
static enum err add_row(struct store *s, struct group *g, struct store_put *put, size_t i, struct why *why)
{
	struct store_row *row = &put->rows[i];
	struct dedup_fp fp = { 0 };
	int64_t route;
	enum err err = routes_number(&s->routes, &s->db, row->source, row->name, why, &route);

	if (err != E_OK)
		return err;
	if (has_key(s, row)) {
		const struct dedup_entry *older;

		fp = dedup_fp(&s->dedup, route, row->key);
		older = dedup_find_recent(&s->dedup, fp, g->age_ms);
		if (older) {
			mark(put, i, older);
			g->duplicates++;
			return E_OK;
		}
	}
	row->pos = s->last_pos + 1;
	row->stored_ms = g->now_ms;
	err = insert_row(s, row, route, why);
	if (err != E_OK)
		return err;
	s->last_pos++;
	g->rows++;
	g->bytes += group_row_bytes(row);
	s->space.added += group_row_bytes(row);
	if (fp.hi)
		add_key(s, g, row, fp);
	return E_OK;
}

/* ---- one request ---------------------------------------------------------------------------------------------------- */

/* Which rows were stored before this request? They get pos > 0, the others 0. */
static enum err find_duplicates(struct store *s, struct group *g, struct store_put *put, struct why *why,
				size_t *ret_fresh)
{
	*ret_fresh = 0;
	for (size_t i = 0; i < put->count; i++) {
		struct store_row *row = &put->rows[i];
		struct dedup_entry older;
		bool found = false;
		int64_t route;
		enum err err = E_OK;

		row->pos = 0;
		if (put->duplicates)
			put->duplicates[i] = false;
		if (has_key(s, row)) {
			err = routes_number(&s->routes, &s->db, row->source, row->name, why, &route);
			if (err == E_OK)
				err = dedup_find(&s->dedup, dedup_fp(&s->dedup, route, row->key), g->age_ms, why,
						 &found, &older);
		}
		if (err != E_OK)
			return err;
		if (found)
			mark(put, i, &older);
		else
			++*ret_fresh;
	}
	return E_OK;
}

/* A request that this store cannot take now, or never. Decided before any of its rows is inserted. */
static enum err admit(struct store *s, const struct store_put *put, size_t fresh)
{
	size_t keys = 0;

	for (size_t i = 0; i < put->count; i++) {
		if (group_row_bytes(&put->rows[i]) > ROW_BYTES_MAX)
			return E_LIMIT;
		keys += has_key(s, &put->rows[i]);
	}
	if (fresh && !space_admits(&s->space))
		return E_FULL;
	return keys ? dedup_reserve(&s->dedup, keys) : E_OK;
}

/* The error is the transaction's; a request refused for itself has it in put->err. */
enum err group_add_put(struct store *s, struct group *g, struct store_put *put, struct why *why)
{
	size_t fresh;
	enum err err = find_duplicates(s, g, put, why, &fresh);

	if (err != E_OK)
		return err;
	g->duplicates += put->count - fresh;
	put->err = admit(s, put, fresh);
	if (put->err != E_OK) {
		g->refused += fresh;
		return E_OK;
	}
	for (size_t i = 0; i < put->count && err == E_OK; i++)
		if (put->rows[i].pos == 0)
			err = add_row(s, g, put, i, why);
	return err;
}

static enum err remove_dead(struct store *s, const struct store_dead_put *dead, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_DEAD_REMOVE);
	enum err err;

	sqlite3_bind_int64(stmt, 1, (int64_t)dead->pos);
	sqlite3_bind_text(stmt, 2, dead->bus, -1, SQLITE_STATIC);
	err = db_run(&s->db, SQL_DEAD_REMOVE, why);
	if (err == E_OK)
		s->dead_count -= sqlite3_changes64(s->db.handle);
	return err;
}

/* Retention went past it while it was set aside, and does not come back. */
static enum err let_go(struct store *s, uint64_t pos, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_EVENT_FORGET);
	enum err err;

	sqlite3_bind_int64(stmt, 1, (int64_t)pos);
	sqlite3_bind_int64(stmt, 2, (int64_t)s->removed_pos);
	err = db_run(&s->db, SQL_EVENT_FORGET, why);
	if (err == E_OK && sqlite3_changes64(s->db.handle)) {
		metric_inc(s->metrics.removed);
		s->space.freed = true;
	}
	return err;
}

/* Set aside again counts once, with the newest reason. */
enum err group_add_dead(struct store *s, const struct group *g, struct store_dead_put *dead, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_DEAD_ADD);
	enum err err = remove_dead(s, dead, why);

	dead->err = E_OK;
	if (err == E_OK && dead->what == STORE_DEAD_REMOVE)
		return let_go(s, dead->pos, why);
	if (err != E_OK)
		return err;
	sqlite3_bind_int64(stmt, 1, (int64_t)dead->pos);
	sqlite3_bind_text(stmt, 2, dead->bus, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, dead->reason ? dead->reason : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, g->now_ms);
	s->dead_count++;
	return db_run(&s->db, SQL_DEAD_ADD, why);
}
