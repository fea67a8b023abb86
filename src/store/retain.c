#include <assert.h>

#include "base/clock.h"
#include "store/store_impl.h"

#define SLICE   1024 /* rows let go in a transaction, */
#define STEP    16   /* so many with a statement, */
#define PAGES   256  /* until they had these: each page of a large event is read on its way out */
#define LOOK_MS 5000 /* between two looks at the oldest events */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Committed and taken by every bus in use. */
static uint64_t forwarded(struct store *s)
{
	uint64_t last = atomic_load(&s->last);

	return s->forward_all ? last : min_u64(last, positions_forwarded(&s->positions));
}

bool retain_waits(struct store *s)
{
	bool wanted = atomic_load(&s->retain_ms) || atomic_load(&s->retain_bytes);

	return wanted && forwarded(s) > s->removed_pos;
}

uint32_t retain_wait_ms(struct store *s, uint64_t now_mono)
{
	if (!atomic_load(&s->retain_ms) && !atomic_load(&s->retain_bytes))
		return WAKE_FOREVER;
	if (forwarded(s) <= s->removed_pos)
		return WAKE_FOREVER; /* a commit or a position comes first, and wakes the writer */
	if (s->retain_more || now_mono >= s->retain_mono)
		return 0;
	return (uint32_t)(s->retain_mono - now_mono);
}

/*
 * SQL_RETAIN_YOUNGER: the first position of (from, end] that is too young to go, and not of a time that has not come yet.
 * SQL_RETAIN_OLDER: the last one that is old enough. 0: none.
 */
static enum err find(struct store *s, enum sql which, uint64_t from, uint64_t end, int64_t age_ms, struct why *why,
		     uint64_t *ret_pos)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, which);

	sqlite3_bind_int64(stmt, 1, (int64_t)from);
	sqlite3_bind_int64(stmt, 2, (int64_t)end);
	sqlite3_bind_int64(stmt, 3, age_ms - (int64_t)s->judged_ms);
	if (which == SQL_RETAIN_YOUNGER)
		sqlite3_bind_int64(stmt, 4, age_ms);
	*ret_pos = db_row(&s->db, which) ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
	return db_done(&s->db, which, why);
}

/*
 * Judge another slice, up to the first event that is too young. What was stored while the clock was ahead says nothing about
 * its age, and goes with the first behind it that does; it must not keep all others until its time comes.
 */
static enum err judge(struct store *s, uint64_t taken, int64_t age_ms, struct why *why)
{
	uint64_t from = max_u64(s->judged_pos, s->removed_pos), end = min_u64(taken, from + SLICE), young = 0, old = 0;
	enum err err = find(s, SQL_RETAIN_YOUNGER, from, end, age_ms, why, &young);

	if (young)
		end = young - 1;
	if (err == E_OK && end > from)
		err = find(s, SQL_RETAIN_OLDER, from, end, age_ms, why, &old);
	if (err != E_OK)
		return err;
	s->judged_pos = end;
	s->aged_pos = max_u64(s->aged_pos, old);
	s->judge_more = !young && end < taken;
	return E_OK;
}

/* The last position up to `end` that is too old. */
static enum err end_by_age(struct store *s, uint64_t end, uint64_t taken, int64_t age_ms, struct why *why,
			   uint64_t *ret_end)
{
	uint64_t retain_ms = atomic_load(&s->retain_ms);
	enum err err = E_OK;

	if (retain_ms != s->judged_ms) { /* a longer one keeps what was judged by the former */
		s->judged_ms = retain_ms;
		s->judged_pos = s->aged_pos = 0;
	}
	s->judge_more = false;
	if (retain_ms)
		err = judge(s, taken, age_ms, why);
	*ret_end = max_u64(min_u64(s->aged_pos, end), s->removed_pos);
	return err;
}

/* The same by size. An event counts as large as the average of all: what each holds would have to be read. */
static uint64_t end_by_size(const struct store *s, uint64_t end, uint64_t taken)
{
	uint64_t keep = atomic_load(&s->retain_bytes);
	uint64_t rows = s->last_pos - s->removed_pos;
	uint64_t average = rows ? space_used(&s->space) / rows + 1 : 1;
	uint64_t kept = keep / average;

	if (!keep || taken - s->removed_pos <= kept)
		return s->removed_pos;
	return min_u64(end, taken - kept);
}

static enum err free_pages(struct store *s, struct why *why, int64_t *ret_pages)
{
	if (db_row(&s->db, SQL_PAGES_FREE))
		*ret_pages = sqlite3_column_int64(db_stmt(&s->db, SQL_PAGES_FREE), 0);
	return db_done(&s->db, SQL_PAGES_FREE, why);
}

/* When it was stored; a position that has gone leaves it alone. */
static enum err time_of(struct store *s, uint64_t pos, struct why *why, int64_t *ret_ms)
{
	sqlite3_bind_int64(db_stmt(&s->db, SQL_EVENT_TIME), 1, (int64_t)pos);
	if (db_row(&s->db, SQL_EVENT_TIME))
		*ret_ms = sqlite3_column_int64(db_stmt(&s->db, SQL_EVENT_TIME), 0);
	return db_done(&s->db, SQL_EVENT_TIME, why);
}

static enum err forget(struct store *s, uint64_t end, struct why *why, int64_t *ret_ms)
{
	sqlite3_stmt *stmt = db_stmt(&s->db, SQL_RETAIN_DELETE);
	enum err err = time_of(s, end, why, ret_ms);

	if (err != E_OK)
		return err;
	sqlite3_bind_int64(stmt, 1, (int64_t)s->removed_pos);
	sqlite3_bind_int64(stmt, 2, (int64_t)end);
	err = db_run(&s->db, SQL_RETAIN_DELETE, why);
	if (err != E_OK)
		return err;
	metric_add(s->metrics.removed, sqlite3_changes64(s->db.handle));
	s->removed_pos = end;
	return E_OK;
}

/* As far as `end`, or until the pages are as many as one commit may have. */
static enum err let_go(struct store *s, uint64_t end, struct why *why)
{
	int64_t before = 0, pages = 0, ms = 0;
	enum err err = free_pages(s, why, &before);

	pages = before;
	while (err == E_OK && s->removed_pos < end && pages - before < PAGES) {
		err = forget(s, min_u64(end, s->removed_pos + STEP), why, &ms);
		if (err == E_OK)
			err = free_pages(s, why, &pages);
	}
	if (err == E_OK && ms) /* for those who ask by time for what is gone: when the last of it was stored */
		err = db_setting_set(&s->db, "removed_ms", ms, why);
	if (err == E_OK)
		err = db_setting_set(&s->db, "removed_pos", (int64_t)s->removed_pos, why);
	s->retain_more |= s->removed_pos < end;
	s->space.freed = true;
	return err == E_OK ? E_OK : why_add(why, "retention");
}

/* A key is forgotten by time alone: what is not in the table yet goes there before its row goes. */
static uint64_t end_by_keys(struct store *s, uint64_t end, int64_t now_ms)
{
	if (end > s->dedup.merged_pos && !dedup_merging(&s->dedup))
		dedup_freeze(&s->dedup, s->last_pos, now_ms);
	return min_u64(end, max_u64(s->dedup.merged_pos, s->removed_pos));
}

enum err retain_step(struct store *s, int64_t now_ms, int64_t age_ms, struct why *why)
{
	uint64_t now_mono = clock_mono_ms();
	uint64_t taken, slice, by_age, end;
	enum err err;

	if (retain_wait_ms(s, now_mono) > 0)
		return E_OK;
	taken = forwarded(s);
	if (taken <= s->removed_pos) /* a bus that is behind came into use in this moment */
		return E_OK;
	slice = min_u64(taken, s->removed_pos + SLICE);
	err = end_by_age(s, slice, taken, age_ms, why, &by_age);
	if (err != E_OK)
		return err;
	end = max_u64(by_age, end_by_size(s, slice, taken));
	assert(end >= s->removed_pos && end <= slice);
	s->retain_more = (end == slice && end < taken) || s->judge_more;
	s->retain_mono = now_mono + LOOK_MS;
	if (end == s->removed_pos)
		return E_OK;
	end = end_by_keys(s, end, now_ms);
	s->retain_more |= end < slice && dedup_merging(&s->dedup);
	return end > s->removed_pos ? let_go(s, end, why) : E_OK;
}
