#include <assert.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store/schema.h"
#include "store/store.h"

/*
 * Rows are copied out in chunks and handed on between two read transactions: a slow taker (a pipe, a network) must not
 * hold back the writer's checkpoints.
 */
#define CHUNK_ROWS  256
#define CHUNK_BYTES (256u << 10) /* a single larger row makes a chunk of its own */
#define WINDOW      16384        /* positions a transaction looks at: a filter may match none of them */
#define BUSY_MS     2000

/* clang-format off */
#define EVENT_COLUMNS "e.pos, e.stored_ms, r.source, r.name, e.id, e.key, e.kind, e.meta, e.data"

/*    name     statement */
#define READER_SQL(X)                                                                                                  \
	X(ROWS,  "SELECT " EVENT_COLUMNS " FROM events e CROSS JOIN routes r ON r.route = e.route"                     \
		 " WHERE e.pos BETWEEN ?1 AND ?2 AND (?3 IS NULL OR r.source = ?3) AND (?4 IS NULL OR r.name = ?4)"    \
		 " ORDER BY e.pos")                                                                                    \
	X(LAST,  "SELECT max(coalesce((SELECT max(pos) FROM events), 0),"                                              \
		 " coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0))")                             \
	X(GONE,  "SELECT value, coalesce((SELECT value FROM settings WHERE name = 'removed_ms'), 9223372036854775807)" \
		 " FROM settings WHERE name = 'removed_pos'")                                                          \
	X(THERE, "SELECT count(*) FROM events WHERE pos BETWEEN ?1 AND ?2")                                              \
	X(FROM,  "SELECT pos, stored_ms FROM events WHERE pos >= ?1 ORDER BY pos LIMIT 1")                             \
	X(DEAD,  "SELECT " EVENT_COLUMNS ", d.bus, d.reason, d.at_ms, d.pos FROM dead d"                               \
		 " LEFT JOIN events e ON e.pos = d.pos LEFT JOIN routes r ON r.route = e.route"                        \
		 " WHERE (d.pos, d.bus) > (?1, ?2) ORDER BY d.pos, d.bus")
/* clang-format on */

enum {
#define X(name, text) READ_##name,
	READER_SQL(X)
#undef X
		READ_COUNT,
};

static const char *const texts[] = {
#define X(name, text) [READ_##name] = text,
	READER_SQL(X)
#undef X
};

/* What a row's bytes are, one behind the other in the chunk. */
enum { SOURCE, NAME, ID, KEY, META, DATA, BUS, REASON, PARTS };

struct copied {
	struct store_row row;
	size_t at;       /* where its bytes begin */
	size_t n[PARTS]; /* how many each part has */
	uint64_t dead_pos;
	int64_t at_ms;
};

struct store_reader {
	struct db db;
	sqlite3_stmt *stmt[READ_COUNT];
	struct buf bytes;
	struct copied rows[CHUNK_ROWS];
	size_t count;
};

DEFINE_FREEP(reader, struct store_reader, store_reader_close)

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < READ_COUNT; i++)
		sqlite3_finalize(r->stmt[i]);
	db_close(&r->db);
	buf_release(&r->bytes);
	mem_free(r);
}

static enum err prepare(struct store_reader *r, struct why *why)
{
	for (size_t i = 0; i < READ_COUNT; i++) {
		int rc = sqlite3_prepare_v3(r->db.handle, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &r->stmt[i], NULL);

		if (rc != SQLITE_OK)
			return db_why(&r->db, rc, why, texts[i]);
	}
	return E_OK;
}

static enum err open_file(struct store_reader *r, const char *dir, struct why *why)
{
	CLEANUP(buf_release) struct buf path = { 0 };
	enum err err;

	buf_addf(&path, "%s/%s", dir, STORE_FILE);
	if (!buf_cstr(&path))
		return why_set(why, E_NOMEM, "open");
	err = db_open(path.p, SQLITE_OPEN_READONLY, BUSY_MS, why, &r->db);
	if (err == E_NOT_FOUND && errno == ENOENT)
		why_set(why, err, "there is no store");
	if (err == E_OK)
		err = schema_check(&r->db, why);
	if (err == E_OK)
		err = prepare(r, why);
	return err;
}

enum err store_reader_open(const char *dir, struct why *why, struct store_reader **ret_reader)
{
	CLEANUP(reader_freep) struct store_reader *r = mem_alloc(sizeof(*r));
	enum err err = r ? open_file(r, dir, why) : why_set(why, E_NOMEM, "reader");

	if (err != E_OK)
		return why_add(why, "store %s", dir);
	*ret_reader = TAKE(r);
	return E_OK;
}

/* ---- chunks --------------------------------------------------------------------------------------------------------- */

static void copy_part(struct store_reader *r, struct copied *c, int part, int column, sqlite3_stmt *stmt)
{
	struct str s = db_column(stmt, column);

	c->n[part] = s.n;
	buf_str(&r->bytes, s);
}

static void copy_event(struct store_reader *r, sqlite3_stmt *stmt)
{
	struct copied *c = &r->rows[r->count];

	*c = (struct copied){ .at = r->bytes.n };
	c->row.pos = (uint64_t)sqlite3_column_int64(stmt, 0);
	c->row.stored_ms = sqlite3_column_int64(stmt, 1);
	c->row.data_kind = (enum event_data)sqlite3_column_int(stmt, 6);
	copy_part(r, c, SOURCE, 2, stmt);
	copy_part(r, c, NAME, 3, stmt);
	copy_part(r, c, ID, 4, stmt);
	copy_part(r, c, KEY, 5, stmt);
	copy_part(r, c, META, 7, stmt);
	copy_part(r, c, DATA, 8, stmt);
}

static void copy_dead(struct store_reader *r, sqlite3_stmt *stmt)
{
	struct copied *c = &r->rows[r->count];

	copy_event(r, stmt);
	copy_part(r, c, BUS, 9, stmt);
	buf_char(&r->bytes, '\0'); /* bus and reason are C strings */
	copy_part(r, c, REASON, 10, stmt);
	buf_char(&r->bytes, '\0');
	c->at_ms = sqlite3_column_int64(stmt, 11);
	c->dead_pos = (uint64_t)sqlite3_column_int64(stmt, 12);
}

/* The parts of row `i` where they lie now; the bytes no longer move. */
static void locate(const struct store_reader *r, size_t i, struct str ret_parts[static PARTS])
{
	const struct copied *c = &r->rows[i];
	const char *p = r->bytes.p + c->at;

	for (int part = 0; part < PARTS; part++) {
		ret_parts[part] = (struct str){ p, c->n[part] };
		p += c->n[part] + (part == BUS);
	}
}

static struct store_row *row_at(struct store_reader *r, size_t i)
{
	struct store_row *row = &r->rows[i].row;
	struct str parts[PARTS];

	locate(r, i, parts);
	row->source = parts[SOURCE];
	row->name = parts[NAME];
	row->id = parts[ID];
	row->key = parts[KEY];
	row->meta = parts[META];
	row->data = parts[DATA];
	return row;
}

/* Rows of a bound statement until the chunk is full; ends the read transaction. */
static enum err fill(struct store_reader *r, int which, size_t limit,
		     void (*copy)(struct store_reader *, sqlite3_stmt *), struct why *why)
{
	sqlite3_stmt *stmt = r->stmt[which];
	size_t most = limit && limit < CHUNK_ROWS ? limit : CHUNK_ROWS;

	r->count = 0;
	buf_clear(&r->bytes);
	buf_lit(&r->bytes, " "); /* never empty: parts point somewhere */
	while (r->count < most && r->bytes.n < CHUNK_BYTES && sqlite3_step(stmt) == SQLITE_ROW) {
		copy(r, stmt);
		if (r->bytes.err != E_OK)
			break;
		r->count++;
	}
	if (r->bytes.err != E_OK) {
		sqlite3_reset(stmt);
		return why_set(why, r->bytes.err, "read");
	}
	return db_why(&r->db, sqlite3_reset(stmt), why, "read");
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static enum err last(struct store_reader *r, struct why *why, uint64_t *ret_last)
{
	sqlite3_stmt *stmt = r->stmt[READ_LAST];

	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret_last = (uint64_t)sqlite3_column_int64(stmt, 0);
	return db_why(&r->db, sqlite3_reset(stmt), why, "read");
}

static void bind_filter(sqlite3_stmt *stmt, int at, struct str word)
{
	if (word.n)
		sqlite3_bind_text64(stmt, at, word.p, word.n, SQLITE_STATIC, SQLITE_UTF8);
	else
		sqlite3_bind_null(stmt, at);
}

static bool is_full(const struct store_reader *r)
{
	return r->count == CHUNK_ROWS || r->bytes.n >= CHUNK_BYTES;
}

static uint64_t window_end(uint64_t from, uint64_t to)
{
	return to - from < WINDOW ? to : from + WINDOW - 1;
}

static enum err read_chunk(struct store_reader *r, const struct store_query *query, uint64_t from, uint64_t to,
			   size_t left, struct why *why)
{
	sqlite3_stmt *stmt = r->stmt[READ_ROWS];

	sqlite3_bind_int64(stmt, 1, (int64_t)from);
	sqlite3_bind_int64(stmt, 2, (int64_t)to);
	bind_filter(stmt, 3, query->source);
	bind_filter(stmt, 4, query->name);
	return fill(r, READ_ROWS, left, copy_event, why);
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
		uint64_t end = window_end(from, to);

		err = read_chunk(r, query, from, end, left, why);
		for (size_t i = 0; err == E_OK && i < r->count; i++)
			if (!on_row(ctx, row_at(r, i)))
				return E_OK;
		if (query->limit && (left -= r->count) == 0)
			break;
		from = is_full(r) ? r->rows[r->count - 1].row.pos + 1 : end + 1;
	}
	return err;
}

/* The first row at or behind `*pos`, or none. */
static enum err row_from(struct store_reader *r, struct why *why, uint64_t *pos, int64_t *ret_ms, bool *ret_found)
{
	sqlite3_stmt *stmt = r->stmt[READ_FROM];

	sqlite3_bind_int64(stmt, 1, (int64_t)*pos);
	*ret_found = sqlite3_step(stmt) == SQLITE_ROW;
	if (*ret_found) {
		*pos = (uint64_t)sqlite3_column_int64(stmt, 0);
		*ret_ms = sqlite3_column_int64(stmt, 1);
	}
	return db_why(&r->db, sqlite3_reset(stmt), why, "read");
}

/* Retention let everything up to `*ret_pos` go, but what is set aside; the last of it was stored by `*ret_ms`. */
static enum err removed(struct store_reader *r, struct why *why, uint64_t *ret_pos, int64_t *ret_ms)
{
	sqlite3_stmt *stmt = r->stmt[READ_GONE];

	if (sqlite3_step(stmt) == SQLITE_ROW) {
		*ret_pos = (uint64_t)sqlite3_column_int64(stmt, 0);
		*ret_ms = sqlite3_column_int64(stmt, 1);
	}
	return db_why(&r->db, sqlite3_reset(stmt), why, "read");
}

static enum err count(struct store_reader *r, uint64_t from, uint64_t to, struct why *why, uint64_t *ret_count)
{
	sqlite3_stmt *stmt = r->stmt[READ_THERE];

	sqlite3_bind_int64(stmt, 1, (int64_t)from);
	sqlite3_bind_int64(stmt, 2, (int64_t)to);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret_count = (uint64_t)sqlite3_column_int64(stmt, 0);
	return db_why(&r->db, sqlite3_reset(stmt), why, "read");
}

enum err store_gone(struct store_reader *r, uint64_t from, uint64_t to, uint64_t *ret_pos, struct why *why)
{
	uint64_t end = 0;
	uint64_t there = 0;
	int64_t ms = 0;
	enum err err = removed(r, why, &end, &ms);

	if (to < end)
		end = to;
	if (err == E_OK && from && from <= end)
		err = count(r, from, end, why, &there);
	if (err == E_OK)
		*ret_pos = from && from <= end && there < end - from + 1 ? end : 0;
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

/* ---- dead letters --------------------------------------------------------------------------------------------------- */

static struct store_dead_row dead_at(struct store_reader *r, size_t i)
{
	struct str parts[PARTS];
	struct store_dead_row row = {
		.pos = r->rows[i].dead_pos,
		.at_ms = r->rows[i].at_ms,
		.event = *row_at(r, i),
	};

	locate(r, i, parts);
	row.bus = parts[BUS].p;
	row.reason = parts[REASON].p;
	return row;
}

enum err store_read_dead(struct store_reader *r, uint64_t from,
			 bool (*on_row)(void *ctx, const struct store_dead_row *row), void *ctx, struct why *why)
{
	sqlite3_stmt *stmt = r->stmt[READ_DEAD];
	CLEANUP(buf_release) struct buf bus = { 0 };
	uint64_t pos = from;

	do {
		enum err err;

		sqlite3_bind_int64(stmt, 1, (int64_t)pos);
		sqlite3_bind_text(stmt, 2, bus.n ? bus.p : "", (int)bus.n, SQLITE_STATIC);
		err = fill(r, READ_DEAD, 0, copy_dead, why);
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
	} while (is_full(r));
	return E_OK;
}
