#include "base/mem.h"
#include "store/reader_impl.h"
#include "store/tool_file.h"

static const char *const texts[] = {
#define X(name, text) [READ_##name] = text,
	READER_SQL(X)
#undef X
};

DEFINE_FREEP(reader, struct store_reader, store_reader_close)

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	db_close(&r->db);
	buf_release(&r->dir);
	buf_release(&r->bytes);
	mem_free(r);
}

static enum err open_db(const char *dir, struct why *why, struct db *ret_db)
{
	struct db db;
	enum err err = tool_open(dir, SQLITE_OPEN_READONLY, why, &db);

	if (err != E_OK)
		return err;
	err = db_prepare(&db, texts, READ_COUNT, why);
	if (err == E_OK)
		err = db_check_name(&db, why);
	if (err != E_OK) {
		db_close(&db);
		return why_add(why, "store %s", dir);
	}
	*ret_db = db;
	return E_OK;
}

enum err store_reader_open(const char *dir, struct why *why, struct store_reader **ret_reader)
{
	CLEANUP(reader_freep) struct store_reader *r = mem_alloc(sizeof(*r));
	enum err err;

	if (r)
		buf_addf(&r->dir, "%s", dir);
	if (!r || !buf_cstr(&r->dir))
		return why_set(why, E_NOMEM, "store %s: reader", dir);
	err = open_db(dir, why, &r->db);
	if (err == E_OK)
		*ret_reader = TAKE(r);
	return err;
}

enum err reader_begin(struct store_reader *r, struct why *why)
{
	struct db db;
	enum err err;

	if (!r->moved)
		return E_OK;
	err = open_db(r->dir.p, why, &db);
	if (err != E_OK)
		return err;
	db_close(&r->db);
	r->db = db;
	r->moved = false;
	return E_OK;
}

enum err reader_done(struct store_reader *r, sqlite3_stmt *stmt, struct why *why)
{
	struct why moved = { 0 };
	enum err err = db_why(&r->db, sqlite3_reset(stmt), why, "read");

	if (db_check_name(&r->db, &moved) == E_OK)
		return err;
	r->moved = true;
	*why = moved;
	return moved.err;
}

/* ---- chunks --------------------------------------------------------------------------------------------------------- */

void reader_copy_part(struct store_reader *r, struct copied *c, int part, int column, sqlite3_stmt *stmt)
{
	struct str s = db_column(stmt, column);

	c->n[part] = s.n;
	buf_str(&r->bytes, s);
}

void reader_copy_event(struct store_reader *r, sqlite3_stmt *stmt)
{
	struct copied *c = &r->rows[r->count];

	*c = (struct copied){ .at = r->bytes.n };
	c->row.pos = (uint64_t)sqlite3_column_int64(stmt, 0);
	c->row.stored_ms = sqlite3_column_int64(stmt, 1);
	c->row.data_kind = (enum event_data)sqlite3_column_int(stmt, 6);
	reader_copy_part(r, c, SOURCE, 2, stmt);
	reader_copy_part(r, c, NAME, 3, stmt);
	reader_copy_part(r, c, ID, 4, stmt);
	reader_copy_part(r, c, KEY, 5, stmt);
	reader_copy_part(r, c, META, 7, stmt);
	reader_copy_part(r, c, DATA, 8, stmt);
}

void reader_locate(const struct store_reader *r, size_t i, struct str ret_parts[static PARTS])
{
	const struct copied *c = &r->rows[i];
	const char *p = r->bytes.p + c->at;

	for (int part = 0; part < PARTS; part++) {
		ret_parts[part] = (struct str){ p, c->n[part] };
		p += c->n[part] + (part == BUS);
	}
}

struct store_row *reader_row(struct store_reader *r, size_t i)
{
	struct store_row *row = &r->rows[i].row;
	struct str parts[PARTS];

	reader_locate(r, i, parts);
	row->source = parts[SOURCE];
	row->name = parts[NAME];
	row->id = parts[ID];
	row->key = parts[KEY];
	row->meta = parts[META];
	row->data = parts[DATA];
	return row;
}

enum err reader_fill(struct store_reader *r, int which, size_t limit,
		     enum err (*copy)(struct store_reader *, sqlite3_stmt *, struct why *), struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&r->db, (unsigned)which);
	size_t most = limit && limit < CHUNK_ROWS ? limit : CHUNK_ROWS;
	enum err err = E_OK;
	enum err ended;

	r->count = 0;
	buf_clear(&r->bytes);
	buf_lit(&r->bytes, " "); /* never empty: parts point somewhere */
	while (err == E_OK && r->count < most && r->bytes.n < CHUNK_BYTES && sqlite3_step(stmt) == SQLITE_ROW) {
		err = copy(r, stmt, why);
		if (err == E_OK && r->bytes.err != E_OK)
			err = why_set(why, r->bytes.err, "read");
		r->count += err == E_OK;
	}
	ended = reader_done(r, stmt, why);
	if (r->moved)
		r->count = 0;
	return ended != E_OK ? ended : err;
}

bool reader_is_full(const struct store_reader *r)
{
	return r->count == CHUNK_ROWS || r->bytes.n >= CHUNK_BYTES;
}
