#include "base/clock.h"
#include "base/mem.h"
#include "store/schema.h"
#include "store/store_impl.h"

#define WAL_FRAMES  512 /* the log begins anew: after 8 MB of pages, and a start reads no more than twice that */
#define PROBE_BYTES (64 << 10)

/* The newest position and its time: of a row, or what retention noted when it let the newest row go. */
static enum err load_last(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_EVENT_LAST);
	int64_t pos = 0;
	int64_t removed = 0;
	enum err err;

	s->last_ms = 0;
	err = db_setting(&s->db, "removed_ms", why, &s->last_ms);
	if (err == E_OK)
		err = db_setting(&s->db, "removed_pos", why, &removed);
	if (err != E_OK)
		return err;
	if (db_row(&s->db, SQL_EVENT_LAST)) {
		pos = sqlite3_column_int64(stmt, 0);
		s->last_ms = sqlite3_column_int64(stmt, 1);
	}
	err = db_done(&s->db, SQL_EVENT_LAST, why);
	if (err == E_OK && (pos < 0 || removed < 0))
		return why_set(why, E_CORRUPT, "a negative position");
	s->removed_pos = (uint64_t)removed;
	s->last_pos = (uint64_t)(pos > removed ? pos : removed);
	return err;
}

/* At a reopening: everything that was acknowledged must still be there. */
static enum err check_last(struct store *s, struct why *why)
{
	uint64_t acknowledged = atomic_load(&s->last);

	if (s->last_pos >= acknowledged)
		return E_OK;
	return why_set(why, E_CORRUPT, "the disk lost events: the last is %llu, acknowledged were %llu",
		       (unsigned long long)s->last_pos, (unsigned long long)acknowledged);
}

/* It is not earlier than what is stored says. Whatever the clock says beyond that is a step ahead like others. */
static void start_age(struct store *s, int64_t now)
{
	if (!s->age.wall_ms) /* else it is a reopening */
		age_init(&s->age, s->last_ms && s->last_ms < now ? s->last_ms : now, clock_mono_ms());
}

static enum err load(struct store *s, struct why *why)
{
	int64_t now = clock_wall_ms();
	enum err err = load_last(s, why);

	if (err == E_OK)
		start_age(s, now);
	if (err == E_OK)
		err = check_last(s, why);
	if (err == E_OK)
		err = routes_load(&s->routes, &s->db, why);
	if (err == E_OK)
		err = positions_load(&s->positions, &s->db, s->last_pos, why);
	if (err == E_OK)
		err = dedup_open(&s->dedup, &s->db, s->dedup_memory, atomic_load(&s->dedup_ms), s->last_pos, now, why);
	if (err == E_OK && db_row(&s->db, SQL_DEAD_COUNT))
		s->dead_count = sqlite3_column_int64(db_stmt(&s->db, SQL_DEAD_COUNT), 0);
	if (err == E_OK)
		err = db_done(&s->db, SQL_DEAD_COUNT, why);
	if (err == E_OK)
		err = space_measure(&s->space, &s->db, why);
	return err;
}

static enum err open_all(struct store *s, struct why *why)
{
	enum err err = db_open(s->path, SQLITE_OPEN_READWRITE, DB_BUSY_MS, why, &s->db);

	if (err != E_OK)
		return err;
	err = schema_prepare(&s->db, why);
	wal_watch(&s->wal, &s->db, SCHEMA_PAGE_BYTES, WAL_FRAMES);
	if (err == E_OK)
		err = wal_rewrite(&s->db, why);
	if (err == E_OK)
		err = db_check_name(&s->db, why);
	if (err == E_OK)
		err = db_prepare_all(&s->db, why);
	if (err == E_OK)
		err = load(s, why);
	return err;
}

/* Room for the log may be missing: what is stored can be read and forwarded all the same, and the first commit says it. */
static enum err try_checkpoint(struct store *s, struct why *why)
{
	struct why full = { 0 };
	enum err err = wal_checkpoint(&s->wal, /* truncate= */ false, &full);

	if (err == E_FULL)
		return E_OK;
	if (err != E_OK)
		*why = full;
	return err;
}

enum err conn_open(struct store *s, struct why *why)
{
	enum err err = open_all(s, why);

	if (err == E_OK)
		err = try_checkpoint(s, why);
	if (err == E_OK)
		err = wal_start(&s->wal, s->path, &s->wake, why);
	if (err != E_OK)
		conn_close(s);
	return err;
}

void conn_close(struct store *s)
{
	wal_stop(&s->wal);
	dedup_release(&s->dedup);
	routes_release(&s->routes);
	db_close(&s->db);
}

/* Enough bytes to find a full disk, written and synced, then taken back. */
static enum err probe(struct store *s, struct why *why)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_SETTING_SET);
	enum err err;

	sqlite3_bind_text(stmt, 1, "probe", -1, SQLITE_STATIC);
	sqlite3_bind_zeroblob(stmt, 2, PROBE_BYTES);
	err = db_run(&s->db, SQL_SETTING_SET, why);
	if (err == E_OK)
		err = db_setting_set(&s->db, "probe", 0, why);
	return err;
}

enum err conn_reopen(struct store *s, struct why *why)
{
	enum err err = open_all(s, why);

	if (err == E_OK)
		err = wal_checkpoint(&s->wal, /* truncate= */ false, why);
	if (err == E_OK)
		err = probe(s, why);
	if (err == E_OK)
		err = wal_start(&s->wal, s->path, &s->wake, why);
	if (err != E_OK) {
		conn_close(s);
		return err;
	}
	positions_unwritten(&s->positions);
	return E_OK;
}
