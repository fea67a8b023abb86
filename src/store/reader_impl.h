/*
 * reader_impl.h -- the inside of a reader: what its three files share.
 *
 * Shape     reader.c        opens and closes; rows out of a statement into the chunk
 *           reader_rows.c   events: in order of position, by time, what retention let go
 *           reader_dead.c   dead letters
 */
#pragma once

#include "store/db.h"
#include "store/store.h"

/*
 * Rows are copied out in chunks and handed on between two read transactions: a slow taker (a pipe, a network) must not
 * hold back the writer's checkpoints.
 */
#define CHUNK_ROWS  256
#define CHUNK_BYTES (256u << 10) /* a single larger row makes a chunk of its own */

/* clang-format off */
#define EVENT_COLUMNS "e.pos, e.stored_ms, r.source, r.name, e.id, e.key, e.kind, e.meta, e.data"

/*    name     statement */
#define READER_SQL(X)                                                                                                  \
	X(ROWS,  "SELECT " EVENT_COLUMNS ", e.route FROM events e LEFT JOIN routes r ON r.route = e.route"             \
		 " WHERE e.pos BETWEEN ?1 AND ?2 AND"                                                                  \
		 " (r.route IS NULL OR ((?3 IS NULL OR r.source = ?3) AND (?4 IS NULL OR r.name = ?4)))"               \
		 " ORDER BY e.pos")                                                                                    \
	X(LAST,  "SELECT max(coalesce((SELECT max(pos) FROM events), 0),"                                              \
		 " coalesce((SELECT value FROM settings WHERE name = 'removed_pos'), 0))")                             \
	X(GONE,  "SELECT value, coalesce((SELECT value FROM settings WHERE name = 'removed_ms'), 9223372036854775807)" \
		 " FROM settings WHERE name = 'removed_pos'")                                                          \
	X(THERE, "SELECT pos FROM events WHERE pos BETWEEN ?1 AND ?2 ORDER BY pos")                                    \
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
	struct buf dir;
	struct db db;
	bool moved;     /* the file or its log has another name, or none */
	uint64_t least; /* position that the next event can have */
	struct buf bytes;
	struct copied rows[CHUNK_ROWS];
	size_t count;
};

/* Opens anew what has its name now, after a use found that the file has moved. Every use begins with it. */
enum err reader_begin(struct store_reader *r, struct why *why);

/*
 * Ends the statement and its read transaction. E_UNAVAILABLE: what was read counts for nothing. The writer has begun a new log, while this
 * reader has the old one, where something else stands.
 */
enum err reader_done(struct store_reader *r, sqlite3_stmt *stmt, struct why *why);

/*
 * Rows of a bound statement, by `copy`, until the chunk is full; ends the read transaction. `limit` 0: none. After an error the rows in
 * front of it are there, but none when the file has moved.
 */
enum err reader_fill(struct store_reader *r, int which, size_t limit,
		     enum err (*copy)(struct store_reader *, sqlite3_stmt *, struct why *), struct why *why);

/* Is there more behind the chunk? It may be. */
bool reader_is_full(const struct store_reader *r);

/* The event of a row, and one more part of it, as copied next. */
void reader_copy_event(struct store_reader *r, sqlite3_stmt *stmt);
void reader_copy_part(struct store_reader *r, struct copied *c, int part, int column, sqlite3_stmt *stmt);

/* The parts of row `i` where they lie now; the bytes no longer move. */
void reader_locate(const struct store_reader *r, size_t i, struct str ret_parts[static PARTS]);

/* The event of row `i`. */
struct store_row *reader_row(struct store_reader *r, size_t i);
